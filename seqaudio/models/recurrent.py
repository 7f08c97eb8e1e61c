"""How do stacked recurrent layers read a sequence, and what do they carry on?

Conventions: batch first, ``(batch, time, features)``. A state is a value: one tensor per part, ``(layers, batch,
hidden)``; plain RNNs and the GRU have one part ``(h,)``, LSTMs two ``(h, c)``. Nothing is edited in place. Layers are
torch's fused kernels wherever these can do what is asked (:mod:`seqaudio.models.fused`), else a loop over time
(:mod:`seqaudio.models.stepwise`).

Sources: the places of dropout, and weight-drop: Merity, Keskar & Socher 2018 (AWD-LSTM); sums with the layer below: He
et al. 2016; the others in the modules of the layers and of dropout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqaudio.models.cells import STATE_PARTS, Cell, state_shapes
from seqaudio.models.dropout import LockedDropout, WeightDrop, Zoneout
from seqaudio.models.fused import State, make_layer, run_fused
from seqaudio.models.stepwise import LayerNormLSTM, run_stepwise

__all__ = ["RecurrentStack", "State"]


class RecurrentStack(nn.Module):
    """Recurrent layers on top of each other, with locked dropout before, between and behind them.

    Args:
        cell: "rnn" (tanh), "irnn" (ReLU), "gru", "lstm" or "lnlstm" (layer-normalised).
        input_size: features in.
        hidden_size: features out.
        layers: how many.
        dropout: rate behind the last layer, and between layers where ``layer_dropout`` does not say another.
        layer_dropout: rate between layers.
        input_dropout: rate on the inputs.
        weight_drop: rate on the entries of each layer's recurrent matrix, one mask for a call.
        zoneout: chance that a unit of ``h`` keeps its value at a step; no fused kernel can do it.
        zoneout_cell: the same for ``c`` of an LSTM.
        chrono: the longest memory that gates begin with, in steps (GRU and LSTMs).
        residual: add the inputs of each layer but the first to its outputs.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        layers: int,
        dropout: float = 0.0,
        *,
        layer_dropout: float | None = None,
        input_dropout: float = 0.0,
        weight_drop: float = 0.0,
        zoneout: float = 0.0,
        zoneout_cell: float = 0.0,
        chrono: int | None = None,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.cell: Cell = cell
        self.hidden_size = hidden_size
        self.residual = residual
        sizes = [input_size] + [hidden_size] * (layers - 1)
        self.layers = nn.ModuleList(
            LayerNormLSTM(size, hidden_size, chrono)
            if cell == "lnlstm"
            else make_layer(cell, size, hidden_size, chrono)
            for size in sizes
        )
        self.input_dropout = LockedDropout(input_dropout)
        self.layer_dropout = LockedDropout(dropout if layer_dropout is None else layer_dropout)
        self.dropout = LockedDropout(dropout)
        self.weight_drop = WeightDrop(weight_drop)
        self.zoneout = Zoneout((zoneout, zoneout_cell)[: len(STATE_PARTS[cell])])

    def initial_state(self, batch: int) -> State:
        """Zeros: (layers, batch, hidden) for each part of the state."""
        weight = next(self.parameters())
        shapes = state_shapes(self.cell, len(self.layers), batch, self.hidden_size)
        return tuple(torch.zeros(shape, device=weight.device, dtype=weight.dtype) for shape in shapes)

    def forward(self, inputs: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Outputs (batch, time, hidden) and the state behind the last step of each row.

        Args:
            inputs: (batch, time, input_size).
            state: as :meth:`initial_state` gives it.
            lengths: (batch,) real steps of each row; outputs behind them are zero. None: every step is real.
        """
        ends = []
        outputs = self.input_dropout(inputs)
        for i, layer in enumerate(self.layers):
            below = self.layer_dropout(outputs) if i > 0 else outputs
            begin = tuple(part[i] for part in state)  # (batch, hidden) each
            above, end = self._run(layer, below, begin, lengths)
            outputs = outputs + above if self.residual and i > 0 else above
            ends.append(end)
        return self.dropout(outputs), tuple(torch.stack(parts) for parts in zip(*ends, strict=True))

    def _run(self, layer: nn.Module, inputs: Tensor, begin: State, lengths: Tensor | None) -> tuple[Tensor, State]:
        """One layer: outputs (batch, time, hidden) and the parts (batch, hidden) of its state."""
        assert isinstance(layer, (nn.RNNBase, LayerNormLSTM))
        recurrent = self.weight_drop(layer.get_parameter("weight_hh_l0"))
        if isinstance(layer, LayerNormLSTM) or self.zoneout.is_on:
            return run_stepwise(self.cell, layer, recurrent, inputs, begin, lengths, self.zoneout)
        outputs, end = run_fused(self.cell, layer, recurrent, inputs, tuple(part[None] for part in begin), lengths)
        return outputs, tuple(part[0] for part in end)
