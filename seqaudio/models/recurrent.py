"""How do stacked recurrent layers read a sequence, and what do they carry on?

Conventions: batch first, ``(batch, time, features)``. A state is a value: one tensor per part, ``(layers, batch,
hidden)``; RNN and GRU have one part ``(h,)``, an LSTM two ``(h, c)``. Nothing is edited in place. Each layer is one of
torch's fused kernels (oneDNN on CPU, cuDNN on GPU).

Sources: locked dropout: Gal & Ghahramani 2016; orthogonal recurrent matrices: Saxe et al. 2014; forget-gate bias 1:
Gers et al. 2000, Jozefowicz et al. 2015. torch keeps two bias vectors per gate, so the one is set and the other zero.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Cell = Literal["rnn", "gru", "lstm"]
State = tuple[Tensor, ...]

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
FORGET_GATE = 1  # place of the forget gate in torch's order: input, forget, cell, output


class LockedDropout(nn.Module):
    """Dropout with one mask for all time steps of a call, ``(batch, 1, features)``."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (batch, time, features) with the same features silenced at every step; the identity in eval mode."""
        if not self.training or self.rate == 0:
            return inputs
        kept = torch.full((inputs.shape[0], 1, inputs.shape[2]), 1 - self.rate, device=inputs.device)
        return inputs * (torch.bernoulli(kept) / (1 - self.rate)).to(inputs.dtype)


def make_layer(cell: Cell, input_size: int, hidden_size: int) -> nn.RNNBase:
    """One fused recurrent layer, initialised."""
    match cell:
        case "rnn":
            layer: nn.RNNBase = nn.RNN(input_size, hidden_size, nonlinearity="tanh", batch_first=True)
        case "gru":
            layer = nn.GRU(input_size, hidden_size, batch_first=True)
        case "lstm":
            layer = nn.LSTM(input_size, hidden_size, batch_first=True)
    weights = dict(layer.named_parameters())
    with torch.no_grad():
        nn.init.zeros_(weights["bias_ih_l0"])
        nn.init.zeros_(weights["bias_hh_l0"])
        for gate in range(GATES[cell]):
            rows = slice(gate * hidden_size, (gate + 1) * hidden_size)
            nn.init.xavier_uniform_(weights["weight_ih_l0"][rows])
            nn.init.orthogonal_(weights["weight_hh_l0"][rows])
            if cell == "lstm" and gate == FORGET_GATE:
                weights["bias_ih_l0"][rows] = 1.0
    return layer


class RecurrentStack(nn.Module):
    """Recurrent layers on top of each other, with locked dropout behind each.

    Args:
        cell: "rnn" (tanh), "gru" or "lstm".
        input_size, hidden_size: features in and out.
        layers: how many.
        dropout: rate behind each layer.
    """

    def __init__(self, cell: Cell, input_size: int, hidden_size: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.cell = cell
        self.hidden_size = hidden_size
        sizes = [input_size] + [hidden_size] * (layers - 1)
        self.layers = nn.ModuleList(make_layer(cell, size, hidden_size) for size in sizes)
        self.dropout = LockedDropout(dropout)

    def initial_state(self, batch: int) -> State:
        """Zeros: (layers, batch, hidden) for each part of the state."""
        weight = next(self.parameters())
        parts = 2 if self.cell == "lstm" else 1
        shape = (len(self.layers), batch, self.hidden_size)
        return tuple(torch.zeros(shape, device=weight.device, dtype=weight.dtype) for _ in range(parts))

    def forward(self, inputs: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Outputs (batch, time, hidden) and the state behind the last step of each row.

        Args:
            inputs: (batch, time, input_size).
            state: as :meth:`initial_state` gives it.
            lengths: (batch,) real steps of each row; outputs behind them are zero. None: every step is real.
        """
        ends = []
        outputs = inputs
        for i, layer in enumerate(self.layers):
            begin = tuple(part[i : i + 1] for part in state)  # (1, batch, hidden) each
            outputs, end = self._run(layer, outputs, begin, lengths)
            outputs = self.dropout(outputs)
            ends.append(end)
        return outputs, tuple(torch.cat(parts) for parts in zip(*ends, strict=True))

    def _run(self, layer: nn.Module, inputs: Tensor, begin: State, lengths: Tensor | None) -> tuple[Tensor, State]:
        hidden = begin if self.cell == "lstm" else begin[0]
        if lengths is None:
            outputs, end = layer(inputs, hidden)
        else:
            packed = nn.utils.rnn.pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
            outputs, end = layer(packed, hidden)
            outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])
        return outputs, end if self.cell == "lstm" else (end,)
