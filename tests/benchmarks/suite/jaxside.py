"""The JAX side: the whole step in one jit, its state given away so that buffers are reused."""

from __future__ import annotations

from typing import Any

import numpy as np

from suite.rows import Row
from suite.shared import weights
from suite.torchlike import Job


def missing() -> str | None:
    """Why the side cannot be had here, or None."""
    try:
        import jax  # noqa: F401
    except ImportError as error:
        return f"not installed ({error})"
    return None


def job(row: Row) -> Job:
    """The work of `row`."""
    import jax

    return {"chain": _chain, "infer": _infer, "train": _train}[row.mode](row, jax)


def _chain(row: Row, jax: Any) -> Job:
    settings, module = row.full(), row.module
    start, other = (jax.numpy.asarray(array) for array in module.operands(settings))
    forward = jax.jit(jax.value_and_grad(lambda a, b: module.chain(jax.numpy, settings, a, b)))
    last: list[Any] = [None]

    def step(i: int) -> float:
        loss, last[0] = forward(start, other)
        last[0].block_until_ready()
        return float(loss)

    return Job(step, lambda: float(np.abs(np.asarray(last[0])).mean()))


def _first(row: Row, jax: Any) -> dict[str, Any]:
    values = weights(row.module.shapes(row.full()))
    return {name: jax.numpy.asarray(value) for name, value in values.items()}


def _logits(out: Any) -> tuple[Any, Any]:
    return out if isinstance(out, tuple) else (out, {})


def _infer(row: Row, jax: Any) -> Job:
    settings, module = row.full(), row.module
    p = _first(row, jax)
    inputs = [jax.numpy.asarray(x) for x, _ in module.batches(settings)]
    call = jax.jit(lambda p, x: _logits(module.jax_network(jax, p, x, settings))[0])
    return Job(lambda i: float(call(p, inputs[i % len(inputs)])[0, 0]))


def _train(row: Row, jax: Any) -> Job:
    jnp = jax.numpy
    settings, module = row.full(), row.module
    name, options = module.OPTIMIZER
    update = {"SGD": _sgd, "Adam": _adam, "AdamW": _adam}[name]
    options = {"weight_decay": 1e-2 if name == "AdamW" else 0.0, **options}
    pairs = [(jnp.asarray(x), jnp.asarray(y)) for x, y in module.batches(settings)]

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        logits, running = _logits(module.jax_network(jax, p, x, settings))
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1)
        return -picked.mean(), running

    def whole(p: Any, state: Any, kept: Any, x: Any, y: Any) -> Any:
        (loss, running), g = jax.value_and_grad(loss_of, has_aux=True)(p, x, y)
        p, state = update(jax, p, g, state, options)
        kept = {n: jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, kept[n], running[n]) for n in kept}
        return p, state, kept, loss

    p = _first(row, jax)
    zeros = jax.tree.map(jnp.zeros_like, p)
    state = (zeros,) if name == "SGD" else (zeros, jax.tree.map(jnp.zeros_like, p), jnp.zeros(()))
    running = jax.eval_shape(loss_of, p, *pairs[0])[1]
    kept = jax.tree.map(lambda like: jnp.zeros(like.shape, like.dtype), running)
    held = [p, state, kept]
    stepped = jax.jit(whole, donate_argnums=(0, 1, 2))

    def step(i: int) -> float:
        *held[:], loss = stepped(*held, *pairs[i % len(pairs)])
        return float(loss)

    return Job(step)


def _sgd(jax: Any, p: Any, g: Any, state: Any, options: Any) -> Any:
    buffers = jax.tree.map(lambda b, d: options["momentum"] * b + d, state[0], g)
    return jax.tree.map(lambda a, b: a - options["lr"] * b, p, buffers), (buffers,)


def _adam(jax: Any, p: Any, g: Any, state: Any, options: Any) -> Any:
    """Adam and AdamW by the papers' formulas, with torch's defaults."""
    first, second, count = state
    count = count + 1
    first = jax.tree.map(lambda m, d: 0.9 * m + 0.1 * d, first, g)
    second = jax.tree.map(lambda v, d: 0.999 * v + 0.001 * d * d, second, g)
    size = options["lr"] / (1 - 0.9**count)
    root = jax.numpy.sqrt(1 - 0.999**count)
    keep = 1 - options["lr"] * options["weight_decay"]

    def moved(a: Any, m: Any, v: Any) -> Any:
        return a * keep - size * m / (jax.numpy.sqrt(v) / root + 1e-8)

    return jax.tree.map(moved, p, first, second), (first, second, count)
