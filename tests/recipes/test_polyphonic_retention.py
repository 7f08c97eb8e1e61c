"""Are windows of rolls apart, is every continuation measured alike, and is a copy in another key found?"""

import json
import sys
from itertools import groupby
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqaudio.corpus.frames import FrameCorpus
from seqaudio.music.frames import transposed_frames
from seqaudio.structure import frame_far_repeat_rate, frame_primer_recall, similarity_curve
from seqaudio.structure.bars import Bars
from tests.recipes.loading import loaded


@pytest.fixture(scope="module")
def retention():
    with loaded("polyphonic_retention") as module:
        yield module


@pytest.fixture(scope="module")
def copies(retention):
    return sys.modules["polyphonic_copies"]


def melody(generator, steps):
    """A line over a bass, each tone held for one to three frames, with rests."""
    frames = np.zeros((steps, 88), bool)
    step = 0
    while step < steps:
        stop = step + int(generator.integers(1, 4))
        if generator.random() > 0.1:
            frames[step:stop, 40 + generator.integers(0, 8)] = True
            frames[step:stop, 20 + generator.integers(0, 2)] = True
        step = stop
    return frames


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Test pieces of 255, 256, 450 and 640 frames: with none, one, two and three windows."""
    generator = np.random.default_rng(4)
    lengths = {"train": (300, 200, 100), "valid": (256, 449), "test": (255, 256, 450, 640)}
    pieces = {split: [melody(generator, steps) for steps in sizes] for split, sizes in lengths.items()}
    path = tmp_path_factory.mktemp("rolls") / "Lines.json"
    sounding = {
        split: [[(np.flatnonzero(row) + 21).tolist() for row in piece] for piece in pieces[split]] for split in pieces
    }
    path.write_text(json.dumps(sounding))
    return FrameCorpus.open(path)


@pytest.fixture(scope="module")
def windows(retention, corpus):
    return retention.Windows(corpus, retention.FULL, "test", 200)


def test_no_frame_of_a_continuation_is_used_twice(retention, corpus, windows):
    assert windows.counts == [1, 2, 3]
    pieces = corpus.split("test")
    for owner, piece in enumerate(pieces[1:]):
        mine = windows.frames[windows.owner == owner]
        behind = np.concatenate(list(mine[:, 64:]))
        assert (behind == piece[64 : 64 + len(behind)]).all()
        assert len(piece) - 64 - len(behind) < 192
        assert (mine[0, :64] == piece[:64]).all()
    few = retention.Windows(corpus, retention.FULL, "test", 3)
    assert [(window == few.frames).all(axis=(1, 2)).any() for window in windows.frames] == [True, False] * 3
    assert retention.Windows(corpus, retention.Setting(steps=1_000), "test", 9).counts == []


def test_a_loop_says_the_primer_again_and_again(windows):
    looped = windows.looped()
    assert (looped[:, :64] == windows.frames[:, :64]).all()
    for turn in range(1, 4):
        assert (looped[:, 64 * turn : 64 * (turn + 1)] == looped[:, :64]).all()
    far, recall = windows.repeats(looped)
    assert far > 0.7
    assert recall > 0.9
    assert windows.repeats(windows.frames)[1] < 0.1


def test_sums_are_those_of_the_windows_of_each_piece(retention, copies, corpus, windows):
    stuck = windows.frames.copy()
    stuck[1] = windows.looped()[1]
    stuck[0, 64:] = melody(np.random.default_rng(0), 1)  # the only window of its piece
    kept = windows.kept(stuck, copies.TrainingRuns(corpus.split("train")))
    far = [frame_far_repeat_rate(roll) for roll in stuck]
    recall = [frame_primer_recall(roll, 64) for roll in stuck]
    for name, values in (("far_repeat_rate", far), ("primer_recall", recall)):
        expected = [values[0], sum(values[1:3]), sum(values[3:])]
        assert kept["measures"][name] == pytest.approx(expected, abs=1e-4)
    assert kept["measures"]["degenerate"] == [1, 1, 0]
    assert kept["warnings"] == {"held": 1, "loop": 1}  # four bars of sixteen frames, four times
    curves = [similarity_curve(Bars.of_frames(roll, 8)) for roll in stuck]
    assert kept["curve"] == pytest.approx(np.mean(curves, axis=0), abs=1e-4)
    halves = [np.mean([similarity_curve(Bars.of_frames(r, 8)) for r in windows.frames[i]], axis=0) for i in HALVES]
    for half, expected in zip(windows.halves(), halves, strict=True):
        assert half == pytest.approx(expected, abs=1e-4)


HALVES = ([0, 3, 4, 5], [1, 2])  # a piece is in one half with all its windows


def test_the_temperature_nearest_to_real_windows_is_chosen(retention, windows):
    other = np.roll(windows.frames, 1, axis=0)
    shuffled = windows.with_primers(other[:, 64:])
    half = windows.looped()
    half[::2] = windows.frames[::2]
    for tried, best in (
        ({1.0: shuffled, 0.5: windows.looped()}, 1.0),
        ({1.0: windows.looped(), 0.5: half}, 0.5),
        ({1.0: windows.looped(), 0.5: half, 0.3: windows.frames}, 0.3),
    ):
        found = retention.best_gate_temperature(windows, tried)
        assert found["gate_temperature"] == best
        assert found["valid"]["repeats"] == pytest.approx(windows.repeats(tried[best]), abs=1e-4)
        assert found["valid"]["real"] == pytest.approx(windows.repeats(windows.frames), abs=1e-4)


def test_the_temperature_chosen_on_validation_is_that_of_the_test_windows(retention, corpus, monkeypatch):
    setting = retention.Setting(gate_temperatures=(1.0, 0.5, 0.3))
    material = retention.Material.open(corpus.name, setting)
    assert (len(material.valid), len(material.test)) == (3, 6)
    asked = []

    def as_real_at_a_half(model, memory, primers, steps, *, seed, gate_temperature):
        windows = material.valid if len(primers) == 3 else material.test
        assert (np.array(primers) == windows.frames[:, :64]).all()
        asked.append((len(primers), seed, gate_temperature))
        return (windows.frames if gate_temperature == 0.5 else windows.looped())[:, 64:]

    monkeypatch.setattr(retention, "continue_frames", as_real_at_a_half)
    real = retention.kept_by_row(retention.REAL, corpus.name, setting, 1)[0]
    looped = retention.kept_by_row(retention.LOOP, corpus.name, setting, 1)[0]
    for memory, expected, temperature in ((object(), real, 0.5), (None, looped, None)):
        model = SimpleNamespace(build=torch.nn.Identity, memory=lambda memory=memory: memory)
        kept = retention.kept_by_model(model, corpus.name, setting, 7)
        assert kept["measures"] == expected["measures"]
        assert kept.get("gate_temperature") == temperature
    assert asked == [(3, 7, 1.0), (3, 7, 0.5), (3, 7, 0.3), (6, 7, 0.5), (6, 7, 1.0)]


# ---- counts of whole frames ------------------------------------------------------------------------------------------


def test_counts_write_what_the_order_before_leaves_open(retention):
    """A cycle in which each frame but one is followed by one other: which, the two before it decide."""
    frames = np.eye(88, dtype=bool)[40:44]
    cycle = [0, 1, 2, 3, 2, 1] * 40
    counts = retention.FrameCounts([frames[cycle]])
    assert len(counts.frames) == 4 + 10
    primers = [frames[cycle[:9]], frames[cycle[1:10]]]
    written = counts.written(primers, 60, seed=1)
    same = [
        (row == frames[cycle[begin : begin + 60]]).all(axis=1).mean()
        for row, begin in zip(written, (9, 10), strict=True)
    ]
    assert min(same) > 0.5
    transposed = [transposed_frames(primer, 3) for primer in primers]
    moved = counts.written(transposed, 60, seed=1)
    assert np.mean([row[:, 43:47].any(axis=1).mean() for row in moved]) > 0.5
    assert (counts.written(primers, 60, seed=1) == written).all()
    assert (counts.written(primers, 60, seed=2) != written).any()


def test_counts_go_on_behind_frames_they_do_not_know(retention):
    frames = np.eye(88, dtype=bool)[40:44]
    counts = retention.FrameCounts([frames[[0, 1] * 9]])
    known = {frame.tobytes() for frame in counts.frames}
    written = counts.written([np.ones((5, 88), bool)], 200, seed=0)[0]
    assert {frame.tobytes() for frame in written} <= known


def test_too_many_frames_have_no_transposed_copies(retention, monkeypatch):
    monkeypatch.setattr(retention, "MOST_TRANSPOSED", 1)
    frames = np.eye(88, dtype=bool)[40:44]
    assert len(retention.FrameCounts([frames]).frames) == 4


# ---- copies ----------------------------------------------------------------------------------------------------------


def slow_changes(roll):
    """Keys, frames and the lowest key that sounded last before, of each run of equal frames."""
    found, before = [], None
    for keys, run in groupby(tuple(np.flatnonzero(row).tolist()) for row in roll):
        found.append((keys, len(list(run)), before))
        before = keys[0] if keys else before
    return found


def alike(one, other):
    """Whether two changes are equal in some key."""
    (keys, length, before), (others, other_length, other_before) = one, other
    if length != other_length or len(keys) != len(others) or not keys:
        return length == other_length and keys == others
    moved, other_moved = (
        None if last is None else each[0] - last for each, last in ((keys, before), (others, other_before))
    )
    return moved == other_moved and all(k - keys[0] == o - others[0] for k, o in zip(keys, others, strict=True))


def slow_longest(roll, begin, pieces):
    """By looking at every pair of places."""
    rows, starts = slow_changes(roll), np.cumsum([0, *(length for _, length, _ in slow_changes(roll))])
    row = [change for change, start in zip(rows, starts, strict=False) if start >= begin]
    best = 0
    for piece in pieces:
        other = slow_changes(piece)
        for i in range(len(row)):
            for j in range(len(other)):
                run = 0
                while i + run < len(row) and j + run < len(other) and alike(row[i + run], other[j + run]):
                    run += 1
                best = max(best, run)
    return best


def test_the_longest_run_is_that_of_a_slow_search(copies):
    generator = np.random.default_rng(2)
    pieces = [melody(generator, steps) for steps in (60, 40, 1)] + [np.zeros((9, 88), bool)]
    known = copies.TrainingRuns(pieces)
    found = []
    for semitones, begin, start in ((0, 0, 5), (3, 20, 5), (-4, 20, 17), (2, 60, 17)):
        copied = transposed_frames(pieces[0], semitones)[start : start + 25]
        roll = np.concatenate([melody(generator, 21), copied, melody(generator, 14)])
        found.append(known.longest(roll, begin))
        assert found[-1] == slow_longest(roll, begin, pieces)
    assert min(found[:3]) > 6 > found[3] == 0


def test_a_piece_is_its_own_copy_in_any_key(copies):
    piece = melody(np.random.default_rng(5), 80)
    known = copies.TrainingRuns([piece])
    count = len(slow_changes(piece))
    for semitones in (-12, 0, 7):
        assert known.longest(transposed_frames(piece, semitones), 0) == count
    held = np.repeat(piece, 2, axis=0)
    assert known.longest(held, 0) < count / 3  # twice as slow is another rhythm
