"""The plain RNN over whole sequences (Elman, "Finding structure in time", 1990)."""

from __future__ import annotations

from .compiled import recurrent as kernels
from .compiled import rnn as compiled
from .declare import op
from .recurrent import (
    Gathered,
    Product,
    Walk,
    both,
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

_RNN = "rnn_layer"


def _rnn_samples(make):
    yield from layer_samples(1)(make)
    relu = next(iter(layer_samples(1)(make)))
    yield Sample(*relu.args, nonlinearity="rnn_relu")


@op(
    accepts="f",
    dtype="same",
    shape=lambda input, h0: ((*input[:2], h0[-1]), h0),
    function=False,
    method=False,
    returns=("output", "last_state"),
    differentiable=("output", "last_state"),
    aux=("states",),
    samples=_rnn_samples,
    oracle=layer_oracle("rnn_tanh", 1),
)
def rnn_layer(
    xp,
    input,
    h0,
    w_ih,
    w_hh,
    b_ih=None,
    b_hh=None,
    /,
    reverse=False,
    batch_sizes=None,
    nonlinearity="rnn_tanh",
):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh) over the steps of (T, B, I), or relu of it.

    `h0` (B, H) → all states (T, B, H) and the last (B, H). `batch_sizes` says how many of the
    sequences, sorted by length, take part in each step. Elman, 1990.

    Raises RuntimeError when the shapes do not fit.
    """
    check_layer(_RNN, 1, input, h0, w_ih, w_hh)
    relu = nonlinearity == "rnn_relu"
    if kernels.fits(xp, batch_sizes, input, h0, w_ih, w_hh, b_ih, b_hh):
        return compiled.forward(input, h0, w_ih, w_hh, both(b_ih, b_hh), reverse, relu)
    kind = input.dtype
    x, h, w_in, w_rec, b = (single(v) for v in (input, h0, w_ih, w_hh, both(b_ih, b_hh)))
    steps, batch, _ = x.shape
    size = w_rec.shape[0]
    states = xp.empty((steps + 1, size, batch), x.dtype)
    states[0] = h.T
    from_inputs(xp, w_in, b, x, reverse, lambda w: w, states[1:])
    product, scratch = Product(xp, w_rec, batch), xp.empty((size, batch), x.dtype)
    for step, n in enumerate(sizes(batch_sizes, steps, batch, reverse)):
        now = states[step + 1]
        product(states[step], scratch)
        now += scratch
        if relu:
            xp.maximum(now, 0, out=now)
        else:
            xp.tanh(now, out=now)
        if n < batch:
            now[:, n:] = states[step][:, n:]
    out = outputs(xp, states[1:], batch_sizes, reverse, kind)
    return out, states[-1].T.astype(kind, order="C"), states


@op(
    shape=lambda input, h0, w_ih, w_hh, wanted: layer_shapes(
        wanted, input, h0, w_ih, w_hh, w_ih[:1]
    ),
    function=False,
    method=False,
    oracle=False,
    returns=("input_grad", "h0_grad", "w_ih_grad", "w_hh_grad", "bias_grad"),
    samples=lambda make: _rnn_backward_samples(make),  # noqa: PLW0108 - below
)
def rnn_layer_backward(
    xp,
    output,
    last_state,
    input,
    h0,
    w_ih,
    w_hh,
    states,
    /,
    reverse=False,
    batch_sizes=None,
    nonlinearity="rnn_tanh",
    wanted=(True,) * 5,
):
    """The gradients of `rnn_layer` from those of its results, through time (Werbos, 1990)."""
    if states.ndim == 2:  # as the compiled way forward left them
        relu = nonlinearity == "rnn_relu"
        found = compiled.backward(
            output, last_state, input, w_ih, w_hh, states, reverse, relu, wanted
        )
        return only(xp, found, wanted, input.dtype)
    kind = input.dtype
    g_out, g_last, x, w_in, w_rec, states = (
        single(v) for v in (output, last_state, input, w_ih, w_hh, states)
    )
    steps, batch, _ = x.shape
    incoming = last(xp, ordered(g_out, reverse))
    gates = Gathered(xp, steps, w_rec.shape[0], batch, x.dtype)
    back = Product(xp, w_rec.T, batch)
    g = xp.array(g_last.T, order="C")  # a copy: it is written to
    ends = sizes(batch_sizes, steps, batch, reverse)
    slope, flow = xp.empty_like(g), xp.empty_like(g)
    for step in range(steps - 1, -1, -1):
        n, now, of = ends[step], states[step + 1], gates.piece(step)
        xp.add(incoming[step], g, out=of)
        if nonlinearity == "rnn_tanh":
            xp.multiply(now, now, out=slope)
            xp.subtract(1, slope, out=slope)
        else:
            slope[...] = now > 0
        of *= slope
        if n < batch:
            of[:, n:] = 0
        back(of, flow)
        gates.done(step)
        if n < batch:
            flow[:, n:] = g[:, n:]
        g, flow = flow, g
    found = [None] * 5
    if wanted[0]:
        found[0] = input_gradient(xp, w_in, gates.flat, reverse, kind)
    found[1] = g.T.astype(kind, order="C")
    if any(wanted[2:]):
        found[2:] = weight_gradients(xp, gates.flat, ordered(x, reverse), states[:-1], kind)
    return only(xp, found, wanted, kind)


def _rnn_backward_samples(make):
    for sample in _rnn_samples(make) if make.dtype.kind in "fV" else ():
        x, h0, w_ih, w_hh = sample.args[:4]
        out, end, states = laid_out(rnn_layer, sample)
        yield Sample(make(*out.shape), make(*end.shape), x, h0, w_ih, w_hh, states, grad=False,
                     **sample.kwargs)  # fmt: skip


@rnn_layer.vjp_together("input", "h0", "w_ih", "w_hh", "b_ih", "b_hh")
def _rnn_rule(
    F, g, input, h0, w_ih, w_hh, b_ih, b_hh, states, reverse, batch_sizes, nonlinearity, wanted
):
    bias = wanted[4] or wanted[5]
    if not F.taped:
        *found, b = F.rnn_layer_backward(
            *g, input, h0, w_ih, w_hh, states, reverse, batch_sizes, nonlinearity,
            (*wanted[:4], bias),
        )  # fmt: skip
        return (*found, b, b)
    g_out, flow = g
    walk = Walk(F, input, w_ih, plus(b_ih, b_hh), reverse, batch_sizes)
    before, after, state, gates = {}, {}, h0, {}
    relu = nonlinearity == "rnn_relu"
    for time in walk.times:
        before[time] = state
        now = walk.inputs[time] + F.matmul(state, t(F, w_hh))
        after[time] = F.relu(now) if relu else F.tanh(now)
        state = walk.kept(time, after[time], state)
    for time in reversed(walk.times):
        of, past = walk.split(time, flow)
        of = of + (g_out[time] if walk.live is None else g_out[time] * walk.live[time])
        now = after[time]
        slope = F.cast_bool(F.detach(now) > 0, now) if relu else 1 - now * now
        gates[time] = of * slope
        flow = plus(F.matmul(gates[time], w_hh), past)
    of_x, of_wi, of_wh, of_b, _ = walk.gradients(gates, before, w_ih)
    return of_x, flow, of_wi, of_wh, of_b, of_b
