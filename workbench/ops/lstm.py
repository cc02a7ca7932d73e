"""The LSTM over whole sequences: four gates in one product a step, and backward through time.

Hochreiter & Schmidhuber, "Long short-term memory", 1997; with projections Sak et al., 2014. The
gates lie as (T, 4H, B) in the order i, f, o, g, so that one pass of tanh serves all of them: i, f
and o take half their argument, as σ(x) = (tanh(x / 2) + 1) / 2.
"""

from __future__ import annotations

from .compiled import lstm as compiled
from .compiled import recurrent as kernels
from .declare import op
from .recurrent import (
    FEW,
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


def _arranged(xp, weight):
    """Rows of the gates i, f, g, o as i, f, o, g; all but the last halved."""
    four = weight.reshape(4, -1, weight.shape[-1])
    out = xp.empty_like(four)
    xp.multiply(four[:2], 0.5, out=out[:2])
    xp.multiply(four[3], 0.5, out=out[2])
    out[3] = four[2]
    return out.reshape(weight.shape)


_samples = layer_samples(4, cell=True, proj=True)


@op(
    accepts="f",
    dtype="same",
    shape=lambda input, h0, c0: ((*input[:2], h0[-1]), h0, c0),
    function=False,
    method=False,
    returns=("output", "last_state", "last_cell"),
    differentiable=("output", "last_state", "last_cell"),
    aux=("gates", "states", "cells", "bent"),
    samples=_samples,
    oracle=layer_oracle("lstm", 2),
)
def lstm_layer(
    xp,
    input,
    h0,
    c0,
    w_ih,
    w_hh,
    b_ih=None,
    b_hh=None,
    w_hr=None,
    /,
    reverse=False,
    batch_sizes=None,
):
    """An LSTM layer over the steps of (T, B, I): i, f, o = σ(…), g = tanh(…), c' = f c + i g.

    `h0` (B, P), `c0` (B, H) → all states h' = o tanh(c') as (T, B, P), the last (B, P) and the
    last cell (B, H). `w_hr` (P, H) projects the states. `batch_sizes` says how many of the
    sequences, sorted by length, take part in each step.

    Raises RuntimeError when the shapes do not fit.
    """
    check_layer("lstm_layer", 4, input, h0, w_ih, w_hh)
    if w_hr is None and kernels.fits(xp, batch_sizes, input, h0, c0, w_ih, w_hh, b_ih, b_hh):
        found = compiled.forward(input, h0, c0, w_ih, w_hh, both(b_ih, b_hh), reverse)
        return *found, xp.empty((0,), input.dtype)  # bent cells are computed again
    kind = input.dtype
    x, h, c, w_in, w_rec, b, project = (
        single(v) for v in (input, h0, c0, w_ih, w_hh, both(b_ih, b_hh), w_hr)
    )
    steps, batch, _ = x.shape
    size, width = w_rec.shape[0] // 4, h.shape[1]
    gates = xp.empty((steps, 4 * size, batch), x.dtype)
    from_inputs(xp, w_in, b, x, reverse, lambda w: _arranged(xp, w), gates)
    few = steps < FEW
    states = xp.empty((steps + 1, width, batch), x.dtype)
    cells = xp.empty((steps + 1, size, batch), x.dtype)
    states[0], cells[0] = h.T, c.T
    bent = xp.empty((steps, size, batch), x.dtype)  # tanh of the cells
    product = Product(xp, w_rec if few else _arranged(xp, w_rec), batch)
    scratch, fresh = xp.empty((4 * size, batch), x.dtype), xp.empty((size, batch), x.dtype)
    down = None if project is None else Product(xp, project, batch)
    half = x.dtype.type(0.5)
    for step, n in enumerate(sizes(batch_sizes, steps, batch, reverse)):
        gate, cell, state = gates[step], cells[step + 1], states[step + 1]
        product(states[step], scratch)
        gate += scratch
        if few:
            gate[...] = _arranged(xp, gate)
        xp.tanh(gate, out=gate)
        three = gate[: 3 * size]
        three *= half
        three += half
        xp.multiply(gate[size : 2 * size], cells[step], out=cell)
        xp.multiply(gate[:size], gate[3 * size :], out=fresh)
        cell += fresh
        xp.tanh(cell, out=bent[step])
        if down is None:
            xp.multiply(gate[2 * size : 3 * size], bent[step], out=state)
        else:
            xp.multiply(gate[2 * size : 3 * size], bent[step], out=fresh)
            down(fresh, state)
        if n < batch:
            state[:, n:] = states[step][:, n:]
            cell[:, n:] = cells[step][:, n:]
    ends = (s[-1].T.astype(kind, order="C") for s in (states, cells))
    return (
        outputs(xp, states[1:], batch_sizes, reverse, kind), *ends, gates, states, cells, bent,
    )  # fmt: skip


@op(
    shape=lambda input, h0, c0, w_ih, w_hh, w_hr, wanted: layer_shapes(
        wanted, input, h0, c0, w_ih, w_hh, w_ih[:1], w_hr
    ),
    function=False,
    method=False,
    oracle=False,
    returns=(
        "input_grad", "h0_grad", "c0_grad", "w_ih_grad", "w_hh_grad", "bias_grad", "w_hr_grad",
    ),
    samples=lambda make: _backward_samples(make),  # noqa: PLW0108 - below
)  # fmt: skip
def lstm_layer_backward(
    xp,
    output,
    last_state,
    last_cell,
    input,
    h0,
    c0,
    w_ih,
    w_hh,
    gates,
    states,
    cells,
    bent,
    w_hr=None,
    /,
    reverse=False,
    batch_sizes=None,
    wanted=(True,) * 6 + (False,),
):
    """The gradients of `lstm_layer` from those of its results, through time."""
    if states.ndim == 2:  # as the compiled way forward left them
        found = compiled.backward(
            output, last_state, last_cell, input, w_ih, w_hh, gates, states, cells, reverse, wanted
        )
        return only(xp, [*found, None], wanted, input.dtype)
    kind = input.dtype
    g_out, g_state, g_cell, x, w_in, w_rec, gates, states, cells, bent, project = (
        single(v)
        for v in (
            output,
            last_state,
            last_cell,
            input,
            w_ih,
            w_hh,
            gates,
            states,
            cells,
            bent,
            w_hr,
        )
    )
    steps, batch, _ = x.shape
    size = w_rec.shape[0] // 4
    incoming = last(xp, ordered(g_out, reverse))
    state = xp.array(g_state.T, order="C")  # copies: they are written to
    cell = xp.array(g_cell.T, order="C")
    grads = Gathered(xp, steps, 4 * size, batch, x.dtype)  # in torch's order: i, f, g, o
    back = Product(xp, w_rec.T, batch)
    up = None if project is None else Product(xp, project.T, batch)
    flow, one = xp.empty_like(state), xp.empty_like(cell)
    made, slopes = xp.empty_like(cell), xp.empty((3 * size, batch), x.dtype)
    ends = sizes(batch_sizes, steps, batch, reverse)
    i, f, o, g = (slice(k * size, (k + 1) * size) for k in range(4))
    for step in range(steps - 1, -1, -1):
        n, gate, grad, tanh = ends[step], gates[step], grads.piece(step), bent[step]
        of = incoming[step]  # becomes the whole gradient of this step's state
        of += state
        if n < batch:
            of[:, n:] = 0
            rest, held = state[:, n:].copy(), cell[:, n:].copy()
            cell[:, n:] = 0
        out = of
        if up is not None:
            up(of, made)
            out = made
        xp.multiply(tanh, tanh, out=one)
        xp.subtract(1, one, out=one)
        one *= gate[o]
        one *= out
        cell += one
        # σ' of the three gates, in the order i, f, o
        xp.subtract(1, gate[: 3 * size], out=slopes)
        slopes *= gate[: 3 * size]
        xp.multiply(cell, gate[g], out=grad[i])
        grad[i] *= slopes[i]
        xp.multiply(cell, cells[step], out=grad[f])
        grad[f] *= slopes[f]
        xp.multiply(gate[g], gate[g], out=one)
        xp.subtract(1, one, out=one)
        one *= gate[i]
        xp.multiply(one, cell, out=grad[o])
        xp.multiply(out, tanh, out=grad[g])
        grad[g] *= slopes[o]
        cell *= gate[f]
        back(grad, flow)
        grads.done(step)
        if n < batch:
            flow[:, n:] = rest
            cell[:, n:] = held
        state, flow = flow, state
    found = [None] * 7
    if wanted[0]:
        found[0] = input_gradient(xp, w_in, grads.flat, reverse, kind)
    found[1], found[2] = state.T.astype(kind, order="C"), cell.T.astype(kind, order="C")
    if any(wanted[3:6]):
        found[3:6] = weight_gradients(xp, grads.flat, ordered(x, reverse), states[:-1], kind)
    if wanted[6]:
        raw = gates[:, o] * bent
        found[6] = xp.matmul(incoming, raw.swapaxes(1, 2)).sum(axis=0)
    return only(xp, found, wanted, kind)


def _backward_samples(make):
    for sample in _samples(make) if make.dtype.kind in "fV" else ():
        x, h0, c0, w_ih, w_hh, *rest = sample.args
        w_hr = rest[2] if len(rest) > 2 else None
        *results, gates, states, cells, bent = laid_out(lstm_layer, sample)
        yield Sample(
            *(make(*r.shape) for r in results), x, h0, c0, w_ih, w_hh, gates, states, cells, bent,
            w_hr, grad=False, wanted=(True,) * 6 + (w_hr is not None,), **sample.kwargs,
        )  # fmt: skip


@lstm_layer.vjp_together("input", "h0", "c0", "w_ih", "w_hh", "b_ih", "b_hh", "w_hr")
def _lstm_rule(
    F,
    g,
    input,
    h0,
    c0,
    w_ih,
    w_hh,
    b_ih,
    b_hh,
    w_hr,
    gates,
    states,
    cells,
    bent,
    reverse,
    batch_sizes,
    wanted,
):
    if F.taped:
        return _recorded(F, g, input, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, reverse, batch_sizes)
    *found, b, of_hr = F.lstm_layer_backward(
        *g, input, h0, c0, w_ih, w_hh, gates, states, cells, bent, w_hr, reverse, batch_sizes,
        (*wanted[:5], wanted[5] or wanted[6], wanted[7]),
    )  # fmt: skip
    return *found, b, b, of_hr


def _recorded(F, g, input, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, reverse, batch_sizes):
    g_out, of_h, of_c = g
    walk = Walk(F, input, w_ih, plus(b_ih, b_hh), reverse, batch_sizes)
    size = c0.shape[-1]
    kept, state, cell, past = {}, h0, c0, {}
    for time in walk.times:
        past[time] = state
        raw = walk.inputs[time] + F.matmul(state, t(F, w_hh))
        i, f, g_, o = (raw[:, k * size : (k + 1) * size] for k in range(4))
        i, f, g_, o = F.sigmoid(i), F.sigmoid(f), F.tanh(g_), F.sigmoid(o)
        new = f * cell + i * g_
        bent = F.tanh(new)
        made = o * bent
        kept[time] = (i, f, g_, o, cell, bent, made)
        state = walk.kept(time, made if w_hr is None else F.matmul(made, t(F, w_hr)), state)
        cell = walk.kept(time, new, cell)
    grads, of_hr = {}, None
    for time in reversed(walk.times):
        i, f, g_, o, before, bent, made = kept[time]
        of, rest = walk.split(time, of_h)
        of = of + (g_out[time] if walk.live is None else g_out[time] * walk.live[time])
        of_c, held = walk.split(time, of_c)
        if w_hr is not None:
            of_hr = plus(of_hr, F.matmul(t(F, of), made))
            of = F.matmul(of, w_hr)
        of_c = of_c + of * o * (1 - bent * bent)
        parts = (
            of_c * g_ * i * (1 - i), of_c * before * f * (1 - f), of_c * i * (1 - g_ * g_),
            of * bent * o * (1 - o),
        )  # fmt: skip
        grads[time] = F.cat(list(parts), 1)
        of_h = plus(F.matmul(grads[time], w_hh), rest)
        of_c = plus(of_c * f, held)
    of_x, of_wi, of_wh, of_b, _ = walk.gradients(grads, past, w_ih)
    return of_x, of_h, of_c, of_wi, of_wh, of_b, of_b, of_hr
