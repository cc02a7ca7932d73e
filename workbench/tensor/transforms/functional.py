"""torch.autograd.functional: products with Jacobians and Hessians, and the matrices themselves.

`func` takes tensors and returns a tensor or a tuple of them. Results have the structure of the
inputs (or outputs): a tensor where one was given, else a tuple.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.tensor.backward import grad as engine_grad
from workbench.tensor.mode import enable_grad
from workbench.tensor.node import LEAF
from workbench.tensor.tensor import Tensor, beside, wrap

from .derivatives import alias

Func = Callable[..., Any]


def _tuple(value: Any, what: str, name: str) -> tuple[bool, tuple[Tensor, ...]]:
    many = isinstance(value, (tuple, list))
    values = tuple(value) if many else (value,)
    for i, v in enumerate(values):
        if not isinstance(v, Tensor):
            where = f"at index {i} of the {what}" if many else f"as the {what}"
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but got "
                f"{type(v).__name__} {where}"
            )
    return many, values


def _fresh(inputs: tuple[Tensor, ...], create_graph: bool) -> tuple[Tensor, ...]:
    made = []
    for t in inputs:
        if create_graph and t.edge is not None:
            made.append(alias(t))
        else:
            leaf = wrap(t.array)
            leaf.edge = LEAF
            made.append(leaf)
    return tuple(made)


def _vector(v: Any, like: tuple[Tensor, ...], what: str, name: str) -> tuple[Tensor, ...]:
    if v is None:
        if len(like) != 1 or like[0].array.size != 1:
            kind = "outputs" if what == "output" else "inputs"
            raise RuntimeError(
                "The vector v can only be None if the user-provided function returns a single "
                f"Tensor with a single element ({name}: the {kind} have shapes "
                f"{[list(t.array.shape) for t in like]})"
            )
        return (wrap(np.ones_like(like[0].array)),)
    _, given = _tuple(v, "v", name)
    if len(given) != len(like):
        raise RuntimeError(
            f"v is a tuple of invalid length: should be {len(like)} but got {len(given)}."
        )
    for i, (g, t) in enumerate(zip(given, like, strict=True)):
        if g.array.shape != t.array.shape:
            at = f"Entry {i} in v" if len(like) > 1 else "v"
            raise RuntimeError(
                f"{at} has invalid size: should be {list(t.array.shape)} but got "
                f"{list(g.array.shape)}."
            )
    return given


def _checked(outputs: tuple[Tensor, ...], strict: bool, what: str = "output") -> None:
    if strict:
        for i, out in enumerate(outputs):
            if out.edge is None:
                raise RuntimeError(
                    f"Output {i} of the user-provided function does not require gradients. The "
                    "outputs must be computed in a differentiable manner from the input when "
                    f"running in strict mode ({what})."
                )


def _grads(
    outputs: Any, inputs: Any, vectors: Any, create_graph: bool, strict: bool, what: str
) -> list[Tensor]:
    pairs = [(o, v) for o, v in zip(outputs, vectors, strict=True) if o.edge is not None]
    found: Any = (None,) * len(inputs)
    if pairs:
        found = engine_grad(
            [o for o, _ in pairs], inputs, [v for _, v in pairs], retain_graph=True,
            create_graph=create_graph, allow_unused=True,
        )  # fmt: skip
    filled = []
    for i, (g, t) in enumerate(zip(found, inputs, strict=True)):
        if g is None:
            if strict:
                raise RuntimeError(
                    f"The {what} is independent of input {i}. This is not allowed in strict mode."
                )
            g = wrap(np.zeros_like(t.array))
        elif strict and create_graph and g.edge is None:
            raise RuntimeError(
                f"The jacobian of the user-provided function with respect to input {i} is "
                "independent of the input. This is not allowed in strict mode when "
                "create_graph=True."
            )
        filled.append(g)
    return filled


def _done(tensors: Any, many: bool, create_graph: bool) -> Any:
    values = tuple(t if create_graph else wrap(t.array) for t in tensors)
    return values if many else values[0]


def vjp(
    func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), vᵀJ). `v` has the outputs' structure and shapes (None: one element)."""
    with enable_grad():
        many, given = _tuple(inputs, "inputs", "vjp")
        args = _fresh(given, create_graph)
        several, outputs = _tuple(func(*args), "outputs of the user-provided function", "vjp")
        _checked(outputs, strict)
        vectors = _vector(v, outputs, "output", "vjp")
        found = _grads(outputs, args, vectors, create_graph, strict, "output")
    return _done(outputs, several, create_graph), _done(found, many, create_graph)


def _transposed(
    outputs: tuple[Tensor, ...], args: tuple[Tensor, ...], vectors: Any, create_graph: bool,
    strict: bool,
) -> list[Tensor]:  # fmt: skip
    """Jv by differentiating u ↦ Jᵀu."""
    slots = [alias(wrap(np.zeros_like(o.array))) for o in outputs]
    pulled = _grads(outputs, args, slots, True, False, "output")
    if strict:
        for i, g in enumerate(pulled):
            if g.edge is None:
                raise RuntimeError(
                    f"The output is independent of input {i}. This is not allowed in strict mode."
                )
    rows = [(g, v) for g, v in zip(pulled, vectors, strict=True) if g.edge is not None]
    if not rows:
        return [wrap(np.zeros_like(o.array)) for o in outputs]
    return list(
        engine_grad(
            [g for g, _ in rows],
            slots,
            [v for _, v in rows],
            create_graph=create_graph,
            allow_unused=True,
            materialize_grads=True,
        )
    )


