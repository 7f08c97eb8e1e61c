"""Pieces of frames are trained on as pieces of tokens are: transposed as whole keys, read in chunks, scored exactly."""

import copy
import pickle

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from seqaudio.corpus.batches import in_order, stack
from seqaudio.corpus.frames import FrameCorpus
from seqaudio.errors import BadFileError, NoNotesError, OptionError
from seqaudio.models.baselines import MarkovKeys
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint, FrameFacts
from seqaudio.models.config import MemoryConfig, ModelConfig, build_model, make_memory
from seqaudio.training.config import TrainingConfig, check_experiment
from seqaudio.training.evaluate import piece_nats
from seqaudio.training.loop import Trainer
from seqaudio.training.material import open_corpus
from seqaudio.training.run import Run
from seqaudio.training.transposition import FrameTransposition, room

KEYS = 88


def frame_model():
    config = ModelConfig(cell="lstm", hidden_size=24, layers=1, dropout=0.0, head="bernoulli")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_model(config, keys=KEYS).eval()


def arpeggios(count, *, seed=0):
    """Frames that hold one key at a time and repeat a bar, each piece on its own pitch."""
    rng = np.random.default_rng(seed)
    pieces = []
    for _ in range(count):
        keys = rng.integers(20, 60) + np.tile([0, 4, 7, 4], int(rng.integers(3, 12)))
        pieces.append(np.eye(KEYS, dtype=bool)[keys])
    return pieces


def make_trainer(**options):
    lines = []
    settings = {"epochs": 2, "batch_size": 3, "chunk": 16, "warmup_steps": 4, "learning_rate": 2e-2} | options
    trainer = Trainer(
        frame_model(),
        FrameTransposition(21),
        TrainingConfig(**settings),
        arpeggios(24),
        arpeggios(3, seed=9),
        lines.append,
        lambda: None,
        lambda: None,
    )
    return trainer, lines


def test_a_memory_knows_what_cannot_be_learnt():
    """Random rolls twice over: the second time is a surprise to a state alone, and none to a memory, in any key."""
    rng = np.random.default_rng(0)
    pieces = [np.tile(rng.random((20, KEYS)) < 0.04, (2, 1)) & (np.arange(KEYS) % 80 > 8) for _ in range(16)]
    found = {}
    for name, memory in (("state", None), ("memory", MemoryConfig(lags=(20,), features=4))):
        trainer, _ = make_trainer(epochs=6, learning_rate=1e-2)
        config = ModelConfig(hidden_size=24, layers=1, dropout=0.0, head="bernoulli", memory=memory)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            trainer.model, trainer.memory = build_model(config, keys=KEYS), make_memory(config)
        trainer.train, trainer.valid = pieces[:14], pieces[14:]
        trainer.__post_init__()
        trainer.run()
        nats = piece_nats(trainer.model.eval(), trainer.valid, trainer.memory)
        found[name] = [float(np.mean([row[part].mean() for row in nats])) for part in (slice(0, 18), slice(25, 39))]
    assert found["state"][1] > 0.8 * found["state"][0]
    assert found["memory"][1] < 0.4 * found["memory"][0]
    assert found["memory"][0] < 1.3 * found["state"][0]


def test_learns():
    """More than how often each key sounds, or how often it goes on: a model of frames hears the other keys."""
    trainer, lines = make_trainer(epochs=8)
    trainer.run()
    valid = [line["valid_nats"] for line in lines if "valid_nats" in line]
    assert len(valid) == 8
    for order in (0, 1):
        counts = MarkovKeys(order).fit(trainer.train)
        assert valid[-1] < np.concatenate([counts.nats(piece) for piece in trainer.valid]).mean() - 0.3
    tokens = sum(line["tokens"] for line in lines if line.get("epoch") == 0 and "step" in line)
    assert tokens == sum(len(piece) - 1 for piece in trainer.train)


