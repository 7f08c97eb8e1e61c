"""A fine-tuning begins at the model it names, on tokens that model knows, and needs it no more once it has begun."""

import hashlib
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from seqaudio.continuation.engines import load_engine
from seqaudio.corpus.frames import FrameCorpus
from seqaudio.corpus.options import PrepareOptions, prepare_command
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import CheckpointError, OptionError, VocabularyError
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint
from seqaudio.models.config import MAY_DIFFER, MemoryConfig, ModelConfig, build_model
from seqaudio.tokens import BarsTokenizer, MelodyTokenizer, PerformanceTokenizer, PianorollTokenizer
from seqaudio.training.config import check_experiment
from seqaudio.training.run import Run
from tests.samples import FULL, MELODY, model_folder, repetitive_pieces, tune, write_corpus
from tests.training.test_resume import assert_same_run, log_of, stop_at

SIZES = ModelConfig(cell="gru", hidden_size=10, layers=2, embedding_size=6, dropout=0.4, embedding_dropout=0.1)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fine_tune")
    model_folder(folder / "old", SIZES, pitch_range=(20, 70), dtype=np.float16)
    write_corpus(folder / "corpus", repetitive_pieces(7), repetitive_pieces(2, seed=5))
    return folder


@pytest.fixture(scope="module")
def corpus(home):
    return PreparedCorpus.open(home / "corpus")


def tuning(home, model=None, **training):
    settings = {"epochs": 2, "batch_size": 3, "chunk": 24, "warmup_steps": 2, "threads": 1, "averaging": "ema"}
    values = {
        "init": str(home / "old"),
        "corpus": {"prepared": str(home / "corpus")},
        "training": settings | training,
    }
    return check_experiment(values | ({"model": model} if model else {}), "test")


@pytest.fixture(scope="module")
def tuned(home, corpus):
    run = Run(home / "tuned", tuning(home), corpus)
    assert run.train().finished
    return run.folder


def test_the_weights_begin_there(home, corpus, tmp_path):
    """With a rate too small to move a weight, what comes out is what went in, exactly."""
    Run(tmp_path / "run", tuning(home, epochs=1, learning_rate=1e-30, weight_decay=0), corpus).train()
    new, old = Checkpoint.load(tmp_path / "run").weights, Checkpoint.load(home / "old").weights
    assert new.keys() == old.keys()
    for name, tensor in old.items():
        np.testing.assert_array_equal(new[name], tensor.astype(np.float32), err_msg=name)


def test_training_moves_them(home, tuned):
    new, old = Checkpoint.load(tuned).weights, Checkpoint.load(home / "old").weights
    assert all(not np.array_equal(new[name], tensor) for name, tensor in old.items())
    epochs = [line["valid_nats"] for line in log_of(tuned) if "valid_nats" in line]
    assert epochs[-1] < epochs[0]


def test_the_new_model_says_where_it_comes_from(home, tuned):
    new = Checkpoint.load(tuned)
    assert new.config == SIZES  # what the config leaves out comes from there, dropout too
    assert new.facts["init"] == str(home / "old")
    assert new.facts["init_sha256"] == hashlib.sha256((home / "old" / WEIGHTS).read_bytes()).hexdigest()
    assert new.facts["experiment"]["model"]["hidden_size"] == 10
    load_engine(tuned, "onnx")


def test_pitches_old_and_new(corpus, tuned):
    met = MELODY.pitch_of_token[np.concatenate(corpus.split("train"))]
    assert met.max() + 5 > 70
    assert Checkpoint.load(tuned).pitch_range == (20, met.max() + 5)


