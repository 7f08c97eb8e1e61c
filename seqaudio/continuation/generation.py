"""How are bars generated? Token by token under a grammar, many outputs side by side.

A network reads all of its weights for a step, however many rows it goes: a token of one of many outputs costs a
fraction of a token alone. Output i behind a primer depends on the seed and on i, and not on what goes beside it: to the
bit with ONNX Runtime's LSTM on x86-64, else but for the last digits of logits, which hardly ever move a draw.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.engines import CHUNK, EngineState, Predictor
from seqaudio.continuation.form import Following
from seqaudio.continuation.grammar import ContinuationGrammar, ContinuationState
from seqaudio.continuation.remembering import ALL, WithGate
from seqaudio.continuation.sampling import Sampling, sample
from seqaudio.continuation.turns import Turns
from seqaudio.errors import CheckpointError, OptionError
from seqaudio.models.match_memory.memory import NEVER

SIDE_BY_SIDE = 32  # outputs; more are hardly cheaper


class Beginning(NamedTuple):
    """What outputs go on from: tokens heard, the grammar of what comes, the seed of the draws, and the form there."""

    ids: NDArray[np.int64]
    grammar: ContinuationGrammar
    seed: int
    form: Following | None = None


class Generated(NamedTuple):
    """Sampled tokens, and what a :class:`seqaudio.continuation.piece.Continuation` says of them."""

    ids: NDArray[np.int64]
    nats_per_token: float
    refused_silences: int
    refused_turns: int
    form: Following | None


@dataclass
class _Output:
    """One of the outputs while it is written; its place: which beginning, and which of the outputs behind it."""

    place: tuple[int, int]
    grammar: ContinuationGrammar
    state: ContinuationState
    generator: np.random.Generator
    turns: Turns = field(default_factory=lambda: Turns(0))
    form: Following | None = None
    ids: list[int] = field(default_factory=list)
    nats: float = 0.0
    refused: int = 0
    refused_turns: int = 0

    def draw(self, wanted: NDArray[np.float32], logits: NDArray[np.float32], sampling: Sampling) -> int:
        """The next token, drawn of what is wanted; logits are those of the model itself."""
        mask, form = self.grammar.mask(self.state), self.form
        guide = None if form is None or form.guess is None else (form.guess, form.form.variation)
        if guide and self.grammar.refuses_silence(self.state) and self.grammar.may_be_silent(self.state, guide[0]):
            mask[guide[0]] = True
        else:
            self.refused += self.grammar.wants_silence(self.state, logits)
        token = sample(wanted, mask, sampling, self.generator, guide)
        self.nats += float(np.logaddexp.reduce(logits.astype(np.float64)) - logits[token])
        self.state = self.grammar.after(self.state, token)
        self.turns = self.turns.after(token, self.state.tokens)
        if form:
            self.form = form.after(token, self.state.tokens)
            if form.pickup is None and self.form.pickup:  # now it is known that the first bar is none of the form
                self.grammar = replace(self.grammar, bars=self.grammar.bars + 1)
        self.refused_turns += self.state.tokens.last == "Bar" and not self.is_over and self.open[1] != NEVER
        self.ids.append(token)
        return token

    @property
    def is_over(self) -> bool:
        """Whether the bar line behind the last bar is written."""
        return self.grammar.is_over(self.state)

    def generated(self) -> Generated:
        """The bars up to and without that bar line."""
        return Generated(
            np.array(self.ids[:-1]), self.nats / len(self.ids), self.refused, self.refused_turns, self.form
        )

    @property
    def open(self) -> tuple[int, int]:
        """The steps that may be copied now, from the first to before the last: what form and turns leave."""
        closed = self.turns.closed
        if self.form and self.form.returning:
            closed = None  # it was asked for
        return (self.form.since if self.form else 0), (NEVER if closed is None else closed)


class _SideBySide:
    """Outputs that are being written, one to a row, and what the model says behind the last token of each."""

    def __init__(self, engine: Predictor, sampling: Sampling) -> None:
        self.outputs: list[_Output] = []
        self._engine, self._sampling = engine, sampling
        self._gated = engine if isinstance(engine, WithGate) else None
        self._logits = np.zeros((0, 0), np.float32)
        self._state: EngineState = ()

    def add(self, begun: Iterable[tuple[_Output, NDArray[np.float32], EngineState]]) -> None:
        """More, each behind logits (1, vocabulary) and the state there."""
        logits, states = [self._logits], [self._state]
        for output, first, state in begun:
            self.outputs.append(output)
            logits.append(first)
            states.append(state)
        if len(states) > 1:
            behind = slice(0 if len(self._logits) else 1, None)
            self._logits, self._state = np.concatenate(logits[behind]), self._engine.joined(states[behind])

    def step(self) -> list[_Output]:
        """Draw a token for each; those that are over leave, and the network hears the tokens of the others."""
        rows = zip(self.outputs, self._wanted(), self._logits, strict=True)
        tokens = np.array([output.draw(one, logits, self._sampling) for output, one, logits in rows])
        over = [output for output in self.outputs if output.is_over]
        if over:
            left = np.array([not output.is_over for output in self.outputs])
            self.outputs = [output for output in self.outputs if not output.is_over]
            self._state, self._logits, tokens = self._engine.taken(self._state, left), self._logits[left], tokens[left]
        if self.outputs:
            logits, self._state = self._engine.run(tokens[:, None], self._state)
            self._logits = logits[:, 0]
        return over

    def _wanted(self) -> NDArray[np.float32]:
        """Logits to draw from, before each output's form: with the gate cooled, and open to what may be copied now."""
        gate_temperature = self._sampling.gate_temperature or 1.0  # which is never None here
        steps = [output.open for output in self.outputs]
        if self._gated is None or (gate_temperature == 1 and all(open_ == ALL for open_ in steps)):
            return self._logits
        return self._gated.cooled(self._state, gate_temperature, np.array(steps))


