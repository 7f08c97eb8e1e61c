"""TensorBoard reads what stands in the log, each step once, however often the run was stopped or killed."""

import json
import sys

import pytest

from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import MissingDependencyError
from seqaudio.training.run import Run
from tests.samples import repetitive_pieces, write_corpus
from tests.training.test_resume import make_experiment, stop_at

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


@pytest.fixture
def corpus(tmp_path):
    return PreparedCorpus.open(write_corpus(tmp_path / "corpus", repetitive_pieces(7), repetitive_pieces(2, seed=5)))


def drawn(folder):
    """Every event that TensorBoard shows: (step, value) by tag."""
    events = accumulator.EventAccumulator(str(folder / "events"), size_guidance={accumulator.SCALARS: 0})
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def logged(folder):
    """The same from the log."""
    found, step = {}, 0
    for text in (folder / "log.jsonl").read_text().splitlines():
        line = json.loads(text)
        part, step = ("train", line["step"]) if "step" in line else ("valid", step)
        for name in {"nats", "rate", "gradient_norm", "tokens", "valid_nats"} & line.keys():
            found.setdefault(f"{part}/{name.removeprefix('valid_')}", []).append((step, line[name]))
    return found


def assert_events_are_the_log(folder):
    events, log = drawn(folder), logged(folder)
    assert events.keys() == log.keys() >= {"train/nats", "train/rate", "valid/nats"}
    for tag, points in log.items():
        assert [step for step, _ in events[tag]] == [step for step, _ in points], tag
        assert [value for _, value in events[tag]] == pytest.approx([value for _, value in points], rel=1e-6), tag


def test_the_events_are_the_log(corpus, tmp_path):
    Run(tmp_path / "run", make_experiment(tmp_path, tensorboard=True), corpus).train()
    assert_events_are_the_log(tmp_path / "run")


class Killed(Exception):
    """Stands for a kill: nothing is saved after it, but what was written by then is there."""


def test_no_step_twice_after_stops_and_kills(corpus, tmp_path):
    experiment = make_experiment(tmp_path, tensorboard=True)
    folder = tmp_path / "run"

    def kill_at(count):
        seen = []

        def show(line):
            seen.append(line)
            if len(seen) == count:
                raise Killed

        return show

    with pytest.raises(Killed):  # before the first save
        Run(folder, experiment, corpus, show=kill_at(3)).train()
    Run(folder, experiment, corpus, resume=True, show=stop_at(2)).train()
    with pytest.raises(Killed):  # in the second epoch
        Run(folder, experiment, corpus, resume=True, show=kill_at(12)).train()
    assert len(logged(folder)["valid/nats"]) == 1
    assert Run(folder, experiment, corpus, resume=True).train().finished
    assert len(list((folder / "events").iterdir())) == 4
    assert_events_are_the_log(folder)


def test_none_unless_asked_for(corpus, tmp_path):
    Run(tmp_path / "run", make_experiment(tmp_path, epochs=1), corpus).train()
    assert not (tmp_path / "run" / "events").exists()


def test_missing_is_told_before_anything_begins(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'seqaudio\[tensorboard\]'"):
        Run(tmp_path / "run", make_experiment(tmp_path, tensorboard=True), corpus)
    assert not (tmp_path / "run").exists()