def jvp(
    func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), Jv). `v` has the inputs' structure and shapes (None: one element)."""
    with enable_grad():
        _, given = _tuple(inputs, "inputs", "jvp")
        args = _fresh(given, create_graph)
        vectors = _vector(v, args, "input", "jvp")
        several, outputs = _tuple(func(*args), "outputs of the user-provided function", "jvp")
        _checked(outputs, strict)
        found = _transposed(outputs, args, vectors, create_graph, strict)
    return _done(outputs, several, create_graph), _done(found, several, create_graph)


def _check_strategy(strategy: str, vectorize: bool, name: str) -> None:
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError(f"{name}: Expected strategy to be 'forward-mode' or 'reverse-mode'")
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(
            f"{name}: strategy='forward-mode' wants vectorize=True, as in torch"
        )


def jacobian(
    func: Func,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian: shape (*output, *input), nested as [output][input] where there are several.

    `vectorize` computes all rows in one vectorised pass; the result is the same.
    """
    _check_strategy(strategy, vectorize, "jacobian")
    if strict and vectorize:
        raise RuntimeError(
            "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not "
            "supported together."
        )
    with enable_grad():
        many, given = _tuple(inputs, "inputs", "jacobian")
        args = _fresh(given, create_graph)
        several, outputs = _tuple(func(*args), "outputs of the user-provided function", "jacobian")
        _checked(outputs, strict)
        rows = [_jacobian_rows(o, args, create_graph, strict, vectorize) for o in outputs]
    done = [_done(row, many, create_graph) for row in rows]
    return tuple(done) if several else done[0]


def _jacobian_rows(
    output: Tensor, args: tuple[Tensor, ...], create_graph: bool, strict: bool, vectorize: bool
) -> list[Tensor]:
    from workbench.tensor.functions import FUNCTIONS, raw

    size, shape = output.array.size, tuple(output.array.shape)
    eye = np.eye(size, dtype=output.array.dtype).reshape((size, *shape))
    if vectorize and size:
        from .vmap import vmap

        columns = vmap(lambda v: _grads((output,), args, (v,), create_graph, False, "output"))(
            beside(output, eye)
        )
    else:
        units = [beside(output, np.array(row)) for row in eye]
        rows = [_grads((output,), args, (unit,), create_graph, strict, "output") for unit in units]
        columns = [
            FUNCTIONS[""]["stack"]([row[k] for row in rows], 0)
            if rows
            else beside(t, np.zeros((0, *t.array.shape), t.array.dtype))
            for k, t in enumerate(args)
        ]
    return [raw("reshape")(c, (*shape, *t.array.shape)) for c, t in zip(columns, args, strict=True)]


def _scalar(func: Func, name: str) -> Func:
    def checked(*args: Tensor) -> Tensor:
        out = func(*args)
        if not isinstance(out, Tensor):
            raise RuntimeError(f"The function given to {name} should return a single Tensor")
        if out.array.size != 1:
            raise RuntimeError(
                f"The Tensor returned by the function given to {name} should contain a single "
                "element"
            )
        return out if out.array.ndim == 0 else out.reshape(())  # type: ignore[attr-defined,no-any-return]

    return checked


def hessian(
    func: Func,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a scalar function: [i][j] has shape (*input_i, *input_j)."""
    _check_strategy(outer_jacobian_strategy, vectorize, "hessian")
    many, given = _tuple(inputs, "inputs", "hessian")
    single = _scalar(func, "hessian")

    def first(*args: Tensor) -> Any:
        found = jacobian(single, args, create_graph=True)
        if strict:
            for i, g in enumerate(found):
                if g.edge is None:
                    raise RuntimeError(
                        f"The jacobian of the user-provided function with respect to input {i} is "
                        "independent of the input. This is not allowed in strict mode."
                    )
        return found

    found = jacobian(first, given, create_graph, strict, vectorize, outer_jacobian_strategy)
    return found if many else found[0][0]


def _hessian_product(
    name: str, func: Func, inputs: Any, v: Any, create_graph: bool, strict: bool
) -> tuple[Any, Any]:
    with enable_grad():
        many, given = _tuple(inputs, "inputs", name)
        args = _fresh(given, create_graph)
        vectors = _vector(v, args, "input", name)
        output = _scalar(func, name)(*args)
        _checked((output,), strict)
        ones = (wrap(np.ones_like(output.array)),)
        first = _grads((output,), args, ones, True, strict, "output")
        if name == "vhp":
            found = _grads(first, args, vectors, create_graph, strict, "gradient")
        else:
            found = _transposed(tuple(first), args, vectors, create_graph, strict)
    return _done((output,), False, create_graph), _done(found, many, create_graph)


def vhp(
    func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), vᵀH) for a scalar function."""
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(
    func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), Hv) for a scalar function; `vhp` is cheaper and the same for symmetric H."""
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)
