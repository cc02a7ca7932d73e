"""autograd.Function, held against torch: the same program in both."""

from __future__ import annotations

import gc
import weakref

import pytest

import workbench as wb


def values(t):
    return None if t is None else t.detach()


def scaled(L):
    class Scaled(L.autograd.Function):
        @staticmethod
        def forward(ctx, x, y, n):
            ctx.save_for_backward(x, y)
            ctx.n = n
            return x * y * n

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            needs.append(ctx.needs_input_grad)
            return g * y * ctx.n, g * x * ctx.n if ctx.needs_input_grad[1] else None, None

    needs = []
    x, y = L.tensor([1.0, 2.0], requires_grad=True), L.tensor([3.0, 4.0])
    z = Scaled.apply(x, y, 3)
    known = z.grad_fn.name(), z.grad_fn.n, z.is_leaf
    z.sum().backward()
    return x.grad, y.grad, needs, known


def integer_results(L):
    class Sorted(L.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            order = x.argsort()
            ctx.mark_non_differentiable(order)
            return x * 2, order, x.long()

        @staticmethod
        def backward(ctx, g, *others):
            seen.append([str(o.dtype).split(".")[1] for o in others])
            return g * 2

    seen = []
    x = L.tensor([3.0, 1.0], requires_grad=True)
    a, order, whole = Sorted.apply(x)
    a.sum().backward()
    return x.grad, order.requires_grad, whole.requires_grad, a.requires_grad, seen


def materialized(L):
    class Two(L.autograd.Function):
        @staticmethod
        def forward(ctx, x, keep):
            ctx.set_materialize_grads(keep)
            return x * 1, x * 2, "tag"

        @staticmethod
        def backward(ctx, a, b, tag):
            seen.append((values(a), values(b), tag))
            return 2 * b, None

    seen = []
    x = L.tensor([1.0, 2.0], requires_grad=True)
    for keep in (True, False):
        Two.apply(x, keep)[1].sum().backward()
    return x.grad, seen


def dirty(L):
    class AddOne(L.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.add_(1)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 5

    leaf = L.tensor([3.0, 1.0], requires_grad=True)
    x = leaf * 1
    y = AddOne.apply(x)
    y.sum().backward()
    return leaf.grad, y is x, x.requires_grad, x.detach()


def dirty_view(L):
    class Doubled(L.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    leaf = L.tensor([3.0, 1.0, 2.0], requires_grad=True)
    base = leaf * 1
    Doubled.apply(base[:2])
    (base * base).sum().backward()
    return leaf.grad, base.detach()


def dirty_leaf(L):
    class Same(L.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g

    return Same.apply(L.tensor([3.0], requires_grad=True))


def dirty_and_lost(L):
    class Copied(L.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            return g

    return Copied.apply(L.tensor([3.0], requires_grad=True) * 1)


def third_order(L):
    class Power(L.autograd.Function):
        @staticmethod
        def forward(x, n):
            return x**n

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.n = inputs
            ctx.save_for_backward(x, output)

        @staticmethod
        def backward(ctx, g):
            x, out = ctx.saved_tensors
            return g * ctx.n * out / x, None

    x = L.tensor([1.0, 2.0], dtype=L.float64, requires_grad=True)
    found = [Power.apply(x, 3)]
    for _ in range(3):
        found += L.autograd.grad(found[-1].sum(), x, create_graph=True)
    return [f.detach() for f in found]


def once(L):
    class Exp(L.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        @L.autograd.function.once_differentiable
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = L.tensor([1.0, 2.0], requires_grad=True)
    v = L.tensor([1.0, 1.0], requires_grad=True)
    (g,) = L.autograd.grad(Exp.apply(x), x, v, create_graph=True)
    g.sum().backward()


def identity(L):
    class Same(L.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 7

    x = L.tensor([1.0, 2.0], requires_grad=True)
    y = Same.apply(x)
    y.sum().backward()
    return x.grad, y is x, x.is_leaf


def one_result(backward, forward=lambda x: x * 2):
    def program(L):
        class Made(L.autograd.Function):
            pass

        Made.forward = staticmethod(lambda ctx, x: forward(x))
        Made.backward = staticmethod(lambda ctx, *g: backward(L, *g))
        x = L.tensor([[1.0], [2.0]], requires_grad=True)
        out = Made.apply(x)
        out.sum().backward()
        return None if x.grad is None else x.grad

    return program


def modes(L):
    class Seen(L.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append((L.is_grad_enabled(), x.requires_grad))
            return x * 2

        @staticmethod
        def backward(ctx, g):
            seen.append(L.is_grad_enabled())
            return g * 2

    seen = []
    x = L.tensor([1.0], requires_grad=True)
    Seen.apply(x).sum().backward()
    L.autograd.grad(Seen.apply(x).sum(), x, create_graph=True)
    with L.no_grad():
        seen.append(Seen.apply(x).requires_grad)
    return seen


def stale(L):
    class Square(L.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0]

    z = L.tensor([1.0], requires_grad=True) * 1
    y = Square.apply(z)
    z.add_(1)
    y.sum().backward()


def per_sample(L):
    class Square(L.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x * x

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0]

    f = L.func.grad(lambda x: Square.apply(x).sum())
    x = L.tensor([[1.0, 2.0], [3.0, 4.0]])
    return f(x), L.func.vmap(f)(x), L.func.vmap(L.func.jacrev(L.func.jacrev(Square.apply)))(x[0])


def own_vmap_rule(L):
    class Scaled(L.autograd.Function):
        @staticmethod
        def forward(x, n):
            return x * n

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.n = inputs[1]

        @staticmethod
        def backward(ctx, g):
            return g * ctx.n, None

        @staticmethod
        def vmap(info, in_dims, x, n):
            seen.append((info.batch_size, info.randomness, in_dims, list(x.shape)))
            return Scaled.apply(x, n), in_dims[0]

    seen = []
    out = L.func.vmap(lambda x: Scaled.apply(x, 3))(L.tensor([[1.0, 2.0]]))
    return out, seen


@pytest.mark.parametrize(
    "program",
    [scaled, integer_results, materialized, dirty, dirty_view, dirty_leaf, dirty_and_lost,
     third_order, once, identity, modes, stale, per_sample, own_vmap_rule],
)  # fmt: skip
def test_as_torch(program, both):
    both.same(program, label=program.__name__)


@pytest.mark.parametrize(
    ("backward", "forward"),
    [
        (lambda L, g: (g, None, None), None),
        (lambda L, g: (g, g), None),
        (lambda L, g: None, None),
        (lambda L, g: L.ones(3), None),
        (lambda L, g: L.ones(4, 2, 1), None),
        (lambda L, g: g.double(), None),
        (lambda L, g: 3.0, None),
        (lambda L, g: g.reshape(2, 1), lambda x: x.view(-1)),
        (lambda L, g: g, lambda x: x.sum(0)),
    ],
)
def test_what_backward_may_return(backward, forward, both):
    both.same(one_result(backward, forward or (lambda x: x * 2)))


def test_what_is_missing_is_named():
    class Empty(wb.autograd.Function):
        pass

    x = wb.ones(1, requires_grad=True)
    with pytest.raises(NotImplementedError, match="forward"):
        Empty.apply(x)
    Empty.forward = staticmethod(lambda ctx, x: x * 2)
    with pytest.raises(NotImplementedError, match="backward"):
        Empty.apply(x).backward()
    with pytest.raises(RuntimeError, match="apply"):
        Empty()
    with pytest.raises(TypeError, match="argument 1 is of type int"):
        wb.autograd.FunctionContext(()).save_for_backward(x, 3)


def test_a_saved_result_ties_no_knot():
    class Exp(wb.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[1]

    gc.disable()
    try:
        x = wb.ones(3, requires_grad=True)
        y = Exp.apply(x)
        alive = weakref.ref(y)
        del y
        assert alive() is None
        y = Exp.apply(x)
        alive = weakref.ref(y.grad_fn)
        y.sum().backward()
        del y
        assert alive() is None
    finally:
        gc.enable()
