"""Recurrent layers over sequences: RNN, LSTM, GRU. Their cells are in `cells`."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.arrays.dtypes import dtype_of
from workbench.tensor import Tensor, wrap
from workbench.tensor.recurrent_functions import run_layers, run_packed

from . import init
from .module import Module
from .parameter import Parameter, empty
from .start import own_stream
from .utils.rnn import PackedSequence

__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]

_KINDS = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
    if value <= 0:
        raise ValueError(f"{name} must be greater than zero")
    return int(value)


class RNNBase(Module):
    """What RNN, LSTM and GRU share: weights, checks, packed and unbatched sequences.

    The weights are named as torch names them: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`,
    `bias_hh_l0`, (`weight_hr_l0`), then those with `_reverse`, then the next layer's. All start
    uniform within ±1/√hidden_size.

    Raises TypeError for sizes that are no integers, ValueError for settings out of range.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if (
            not isinstance(dropout, numbers.Number)
            or isinstance(dropout, (bool, complex))
            or not 0 <= dropout <= 1  # type: ignore[operator]
        ):
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an "
                f"element being zeroed, got {dropout!r}"
            )
        if mode not in _KINDS:
            raise ValueError("Unrecognized RNN mode: " + mode)
        self.mode = mode
        self.input_size = _whole("input_size", input_size)
        self.hidden_size = _whole("hidden_size", hidden_size)
        self.num_layers = _whole("num_layers", num_layers)
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={num_layers}",
                stacklevel=3,
            )
        if proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if proj_size and mode != "LSTM":
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        self._names: list[list[str]] = []
        rows = _KINDS[mode] * self.hidden_size
        state = proj_size or self.hidden_size
        for layer in range(self.num_layers):
            for suffix in ("", "_reverse") if bidirectional else ("",):
                width = self.input_size if layer == 0 else state * (2 if bidirectional else 1)
                shapes = {"weight_ih": (rows, width), "weight_hh": (rows, state)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}  # type: ignore[dict-item]
                if proj_size:
                    shapes["weight_hr"] = (proj_size, self.hidden_size)
                names = [f"{name}_l{layer}{suffix}" for name in shapes]
                for name, shape in zip(names, shapes.values(), strict=True):
                    setattr(self, name, Parameter(empty(shape, device, dtype)))
                self._names.append(names)
        self.reset_parameters()

    @own_stream
    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._names]

    @property
    def _flat_weights(self) -> list[Parameter]:
        space = self.__dict__
        try:
            return [space[name] for names in self._names for name in names]
        except KeyError:  # one is computed, as a parametrised weight is
            return [getattr(self, name) for names in self._names for name in names]

    def flatten_parameters(self) -> None:
        """Nothing: the weights need no particular place in memory."""

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Refuse an input of another dtype (ValueError) or shape (RuntimeError)."""
        weight = self._flat_weights[0].array
        array = input.array
        if array.dtype != weight.dtype:
            given, wanted = dtype_of(array), dtype_of(weight)
            raise ValueError(
                f"RNN input dtype ({given}) does not match weight dtype ({wanted}). Convert input: "
                f"input.to({wanted}), or convert model: model.to({given})"
            )
        expected = 3 if batch_sizes is None else 2
        if array.ndim != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {array.ndim}")
        if array.shape[-1] != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {array.shape[-1]}"
            )

    def get_expected_hidden_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """(layers · directions, batch, size of a state)."""
        if batch_sizes is not None:
            batch = int(batch_sizes.array[0])
        else:
            batch = input.array.shape[0 if self.batch_first else 1]
        return (self._ways(), batch, self.proj_size or self.hidden_size)

    def get_expected_cell_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """(layers · directions, batch, size of a cell)."""
        ways, batch, _ = self.get_expected_hidden_size(input, batch_sizes)
        return ways, batch, self.hidden_size

    def _ways(self) -> int:
        return self.num_layers * (2 if self.bidirectional else 1)

    def check_hidden_size(
        self, hx: Tensor, expected: tuple[int, ...], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """Refuse a state of another shape (RuntimeError)."""
        if tuple(hx.array.shape) != expected:
            raise RuntimeError(msg.format(expected, list(hx.array.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Refuse an input or states that do not fit."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The states in the order in which packed sequences lie, or back."""
        return hx if permutation is None else hx.index_select(1, permutation)

    # -- how states come and go: one Tensor, a pair for LSTM ------------------------------------

    def _states(self, hx: Any) -> tuple[Tensor, ...]:
        return (hx,)

    def _hidden(self, states: tuple[Tensor, ...]) -> Any:
        return states[0]

    def _state_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size,)

    def _refuse_dimensions(self, hx: Any, wanted: int) -> None:
        what = "unbatched 2-D" if wanted == 2 else "batched 3-D"
        if hx.array.ndim != wanted:
            raise RuntimeError(
                f"For {what} input, hx should also be {wanted}-D but got {hx.array.ndim}-D tensor"
            )

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """(T, B, I), (B, T, I) with batch_first, (T, I) or a PackedSequence → (states, last).

        The states come in the input's form; the last ones are (layers · directions, B, H), without
        B for an unbatched input. Initial states are zeros where `hx` is None.

        Raises ValueError or RuntimeError for shapes and dtypes that do not fit.
        """
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        array = input.array
        if array.ndim not in (2, 3):
            raise ValueError(
                f"{self._title()}: Expected input to be 2D or 3D, got {array.ndim}D instead"
            )
        batched = array.ndim == 3
        x = input if batched else input.unsqueeze(0 if self.batch_first else 1)
        if hx is not None:
            self._refuse_dimensions(hx, array.ndim)
            if not batched:
                hx = self._hidden(tuple(s.unsqueeze(1) for s in self._states(hx)))
        if hx is None:
            self.check_input(x, None)
            hx = self._zeros(array, self.get_expected_hidden_size(x, None)[1])
        else:
            self.check_forward_args(x, hx, None)
        if array.shape[1 if self.batch_first and batched else 0] == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        if self.batch_first:
            x = x.transpose(0, 1)
        out, *ends = run_layers(self.mode.lower(), x, self._states(hx), *self._settings())
        if self.batch_first:
            out = out.transpose(0, 1)
        if not batched:
            out = out.squeeze(0 if self.batch_first else 1)
            ends = [e.squeeze(1) for e in ends]
        return out, self._hidden(tuple(ends))

    def _packed(self, input: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        data, sizes, order, back = input
        if hx is None:
            self.check_input(data, sizes)
            hx = self._zeros(data.array, int(sizes.array[0]))
        else:
            hx = self.permute_hidden(hx, order)
            self.check_forward_args(data, hx, sizes)
        out, *ends = run_packed(self.mode.lower(), data, sizes, self._states(hx), *self._settings())
        last = self.permute_hidden(self._hidden(tuple(ends)), back)
        return PackedSequence(out, sizes, order, back), last

    def _settings(self) -> tuple[Any, ...]:
        return (
            self._flat_weights, self.bias, self.num_layers, self.dropout, self.training,
            self.bidirectional,
        )  # fmt: skip

    def _zeros(self, like: Any, batch: int) -> Any:
        xp, ways = namespace(like), self._ways()
        return self._hidden(
            tuple(wrap(xp.zeros((ways, batch, n), like.dtype)) for n in self._state_sizes())
        )

    def _title(self) -> str:
        return "RNN" if self.mode.startswith("RNN") else self.mode

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        for name, usual in (
            ("bias", True), ("batch_first", False), ("dropout", 0), ("bidirectional", False),
        ):  # fmt: skip
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(RNNBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu of it, over sequences. Elman, 1990.

    Arguments: input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True,
    batch_first=False, dropout=0.0, bidirectional=False.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        proj_size: int = 0,
    ) -> None:
        if proj_size:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        mode = f"RNN_{nonlinearity.upper()}"
        super().__init__(mode, input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, 0, device, dtype)  # fmt: skip
        self.nonlinearity = nonlinearity


class GRU(RNNBase):
    """Gated recurrent units over sequences (Cho et al., 2014).

    r, z = σ(W x + b + W' h + b'), n = tanh(W x + b + r (W' h + b')), h' = (1 - z) n + z h.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        proj_size: int = 0,
    ) -> None:
        if proj_size:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, 0, device, dtype)  # fmt: skip


class LSTM(RNNBase):
    """Long short-term memory over sequences (Hochreiter & Schmidhuber, 1997).

    i, f, o = σ(…), g = tanh(…), c' = f c + i g, h' = o tanh(c'), projected to `proj_size` where
    given (Sak et al., 2014). States are pairs (h, c).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__("LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, proj_size, device, dtype)  # fmt: skip

    def _states(self, hx: Any) -> tuple[Tensor, ...]:
        return tuple(hx)

    def _hidden(self, states: tuple[Tensor, ...]) -> Any:
        return states

    def _state_sizes(self) -> tuple[int, ...]:
        return (self.proj_size or self.hidden_size, self.hidden_size)

    def _refuse_dimensions(self, hx: Any, wanted: int) -> None:
        what = "unbatched 2-D" if wanted == 2 else "batched 3-D"
        found = tuple(s.array.ndim for s in hx)
        if found != (wanted, wanted):
            raise RuntimeError(
                f"For {what} input, hx and cx should also be {wanted}-D but got "
                f"({found[0]}-D, {found[1]}-D) tensors"
            )

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Refuse an input or states that do not fit."""
        self.check_input(input, batch_sizes)
        for i, size in enumerate(
            (
                self.get_expected_hidden_size(input, batch_sizes),
                self.get_expected_cell_size(input, batch_sizes),
            )
        ):
            self.check_hidden_size(hidden[i], size, f"Expected hidden[{i}] size {{}}, got {{}}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The states in the order in which packed sequences lie, or back."""
        if permutation is None:
            return hx
        return tuple(s.index_select(1, permutation) for s in hx)
