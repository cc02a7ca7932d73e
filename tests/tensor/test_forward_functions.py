"""A user's Function under forward derivatives, and many gradients in one pass: as torch's."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb

torch = pytest.importorskip("torch")


def cube(lib, calls):
    class Cube(lib.autograd.Function):
        @staticmethod
        def forward(x, y):
            return x**3 * y, x + y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, g, h):
            calls.append("backward")
            x, y = ctx.saved_tensors
            return 3 * x**2 * y * g + h, x**3 * g + h

        @staticmethod
        def jvp(ctx, tx, ty):
            calls.append("jvp")
            x, y = ctx.saved_tensors
            return 3 * x**2 * y * tx + x**3 * ty, tx + ty

    return Cube


def values(lib, *numbers):
    return [lib.tensor(n, dtype=lib.float64) for n in numbers]


# of torch's own beginnings
torchs = pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")


@torchs
def test_func_jvp_calls_jvp():
    def program(lib):
        calls = []
        made = cube(lib, calls)
        x, y, tx, ty = values(lib, [1.0, 2.0], [3.0, -1.0], [0.5, 1.0], [2.0, 0.0])

        def f(x, y):
            a, b = made.apply(x.sin(), y)
            return (a * b).exp()

        out, tangent = lib.func.jvp(f, (x, y), (tx, ty))
        return [out.numpy(), tangent.numpy()], calls

    (out, tangent), calls = program(wb)
    (expected, direction), _ = program(torch)
    np.testing.assert_allclose(out, expected)
    np.testing.assert_allclose(tangent, direction)
    assert calls == ["jvp"]


@torchs
def test_forward_ad_calls_jvp():
    def program(lib):
        calls = []
        made = cube(lib, calls)
        x, y, tx = values(lib, [1.0, 2.0], [3.0, -1.0], [0.5, 1.0])
        fwad = lib.autograd.forward_ad
        with fwad.dual_level():
            a, b = made.apply(fwad.make_dual(x, tx), y)
            return [fwad.unpack_dual(t).tangent.numpy() for t in (a * 2, b)], set(calls)

    found, calls = program(wb)
    expected, _ = program(torch)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b)
    assert calls == {"jvp"}


def test_a_function_with_jvp_only():
    class Double(wb.autograd.Function):
        @staticmethod
        def forward(x):
            return x * 2

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def jvp(ctx, t):
            return t * 2

    x = wb.ones(3)
    _, tangent = wb.func.jvp(Double.apply, (x,), (wb.arange(3.0),))
    assert tangent.tolist() == [0, 2, 4]


def test_derivatives_of_jvp():
    """Second derivatives, forward over forward and reverse over forward."""
    made = cube(wb, [])
    x, y, t = values(wb, 1.5, 2.0, 1.0)

    def f(x):
        return made.apply(x, y)[0]

    def slope(x):
        return wb.func.jvp(f, (x,), (t,))[1]

    np.testing.assert_allclose(slope(x).item(), 3 * 1.5**2 * 2)
    np.testing.assert_allclose(wb.func.grad(slope)(x).item(), 6 * 1.5 * 2)
    np.testing.assert_allclose(wb.func.jvp(slope, (x,), (t,))[1].item(), 6 * 1.5 * 2)
    np.testing.assert_allclose(wb.func.jacfwd(f)(x).item(), 3 * 1.5**2 * 2)


def test_without_jvp_backward_is_transposed():
    class Square(wb.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    _, tangent = wb.func.jvp(Square.apply, (wb.tensor(3.0),), (wb.tensor(2.0),))
    assert tangent.item() == 12


@pytest.mark.parametrize("given", [(wb.ones(3),), (wb.ones(2), wb.ones(2))])
def test_a_jvp_that_does_not_fit(given):
    class Wrong(wb.autograd.Function):
        @staticmethod
        def forward(x):
            return x * 2

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def jvp(ctx, t):
            return given if len(given) > 1 else given[0]

    with pytest.raises(RuntimeError, match="jvp of Wrong"):
        wb.func.jvp(Wrong.apply, (wb.ones(2),), (wb.ones(2),))


# -- many gradients in one pass ------------------------------------------------------------------


BATCHED = {
    "square": lambda lib, x, y: (x * x,),
    "two outputs": lambda lib, x, y: (x * y, (x @ y).expand(3)),
    "one output is not given": lambda lib, x, y: (x.sin() * y, None),
    "unused": lambda lib, x, y: (x.exp(),),
}


@pytest.mark.parametrize("name", BATCHED)
@pytest.mark.parametrize("create_graph", [False, True])
def test_batched_gradients_as_torch(name, create_graph):
    def program(lib):
        x, y = (t.requires_grad_() for t in values(lib, [1.0, 2.0, 3.0], [0.5, -1.0, 2.0]))
        outputs = BATCHED[name](lib, x, y)
        outputs = [x.sum() if o is None else o for o in outputs]
        rows = [lib.arange(12, dtype=lib.float64).reshape(4, 3)] * len(outputs)
        if name == "one output is not given":
            outputs, rows = outputs[:1], rows[:1]
        found = lib.autograd.grad(
            outputs, (x, y), rows, is_grads_batched=True, allow_unused=True,
            create_graph=create_graph,
        )  # fmt: skip
        if create_graph:
            found[0].sum().backward()
            found = (*found, x.grad)
        return [None if t is None else t.detach().numpy() for t in found]

    for a, b in zip(program(wb), program(torch), strict=True):
        if b is None:
            assert a is None
        else:
            np.testing.assert_allclose(a, b)


def test_batched_gradients_take_one_pass():
    passes = []

    class Seen(wb.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            passes.append(g.shape)
            return g

    x = wb.ones(3, requires_grad=True)
    (found,) = wb.autograd.grad(Seen.apply(x), x, wb.eye(3), is_grads_batched=True)
    assert found.tolist() == wb.eye(3).tolist()
    assert passes == [(3,)]


def test_batched_gradients_are_needed():
    x = wb.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="grad_outputs"):
        wb.autograd.grad(x * 1, x, is_grads_batched=True)
