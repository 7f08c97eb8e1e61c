"""Copies of the longest match over models of tokens and of frames, against the mixture written out."""

from itertools import product

import numpy as np
import pytest

from seqaudio.errors import OptionError, VocabularyError
from seqaudio.models.baselines import PPM, FramePPM, MarkovKeys, MatchCopy, NGram
from seqaudio.models.suffix_match import LENGTH_EDGES, longest_matches

VOCABULARY, KEYS = 8, 3
EVERY_FRAME = np.array(list(product([False, True], repeat=KEYS)))  # row i is the frame of token i
EXACT = 1e-10


class AdaptingPPM(PPM):
    """The counts go on growing inside the piece."""

    def nats(self, piece):
        return super().nats(piece, adapt=True)


BASES = {
    "ngram": lambda: NGram(2, VOCABULARY),
    "ppm": lambda: PPM(3, vocabulary_size=VOCABULARY),
    "adapting-ppm": lambda: AdaptingPPM(2, vocabulary_size=VOCABULARY),
    "keys": lambda: MarkovKeys(1, KEYS),
    "frame-ppm": lambda: FramePPM(2, num_keys=KEYS),
}
OF_FRAMES = ("keys", "frame-ppm")


def repeating_pieces(seed, count=9):
    """Pieces over seven of eight symbols whose phrases come back, sometimes with a change."""
    rng = np.random.default_rng(seed)
    pieces = [np.array([3]), np.empty(0, np.int64)]
    for _ in range(count):
        phrases = [rng.integers(0, 7, rng.integers(2, 30)) for _ in range(3)]
        piece = np.concatenate([phrases[i] for i in rng.integers(0, 3, 6)])
        change = rng.random(len(piece)) < 0.05
        pieces.append(np.where(change, rng.integers(0, 7, len(piece)), piece))
    return pieces


PIECES = [np.array([0, 1, 2, 0, 1, 2, 0, 1, 7, 7, 7]), np.tile([4, 4, 5], 9), np.array([6])]


@pytest.fixture(params=BASES)
def name(request):
    return request.param


def as_pieces(name, pieces):
    return [EVERY_FRAME[piece] for piece in pieces] if name in OF_FRAMES else pieces


@pytest.fixture
def model(name):
    return MatchCopy(BASES[name]).fit(as_pieces(name, repeating_pieces(0)))


def bucket_and_guess(past, max_length=64):
    lengths, followers = longest_matches(past, max_length)
    return sum(lengths[-1] >= edge for edge in LENGTH_EDGES), past[followers[-1]] if lengths[-1] else None


def test_losses_are_the_mixture_of_copy_and_base(name, model):
    copied = 0
    for tokens, piece in zip(PIECES, as_pieces(name, PIECES), strict=True):
        base, first = model.base.nats(piece), int(name in OF_FRAMES)
        expected = []
        for t in range(first, len(tokens)):
            bucket, guess = bucket_and_guess(tokens[:t])
            w = model.weights[bucket]
            expected.append(-np.log(w * (guess == tokens[t]) + (1 - w) * np.exp(-base[t - first])))
            copied += bool(w) and guess == tokens[t]
        nats = model.nats(piece)
        assert nats.shape == base.shape == (len(tokens) - first,)
        np.testing.assert_allclose(nats, expected, rtol=0, atol=EXACT)
    assert copied > 10


def test_distributions_are_normalised_and_nowhere_zero(name, model):
    for tokens in PIECES:
        for t in range(1, len(tokens) + 1):
            futures = as_pieces(name, [np.append(tokens[:t], token) for token in range(VOCABULARY)])
            nats = np.array([model.nats(future)[-1] for future in futures])
            assert np.isfinite(nats).all()
            assert np.exp(-nats).sum() == pytest.approx(1, abs=1e-9)


