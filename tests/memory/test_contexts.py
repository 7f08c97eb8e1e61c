"""Nats of cut, changed and reset pasts: those of slow loops, and of models that can look no further than they do."""

import numpy as np
import pytest
import torch

from seqaudio.errors import NoNotesError, OptionError
from seqaudio.memory import contexts as contexts_module
from seqaudio.memory.contexts import NAMES, context_nats, targets_of
from seqaudio.memory.effective import contexts
from seqaudio.memory.lines import BarLine, line_of
from seqaudio.models.baselines import NGram
from seqaudio.models.checkpoint import Checkpoint, FrameFacts, weights_of
from seqaudio.models.config import MemoryConfig, ModelConfig
from seqaudio.tokens.bars.excerpt import bars_of, joined
from seqaudio.training.evaluate import piece_nats
from tests.samples import FULL, MELODY, random_model, tune

REMEMBERING = {"memory": MemoryConfig(lags=(1, 2), counters=(2, 4), features=5)}
TUNES = [MELODY.encode(tune(bars, seed=bars)) for bars in (9, 12)]
FRAMES = [np.random.default_rng(seed).random((24 + seed, 88)) < 0.3 * (np.arange(88) % 80 > 30) for seed in range(2)]


def made(cell="lstm", tokenizer=MELODY, **options):
    """A model of random weights as a checkpoint."""
    config = ModelConfig(cell=cell, hidden_size=8, **{"layers": 1, **options})
    if config.of_frames:
        model = random_model(config, keys=88, seed=1, scale=3.0)
        return Checkpoint(config, None, weights_of(model), frames=FrameFacts())
    return Checkpoint(config, tokenizer, weights_of(random_model(config, len(tokenizer.vocabulary), seed=1, scale=3.0)))


def found_of(checkpoint, pieces, by_steps=False, **options):
    lines = [line_of(checkpoint, piece, by_steps=by_steps) for piece in pieces]
    return context_nats(checkpoint.build(), lines, checkpoint.memory(), **options), lines


def slow_nats(checkpoint, piece):
    """Nats of each step but the first, one step at a time."""
    model, memory = checkpoint.build(), checkpoint.memory()
    heard = torch.from_numpy(memory.heard(piece) if memory else piece)
    state, nats = model.initial_state(1), []
    with torch.no_grad():
        for step, following in zip(heard[:-1], torch.from_numpy(piece[1:]), strict=True):
            outputs, state = model.step(step[None], state)
            nats.append(float(model.nats(outputs[:, None], following[None, None])))
    return np.array(nats)


CASES = [
    (made(), TUNES, False),
    (made(**REMEMBERING), TUNES, False),
    (made("gru", tokenizer=FULL), [FULL.encode(tune(bars, seed=bars)) for bars in (6, 8)], False),
    (made("rnn", layers=2), TUNES, True),
    (made(head="bernoulli", **REMEMBERING), FRAMES, False),
]


@pytest.mark.parametrize(
    ("checkpoint", "pieces", "by_steps"), CASES, ids=["bars", "memory", "full", "tokens", "frames"]
)
def test_cut_and_changed_pasts_are_those_of_slow_loops(checkpoint, pieces, by_steps):
    found, lines = found_of(checkpoint, pieces, by_steps, targets=3, semitones=5, seed=7)
    assert list(found.curves) == list(NAMES)
    for number, line in enumerate(lines):
        units, other = list(line.units), list(lines[1 - number].units)[line.fixed :]
        key = list(line.moved(5))
        chosen = targets_of(line, 3).tolist()
        assert len(chosen) == 3
        assert found.steps[number] == sum(len(line.steps_of(target)) for target in chosen)
        whole = slow_nats(checkpoint, line.piece)
        assert found.full[number] == pytest.approx(sum(whole[line.steps_of(t)].sum() for t in chosen), rel=1e-4)
        for name in ("cut", "transposed", "replaced"):
            for size in (1, 4):
                slow = 0.0
                for target in chosen:
                    before = past_of(name, units, key, other, line.fixed, target, size)
                    piece, count = written(checkpoint, line, before, target)
                    slow += slow_nats(checkpoint, piece)[-count:].sum()
                curve = found.curves[name]
                assert curve.nats[curve.sizes.index(size), number] == pytest.approx(slow, rel=1e-4), (name, size)


