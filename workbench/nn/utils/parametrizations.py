"""Weights of a fixed norm, as parametrizations: weight, spectral and orthogonal."""

from __future__ import annotations

from typing import Any

from workbench.nn.functional import normalize
from workbench.nn.module import Module
from workbench.tensor import FUNCTIONS, Tensor, mark_written, no_grad, wrap

from .parametrize import register_parametrization

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

_op, _linalg = FUNCTIONS[""], FUNCTIONS["linalg"]


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norm over all dimensions but `dim`, which stay as sides of 1; over all for -1."""
    if dim == -1:
        return _linalg["vector_norm"](v, pow)
    others = tuple(d for d in range(v.array.ndim) if d != dim % v.array.ndim)
    return _linalg["vector_norm"](v, pow, others, True) if others else v.abs()


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """The direction of `weight_v` times the length `weight_g`."""
        return weight_v * (weight_g / norm_except_dim(weight_v, 2, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Length and direction of a weight."""
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Learn a weight as its length per slice along `dim` (None: one length) and its direction.

    Salimans and Kingma, "Weight normalization", 2016.
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


def iterate_power(matrix: Tensor, u: Tensor, v: Tensor, times: int, eps: float) -> None:
    """`times` steps of the power method on a matrix, into `u` and `v`, off the tape."""
    with no_grad():
        for _ in range(times):
            _write(u, normalize(matrix @ v, dim=0, eps=eps))
            _write(v, normalize(matrix.mT @ u, dim=0, eps=eps))


def _write(held: Tensor, value: Tensor) -> None:
    held.array[...] = value.array
    mark_written(held)


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """(size of `dim`, everything else)."""
    if dim:
        order = [dim, *(d for d in range(weight.array.ndim) if d != dim)]
        weight = weight.permute(*order)
    return weight.flatten(1) if weight.array.ndim > 1 else weight


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        ndim = weight.array.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(
                "Dimension out of range (expected to be in range of "
                f"[-{ndim}, {ndim - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                matrix = as_matrix(weight, self.dim).detach()
                rows, columns = matrix.array.shape
                u = _op["randn"](rows, dtype=weight.dtype, device=weight.device)
                v = _op["randn"](columns, dtype=weight.dtype, device=weight.device)
                self.register_buffer("_u", normalize(u, dim=0, eps=eps))
                self.register_buffer("_v", normalize(v, dim=0, eps=eps))
                iterate_power(matrix, self._u, self._v, 15, eps)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight over its largest singular value, which a step of the power method follows."""
        if weight.array.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            iterate_power(matrix, self._u, self._v, self.n_power_iterations, self.eps)
        u, v = self._u.clone(), self._v.clone()
        return weight / _op["dot"](u, matrix @ v)

    def right_inverse(self, value: Tensor) -> Tensor:
        """Any weight will do."""
        return value


def default_dim(module: Module, dim: int | None) -> int:
    """`dim`, or that of a layer's outputs: 1 in transposed convolutions, else 0."""
    if dim is not None:
        return dim
    return int(type(module).__name__.startswith(("ConvTranspose", "ParametrizedConvTranspose")))


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by its largest singular value.

    Miyato et al., "Spectral normalization for generative adversarial networks", 2018. Raises
    ValueError where the module has no such tensor.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    made = _SpectralNorm(weight, n_power_iterations, default_dim(module, dim), eps)
    return register_parametrization(module, name, made)


class _Orthogonal(Module):
    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.orthogonal_map = orthogonal_map
        self.shape = tuple(weight.array.shape)
        if use_trivialization:
            self.register_buffer("base", _completed(weight))
        else:
            self.base = None

    def forward(self, X: Tensor) -> Tensor:
        """An orthogonal matrix (or orthonormal columns or rows) from a free one."""
        n, k = X.shape[-2:]
        wide = n < k
        if wide:
            X, n, k = X.mT, k, n
        if self.orthogonal_map == "householder":
            Q = _reflections(X) * X.diagonal(0, -2, -1).sign().detach().unsqueeze(-2)
        else:
            A = X.tril()
            if n != k:
                extra = _op["zeros"](*X.shape[:-2], n, n - k, dtype=X.dtype)
                A = _op["cat"]([A, extra], -1)
            A = A - A.mT
            if self.orthogonal_map == "matrix_exp":
                Q = _linalg["matrix_exp"](A)
            else:
                one = _op["eye"](n, dtype=A.dtype)
                Q = _linalg["solve"](one - A * 0.5, one + A * 0.5)
            Q = Q[..., :k] if n != k else Q
        if self.base is not None:
            Q = self.base @ Q
        return Q.mT if wide else Q

    def right_inverse(self, Q: Tensor) -> Tensor:
        """Where to start from: minus the identity, with the value as the base to be multiplied by.

        Without a base: reflections, or NotImplementedError for the other maps. Raises ValueError
        where `Q` has another shape.
        """
        if tuple(Q.array.shape) != self.shape:
            raise ValueError(f"Expected a matrix of shape {self.shape}, got {Q.shape}")
        n, k = self.shape[-2:]
        if self.base is not None:
            _write(self.base, _completed(Q))
            # of which every map makes the identity
            return _op["zeros_like"](Q) - _op["eye"](n, k, dtype=Q.dtype)
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley "
                "parametrizations when use_trivialization=False."
            )
        start = _vectors(_near(Q.mT if n < k else Q))
        return start.mT.clone() if n < k else start


