"""What did audio_continuation.py find? Its log as Markdown.

    python recipes/audio_page.py docs/results/audio_continuation/oneills.json

The rule of the sentences, which nobody's taste enters: a row keeps *more* or *less* than another where the 95 %
bootstrap interval of their difference, over pieces and seeds, leaves out 0; else there is *no difference to be seen*.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from trainings import Record, damaged, made_by, page_command, run_recipe, wrapped

from seqaudio.files.atomic import read_bytes
from seqaudio.report.page import Table
from seqaudio.report.statistics import Interval, difference, interval

Floats = NDArray[np.float64]

CELLS = {"rnn": "tanh RNN", "lstm": "LSTM"}
MEMORY, MIXTURE = "+match", "~mixture"
WAYS = {"": "codes", MEMORY: "codes, with a memory", MIXTURE: "frames, mixture"}
NAMES = {f"{cell}{way}": f"{name}, {told}" for way, told in WAYS.items() for cell, name in CELLS.items()}
COUNTS = {"ppm": "PPM", "copy": "PPM and copies"}
BESIDE = {"real": "real continuation", "codes": "real continuation, as codes", "null": "real, random phases"}
FIGURES = {"recurrence": "recurrence of the primer", "stripes": "stripe energy"}


def read_log(path: Path) -> Record:
    """The log. Raises CheckpointError when it is damaged."""
    try:
        log: Record = json.loads(read_bytes(path))
        log["pieces"]["test"], log["frames"][1], log["plan"]["resamples"], log["rows"], log["told"]
        for record in log["trainings"]:
            record["row"], record["seed"], record["seconds"], record["device"], record["kept"][0]["stripes"]
            record["temperature"]
            if not np.isfinite(np.array(record["nats"], dtype=np.float64)).all():
                raise ValueError("nats that are no numbers")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as problem:
        raise damaged(path, "audio_continuation.py", problem) from None
    return log


def of(log: Record, row: str) -> list[Record]:
    """The finished trainings of a row, in order of seeds."""
    found = [record for record in log["trainings"] if record["row"] == row]
    return sorted(found, key=lambda record: int(record["seed"]))[: log["seeds"]]


def figures(log: Record, row: str, name: str) -> Floats:
    """A figure of each continuation, (seeds, pieces)."""
    kept = [record["kept"] for record in of(log, row)] if row in NAMES else log["rows"][row]["kept"]
    return np.array([[piece[name] for piece in of_seed] for of_seed in kept], np.float64)


def pooled(log: Record, values: Floats, each: float = 1.0) -> Interval:
    """The mean over pieces, with its interval."""
    return interval(values, np.full(values.shape[1], each), resamples=int(log["plan"]["resamples"]))


def apart(log: Record, one: Floats, two: Floats, each: float = 1.0) -> Interval:
    """By how much the first is above the second on the same pieces, with its interval over pieces and seeds of both."""
    weights = np.full(one.shape[1], each)
    return difference(one, two, weights, resamples=int(log["plan"]["resamples"])).interval


def verdict(log: Record, row: str, other: str, name: str) -> str:
    """Whether a row keeps more than another."""
    found = apart(log, figures(log, row, name), figures(log, other, name))
    told = "more" if found.low > 0 else "less" if found.high < 0 else "no difference to be seen"
    return f"{told}, {found:+.2f}"


def finished(log: Record) -> bool:
    """Whether all that was asked for is there."""
    return all(len(of(log, row)) == log["seeds"] for row in NAMES) and {*BESIDE, *COUNTS} <= {*log["rows"]}


def sentences(log: Record) -> Iterator[str]:
    """What was done, and what came out."""
    heard, written = log["frames"]
    pieces = " / ".join(str(log["pieces"][split]) for split in ("train", "valid", "test"))
    told = ", ".join(f"{share:.0%}" for share in log["told"])
    yield (
        f"{log['source']}: {log['what']}; {pieces} pieces to learn from, to choose by and to test with. {heard} frames "
        f"of each are heard, {written} written. {log['plan']['size']['codes']} codes in the stages of the codebook "
        f"tell {told} of the variance of test frames. In brackets: 95 % bootstrap intervals over pieces and seeds "
        f"({log['seeds']})."
    )
    if not finished(log):
        yield "Not finished: the same command goes on."
        return
    for way, name in WAYS.items():
        for figure, words in FIGURES.items():
            cells = (f"{told}: {verdict(log, f'{cell}{way}', 'null', figure)}" for cell, told in CELLS.items())
            yield f"{name}, {words}, against random phases: {'; '.join(cells)}."
    for other, against in (("real", "real continuations"), ("copy", "counts with copies")):
        for figure, words in FIGURES.items():
            cells = (f"{told}: {verdict(log, f'{cell}{MEMORY}', other, figure)}" for cell, told in CELLS.items())
            yield f"{WAYS[MEMORY]}, {words}, against {against}: {'; '.join(cells)}."
    for way, name in WAYS.items():
        yield f"{name}, LSTM against tanh RNN: {'; '.join(between_cells(log, way))}."


def between_cells(log: Record, way: str) -> Iterator[str]:
    """What an LSTM guesses and keeps otherwise than a tanh RNN of the same way, on the same pieces."""
    one, two = (
        np.array([record["nats"] for record in of(log, f"{cell}{way}")], np.float64) for cell in ("lstm", "rnn")
    )
    yield f"nats per frame {apart(log, one, two, float(log['frames'][1])):+.2f}"
    for figure, words in FIGURES.items():
        yield f"{words} {verdict(log, f'lstm{way}', f'rnn{way}', figure)}"


def tables(log: Record) -> Iterator[Table]:
    """Likelihood of codes, of frames, and what is kept."""
    written = float(log["frames"][1])
    rows = []
    for row, name in NAMES.items():
        if not row.endswith(MIXTURE):
            nats = np.array([record["nats"] for record in of(log, row)], np.float64)
            rows.append([name, f"{of(log, row)[0]['parameters']:,}", f"{pooled(log, nats, written):.2f}"])
    for row, name in COUNTS.items():
        found = pooled(log, np.atleast_2d(np.array(log["rows"][row]["nats"], np.float64)), written)
        rows.append([f"{name}, order {log['rows'][row]['order']}", "", f"{found:.2f}"])
    yield Table(
        "Codes: nats per frame of the real continuation", ["row", "parameters", "nats"], rows, "Less is likelier."
    )
    rows = []
    for row, name in NAMES.items():
        if row.endswith(MIXTURE):
            nats = np.array([record["nats"] for record in of(log, row)], np.float64)
            rows.append([name, f"{of(log, row)[0]['parameters']:,}", f"{pooled(log, nats, written):.1f}"])
    note = "Of the density of 84 levels in decibels; not to be compared with nats of codes, which are of probabilities."
    yield Table("Frames: nats per frame of the real continuation", ["row", "parameters", "nats"], rows, note)
    rows = [
        [name, temperatures(log, row), *(f"{pooled(log, figures(log, row, figure)):.2f}" for figure in FIGURES)]
        for row, name in (BESIDE | NAMES | COUNTS).items()
    ]
    note = (
        "Temperature: of 1 to 0.2, the one at which a row keeps on validation what real halves do (of each seed). "
        "Chroma. Recurrence: the likeness of passages of 16 frames to the most similar one of the primer. Stripe "
        "energy: of primer and continuation together. Read both beside the real one, on both sides: a loop has more."
    )
    yield Table("What continuations keep", ["row", "temperature", *FIGURES.values()], rows, note)


def temperatures(log: Record, row: str) -> str:
    """At which a row was written: each that a seed has."""
    if row in BESIDE:
        return ""
    found = {record["temperature"] for record in of(log, row)} if row in NAMES else {log["rows"][row]["temperature"]}
    return ", ".join(f"{each:g}" for each in sorted(found, reverse=True))


def markdown(log: Record) -> str:
    """The page as Markdown."""
    lines = ["# Audio that continues", ""]
    for sentence in sentences(log):
        lines += [*wrapped(sentence), ""]
    for table in tables(log) if finished(log) else ():
        lines += [f"### {table.title}", "", f"| {' | '.join(table.columns)} |", "|---" * len(table.columns) + "|"]
        lines += [f"| {' | '.join(map(str, row))} |" for row in table.rows]
        lines += ["", *wrapped(table.note), ""]
    quick = " --quick" if log["quick"] else ""
    lines += wrapped(
        made_by(f"python recipes/audio_continuation.py {log['source']}{quick} --seeds {log['seeds']}", log)
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run_recipe(page_command("audio_continuation.py", lambda log: markdown(read_log(log))), "audio_page")
