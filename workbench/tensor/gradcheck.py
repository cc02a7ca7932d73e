"""Gradients against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.arrays import to_numpy

from .backward import grad
from .mode import enable_grad
from .node import LEAF
from .tensor import Tensor, beside, wrap


def _outputs(result: Any) -> list[Tensor]:
    results = result if isinstance(result, (tuple, list)) else (result,)
    return [r for r in results if isinstance(r, Tensor) and r.requires_grad]


def _drawn(rng: np.random.Generator, like: np.ndarray) -> np.ndarray:
    """A direction for the results to be projected on."""
    drawn = rng.uniform(0.5, 1.5, like.shape)
    if like.dtype.kind == "c":
        drawn = drawn + 1j * rng.uniform(0.5, 1.5, like.shape)
    return np.asarray(drawn).astype(like.dtype)


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
) -> bool:
    """Whether the gradients of `func` agree with central differences (in double precision).

    Every output is projected on a fixed random direction and differentiated with respect to every
    element of every input that requires gradients (the real and the imaginary part of complex ones,
    gradients being torch's: dL/da + i dL/db). Raises RuntimeError (or returns False) when an
    element differs by more than atol + rtol * |numerical|.
    """
    inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    watched = [t for t in inputs if isinstance(t, Tensor) and t.requires_grad]
    if not watched:
        raise ValueError("gradcheck expects at least one input tensor to require gradient")
    with enable_grad():
        outputs = _outputs(func(*inputs))
        if not outputs:
            return True
        rng = np.random.default_rng(0)
        directions = [beside(o, _drawn(rng, o.array)).array for o in outputs]
        found = grad(outputs, watched, [wrap(d) for d in directions], allow_unused=True)

    def project() -> float:
        with enable_grad():
            values = _outputs(func(*inputs))
        return float(
            sum((o.array * d.conj()).sum().real for o, d in zip(values, directions, strict=True))
        )

    for index, (tensor, analytic) in enumerate(zip(watched, found, strict=True)):
        array = tensor.array
        numeric = np.zeros(array.shape, array.dtype)
        for where in np.ndindex(array.shape):
            held = array[where].copy()
            for unit in (1, 1j) if array.dtype.kind == "c" else (1,):
                array[where] = held + unit * eps
                above = project()
                array[where] = held - unit * eps
                below = project()
                array[where] = held
                numeric[where] += unit * (above - below) / (2 * eps)
        got = np.zeros(array.shape) if analytic is None else to_numpy(analytic.array)
        if not np.allclose(got, numeric, rtol, atol):
            if not raise_exception:
                return False
            worst = (
                np.unravel_index(np.argmax(np.abs(got - numeric)), array.shape)
                if array.size
                else ()
            )
            raise RuntimeError(
                f"Jacobian mismatch for input {index} at {tuple(int(i) for i in worst)}: "
                f"numerical {numeric[worst]:.6g}, analytical {got[worst]:.6g}\n"
                f"numerical:\n{numeric}\nanalytical:\n{got}"
            )
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Whether the second derivatives of `func` agree with differences of its first ones."""
    inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    with enable_grad():
        outputs = _outputs(func(*inputs))
    rng = np.random.default_rng(1)
    directions = []
    for o in outputs:
        v = beside(o, _drawn(rng, o.array))
        v.edge = LEAF
        directions.append(v)
    count = len(inputs)

    def first(*args: Any) -> Any:
        values = _outputs(func(*args[:count]))
        watched = [t for t in args[:count] if isinstance(t, Tensor) and t.requires_grad]
        grads = grad(values, watched, list(args[count:]), create_graph=True, allow_unused=True)
        return tuple(g for g in grads if g is not None)

    return gradcheck(
        first,
        (*inputs, *directions),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
    )