def _completed(weight: Tensor) -> Tensor:
    """A square orthogonal matrix that begins with the columns (or rows) of `_near`."""
    near = _near(weight)
    near = near.mT if near.shape[-2] < near.shape[-1] else near
    with no_grad():
        whole = _linalg["qr"](near, mode="complete")[0].clone()
        whole.array[..., : near.shape[-1]] = near.array
    return whole


def _near(weight: Tensor) -> Tensor:
    """Orthonormal columns (or rows) that span what the weight's do."""
    with no_grad():
        n, k = weight.shape[-2:]
        Q, R = _linalg["qr"](weight.detach().mT if n < k else weight.detach())
        Q = Q * _op["sign"](R.diagonal(0, -2, -1)).unsqueeze(-2)
        return (Q.mT if n < k else Q).clone()


def _reflections(X: Tensor) -> Tensor:
    """The first columns of the product of the reflections whose vectors are below the diagonal."""
    n, k = X.shape[-2:]
    A = X.tril(-1) + _op["eye"](n, k, dtype=X.dtype)
    Q = _op["eye"](n, k, dtype=X.dtype)
    for i in range(k - 1, -1, -1):
        v = A[..., :, i : i + 1]
        Q = Q - v * (2.0 / (v * v).sum(-2, keepdim=True)) @ (v.mT @ Q)
    return Q


def _vectors(Q: Tensor) -> Tensor:
    """What `_reflections` and the signs on its diagonal make the orthonormal columns `Q` of."""
    left = Q.array.copy()
    out = left * 0
    k = left.shape[-1]
    for i in range(k):
        column = left[..., i:, i]
        sign = (column[..., :1] >= 0) * 2.0 - 1.0  # of unit columns: the reflection gives -sign
        v = column.copy()
        v[..., :1] += sign
        v /= v[..., :1].copy()
        out[..., i:, i] = v
        out[..., i, i] = -sign[..., 0]
        part = (v[..., None, :] @ left[..., i:, :]) * (2 / (v * v).sum(-1))[..., None, None]
        left[..., i:, :] -= v[..., :, None] * part
    return wrap(out)


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keep a weight orthogonal (its columns or rows orthonormal where it is not square).

    By the exponential or Cayley's map of a skew matrix, or by reflections; Lezcano-Casado,
    "Trivializations for gradient-based optimization on manifolds", 2019. Raises ValueError for
    fewer than two dimensions, a missing tensor or an unknown map.
    """
    weight: Any = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.array.ndim < 2:
        raise ValueError(
            "Expected a matrix or batch of matrices. Got a tensor of "
            f"{weight.array.ndim} dimensions."
        )
    if orthogonal_map is None:
        square = weight.array.shape[-1] == weight.array.shape[-2]
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
            f"Got: {orthogonal_map}"
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
