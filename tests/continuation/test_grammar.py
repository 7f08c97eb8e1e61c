"""Whatever is sampled under a continuation's grammar: exact bars, no dead end, no long silence, nothing forbidden."""

from itertools import pairwise

import numpy as np
import pytest

from seqaudio.continuation.grammar import ContinuationGrammar, ContinuationState, allowed_tokens
from tests.samples import FULL, MELODY, PEDALS, tune


def start(tokenizer, primer=None):
    """The state behind a primer, or behind BOS."""
    state = tokenizer.start()
    ids = tokenizer.encode(primer)[:-1] if primer is not None else [tokenizer.vocabulary.id("BOS_None")]
    for token in ids:
        state = state.after(int(token))
    return ContinuationState(state)


def walk(grammar, state, generator, prefer=()):
    """Random tokens under the mask, evenly, or the preferred kind where it may follow; up to the end."""
    vocabulary = grammar.tokenizer.vocabulary
    ids = []
    while not grammar.is_over(state):
        mask = grammar.mask(state)
        assert mask.shape == (len(vocabulary),)
        choices = np.flatnonzero(mask)
        assert len(choices), f"nothing may follow {vocabulary.names[ids[-1]]}"
        for kind in prefer:
            inside = choices[(choices >= vocabulary.slices[kind].start) & (choices < vocabulary.slices[kind].stop)]
            choices = inside if len(inside) else choices
        ids.append(int(generator.choice(choices)))
        state = grammar.after(state, ids[-1])
        assert len(ids) < 20_000
    return ids


def names(tokenizer, ids):
    return [tokenizer.vocabulary.names[token] for token in ids]


def bars_of(tokenizer, ids):
    """Token names bar by bar, without the bar line behind the last."""
    bars = []
    for name in names(tokenizer, ids)[:-1]:
        if name == "Bar_None":
            bars.append([])
        else:
            bars[-1].append(name)
    return bars


@pytest.mark.parametrize("tokenizer", [MELODY, FULL, PEDALS], ids=["melody", "full", "pedals"])
@pytest.mark.parametrize("pitch_range", [(0, 127), (48, 84), (60, 60), (126, 127)], ids=str)
@pytest.mark.parametrize("prefer", [(), ("Bar",), ("Velocity", "Pitch")], ids=["evenly", "bars first", "notes first"])
def test_walks(tokenizer, pitch_range, prefer):
    prefer = [kind for kind in prefer if kind in tokenizer.vocabulary.slices]
    allowed = allowed_tokens(tokenizer, pitch_range, conducts=False, programs={0})
    for seed in range(6):
        bars = 1 + seed
        grammar = ContinuationGrammar(tokenizer, bars, allowed)
        ids = walk(grammar, start(tokenizer, tune(2, (3, 4))), np.random.default_rng(seed), prefer)
        assert ids[0] == ids[-1] == tokenizer.vocabulary.id("Bar_None")
        assert allowed[ids].all()
        found = bars_of(tokenizer, ids)
        assert len(found) == bars
        sounds = [any(name.startswith("Pitch") for name in bar) for bar in found]
        assert sounds[-1]
        assert not any(not one and not other for one, other in pairwise(sounds))
        pitches = [int(name.split("_")[1]) for bar in found for name in bar if name.startswith("Pitch_")]
        assert all(pitch_range[0] <= pitch <= pitch_range[1] for pitch in pitches)
        assert not any(name.startswith(("TimeSig", "Tempo", "EOS", "BOS", "PAD")) for bar in found for name in bar)


def test_a_silent_bar_may_stand_between_sounding_ones():
    """Silence is not forbidden as such: with bars first, every other bar is empty."""
    grammar = ContinuationGrammar(MELODY, 5, allowed_tokens(MELODY, (0, 127), conducts=False, programs=None))
    ids = walk(grammar, start(MELODY, tune(1)), np.random.default_rng(0), ("Bar",))
    assert [bool(bar) for bar in bars_of(MELODY, ids)] == [False, True, False, True, True]


def test_only_programs_of_the_primer():
    primer = tune(2).replaced(program=np.full(len(tune(2)), 40))
    grammar = ContinuationGrammar(FULL, 3, allowed_tokens(FULL, (40, 90), conducts=False, programs={-1, 40, 73}))
    found = set()
    for seed in range(10):
        ids = walk(grammar, start(FULL, primer), np.random.default_rng(seed), ("Program",))
        found |= {name for name in names(FULL, ids) if name.startswith("Program")}
    assert found == {"Program_-1", "Program_40", "Program_73"}


def test_from_nothing_the_metre_is_chosen():
    grammar = ContinuationGrammar(MELODY, 2, allowed_tokens(MELODY, (40, 90), conducts=True, programs=None))
    state = start(MELODY)
    only = np.flatnonzero(grammar.mask(state))
    assert names(MELODY, only) == ["Bar_None"]
    state = grammar.after(state, int(only[0]))
    assert {name.split("_")[0] for name in names(MELODY, np.flatnonzero(grammar.mask(state)))} == {"TimeSig"}


@pytest.mark.parametrize("tokenizer", [MELODY, FULL, PEDALS], ids=["melody", "full", "pedals"])
def test_allowed_tokens(tokenizer):
    every = allowed_tokens(tokenizer, (0, 127), conducts=True, programs=None)
    assert every.all()
    some = allowed_tokens(tokenizer, (50, 52), conducts=False, programs={-1, 3})
    forbidden = set(names(tokenizer, np.flatnonzero(~some)))
    for name in tokenizer.vocabulary.names:
        kind, _, value = name.partition("_")
        expected = (
            kind in ("TimeSig", "Tempo")
            or (kind == "Pitch" and int(value) not in (50, 51, 52))
            or (kind in ("Program", "PedalUp", "PedalDown") and int(value) not in (-1, 3))
        )
        assert (name in forbidden) == expected, name


def test_states_are_values():
    grammar = ContinuationGrammar(MELODY, 2, allowed_tokens(MELODY, (40, 90), conducts=False, programs=None))
    state = start(MELODY, tune(1))
    before, mask = state, grammar.mask(state).copy()
    grammar.after(state, MELODY.vocabulary.id("Bar_None"))
    assert state == before
    assert np.array_equal(grammar.mask(state), mask)
    assert not MELODY.grammar(state.tokens).flags.writeable
