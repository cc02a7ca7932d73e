"""The LSTM's steps, compiled: see `recurrent.py`.

Gates lie as rows (T · B, 4H) in torch's order i, f, g, o: what the inputs give, then, written over
it, the gates themselves. The bent cells are computed again on the way back, which takes no longer
than to read them.
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

_GATES = 4


@kernel(FORWARD + "ptr cell, ptr fresh, ptr gates, ptr out")
def _forward(fn, panels, before, padded, batch, size, many, after, cell, fresh, gates, out,
             begin, end, worker, *, tile, whole):  # fmt: skip
    """States `before` and `cell` to `after` and `fresh`."""
    step = Step(fn, panels, before, size, size, padded, batch, size, many, gates=_GATES, wide=1,
                tile=tile, whole=whole)  # fmt: skip
    for line, unit, each in step.units(begin, end):
        for row, sums in each():
            here = fn.at(gates, row * (size * _GATES) + unit)
            raw = [total + line.load(here, size * k) for k, total in enumerate(sums)]
            i, f, o = (sigmoid(fn, raw[k]) for k in (0, 1, 3))
            g = tanh(fn, raw[2])
            place = row * size + unit
            c = f * line.load(cell, place) + i * g
            h = o * tanh(fn, c)
            for k, value in enumerate((i, f, g, o)):
                line.store(value, here, size * k)
            line.store(c, fresh, place)
            line.store(h, after, place)
            line.store(h, out, place)


def forward(
    x: np.ndarray,
    h: np.ndarray,
    c: np.ndarray,
    w_in: np.ndarray,
    w_rec: np.ndarray,
    bias: np.ndarray | None,
    reverse: bool,
) -> tuple[np.ndarray, ...]:
    """(output (T, B, H), last state, last cell, gates, states, cells) of a layer."""
    steps, batch, size = *x.shape[:2], h.shape[1]
    gates = product(rows(x), w_in.T, bias=bias)
    states, cells = (states_from(v, steps, reverse) for v in (h, c))
    out = np.empty((steps, batch, size), np.float32)
    first, last, way, old = order(steps, reverse)
    wide = gates.reshape(steps, batch, -1)
    go(_forward, w_rec, _GATES, 1, states, reverse, (cells, first + old),
       (cells, first + old + way), (wide, first), (out, first))  # fmt: skip
    end = last + old + way
    flat = (v.reshape(-1, size) for v in (states, cells))
    return out, states[end].copy(), cells[end].copy(), gates, *flat


@kernel(BACKWARD + "ptr gates, ptr before, ptr after, ptr carry, ptr of_bias")
def _backward(fn, panels, behind, stride, depth, padded, batch, size, many, incoming, apart,
              grads, gates, before, after, carry, of_bias, begin, end, worker, *,
              tile, whole):  # fmt: skip
    """`carry`, the cells' gradients, goes from step to step; `of_bias` collects the gates'."""
    step = Step(fn, panels, behind, stride, depth, padded, batch, size, many, gates=1, wide=WIDE,
                tile=tile, whole=whole)  # fmt: skip
    for line, unit, each in step.units(begin, end):
        gradients = GateGradients(line, _GATES, size)
        for row, (dh,) in each():
            here = fn.at(gates, row * (size * _GATES) + unit)
            i, f, g, o = (line.load(here, size * k) for k in range(_GATES))
            place = row * size + unit
            dh = dh + line.load(incoming, row * apart + unit)
            bent = tanh(fn, line.load(after, place))
            dc = line.load(carry, place) + dh * o * (1 - bent * bent)
            line.store(dc * f, carry, place)
            found = (
                dc * g * (i * (1 - i)),
                dc * line.load(before, place) * (f * (1 - f)),
                dc * i * (1 - g * g),
                dh * bent * (o * (1 - o)),
            )
            gradients.store(found, fn.at(grads, row * stride + unit))
        gradients.add_to(of_bias, unit)


def backward(
    of_out: np.ndarray,
    of_state: np.ndarray,
    of_cell: np.ndarray,
    x: np.ndarray,
    w_in: np.ndarray,
    w_rec: np.ndarray,
    gates: np.ndarray,
    states: np.ndarray,
    cells: np.ndarray,
    reverse: bool,
    wanted: tuple[bool, ...],
) -> list[Any]:
    """Gradients of the input, h0, c0, both weights and the bias; None where not wanted."""
    steps, batch, _ = x.shape
    size = states.shape[1]
    carry, of_bias = np.array(of_cell, order="C"), np.zeros(_GATES * size, np.float32)
    first, _, way, old = order(steps, reverse)
    gates, cells, states = (v.reshape(-1, batch, v.shape[1]) for v in (gates, cells, states))

    def others(step: int) -> tuple[Any, ...]:
        return (gates, step), (cells, step + old), (cells, step + old + way), carry, of_bias

    grads = go_back(_backward, w_rec, 0, of_out, of_state, _GATES * size, reverse, others)
    found: list[Any] = [None, None, carry, None, None, of_bias]
    if wanted[0]:
        found[0] = product(grads, w_in).reshape(x.shape)
    if wanted[1]:
        found[1] = product(grads[first * batch : (first + 1) * batch], w_rec)
    if wanted[3]:
        found[3] = product(grads.T, rows(x))
    if wanted[4]:
        found[4] = product(grads.T, rows(states[old : old + steps]))
    return found
