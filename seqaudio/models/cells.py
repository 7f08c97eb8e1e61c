"""Which recurrent cells are there, what does each carry on, and which options can it honour? This needs no torch.

A part of the state is one vector of ``hidden`` numbers per layer and row: ``h``, what the layer gives out, and the cell
state ``c`` of the LSTMs.
"""

from __future__ import annotations

from typing import Literal, get_args

Cell = Literal["rnn", "irnn", "gru", "lstm", "lnlstm"]
CELLS: tuple[Cell, ...] = get_args(Cell)

STATE_PARTS: dict[Cell, tuple[str, ...]] = {
    "rnn": ("h",),
    "irnn": ("h",),
    "gru": ("h",),
    "lstm": ("h", "c"),
    "lnlstm": ("h", "c"),
}
GATES: dict[Cell, int] = {"rnn": 1, "irnn": 1, "gru": 3, "lstm": 4, "lnlstm": 4}
FUSED: tuple[Cell, ...] = ("rnn", "irnn", "gru", "lstm")  # those with a kernel in torch and an operator in ONNX
WITH_CELL_STATE: tuple[Cell, ...] = ("lstm", "lnlstm")
WITH_FORGETTING: tuple[Cell, ...] = ("gru", "lstm", "lnlstm")  # a gate says how much is kept


def state_shapes(cell: Cell, layers: int, batch: int, hidden_size: int) -> tuple[tuple[int, ...], ...]:
    """The shape of each part of the state of a stack: (layers, batch, hidden)."""
    return tuple((layers, batch, hidden_size) for _ in STATE_PARTS[cell])
