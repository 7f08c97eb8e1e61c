"""What do continuations of piano rolls keep, beside what the pieces themselves do?

Conventions: frames are bool (steps, keys). A window is a primer and as many frames behind it as a continuation has; it
begins where the continuation in the window before began, so no frame is the real continuation of two primers. Every row
writes one continuation of each window's primer for each seed, and is measured together with the primer:

- far repeats and primer recall, of frames (``seqaudio.structure``), and the mean similarity curve of bars;
- the longest run of changes that the new frames share with a training piece in any key (polyphonic_copies.py);
- whether anything is degenerate: stuck, loop, held, silence, noteless.

The unit is the piece: the log keeps for each measure its sum over the windows of each piece, and how many those are.
The gate of a model with a memory has a temperature of its own, chosen on validation windows; all else is drawn at 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from polyphonic_copies import TrainingRuns
from trainings import Record

from seqaudio.continuation.frames import continue_frames
from seqaudio.corpus.frames import FrameCorpus
from seqaudio.models.baselines import NGram
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.models.heads import distinct_frames
from seqaudio.music.frames import Frames, score_of_frames, transposed_frames
from seqaudio.structure import (
    Bars,
    degeneracy,
    frame_far_repeat_rate,
    frame_primer_recall,
    mean_curve,
    similarity_curve,
)
from seqaudio.training.devices import Devices

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

MEASURES = ("far_repeat_rate", "primer_recall", "shared_run", "degenerate")
ORDER = 4
MARKOV, LOOP, REAL = f"Markov over frames, order {ORDER}", "loop of the primer", "real pieces"
"""What is measured beside the models: counts of whole frames, the end of the primer again and again, the windows."""
MAX_LAG = 16  # bars, of the curve
MOST_TRANSPOSED = 5_000  # more distinct training frames than that, and the counts have no transposed copies
TRANSPOSE = 5  # semitones, in training and for counts of transposed copies


@dataclass(frozen=True)
class Setting:
    """How continuations are made, and how many.

    Attributes:
        primer, steps: frames of the primer and of the continuation.
        bar: frames that the similarity curve compares.
        loop: frames at the end of the primer that the loop repeats.
        windows: at most so many of the test pieces are continued, evenly spread.
        valid_windows: likewise of the validation pieces, for each temperature of the gate.
        gate_temperatures: of which validation windows choose.
    """

    primer: int = 64
    steps: int = 192
    bar: int = 8
    loop: int = 64
    windows: int = 200
    valid_windows: int = 100
    gate_temperatures: tuple[float, ...] = (1.0, 0.85, 0.7, 0.5, 0.4, 0.3)

    @property
    def total(self) -> int:
        """Frames of a window."""
        return self.primer + self.steps

    @property
    def lags(self) -> int:
        """Of the similarity curve, in bars."""
        return min(MAX_LAG, self.total // self.bar - 1)

    def as_record(self) -> Record:
        """As plain values."""
        return asdict(self) | {"gate_temperatures": list(self.gate_temperatures)}


FULL = Setting()
QUICK = Setting(windows=40, valid_windows=20, gate_temperatures=(1.0, 0.5))


def setting_of(quick: bool) -> Setting:
    """How much is measured."""
    return QUICK if quick else FULL


class Windows:
    """Windows of the pieces of a split, and what continuations of them are measured by.

    Args:
        corpus: of rolls.
        setting: as above.
        split: of the pieces.
        most: at most so many windows.

    Attributes:
        frames: bool, (windows, primer + steps, keys).
        owner: the number of the piece of each, of those pieces that have one: 0, 0, 1, ...
    """

    def __init__(self, corpus: FrameCorpus, setting: Setting, split: str, most: int) -> None:
        self.corpus, self.setting = corpus, setting
        found = [
            (number, piece[begin : begin + setting.total])
            for number, piece in enumerate(corpus.split(split))
            for begin in range(0, len(piece) - setting.total + 1, setting.steps)
        ]
        kept = [found[i * len(found) // most] for i in range(most)] if len(found) > most else found
        self.owner: Ids = np.unique([number for number, _ in kept], return_inverse=True)[1].reshape(-1)
        self.frames: Frames = np.array([frames for _, frames in kept], bool).reshape(-1, setting.total, corpus.keys)

    def __len__(self) -> int:
        """How many windows there are."""
        return len(self.frames)

    @property
    def counts(self) -> list[int]:
        """How many windows each piece has, of those that have one."""
        return np.bincount(self.owner).tolist() if len(self) else []

    @property
    def primers(self) -> list[Frames]:
        """What is heard of each."""
        return list(self.frames[:, : self.setting.primer])

    def with_primers(self, written: Frames) -> Frames:
        """What was written behind the primers (windows, steps, keys), together with them."""
        return np.concatenate([self.frames[:, : self.setting.primer], written], axis=1)

    def looped(self) -> Frames:
        """The primers with their own end behind them, again and again."""
        setting = self.setting
        place = np.arange(setting.steps) % setting.loop + setting.primer - setting.loop
        return self.with_primers(self.frames[:, place])

    def repeats(self, rolls: Frames) -> Floats:
        """Mean far repeats and primer recall of rolls."""
        pairs = [(frame_far_repeat_rate(roll), frame_primer_recall(roll, self.setting.primer)) for roll in rolls]
        found: Floats = np.mean(pairs, axis=0)
        return found

    def kept(self, rolls: Frames, known: TrainingRuns) -> Record:
        """What rolls, (windows, primer + steps, keys), keep: sums over each piece's windows, mean curve, warnings.

        Args:
            rolls: a primer and what is written behind it, or the windows themselves.
            known: of the training pieces.
        """
        rows, warnings = [], Counter[str]()
        for roll in rolls:
            found = self._degenerate(roll)
            warnings.update(found)
            run = known.longest(roll, self.setting.primer)
            far, recall = frame_far_repeat_rate(roll), frame_primer_recall(roll, self.setting.primer)
            rows.append((far, recall, run, bool(found)))
        sums = [np.bincount(self.owner, weights=column) for column in np.array(rows, np.float64).T]
        return {
            "measures": {name: np.round(row, 4).tolist() for name, row in zip(MEASURES, sums, strict=True)},
            "curve": self.curve(rolls),
            "warnings": dict(sorted(warnings.items())),
        }

    def halves(self) -> list[list[float]]:
        """The mean similarity curves of the windows of every other piece, and of those between."""
        return [self.curve(self.frames[self.owner % 2 == half]) for half in range(2)]

    def curve(self, rolls: Frames) -> list[float]:
        """The mean similarity curve of rolls, for all lags that they have."""
        setting = self.setting
        curves = [similarity_curve(Bars.of_frames(roll, setting.bar), setting.lags) for roll in rolls]
        found: list[float] = np.round(mean_curve(curves), 4).tolist()
        return found

    def _degenerate(self, roll: Frames) -> list[str]:
        """The kinds of what is beyond a limit."""
        score = score_of_frames(roll, self.corpus.lowest_pitch, self.corpus.steps_per_quarter)
        bars = -(-len(roll) // (4 * self.corpus.steps_per_quarter))  # a roll knows no metre: 4/4, as its score has
        return [text.partition(":")[0] for text in degeneracy(score, bars).warnings()]


# ---- what is measured ------------------------------------------------------------------------------------------------


def begun(corpus: FrameCorpus, setting: Setting) -> Record:
    """What a log says before anything is measured: how, and the windows of each test piece that has one."""
    counts = Windows(corpus, setting, "test", setting.windows).counts
    return {"setting": setting.as_record(), "windows": counts, "rows": {}, "models": []}


def enough(log: Record) -> bool:
    """Whether windows are of two pieces or more: of fewer there is no interval."""
    return len(log["windows"]) > 1


@dataclass(frozen=True)
class Material:
    """A set of rolls as it is measured here."""

    corpus: FrameCorpus
    test: Windows
    valid: Windows
    known: TrainingRuns

    @classmethod
    @lru_cache(maxsize=1)
    def open(cls, data: str, setting: Setting) -> Material:
        """Of a file; a worker opens it once."""
        corpus = FrameCorpus.open(data)
        return cls(
            corpus,
            Windows(corpus, setting, "test", setting.windows),
            Windows(corpus, setting, "valid", setting.valid_windows),
            TrainingRuns(corpus.split("train")),
        )


def kept_by_model(checkpoint: Checkpoint, data: str, setting: Setting, seed: int) -> Record:
    """What the continuations of a trained model keep; with a memory, at the gate's temperature that suits validation.

    Such a record also has the temperature, with far repeats and primer recall of validation at it, and of real windows.
    """
    material = Material.open(data, setting)
    model, memory = checkpoint.build().to(Devices().device), checkpoint.memory()

    def continued(windows: Windows, temperature: float) -> Frames:
        written = continue_frames(
            model, memory, windows.primers, setting.steps, seed=seed, gate_temperature=temperature
        )
        return windows.with_primers(written)

    chosen: Record = {}
    if memory and len(material.valid):
        tried = {each: continued(material.valid, each) for each in setting.gate_temperatures}
        chosen = best_gate_temperature(material.valid, tried)
    written = continued(material.test, chosen.get("gate_temperature", 1.0))
    return material.test.kept(written, material.known) | chosen


def best_gate_temperature(valid: Windows, tried: dict[float, Frames]) -> Record:
    """The one at which rolls repeat and come back to their primers most nearly as much as the real windows do.

    Args:
        valid: the windows.
        tried: what was written behind their primers, together with these, by temperature.
    """
    real = valid.repeats(valid.frames)
    repeats = {temperature: valid.repeats(rolls) for temperature, rolls in tried.items()}
    best = min(repeats, key=lambda temperature: float(np.abs(repeats[temperature] - real).sum()))
    return {
        "gate_temperature": best,
        "valid": {"repeats": np.round(repeats[best], 4).tolist(), "real": np.round(real, 4).tolist()},
    }


def kept_by_row(row: str, data: str, setting: Setting, seeds: int) -> list[Record]:
    """What is kept in a row without training, for each seed; a loop and the real pieces have one."""
    material = Material.open(data, setting)
    test, known = material.test, material.known
    if row == LOOP:
        return [test.kept(test.looped(), known)]
    if row == REAL:
        return [test.kept(test.frames, known) | {"halves": test.halves()}]
    counts = FrameCounts(material.corpus.split("train"))
    written = (counts.written(test.primers, setting.steps, seed) for seed in range(seeds))
    return [test.kept(test.with_primers(frames), known) for frames in written]


class FrameCounts:
    """Counts of whole frames in training pieces and, where frames are not too many, in their transposed copies."""

    def __init__(self, pieces: Sequence[Frames]) -> None:
        few = len(distinct_frames(pieces)) <= MOST_TRANSPOSED
        keys = range(-TRANSPOSE, TRANSPOSE + 1) if few else (0,)
        copies = [transposed_frames(piece, semitones) for semitones in keys for piece in pieces]
        self.frames = distinct_frames(copies)
        self._numbers = {frame.tobytes(): number for number, frame in enumerate(self.frames)}
        # one id more stands for all frames that training does not know: primers have them, and nothing writes them
        self._model = NGram(ORDER, len(self.frames) + 1).fit([self._ids(copy) for copy in copies])

    def written(self, primers: Sequence[Frames], steps: int, seed: int) -> Frames:
        """What they write behind primers, (primers, steps, keys)."""
        generator = np.random.default_rng(seed)
        return np.array([self.frames[self._drawn(self._ids(primer), steps, generator)] for primer in primers])

    def _drawn(self, heard: Ids, steps: int, generator: np.random.Generator) -> Ids:
        """So many ids behind those heard."""
        ids = np.append(heard, np.zeros(steps, np.int64))
        for step in range(len(heard), len(ids)):
            shares = np.exp(self._model.log_probabilities(ids[max(0, step - ORDER) : step])[:-1]).cumsum()
            drawn = np.searchsorted(shares, generator.random() * shares[-1], side="right")
            ids[step] = min(int(drawn), len(self.frames) - 1)
        return ids[len(heard) :]

    def _ids(self, frames: Frames) -> Ids:
        """The number of each frame."""
        found: Any = [self._numbers.get(frame.tobytes(), len(self.frames)) for frame in frames]
        return np.array(found, np.int64)