@torch.no_grad()
@pytest.mark.parametrize("chunk", [7, 512])
def test_nats_of_frames_as_if_scored_alone(chunk):
    model, pieces = frame_model(), [*arpeggios(4), np.ones((1, KEYS), bool)]
    found = piece_nats(model, pieces, batch_size=3, chunk=chunk)
    assert [len(nats) for nats in found] == [len(piece) - 1 for piece in pieces]
    for piece, nats in zip(pieces, found, strict=True):
        frames = torch.from_numpy(piece)[None]
        outputs, _ = model(frames)
        p = torch.sigmoid(outputs[0, :-1].double()).numpy()
        expected = -np.log(np.where(piece[1:], p, 1 - p)).sum(axis=1)
        np.testing.assert_allclose(nats, expected, rtol=1e-5)


def test_a_batch_is_its_pieces_and_silence():
    pieces = arpeggios(5)
    batch = stack(pieces)
    assert batch.steps.dtype == bool
    assert batch.steps.shape == (5, max(map(len, pieces)), KEYS)
    for row, length, piece in zip(batch.steps, batch.lengths, pieces, strict=True):
        assert np.array_equal(row[:length], piece)
        assert not row[length:].any()
    assert sum(len(numbers) for numbers, _ in in_order(pieces, 2)) == 5


@pytest.mark.parametrize(("keys", "lowest"), [(88, 21), (128, 0)])
def test_keys_move_and_never_off_the_keyboard(keys, lowest):
    transposition, moves = FrameTransposition(lowest), set()
    for low, high in [(21, 30), (60, 61), (100, 108), (21, 108), (64, 64)]:
        piece = np.zeros((3, keys), bool)
        piece[1, [low - lowest, high - lowest]] = True
        assert transposition.pitch_range(piece) == (low, high)
        down, up = room((low, high), 5)
        for semitones in range(-down, up + 1):
            moved = transposition.moved(piece, semitones)
            expected = {pitch - lowest + semitones for pitch in (low, high)}
            assert set(np.flatnonzero(moved[1]).tolist()) == expected
            assert not moved[[0, 2]].any()
            assert 21 <= min(expected) + lowest <= max(expected) + lowest <= 108
            moves.add(semitones)
    assert moves == set(range(-5, 6))
    silent = np.zeros((3, keys), bool)
    assert room(transposition.pitch_range(silent), 5) == (5, 5)
    assert not transposition.moved(silent, 5).any()


class TestCorpus:
    def test_splits_of_the_set(self, tmp_path):
        train, valid = arpeggios(3), arpeggios(2, seed=4)
        named = {f"train_{i}": piece for i, piece in enumerate(train)} | {f"valid_{i}": p for i, p in enumerate(valid)}
        np.savez(tmp_path / "nottingham.npz", **named)
        corpus = FrameCorpus.open(tmp_path / "nottingham.npz")
        assert (corpus.keys, corpus.lowest_pitch, corpus.steps_per_quarter) == (88, 21, 2)
        for name, pieces in (("train", train), ("valid", valid), ("test", [])):
            assert len(corpus.split(name)) == len(pieces)
            assert all(np.array_equal(*pair) for pair in zip(corpus.split(name), pieces, strict=True))
        with pytest.raises(OptionError, match="'validation'; name one of train, valid, test"):
            corpus.split("validation")
        np.savez(tmp_path / "other.npz", **named | {"valid_0": valid[0][:-1]})
        assert FrameCorpus.open(tmp_path / "other.npz").fingerprint != corpus.fingerprint
        assert FrameCorpus.open(tmp_path / "other.npz") != corpus

    def test_copies_are_equal(self, tmp_path):
        np.savez(tmp_path / "set.npz", train_1=arpeggios(1)[0])
        corpus = FrameCorpus.open(tmp_path / "set.npz")
        for again in (pickle.loads(pickle.dumps(corpus)), copy.deepcopy(corpus)):
            assert len({again, corpus}) == 1
            assert np.array_equal(again.split("train")[0], corpus.split("train")[0])

    @pytest.mark.parametrize(
        ("arrays", "reason"),
        [
            ({"a": np.ones((3, 88))}, "does not say which pieces are train"),
            ({"train_1": np.ones((3, 88)), "valid_1": np.ones((3, 128))}, "88 and of 128 keys"),
        ],
    )
    def test_refused(self, tmp_path, arrays, reason):
        np.savez(tmp_path / "set.npz", **arrays)
        with pytest.raises(BadFileError, match=reason):
            FrameCorpus.open(tmp_path / "set.npz")


