"""The law of runs: a run that was stopped anywhere, or killed, and goes on is the run that was never stopped.

Bit-equal weights, optimizer, averages and model file, and the same log but for what was timed. Dropout, shuffling,
augmentation, accumulation and averaging are on.
"""

import json
import os
import shutil
import signal
import threading
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from seqaudio.continuation.engines import load_engine
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import BadFileError, CheckpointError, DivergedError, NoNotesError, OptionError
from seqaudio.models.checkpoint import GRAPH, WEIGHTS, Checkpoint
from seqaudio.training.config import check_experiment
from seqaudio.training.devices import Devices
from seqaudio.training.material import open_corpus
from seqaudio.training.run import Run
from tests.samples import repetitive_pieces, run_python, write_corpus

EPOCHS, PIECES, BATCH = 3, 7, 3
BATCHES = -(-PIECES // BATCH)


def make_experiment(folder, **training):
    settings = {
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "chunk": 24,
        "warmup_steps": 3,
        "transpose": 5,
        "accumulate": 2,
        "averaging": "ema",
        "threads": 1,
        "seed": 3,
    }
    return check_experiment(
        {
            "corpus": {"prepared": str(folder / "corpus")},
            "model": {"cell": "lstm", "hidden_size": 10, "layers": 2, "dropout": 0.3, "embedding_dropout": 0.1},
            "training": settings | training,
        },
        "test",
    )


@pytest.fixture(scope="module")
def corpus_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    write_corpus(folder / "corpus", repetitive_pieces(PIECES), repetitive_pieces(2, seed=5))
    return folder


@pytest.fixture(scope="module")
def corpus(corpus_folder):
    return PreparedCorpus.open(corpus_folder / "corpus")


@pytest.fixture(scope="module")
def whole(corpus_folder, corpus):
    """The folder of the run that was never stopped."""
    run = Run(corpus_folder / "whole", make_experiment(corpus_folder), corpus)
    assert run.train().finished
    return run.folder


def log_of(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def assert_same_run(folder, whole):
    tensors, expected = (load_file(path / "last" / "state.safetensors") for path in (folder, whole))
    assert tensors.keys() == expected.keys()
    assert {name.partition(".")[0] for name in tensors} == {"model", "optimizer", "average"}
    for name, tensor in expected.items():
        np.testing.assert_array_equal(tensors[name], tensor, err_msg=name)
    assert log_of(folder) == log_of(whole)
    for name in (WEIGHTS, GRAPH):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


def stop_at(line_number):
    """A ``show`` that asks the run to stop, as Ctrl-C does, at the n-th line it sees."""
    seen = []

    def show(line):
        seen.append(line)
        if len(seen) == line_number:
            os.kill(os.getpid(), signal.SIGTERM)

    return show


def test_the_whole_run(whole):
    lines = log_of(whole)
    epochs = [line for line in lines if "valid_nats" in line]
    assert len(epochs) == EPOCHS
    steps = [line["step"] for line in lines if "step" in line]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) > EPOCHS * BATCHES  # some pieces take several chunks
    assert epochs[-1]["valid_nats"] < epochs[0]["valid_nats"]


@pytest.mark.parametrize("place", ["first", "middle", "end of epoch", "validation", "one before the last"])
def test_stopped_and_resumed(corpus_folder, corpus, whole, tmp_path, place):
    lines = log_of(whole)
    validations = [number for number, line in enumerate(lines, 1) if "valid_nats" in line]
    line_number = {
        "first": 1,
        "middle": validations[0] + 2,
        "end of epoch": validations[0] - 1,
        "validation": validations[0],
        "one before the last": validations[-1] - 1 - 1,
    }[place]
    experiment = make_experiment(corpus_folder)
    first = Run(tmp_path / "run", experiment, corpus, show=stop_at(line_number))
    stopped = first.train()
    assert not stopped.finished
    assert 0 < stopped.step < lines[-2]["step"]
    assert stopped.step == sum("step" in line for line in lines[:line_number])
    second = Run(tmp_path / "run", experiment, corpus, resume=True)
    assert second.progress.step == stopped.step
    assert second.train().finished
    assert_same_run(tmp_path / "run", whole)


def test_stopped_after_every_step(corpus_folder, corpus, whole, tmp_path):
    experiment = make_experiment(corpus_folder)
    stops = 0
    while not Run(tmp_path / "run", experiment, corpus, resume=True, show=stop_at(1)).train().finished:
        stops += 1
    assert stops == len(log_of(whole)) - 1  # behind the last line it was finished
    assert_same_run(tmp_path / "run", whole)


def test_time_is_up_before_the_first_batch(corpus_folder, corpus, whole, tmp_path):
    experiment = make_experiment(corpus_folder)
    assert Run(tmp_path / "run", experiment, corpus).train(max_minutes=1e-9).step == 0
    assert log_of(tmp_path / "run") == []
    assert Run(tmp_path / "run", experiment, corpus, resume=True).train(max_minutes=60).finished
    assert_same_run(tmp_path / "run", whole)


def test_time_is_up_in_the_middle(corpus_folder, corpus, whole, tmp_path, monkeypatch):
    """The clock that decides is the only thing that is not the run's own."""
    from seqaudio.training import run as module

    ticks = iter(range(1000))
    monkeypatch.setattr(module.time, "monotonic", lambda: 60.0 * next(ticks))
    experiment = make_experiment(corpus_folder, save_minutes=1e6)
    assert 0 < Run(tmp_path / "run", experiment, corpus).train(max_minutes=4).step
    monkeypatch.undo()
    assert Run(tmp_path / "run", experiment, corpus, resume=True).train().finished
    for name, tensor in load_file(whole / "last" / "state.safetensors").items():
        np.testing.assert_array_equal(load_file(tmp_path / "run" / "last" / "state.safetensors")[name], tensor)


def test_resuming_a_finished_run_changes_nothing(corpus_folder, corpus, whole, tmp_path):
    experiment = make_experiment(corpus_folder)
    Run(tmp_path / "run", experiment, corpus).train()
    assert Run(tmp_path / "run", experiment, corpus, resume=True).train().finished
    assert_same_run(tmp_path / "run", whole)


KILLED = """
import json, os, signal, sys
from pathlib import Path
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.training.run import Run
from tests.training.test_resume import make_experiment
folder, out, plans = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])

def train(name, save_minutes, kill_at):
    seen = []
    def show(line):
        seen.append(line)
        if len(seen) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
    corpus = PreparedCorpus.open(folder / "corpus")
    Run(out / name, make_experiment(folder, save_minutes=save_minutes), corpus, resume=True, show=show).train()

def in_a_process_of_its_own(*arguments):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        train(*arguments)
        os._exit(0)
    return os.waitpid(child, 0)[1]

train("first", 5.0, None)  # what is imported on the way is imported once
for name, save_minutes, kill_at in plans:
    for at in kill_at:
        assert os.WTERMSIG(in_a_process_of_its_own(name, save_minutes, at)) == signal.SIGKILL
    assert in_a_process_of_its_own(name, save_minutes, None) == 0
    print(name)
"""

EVERY_STEP, EPOCHS_ONLY = 1e-9, 5.0  # minutes between saves


@pytest.fixture(scope="module")
def whole_often_saved(corpus_folder, corpus):
    run = Run(corpus_folder / "often", make_experiment(corpus_folder, save_minutes=EVERY_STEP), corpus)
    assert run.train().finished
    return run.folder


def test_killed_and_resumed_in_new_processes(corpus_folder, whole, whole_often_saved, tmp_path):
    expected = load_file(whole / "last" / "state.safetensors")
    for name, tensor in load_file(whole_often_saved / "last" / "state.safetensors").items():
        np.testing.assert_array_equal(tensor, expected[name])  # saving changes nothing
    lines = log_of(whole)
    validation = 1 + next(number for number, line in enumerate(lines) if "valid_nats" in line)
    places = {
        "first step": [1],
        "inside a batch": [validation + 3],
        "last step of an epoch": [validation - 1],
        "validation": [validation],
        "one before the last step": [len(lines) - 2],
        "again and again": [validation + 1, validation + 2, 1],
    }
    plans = [(f"often: {place}", EVERY_STEP, kill_at) for place, kill_at in places.items()]
    plans += [(f"seldom: {place}", EPOCHS_ONLY, places[place]) for place in ("first step", "one before the last step")]
    printed = run_python(KILLED, corpus_folder, tmp_path, json.dumps(plans)).splitlines()
    assert printed == [name for name, *_ in plans]
    for name, save_minutes, _ in plans:
        assert_same_run(tmp_path / name, whole_often_saved if save_minutes == EVERY_STEP else whole)


def test_a_save_inside_a_batch_holds_the_carried_state(corpus_folder, corpus, tmp_path):
    """It is needed, and it is used: without it the run goes on as another."""
    experiment, results = make_experiment(corpus_folder), []
    for forget in (False, True):
        folder, seen = tmp_path / str(forget), []
        run = Run(folder, experiment, corpus, show=seen.append)
        trainer = run._trainer
        trainer.should_stop = lambda trainer=trainer: bool(trainer.state)
        with_state = trainer.run()
        assert 0 < with_state.place == len(seen)
        state = load_file(folder / "last" / "state.safetensors")
        assert {name for name in state if name.startswith("state.")} == {"state.0", "state.1"}
        assert state["state.0"].shape[0] == 2
        again = Run(folder, experiment, corpus, resume=True, show=seen.append)
        if forget:
            again._trainer.state = tuple(0 * part for part in again._trainer.state)
        again.train()
        results.append(log_of(folder))
    assert results[0][: with_state.step] == results[1][: with_state.step]
    assert results[0][with_state.step] != results[1][with_state.step]


def test_a_full_disk(corpus_folder, corpus, tmp_path):
    def fill(line):
        (tmp_path / "run" / "log.jsonl").unlink()
        (tmp_path / "run" / "log.jsonl").symlink_to("/dev/full")

    run = Run(tmp_path / "run", make_experiment(corpus_folder), corpus, show=fill)
    with pytest.raises(BadFileError, match=r"log.jsonl: cannot be written: No space left.*make room on the disk"):
        run.train()


def test_diverged_runs_keep_their_last_good_save(corpus_folder, corpus, tmp_path):
    experiment, state = make_experiment(corpus_folder), tmp_path / "run" / "last" / "state.safetensors"
    Run(tmp_path / "run", experiment, corpus, show=stop_at(3)).train()
    before = state.read_bytes()
    run = Run(tmp_path / "run", experiment, corpus, resume=True)
    next(run._trainer.model.parameters()).register_hook(lambda gradient: gradient * np.nan)
    with pytest.raises(DivergedError, match="step 4"):
        run.train()
    assert state.read_bytes() == before


def test_killed_while_the_log_was_written(corpus_folder, corpus, whole, tmp_path):
    """Lines behind the last save are forgotten, the half-written one too."""
    experiment = make_experiment(corpus_folder)
    Run(tmp_path / "run", experiment, corpus, show=stop_at(4)).train()
    with open(tmp_path / "run" / "log.jsonl", "a") as log:
        log.write('{"step": 999, "epoch": 1, "nats": 1.0}\n{"epoch": 2, "valid_nats": 1.0}\n{"step": 1000, "epo')
    Run(tmp_path / "run", experiment, corpus, resume=True).train()
    assert_same_run(tmp_path / "run", whole)


def test_killed_before_the_first_save(corpus_folder, corpus, whole, tmp_path):
    experiment = make_experiment(corpus_folder)
    Run(tmp_path / "run", experiment, corpus)
    (tmp_path / "run" / "last").mkdir()
    Run(tmp_path / "run", experiment, corpus, resume=True).train()
    assert_same_run(tmp_path / "run", whole)


@pytest.mark.parametrize("change", [{"seed": 4}, {"transpose": 0}, {"chunk": 25}])
def test_the_settings_matter(corpus_folder, corpus, whole, tmp_path, change):
    """So that equal weights mean something: any other setting gives others."""
    Run(tmp_path / "run", make_experiment(corpus_folder, **change), corpus).train()
    found, expected = (load_file(path / "last" / "state.safetensors") for path in (tmp_path / "run", whole))
    assert any(not np.array_equal(found[name], expected[name]) for name in expected)


class TestFolder:
    def test_holds_a_model_that_runs_in_both_engines(self, whole):
        checkpoint = Checkpoint.load(whole)
        best = min(line["valid_nats"] for line in log_of(whole) if "valid_nats" in line)
        assert checkpoint.facts["valid_nats_per_token"] == best
        ids = np.arange(3)[None]
        logits = [
            engine.run(ids, engine.initial_state(1))[0] for engine in (load_engine(whole, n) for n in ("onnx", "torch"))
        ]
        np.testing.assert_allclose(*logits, atol=1e-4)

    def test_graph_and_weights_belong_together_all_the_time(self, corpus_folder, corpus, whole, tmp_path):
        """The graph points into the weights file: whoever looks during training finds its own or none."""
        folder, looked = tmp_path / "run", []

        def look(line):
            ids = np.arange(3)[None]
            engines = [load_engine(folder, name) for name in ("auto", "torch")]
            np.testing.assert_allclose(*[e.run(ids, e.initial_state(1))[0] for e in engines], atol=1e-4)
            looked.append((engines[0].name, line.get("best")))

        experiment = make_experiment(corpus_folder)
        number = 1 + next(i for i, line in enumerate(log_of(whole)) if "valid_nats" in line)
        Run(folder, experiment, corpus, show=stop_at(number)).train()
        moved = replace(corpus, manifest=corpus.manifest | {"sources": ["a longer name" * 9]})  # in the header
        Run(folder, experiment, moved, resume=True, show=look).train()
        assert looked[0] == ("onnx", None)  # of the weights before
        assert ("torch", True) in looked  # new weights, and no graph of them yet
        assert load_engine(folder).name == "onnx"

    def test_a_killed_run_has_a_model_and_after_resuming_its_graph(self, corpus_folder, corpus, whole, tmp_path):
        def kill(line):
            if line.get("best"):
                raise SystemExit

        experiment = make_experiment(corpus_folder)
        with pytest.raises(SystemExit):
            Run(tmp_path / "run", experiment, corpus, show=kill).train()
        assert load_engine(tmp_path / "run").name == "torch"
        Run(tmp_path / "run", experiment, corpus, resume=True).train()
        assert_same_run(tmp_path / "run", whole)

    def test_pitch_range_is_what_training_heard(self, corpus, whole):
        pitches = corpus.tokenizer.vocabulary.slices["Pitch"]
        ids = np.concatenate(corpus.split("train")).astype(int)
        pitch = ids[(ids >= pitches.start) & (ids < pitches.stop)] - pitches.start
        assert Checkpoint.load(whole).pitch_range == (pitch.min() - 5, pitch.max() + 5)

    def test_a_run_is_not_overwritten(self, corpus_folder, corpus, whole):
        before = (whole / "log.jsonl").read_bytes()
        with pytest.raises(OptionError, match="holds a run; add --resume"):
            Run(whole, make_experiment(corpus_folder), corpus)
        with pytest.raises(OptionError, match="other settings"):
            Run(whole, make_experiment(corpus_folder, seed=8), corpus, resume=True)
        assert (whole / "log.jsonl").read_bytes() == before

    def test_settings_younger_than_the_run_had_their_defaults(self, corpus_folder, corpus, whole, tmp_path):
        shutil.copytree(whole, tmp_path / "run")
        path = tmp_path / "run" / "experiment.json"
        settings = json.loads(path.read_text())
        assert settings["model"].pop("zoneout") == 0.0
        assert settings["training"].pop("tensorboard") is False
        path.write_text(json.dumps(settings))
        assert Run(tmp_path / "run", make_experiment(corpus_folder), corpus, resume=True).train().finished
        settings["training"].pop("averaging")
        path.write_text(json.dumps(settings))
        with pytest.raises(OptionError, match=r"training\.averaging was 'none', now 'ema'"):
            Run(tmp_path / "run", make_experiment(corpus_folder), corpus, resume=True)

    def test_settings_of_a_newer_version_are_not_ignored(self, corpus_folder, corpus, whole, tmp_path):
        shutil.copytree(whole, tmp_path / "run")
        path = tmp_path / "run" / "experiment.json"
        settings = json.loads(path.read_text())
        settings["training"]["momentum"] = 0.5
        path.write_text(json.dumps(settings))
        with pytest.raises(OptionError, match=r"\(training\.momentum was 0\.5, now there is no such setting\)"):
            Run(tmp_path / "run", make_experiment(corpus_folder), corpus, resume=True)

    def test_something_else_is_not_overwritten(self, corpus_folder, corpus, tmp_path):
        (tmp_path / "letter.txt").write_text("dear")
        for resume in (True, False):
            with pytest.raises(OptionError, match="no training run"):
                Run(tmp_path, make_experiment(corpus_folder), corpus, resume=resume)

    def test_a_damaged_save_is_refused(self, corpus_folder, corpus, tmp_path):
        experiment = make_experiment(corpus_folder)
        Run(tmp_path / "run", experiment, corpus, show=stop_at(2)).train()
        state = tmp_path / "run" / "last" / "state.safetensors"
        state.write_bytes(state.read_bytes()[:-10])
        with pytest.raises(CheckpointError, match="cannot be resumed from"):
            Run(tmp_path / "run", experiment, corpus, resume=True)

    @pytest.mark.parametrize("damage", [b"{", b"[1]", b"\xff\xfe", b""])
    def test_damaged_settings_are_refused(self, corpus_folder, corpus, tmp_path, damage):
        experiment = make_experiment(corpus_folder)
        Run(tmp_path / "run", experiment, corpus)
        (tmp_path / "run" / "experiment.json").write_bytes(damage)
        with pytest.raises(CheckpointError, match=r"experiment.json: damaged"):
            Run(tmp_path / "run", experiment, corpus, resume=True)

    def test_one_run_at_a_time(self, corpus_folder, corpus, whole, tmp_path):
        """Whoever comes meanwhile is told so, and changes nothing."""
        experiment, told = make_experiment(corpus_folder), []

        def show(line):
            for other in (ready.train, lambda: Run(tmp_path / "run", experiment, corpus, resume=True)):
                with pytest.raises(OptionError, match="another seqaudio train is writing it") as caught:
                    other()
                told.append(caught.value)

        run = Run(tmp_path / "run", experiment, corpus, show=show)
        ready = Run(tmp_path / "run", experiment, corpus, resume=True)
        run.train()
        assert len(told) == 2 * len(log_of(whole))
        assert_same_run(tmp_path / "run", whole)
        assert not (tmp_path / "run" / ".lock").exists()

    def test_what_a_kill_left_half_written_is_removed(self, corpus_folder, corpus, tmp_path):
        run = Run(tmp_path / "run", make_experiment(corpus_folder), corpus)
        left = [tmp_path / "run" / ".12-0a1b2c3d.tmp", tmp_path / "run" / "last" / ".12-0a1b2c3d.tmp"]
        for path in left:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"half")
        run.train()
        assert not any(path.exists() for path in left)

    def test_a_model_larger_than_the_memory(self, corpus_folder, corpus, tmp_path):
        experiment = make_experiment(corpus_folder)
        model = experiment.model.model_copy(update={"hidden_size": 8192, "layers": 16})
        reason = r"more than 1\d\d GB, and the memory has 25 GB; lower model.hidden_size"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Devices, "memory_bytes", 25e9)
            with pytest.raises(OptionError, match=reason):
                Run(tmp_path / "run", experiment.model_copy(update={"model": model}), corpus)
        assert not (tmp_path / "run").exists()

    def test_no_validation_pieces(self, corpus_folder, tmp_path):
        write_corpus(tmp_path / "corpus", repetitive_pieces(3), [])
        with pytest.raises(NoNotesError, match="0 validation pieces"):
            Run(tmp_path / "run", make_experiment(tmp_path), PreparedCorpus.open(tmp_path / "corpus"))

    def test_no_corpus(self, tmp_path):
        with pytest.raises(BadFileError, match="no prepared corpus"):
            open_corpus(make_experiment(tmp_path))

    def test_a_corpus_made_with_other_options_is_refused(self, tmp_path):
        folder = write_corpus(tmp_path / "corpus", repetitive_pieces(3), repetitive_pieces(1))
        manifest = json.loads((folder / "manifest.json").read_text())
        named = {"prepared": str(folder), "sources": ["music"], "options": {"melody": True}}
        for stored, fits in (
            ({"melody": True}, True),  # made before the other options were there
            ({"melody": True, "min_notes": 17}, False),
            ({"melody": True, "swing": 0.5}, False),  # by a newer version
        ):
            (folder / "manifest.json").write_text(json.dumps(manifest | {"sources": ["music"], "options": stored}))
            experiment = check_experiment({"corpus": named})
            with nullcontext() if fits else pytest.raises(OptionError, match="with other options; remove it"):
                assert len(open_corpus(experiment).split("train")) == 3


