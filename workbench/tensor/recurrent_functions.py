"""Recurrent layers and cells as functions: `lstm`, `gru`, `rnn_tanh`, `lstm_cell`, …"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.arrays import namespace, to_numpy

from .functions import function, raw
from .tensor import Tensor, wrap

_LAYERS = {"lstm": "lstm_layer", "gru": "gru_layer", "rnn_tanh": "rnn_layer",
           "rnn_relu": "rnn_layer"}  # fmt: skip


def run_layers(
    kind: str,
    input: Tensor,
    hx: Sequence[Any],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_sizes: tuple[int, ...] | None = None,
) -> tuple[Tensor, ...]:
    """All layers and directions over (T, B, I): the last layer's states, then the final ones.

    `hx` holds the initial states (layers · directions, B, H), `params` the weights in torch's
    order. `batch_sizes`: how many of the sequences, longest first, take part in each step.
    """
    ways = 2 if bidirectional else 1
    each = len(params) // (num_layers * ways)
    if each * num_layers * ways != len(params) or each not in (2, 3, 4, 5):
        raise RuntimeError(
            f"{kind}(): {len(params)} weights do not fit {num_layers} layers in {ways} directions"
        )
    step = raw(_LAYERS[kind])
    settings = {"nonlinearity": kind} if kind.startswith("rnn") else {}
    ends: list[list[Tensor]] = [[] for _ in hx]
    single = num_layers * ways == 1
    x = input
    for layer in range(num_layers):
        parts = []
        for way in range(ways):
            k = layer * ways + way
            weights = list(params[k * each : (k + 1) * each])
            if not has_biases:
                weights[2:2] = [None, None]  # type: ignore[list-item]
            states = [state.reshape(state.array.shape[1:]) if single else state[k] for state in hx]
            out, *last = step(
                x, *states, *weights, reverse=bool(way), batch_sizes=batch_sizes, **settings
            )
            parts.append(out)
            for held, state in zip(ends, last, strict=True):
                held.append(state)
        x = parts[0] if ways == 1 else raw("cat")(parts, 2)
        if dropout and train and layer < num_layers - 1:
            x = raw("native_dropout")(x, dropout)
    return x, *(e[0].unsqueeze(0) if single else raw("stack")(e, 0) for e in ends)


def spread(data: Any, batch_sizes: Any) -> Tensor:
    """Packed rows (N, *) as (T, B, *); what stands where sequences have ended is of no meaning."""
    sizes = np.asarray(batch_sizes)
    steps, batch = len(sizes), int(sizes[0])
    rest = data.array.shape[1:]
    if int(sizes[-1]) == batch:
        return data.reshape(steps, batch, *rest)
    starts = np.cumsum(sizes) - sizes
    rows = np.arange(batch)[None, :]
    where = np.where(rows < sizes[:, None], starts[:, None] + rows, 0).reshape(-1)
    found = data[wrap(namespace(data.array).asarray(where))]
    return found.reshape(steps, batch, *rest)


def gathered(padded: Any, batch_sizes: Any) -> Tensor:
    """The rows of (T, B, *) that belong to a sequence, step by step, as (N, *)."""
    sizes = np.asarray(batch_sizes)
    steps, batch, *rest = padded.array.shape
    flat = padded.reshape(steps * batch, *rest)
    if int(sizes[-1]) == batch:
        return flat
    where = np.flatnonzero((np.arange(batch)[None, :] < sizes[:, None]).reshape(-1))
    return flat[wrap(namespace(padded.array).asarray(where))]


def run_packed(
    kind: str, data: Tensor, batch_sizes: Any, hx: Sequence[Tensor], params: Any, *settings: Any
) -> tuple[Tensor, ...]:
    """`run_layers` over packed rows (N, I)."""
    sizes = tuple(int(n) for n in to_numpy(getattr(batch_sizes, "array", np.array(batch_sizes))))
    even = sizes[-1] == sizes[0]
    call: Any = run_layers
    out, *ends = call(kind, spread(data, sizes), hx, params, *settings, None if even else sizes)
    return gathered(out, sizes), *ends


def _public(kind: str, doc: str) -> Any:
    def call(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        names = ["input", "hx", "params", "has_biases", "num_layers", "dropout", "train",
                 "bidirectional", "batch_first"]  # fmt: skip
        packed = "batch_sizes" in kwargs or (len(args) > 3 and isinstance(args[3], (tuple, list)))
        if packed:
            names = ["data", "batch_sizes", *names[1:-1]]
        given = dict(zip(names, args, strict=False)) | kwargs
        missing = [n for n in names if n not in given]
        if missing or set(given) - set(names):
            raise TypeError(f"{kind}() takes {', '.join(names)}; missing: {', '.join(missing)}")
        hx = given["hx"]
        hx = (hx,) if isinstance(hx, Tensor) else tuple(hx)
        rest = [given[n] for n in names[2 + packed : -1 if not packed else None]]
        if packed:
            return run_packed(kind, given["data"], given["batch_sizes"], hx, *rest)
        x = given["input"]
        if given["batch_first"]:
            x = x.transpose(0, 1)
        out, *ends = run_layers(kind, x, hx, *rest)
        return (out.transpose(0, 1) if given["batch_first"] else out), *ends

    call.__name__ = call.__qualname__ = kind
    call.__doc__ = doc
    return function("", kind, method=False)(call)


_SHAPES = """

    (input (T, B, I), hx, params, has_biases, num_layers, dropout, train, bidirectional,
    batch_first), or (data (N, I), batch_sizes, hx, params, …) for packed rows.
    """
lstm = _public("lstm", "LSTM layers → (states (T, B, H), h_n, c_n)." + _SHAPES)
gru = _public("gru", "GRU layers → (states (T, B, H), h_n)." + _SHAPES)
rnn_tanh = _public("rnn_tanh", "RNN layers with tanh → (states (T, B, H), h_n)." + _SHAPES)
rnn_relu = _public("rnn_relu", "RNN layers with relu → (states (T, B, H), h_n)." + _SHAPES)


def _check_cell(input: Tensor, states: Sequence[Tensor], w_ih: Tensor, w_hh: Tensor) -> None:
    wide, size = input.array.shape, w_ih.array.shape[1]
    if len(wide) != 2 or wide[1] != size:
        raise RuntimeError(
            f"input has inconsistent input_size: got {wide[-1] if wide else 'a number'} expected "
            f"{size} (input of shape {list(wide)})"
        )
    for i, state in enumerate(states):
        shape, hidden = state.array.shape, w_hh.array.shape[1]
        if len(shape) != 2 or shape[1] != hidden:
            raise RuntimeError(
                f"hidden{i} has inconsistent hidden_size: got {shape[-1] if shape else 'a number'},"
                f" expected {hidden}"
            )
        if shape[0] != wide[0]:
            raise RuntimeError(
                f"Input batch size {wide[0]} doesn't match hidden{i} batch size {shape[0]}"
            )


def _cell(kind: str, input: Tensor, states: Sequence[Tensor], weights: Any) -> tuple[Tensor, ...]:
    _check_cell(input, states, weights[0], weights[1])
    settings = {"nonlinearity": kind} if kind.startswith("rnn") else {}
    return tuple(raw(_LAYERS[kind])(input.unsqueeze(0), *states, *weights, **settings)[1:])


@function(method=False)
def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: (B, I) and the states ((B, H), (B, H)) → the next states.

    Raises RuntimeError when the sizes do not fit.
    """
    state, cell = _cell("lstm", input, hx, (w_ih, w_hh, b_ih, b_hh))
    return state, cell


@function(method=False)
def gru_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of a GRU: (B, I) and the state (B, H) → the next state.

    Raises RuntimeError when the sizes do not fit.
    """
    return _cell("gru", input, (hx,), (w_ih, w_hh, b_ih, b_hh))[0]


@function(method=False)
def rnn_tanh_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of an RNN: tanh(W_ih x + b_ih + W_hh h + b_hh).

    Raises RuntimeError when the sizes do not fit.
    """
    return _cell("rnn_tanh", input, (hx,), (w_ih, w_hh, b_ih, b_hh))[0]


@function(method=False)
def rnn_relu_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of an RNN: relu(W_ih x + b_ih + W_hh h + b_hh).

    Raises RuntimeError when the sizes do not fit.
    """
    return _cell("rnn_relu", input, (hx,), (w_ih, w_hh, b_ih, b_hh))[0]
