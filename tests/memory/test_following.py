"""A unit is named by what it follows, and not by chance."""

import numpy as np
import pytest

from seqaudio.memory.facts import Fact, blocks_of_bars, facts_of
from seqaudio.memory.following import _shifted, closeness, follow
from seqaudio.memory.heard import hear
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.models.config import ModelConfig
from tests.samples import MELODY
from tests.structure.pieces import tune

LISTENER = Checkpoint(ModelConfig(hidden_size=2, layers=1), MELODY, {})
FORMS = ("AABA", "AABB", "ABAC", "AABB", "AABA", "ABAB", "AABB", "ABA")
PIECES = [hear(LISTENER, tune(form, seed)) for seed, form in enumerate(FORMS)]
FACTS = [facts_of(piece) for piece in PIECES]


def smooth(length, units, generator, keep=0.9):
    """Noise that keeps so much of itself from step to step."""
    rows = generator.normal(size=(length, units))
    for time in range(1, length):
        rows[time] = keep * rows[time - 1] + (1 - keep**2) ** 0.5 * rows[time]
    return rows


def test_closeness_is_numpys_correlation_and_the_textbooks_ratio():
    generator = np.random.default_rng(1)
    states, quantity, label = generator.normal(size=(60, 3)), generator.normal(size=60), generator.integers(0, 5, 60)
    states += label[:, None] * [0.0, 0.3, 1.0]
    apart = states - states.mean(axis=0)
    units = np.ascontiguousarray((apart / np.linalg.norm(apart, axis=0)).T)
    value = quantity - quantity.mean()
    found = closeness(units, value / np.linalg.norm(value), classes=False)
    assert found == pytest.approx([abs(np.corrcoef(quantity, state)[0, 1]) for state in states.T])
    eta = closeness(units, label.astype(float), classes=True)
    for unit, state in zip(eta, states.T, strict=True):
        within = sum(((state[label == k] - state[label == k].mean()) ** 2).sum() for k in range(5))
        assert unit == pytest.approx((1 - within / ((state - state.mean()) ** 2).sum()) ** 0.5)


@pytest.mark.parametrize(
    "name",
    ["place in the bar", "bar of 4", "section", "key around the bar", "pitch", "register (mean pitch of the bar)"],
)
def test_a_unit_that_follows_a_fact_is_named_by_it(name):
    """With as much noise as signal; classes at random levels, other for each class."""
    generator = np.random.default_rng(7)
    states = []
    levels = generator.permutation(np.linspace(-1, 1, 200))
    for number, (piece, facts) in enumerate(zip(PIECES, FACTS, strict=True)):
        fact = facts[name]
        signal = levels[fact.values.astype(int) % 200] if fact.classes else fact.values
        if fact.of_piece:
            signal = levels[(7 * number + fact.values.astype(int)) % 200]
        signal = (signal - signal.mean()) / signal.std()
        noise = smooth(len(piece), 3, generator)
        noise[:, 1] += 1.5 * signal
        states.append(noise)
    found = follow(states, FACTS, PIECES, draws=60)
    assert (found[1].fact, found[1].named) == (name, True)
    assert found[1].closeness > found[1].chance


@pytest.mark.parametrize("keep", [0.5, 0.97])
def test_units_that_follow_nothing_are_not_named_more_often_than_chance_allows(keep):
    """Any of four units, by any fact of two pieces: 5 in 100 at most, and a little for counting only 120."""
    generator = np.random.default_rng(11)
    wrong = 0
    for trial in range(120):
        states = [smooth(len(piece), 4, generator, keep) for piece in PIECES[:2]]
        wrong += any(found.named for found in follow(states, FACTS[:2], PIECES[:2], draws=40, seed=trial))
    assert wrong <= 12  # 98.6 % of binomials with 0.05


