"""Outputs side by side are what each is alone, however many there are, and whenever another begins or ends."""

import numpy as np
import pytest

from seqaudio.continuation import Sampling, continue_primers, continue_score, generation
from seqaudio.continuation.counts import CountedModel, CountingEngine
from seqaudio.continuation.engines import load_engine
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


def pieces_of(engine, lengths):
    return [make_primer(tune(bars, seed=bars), engine.checkpoint) for bars in lengths]


@pytest.mark.parametrize("beside", [1, 3, 32])
def test_many_are_each_alone(engine, beside, monkeypatch):
    """Primers of several lengths, two outputs of each; with three beside each other they come and go in turns."""
    primers = list(zip(pieces_of(engine, (2, 7, 4)), (5, 0, 9), strict=True))
    cooled = Sampling(gate_temperature=0.6) if hasattr(engine, "cooled") else Sampling()
    monkeypatch.setattr(generation, "SIDE_BY_SIDE", beside)
    together = continue_primers(engine, primers, bars=3, num_outputs=2, sampling=cooled)
    written = set()
    for (primer, seed), outputs in zip(primers, together, strict=True):
        assert [output.primer is primer for output in outputs] == [True, True]
        alone = continue_score(engine, primer.score, bars=3, num_outputs=2, seed=seed, sampling=cooled)
        for one, other in zip(outputs, alone, strict=True):
            assert one.ids.tolist() == other.ids.tolist()
            assert one.nats_per_token == pytest.approx(other.nats_per_token, abs=1e-4)
            assert (one.score, one.refused_silences) == (other.score, other.refused_silences)
            written.add(tuple(one.ids.tolist()))
    assert len(written) == 6


def test_outputs_never_wait_for_each_other(engine, monkeypatch):
    """As long as some wait to begin, all places are taken, but for the one step at which one has ended."""
    rows, run = [], type(engine).run

    def counted(self, ids, state):
        if ids.shape[1] == 1:
            rows.append(len(ids))
        return run(self, ids, state)

    monkeypatch.setattr(type(engine), "run", counted)
    monkeypatch.setattr(generation, "SIDE_BY_SIDE", 2)
    primers = [(primer, 1) for primer in pieces_of(engine, (3, 5))]
    together = continue_primers(engine, primers, bars=2, num_outputs=3)
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
    last, _ = engine.run(now[[0, 2]], engine.taken(after, np.array([True, False, True])))
    for row, place in zip(last, (0, 2), strict=True):
        line = np.concatenate([past[place], now[place], now[place]])
        np.testing.assert_allclose(row, engine.run(line[None], engine.initial_state(1))[0][0, -1:], **CLOSE)
    again, _ = engine.run(now, engine.joined(states))  # they are values: what was joined can be joined again
    np.testing.assert_allclose(again, together, **CLOSE)


def test_of_no_primer_nothing_is_written(engine):
    assert continue_primers(engine, []) == []


def test_each_seed_is_checked(engine):
    first, second = pieces_of(engine, (2, 3))
    with pytest.raises(OptionError, match="seed is -4, it must be 0 or more"):
        continue_primers(engine, [(first, 1), (second, -4)])
