"""The GRU over whole sequences (Cho et al., 2014), with the reset inside the tanh as torch has it.

Gates lie as (T, 3H, B): reset, update, new. The first two take half their argument and go through
one tanh, as σ(x) = (tanh(x / 2) + 1) / 2.
"""

from __future__ import annotations

from .compiled import gru as compiled
from .compiled import recurrent as kernels
from .declare import op
from .recurrent import (
    FEW,
    Gathered,
    Product,
    Walk,
    check_layer,
    from_inputs,
    input_gradient,
    laid_out,
    last,
    layer_oracle,
    layer_samples,
    layer_shapes,
    only,
    ordered,
    outputs,
    plus,
    single,
    sizes,
    t,
    weight_gradients,
)
from .samples import Sample

_samples = layer_samples(3)


def _halved(weight, size):
    """The weight with the rows of the two sigmoid gates halved."""
    out = weight.copy()
    out[: 2 * size] *= out.dtype.type(0.5)
    return out


@op(
    accepts="f",
    dtype="same",
    shape=lambda input, h0: ((*input[:2], h0[-1]), h0),
    function=False,
    method=False,
    returns=("output", "last_state"),
    differentiable=("output", "last_state"),
    aux=("gates", "states", "inner"),
    samples=_samples,
    oracle=layer_oracle("gru", 1),
)
def gru_layer(xp, input, h0, w_ih, w_hh, b_ih=None, b_hh=None, /, reverse=False, batch_sizes=None):
    """A GRU layer over the steps of (T, B, I).

    r, z = σ(…), n = tanh(W x + b + r (W' h + b')), h' = (1 - z) n + z h. `h0` (B, H) → all states
    (T, B, H) and the last (B, H). `batch_sizes` says how many of the sequences, sorted by length,
    take part in each step.

    Raises RuntimeError when the shapes do not fit.
    """
    check_layer("gru_layer", 3, input, h0, w_ih, w_hh)
    if kernels.fits(xp, batch_sizes, input, h0, w_ih, w_hh, b_ih, b_hh):
        found = compiled.forward(input, h0, w_ih, w_hh, b_ih, b_hh, reverse)
        return *found, xp.empty((0,), input.dtype)  # the gates hold the inner ones
    kind = input.dtype
    x, h, w_in, w_rec, b_in, b_rec = (single(v) for v in (input, h0, w_ih, w_hh, b_ih, b_hh))
    steps, batch, _ = x.shape
    size = h.shape[1]
    bias = b_in
    if b_rec is not None:  # the new gate's own goes inside the bracket
        bias = xp.zeros_like(b_rec) if b_in is None else b_in.copy()
        bias[: 2 * size] += b_rec[: 2 * size]
    gates = xp.empty((steps, 3 * size, batch), x.dtype)
    from_inputs(xp, w_in, bias, x, reverse, lambda w: _halved(w, size), gates)
    few = steps < FEW
    states = xp.empty((steps + 1, size, batch), x.dtype)
    states[0] = h.T
    inner = xp.empty((steps, size, batch), x.dtype)  # what the reset gate multiplies
    product = Product(xp, w_rec if few else _halved(w_rec, size), batch)
    scratch, one = xp.empty((3 * size, batch), x.dtype), xp.empty((size, batch), x.dtype)
    held = None if b_rec is None else b_rec[2 * size :, None]
    half = x.dtype.type(0.5)
    for step, n in enumerate(sizes(batch_sizes, steps, batch, reverse)):
        gate, state = gates[step], states[step + 1]
        product(states[step], scratch)
        two, new = gate[: 2 * size], gate[2 * size :]
        two += scratch[: 2 * size]
        if few:
            two *= half
        xp.tanh(two, out=two)
        two *= half
        two += half
        if held is None:
            inner[step] = scratch[2 * size :]
        else:
            xp.add(scratch[2 * size :], held, out=inner[step])
        xp.multiply(gate[:size], inner[step], out=one)
        new += one
        xp.tanh(new, out=new)
        # (1 - z) n + z h = n + z (h - n)
        xp.subtract(states[step], new, out=state)
        state *= gate[size : 2 * size]
        state += new
        if n < batch:
            state[:, n:] = states[step][:, n:]
    out = outputs(xp, states[1:], batch_sizes, reverse, kind)
    return out, states[-1].T.astype(kind, order="C"), gates, states, inner


