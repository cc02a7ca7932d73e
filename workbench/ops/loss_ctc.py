"""Connectionist temporal classification (Graves et al., 2006), all samples of a batch at once.

A label y₁ … y_S becomes the states blank y₁ blank … y_S blank, of which a path may stay, step on,
or skip a blank between different labels. `alpha` is the log-probability of all paths up to a
state, `beta` of all paths from it on; both count the state's own frame. All sums are sums of
logarithms. The same recursions serve raw arrays and taped tensors, which gives second derivatives.
"""

from __future__ import annotations

import numpy as np

from .declare import op
from .samples import Sample

_FLOOR = -1e30  # log 0 for taped tensors: no gradient is nan then


class _Raw:
    """Sums of logarithms over raw arrays."""

    def __init__(self, xp, dtype):
        self.xp = xp
        self.nothing = dtype.type(-np.inf)

    def shifted(self, x, by):
        """`x` moved along its last dimension by `by` places, log 0 moving in."""
        out = self.xp.full_like(x, self.nothing)
        if by > 0:
            out[:, by:] = x[:, :-by]
        else:
            out[:, :by] = x[:, -by:]
        return out

    def total(self, *terms):
        """log Σ exp of the terms, elementwise."""
        xp = self.xp
        most = terms[0]
        for term in terms[1:]:
            most = xp.maximum(most, term)
        safe = xp.where(most == self.nothing, most.dtype.type(0), most)
        with np.errstate(divide="ignore"):
            return xp.log(sum(xp.exp(term - safe) for term in terms)) + safe

    def where(self, mask, x):
        """`x`, and log 0 where the mask is off."""
        return self.xp.where(mask, x, self.nothing)

    def choose(self, mask, x, y):
        """`x` where the mask is on, else `y`."""
        return self.xp.where(mask, x, y)

    def frames(self, log_probs, index):
        """Each frame's log-probability of each state (T, N, 2S+1)."""
        return self.xp.take_along_axis(log_probs, index, 2)


class _Taped:
    """The same over recorded tensors."""

    def __init__(self, F, like):
        self.F = F
        self.floor = F.detach(like) * 0 + _FLOOR

    def shifted(self, x, by):
        hole = self.floor[:, : abs(by)]
        return self.F.cat([hole, x[:, :-by]] if by > 0 else [x[:, -by:], hole], 1)

    def total(self, *terms):
        F = self.F
        most = terms[0]
        for term in terms[1:]:
            most = F.maximum(most, term)
        most = F.detach(most)
        return F.log(sum(F.exp(term - most) for term in terms)) + most

    def where(self, mask, x):
        return self.F.where(mask, x, self.floor)

    def choose(self, mask, x, y):
        return self.F.where(mask, x, y)

    def frames(self, log_probs, index):
        return self.F.maximum(self.F.gather_along(log_probs, index, 2), self.floor)


def _forward(space, frames, known, starts, skips):
    """`alpha` of every frame."""
    now = space.where(starts, frames[0])
    every = [now]
    for t in range(1, len(frames)):
        skip = space.where(skips, space.shifted(now, 2))
        paths = space.total(now, space.shifted(now, 1), skip)
        now = space.where(known, paths + frames[t])
        every.append(now)
    return every


def _backward(space, frames, known, ends, skips, stops):
    """`beta` of every frame of a sample's own; the frames behind its last hold no meaning."""
    now, every = None, []
    for t in range(len(frames) - 1, -1, -1):
        end = space.where(ends, frames[t])
        if now is None:
            now = end
        else:
            # a skip is allowed by where it ends
            skip = space.shifted(space.where(skips, now), -2)
            paths = space.total(now, space.shifted(now, -1), skip)
            now = space.choose(stops[t], end, space.where(known, paths + frames[t]))
        every.append(now)
    return every[::-1]


def _states(xp, targets, steps, input_lengths, target_lengths, blank):
    """The states of each sample: their classes and, as masks, which do what."""
    n, s = targets.shape
    labels = xp.full((n, 2 * s + 1), blank, targets.dtype)
    labels[:, 1::2] = targets
    place = xp.arange(2 * s + 1)[None, :]
    last = 2 * target_lengths[:, None]
    known = place <= last
    labels = xp.where(known, labels, 0)  # padding may hold anything
    skips = known & (place % 2 == 1)
    skips[:, :3] = False
    skips[:, 3:] &= labels[:, 3:] != labels[:, 1:-2]
    ends = (place == last) | (place == last - 1)
    stops = (xp.arange(steps)[:, None] == input_lengths - 1)[:, :, None]
    live = (xp.arange(steps)[:, None] < input_lengths)[:, :, None]
    return labels, known, known & (place < 2), skips, ends, stops, live


def _oracle(torch, log_probs, targets, input_lengths, target_lengths, blank=0, zero_infinity=False):
    return torch.nn.functional.ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, "none", zero_infinity
    )


