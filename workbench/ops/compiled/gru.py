"""The GRU's steps, compiled: see `recurrent.py`.

Gates lie as rows (T · B, 4H): reset, update, new (what the inputs give of them, then, written over
it, the gates themselves) and what the reset multiplies. Their gradients lie in the order reset ·
new, reset, update, new: the first three belong to the states' weights, the last three to the
inputs'.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays.compiler.functions import sigmoid, tanh
from workbench.arrays.compiler.kernel import kernel

from .gemm import product
from .recurrent import BACKWARD, FORWARD, WIDE, GateGradients, Step, order, rows, states_from
from .recurrent import backward as go_back
from .recurrent import forward as go

_GATES = 3


@kernel(FORWARD + "ptr gates, ptr out, ptr bias")
def _forward(fn, panels, before, padded, batch, size, many, after, gates, out, bias,
             begin, end, worker, *, tile, whole):  # fmt: skip
    """States `before` to `after`; `bias` is added inside the bracket that the reset multiplies."""
    step = Step(fn, panels, before, size, size, padded, batch, size, many, gates=_GATES, wide=1,
                tile=tile, whole=whole)  # fmt: skip
    for line, unit, each in step.units(begin, end):
        inside = line.load(bias, unit)
        for row, sums in each():
            here = fn.at(gates, row * (size * 4) + unit)
            r, z = (sigmoid(fn, sums[k] + line.load(here, size * k)) for k in range(2))
            inner = sums[2] + inside
            n = tanh(fn, line.load(here, size * 2) + r * inner)
            place = row * size + unit
            h = n + z * (line.load(before, place) - n)
            for k, value in enumerate((r, z, n, inner)):
                line.store(value, here, size * k)
            line.store(h, after, place)
            line.store(h, out, place)


def forward(
    x: np.ndarray,
    h: np.ndarray,
    w_in: np.ndarray,
    w_rec: np.ndarray,
    b_in: np.ndarray | None,
    b_rec: np.ndarray | None,
    reverse: bool,
) -> tuple[np.ndarray, ...]:
    """(output (T, B, H), last state, gates, states) of a layer."""
    steps, batch, size = *x.shape[:2], h.shape[1]
    bias, inside = b_in, np.zeros(size, np.float32)
    if b_rec is not None:
        bias = np.zeros_like(b_rec) if b_in is None else b_in.copy()
        bias[: 2 * size] += b_rec[: 2 * size]
        inside[...] = b_rec[2 * size :]
    gates = np.empty((steps, batch, 4 * size), np.float32)
    product(rows(x), w_in.T, gates.reshape(-1, 4 * size)[:, : 3 * size], bias=bias)
    states = states_from(h, steps, reverse)
    out = np.empty((steps, batch, size), np.float32)
    first, last, way, old = order(steps, reverse)
    go(_forward, w_rec, _GATES, 1, states, reverse, (gates, first), (out, first), inside)
    end = states[last + old + way].copy()
    return out, end, gates.reshape(-1, 4 * size), states.reshape(-1, size)


@kernel(BACKWARD + "ptr gates, ptr before, ptr carry, ptr of_bias")
def _backward(fn, panels, behind, stride, depth, padded, batch, size, many, incoming, apart,
              grads, gates, before, carry, of_bias, begin, end, worker, *,
              tile, whole):  # fmt: skip
    """`carry` is the part of the states' gradients that passes by the gates."""
    step = Step(fn, panels, behind, stride, depth, padded, batch, size, many, gates=1, wide=WIDE,
                tile=tile, whole=whole)  # fmt: skip
    for line, unit, each in step.units(begin, end):
        gradients = GateGradients(line, 4, size)
        for row, (dh,) in each():
            here = fn.at(gates, row * (size * 4) + unit)
            r, z, n, inner = (line.load(here, size * k) for k in range(4))
            place = row * size + unit
            dh = dh + line.load(incoming, row * apart + unit) + line.load(carry, place)
            line.store(dh * z, carry, place)
            dn = dh * (1 - z) * (1 - n * n)
            found = (
                dn * r,
                dn * inner * (r * (1 - r)),
                dh * (line.load(before, place) - n) * (z * (1 - z)),
                dn,
            )
            gradients.store(found, fn.at(grads, row * stride + unit))
        gradients.add_to(of_bias, unit)


def backward(
    of_out: np.ndarray,
    of_state: np.ndarray,
    x: np.ndarray,
    w_in: np.ndarray,
    w_rec: np.ndarray,
    gates: np.ndarray,
    states: np.ndarray,
    reverse: bool,
    wanted: tuple[bool, ...],
) -> list[Any]:
    """Gradients of the input, h0, both weights and both biases; None where not wanted."""
    steps, batch, _ = x.shape
    size = states.shape[1]
    carry, of_bias = np.zeros((batch, size), np.float32), np.zeros(4 * size, np.float32)
    first, _, _, old = order(steps, reverse)
    gates, states = (v.reshape(-1, batch, v.shape[1]) for v in (gates, states))

    def others(step: int) -> tuple[Any, ...]:
        return (gates, step), (states, step + old), carry, of_bias

    grads = go_back(
        _backward, w_rec, 2 * size, of_out, of_state, 4 * size, reverse, others
    )  # fmt: skip
    of_in = grads[:, size:]
    found: list[Any] = [None, None, None, None, of_bias[size:], None]
    if wanted[0]:
        found[0] = product(of_in, w_in).reshape(x.shape)
    if wanted[1]:
        here = grads[first * batch : (first + 1) * batch]
        product(here[:, size : 3 * size], w_rec[: 2 * size], carry, add=True)
        product(here[:, :size], w_rec[2 * size :], carry, add=True)
        found[1] = carry
    if wanted[2]:
        found[2] = product(of_in.T, rows(x))
    if wanted[3]:
        before = rows(states[old : old + steps])
        found[3] = np.empty(w_rec.shape, np.float32)
        product(grads[:, size : 3 * size].T, before, found[3][: 2 * size])
        product(grads[:, :size].T, before, found[3][2 * size :])
    if wanted[5]:
        found[5] = np.concatenate([of_bias[size : 3 * size], of_bias[:size]])
    return found
