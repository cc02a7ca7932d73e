"""wb.func and autograd.functional, held against torch: the same program in both."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import workbench as wb
from workbench import nn

RNG = np.random.default_rng(0)
A, X, V = RNG.normal(size=(4, 3)), RNG.normal(size=(5, 3)), RNG.normal(size=3)
IMAGES = RNG.normal(size=(3, 2, 6, 6))
LABELS = np.array([0, 2, 1])


def loss(L):
    return lambda W, x: (L.tanh(W @ x) ** 2).sum()


def layer(L):
    return lambda W, x: L.sin(W @ x)


def t(L, value, **kwargs):
    return L.tensor(value, **kwargs)


def tree(L):
    def f(p):
        return {"a": (p["w"] * p["b"][0]).sum(0), "b": (p["w"].exp(), p["b"][1] * 2)}

    p = {"w": t(L, A), "b": (t(L, V), t(L, 2.0, dtype=L.float64))}
    out, pull = L.func.vjp(f, p)
    (g,) = pull({"a": out["a"] * 2, "b": (out["b"][0], out["b"][1])})
    jac = L.func.jacrev(lambda p: p["w"] @ p["b"][0])(p)
    return out["a"], out["b"][0], g["w"], g["b"][0], g["b"][1], jac["w"], jac["b"][0], jac["b"][1]


def aux(L):
    def f(x):
        return (x**2).sum(), {"y": x * 2}

    g, a = L.func.grad(f, has_aux=True)(t(L, V))
    g2, (value, a2) = L.func.grad_and_value(f, has_aux=True)(t(L, V))
    out, pull, a3 = L.func.vjp(f, t(L, V), has_aux=True)
    j, a4 = L.func.jacrev(lambda x: (x**2, x * 3), has_aux=True)(t(L, V))
    o, p, a5 = L.func.jvp(f, (t(L, V),), (t(L, V),), has_aux=True)
    return g, a["y"], g2, value, a2["y"], out, pull(out)[0], a3["y"], j, a4, o, p, a5["y"]


def cnn(L):
    """Gradients of single samples through convolution, pooling, normalisation and a loss."""
    F = L.nn.functional

    def f(p, image, label):
        h = F.conv2d(image[None], p[0], p[1], padding=1)
        h = F.group_norm(h.relu(), 2, p[2], p[3])
        h = F.max_pool2d(h, 2).flatten(1)
        h = F.layer_norm(F.linear(h, p[4]), (3,))
        return F.cross_entropy(h, label[None])

    rng = np.random.default_rng(1)
    shapes = [(4, 2, 3, 3), (4,), (4,), (4,), (3, 36)]
    p = tuple(t(L, rng.normal(size=s)) for s in shapes)
    return L.func.vmap(L.func.grad(f), (None, 0, 0))(p, t(L, IMAGES), t(L, LABELS))


def two_learners(L):
    """The same through an outer gradient: each sample takes a step, then the sum is derived."""

    def inner(w, x, y):
        return ((w @ x - y) ** 2).sum()

    def outer(w):
        step = lambda x, y: w - 0.1 * L.func.grad(inner)(w, x, y)  # noqa: E731
        w2 = L.func.vmap(step)(t(L, X), t(L, X[:, :1] * A[:, 0]))
        return (w2**3).sum()

    return L.func.grad(outer)(t(L, A)), L.func.hessian(lambda w: outer(w.reshape(4, 3)))(
        t(L, A.ravel())
    )


def shared_parameters(L):
    """Parameters that are captured, not passed: their gradient sums over the samples."""
    w = t(L, A, requires_grad=True)
    x = t(L, X, requires_grad=True)
    out = L.func.vmap(lambda v: (w @ v).tanh())(x)
    (out.sum() + (w**2).sum()).backward()
    kept = L.func.vmap(lambda v: ((w * 2).sum(), (w @ v).sum()), out_dims=(None, 0))(x)
    g = L.autograd.grad(kept[0] + kept[1].sum(), [w, x])
    return w.grad, x.grad, *g


def dims(L):
    x, y = t(L, X), t(L, A)
    v = L.func.vmap
    return (
        v(lambda a: a * 2, in_dims=1, out_dims=1)(x),
        v(lambda a, b: L.outer(a, b), in_dims=(0, None), out_dims=-1)(x, y[0]),
        v(lambda d: d["x"] * d["n"], in_dims=({"x": 0, "n": None},))({"x": x, "n": 3}),
        v(lambda a, b: {"s": a + b, "p": (a * b,)}, in_dims=(0, -1), out_dims=0)(x, x.T)["p"][0],
        v(lambda a, *, k: k @ a)(x, k=x),
        v(v(lambda a, b: a * b, (None, 0)), (0, None))(y, y),
        v(v(v(lambda a: a.sum())))(t(L, IMAGES)),
        v(lambda a: a.cumsum(0)[1:] - a.mean(), chunk_size=2)(x),
        v(lambda a, i: a[i], in_dims=(0, 0))(x, t(L, [0, 2, 1, 1, 0])),
        v(lambda i: x[i], in_dims=0)(t(L, [0, 2, 1])),
        v(lambda a: L.where(a > 0, a, -a).max())(x),
        v(lambda a: L.stack([a, a * 2]).sum(0), in_dims=1)(x),
        v(lambda a: a.shape[0] * a.ndim * a.new_zeros(2))(x),
        v(lambda a: L.linalg.norm(a))(x),
        v(lambda a: L.einsum("i,j->ij", a, a))(x),
    )


def written(L):
    def f(a):
        b = a.clone()
        b[0] = 5
        b[1:].mul_(a[0])
        b += a
        return b

    return L.func.vmap(f)(t(L, X)), L.func.vmap(L.func.grad(lambda a: (f(a) ** 2).sum()))(t(L, X))


PROGRAMS = {
    "grad": lambda L: L.func.grad(loss(L), (0, 1))(t(L, A), t(L, V)),
    "per sample": lambda L: L.func.vmap(L.func.grad(loss(L)), (None, 0))(t(L, A), t(L, X)),
    "hessian": lambda L: L.func.hessian(loss(L), (0, 1))(t(L, A), t(L, V)),
    "jacrev": lambda L: L.func.jacrev(layer(L), (0, 1))(t(L, A), t(L, V)),
    "jacfwd": lambda L: L.func.jacfwd(layer(L), (0, 1))(t(L, A), t(L, V)),
    "jacrev in chunks": lambda L: L.func.jacrev(layer(L), chunk_size=3)(t(L, A), t(L, V)),
    "jacfwd of jacrev": lambda L: L.func.jacfwd(L.func.jacrev(layer(L), 1), 1)(t(L, A), t(L, V)),
    "jacfwd of jacfwd": lambda L: L.func.jacfwd(L.func.jacfwd(layer(L), 1), 1)(t(L, A), t(L, V)),
    "jacrev of jacfwd": lambda L: L.func.jacrev(L.func.jacfwd(layer(L), 1), 1)(t(L, A), t(L, V)),
    "hessians of samples": lambda L: L.func.vmap(L.func.hessian(loss(L), 1), (None, 0))(
        t(L, A), t(L, X)
    ),
    "jvp": lambda L: L.func.jvp(layer(L), (t(L, A), t(L, V)), (t(L, A * 2), t(L, V + 1))),
    "jvps of samples": lambda L: L.func.vmap(
        lambda v: L.func.jvp(lambda x: L.tanh(t(L, A) @ x), (t(L, V),), (v,))[1]
    )(t(L, X)),
    "linearize": lambda L: L.func.linearize(layer(L), t(L, A), t(L, V))[1](t(L, A), t(L, V)),
    "gradient of a gradient": lambda L: L.func.grad(
        lambda x: (L.func.grad(loss(L), 1)(t(L, A), x) ** 2).sum()
    )(t(L, V)),
    "no confusion of levels": lambda L: L.func.grad(
        lambda x: x * L.func.grad(lambda y: x * y)(t(L, 1.0))
    )(t(L, 3.0)),
    "constant": lambda L: L.func.grad(lambda x: t(L, 3.0))(t(L, V)),
    "no_grad inside": lambda L: L.func.grad(lambda x: (x * x.detach()).sum())(t(L, V)),
    "complex": lambda L: L.func.jacrev(lambda x: (x * (1 + 2j)).abs())(t(L, V)),
    "tree": tree,
    "aux": aux,
    "cnn": cnn,
    "two learners": two_learners,
    "shared parameters": shared_parameters,
    "dims": dims,
    "written": written,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_torch(name, both):
    both.same(PROGRAMS[name], rtol=1e-9, label=name)


REFUSED = {
    "not a scalar": lambda L: L.func.grad(lambda x: x)(t(L, V)),
    "not a tensor": lambda L: L.func.grad(lambda x: 3)(t(L, V)),
    "by integers": lambda L: L.func.grad(lambda x: x.sum())(t(L, [1, 2])),
    "argnums": lambda L: L.func.grad(lambda x: x.sum(), 3)(t(L, V)),
    "jvp of lists": lambda L: L.func.jvp(lambda x: x, [t(L, V)], [t(L, V)]),
    "jvp of other shapes": lambda L: L.func.jvp(lambda x: x, (t(L, V),), (t(L, A),)),
    "item": lambda L: L.func.vmap(lambda x: x * x.sum().item())(t(L, X)),
    "if": lambda L: L.func.vmap(lambda x: x if x.sum() > 0 else -x)(t(L, X)),
    "sizes": lambda L: L.func.vmap(lambda x, y: x)(t(L, X), t(L, A)),
    "no inputs": lambda L: L.func.vmap(lambda: 1)(),
    "nothing mapped": lambda L: L.func.vmap(lambda x: x, in_dims=None)(t(L, X)),
    "in_dims": lambda L: L.func.vmap(lambda x: x, in_dims=2)(t(L, X)),
    "in_dims structure": lambda L: L.func.vmap(lambda x: x, in_dims=(0, 0))(t(L, X)),
    "out_dims": lambda L: L.func.vmap(lambda x: x, out_dims=5)(t(L, X)),
    "out_dims None": lambda L: L.func.vmap(lambda x: x, out_dims=None)(t(L, X)),
    "returns a number": lambda L: L.func.vmap(lambda x: 3)(t(L, X)),
    "randomness": lambda L: L.func.vmap(lambda x: x, randomness="some")(t(L, X)),
    "random": lambda L: L.func.vmap(lambda x: L.rand(2))(t(L, X)),
    "dropout": lambda L: L.func.vmap(lambda x: L.nn.functional.dropout(x))(t(L, X)),
    "nonzero": lambda L: L.func.vmap(lambda x: x.nonzero())(t(L, X)),
    "masked": lambda L: L.func.vmap(lambda x: x[x > 0])(t(L, X)),
    "shared target": lambda L: L.func.vmap(lambda x: t(L, V).add_(x))(t(L, X)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_in_torch(name, both):
    both.same(REFUSED[name], label=name)


def test_randomness():
    x = wb.zeros(50, 4)

    def noise(row):
        return row + wb.randn(4)

    same = wb.vmap(noise, randomness="same")(x)
    assert (same == same[0]).all()
    different = wb.vmap(noise, randomness="different")(x)
    assert len({tuple(row.tolist()) for row in different}) == 50
    dropped = wb.vmap(lambda r: nn.functional.dropout(r, 0.5), randomness="different")(x + 1)
    assert set(dropped.flatten().tolist()) == {0.0, 2.0}
    assert not (dropped == dropped[0]).all()
    dropped = wb.vmap(lambda r: nn.functional.dropout(r, 0.5), randomness="same")(x + 1)
    assert (dropped == dropped[0]).all()
    nested = wb.vmap(wb.vmap(noise, randomness="different"), randomness="different")(
        wb.zeros(3, 2, 4)
    )
    assert len(set(nested.flatten().tolist())) == 24


def test_modules_as_functions():
    wb.manual_seed(0)
    models = [nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)) for _ in range(5)]
    x = wb.randn(7, 3)
    params, buffers = wb.func.stack_module_state(models)
    assert all(p.requires_grad and p.is_leaf for p in params.values())
    base = models[0]
    before = list(base.parameters())

    def call(p, b, x):
        return wb.func.functional_call(base, (p, b), (x,))

    out = wb.vmap(call, (0, 0, None))(params, buffers, x)
    expected = np.stack([m(x).detach().numpy() for m in models])
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    assert all(a is b for a, b in zip(before, base.parameters(), strict=True))
    out.sum().backward()
    assert params["0.weight"].grad.shape == (5, 4, 3)

    one = dict(base.named_parameters())
    grads = wb.vmap(wb.func.grad(lambda p, r: (call(p, {}, r) ** 2).sum()), (None, 0))(one, x)
    for i in range(7):
        base.zero_grad()
        (base(x[i]) ** 2).sum().backward()
        for name, p in base.named_parameters():
            np.testing.assert_allclose(
                grads[name][i].detach().numpy(), p.grad.numpy(), rtol=1e-4, atol=1e-6
            )


def test_functional_call_as_torch(both):
    def program(L):
        m = L.nn.Linear(2, 2, bias=False)
        tied = L.nn.Sequential(m, m)
        w = {"0.weight": L.ones(2, 2)}
        x = L.ones(1, 2)
        return (
            L.func.functional_call(tied, w, (x,)),
            L.func.functional_call(tied, {**w, "1.weight": w["0.weight"]}, x),
        )

    both.same(program)
    both.same(lambda L: L.func.functional_call(L.nn.Linear(1, 1), {"x": L.ones(1)}, L.ones(1, 1),
                                               strict=True))  # fmt: skip
    both.same(lambda L: L.func.functional_call(L.nn.Linear(1, 1), ({"a": 1}, {"a": 1}), 1))


def scalar(L):
    return lambda x, y: ((x**3).sum() * y).sum()


FUNCTIONAL = {
    "vjp": lambda L, F, x, y: F.vjp(lambda x, y: (x.exp(), x * y), (x, y), (x, x)),
    "vjp of one": lambda L, F, x, y: F.vjp(lambda x: x.sum(), x),
    "jvp": lambda L, F, x, y: F.jvp(lambda x, y: (x.exp(), x * y), (x, y), (x, y)),
    "jacobian": lambda L, F, x, y: F.jacobian(lambda x, y: (x.exp(), x.sum() * y), (x, y)),
    "jacobian of one": lambda L, F, x, y: F.jacobian(lambda x: x.exp(), x),
    "vectorized": lambda L, F, x, y: F.jacobian(lambda x, y: x * y, (x, y), vectorize=True),
    "forward mode": lambda L, F, x, y: F.jacobian(
        lambda x: x.exp(), x, vectorize=True, strategy="forward-mode"
    ),
    "recorded": lambda L, F, x, y: L.autograd.grad(
        F.jacobian(lambda x: x.exp() * y, x, create_graph=True).sum(), [x, y]
    ),
    "hessian": lambda L, F, x, y: F.hessian(scalar(L), (x, y)),
    "hessian of one": lambda L, F, x, y: F.hessian(lambda x: (x**3).sum(), x, vectorize=True),
    "hvp": lambda L, F, x, y: F.hvp(scalar(L), (x, y), (x, y)),
    "vhp": lambda L, F, x, y: F.vhp(scalar(L), (x, y), (x, y)),
    "unused": lambda L, F, x, y: F.jacobian(lambda x, y: x * 2, (x, y)),
    "constant": lambda L, F, x, y: F.jacobian(lambda x: L.ones(2), x),
    "strict": lambda L, F, x, y: F.jacobian(lambda x, y: x * 2, (x, y), strict=True),
    "strict constant": lambda L, F, x, y: F.vjp(lambda x: L.ones(()), x, strict=True),
    "no v": lambda L, F, x, y: F.vjp(lambda x: x, x),
    "shape of v": lambda L, F, x, y: F.vjp(lambda x: x, x, y),
    "number of v": lambda L, F, x, y: F.vjp(lambda x: x, x, (x, x)),
    "wrong input": lambda L, F, x, y: F.vjp(lambda x: x, 3),
    "wrong output": lambda L, F, x, y: F.vjp(lambda x: 3, x),
    "not a scalar": lambda L, F, x, y: F.hessian(lambda x: x, x),
    "strategy": lambda L, F, x, y: F.jacobian(lambda x: x, x, strategy="forward-mode"),
}


@pytest.mark.parametrize("name", FUNCTIONAL)
def test_functional_as_torch(name, both):
    def program(L):
        x = t(L, V, requires_grad=True)
        y = t(L, [2.0], dtype=L.float64, requires_grad=True)
        return FUNCTIONAL[name](L, L.autograd.functional, x, y)

    both.same(program, rtol=1e-9, label=name)


def test_dual_tensors_as_torch(both):
    def program(L):
        ad = L.autograd.forward_ad
        with ad.dual_level():
            x = ad.make_dual(t(L, V), t(L, X[0]))
            y = L.sin(x) @ t(L, A).T + (x * x.detach()).sum()
            value, tangent = ad.unpack_dual(y)
            nothing = ad.unpack_dual(t(L, V)).tangent
            again = ad.unpack_dual(x)
        return value, tangent, nothing, again.tangent, ad.unpack_dual(x * 2).tangent

    both.same(program, rtol=1e-9)
    both.same(lambda L: L.autograd.forward_ad.make_dual(t(L, V), t(L, V)))


# -- what transforms leave behind --------------------------------------------------------------


def test_results_carry_history_only_where_the_outside_has_a_part():
    x = wb.ones(3)
    g, value = wb.func.grad_and_value(lambda x: (x**2).sum())(x)
    assert not g.requires_grad
    assert not value.requires_grad
    w = wb.ones(3, requires_grad=True)
    g, value = wb.func.grad_and_value(lambda x: (x**2 * w).sum())(x)
    assert g.requires_grad
    assert value.requires_grad
    g.sum().backward()
    assert w.grad.tolist() == [2.0] * 3
    with wb.no_grad():
        assert not wb.func.grad(lambda x: (x * w).sum())(x).requires_grad
    assert w.grad.tolist() == [2.0] * 3  # no transform writes to .grad


def test_no_cycles_are_left():
    def program():
        w = wb.ones(3, requires_grad=True)
        x = wb.ones(4, 3)
        wb.vmap(wb.func.grad(lambda x: (x * w).exp().sum()))(x).sum().backward()
        wb.func.hessian(lambda x: (x**3).sum())(w.detach())
        wb.func.jvp(lambda x: x.exp(), (x,), (x,))
        return weakref.ref(w), weakref.ref(x.array)

    program()
    gc.collect()
    gc.disable()
    try:
        refs = program()
        assert [r() for r in refs] == [None, None]
    finally:
        gc.enable()


def test_a_chain_of_100_000_ops_twice_differentiated():
    x = wb.tensor(0.5, dtype=wb.float64, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.000001 + x * 1e-9
    (g,) = wb.autograd.grad(y * y, x, create_graph=True)
    (h,) = wb.autograd.grad(g, x)
    slope = y.item() / 0.5  # y is linear in x
    assert g.item() == pytest.approx(2 * y.item() * slope)
    assert h.item() == pytest.approx(2 * slope**2)


def test_the_ordinary_path_is_as_before_after_a_vmap():
    before = wb.mul.__globals__["Node"], wb.mul.__globals__["tick"]
    wb.vmap(wb.func.grad(lambda x: x.sum()))(wb.ones(2, 3))
    assert (wb.mul.__globals__["Node"], wb.mul.__globals__["tick"]) == before
    x = wb.ones(2, requires_grad=True)
    (x * x).sum().backward()
    assert type(x.grad.array) is np.ndarray


def test_recorded_gradients_of_a_loss_keep_its_dtype():
    x = wb.randn(4, 3, requires_grad=True)
    value = nn.functional.cross_entropy(x, wb.tensor([0, 1, 2, 0]))
    (g,) = wb.autograd.grad(value, x, create_graph=True)
    assert g.dtype is wb.float32
