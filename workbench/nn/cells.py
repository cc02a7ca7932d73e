"""One step of a recurrent layer: RNNCell, LSTMCell, GRUCell."""

from __future__ import annotations

import math
from typing import Any

from workbench.arrays import namespace
from workbench.tensor import FUNCTIONS, Tensor, wrap

from . import init
from .check import whole
from .module import Module
from .parameter import Parameter, empty
from .start import own_stream

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]

_op = FUNCTIONS[""]


class RNNCellBase(Module):
    """What the cells share: weights (chunks · H, I) and (chunks · H, H), biases, checks.

    The values start uniform within ±1/√hidden_size.
    """

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None
    nonlinearity: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.input_size = whole(name, "input_size", input_size)
        self.hidden_size = whole(name, "hidden_size", hidden_size)
        self.bias = bias
        rows = num_chunks * self.hidden_size
        self.weight_ih = Parameter(empty((rows, self.input_size), device, dtype))
        self.weight_hh = Parameter(empty((rows, self.hidden_size), device, dtype))
        for which in ("bias_ih", "bias_hh"):
            if bias:
                setattr(self, which, Parameter(empty((rows,), device, dtype)))
            else:
                self.register_parameter(which, None)
        self.reset_parameters()

    @own_stream
    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        text = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    def _prepared(
        self, input: Tensor, states: tuple[Tensor, ...] | None, count: int
    ) -> tuple[Tensor, tuple[Tensor, ...], bool]:
        """Input and states with a batch dimension, and whether the input had one."""
        name, array = type(self).__name__, input.array
        if array.ndim not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {array.ndim}D instead")
        batched = array.ndim == 2
        x = input if batched else input.unsqueeze(0)
        if states is None:
            shape = (x.array.shape[0], self.hidden_size)
            zeros = wrap(namespace(array).zeros(shape, array.dtype))
            return x, (zeros,) * count, batched
        for i, state in enumerate(states):
            if state.array.ndim not in (1, 2):
                what = f"hx[{i}]" if count > 1 else "hidden"
                raise ValueError(
                    f"{name}: Expected {what} to be 1D or 2D, got {state.array.ndim}D instead"
                )
        if not batched:
            states = tuple(s.unsqueeze(0) if s.array.ndim == 1 else s for s in states)
        return x, states, batched

    def _weights(self) -> tuple[Any, ...]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh


class RNNCell(RNNCellBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu of it."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """(B, I) or (I), and the state (B, H) or (H), zeros where None → the next state.

        Raises ValueError or RuntimeError for shapes that do not fit.
        """
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        x, states, batched = self._prepared(input, None if hx is None else (hx,), 1)
        out = _op[f"rnn_{self.nonlinearity}_cell"](x, states[0], *self._weights())
        return out if batched else out.squeeze(0)


class GRUCell(RNNCellBase):
    """One step of a GRU."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """(B, I) or (I), and the state (B, H) or (H), zeros where None → the next state.

        Raises ValueError or RuntimeError for shapes that do not fit.
        """
        x, states, batched = self._prepared(input, None if hx is None else (hx,), 1)
        out = _op["gru_cell"](x, states[0], *self._weights())
        return out if batched else out.squeeze(0)


class LSTMCell(RNNCellBase):
    """One step of an LSTM; its state is a pair (h, c)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, I) or (I), and two states (B, H) or (H), zeros where None → the next two.

        Raises ValueError or RuntimeError for shapes that do not fit.
        """
        x, states, batched = self._prepared(input, None if hx is None else tuple(hx), 2)
        h, c = _op["lstm_cell"](x, states, *self._weights())
        return (h, c) if batched else (h.squeeze(0), c.squeeze(0))
