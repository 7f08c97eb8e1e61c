"""What does every sequence model promise?

A model is encoder -> stacked recurrent layers -> head. It reads ``(batch, time)`` and a state, and gives outputs and
the next state. One with a memory of the piece reads what the memory tells beside each step, and a gate mixes its
guesses into what the head says (:mod:`seqaudio.models.match_memory`). Laws, checked for every model by
``tests/contracts``: stepping equals one call; two chunks equal one; padding and batch neighbours change nothing; no
output depends on a later input. (After google/sequence-layers.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn

from seqaudio.errors import OptionError
from seqaudio.models.heads import Head
from seqaudio.models.match_memory.gate import MemoryGate
from seqaudio.models.recurrent import RecurrentStack, State

if TYPE_CHECKING:
    from seqaudio.models.match_memory import Memory


class SequenceModel(nn.Module):
    """An encoder, a recurrent stack and a head, in a row.

    Args:
        encoder: (batch, time, ...) inputs to (batch, time, features).
        stack: (batch, time, features) to (batch, time, hidden), with state.
        head: (batch, time, hidden) to outputs, and the likelihood of targets under them.
        gate: of a memory of the piece; the stack then reads its features behind those of the encoder.
    """

    def __init__(self, encoder: nn.Module, stack: RecurrentStack, head: Head, gate: MemoryGate | None = None) -> None:
        super().__init__()
        self.gate = gate
        self.encoder = encoder
        self.stack = stack
        self.head = head

    def check_memory(self, memory: Memory | None) -> None:
        """Raise OptionError unless a memory has the sources and counters that the model hears; None: it hears none."""
        given = None if memory is None else (memory.sources, memory.counters)
        heard = None
        if self.gate is not None:
            cycles = (table.num_embeddings for table in self.gate.counter if isinstance(table, nn.Embedding))
            heard = (self.gate.sources, tuple(cycles))
        if given != heard:
            raise OptionError(
                f"{_told(given)} for a model with {_told(heard)}; give checkpoint.memory(), "
                "or make_memory(config, vocabulary) of the model's config"
            )

    def initial_state(self, batch: int) -> State:
        """The state before the first step: zeros, (layers, batch, hidden) for each part."""
        return self.stack.initial_state(batch)

    def forward(
        self, inputs: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Outputs for every step, and the state behind the last real step of each row.

        Args:
            inputs: (batch, time) ids, or (batch, time, keys) frames, or whatever else the encoder reads; of a model
                with a memory (batch, time, numbers of a row), see :meth:`seqaudio.models.match_memory.Memory.heard`.
            state: from :meth:`initial_state` or an earlier call; None starts afresh.
            lengths: (batch,) number of real steps in each row, at least 1; what stands behind them is never read.
        """
        outputs, _, state = self.outputs_and_hidden(inputs, state, lengths)
        return outputs, state

    def outputs_and_hidden(
        self, inputs: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """As a call of the model, with what the last recurrent layer says, (batch, time, hidden), in between."""
        if state is None:
            state = self.initial_state(inputs.shape[0])
        if lengths is not None:
            real = torch.arange(inputs.shape[1], device=inputs.device) < lengths[:, None]  # (batch, time)
            real = real.reshape(*real.shape, *[1] * (inputs.dim() - 2))
            inputs = torch.where(real, inputs, torch.zeros_like(inputs))
        features, memory = self._features(inputs)
        hidden, state = self.stack(features, state, lengths)
        outputs = self.head(hidden)
        return outputs if self.gate is None else self.gate(outputs, hidden, *memory), hidden, state

    def advance(self, inputs: Tensor, state: State) -> State:
        """The state behind inputs (batch, time, ...), when nobody asks what comes next: no head is run."""
        _, after = self.stack(self._features(inputs)[0], state)
        return tuple(after)

    def _features(self, inputs: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """What the layers read (batch, time, features), and what the gate knows of a memory besides."""
        if self.gate is None:
            return self.encoder(inputs), ()
        steps, guesses, strengths, counters = self.gate.split(inputs)
        remembered = self.gate.features(guesses, strengths, counters)
        return torch.cat([self.encoder(steps), remembered], dim=-1), (remembered, guesses, strengths)

    def step(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: inputs (batch,) or (batch, keys) to outputs (batch, ...) and the next state."""
        outputs, state = self(inputs[:, None], state)
        return outputs[:, 0], state

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of targets (batch, time) or (batch, time, keys) under outputs, (batch, time)."""
        return self.head.nats(outputs, targets) if self.gate is None else self.gate.nats(self.head, outputs, targets)

    def nats_and_loss(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The nats, and what training lowers, (batch, time) each."""
        if self.gate is None:
            return self.head.nats_and_loss(outputs, targets)
        nats = self.gate.nats(self.head, outputs, targets)
        return nats, nats

    def sample(
        self, outputs: Tensor, generator: Generator, temperature: float = 1.0, gate_temperature: float | Tensor = 1.0
    ) -> Tensor:
        """Targets (batch, time) or (batch, time, keys), see :meth:`Head.sample` and :meth:`MemoryGate.sample`."""
        if self.gate is None:
            return self.head.sample(outputs, generator, temperature)
        return self.gate.sample(self.head, outputs, generator, temperature, gate_temperature)


def _told(memory: tuple[int, tuple[int, ...]] | None) -> str:
    """A memory by its number of sources and its counters, in words."""
    if memory is None:
        return "no memory"
    sources, counters = memory
    return f"a memory of {sources} source{'s' * (sources != 1)} and counters {list(counters)}"
