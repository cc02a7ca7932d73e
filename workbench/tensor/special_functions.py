"""torch.special: names for functions that live at the top, and compositions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import compose  # noqa: F401 - registers the functions that get a second name here
from .binding import Bound
from .functions import FUNCTIONS, METHODS, function, raw
from .inplace import inplace_variant
from .mode import mode
from .tensor import Tensor

# torch.special's name for a function of the top level
_SAME = {
    "digamma": "digamma", "psi": "digamma", "erf": "erf", "erfc": "erfc", "erfinv": "erfinv",
    "exp2": "exp2", "expit": "sigmoid", "expm1": "expm1", "gammaln": "lgamma", "i0": "i0",
    "log1p": "log1p", "log_softmax": "log_softmax", "logit": "logit", "logsumexp": "logsumexp",
    "round": "round", "sinc": "sinc", "softmax": "softmax", "xlogy": "xlogy",
}  # fmt: skip
for _name, _top in _SAME.items():
    FUNCTIONS["special"][_name] = FUNCTIONS[""].held(_top)


def _doc(held: Any) -> str:
    return (held.op.doc if isinstance(held, Bound) else held.__doc__) or ""


@function("", "polygamma", method=False)
def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of the digamma function.

    Raises RuntimeError for negative n.
    """
    return raw("polygamma_of")(input, n)


function("special", "polygamma", method=False)(polygamma)
METHODS["polygamma"] = lambda self, n: polygamma(n, self)


@function("", "mvlgamma")
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """log of the p-variate gamma function: p(p-1)/4 log π + Σ lgamma(x - j/2), j < p.

    Raises RuntimeError for bool tensors and p < 1.
    """
    if input.array.dtype == np.bool_:
        raise RuntimeError("mvlgamma: The input tensor may not be a boolean tensor.")
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    total = raw("lgamma")(input)
    for j in range(1, p):
        total = total + raw("lgamma")(input - j / 2)
    return total + p * (p - 1) / 4 * math.log(math.pi)


function("special", "multigammaln", method=False)(mvlgamma)
for _name in ("polygamma", "mvlgamma"):
    METHODS[f"{_name}_"] = inplace_variant(_name, METHODS[_name])


def _partly(name: str, missing: tuple[str, ...], doc: str) -> Any:
    """An op of two tensors that has no derivative in some of them: asking for it is an error."""
    call = raw(name)

    def checked(input: Tensor, other: Tensor) -> Tensor:
        if mode.grad:
            for argument, value in (("input", input), ("other", other)):
                if argument in missing and getattr(value, "edge", None) is not None:
                    raise NotImplementedError(
                        f"the derivative for '{name}: {argument}' is not implemented; pass "
                        f"{argument}.detach()"
                    )
        return call(input, other)

    checked.__name__ = checked.__qualname__ = name
    checked.__doc__ = doc
    return checked


for _name, _alias in (("igamma", "gammainc"), ("igammac", "gammaincc")):
    _made = _partly(_name, ("input",), _doc(FUNCTIONS[""].held(_name)))
    function("", _name)(_made)
    function("special", _alias, method=False)(_made)
function("special", "zeta", method=False)(
    _partly("zeta", ("input", "other"), _doc(FUNCTIONS["special"].held("zeta")))
)
