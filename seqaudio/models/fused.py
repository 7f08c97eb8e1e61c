"""How does one recurrent layer begin, and how is it run on torch's fused kernels (oneDNN on CPU, cuDNN on GPU)?

A layer is torch's own module, which holds the weights; the kernel is called with them, the recurrent matrix handed over
apart, since weight-drop gives it anew for each call. Gates in torch's order: LSTM i f g o; GRU r z n.

Sources: orthogonal recurrent matrices: Saxe et al. 2014; forget-gate bias 1: Gers et al. 2000, Jozefowicz et al. 2015;
ReLU with identity: Le, Jaitly & Hinton 2015; chrono: Tallec & Ollivier 2018. torch keeps two bias vectors per gate, so
one is set and the other zero.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from seqaudio.models.cells import GATES, Cell

State = tuple[Tensor, ...]

INPUT_GATE, FORGET_GATE, UPDATE_GATE = 0, 1, 1  # places in torch's order
KERNELS: dict[Cell, Callable[..., tuple[Tensor, ...]]] = {
    "rnn": torch.rnn_tanh,
    "irnn": torch.rnn_relu,
    "gru": torch.gru,
    "lstm": torch.lstm,
}
MOST_STEPS = 512  # of one call: the tensors of longer ones are so large that memory is asked for anew at each step
IRNN_INPUT_STD = 0.001  # of Le, Jaitly & Hinton


def make_layer(cell: Cell, input_size: int, hidden_size: int, chrono: int | None = None) -> nn.RNNBase:
    """One fused recurrent layer, initialised.

    Args:
        cell: "rnn" (tanh), "irnn" (ReLU), "gru" or "lstm".
        input_size: features in.
        hidden_size: features out.
        chrono: the longest memory to begin with, in steps; None: the usual biases.
    """
    match cell:
        case "rnn" | "irnn":
            nonlinearity = "tanh" if cell == "rnn" else "relu"
            layer: nn.RNNBase = nn.RNN(input_size, hidden_size, nonlinearity=nonlinearity, batch_first=True)
        case "gru":
            layer = nn.GRU(input_size, hidden_size, batch_first=True)
        case "lstm":
            layer = nn.LSTM(input_size, hidden_size, batch_first=True)
        case _:
            raise ValueError(f"{cell}: torch has no fused kernel for it")
    with torch.no_grad():
        from_inputs, from_hidden, bias, second_bias = layer.all_weights[0]
        initialise(cell, from_inputs, from_hidden)
        bias.copy_(first_bias(cell, hidden_size, chrono))
        nn.init.zeros_(second_bias)
    return layer


def initialise(cell: Cell, inputs: Tensor, recurrent: Tensor) -> None:
    """Fill both matrices (gates * hidden, features) in place, gate by gate: Glorot and orthogonal, or as in an IRNN."""
    for from_inputs, from_hidden in zip(inputs.chunk(GATES[cell]), recurrent.chunk(GATES[cell]), strict=True):
        if cell == "irnn":
            nn.init.normal_(from_inputs, std=IRNN_INPUT_STD)
            nn.init.eye_(from_hidden)
        else:
            nn.init.xavier_uniform_(from_inputs)
            nn.init.orthogonal_(from_hidden)


def first_bias(cell: Cell, hidden_size: int, chrono: int | None = None) -> Tensor:
    """The bias (gates * hidden,) to begin with: zero, and 1 in the forget gate of an LSTM; or chrono.

    Chrono, after Tallec & Ollivier 2018: a gate that keeps a share s of its content each step remembers for about
    1 / (1 - s) steps. With a bias of log(u), u uniform in (1, T - 1), these times are spread evenly up to T. An LSTM's
    input gates get the negative of it, so that what is kept and what is added sum to one; a GRU's update gate is both.
    """
    bias = torch.zeros(GATES[cell], hidden_size)
    if chrono is not None:
        times = torch.log(torch.empty(hidden_size).uniform_(1, chrono - 1))
        if cell == "gru":
            bias[UPDATE_GATE] = times
        else:
            bias[FORGET_GATE], bias[INPUT_GATE] = times, -times
    elif GATES[cell] == 4:
        bias[FORGET_GATE] = 1.0
    return bias.flatten()


def run_fused(
    cell: Cell, layer: nn.RNNBase, recurrent: Tensor, inputs: Tensor, begin: State, lengths: Tensor | None
) -> tuple[Tensor, State]:
    """One layer over a batch: outputs (batch, time, hidden), zero behind the lengths, and the state parts behind it.

    Args:
        cell: which kernel.
        layer: as :func:`make_layer` gives it.
        recurrent: the matrix to use in place of the layer's own, or that itself.
        inputs: (batch, time, features).
        begin: parts (1, batch, hidden).
        lengths: (batch,) real steps of each row; None: all.
    """
    if lengths is None:
        read: list[Tensor] = []
        for part in torch.split(inputs, MOST_STEPS, dim=1):
            outputs, *state = _kernel(cell, layer, recurrent, begin, part)
            read, begin = [*read, outputs], tuple(state)
        return read[0] if len(read) == 1 else torch.cat(read, dim=1), begin
    packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
    order, back = packed.sorted_indices, packed.unsorted_indices  # rows from long to short, and back
    assert order is not None
    assert back is not None
    begin = tuple(part.index_select(1, order) for part in begin)
    data, *end = _kernel(cell, layer, recurrent, begin, packed.data, packed.batch_sizes)
    packed = PackedSequence(data, packed.batch_sizes, order, back)
    outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=inputs.shape[1])
    return outputs, tuple(part.index_select(1, back) for part in end)


@cache
def has_bf16_lstm() -> bool:
    """Whether this CPU has oneDNN's LSTM in bf16; without AVX-512 it has none, and torch fails there under autocast."""
    row, weights = torch.zeros(1, 1, 1), [torch.zeros(4, 1), torch.zeros(4, 1), torch.zeros(4), torch.zeros(4)]
    try:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            torch.lstm(row, (row, row), weights, True, 1, 0.0, False, False, False)
    except RuntimeError:
        return False
    return True