@op(
    shape=lambda input, h0, w_ih, w_hh, wanted: layer_shapes(
        wanted, input, h0, w_ih, w_hh, w_ih[:1], w_ih[:1]
    ),
    function=False,
    method=False,
    oracle=False,
    returns=("input_grad", "h0_grad", "w_ih_grad", "w_hh_grad", "b_ih_grad", "b_hh_grad"),
    samples=lambda make: _backward_samples(make),  # noqa: PLW0108 - below
)
def gru_layer_backward(
    xp,
    output,
    last_state,
    input,
    h0,
    w_ih,
    w_hh,
    gates,
    states,
    inner,
    /,
    reverse=False,
    batch_sizes=None,
    wanted=(True,) * 6,
):
    """The gradients of `gru_layer` from those of its results, through time."""
    if states.ndim == 2:  # as the compiled way forward left them
        found = compiled.backward(
            output, last_state, input, w_ih, w_hh, gates, states, reverse, wanted
        )
        return only(xp, found, wanted, input.dtype)
    kind = input.dtype
    g_out, g_state, x, w_in, w_rec, gates, states, inner = (
        single(v) for v in (output, last_state, input, w_ih, w_hh, gates, states, inner)
    )
    steps, batch, _ = x.shape
    size = states.shape[1]
    incoming = last(xp, ordered(g_out, reverse))
    state = xp.array(g_state.T, order="C")  # a copy: it is written to
    grads = Gathered(xp, steps, 3 * size, batch, x.dtype)  # of what comes from the state
    news = Gathered(xp, steps, size, batch, x.dtype)  # of the new gate, before the reset
    back = Product(xp, w_rec.T, batch)
    flow, slopes = xp.empty_like(state), xp.empty((2 * size, batch), x.dtype)
    ends = sizes(batch_sizes, steps, batch, reverse)
    r, z, c = (slice(k * size, (k + 1) * size) for k in range(3))
    for step in range(steps - 1, -1, -1):
        n, gate, of = ends[step], gates[step], incoming[step]
        grad, new = grads.piece(step), news.piece(step)
        of += state
        if n < batch:
            of[:, n:] = 0
            rest = state[:, n:].copy()
        # z: (h - n) z (1 - z);  n: (1 - z) (1 - n²)
        xp.subtract(1, gate[: 2 * size], out=slopes)
        xp.multiply(of, slopes[z], out=new)
        slopes *= gate[: 2 * size]
        xp.subtract(states[step], gate[c], out=grad[z])
        grad[z] *= of
        grad[z] *= slopes[z]
        xp.multiply(gate[c], gate[c], out=grad[c])
        xp.subtract(1, grad[c], out=grad[c])
        new *= grad[c]
        xp.multiply(new, inner[step], out=grad[r])
        grad[r] *= slopes[r]
        xp.multiply(new, gate[r], out=grad[c])
        back(grad, flow)
        grads.done(step)
        news.done(step)
        xp.multiply(of, gate[z], out=of)
        flow += of
        if n < batch:
            flow[:, n:] = rest
        state, flow = flow, state
    of_h0 = state.T.astype(kind, order="C")
    found = [None, of_h0, None, None, None, None]
    seen = ordered(x, reverse)
    if wanted[3] or wanted[5]:
        _, found[3], found[5] = weight_gradients(xp, grads.flat, seen[..., :0], states[:-1], kind)
    grads.flat[c] = news.flat
    if wanted[0]:
        found[0] = input_gradient(xp, w_in, grads.flat, reverse, kind)
    if wanted[2] or wanted[4]:
        found[2], _, found[4] = weight_gradients(xp, grads.flat, seen, states[:-1, :0], kind)
    return only(xp, found, wanted, kind)


def _backward_samples(make):
    for sample in _samples(make) if make.dtype.kind in "fV" else ():
        out, end, *kept = laid_out(gru_layer, sample)
        yield Sample(make(*out.shape), make(*end.shape), *sample.args[:4], *kept, grad=False,
                     **sample.kwargs)  # fmt: skip


@gru_layer.vjp_together("input", "h0", "w_ih", "w_hh", "b_ih", "b_hh")
def _gru_rule(
    F, g, input, h0, w_ih, w_hh, b_ih, b_hh, gates, states, inner, reverse, batch_sizes, wanted
):
    if F.taped:
        return _recorded(F, g, input, h0, w_ih, w_hh, b_ih, b_hh, reverse, batch_sizes)
    return F.gru_layer_backward(
        *g, input, h0, w_ih, w_hh, gates, states, inner, reverse, batch_sizes, wanted
    )


def _recorded(F, g, input, h0, w_ih, w_hh, b_ih, b_hh, reverse, batch_sizes):
    g_out, flow = g
    walk = Walk(F, input, w_ih, b_ih, reverse, batch_sizes)
    size = h0.shape[-1]
    kept, past, state = {}, {}, h0
    for time in walk.times:
        past[time] = state
        here = plus(F.matmul(state, t(F, w_hh)), b_hh)
        both = walk.inputs[time]
        r = F.sigmoid(both[:, :size] + here[:, :size])
        z = F.sigmoid(both[:, size : 2 * size] + here[:, size : 2 * size])
        inner = here[:, 2 * size :]
        new = F.tanh(both[:, 2 * size :] + r * inner)
        kept[time] = (r, z, new, inner)
        state = walk.kept(time, new + z * (state - new), state)
    of_x, of_h = {}, {}
    for time in reversed(walk.times):
        r, z, new, inner = kept[time]
        of, rest = walk.split(time, flow)
        of = of + (g_out[time] if walk.live is None else g_out[time] * walk.live[time])
        of_z = of * (past[time] - new) * z * (1 - z)
        of_n = of * (1 - z) * (1 - new * new)
        of_r = of_n * inner * r * (1 - r)
        of_x[time] = F.cat([of_r, of_z, of_n], 1)
        of_h[time] = F.cat([of_r, of_z, of_n * r], 1)
        flow = plus(F.matmul(of_h[time], w_hh) + of * z, rest)
    of_input, of_wi, of_wh, of_bi, of_bh = walk.gradients(of_x, past, w_ih, of_h)
    return of_input, flow, of_wi, of_wh, of_bi, of_bh