def _samples(make):
    def case(shape, targets, inputs, lengths, *rest):
        x = make(*shape)
        x = (x - np.log(np.exp(x).sum(2, keepdims=True))).astype(x.dtype)
        arrays = (np.array(a, np.int64) for a in (targets, inputs, lengths))
        return Sample(x, *arrays, *rest)

    yield case((5, 2, 4), [[1, 2, 2], [3, 1, 0]], [5, 4], [3, 2])
    yield case((3, 1, 3), [[0, 1]], [3], [2], 2)
    yield case((2, 2, 3), [[1, 1], [2, 0]], [2, 2], [2, 1], 0, True)
    yield case((2, 2, 3), [[1], [1]], [2, 1], [0, 0])


@op(
    accepts="f",
    halves=False,
    function=False,
    method=False,
    shape=lambda input_lengths: (*input_lengths,),
    aux=("index", "known", "starts", "skips", "ends", "stops", "live", "alpha", "total"),
    samples=_samples,
    oracle=_oracle,
)
def ctc(xp, log_probs, targets, input_lengths, target_lengths, /, blank=0, zero_infinity=False):
    """-log-probability (N) of the labels `targets` (N, S), given `log_probs` (T, N, C).

    `input_lengths` and `target_lengths` (N). inf where no path fits, 0 there with `zero_infinity`.
    As torch's, the gradient is that of logits whose log-softmax `log_probs` is: it sums to 0 over
    the classes, which changes nothing for them.
    """
    steps, n, _ = log_probs.shape
    labels, known, starts, skips, ends, stops, live = _states(
        xp, targets, steps, input_lengths, target_lengths, blank
    )
    space = _Raw(xp, log_probs.dtype)
    index = xp.broadcast_to(labels, (steps, *labels.shape))
    alpha = xp.stack(_forward(space, space.frames(log_probs, index), known, starts, skips))
    final = alpha[xp.maximum(input_lengths - 1, 0), xp.arange(n)]
    final = xp.where(ends, final, space.nothing)
    most = final.max(axis=1, keepdims=True)
    most = xp.where(most == space.nothing, most.dtype.type(0), most)
    with np.errstate(divide="ignore"):
        total = xp.log(xp.exp(final - most).sum(axis=1)) + most[:, 0]
    # without frames only the empty label is possible
    empty = xp.where(target_lengths == 0, total.dtype.type(0), space.nothing)
    total = xp.where(input_lengths == 0, empty, total)
    losses = xp.where(xp.isinf(total), total.dtype.type(0), -total) if zero_infinity else -total
    return losses, index, known, starts, skips, ends, stops, live, alpha, total


def _rule(
    F, g, log_probs, index, known, starts, skips, ends, stops, live, alpha, total, zero_infinity
):
    steps, n, classes = log_probs.shape
    if F.over_tensors:
        space = _Taped(F, log_probs[0, :, :1] + F.cast_bool(known, log_probs))
        frames = space.frames(log_probs, index)
        alpha = _forward(space, frames, known, starts, skips)
        beta = _backward(space, frames, known, ends, skips, stops)
        whole = F.logsumexp(alpha[0] + beta[0] - frames[0], 1)  # every path has a first frame
        exponent = F.stack(alpha) + F.stack(beta) - frames - F.reshape(whole, (1, n, 1))
        weights = F.exp(F.where(live, exponent, space.floor))
        used = F.gather_backward(weights, index, (steps, n, classes), 2)
        out = (F.exp(log_probs) - used) * F.reshape(g, (1, n, 1))
        if zero_infinity:
            live = live & (total > _FLOOR).reshape(1, n, 1)
        return F.where(live, out, F.detach(log_probs) * 0)
    xp = F.xp
    space = _Raw(xp, log_probs.dtype)
    frames = space.frames(log_probs, index)
    beta = xp.stack(_backward(space, frames, known, ends, skips, stops))
    dead = frames == space.nothing  # no path goes there
    with np.errstate(invalid="ignore", over="ignore"):
        exponent = alpha + beta - xp.where(dead, 0, frames) - total[:, None]
        weights = xp.where(live, xp.exp(exponent), 0)
    cells = index + xp.arange(steps * n).reshape(steps, n, 1) * classes
    used = xp.bincount(cells.reshape(-1), weights.reshape(-1), steps * n * classes)
    used = used.reshape(log_probs.shape).astype(log_probs.dtype)
    out = (xp.exp(log_probs) - used) * g[:, None]
    impossible = xp.isinf(total)[:, None]
    if zero_infinity:
        live = live & ~impossible
    else:
        out = xp.where(impossible, out.dtype.type(np.nan), out)
    return xp.where(live, out, out.dtype.type(0))


ctc.vjp(log_probs=_rule)
