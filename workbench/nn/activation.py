"""Activations as layers. Arguments and printing are torch's."""

from __future__ import annotations

from typing import Any

from workbench.tensor import Tensor

from . import functional as F
from . import init
from .check import real, whole
from .module import Module
from .parameter import Parameter, empty

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]


class _InPlace(Module):
    """An activation whose only argument says whether it may overwrite its input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class ReLU(_InPlace):
    """max(x, 0)."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.relu(input, self.inplace) if self.inplace else F.relu(input)


class SiLU(_InPlace):
    """x · sigmoid(x), also called swish. Elfwing, Uchibe and Doya, 2018."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.silu(input, self.inplace) if self.inplace else F.silu(input)


class Mish(_InPlace):
    """x · tanh(softplus(x)). Misra, 2019."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.mish(input, self.inplace)


class SELU(_InPlace):
    """scale · (max(0, x) + min(0, α (exp(x) - 1))), self-normalising. Klambauer et al., 2017."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.selu(input, self.inplace)


class Hardswish(_InPlace):
    """x · min(max(x + 3, 0), 6) / 6. Howard et al., "Searching for MobileNetV3", 2019."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return ""


class Hardsigmoid(_InPlace):
    """min(max(x + 3, 0), 6) / 6."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return ""


class Hardtanh(Module):
    """x, held between `min_val` and `max_val`. Raises ValueError unless min_val < max_val."""

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__()
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if not self.max_val > self.min_val:
            raise ValueError(
                f"Hardtanh: max_val must be larger than min_val, got {self.max_val} and "
                f"{self.min_val}"
            )

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        text = f"min_val={self.min_val}, max_val={self.max_val}"
        return text + (", inplace=True" if self.inplace else "")


class ReLU6(Hardtanh):
    """x, held between 0 and 6."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return "inplace=True" if self.inplace else ""


class LeakyReLU(Module):
    """x where positive, negative_slope · x elsewhere."""

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = real("LeakyReLU", "negative_slope", negative_slope)
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        if self.inplace:
            return F.leaky_relu(input, self.negative_slope, True)
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        text = f"negative_slope={self.negative_slope}"
        return text + (", inplace=True" if self.inplace else "")


class _Alpha(Module):
    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = real(type(self).__name__, "alpha", alpha)
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class ELU(_Alpha):
    """x where positive, alpha · (exp(x) - 1) elsewhere. Clevert et al., 2015."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.elu(input, self.alpha, True) if self.inplace else F.elu(input, self.alpha)


class CELU(_Alpha):
    """max(0, x) + min(0, alpha · (exp(x / alpha) - 1)). Barron, 2017."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.celu(input, self.alpha, self.inplace)


class GELU(Module):
    """x · Φ(x), Φ the normal distribution; or its "tanh" approximation. Hendrycks, Gimpel, 2016.

    Raises ValueError for another `approximate`.
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f"GELU: approximate must be 'none' or 'tanh', got {approximate!r}")
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"approximate={self.approximate!r}"


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return input.sigmoid()


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return input.tanh()


class LogSigmoid(Module):
    """log(1 / (1 + exp(-x)))."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.logsigmoid(input)


class Softsign(Module):
    """x / (1 + |x|)."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.softsign(input)


class Tanhshrink(Module):
    """x - tanh(x)."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.tanhshrink(input)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = real("Softplus", "beta", beta)
        self.threshold = real("Softplus", "threshold", threshold)

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"beta={self.beta}, threshold={self.threshold}"


class RReLU(Module):
    """x where positive, else a random slope between `lower` and `upper`, times x.

    Evaluation uses the mean of the two. Xu et al., 2015.
    """

    def __init__(
        self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False
    ) -> None:
        super().__init__()
        self.lower = real("RReLU", "lower", lower)
        self.upper = real("RReLU", "upper", upper)
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        text = f"lower={self.lower}, upper={self.upper}"
        return text + (", inplace=True" if self.inplace else "")


class _Shrink(Module):
    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = real(type(self).__name__, "lambd", lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(_Shrink):
    """x where |x| > lambd, else 0."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.hardshrink(input, self.lambd)


class Softshrink(_Shrink):
    """x moved towards 0 by lambd, and 0 where |x| ≤ lambd."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.softshrink(input, self.lambd)


class Threshold(Module):
    """x where x > threshold, else `value`."""

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = real("Threshold", "threshold", threshold)
        self.value = real("Threshold", "value", value)
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        text = f"threshold={self.threshold}, value={self.value}"
        return text + (", inplace=True" if self.inplace else "")


class PReLU(Module):
    """x where positive, weight · x elsewhere; one learned slope, or one per channel (dim 1).

    He et al., "Delving deep into rectifiers", 2015.
    """

    weight: Parameter

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.num_parameters = whole("PReLU", "num_parameters", num_parameters)
        self.init = real("PReLU", "init", init)
        self.weight = Parameter(empty((self.num_parameters,), device, dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """All slopes back to `init`."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, *) → the same shape."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"num_parameters={self.num_parameters}"


class GLU(Module):
    """a · sigmoid(b), a and b the halves of the input along `dim`. Dauphin et al., 2016."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = whole("GLU", "dim", dim, least=-(1 << 30))

    def forward(self, input: Tensor) -> Tensor:
        """Half as long along `dim`."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"dim={self.dim}"


class _AlongDim(Module):
    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        if dim is not None:
            whole(type(self).__name__, "dim", dim, least=-(1 << 30))
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """exp(x) / Σ exp(x) along `dim`."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape; sums to 1 along `dim`."""
        return F.softmax(input, self.dim, _stacklevel=5)


class Softmin(_AlongDim):
    """Softmax of -x along `dim`."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape; sums to 1 along `dim`."""
        return F.softmin(input, self.dim, _stacklevel=5)


class LogSoftmax(_AlongDim):
    """log(softmax(x)) along `dim`, computed stably."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return F.log_softmax(input, self.dim, _stacklevel=5)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"dim={self.dim}"


class Softmax2d(Module):
    """Softmax over the channels of (N, C, H, W) or (C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → the same shape."""
        if input.array.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.array.ndim}D")
        return F.softmax(input, -3)