def test_weights_are_the_most_likely_on_the_half_the_base_did_not_see(name, model):
    """Each bucket's likelihood, written out with one miss and the shorter bucket's weight on top, is at its peak."""
    pieces = sorted(as_pieces(name, repeating_pieces(0)), key=lambda piece: (piece.shape, piece.tobytes()))
    seen = [[] for _ in model.weights]
    for fold in (0, 1):
        base = BASES[name]().fit(piece for i, piece in enumerate(pieces) if i % 2 != fold)
        for piece in pieces[fold::2]:
            tokens = piece @ (4, 2, 1) if name in OF_FRAMES else piece
            nats = base.nats(piece)
            for t in range(len(tokens) - len(nats), len(tokens)):
                bucket, guess = bucket_and_guess(tokens[:t])
                seen[bucket].append((guess == tokens[t], np.exp(-nats[t - len(tokens)])))

    def log_likelihood(k, w):
        of_symbols = sum(np.log(w * hit + (1 - w) * p) for hit, p in seen[k])
        return of_symbols + np.log(1 - w) + model.weights[k - 1] * np.log(w)

    assert model.weights[0] == 0
    assert sum(len(each) > 20 for each in seen[1:]) > 3
    for k in range(1, len(seen)):
        w = model.weights[k]
        assert 0 <= w < 1
        peak = max(log_likelihood(k, each) for each in np.linspace(0.001, 0.999, 999))
        assert log_likelihood(k, max(w, 1e-9)) >= peak - 1e-9


def test_order_of_pieces_does_not_matter_and_fit_forgets(name, model):
    pieces = as_pieces(name, repeating_pieces(0))
    again = MatchCopy(BASES[name]).fit(as_pieces(name, PIECES)).fit(piece for piece in reversed(pieces))
    np.testing.assert_array_equal(model.weights, again.weights)
    for piece in as_pieces(name, PIECES):
        np.testing.assert_array_equal(model.nats(piece), again.nats(piece))


def test_a_model_never_fitted_is_its_base(name):
    model = MatchCopy(BASES[name])
    np.testing.assert_array_equal(model.weights, 0)
    for piece in as_pieces(name, PIECES):
        np.testing.assert_array_equal(model.nats(piece), BASES[name]().nats(piece))


def test_what_comes_back_costs_little(name):
    """Where pieces are one phrase again and again, a new phrase has to be paid for once."""
    rng = np.random.default_rng(7)
    *pieces, last = as_pieces(name, [np.tile(rng.integers(0, 7, 25), 4) for _ in range(12)])
    model = MatchCopy(BASES[name]).fit(pieces)
    assert model.nats(last)[-50:].mean() < 0.05
    assert model.nats(last)[:20].mean() > 0.5
    assert model.base.nats(last)[-50:].mean() > 0.2


class Certain:
    """A base so sure of token 0 that another costs more nats than a double has."""

    def fit(self, pieces):
        return self

    def nats(self, piece):
        return np.where(np.asarray(piece) == 0, 0.0, 2000.0)


def test_a_base_without_doubt_leaves_finite_losses():
    never = MatchCopy(Certain)
    np.testing.assert_array_equal(never.nats([1, 1, 1]), 2000.0)
    model = MatchCopy(Certain).fit([np.tile([1, 2], 20)] * 4)
    assert np.isfinite(model.nats([1, 2, 1, 2, 1, 2, 3])).all()
    assert model.nats([1, 2, 1, 2, 1, 2])[-1] < 1


def test_what_the_base_refuses_is_refused(name, model):
    wrong = [[VOCABULARY]] if name not in OF_FRAMES else [np.zeros((3, KEYS + 1), bool)]
    with pytest.raises(VocabularyError, match="outside 0" if name not in OF_FRAMES else "frames are bool"):
        model.nats(wrong[0])
    with pytest.raises(VocabularyError):
        model.fit(wrong)


@pytest.mark.parametrize("name", ["ngram", "ppm"])
def test_distributions_are_normalised_and_give_the_nats(name):
    model = MatchCopy(BASES[name]).fit(repeating_pieces(1))
    piece = repeating_pieces(2, count=1)[-1]
    assert (model.weights > 0).any()
    rows = [model.log_probabilities(piece[:i]) for i in range(len(piece))]
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1, rtol=0, atol=EXACT)
    nats = [-row[token] for row, token in zip(rows, piece, strict=True)]
    np.testing.assert_allclose(model.nats(piece), nats, rtol=0, atol=EXACT)


@pytest.mark.parametrize("name", OF_FRAMES)
def test_frames_are_too_many_to_list(name):
    model = MatchCopy(BASES[name]).fit(as_pieces(name, repeating_pieces(1)))
    with pytest.raises(OptionError, match="frames, which are too many to list"):
        model.log_probabilities([0])