@pytest.fixture(scope="module")
def rolls(tmp_path_factory):
    named = {f"train_{i}": piece for i, piece in enumerate(arpeggios(7))}
    named |= {f"valid_{i}": piece for i, piece in enumerate(arpeggios(2, seed=4))}
    path = tmp_path_factory.mktemp("rolls") / "nottingham.npz"
    np.savez(path, **named)
    return path


def frame_experiment(rolls, head):
    training = {"epochs": 2, "batch_size": 3, "chunk": 16, "warmup_steps": 3, "threads": 1, "accumulate": 2}
    model = {"head": head, "hidden_size": 8, "layers": 1, "dropout": 0.3}
    return check_experiment({"corpus": {"frames": str(rolls)}, "model": model, "training": training}, "test")


class TestRun:
    @pytest.mark.parametrize("head", ["bernoulli", "notes", "joint"])
    def test_from_a_set_of_rolls_to_a_model(self, rolls, tmp_path, head):
        experiment, lines = frame_experiment(rolls, head), []
        corpus = open_corpus(experiment)
        whole = Run(tmp_path / "whole", experiment, corpus, show=lines.append)
        assert whole.train().finished
        assert (whole.unit, whole.reads) == ("frame", "frames")
        checkpoint = Checkpoint.load(tmp_path / "whole")
        assert checkpoint.frames == FrameFacts(88, 21, 2)
        assert checkpoint.pitch_range == whole._pitch_range
        nats = np.concatenate(piece_nats(checkpoint.build(), corpus.split("valid"))).mean()
        assert checkpoint.facts["valid_nats_per_frame"] == pytest.approx(nats, rel=1e-6)
        assert nats == pytest.approx(min(line["valid_nats"] for line in lines if "valid_nats" in line), rel=1e-6)
        self.stop_and_go_on(experiment, corpus, tmp_path / "parts")
        for name in (WEIGHTS, "last/state.safetensors"):
            found, expected = (load_file(tmp_path / which / name) for which in ("parts", "whole"))
            assert found.keys() == expected.keys()
            assert all(np.array_equal(found[key], expected[key]) for key in expected)

    def stop_and_go_on(self, experiment, corpus, folder):
        first = Run(folder, experiment, corpus)
        first._trainer.should_stop = lambda: bool(first._trainer.state)  # inside a batch
        assert not first._trainer.run().finished
        assert first.progress.step > 0
        assert Run(folder, experiment, corpus, resume=True).train().finished

    def test_another_set_is_refused(self, rolls, tmp_path):
        experiment = frame_experiment(rolls, "bernoulli")
        Run(tmp_path / "run", experiment, open_corpus(experiment)).train(max_minutes=1e-9)
        np.savez(tmp_path / "other.npz", train_1=arpeggios(1)[0], valid_1=arpeggios(1)[0])
        with pytest.raises(OptionError, match="the corpus is not the one this run began with"):
            Run(tmp_path / "run", experiment, FrameCorpus.open(tmp_path / "other.npz"), resume=True)

    def test_pieces_of_one_frame_are_nothing_to_learn_from(self, rolls, tmp_path):
        np.savez(tmp_path / "short.npz", train_1=arpeggios(1)[0], valid_1=np.ones((1, 88)))
        experiment = frame_experiment(tmp_path / "short.npz", "bernoulli")
        with pytest.raises(NoNotesError, match="longer than a step"):
            Run(tmp_path / "run", experiment, open_corpus(experiment))
        assert not (tmp_path / "run").exists()
