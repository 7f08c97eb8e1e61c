"""Sampling: cuts keep the likeliest, nothing forbidden comes out, frequencies are the probabilities."""

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from hypothesis.extra.numpy import arrays

from seqaudio.continuation.sampling import Sampling, masked, min_p, probabilities, sample, top_k, top_p
from seqaudio.errors import OptionError

SIZE = 12
LOGITS = arrays(np.float64, SIZE, elements=st.floats(-30, 30))
MASKS = arrays(np.bool_, SIZE).filter(lambda mask: mask.any())
SETTINGS = st.builds(
    Sampling,
    temperature=st.one_of(st.just(0.0), st.floats(1e-3, 10)),
    top_k=st.integers(0, SIZE + 3),
    top_p=st.floats(0.01, 1),
    min_p=st.floats(0, 0.99),
)
CUTS = {
    "top_k": (top_k, st.integers(1, SIZE + 3)),
    "top_p": (top_p, st.floats(0.001, 1)),
    "min_p": (min_p, st.floats(0, 0.999)),
}


class Counting:
    """A generator that counts what is drawn from it."""

    def __init__(self, seed):
        self.generator, self.drawn = np.random.default_rng(seed), 0

    def random(self):
        self.drawn += 1
        return self.generator.random()


def kept(logits):
    return logits > -np.inf


@pytest.mark.parametrize("name", CUTS)
class TestCuts:
    @given(data=st.data(), logits=LOGITS, mask=MASKS)
    def test_the_likeliest_stays_and_what_stays_is_unchanged(self, name, data, logits, mask):
        cut, values = CUTS[name]
        logits = masked(logits, mask)
        left = cut(logits, data.draw(values))
        assert kept(left)[logits.argmax()]
        assert (kept(left) <= mask).all()
        np.testing.assert_array_equal(left[kept(left)], logits[kept(left)])

    @given(data=st.data(), logits=LOGITS, mask=MASKS)
    def test_only_less_likely_tokens_go(self, name, data, logits, mask):
        cut, values = CUTS[name]
        logits = masked(logits, mask)
        left = kept(cut(logits, data.draw(values)))
        assume(not left.all())
        assert logits[left].min() >= logits[~left].max()

    @given(data=st.data(), logits=LOGITS)
    def test_monotone(self, name, data, logits):
        cut, values = CUTS[name]
        one, other = sorted((data.draw(values), data.draw(values)))
        smaller, larger = kept(cut(logits, one)), kept(cut(logits, other))
        if name == "min_p":
            smaller, larger = larger, smaller
        assert (smaller <= larger).all()

    @given(logits=LOGITS)
    def test_off(self, name, logits):
        cut, off = {"top_k": (top_k, 0), "top_p": (top_p, 1.0), "min_p": (min_p, 0.0)}[name]
        np.testing.assert_array_equal(cut(logits, off), logits)


class TestWhatCutsMean:
    @given(logits=LOGITS, k=st.integers(1, SIZE))
    def test_top_k_keeps_k_and_ties(self, logits, k):
        ordered = sorted(logits, reverse=True)
        assert kept(top_k(logits, k)).sum() == sum(value >= ordered[k - 1] for value in ordered)

    @given(logits=LOGITS, p=st.floats(0.01, 0.99))
    def test_top_p_keeps_enough_and_no_more(self, logits, p):
        left = kept(top_p(logits, p))
        shares = np.sort(probabilities(logits)[left])
        assert shares.sum() >= p - 1e-9
        assert shares[1:].sum() < p + 1e-9  # without the least likely it would be too little

    def test_min_p_is_a_share_of_the_likeliest(self):
        logits = np.log([0.5, 0.26, 0.14, 0.1])
        assert kept(min_p(logits, 0.5)).tolist() == [True, True, False, False]
        assert kept(min_p(logits, 0.19)).tolist() == [True, True, True, True]

    @given(logits=LOGITS, mask=MASKS)
    def test_probabilities(self, logits, mask):
        shares = probabilities(masked(logits, mask))
        assert shares.sum() == pytest.approx(1)
        assert (shares[~mask] == 0).all()