def _kernel(cell: Cell, layer: nn.RNNBase, recurrent: Tensor, begin: State, *inputs: Tensor) -> tuple[Tensor, ...]:
    """Outputs and state parts; inputs are (batch, time, features), or packed data and their batch sizes.

    Autocast is left to the LSTM on a CPU: oneDNN's kernel is twice as fast in bf16, while the others would gain nothing
    and carry a state of 8 bits from step to step. On a GPU autocast hands cuDNN float16, whatever it was asked for, and
    gradients of a mean over a batch are too small for that.
    """
    device = inputs[0].device.type
    halved = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    if halved and not (device == "cpu" and cell == "lstm" and has_bf16_lstm()):
        with torch.autocast(device, enabled=False):
            return _run_kernel(cell, layer, recurrent, begin, inputs[0].float(), *inputs[1:])
    return _run_kernel(cell, layer, recurrent, begin, *inputs)


def _run_kernel(cell: Cell, layer: nn.RNNBase, recurrent: Tensor, begin: State, *inputs: Tensor) -> tuple[Tensor, ...]:
    from_inputs, from_hidden, *biases = layer.all_weights[0]
    hidden = begin if cell == "lstm" else begin[0]
    options = [True, 1, 0.0, layer.training, False]  # has biases, layers, dropout, training, bidirectional
    if len(inputs) == 1:
        options.append(True)  # batch first
    run = partial(KERNELS[cell], *inputs, hidden, [from_inputs, recurrent, *biases], *options)
    if recurrent is from_hidden:
        return run()
    with warnings.catch_warnings():
        # a dropped matrix lies apart from the other weights: cuDNN copies them, and says so
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
        return run()
