"""Outputs side by side are what each is alone, however many there are, and whenever another begins or ends."""

import itertools

import numpy as np
import pytest

from seqaudio.continuation import Sampling, continue_score, continue_scores, generation
from seqaudio.continuation.continue_score import continuations
from seqaudio.continuation.counts import CountedModel, CountingEngine
from seqaudio.continuation.engines import load_engine
from seqaudio.continuation.grammar import ContinuationGrammar, ContinuationState, allowed_tokens
from seqaudio.continuation.primer import make_primer
from seqaudio.errors import OptionError
from seqaudio.models.baselines import PPM, MatchCopy
from seqaudio.models.config import MemoryConfig, ModelConfig
from tests.samples import MELODY, model_folder, tune

CONFIGS = {
    "plain": ModelConfig(cell="gru", hidden_size=16, layers=2),
    "memory": ModelConfig(hidden_size=16, layers=2, memory=MemoryConfig(lags=(1, 2), counters=(2,))),
}
ENGINES = [f"{name} {engine}" for name in CONFIGS for engine in ("onnx", "torch")]
CLOSE = {"rtol": 0, "atol": 1e-4}  # the promise of the engines


@pytest.fixture(scope="module", params=[*ENGINES, "counts"])
def engine(request, tmp_path_factory):
    if request.param == "counts":
        counts = MatchCopy(lambda: PPM(3, vocabulary_size=len(MELODY.vocabulary)))
        pieces = [MELODY.encode(tune(8, seed=seed)) for seed in range(6)]
        return CountingEngine(counts.fit(pieces), CountedModel(MELODY, (60, 72)))
    name, of = request.param.split()
    return load_engine(model_folder(tmp_path_factory.mktemp(name), CONFIGS[name], seed=3), of)


def tunes(*lengths):
    return [tune(bars, seed=bars) for bars in lengths]


@pytest.mark.parametrize("beside", [1, 3])
def test_many_are_each_alone(engine, beside, monkeypatch):
    """Primers of several lengths, two outputs of each; with three beside each other they come and go in turns."""
    scores, seeds = [*tunes(2, 7), tune(4, (3, 4), low=30, high=45)], (5, 0, 9)  # of another metre and register
    cooled = Sampling(gate_temperature=0.6) if hasattr(engine, "cooled") else Sampling()
    alone = [
        continue_score(engine, score, bars=3, num_outputs=2, seed=seed, sampling=cooled)
        for score, seed in zip(scores, seeds, strict=True)
    ]
    monkeypatch.setattr(generation, "SIDE_BY_SIDE", beside)
    monkeypatch.setattr(generation, "CHUNK", 7 * beside)  # primers are heard in parts
    together = continue_scores(engine, scores, seeds=seeds, bars=3, num_outputs=2, sampling=cooled)
    written = set()
    for one, other in zip(itertools.chain(*together), itertools.chain(*alone), strict=True):
        assert one.ids.tolist() == other.ids.tolist()
        assert one.nats_per_token == pytest.approx(other.nats_per_token, abs=1e-4)
        assert one.primer.ids.tolist() == other.primer.ids.tolist()
        assert (one.score, one.refused_silences) == (other.score, other.refused_silences)
        written.add(tuple(one.ids.tolist()))
    assert len(written) == 6


def test_nats_and_silences_are_the_models_own(engine):
    """Before any temperature, of the gate too: as the engine says them of the whole line."""
    cooled = Sampling(temperature=0.7, gate_temperature=0.3) if hasattr(engine, "cooled") else Sampling(temperature=0.7)
    for found in continue_score(engine, tune(8, seed=2), bars=3, num_outputs=2, seed=2, sampling=cooled):
        line = np.concatenate([found.primer.ids, found.ids, [MELODY.vocabulary.id("Bar_None")]])
        logits = engine.run(line[None, :-1], engine.initial_state(1))[0][0, len(found.primer.ids) - 1 :].astype(float)
        new = line[len(found.primer.ids) :]
        nats = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(new)), new]
        assert found.nats_per_token == pytest.approx(nats.mean(), abs=1e-4)


def test_silence_is_what_the_model_itself_wants():
    """A bar line that is refused counts where the model finds it likeliest, not where the cooled gate would."""
    allowed = allowed_tokens(MELODY, (0, 127), conducts=False, programs=None)
    grammar, bar = ContinuationGrammar(MELODY, 1, allowed), MELODY.vocabulary.id("Bar_None")
    state = MELODY.start()
    for token in MELODY.encode(tune(1))[:3].tolist():  # a bar is begun, and has no note yet
        state = state.after(token)
    likely, other = np.zeros((2, len(MELODY.vocabulary)), np.float32)
    likely[bar] = 5
    for wanted, logits, refused in ((other, likely, 1), (likely, other, 0)):
        output = generation._Output((0, 0), grammar, ContinuationState(state, 1), np.random.default_rng(0))
        output.draw(wanted, logits, Sampling())
        assert output.refused == refused


