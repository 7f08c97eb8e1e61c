"""What does the log of the comparison of cells say, figure by figure, and what may be said of it in a sentence?

The rule of the sentences, which nobody's taste enters: a difference of two rows on the same pieces is *shown* when its
95 % bootstrap interval over pieces and seeds leaves out 0 and its Wilcoxon p, adjusted for all differences of the page
(Holm), is below 0.05; it is *not shown* when it is not, and the interval lies within the margin of the question, so
that a difference worth speaking of would have been seen; else it is *undecided*. With fewer than three seeds it stays
undecided, whatever the pieces say, for it may be the seed's. Where a figure has no better direction, as those of
continuations, the row whose mean is nearer to that of the real pieces is nearer to real music.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rnn_vs_lstm_measures import BAR_GROUPS, CUTS, MEASURES, STRATA
from trainings import Record, damaged

from seqaudio.files.atomic import read_bytes
from seqaudio.report.statistics import Difference, difference, holm, interval

Floats = NDArray[np.float64]

CELLS = ("rnn", "irnn", "gru", "lstm")
COUNTED = ("ngram", "ppm", "copy")
MEMORY = "+memory"  # behind the name of a cell that has a memory of the piece
REMEMBERING = tuple(f"{cell}{MEMORY}" for cell in CELLS)
MODELS = (*CELLS, *REMEMBERING)
NAMES = {"rnn": "tanh RNN", "irnn": "IRNN", "gru": "GRU", "lstm": "LSTM"}
NAMES |= {f"{cell}{MEMORY}": f"{name} + memory" for cell, name in NAMES.items()}
NAMES |= {"ngram": "n-gram", "ppm": "PPM", "copy": "PPM + copy", "loop": "loop", "real": "real pieces"}
PLAIN_PAIRS = tuple(itertools.combinations(reversed(CELLS), 2))
PAIRS = (
    *PLAIN_PAIRS,
    *itertools.combinations(reversed(REMEMBERING), 2),
    *((f"{cell}{MEMORY}", cell) for cell in reversed(CELLS)),
)
MIN_SEEDS, ALPHA = 3, 0.05
HEARD, NEAR = 2, 2  # strata from this one on repeat a bar or more; the cut of 4 bars is the third


@dataclass(frozen=True)
class Question:
    """Something asked of two rows, by one figure for each piece.

    Attributes:
        asks: the question.
        short: the same in a word or two.
        figure: name of the figure, see ``Found.values``.
        more, less: what is said of the row with the greater or smaller figure.
        unit: behind the numbers.
        margin: differences within it are not worth speaking of.
        beside: rows without training that each cell is compared with, beside the other cells.
        two_sided: whether neither more nor less is better, but what real pieces have.
    """

    asks: str
    short: str
    figure: str
    more: str
    less: str
    unit: str
    margin: float
    beside: tuple[str, ...]
    two_sided: bool = False

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The rows that it is asked of, two by two."""
        if self.figure == OF_MEMORY:  # it is of cells without and with a memory
            return PLAIN_PAIRS
        return (*PAIRS, *itertools.product(reversed(MODELS), self.beside))


OF_MEMORY = "memory"

