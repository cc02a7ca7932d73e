"""The plain RNN's steps, compiled: see `recurrent.py`.

What the inputs give is written where the states will be.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays.compiler.functions import tanh
from workbench.arrays.compiler.kernel import kernel

from .gemm import product
from .recurrent import BACKWARD, FORWARD, WIDE, Step, order, rows, states_from
from .recurrent import backward as go_back
from .recurrent import forward as go


@kernel(FORWARD + "ptr out")
def _forward(fn, panels, before, padded, batch, size, many, after, out,
             begin, end, worker, *, tile, whole, relu):  # fmt: skip
    """States `before` to `after`."""
    step = Step(fn, panels, before, size, size, padded, batch, size, many, gates=1, wide=WIDE,
                tile=tile, whole=whole)  # fmt: skip
    for line, unit, each in step.units(begin, end):
        for row, (total,) in each():
            place = row * size + unit
            h = total + line.load(after, place)
            h = fn.select(h < 0, 0, h) if relu else tanh(fn, h)  # nan stays
            line.store(h, after, place)
            line.store(h, out, place)


def forward(
    x: np.ndarray,
    h: np.ndarray,
    w_in: np.ndarray,
    w_rec: np.ndarray,
    bias: np.ndarray | None,
    reverse: bool,
    relu: bool,
) -> tuple[np.ndarray, ...]:
    """(output (T, B, H), last state, states) of a layer."""
    steps, batch, size = *x.shape[:2], h.shape[1]
    states = states_from(h, steps, reverse)
    first, last, way, old = order(steps, reverse)
    new = 1 - old
    product(rows(x), w_in.T, states[new : new + steps].reshape(-1, size), bias=bias)
    out = np.empty((steps, batch, size), np.float32)
    go(_forward, w_rec, 1, WIDE, states, reverse, (out, first), relu=relu)
    return out, states[last + old + way].copy(), states.reshape(-1, size)


@kernel(BACKWARD + "ptr after, ptr of_bias")
def _backward(fn, panels, behind, stride, depth, padded, batch, size, many, incoming, apart,
              grads, after, of_bias, begin, end, worker, *, tile, whole, relu):  # fmt: skip
    """`after` are the states that a step gave."""
    step = Step(fn, panels, behind, stride, depth, padded, batch, size, many, gates=1, wide=WIDE,
                tile=tile, whole=whole)  # fmt: skip
    for line, unit, each in step.units(begin, end):
        summed = fn.variable(step.vec, 0)
        for row, (dh,) in each():
            dh = dh + line.load(incoming, row * apart + unit)
            h = line.load(after, row * size + unit)
            value = fn.select(h > 0, dh, 0) if relu else dh * (1 - h * h)
            line.store(value, grads, row * stride + unit)
            summed.set(summed.get() + value)
        line.add(summed.get(), of_bias, unit)


def backward(
    of_out: np.ndarray,
    of_state: np.ndarray,
    x: np.ndarray,
    w_in: np.ndarray,
    w_rec: np.ndarray,
    states: np.ndarray,
    reverse: bool,
    relu: bool,
    wanted: tuple[bool, ...],
) -> list[Any]:
    """Gradients of the input, h0, both weights and the bias; None where not wanted."""
    steps, batch, _ = x.shape
    size = states.shape[1]
    of_bias = np.zeros(size, np.float32)
    first, _, way, old = order(steps, reverse)
    states = states.reshape(-1, batch, size)

    def others(step: int) -> tuple[Any, ...]:
        return (states, step + old + way), of_bias

    grads = go_back(
        _backward, w_rec, 0, of_out, of_state, size, reverse, others, relu=relu
    )  # fmt: skip
    found: list[Any] = [None, None, None, None, of_bias]
    if wanted[0]:
        found[0] = product(grads, w_in).reshape(x.shape)
    if wanted[1]:
        found[1] = product(grads[first * batch : (first + 1) * batch], w_rec)
    if wanted[2]:
        found[2] = product(grads.T, rows(x))
    if wanted[3]:
        found[3] = product(grads.T, rows(states[old : old + steps]))
    return found
