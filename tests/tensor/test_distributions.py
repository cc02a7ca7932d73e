"""Distributions: densities, entropies and divergences as torch's; draws by their moments."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb

torch = pytest.importorskip("torch")


def t(lib, values):
    return lib.tensor(values, dtype=lib.float64)


def of(lib):
    return lib.distributions


MAKE = {
    "Normal": lambda lib, k: of(lib).Normal(t(lib, [0.5 + k, -1.0]), t(lib, [[1.0], [2.0 + k]])),
    "Uniform": lambda lib, k: of(lib).Uniform(
        t(lib, [-1.0 - k, 0.0 - k]), t(lib, [2.0 + k, 0.5 + k])
    ),
    "Bernoulli": lambda lib, k: of(lib).Bernoulli(t(lib, [0.2, 0.5 + k / 10, 0.9])),
    "Bernoulli logits": lambda lib, k: of(lib).Bernoulli(logits=t(lib, [0.2, -1.5 + k])),
    "Categorical": lambda lib, k: of(lib).Categorical(
        t(lib, [[1.0, 2.0, 3.0], [0.1, 0.1 + k, 0.0]])
    ),
    "Categorical logits": lambda lib, k: of(lib).Categorical(logits=t(lib, [1.0, 2.0 - k, -3.0])),
}
VALUES = {
    "Normal": [[0.3, 2.0], [1.0, -1.0]], "Uniform": [0.3, 0.2], "Bernoulli": [0.0, 1.0, 1.0],
    "Bernoulli logits": [1.0, 0.0], "Categorical": [2.0, 0.0], "Categorical logits": 1.0,
}  # fmt: skip


def same(a, b):
    assert tuple(a.shape) == tuple(b.shape)
    np.testing.assert_allclose(
        a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-12, equal_nan=True
    )


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("what", ["mean", "variance", "stddev", "mode", "probs", "logits"])
def test_properties(name, what):
    ours, theirs = MAKE[name](wb, 0), MAKE[name](torch, 0)
    if not hasattr(theirs, what):
        assert not hasattr(ours, what)
        return
    same(getattr(ours, what), getattr(theirs, what))
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape)
    assert tuple(ours.event_shape) == tuple(theirs.event_shape)
    assert repr(ours).partition("(")[0] == repr(theirs).partition("(")[0]


@pytest.mark.parametrize("name", MAKE)
def test_log_prob_entropy_and_perplexity(name):
    ours, theirs = MAKE[name](wb, 0), MAKE[name](torch, 0)
    same(ours.log_prob(t(wb, VALUES[name])), theirs.log_prob(t(torch, VALUES[name])))
    same(ours.entropy(), theirs.entropy())
    same(ours.perplexity(), theirs.perplexity())


@pytest.mark.parametrize("name", ["Normal", "Uniform"])
def test_cdf_and_its_inverse(name):
    ours, theirs = MAKE[name](wb, 0), MAKE[name](torch, 0)
    same(ours.cdf(t(wb, VALUES[name])), theirs.cdf(t(torch, VALUES[name])))
    same(ours.icdf(t(wb, 0.3)), theirs.icdf(t(torch, 0.3)))


@pytest.mark.parametrize(
    ("p", "q"),
    [(n, n) for n in MAKE] + [("Uniform", "Normal"), ("Bernoulli", "Bernoulli")],
)
def test_divergences(p, q):
    def program(lib):
        other = MAKE[q](lib, 0.5)
        return lib.distributions.kl_divergence(MAKE[p](lib, 0), other)

    same(program(wb), program(torch))


def test_a_divergence_nobody_knows():
    with pytest.raises(NotImplementedError, match="Normal"):
        wb.distributions.kl_divergence(MAKE["Normal"](wb, 0), MAKE["Bernoulli"](wb, 0))


@pytest.mark.parametrize("name", MAKE)
def test_draws_have_the_moments(name):
    wb.manual_seed(0)
    d = MAKE[name](wb, 0)
    x = d.sample((20_000,))
    assert tuple(x.shape) == (20_000, *d.batch_shape)
    assert not x.requires_grad
    if name.startswith("Categorical"):
        probs = d.probs.reshape(-1, 3).numpy()
        for column, p in zip(x.reshape(20_000, -1).t(), probs, strict=True):
            found = wb.bincount(column, minlength=3).numpy() / 20_000
            np.testing.assert_allclose(found, p, atol=0.02)
        return
    np.testing.assert_allclose(x.double().mean(0).numpy(), d.mean.numpy(), atol=0.06)
    np.testing.assert_allclose(x.double().var(0).numpy(), d.variance.numpy(), rtol=0.06)


def test_gradients_flow_through_rsample_and_log_prob():
    loc, scale = (wb.tensor(v, requires_grad=True) for v in (0.5, 2.0))
    d = wb.distributions.Normal(loc, scale)
    wb.manual_seed(0)
    x = d.rsample((3,))
    x.sum().backward()
    assert loc.grad.item() == 3
    np.testing.assert_allclose(scale.grad.item(), float(((x - 0.5) / 2).sum().detach()), rtol=1e-5)
    logits = wb.zeros(3, requires_grad=True)
    chosen = wb.distributions.Categorical(logits=logits)
    chosen.log_prob(wb.tensor(1)).backward()
    np.testing.assert_allclose(logits.grad.numpy(), [-1 / 3, 2 / 3, -1 / 3], rtol=1e-5)
    with pytest.raises(NotImplementedError):
        chosen.rsample()


BAD = {
    "scale": lambda lib: lib.distributions.Normal(0.0, -1.0),
    "interval": lambda lib: lib.distributions.Uniform(1.0, 0.0),
    "probability": lambda lib: lib.distributions.Bernoulli(1.5),
    "both": lambda lib: lib.distributions.Bernoulli(0.5, 0.5),
    "neither": lambda lib: lib.distributions.Categorical(),
    "negative": lambda lib: lib.distributions.Categorical(lib.tensor([-1.0, 2.0])),
    "0-d": lambda lib: lib.distributions.Categorical(lib.tensor(1.0)),
    "no class": lambda lib: lib.distributions.Categorical(lib.ones(3)).log_prob(lib.tensor(5)),
    "half": lambda lib: lib.distributions.Bernoulli(0.5).log_prob(lib.tensor(0.5)),
    "outside": lambda lib: lib.distributions.Uniform(0.0, 1.0).log_prob(lib.tensor(5.0)),
    "shape": lambda lib: lib.distributions.Normal(lib.zeros(3), 1.0).log_prob(lib.zeros(2)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_arguments_are_checked(name):
    # torch's compiler, once loaded by another test, switches torch's checks off
    torch.distributions.Distribution.set_default_validate_args(True)
    for lib in (torch, wb):
        with pytest.raises(ValueError):  # noqa: PT011 - torch's own words differ from case to case
            BAD[name](lib)