def test_second_ctrl_c_stops_at_once(corpus_folder, corpus, tmp_path):
    def show(line):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path / "run", make_experiment(corpus_folder), corpus, show=show).train()
    assert signal.getsignal(signal.SIGINT) is handler


def test_what_was_stopped_goes_on_when_it_is_called_once_more(corpus_folder, corpus, whole, tmp_path):
    run = Run(tmp_path / "run", make_experiment(corpus_folder), corpus, show=stop_at(3))
    run.stop()
    assert run.train().step == 0  # asked before it began
    assert run.train().step == 3
    assert run.stopped
    run.stop()
    assert run.train().step == 3  # asked in between
    assert run.train().finished
    assert not run.stopped
    assert_same_run(tmp_path / "run", whole)


def test_the_first_ctrl_c_behind_a_stop_saves(corpus_folder, corpus, tmp_path):
    def show(line):
        run.stop()
        os.kill(os.getpid(), signal.SIGINT)

    run = Run(tmp_path / "run", make_experiment(corpus_folder), corpus, show=show)
    assert not run.train().finished
    assert run.stopped


class TestInAThread:
    """What trains in a notebook's or a server's thread: no signal comes there."""

    @staticmethod
    def train(folder, corpus_folder, corpus, *, stop_at=None, **options):
        handlers, seen, ended = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)], [], []

        def show(line):
            assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
            seen.append(line)
            if len(seen) == stop_at:
                run.stop()

        run = Run(folder, make_experiment(corpus_folder), corpus, show=show, **options)
        thread = threading.Thread(target=lambda: ended.append(run.train()))
        thread.start()
        thread.join()
        return run, ended

    def test_a_run_is_the_one_of_the_main_thread(self, corpus_folder, corpus, whole, tmp_path):
        run, (progress,) = self.train(tmp_path / "run", corpus_folder, corpus)
        assert (progress.finished, run.stopped) == (True, False)
        assert_same_run(tmp_path / "run", whole)

    def test_one_that_is_stopped_is_saved_and_goes_on(self, corpus_folder, corpus, whole, tmp_path):
        run, (progress,) = self.train(tmp_path / "run", corpus_folder, corpus, stop_at=3)
        assert (progress.finished, run.stopped) == (False, True)
        assert len(log_of(tmp_path / "run")) == 3
        self.train(tmp_path / "run", corpus_folder, corpus, resume=True)
        assert_same_run(tmp_path / "run", whole)