class TestSample:
    @given(logits=LOGITS, mask=MASKS, sampling=SETTINGS, seed=st.integers(0, 2**32))
    def test_respects_the_mask_and_draws_one_number(self, logits, mask, sampling, seed):
        generator = Counting(seed)
        token = sample(logits.astype(np.float32), mask, sampling, generator)
        assert isinstance(token, int)
        assert mask[token]
        assert generator.drawn == 1

    @given(logits=LOGITS, mask=MASKS, seed=st.integers(0, 100))
    def test_temperature_zero_is_the_likeliest(self, logits, mask, seed):
        for sampling in (Sampling(temperature=0), Sampling(temperature=0, top_k=3, top_p=0.2)):
            token = sample(logits, mask, sampling, np.random.default_rng(seed))
            assert logits[token] == logits[mask].max()

    @given(logits=LOGITS, mask=MASKS, temperature=st.floats(5e-324, 1e-300))
    def test_hardly_any_temperature_is_the_likeliest(self, logits, mask, temperature):
        token = sample(logits, mask, Sampling(temperature=temperature), np.random.default_rng(0))
        assert logits[token] == pytest.approx(logits[mask].max(), rel=1e-9, abs=1e-200)

    @given(logits=LOGITS, mask=MASKS)
    def test_top_k_of_one_is_the_likeliest(self, logits, mask):
        token = sample(logits, mask, Sampling(top_k=1), np.random.default_rng(0))
        assert logits[token] == logits[mask].max()

    @given(logits=LOGITS, drawn=st.sampled_from([0.0, 0.5, 1 - 2**-53]), mask=MASKS)
    def test_the_ends_of_the_unit_interval(self, logits, drawn, mask):
        class Fixed:
            def random(self):
                return drawn

        assert mask[sample(logits, mask, Sampling(), Fixed())]

    @pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_frequencies_are_the_probabilities(self, temperature, dtype):
        generator = np.random.default_rng(7)
        logits = generator.normal(size=SIZE).astype(dtype)
        mask = np.ones(SIZE, bool)
        mask[[2, 5]] = False
        count = 6000
        drawn = [sample(logits, mask, Sampling(temperature=temperature), generator) for _ in range(count)]
        found = np.bincount(drawn, minlength=SIZE)
        weights = np.where(mask, np.exp(logits.astype(float) / temperature), 0)
        expected = count * weights / weights.sum()
        assert (found[~mask] == 0).all()
        chi2 = ((found - expected)[mask] ** 2 / expected[mask]).sum()
        assert chi2 < 27.9  # 9 degrees of freedom, one in a thousand

    def test_frequencies_after_a_cut(self):
        generator = np.random.default_rng(3)
        logits = np.log([0.4, 0.3, 0.2, 0.1])
        drawn = [sample(logits, np.ones(4, bool), Sampling(top_p=0.65), generator) for _ in range(4000)]
        found = np.bincount(drawn, minlength=4)
        assert found[2:].sum() == 0
        assert found[0] / 4000 == pytest.approx(4 / 7, abs=0.03)

    def test_temperature_comes_before_the_cuts(self):
        """At temperature 4 the shares are nearly even, so that 0.6 of the whole takes three of four tokens."""
        logits, generator = np.log([0.7, 0.1, 0.1, 0.1]), np.random.default_rng(0)
        drawn = {sample(logits, np.ones(4, bool), Sampling(4.0, top_p=0.6), generator) for _ in range(300)}
        assert len(drawn) == 3
        assert {sample(logits, np.ones(4, bool), Sampling(1.0, top_p=0.6), generator) for _ in range(300)} == {0}


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"temperature": -0.1}, "temperature is -0.1, it must be 0 to 10"),
        ({"temperature": 10.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": -1}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.01}, "top_p"),
        ({"top_p": float("nan")}, "top_p"),
        ({"min_p": -0.1}, "min_p"),
        ({"min_p": 1.0}, "min_p"),
        ({"temperature": -1, "top_k": -1, "top_p": 2, "min_p": 2}, "temperature.*top_k.*top_p.*min_p"),
    ],
    ids=str,
)
def test_ranges_are_refused(settings, match):
    with pytest.raises(OptionError, match=match):
        Sampling(**settings)
