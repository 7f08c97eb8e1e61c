"""How is a recurrent layer run step by step, where no fused kernel can: layer normalisation, and zoneout?

What the inputs say is computed for all steps at once; what is left of a step is one product with the hidden state and a
few elementwise operations. It costs: on one CPU thread a training step of 16 x 256 with 256 units takes 1.5 to 2 times
as long as the fused LSTM for an LSTM with zoneout and about 2.5 times for the layer-normalised LSTM, in bf16 hardly
less; on a GPU, which waits for Python, far more. A state part is (batch, hidden) here.

Sources: Ba, Kiros & Hinton 2016 (layer normalisation, the equations of its supplement); zoneout: Krueger et al. 2017.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqaudio.models.cells import Cell
from seqaudio.models.dropout import Zoneout
from seqaudio.models.fused import State, first_bias, initialise

Step = Callable[[Tensor, State], State]
GATES = 4


class LayerNormLSTM(nn.Module):
    """An LSTM whose gates and cell state are layer-normalised, each gate by itself (Ba, Kiros & Hinton 2016).

    gates = LN(W_ih x) + LN(W_hh h) + b; c' = sigmoid(f) c + sigmoid(i) tanh(g); h' = sigmoid(o) tanh(LN(c')). The
    shifts of both norms of the gates are one vector with b. Weights are named and ordered (i f g o) as in ``nn.LSTM``.

    Args:
        input_size: features in.
        hidden_size: features out.
        chrono: the longest memory to begin with, in steps; None: forget bias 1.
    """

    def __init__(self, input_size: int, hidden_size: int, chrono: int | None = None) -> None:
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.empty(GATES * hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.empty(GATES * hidden_size, hidden_size))
        with torch.no_grad():
            initialise("lnlstm", self.weight_ih_l0, self.weight_hh_l0)
        self.bias = nn.Parameter(first_bias("lnlstm", hidden_size, chrono))
        self.gain_ih = nn.Parameter(torch.ones(GATES, hidden_size))
        self.gain_hh = nn.Parameter(torch.ones(GATES, hidden_size))
        self.cell_norm = nn.LayerNorm(hidden_size)

    def project(self, inputs: Tensor) -> Tensor:
        """What the inputs (batch, time, features) say to the gates, (batch, time, 4 * hidden), with the bias."""
        said = functional.linear(inputs, self.weight_ih_l0).to(self.bias.dtype)
        return self._normal(said, self.gain_ih) + self.bias

    def stepper(self, recurrent: Tensor) -> Step:
        """One step with this recurrent matrix, transposed."""

        def step(said: Tensor, state: State) -> State:
            hidden, cell = state
            heard = (hidden.to(recurrent.dtype) @ recurrent).to(cell.dtype)
            cell, output = _advance(said + self._normal(heard, self.gain_hh), cell)
            return output * torch.tanh(self.cell_norm(cell)), cell

        return step

    def _normal(self, gates: Tensor, gain: Tensor) -> Tensor:
        """Each gate's vector with mean 0 and variance 1, times its gain; (..., 4 * hidden)."""
        apart = gates.reshape(*gates.shape[:-1], *gain.shape)  # (..., 4, hidden)
        return (functional.layer_norm(apart, apart.shape[-1:]) * gain).flatten(-2)


def run_stepwise(
    cell: Cell,
    layer: nn.RNNBase | LayerNormLSTM,
    recurrent: Tensor,
    inputs: Tensor,
    begin: State,
    lengths: Tensor | None,
    zoneout: Zoneout,
) -> tuple[Tensor, State]:
    """One layer over a batch: outputs (batch, time, hidden), zero behind the lengths, and the state behind it.

    Args:
        cell: which one.
        layer: a fused layer, whose weights are used, or a LayerNormLSTM.
        recurrent: the recurrent matrix (gates * hidden, hidden), dropped or not.
        inputs: (batch, time, features).
        begin: parts (batch, hidden).
        lengths: (batch,) real steps of each row; None: all.
        zoneout: what happens to the state between steps.
    """
    real = None
    if lengths is not None:
        real = (torch.arange(inputs.shape[1], device=inputs.device) < lengths.to(inputs.device)[:, None])[..., None]
        inputs = inputs.masked_fill(~real, 0.0)  # NaN there would reach the gradient of the weights
    said = layer.project(inputs) if isinstance(layer, LayerNormLSTM) else _project(cell, layer, inputs)
    device = inputs.device.type
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else recurrent.dtype
    outputs, state = [], begin
    with torch.autocast(device, enabled=False):  # it would cast the matrix anew at each step
        matrix = recurrent.t().to(low)
        step = layer.stepper(matrix) if isinstance(layer, LayerNormLSTM) else _stepper(cell, layer, matrix)
        for time, now in enumerate(said.unbind(1)):
            after = step(now, state)
            if zoneout.is_on:
                after = zoneout(state, after)
            if real is not None:
                after = tuple(torch.where(real[:, time], new, old) for new, old in zip(after, state, strict=True))
            state = after
            outputs.append(state[0])
    hidden = torch.stack(outputs, dim=1)
    return hidden if real is None else hidden.masked_fill(~real, 0.0), state


def _project(cell: Cell, layer: nn.RNNBase, inputs: Tensor) -> Tensor:
    """What the inputs say to the gates of a fused layer, with its biases; (batch, time, gates * hidden)."""
    weight, _, bias, second_bias = layer.all_weights[0]
    return functional.linear(inputs, weight, bias if cell == "gru" else bias + second_bias)


def _stepper(cell: Cell, layer: nn.RNNBase, recurrent: Tensor) -> Step:
    """One step of a cell with this recurrent matrix (hidden, gates * hidden); states keep their own precision."""

    def gates(said: Tensor, hidden: Tensor) -> Tensor:
        return torch.addmm(said, hidden.to(recurrent.dtype), recurrent).to(hidden.dtype)

    def gru(said: Tensor, state: State) -> State:
        (hidden,) = state
        heard = (hidden.to(recurrent.dtype) @ recurrent).to(hidden.dtype) + layer.all_weights[0][3]
        reset, update = torch.sigmoid((said + heard)[:, : 2 * hidden.shape[1]]).chunk(2, dim=1)
        new = torch.tanh(torch.addcmul(said.chunk(3, dim=1)[2], reset, heard.chunk(3, dim=1)[2]))
        return (torch.lerp(new, hidden, update),)

    def lstm(said: Tensor, state: State) -> State:
        new, output = _advance(gates(said, state[0]), state[1])
        return output * torch.tanh(new), new

    match cell:
        case "rnn":
            return lambda said, state: (torch.tanh(gates(said, state[0])),)
        case "irnn":
            return lambda said, state: (torch.relu(gates(said, state[0])),)
        case "gru":
            return gru
        case _:
            return lstm


def _advance(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """The cell state after a step, and how far the output gate is open; gates (batch, 4 * hidden), in order i f g o."""
    inlet, forget, _, output = torch.sigmoid(gates).chunk(4, dim=1)
    return torch.addcmul(forget * cell, inlet, torch.tanh(gates.chunk(4, dim=1)[2])), output