def test_outputs_never_wait_for_each_other(engine, monkeypatch):
    """As long as some wait to begin, all places are taken, but for the one step at which one has ended."""
    rows, run = [], type(engine).run

    def counted(self, ids, state):
        if ids.shape[1] == 1:
            rows.append(len(ids))
        return run(self, ids, state)

    monkeypatch.setattr(type(engine), "run", counted)
    monkeypatch.setattr(generation, "SIDE_BY_SIDE", 2)
    together = continue_scores(engine, tunes(3, 5), bars=2, num_outputs=3)
    tokens = sum(len(output.ids) for outputs in together for output in outputs)
    assert sum(rows) == tokens
    assert max(rows) == 2
    alone = [step for step, count in enumerate(rows) if count == 1 and 2 in rows[step:]]
    assert len(alone) <= 4  # of six outputs, as many as begin when one has ended


def test_states_are_joined_and_taken_by_rows(engine):
    """Rows that heard more and less, joined, go on as each alone; and so does what is taken of them."""
    past = [MELODY.encode(tune(4, seed=seed))[:length] for seed, length in ((1, 9), (2, 30), (3, 17))]
    now = np.array([[40], [41], [42]])
    states = [engine.run(ids[None], engine.initial_state(1))[1] for ids in past]
    together, after = engine.run(now, engine.joined(states))
    alone = [engine.run(token[None], state)[0] for token, state in zip(now, states, strict=True)]
    np.testing.assert_allclose(together, np.concatenate(alone), **CLOSE)
    if hasattr(engine, "cooled"):
        expected = np.concatenate(
            [engine.cooled(engine.run(*row)[1], 0.5) for row in zip(now[:, None], states, strict=True)]
        )
        np.testing.assert_allclose(engine.cooled(after, 0.5), expected, **CLOSE)
        np.testing.assert_allclose(
            engine.cooled(engine.taken(after, np.array([False, True, True])), 0.5), expected[1:], **CLOSE
        )
    last, _ = engine.run(now[[0, 2]], engine.taken(after, np.array([True, False, True])))
    for row, place in zip(last, (0, 2), strict=True):
        line = np.concatenate([past[place], now[place], now[place]])
        np.testing.assert_allclose(row, engine.run(line[None], engine.initial_state(1))[0][0, -1:], **CLOSE)
    again, _ = engine.run(now, engine.joined(states))  # they are values: what was joined can be joined again
    np.testing.assert_allclose(again, together, **CLOSE)


def test_of_no_primer_nothing_is_written(engine):
    assert continue_scores(engine, []) == []


def test_an_output_is_given_as_soon_as_it_is_written(engine, monkeypatch):
    """The first one is there before the last has begun; and who stops there has heard no more primers than needed."""
    monkeypatch.setattr(generation, "SIDE_BY_SIDE", 2)
    heard, hear = [], generation._hear

    def counted(engine, ids):
        heard.append(len(ids))
        return hear(engine, ids)

    monkeypatch.setattr(generation, "_hear", counted)
    primers = [(make_primer(score, engine.checkpoint), 1) for score in tunes(2, 3, 4, 5)]
    found = continuations(engine, primers, bars=2)
    place, first = next(found)
    assert place in ((0, 0), (1, 0))
    assert len(heard) == 2
    rest = dict(found) | {place: first}
    together = continue_scores(engine, tunes(2, 3, 4, 5), seeds=[1] * 4, bars=2)
    assert [rest[number, 0].ids.tolist() for number in range(4)] == [outputs[0].ids.tolist() for outputs in together]


def test_seeds_are_checked(engine):
    with pytest.raises(OptionError, match="seed is -4, it must be 0 or more"):
        continue_scores(engine, tunes(2, 3), seeds=[1, -4])
    with pytest.raises(OptionError, match="1 seeds for 2 pieces; give one for each, or none"):
        continue_scores(engine, tunes(2, 3), seeds=[1])
    default, given = (continue_scores(engine, tunes(2, 3), bars=1, seeds=seeds) for seeds in (None, (0, 1)))
    assert [found[0].ids.tolist() for found in default] == [found[0].ids.tolist() for found in given]
