"""Recurrent layers over whole sequences: what LSTM, GRU and the plain RNN share.

A layer is one op over all its steps. Inside, everything lies with the batch last: gates (T, 4H, B),
states (H, B). So each gate is one contiguous block, the weights multiply from the left as they are,
and BLAS meets them in blocks small enough for the kernels that repack nothing. The inputs of all
steps go through their weights at once, and so do the gradients of all steps back into the weights.

Plain float32 layers are compiled where they can be (`compiled/recurrent.py`), with the batch before
the units; what they keep for the way back are rows, by which that way knows them. Under
`create_graph` the rules walk the steps with recorded ops instead.
"""

from __future__ import annotations

import numpy as np

from workbench.arrays.system import blas_threads_now

from .samples import Sample

_SMALL = 1_000_000  # up to so many multiplications OpenBLAS takes a product as it lies
FEW = 4  # from so many steps on it pays to change the weights beforehand
_CACHED = 1 << 18  # numbers that stay in the second-level cache


class Product:
    """weight @ x, again and again, for one `weight` (M, K) and x (…, K, N)."""

    def __init__(self, xp, weight, n):
        self.xp, self.rows = xp, weight.shape[0]
        m, k = weight.shape
        self.blocks = 1
        if xp is np and m * k * n > _SMALL and n >= 8 and blas_threads_now() == 1:
            fits = [b for b in range(2, m // 16 + 1) if m % b == 0 and m // b * k * n <= _SMALL]
            self.blocks = fits[0] if fits else 1
        self.weight = weight
        if self.blocks > 1:
            self.weight = weight.reshape(self.blocks, m // self.blocks, k)

    def __call__(self, x, out):
        """Write weight @ x to `out` (…, M, N)."""
        if self.blocks > 1:
            n = self.blocks
            out = out.reshape(*out.shape[:-2], n, self.rows // n, out.shape[-1])
            x = x if x.ndim == 2 else x[..., None, :, :]
        self.xp.matmul(self.weight, x, out=out)


def single(x):
    """Half precision is computed in float32."""
    return x.astype(np.float32) if x is not None and x.dtype.itemsize == 2 else x


def last(xp, x, extra=0):
    """(T, B, N) as a contiguous (T, N + extra, B); the extra rows are ones."""
    steps, batch, width = x.shape
    out = xp.empty((steps, width + extra, batch), x.dtype)
    out[:, :width] = x.swapaxes(1, 2)
    out[:, width:] = 1
    return out


def with_bias(xp, weight, bias):
    """The weight with the bias as one more column."""
    out = xp.empty((weight.shape[0], weight.shape[1] + 1), weight.dtype)
    out[:, :-1] = weight
    out[:, -1] = 0 if bias is None else bias
    return out


def from_inputs(xp, weight, bias, x, reverse, change, out):
    """Write weight x + bias of all steps (T, B, I) to `out` (T, G, B), in the order of the steps.

    `change` is made to the weights beforehand; over a few steps, whoever asks makes it to `out`,
    as the weights are then larger than what comes of them.
    """
    batch = x.shape[1]
    if x.shape[0] < FEW:
        Product(xp, weight, batch)(last(xp, ordered(x, reverse)), out)
        if bias is not None:
            out += bias[:, None]
    else:
        product = Product(xp, change(with_bias(xp, weight, bias)), batch)
        product(last(xp, ordered(x, reverse), 1), out)


def both(first, second):
    """The sum of two biases of which either may be missing."""
    if first is None or second is None:
        return second if first is None else first
    return first + second


def ordered(x, reverse):
    """Steps in the order in which they are taken."""
    return x[::-1] if reverse else x


def outputs(xp, states, batch_sizes, reverse, kind):
    """States (T, H, B) as a result (T, B, H), zeros where sequences have ended."""
    out = xp.empty((states.shape[0], states.shape[2], states.shape[1]), kind)
    ordered(out, reverse)[...] = states.swapaxes(1, 2)
    if batch_sizes is not None:
        for step, n in enumerate(batch_sizes):
            out[step, n:] = 0
    return out


def sizes(batch_sizes, steps, batch, reverse):
    """How many sequences take part in each step, in the order in which steps are taken."""
    if batch_sizes is None:
        return [batch] * steps
    return list(ordered(list(batch_sizes), reverse))


class Gathered:
    """The gradients of all steps' gates, made last step first, as `flat` (G, T, B).

    They come in contiguous (G, B) pieces and are moved a few steps at a time, while in the cache.
    """

    def __init__(self, xp, steps, rows, batch, dtype):
        self.flat = xp.empty((rows, steps, batch), dtype)
        self.some = max(1, _CACHED // max(1, rows * batch))
        self.pieces = xp.empty((min(self.some, steps), rows, batch), dtype)

    def piece(self, step):
        """Where the gradients of a step are to be written."""
        return self.pieces[step % self.some]

    def done(self, step):
        """To be called when they are."""
        if step % self.some == 0:
            target = self.flat[:, step : step + self.some]
            target[...] = self.pieces[: target.shape[1]].swapaxes(0, 1)


def weight_gradients(xp, flat, x, states, kind):
    """Gradients of (input weights, state weights, bias), by one product over all steps.

    `flat` (G, T, B) are the gates' gradients, `x` (T, B, I) inputs and `states` (T, H, B).
    """
    g, steps, batch = flat.shape
    inputs, hidden = x.shape[2], states.shape[1]
    seen = xp.empty((steps, batch, inputs + hidden), flat.dtype)
    seen[..., :inputs] = x
    seen[..., inputs:] = states.swapaxes(1, 2)
    rows = flat.reshape(g, steps * batch)
    found = rows @ seen.reshape(steps * batch, inputs + hidden)
    parts = found[:, :inputs], found[:, inputs:], rows @ xp.ones(steps * batch, flat.dtype)
    return tuple(xp.ascontiguousarray(part).astype(kind, copy=False) for part in parts)


def input_gradient(xp, weight, flat, reverse, kind):
    """The gradient of the input (T, B, I) from that of the gates (G, T, B)."""
    g, steps, batch = flat.shape
    found = flat.reshape(g, steps * batch).T @ weight
    found = ordered(found.reshape(steps, batch, weight.shape[1]), reverse)
    return xp.ascontiguousarray(found).astype(kind, copy=False)


def only(xp, found, wanted, kind):
    """Results that are wanted, in their dtype; empty arrays for the others."""
    return tuple(
        part.astype(kind, copy=False) if want and part is not None else xp.empty((0,), kind)
        for part, want in zip(found, wanted, strict=True)
    )


def layer_shapes(wanted, *shapes):
    """The shapes of gradients, with (0,) for those that are not wanted."""
    return tuple(
        shape if want and shape is not None else (0,)
        for shape, want in zip(shapes, wanted, strict=True)
    )


def check_layer(name, factor, input, h0, w_ih, w_hh):
    """Refuse operands of one layer that do not fit, with RuntimeError."""
    wide, hidden = w_ih.shape[0], h0.shape[-1]
    if input.ndim != 3 or input.shape[2] != w_ih.shape[1]:
        raise RuntimeError(
            f"{name}(): input has shape {list(input.shape)}, wants (steps, batch, {w_ih.shape[1]})"
        )
    if h0.shape[:-1] != input.shape[1:2] or w_hh.shape != (wide, hidden) or wide % factor:
        raise RuntimeError(
            f"{name}(): state {list(h0.shape)} and weights {list(w_ih.shape)}, "
            f"{list(w_hh.shape)} do not fit input {list(input.shape)}"
        )


# -- the same, step by step, on recorded tensors -----------------------------------------------


class Walk:
    """A layer's steps over recorded tensors, batch first: for gradients of gradients."""

    def __init__(self, F, input, w_ih, b, reverse, batch_sizes):
        self.F = F
        steps, self.batch = tuple(input.shape)[:2]
        self.times = list(range(steps))[:: -1 if reverse else 1]
        rows = F.reshape(input, (steps * self.batch, input.shape[2]))
        wide = F.reshape(F.matmul(rows, t(F, w_ih)), (steps, self.batch, w_ih.shape[0]))
        self.inputs = wide if b is None else wide + b
        self.x = input
        self.live = None
        if batch_sizes is not None:
            like = F.detach(input)[0, :, :1] * 0
            ramp = np.arange(self.batch)[:, None]
            self.live = [like + _number(F, ramp < n, input) for n in batch_sizes]

    def kept(self, time, new, old):
        """`new` for the sequences that take part in a step, `old` for the others."""
        if self.live is None:
            return new
        live = self.live[time]
        return new * live + old * (1 - live)

    def split(self, time, g):
        """The gradients of a step's new and old state from that of what `kept` made."""
        if self.live is None:
            return g, None
        live = self.live[time]
        return g * live, g * (1 - live)

    def gradients(self, found, states, w_ih, wide=None):
        """(input, input weights, state weights, bias, state bias) from gates' by time."""
        F = self.F
        steps = len(self.times)
        ofx = F.stack([found[time] for time in range(steps)], 0)
        ofh = ofx if wide is None else F.stack([wide[time] for time in range(steps)], 0)
        g = ofx.shape[2]
        before = F.stack([states[time] for time in range(steps)], 0)
        count = steps * self.batch
        rows, of = F.reshape(ofx, (count, g)), F.reshape(ofh, (count, g))
        return (
            F.reshape(F.matmul(rows, w_ih), tuple(self.x.shape)),
            F.matmul(t(F, rows), F.reshape(self.x, (count, self.x.shape[2]))),
            F.matmul(t(F, of), F.reshape(before, (count, before.shape[2]))),
            F.sum(rows, (0,), False),
            F.sum(of, (0,), False),
        )


def t(F, x):
    """The transpose of a matrix."""
    return F.transpose(x, -2, -1)


def _number(F, flags, like):
    """Constant flags as numbers that combine with `like`."""
    if not F.over_tensors:
        return flags.astype(like.dtype)
    made = F.detach(like)[0, :, :1] * 0
    return made + type(made)(flags).to(made.dtype)


def plus(a, b):
    """a + b where either may be missing."""
    return b if a is None else a if b is None else a + b


# -- samples ---------------------------------------------------------------------------------------


def layer_samples(factor, cell=False, proj=False):
    """Samples of a layer whose weights have `factor` blocks of rows."""

    def samples(make):
        for steps, batch, i, h, bias, reverse, ends in (
            (5, 2, 3, 2, True, False, None),
            (2, 3, 2, 3, False, True, None),
            (4, 3, 2, 2, True, False, (3, 2, 2, 1)),
            (3, 2, 1, 2, True, True, (2, 2, 1)),
            (1, 1, 2, 1, True, False, None),
        ):
            p = h + 1 if proj and steps == 2 else h
            states = [make(batch, p)] + ([make(batch, h)] if cell else [])
            weights = [make(factor * h, i), make(factor * h, p)]
            weights += [make(factor * h), make(factor * h)] if bias else [None, None]
            if p != h:
                weights.append(make(p, h))
            settings: dict = {"reverse": reverse} if reverse else {}
            if ends is not None:
                settings["batch_sizes"] = ends
            yield Sample(make(steps, batch, i), *states, *weights, **settings)

    return samples


def laid_out(layer, sample):
    """What a layer gives and keeps in NumPy's way, which is that of any backend."""
    steps, batch, _ = sample.args[0].shape
    ends = sample.kwargs.get("batch_sizes") or (batch,) * steps  # with them it is never compiled
    return layer.forward(np, *sample.args, **{**sample.kwargs, "batch_sizes": ends})


def layer_oracle(name, count):
    """A torch function over one layer, by `torch._VF`: `count` states, then weights."""

    def oracle(torch, input, *rest, reverse=False, batch_sizes=None, **settings):
        states, weights = rest[:count], [w for w in rest[count:] if w is not None]
        call = getattr(torch._VF, settings.get("nonlinearity", name))
        bias = len(weights) > 3
        states = tuple(s[None] for s in states)
        if batch_sizes is None:
            x = input.flip(0) if reverse else input
            out, *ends = call(x, tuple(states) if count > 1 else states[0], weights, bias, 1, 0.0,
                              False, False, False)  # fmt: skip
            out = out.flip(0) if reverse else out
            return out, *(e[0] for e in ends)
        # both directions of a packed sequence, of which the other one is left out
        lengths = [sum(n > b for n in batch_sizes) for b in range(input.shape[1])]
        packed = torch.nn.utils.rnn.pack_padded_sequence(input, lengths)
        if reverse:
            states, weights = tuple(torch.cat([s, s]) for s in states), weights * 2
        given = tuple(states) if count > 1 else states[0]
        data, *ends = call(packed.data, packed.batch_sizes, given, weights, bias, 1, 0.0, False,
                           reverse)  # fmt: skip
        width = data.shape[1] // 2 if reverse else data.shape[1]
        data = data[:, -width:]
        out, _ = torch.nn.utils.rnn.pad_packed_sequence(packed._replace(data=data))
        return out, *(e[-1] for e in ends)

    return oracle
