"""Counts continue a piece as networks do: by the same sampling, under the same grammar, with their own likelihood."""

import numpy as np
import pytest

from seqaudio.continuation import continue_score
from seqaudio.continuation.counts import CountedModel, CountingEngine
from seqaudio.continuation.likelihood import token_nats
from seqaudio.models.baselines import PPM, MatchCopy, NGram
from tests.samples import MELODY, tune

VOCABULARY = len(MELODY.vocabulary)
MODELS = {
    "ngram": lambda: NGram(3, VOCABULARY),
    "ppm": lambda: PPM(4, vocabulary_size=VOCABULARY),
    "copy": lambda: MatchCopy(lambda: PPM(2, vocabulary_size=VOCABULARY)),
}


@pytest.fixture(params=MODELS)
def engine(request):
    pieces = [MELODY.encode(tune(8, seed=seed)) for seed in range(6)]
    return CountingEngine(MODELS[request.param]().fit(pieces), CountedModel(MELODY, (60, 72)))


def test_its_likelihood_is_that_of_the_counts(engine):
    ids = MELODY.encode(tune(3, seed=9))
    np.testing.assert_allclose(token_nats(engine, ids), engine.model.nats(ids)[1:], rtol=1e-5)


def test_two_parts_are_one_and_rows_do_not_meet(engine):
    ids = np.stack([MELODY.encode(tune(4, seed=seed))[:30] for seed in (7, 8)])
    whole, _ = engine.run(ids, engine.initial_state(2))
    first, state = engine.run(ids[:, :11], engine.initial_state(2))
    second, _ = engine.run(ids[:, 11:], state)
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), whole)
    np.testing.assert_array_equal(engine.run(ids[1:], engine.initial_state(1))[0], whole[1:])


def test_it_continues_by_bars_within_its_pitches(engine):
    primer = tune(4, seed=3)
    one, other = continue_score(engine, primer, bars=3, num_outputs=2, seed=1)
    assert (one.bars, one.primer.bars) == (3, 4)
    assert len(one.score)
    assert ((one.score.pitch >= 60) & (one.score.pitch <= 72)).all()
    assert one.ids.tolist() != other.ids.tolist()
    assert continue_score(engine, primer, bars=3, seed=1)[0].ids.tolist() == one.ids.tolist()