QUESTIONS = (
    Question(
        "Which finds unseen pieces likelier?", "likelihood", "nats",
        "finds them less likely", "finds them likelier", "nats per token", 0.005, ("ppm", "copy"),
    ),
    Question(
        "Which gains more from having heard a passage before?", "gain from repeats", "gain",
        "gains more", "gains less", "nats per token", 0.01, ("copy",),
    ),
    Question(
        "Which makes more of what lies more than 4 bars back?", "use of far bars", "far",
        "loses more without it", "loses less without it", "nats per token", 0.005, ("copy",),
    ),
    Question(
        "Which gains more from a memory of the piece?", "gain from a memory", OF_MEMORY,
        "gains more", "gains less", "nats per token", 0.005, (),
    ),
    Question(
        "Which comes back to its primer?", "primer recall", "primer_recall",
        "comes back more", "comes back less", "of the new bars", 0.02, ("ppm", "copy", "real"), two_sided=True,
    ),
    Question(
        "Which repeats what was heard 3 bars before or more?", "far repeats", "far_repeat_rate",
        "repeats more", "repeats less", "of all bars", 0.02, ("ppm", "copy", "real"), two_sided=True,
    ),
    Question(
        "Which owes more to its own past?", "LZ gain", "lz_gain",
        "owes more", "owes less", "LZ gain", 0.02, ("ppm", "copy", "real"), two_sided=True,
    ),
    Question(
        "Which is like itself at the distances at which the real piece is?", "curve error", "curve_error",
        "is farther from that", "is nearer to that", "mean error", 0.005, ("ppm", "copy", "real"),
    ),
)  # fmt: skip
ASKED_TOO = (  # beside LSTM against tanh RNN, of these and of both with a memory: figure, other row, question
    ("nats", "ppm", "Does the {} know more than counts of the last few tokens?"),
    ("nats", "copy", "Does the {} know more than counts that copy the longest match?"),
    ("primer_recall", "ppm", "Does the {} come back to its primer more than counts of the last few tokens do?"),
    ("primer_recall", "real", "Does the {} come back to its primer as much as real pieces do?"),
    ("far_repeat_rate", "real", "Does the {} repeat what was heard 3 bars before or more as much as real pieces do?"),
)