def past_of(name, units, key, other, fixed, target, size):
    """What stands before a target, by the words of the page."""
    if size >= target:
        return units[:target]
    near, far = units[target - size : target], target - size - fixed
    if name == "cut":
        return near
    changed = key[fixed : fixed + far] if name == "transposed" else other[len(other) - min(far, len(other)) :]
    return units[:fixed] + changed + near


def written(checkpoint, line, before, target):
    """Units and a target behind them as a piece, and how many steps the target has."""
    if isinstance(line, BarLine):
        ids, _ = joined(checkpoint.tokenizer, before, line.units[target])
        return ids, len(line.units[target].ids)
    return np.concatenate([*before, line.units[target]]), 1


@pytest.mark.parametrize(
    ("checkpoint", "pieces", "by_steps"), CASES, ids=["bars", "memory", "full", "tokens", "frames"]
)
def test_a_reset_is_a_state_of_zeros_and_nothing_else(checkpoint, pieces, by_steps):
    found, lines = found_of(checkpoint, pieces, by_steps, targets=4)
    model, memory = checkpoint.build(), checkpoint.memory()
    for number, line in enumerate(lines):
        heard = torch.from_numpy(memory.heard(line.piece) if memory else line.piece)
        for size in (1, 3):
            state, nats = model.initial_state(1), []
            wiped = set(line.starts[size::size].tolist())
            with torch.no_grad():
                for step in range(len(line.piece) - 1):
                    state = model.initial_state(1) if step in wiped else state
                    outputs, state = model.step(heard[step][None], state)
                    following = torch.from_numpy(line.piece[step + 1 : step + 2])[None]
                    nats.append(float(model.nats(outputs[:, None], following)))
            slow = sum(np.array(nats)[line.steps_of(target)].sum() for target in targets_of(line, 4).tolist())
            curve = found.curves["reset"]
            assert curve.nats[curve.sizes.index(size), number] == pytest.approx(slow, rel=1e-4)
    assert len(wiped) >= 2


@pytest.mark.parametrize("by_steps", [False, True])
def test_a_past_as_long_as_the_piece_changes_nothing(by_steps, monkeypatch):
    """Asked for through the same road as all others, and by the excerpt of everything that was."""
    checkpoint = made(**REMEMBERING)
    monkeypatch.setattr(contexts_module, "SIZES", (1, 500))
    monkeypatch.setattr(contexts_module, "CHANGED_SIZES", (1, 500))
    monkeypatch.setattr(contexts_module, "_sizes", lambda name, longest: (1, 500))
    found, lines = found_of(checkpoint, TUNES, by_steps)
    for curve in found.curves.values():
        assert curve.nats[1] == pytest.approx(found.full, rel=1e-5)
        assert curve.nats[0] != pytest.approx(found.full, rel=1e-4)
    for line in lines:
        plain = piece_nats(checkpoint.build(), [line.piece], checkpoint.memory())[0]
        for target in targets_of(line, 3).tolist():
            excerpt = line.excerpt(line.units[:target], target)
            nats = piece_nats(checkpoint.build(), [excerpt.piece], checkpoint.memory())[0][excerpt.counted]
            assert nats == pytest.approx(plain[line.steps_of(target)], rel=1e-4)


def test_shuffling_moves_what_is_far_alone_and_loses_nothing():
    line = line_of(made(), TUNES[1])
    pasts = contexts_module._Pasts(line, line, None, 3)
    moved = 0
    for size in range(1, 12):
        past = [bar.start for bar in pasts.past("shuffled", 11, size)]
        there = [bar.start for bar in line.units[:11]]
        assert past[11 - size :] == there[11 - size :]
        assert sorted(past) == there
        moved += past != there
        assert past == [bar.start for bar in pasts.past("shuffled", 11, size)]
    assert moved >= 8
    assert [bar.start for bar in pasts.past("shuffled", 11, 11)] == there