def test_instruments_old_and_new(home, tmp_path):
    """A flute in a validation piece alone was not met, and what a model of before had met nobody knows."""
    drums = tune(4).replaced(is_drum=np.ones(len(tune(4)), bool))
    voices = {"drums": drums, 40: tune(4).replaced(program=np.full(len(tune(4)), 40)), 73: tune(4)}
    flute = FULL.encode(voices[73].replaced(program=np.full(len(tune(4)), 73)))
    met = {}
    for name, init in (("drums", None), (40, "drums"), ("again", "unknown")):
        write_corpus(tmp_path / f"corpus {name}", [FULL.encode(voices.get(name, drums))], [flute], FULL)
        asked = {"corpus": {"prepared": str(tmp_path / f"corpus {name}")}, "training": {"epochs": 1, "threads": 1}}
        asked |= {"model": SIZES.model_dump()} if init is None else {"init": str(tmp_path / init)}
        run = Run(tmp_path / str(name), check_experiment(asked), PreparedCorpus.open(tmp_path / f"corpus {name}"))
        assert run.train().finished
        met[name] = Checkpoint.load(run.folder).programs
        if name == 40:
            model_folder(tmp_path / "unknown", SIZES, FULL)
    assert met == {"drums": {-1}, 40: {-1, 40}, "again": None}
    metres = [Checkpoint.load(tmp_path / name).metres for name in ("drums", "40", "again")]
    assert metres == [{"4/4": 1}, {"4/4": 2}, None]
    assert Checkpoint.load(tmp_path / "drums").between == 0  # of so few pieces nobody knows what beginnings cost
    assert Checkpoint.load(tmp_path / "drums").beginnings is None
    assert Checkpoint.load(home / "tuned").programs is None


def test_stopped_and_resumed_without_the_old_model(home, corpus, tuned, tmp_path):
    shutil.copytree(home / "old", tmp_path / "old")
    asked = []

    def find(name):
        asked.append(name)
        return tmp_path / "old"

    experiment = tuning(home)
    assert not Run(tmp_path / "run", experiment, corpus, find_model=find, show=stop_at(4)).train().finished
    assert asked == [str(home / "old")]
    shutil.rmtree(tmp_path / "old")
    assert Run(tmp_path / "run", experiment, corpus, resume=True, find_model=find).train().finished
    assert asked == [str(home / "old")]
    assert_same_run(tmp_path / "run", tuned)


def test_killed_before_the_first_save_begins_again(home, corpus, tuned, tmp_path):
    Run(tmp_path / "run", tuning(home), corpus)
    assert Run(tmp_path / "run", tuning(home), corpus, resume=True).train().finished
    assert_same_run(tmp_path / "run", tuned)