def read_log(path: Path) -> Record:
    """The log of the comparison. Raises CheckpointError when it is damaged."""
    try:
        log: Record = json.loads(read_bytes(path))
        check_head(log)
        pieces, primers = log["pieces"]["test"], len(log["test"]["primers"])
        for record in log["trainings"]:
            record["setting"]["layers"], record["device"], record["parameters"], record["best_epoch"]
            figures = [record["seconds"], record.get("trial", record.get("seed"))]
            figures += [] if without_model(record) else [record["valid"]]
            if not np.isfinite(figures).all() or record["row"] not in MODELS:
                raise ValueError("a training without figures")
            if "seed" in record and not without_model(record):
                check_nats(record["nats"], pieces)
                check_kept(record["kept"], primers)
                float(record["gate_temperature"])
        check_nats(log["test"] | {"cuts": [log["test"]["cut"]] * (len(CUTS) + 1)}, pieces)
        for name, row in log["rows"].items():
            if name in COUNTED:
                check_nats(row["nats"], pieces)
                check_arrays(row, {"order": (), "valid": ()})
            if not row["kept"]:
                raise ValueError(f"no continuations of {name}")
            for kept in row["kept"]:
                check_kept(kept, primers)
            if name not in NAMES:
                raise ValueError(f"a row {name}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise damaged(path, "rnn_vs_lstm.py", problem) from None
    return log


def check_head(log: Record) -> None:
    """Raise an error where a log does not say what was asked, and of what it is."""
    plan, setting = log["plan"], log["plan"]["setting"]
    check_arrays(plan, dict.fromkeys(("resamples", "trials", "trial_epochs", "epochs"), ()))
    check_arrays(setting, dict.fromkeys(("primer_bars", "bars", "outputs", "temperature", "top_p"), ()))
    check_arrays(setting, {"gate_temperatures": (len(setting["gate_temperatures"]),)})
    check_arrays(log["pieces"], dict.fromkeys(("train", "valid", "test"), ()))
    texts = [log["corpus"], log["sha256"], log["date"], *log["versions"].values()]
    if plan["resamples"] < 1 or not isinstance(log["quick"], bool) or not all(isinstance(each, str) for each in texts):
        raise ValueError("a log that does not say of what it is")


def check_nats(nats: Record, pieces: int) -> None:
    """Raise ValueError where nats are not those of so many pieces."""
    shapes = {"tokens": (pieces,), "bars": (len(BAR_GROUPS), pieces), "strata": (len(STRATA), pieces)}
    shapes["cuts"] = (len(CUTS) + 1, pieces)
    check_arrays(nats, shapes)


def check_kept(kept: Record, primers: int) -> None:
    """Raise ValueError where measures are not those of so many primers."""
    check_arrays(kept["measures"], {name: (primers,) for name in MEASURES})
    lags = len(kept["curve"])
    check_arrays(kept, {"curve": (lags,), "halves": (2, lags), "continuations": ()})
    check_arrays(kept["warnings"], dict.fromkeys(kept["warnings"].keys(), ()))


def check_arrays(arrays: Record, shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise ValueError where something is not finite numbers of its shape."""
    for name, shape in shapes.items():
        array = np.array(arrays[name], dtype=np.float64)
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"{name} of shape {array.shape} where it must be {shape}")


def without_model(record: Record) -> bool:
    """Whether the numbers of a training ran away before its first validation."""
    return record["valid"] is None and ("trial" in record or record.get("diverged") is True)


class Found:
    """The figures of a log: for each row and figure values (seeds, pieces), and what divides them, (pieces,).

    All rows have as many seeds: as many as the row with the fewest that did not run away before there was a model. A
    row none of whose seeds has one is left out.
    """

    def __init__(self, log: Record) -> None:
        self.log = log
        self.resamples = int(log["plan"]["resamples"])
        self.done = {row: of(log, row, "seed") for row in MODELS}
        sound = {row: [r for r in records if not without_model(r)] for row, records in self.done.items()}
        sound = {row: records for row, records in sound.items() if records or not self.done[row]}
        self.seeds = min(map(len, sound.values()), default=0)
        self.models = {row: records[: self.seeds] for row, records in sound.items()} if self.seeds else {}
        self.rows = [name for name in NAMES if name in self.models or name in log["rows"]]
        counted = all(name in log["rows"] for name in NAMES if name not in MODELS)
        self.finished = counted and min(map(len, self.done.values())) >= log.get("seeds", 1)

    def nats_of(self, row: str) -> list[Record]:
        """Of each seed the nats by part; of counts one; of a loop and of real pieces none."""
        if row in self.models:
            return [record["nats"] for record in self.models[row]]
        return [self.log["rows"][row]["nats"]] if row in COUNTED else []

    def kept(self, row: str) -> list[Record]:
        """Of each seed what continuations keep."""
        if row in self.models:
            return [record["kept"] for record in self.models[row]]
        found: list[Record] = self.log["rows"][row]["kept"]
        return found[: max(self.seeds, 1)]

    def values(self, row: str, figure: str) -> tuple[Floats, Floats]:
        """Values (seeds, pieces) of a figure, and weights (pieces,): the figure is the sum of these over that of those.

        ``nats`` in all; ``bars N`` and ``strata N`` by number; ``cut N`` by number, the last with all that came before;
        ``gain``: what a token costs less where a bar or more was heard before than elsewhere in the piece; ``far``:
        what it costs more with 4 bars alone; ``memory``: what it costs a cell less with a memory of the piece; else a
        measure of continuations.
        """
        if figure in MEASURES:
            rows = np.array([kept["measures"][figure] for kept in self.kept(row)])
            return rows, np.ones(rows.shape[1])
        nats = self.nats_of(row)
        name, _, number = figure.partition(" ")
        if figure == "nats":
            return np.array([each["tokens"] for each in nats]), self._counts["tokens"]
        if figure == OF_MEMORY:
            (without, weights), (remembering, _) = (self.values(name, "nats") for name in (row, f"{row}{MEMORY}"))
            return without - remembering, weights
        if name in ("bars", "strata"):
            return np.array([each[name][int(number)] for each in nats]), self._counts[name][int(number)]
        cuts = np.array([each["cuts"] for each in nats])
        if name == "cut":
            return cuts[:, int(number)], self._counts["cut"]
        if figure == "far":
            there = self._counts["cut"] > 0
            return (cuts[:, NEAR] - cuts[:, -1])[:, there], self._counts["cut"][there]
        strata, counts = np.array([each["strata"] for each in nats]), self._counts["strata"]
        new, heard = counts[:HEARD].sum(axis=0), counts[HEARD:].sum(axis=0)
        both = (new > 0) & (heard > 0)
        of_new = strata[:, :HEARD].sum(axis=1)[:, both] / new[both]
        of_heard = strata[:, HEARD:].sum(axis=1)[:, both] / heard[both]
        return (of_new - of_heard) * heard[both], heard[both]

    @cached_property
    def _counts(self) -> dict[str, Floats]:
        return {name: np.array(self.log["test"][name], np.float64) for name in ("tokens", "bars", "strata", "cut")}

    def mean(self, row: str, figure: str) -> float:
        """The pooled figure."""
        values, weights = self.values(row, figure)
        return float(values.mean(axis=0).sum() / weights.sum()) if weights.sum() else np.nan

    def shown(self, row: str, figure: str, digits: int = 3) -> str:
        """The pooled figure with its interval."""
        values, weights = self.values(row, figure)
        if not weights.sum():
            return ""
        return f"{interval(values, weights, resamples=self.resamples):.{digits}f}"

    @cached_property
    def differences(self) -> dict[tuple[str, str, str], tuple[Difference, float]]:
        """By figure and pair: the difference, and p adjusted for all of them."""
        asked = [
            (question.figure, one, other)
            for question in QUESTIONS
            for one, other in question.pairs
            if {one, other} | ({f"{one}{MEMORY}", f"{other}{MEMORY}"} if question.figure == OF_MEMORY else set())
            <= set(self.rows)
        ]
        found = []
        for figure, one, other in asked:
            first, weights = self.values(one, figure)
            second, _ = self.values(other, figure)
            found.append(difference(first, second, weights, resamples=self.resamples))
        adjusted = holm([each.p for each in found])
        return {which: (each, p) for which, each, p in zip(asked, found, adjusted, strict=True)}


def of(log: Record, row: str, kind: str) -> list[Record]:
    """The trainings of a row that are of a kind, "trial" or "seed", in order."""
    return sorted((r for r in log["trainings"] if kind in r and r["row"] == row), key=lambda record: record[kind])


def verdict(low: float, high: float, p: float, margin: float, seeds: int) -> str:
    """The rule of this page: "shown", "not shown" or "undecided"."""
    if seeds < MIN_SEEDS:
        return "undecided"
    if (low > 0 or high < 0) and p < ALPHA:
        return "shown"
    return "not shown" if -margin <= low and high <= margin else "undecided"


def sentence(found: Found, question: Question, one: str, other: str) -> str:
    """What is shown, not shown or undecided of two rows."""
    each, p = found.differences[question.figure, one, other]
    mean, low, high = each.interval
    ruling = verdict(low, high, p, question.margin, found.seeds)
    a, b = (found.mean(row, question.figure) for row in (one, other))
    figures = f"{a:.3f} against {b:.3f} {question.unit}; difference {each.interval:+.3f}, {told(p)}"
    if question.two_sided and other != "real":
        real = found.mean("real", question.figure)
        figures += f"; real pieces {real:.3f}, {nearer(a, b, real, one, other)}"
    said = f"{NAMES[one]} {question.more if mean > 0 else question.less} than {NAMES[other]}"
    if mean == 0:
        said = f"{NAMES[one]} and {NAMES[other]} are the same"
    if ruling == "not shown":
        said = f"{NAMES[one]} and {NAMES[other]} differ by less than {question.margin:g}"
    if ruling == "undecided":
        few = found.seeds < MIN_SEEDS
        why = f"{found.seeds} seed{'s' * (found.seeds != 1)} cannot tell" if few else "pieces and seeds do not tell"
        said = f"{why}; here {said}"
    return f"**{ruling.capitalize()}:** {said} ({figures})."


def told(p: float) -> str:
    """An adjusted p."""
    return "p < 0.001" if p < 0.001 else f"p {p:.2g}"


def nearer(a: float, b: float, real: float, one: str, other: str) -> str:
    """Which of two rows stands nearer to real music, in words."""
    if abs(a - real) == abs(b - real):
        return "both as far from them"
    near = one if abs(a - real) < abs(b - real) else other
    between = min(a, b) < real < max(a, b)
    return f"{NAMES[near]} nearer to them{', the other on their other side' * between}"