def hand_made(reach):
    """A tanh layer whose units hand what they hear on to the next group, ``reach`` steps long and then no more."""
    width = 6
    config = ModelConfig(cell="rnn", hidden_size=width * reach, embedding_size=width, layers=1)
    model = random_model(config, len(MELODY.vocabulary), seed=5, scale=1.0)
    layer = model.stack.layers[0]
    with torch.no_grad():
        layer.weight_ih_l0.zero_()
        layer.weight_ih_l0[:width] = torch.eye(width)
        layer.weight_hh_l0.copy_(torch.eye(width * reach).roll(width, dims=0))
        layer.weight_hh_l0[:width] = 0
        layer.weight_hh_l0.mul_(1.5)
    return Checkpoint(config, MELODY, weights_of(model))


@pytest.mark.parametrize("reach", [1, 2, 4])
def test_the_effective_context_of_a_model_of_some_order_is_its_order(reach):
    checkpoint = hand_made(reach)
    found, _ = found_of(checkpoint, TUNES, by_steps=True)
    cut, told = found.curves["cut"], contexts(found, within=1e-5)
    near = [np.allclose(nats, found.full, rtol=1e-5) for nats in cut.nats]
    assert near == [size >= reach for size in cut.sizes]
    assert told["cut"].effective == reach
    assert told["cut"].ends == (reach, reach)
    for name in ("shuffled", "replaced", "transposed"):
        assert told[name].effective <= reach
    of_bars, _ = found_of(checkpoint, TUNES)
    assert contexts(of_bars, within=1e-5)["cut"].effective == 1  # a bar is longer than that


@pytest.mark.parametrize("cell", ["rnn", "irnn"])
def test_without_recurrent_weights_nothing_of_the_past_matters(cell):
    checkpoint = made(cell)
    checkpoint.weights["stack.layers.0.weight_hh_l0"][:] = 0
    for by_steps in (False, True):
        found, _ = found_of(checkpoint, TUNES, by_steps)
        for curve in found.curves.values():
            assert curve.nats == pytest.approx(np.tile(found.full, (len(curve.sizes), 1)), rel=1e-4)
        assert {told.effective for told in contexts(found).values()} == {1}


def test_what_cannot_be_had_is_left_out_and_said():
    found, _ = found_of(made(), TUNES[:1])
    assert list(found.curves) == ["cut", "shuffled", "transposed", "reset"]
    assert found.left_out == {"replaced": "there is no other piece"}
    drums = FULL.encode(tune(5, seed=1, low=36, high=42, is_drum=True))
    found, _ = found_of(made(tokenizer=FULL), [drums, drums])
    assert found.left_out == {"transposed": "a piece is the same in every key"}


def test_errors_say_what_is_needed():
    checkpoint = made()
    line = line_of(checkpoint, TUNES[0])
    with pytest.raises(OptionError, match="NGram has no recurrent state"):
        context_nats(NGram(2, 5), [line])
    with pytest.raises(OptionError, match="0 targets and 6 semitones"):
        context_nats(checkpoint.build(), [line], targets=0)
    with pytest.raises(NoNotesError, match="fewer than 2 units"):
        context_nats(checkpoint.build(), [line_of(checkpoint, MELODY.encode(tune(1)))])
    with pytest.raises(NoNotesError, match="or none"):
        context_nats(checkpoint.build(), [])


def test_bars_know_which_steps_are_theirs():
    line = BarLine(TUNES[0], MELODY)
    steps = np.concatenate([line.steps_of(bar) for bar in range(len(line.units))])
    assert steps.tolist() == list(range(len(TUNES[0]) - 2))  # BOS is given, EOS is left out
    assert [bar.ids.tolist() for bar in bars_of(MELODY, TUNES[0])] == [bar.ids.tolist() for bar in line.units]