def test_a_unit_that_only_drifts_follows_no_section():
    """A ramp over each piece is close to any sections, and so to these."""
    states = [np.linspace(0, 1, len(piece))[:, None] ** 0.5 for piece in PIECES]
    (found,) = follow(states, FACTS, PIECES, draws=60)
    assert (found.fact, found.named) == ("place in the piece", True)


@pytest.mark.parametrize("count", [1, 3])
def test_units_that_walk_and_drift_are_not_taken_for_what_comes_round(count):
    """Within a cycle a drift rises as the number of the bar does, in every one of them."""
    generator, wrong = np.random.default_rng(2), 0
    for trial in range(30):
        states = [
            np.cumsum(generator.normal(0.1, 1, size=(len(piece), 3)), axis=0) * generator.choice([-1, 1])
            for piece in PIECES[:count]
        ]
        wrong += any(found.named for found in follow(states, FACTS[:count], PIECES[:count], draws=40, seed=trial))
    assert wrong <= 4  # 98.4 % of binomials with 0.05


def test_a_ripple_is_no_following_however_sure_it_is():
    """White noise with 0.8 % of its variance from pitch: beyond chance in so many steps, and next to nothing."""
    generator = np.random.default_rng(5)
    states = []
    for facts in FACTS:
        pitch = facts["pitch"].values
        states.append(generator.normal(size=(len(pitch), 1)) + 0.09 * ((pitch - pitch.mean()) / pitch.std())[:, None])
    (found,) = follow(states, FACTS, PIECES, draws=40)
    assert found.fact == "pitch"
    assert found.chance < found.closeness < 0.1
    assert not found.named


def test_constant_units_and_pieces_too_short_for_a_phase():
    flat = [np.ones((len(piece), 1)) for piece in PIECES]
    (found,) = follow(flat, FACTS, PIECES, draws=20)
    assert (found.closeness, found.named) == (0.0, False)
    noise = np.random.default_rng(1).normal(size=(len(PIECES[0]), 3))
    assert "place in the piece" not in {found.fact for found in follow([noise], FACTS[:1], PIECES[:1], draws=20)}
    bar = hear(LISTENER, tune("A", 1))
    cyclic = {"bar of 4": facts_of(bar)["bar of 4"]}
    assert follow([np.random.default_rng(1).normal(size=(len(bar), 2))], [cyclic], [bar], draws=20) == [None, None]


def test_a_shift_keeps_every_value_in_its_block():
    values, sizes = np.arange(10.0), np.array([4, 1, 5])
    seen = set()
    for seed in range(40):
        shifted = _shifted(values, sizes, np.random.default_rng(seed))
        for begin, end in ((0, 4), (4, 5), (5, 10)):
            part = shifted[begin:end].tolist()
            at = part.index(begin)
            assert part[at:] + part[:at] == list(range(begin, end))
        seen.add(tuple(shifted))
    assert len(seen) > 10


def test_blocks_cover_a_piece_in_whole_cycles():
    for piece in PIECES:
        for cycle in (1, 4, 8):
            sizes = blocks_of_bars(piece, cycle)
            assert sizes.sum() == len(piece)
            first = np.cumsum(sizes)[:-1]
            assert (piece.bar[first] % (2 * cycle) == 0).all()
            assert (piece.bar[first] != piece.bar[first - 1]).all()
    assert len(blocks_of_bars(PIECES[0], 8)) == 2


def test_the_same_seed_draws_the_same():
    states = [smooth(len(piece), 2, np.random.default_rng(3)) for piece in PIECES]
    one, two = (follow(states, FACTS, PIECES, draws=20, seed=5) for _ in range(2))
    assert one == two != follow(states, FACTS, PIECES, draws=20, seed=6)


def test_a_fact_that_one_piece_lacks_is_left_out():
    lacking = [{"pitch": FACTS[0]["pitch"]}, {"place in the piece": Fact(np.arange(len(PIECES[1]), dtype=float))}]
    states = [smooth(len(piece), 2, np.random.default_rng(3)) for piece in PIECES[:2]]
    assert follow(states, lacking, PIECES[:2], draws=20) == [None, None]
