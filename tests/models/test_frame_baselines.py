"""The models of frames against slow ones written from the formulas, and the laws of probability."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

from seqaudio.errors import OptionError, VocabularyError
from seqaudio.models.baselines import FramePPM, MarkovKeys
from seqaudio.models.baselines.frame_tree import _sum, tree_of_frames
from seqaudio.music.frames import transposed_frames

KEYS = 3
EVERY_FRAME = np.array(list(product([False, True], repeat=KEYS)))
EXACT = 1e-10  # both sides sum at most a few dozen doubles near 1

MAKERS = {
    "unigram": lambda: MarkovKeys(0, KEYS),
    "markov-1": lambda: MarkovKeys(1, KEYS),
    "markov-3": lambda: MarkovKeys(3, KEYS),
    "ppm-0": lambda: FramePPM(0, num_keys=KEYS),
    "ppm-2": lambda: FramePPM(2, num_keys=KEYS, key_order=2),
    "ppm-moved": lambda: FramePPM(2, num_keys=KEYS, transpositions=(-1, 0, 1)),
}


def random_pieces(seed, used):
    """Pieces of 0 to 20 frames out of the first ``used`` of all eight; the last has each of these."""
    rng = np.random.default_rng(seed)
    skew = rng.dirichlet(np.full(used, 0.5))
    pieces = [EVERY_FRAME[rng.choice(used, size=length, p=skew)] for length in [0, 1, 2, *rng.integers(3, 20, 8)]]
    return [*pieces, EVERY_FRAME[rng.permutation(used)]]


CORPORA = {f"{used}-of-8": random_pieces(seed, used) for seed, used in enumerate([8, 5, 1])} | {"none": []}
PIECES = [EVERY_FRAME[[0, 1, 0, 1, 0, 1, 2, 0, 1]], EVERY_FRAME[[7, 6, 0, 6, 7, 3, 6, 7]], EVERY_FRAME[[5]]]


@pytest.fixture(params=CORPORA.values(), ids=CORPORA.keys())
def pieces(request):
    return request.param


@pytest.fixture(params=MAKERS.values(), ids=MAKERS.keys())
def make(request):
    return request.param


# ---- slow models, from the formulas ----------------------------------------------------------------------------------


def slow_markov(pieces, order, past):
    """Probability of each of the eight frames."""
    k = min(order, len(past))
    p = np.ones(len(EVERY_FRAME))
    for key in range(KEYS):
        history = past[len(past) - k :, key].tolist()
        seen = [
            piece[t, key] for piece in pieces for t in range(k, len(piece)) if piece[t - k : t, key].tolist() == history
        ]
        sounds = (sum(seen) + 0.5) / (len(seen) + 1)
        p *= np.where(EVERY_FRAME[:, key], sounds, 1 - sounds)
    return p


def slow_ppm(pieces, order, key_order, past):
    """Probability of each of the eight frames: escapes from context to context, then the keys for what is left."""
    named = [[tuple(frame) for frame in piece.tolist()] for piece in pieces]
    context = [tuple(frame) for frame in past.tolist()]
    known = {frame for piece in named for frame in piece}
    p, mass, excluded = {}, 1.0, set()
    for k in range(min(order, len(context)), -1, -1):
        suffix = context[len(context) - k :]
        counts = Counter(piece[t] for piece in named for t in range(k, len(piece)) if piece[t - k : t] == suffix)
        if not counts:
            continue
        fresh = {frame: count for frame, count in counts.items() if frame not in excluded}
        excluded |= set(counts)
        escape = len(counts) if len(excluded) < 2**KEYS else 0
        for frame, count in fresh.items():
            p[frame] = mass * count / (sum(fresh.values()) + escape)
        mass *= escape / (sum(fresh.values()) + escape)
    assert excluded == known
    every = [tuple(frame) for frame in EVERY_FRAME.tolist()]
    new = np.array([frame not in known for frame in every])
    keys = slow_markov(pieces, key_order, past)
    return np.array([p.get(frame, 0.0) for frame in every]) + mass * new * keys / max(keys[new].sum(), 1e-300)


def moved(pieces, transpositions):
    copies = [(piece, transposed_frames(piece, s)) for piece in pieces for s in transpositions]
    return [copy for piece, copy in copies if copy.sum() == piece.sum()]


SLOW = {
    "unigram": lambda pieces, past: slow_markov(pieces, 0, past),
    "markov-1": lambda pieces, past: slow_markov(pieces, 1, past),
    "markov-3": lambda pieces, past: slow_markov(pieces, 3, past),
    "ppm-0": lambda pieces, past: slow_ppm(pieces, 0, 1, past),
    "ppm-2": lambda pieces, past: slow_ppm(pieces, 2, 2, past),
    "ppm-moved": lambda pieces, past: slow_ppm(moved(pieces, (-1, 0, 1)), 2, 1, past),
}


@pytest.mark.parametrize("name", MAKERS)
def test_losses_equal_the_formulas(name, pieces):
    model = MAKERS[name]().fit(pieces)
    for piece in PIECES:
        rows = piece @ (4, 2, 1)
        expected = [-np.log(SLOW[name](pieces, piece[:t])[rows[t]]) for t in range(1, len(piece))]
        nats = model.nats(piece)
        assert nats.shape == (len(piece) - 1,)
        np.testing.assert_allclose(nats, expected, rtol=0, atol=EXACT)


# ---- laws ------------------------------------------------------------------------------------------------------------


def test_distributions_are_normalised_and_nowhere_zero(make, pieces):
    model = make().fit(pieces)
    for piece in PIECES:
        for t in range(1, len(piece) + 1):
            nats = np.array([model.nats(np.vstack([piece[:t], frame]))[-1] for frame in EVERY_FRAME])
            assert np.isfinite(nats).all()
            assert np.exp(-nats).sum() == pytest.approx(1, abs=1e-9)


def test_nats_look_at_the_past_alone(make, pieces):
    model = make().fit(pieces)
    for piece in PIECES:
        for t in range(1, len(piece)):
            np.testing.assert_allclose(model.nats(piece[: t + 1]), model.nats(piece)[:t], rtol=0, atol=EXACT)


def test_order_of_pieces_does_not_matter_and_fit_forgets(make, pieces):
    model, again = make().fit(pieces), make().fit(PIECES).fit(piece for piece in reversed(pieces))
    for piece in PIECES:
        np.testing.assert_array_equal(model.nats(piece), again.nats(piece))


def test_a_model_never_fitted_is_uniform_and_a_single_frame_costs_nothing(make):
    np.testing.assert_allclose(make().nats(PIECES[0]), KEYS * np.log(2))
    assert make().fit(PIECES).nats(PIECES[2]).shape == (0,)
    assert make().fit(PIECES).nats(PIECES[2][:0]).shape == (0,)


def test_keys_do_not_know_each_other(pieces):
    model = MarkovKeys(2, KEYS).fit(pieces)
    swapped = MarkovKeys(2, KEYS).fit(piece[:, ::-1] for piece in pieces)
    alone = [MarkovKeys(2, 1).fit(piece[:, [key]] for piece in pieces) for key in range(KEYS)]
    piece = PIECES[1]
    np.testing.assert_allclose(model.nats(piece), swapped.nats(piece[:, ::-1]), rtol=0, atol=EXACT)
    total = sum(each.nats(piece[:, [key]]) for key, each in enumerate(alone))
    np.testing.assert_allclose(model.nats(piece), total, rtol=0, atol=EXACT)


def test_log_probabilities_of_keys_are_those_of_every_prefix(pieces):
    model = MarkovKeys(3, KEYS).fit(pieces)
    log_p = model.log_probabilities(PIECES[0])
    assert log_p.shape == (len(PIECES[0]) + 1, 2, KEYS)
    np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1)
    for t in range(len(PIECES[0])):
        np.testing.assert_array_equal(model.log_probabilities(PIECES[0][:t])[-1], log_p[t])


def test_what_rounding_leaves_of_the_unknown_is_enough():
    """After silence each key sounds one time in 400,000: what both together have is lost in 1 - p."""
    silence = np.zeros((400_000, 2), bool)
    silence[1:3] = [[True, False], [False, True]]
    model = FramePPM(1, num_keys=2).fit([silence])
    nats = [model.nats(np.array([[False, False], frame]))[0] for frame in product([False, True], repeat=2)]
    assert np.isfinite(nats).all()
    assert np.exp(np.negative(nats)).sum() == pytest.approx(1, abs=1e-9)


def test_unseen_frames_of_88_keys_cost_the_escape_and_the_keys():
    pieces = [np.random.default_rng(seed).random((60, 88)) < 0.3 for seed in range(5)]
    model, keys = FramePPM().fit(pieces[1:]), MarkovKeys().fit(pieces[1:])
    # the escape from order 0, of 240 frames all distinct, is 1/2; the keys give these frames hardly anything
    np.testing.assert_allclose(model.nats(pieces[0]), np.log(2) + keys.nats(pieces[0]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("form", ["interpreted", "machine_code"])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 300])
def test_a_set_of_frames_has_the_sum_of_their_probabilities(count, form):
    rng = np.random.default_rng(count)
    frames = np.unique(rng.random((count, 9)) < rng.random(9), axis=0)
    sounds = rng.random(9)
    expected = np.where(frames, sounds, 1 - sounds).prod(axis=1).sum()
    tree = tree_of_frames(frames)
    found = getattr(_sum, form)(1 - sounds, sounds, tree.parents, tree.jumps, tree.rests)
    assert found == pytest.approx(expected, rel=1e-12)
    assert tree.probability(1 - sounds, sounds) == pytest.approx(expected, rel=1e-12)


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece", [np.zeros((4, 2), bool), np.zeros((4, KEYS)), np.zeros(KEYS, bool)], ids=["keys", "float", "vector"]
)
def test_what_are_no_frames_is_refused(make, piece):
    for call in (lambda: make().fit([PIECES[0], piece]), lambda: make().nats(piece)):
        with pytest.raises(VocabularyError, match=r"^frames are bool, shape \(steps, 3\); got [^\n]+$"):
            call()


def test_options_are_checked():
    with pytest.raises(OptionError, match="order is 17; allowed: 0 to 16"):
        MarkovKeys(17)
    with pytest.raises(OptionError, match="num_keys is 0"):
        MarkovKeys(1, 0)
    with pytest.raises(OptionError, match="num_keys is -1"):
        FramePPM(num_keys=-1)
    with pytest.raises(OptionError, match="order is -1"):
        FramePPM(-1)