def generate(
    engine: Predictor, beginnings: Sequence[Beginning], num_outputs: int, sampling: Sampling | None
) -> Iterator[tuple[tuple[int, int], Generated]]:
    """So many outputs behind each beginning, each as soon as it is written.

    Args:
        engine: what predicts.
        beginnings: where from.
        num_outputs: of each.
        sampling: temperatures, cuts and turns; None: the model's own temperatures and turns, and no cuts.

    Yields:
        Which beginning and which of its outputs, from 0, and the output.

    Raises:
        OptionError: a number or a seed is out of range, or a gate is to be cooled or turns kept from and there is none.
        CheckpointError: what the model says behind what was heard is no number.
    """
    sampling = (sampling or Sampling()).of_model(engine.checkpoint.sampling)
    _check(engine, beginnings, num_outputs, sampling)
    waiting = _begun(engine, beginnings, num_outputs, sampling.max_turns or 0)
    beside = _SideBySide(engine, sampling)
    while True:
        beside.add(islice(waiting, SIDE_BY_SIDE - len(beside.outputs)))
        if not beside.outputs:
            return
        for output in beside.step():
            yield output.place, output.generated()


def _check(engine: Predictor, beginnings: Sequence[Beginning], num_outputs: int, sampling: Sampling) -> None:
    """Raise the OptionErrors of :func:`generate`."""
    if not 1 <= num_outputs <= 10_000:
        raise OptionError(f"num_outputs is {num_outputs}, it must be 1 to 10000")
    for beginning in beginnings:
        if beginning.seed < 0:
            raise OptionError(f"seed is {beginning.seed}, it must be 0 or more")
    if sampling.gate_temperature != 1 and not isinstance(engine, WithGate):
        raise OptionError("gate_temperature is for models with a memory, and this one has none; leave it out")
    if sampling.max_turns and not isinstance(engine, WithGate):
        raise OptionError("max_turns is for models with a memory, and this one has none; leave it out")


def _begun(
    engine: Predictor, beginnings: Sequence[Beginning], num_outputs: int, max_turns: int
) -> Iterator[tuple[_Output, NDArray[np.float32], EngineState]]:
    """Outputs in order, with the logits (1, vocabulary) and the state behind what was heard, which is heard once."""
    for i, (ids, grammar, seed, form) in enumerate(beginnings):
        logits, state = _hear(engine, ids)
        tokens, turns = grammar.tokenizer.start(), Turns(max_turns)
        for token in ids.tolist():
            tokens = tokens.after(token)
            turns = turns.after(token, tokens)
        turns = turns.heard()
        for number in range(num_outputs):
            generator = np.random.default_rng((seed, number))
            yield _Output((i, number), grammar, ContinuationState(tokens), generator, turns, form), logits, state


def _hear(engine: Predictor, ids: NDArray[np.int64]) -> tuple[NDArray[np.float32], EngineState]:
    """Logits (1, vocabulary) behind the last id, and the state there; in chunks, so that memory stays bounded."""
    state = engine.initial_state(1)
    for start in range(0, len(ids), CHUNK):
        logits, state = engine.run(ids[None, start : start + CHUNK], state)
    if not np.isfinite(logits[0, -1]).all():
        raise CheckpointError("the model's weights are damaged: what comes next is not a number; copy or train it anew")
    return logits[:, -1], state
