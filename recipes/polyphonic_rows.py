"""What does the log of the polyphonic benchmark hold, row by row of its table?

A log is of models without a memory of the piece, or of models with one; its ``plan`` says which. Rows are counting
baselines, and cells with a head: as many seeds as every cell has with that head.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from polyphonic_retention import MEASURES, REAL, Setting
from polyphonic_strata import STRATA
from trainings import Record, damaged

from seqaudio.files.atomic import read_bytes

Floats = NDArray[np.float64]

CELLS = ("rnn", "gru", "lstm")
HEADS = ("independent", "joint")
MEMORIES = {"match": "match memory", "lookback": "lookback"}
"""What models may remember the piece with, as it is asked for and as it is called."""


@dataclass(frozen=True)
class Row:
    """A model of a log.

    Attributes:
        title: with the head's own name.
        kind: of the keys of a frame, "independent keys" or "joint".
        valid: nats per frame, the mean over seeds.
        nats: of each test piece, (seeds, pieces).
        strata: of those seeds that have them, (seeds, strata, pieces).
        trained: the records of its trainings; none: a baseline.
    """

    title: str
    kind: str
    valid: float
    nats: Floats
    strata: Floats
    trained: tuple[Record, ...] = ()


def read_log(path: Path) -> Record:
    """The log of the benchmark. Raises CheckpointError when it is damaged."""
    try:
        log: Record = json.loads(read_bytes(path))
        counts = {split: len(log["frames"][split]) for split in ("valid", "test")}
        for record in log["trainings"]:
            figures = [
                record["valid"],
                record["parameters"],
                record["seconds"],
                record.get("trial", record.get("seed")),
            ]
            figures += of_pieces(record["test_nats"], counts["test"]) if "seed" in record else []
            if not (np.isfinite(figures).all() and (record["cell"], record["head"]) in itertools.product(CELLS, HEADS)):
                raise ValueError("a training without figures")
            record["setting"]["layers"], record["experiment"]["model"]["head"], record["device"]
        for row, split in itertools.product(log["baselines"].values(), counts):
            if not np.isfinite(of_pieces(row[f"{split}_nats"], counts[split])).all():
                raise ValueError("a baseline without figures")
        for row in (*log["trainings"], *log["baselines"].values()):
            check_strata(row.get("test_strata"), counts["test"])
        check_strata(log["frames"].get("test_strata"), counts["test"])
        check_retention(log.get("retention"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise damaged(path, "polyphonic_benchmark.py", problem) from None
    return log


def of_pieces(nats: list[float], count: int) -> list[float]:
    """The nats, if they are of so many pieces."""
    if len(nats) != count:
        raise ValueError(f"nats of {len(nats)} pieces where there are {count}")
    return nats


def check_strata(sums: list[list[float]] | None, count: int) -> None:
    """Raise ValueError where there are sums, but not one for each stratum of so many pieces."""
    if sums is None:
        return
    array = np.array(sums, np.float64)
    if array.shape != (len(STRATA), count) or not np.isfinite(array).all():
        raise ValueError(f"strata of shape {array.shape} where it must be {(len(STRATA), count)}")


def check_retention(log: Record | None) -> None:
    """Raise ValueError, KeyError or TypeError where there is something, but not what is measured of continuations."""
    if log is None:
        return
    setting, pieces = Setting(**log["setting"]), (len(log["windows"]),)
    lags = (setting.lags,)
    for kept in (*itertools.chain(*log["rows"].values()), *log["models"]):
        arrays = [(kept["measures"][name], pieces) for name in MEASURES] + [(kept["curve"], lags)]
        arrays.append((list(kept["warnings"].values()), (len(kept["warnings"]),)))
        if "gate_temperature" in kept:
            arrays += [(kept["gate_temperature"], ()), *((kept["valid"][name], (2,)) for name in ("repeats", "real"))]
        if any(np.shape(row) != shape or not np.isfinite(row).all() for row, shape in arrays):
            raise ValueError("continuations without figures")
    for kept in log["rows"].get(REAL, []):
        if np.shape(kept["halves"]) != (2, *lags) or not np.isfinite(kept["halves"]).all():
            raise ValueError("real pieces without a curve of either half")
    for kept in log["models"]:
        if kept["cell"] not in CELLS or kept["seed"] < 0:
            raise ValueError("continuations of a model that is no row")


def memory_of(log: Record) -> str | None:
    """Which of the memories the models of a log have; None: they are plain."""
    memory = log["plan"].get("memory")
    return None if memory is None else "match" if memory.get("match", True) else "lookback"


def log_name(name: str, memory: str | None) -> str:
    """The name of the log of a set's models with this memory, or of its plain ones."""
    return f"{name}-{memory}" if memory in MEMORIES else name


def set_name(name: str, log: Record) -> str:
    """The name of the set, of a log's."""
    return name.removesuffix(log_name("", memory_of(log)))


def heads_of(log: Record) -> tuple[str, ...]:
    """The heads whose models are trained."""
    return tuple(log["plan"]["trials"])


def of(record: Record, cell: str, head: str) -> bool:
    """Whether a training is of this cell and head."""
    return (record["cell"], record["head"]) == (cell, head)


def finals(log: Record, cell: str, head: str) -> list[Record]:
    """The trainings of the chosen setting, a seed each."""
    found = [record for record in log["trainings"] if "seed" in record and of(record, cell, head)]
    return sorted(found, key=lambda record: record["seed"])


def counted(log: Record) -> dict[str, Row]:
    """The baselines, by name."""
    valid = sum(log["frames"]["valid"])
    return {
        title: Row(
            title,
            "independent keys" if title.startswith("per-key") else "joint",
            sum(row["valid_nats"]) / valid,
            np.array([row["test_nats"]]),
            stacked([row]),
        )
        for title, row in log["baselines"].items()
    }


def learnt(log: Record, heads: tuple[str, ...]) -> dict[tuple[str, str], Row]:
    """The models by cell and head, with as many seeds as all of these have; none where some have none."""
    done = {(cell, head): finals(log, cell, head) for head in heads for cell in CELLS}
    seeds = min(map(len, done.values()))
    memory = memory_of(log)
    remembering = f", {MEMORIES[memory]}" if memory else ""
    return {
        (cell, head): Row(
            f"{cell.upper()}, {records[0]['experiment']['model']['head']}{remembering}",
            "independent keys" if head == "independent" else "joint",
            float(np.mean([record["valid"] for record in records[:seeds]])),
            np.array([record["test_nats"] for record in records[:seeds]]),
            stacked(records[:seeds]),
            tuple(records[:seeds]),
        )
        for (cell, head), records in done.items()
        if seeds
    }


def best_head(log: Record) -> dict[str, Row]:
    """The models of the head that validation likes best over all cells, by cell."""
    by_head = [learnt(log, (head,)) for head in heads_of(log)]
    trained = [rows for rows in by_head if rows]
    if not trained:
        return {}
    best = min(trained, key=lambda rows: sum(row.valid for row in rows.values()))
    return {cell: row for (cell, _), row in best.items()}


def stacked(records: list[Record]) -> Floats:
    """The strata of those records that have them, (records, strata, pieces)."""
    return np.array([record["test_strata"] for record in records if "test_strata" in record], np.float64)