def test_resumed_only_with_its_own_settings(home, corpus, tuned, tmp_path):
    plain = check_experiment({"corpus": {"prepared": str(home / "corpus")}}, "test")
    with pytest.raises(OptionError, match=r"init was '.*old', now None"):
        Run(tuned, plain, corpus, resume=True)
    with pytest.raises(OptionError, match=r"model\.layers is 3"):
        Run(tuned, tuning(home, {"layers": 3}), corpus, resume=True)
    shutil.copytree(tuned, tmp_path / "run")
    (tmp_path / "run" / "init.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"init\.json: missing or damaged"):
        Run(tmp_path / "run", tuning(home), corpus, resume=True)


def test_other_sizes_are_named_together(home, corpus, tmp_path):
    with pytest.raises(OptionError) as caught:
        Run(tmp_path / "run", tuning(home, {"cell": "lstm", "hidden_size": 32, "layers": 2, "dropout": 0}), corpus)
    text = str(caught.value)
    assert "model.cell is 'lstm', there 'gru'; model.hidden_size is 32, there 10" in text
    assert "layers" not in text
    assert "dropout" not in text
    assert not (tmp_path / "run").exists()


def test_of_two_memories_the_difference_is_named(tmp_path):
    memory = {"lags": (1, 2), "features": 4}
    model_folder(tmp_path / "old", SIZES.model_copy(update={"memory": MemoryConfig(**memory)}))
    write_corpus(tmp_path / "corpus", repetitive_pieces(7), repetitive_pieces(2, seed=5))
    corpus = PreparedCorpus.open(tmp_path / "corpus")
    with pytest.raises(OptionError, match=r"\(model\.memory\.lags is \(1,\), there \(1, 2\)\); leave them out"):
        Run(tmp_path / "run", tuning(tmp_path, {"memory": memory | {"lags": [1]}}), corpus)
    with pytest.raises(OptionError, match=r"\(model\.memory is None, there \{"):
        Run(tmp_path / "run", tuning(tmp_path, {"memory": None}), corpus)


def test_what_may_differ_does(home, corpus, tmp_path):
    run = Run(tmp_path / "run", tuning(home, {"dropout": 0.0, "hidden_size": 10}, epochs=1), corpus)
    run.train()
    config = Checkpoint.load(run.folder).config
    assert (config.dropout, config.embedding_dropout) == (0.0, 0.1)


def test_no_weight_depends_on_what_may_differ():
    def shapes(config):
        return {name: tensor.shape for name, tensor in build_model(config, 9).state_dict().items()}

    with torch.random.fork_rng():
        expected = shapes(SIZES)
        for name in MAY_DIFFER:
            assert shapes(SIZES.model_copy(update={name: 0.2})) == expected


class TestVocabulary:
    @pytest.mark.parametrize(
        ("tokenizer", "words"),
        [
            (BarsTokenizer(), ("only the corpus has PitchDrum, Program, Tempo, Velocity", "SOURCE OUT --melody")),
            (PerformanceTokenizer(), ("performance", "only the model has Bar,", "--melody")),
        ],
    )
    def test_of_another_corpus(self, home, tmp_path, tokenizer, words):
        write_corpus(tmp_path / "other", [np.arange(20)] * 2, [np.arange(9)], tokenizer)
        with pytest.raises(VocabularyError) as caught:
            Run(tmp_path / "run", tuning(home), PreparedCorpus.open(tmp_path / "other"))
        for word in (*words, f"{len(tokenizer.vocabulary)} tokens", f"{len(MELODY.vocabulary)} tokens"):
            assert word in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize(
        "tokenizer",
        [
            MELODY,
            BarsTokenizer(),
            BarsTokenizer(programs=False, pedals="tokens"),
            BarsTokenizer(programs=True, velocities=False, tempos=False, pedals="drop"),
            MelodyTokenizer(),
            PerformanceTokenizer(),
            PerformanceTokenizer(pedals="tokens"),
            PianorollTokenizer(),
        ],
        ids=prepare_command,
    )
    def test_the_command_that_is_named_makes_one_that_fits(self, tokenizer):
        command = prepare_command(tokenizer)
        settings = dict(pair.split("=") for pair in re.findall(r"--set (\S+)", command))
        name = (re.findall(r"--tokenizer (\S+)", command) or ["bars"])[0]
        kept = {"melody": "--melody" in command, "lead_sheet": "--lead-sheet" in command}
        assert PrepareOptions(tokenizer=name, settings=settings, **kept).make_tokenizer() == tokenizer

    def test_weights_that_are_no_numbers(self, home, corpus, tmp_path):
        old = Checkpoint.load(home / "old")
        replace(old, weights={name: 0 * each + np.nan for name, each in old.weights.items()}).save(tmp_path / "nan")
        with pytest.raises(CheckpointError, match="weights that are no numbers"):
            Run(tmp_path / "run", tuning(home), corpus, find_model=lambda name: tmp_path / "nan")
        assert not (tmp_path / "run").exists()

    def test_no_such_model(self, home, corpus, tmp_path):
        with pytest.raises(CheckpointError, match="none"):
            Run(tmp_path / "run", tuning(home), corpus, find_model=lambda name: tmp_path / "none")


def test_experiments_without_init_are_read_as_before(home, corpus, tmp_path):
    """A run of an older version, whose settings know no init, goes on."""
    experiment = check_experiment({"corpus": {"prepared": str(home / "corpus")}, "training": {"epochs": 1}}, "test")
    Run(tmp_path / "run", experiment, corpus, show=stop_at(1)).train()
    stored = tmp_path / "run" / "experiment.json"
    values = json.loads(stored.read_text())
    assert values.pop("init") is None
    stored.write_text(json.dumps(values))
    assert Run(tmp_path / "run", experiment, corpus, resume=True).train().finished
    assert load_file(tmp_path / "run" / WEIGHTS)


def test_models_of_frames_begin_anew(tmp_path):
    rolls = np.zeros((2, 4, 88), bool)
    np.savez(tmp_path / "rolls.npz", train=rolls, valid=rolls, test=rolls)
    values = {"init": "folk", "corpus": {"frames": str(tmp_path / "rolls.npz")}, "model": {"head": "bernoulli"}}
    corpus = FrameCorpus.open(tmp_path / "rolls.npz")
    with pytest.raises(OptionError, match="only models of tokens can be trained further; leave init out"):
        Run(tmp_path / "run", check_experiment(values, "test"), corpus)
    assert not (tmp_path / "run").exists()
