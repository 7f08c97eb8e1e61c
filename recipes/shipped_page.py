"""How is the log of a shipped model told? A table for docs/results, and the model card."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from shipped_measures import CHORDS, ENOUGH, OUTPUTS, PRIMER_BARS, REAL, Record
from shipped_models import Plain, Shipped
from trainings import damaged

from seqaudio.files.atomic import read_bytes
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.report.statistics import Interval, interval
from seqaudio.structure import similarity_error

RESAMPLES = 2_000  # of the bootstrap
KEPT = {"far_repeat_rate": "far repeats", "primer_recall": "primer recall", "shared_run": "longest run shared"}
OF_VOICES = {CHORDS: "chords"}
CELLS = {"lstm": "LSTM", "rnn": "tanh RNN", "gru": "GRU", "irnn": "IRNN", "lnlstm": "layer-normalised LSTM"}


def read_log(path: Path) -> Record:
    """The log of a shipped model. Raises CheckpointError when it is damaged."""
    try:
        log: Record = json.loads(read_bytes(path))
        pieces = len(log["test"]["notes"])
        for row in log["rows"].values():
            if "nats" in row and np.asarray(row["nats"], float).shape != (pieces,):
                raise ValueError("nats of other pieces")
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise damaged(path, "train_shipped.py", problem) from None
    return log


def table(model: Shipped, log: Record) -> str:
    """Everything that was found, as Markdown."""
    pieces, test = log["pieces"], log["test"]
    lines = [
        f"# {model.name}: how likely it finds music, and what it keeps",
        "",
        *wrapped(
            f"{pieces['train']} training, {pieces['valid']} validation and {pieces['test']} test pieces; the test "
            f"pieces have {sum(test['notes'])} notes, {sum(test['bars'])} bars and {sum(test['tokens'])} predicted "
            f"tokens. One training, one seed, per network. In brackets: 95 % bootstrap interval over pieces "
            f"({RESAMPLES:,} samples; versions of one piece are drawn together), which does not cover another training."
        ),
        "",
        *likelihood(model, log),
        "",
        "## What continuations keep",
        "",
        *wrapped(kept_in_words(model, log)),
        "",
        *retention(log),
        "",
        "## How the temperatures were chosen",
        "",
        *choice(model, log),
        "",
    ]
    versions = ", ".join(f"{name} {value}" for name, value in log["versions"].items())
    lines += [f"Command: `python recipes/train_shipped.py {model.name}`. {versions}. {log['date']}."]
    lines += [f"Corpus: tokens SHA-256 {log['sha256'][:16]}. The log: `{model.name}.json`."]
    return "\n".join(lines) + "\n"


def likelihood(model: Shipped, log: Record) -> Iterator[str]:
    """Nats of the test pieces under each row that has them, and how many more than the model needs."""
    test, rows = log["test"], log["rows"]
    first = np.array(rows[model.name]["nats"])
    yield f"| model | parameters | nats per note | nats per token | nats per bar | more than {model.name}, per note |"
    yield "|---|---|---|---|---|---|"
    for name, row in rows.items():
        if "nats" not in row:
            continue
        nats = np.array(row["nats"])
        more = f"{per_note(nats - first, test):+.3f}"
        size = f"{row['parameters'] / 1e6:.2f} M" if "parameters" in row else ""
        yield (
            f"| {name} | {size} | {per_note(nats, test):.3f} | {nats.sum() / sum(test['tokens']):.4f} "
            f"| {nats.sum() / sum(test['bars']):.2f} | {'' if name == model.name else more} |"
        )


def kept_in_words(model: Shipped, log: Record) -> str:
    """What the table of retention is of."""
    return (
        f"The first {PRIMER_BARS} bars of {log['test']['primers']} test pieces and {model.bars} new bars, {OUTPUTS} "
        f"continuations of each; {model.name} at the temperatures below, where it brings the same 1, 2 or 4 bars three "
        "times in a row at most, all others at temperature 1 and as they like. Far repeats: bars heard before, 3 bars "
        "back or more. Primer recall: new bars heard in the primer. Curve error: of the mean similarity of bars by "
        "their distance, against that of the real pieces. Longest run shared: notes in a row "
        f"that the new bars share with a training piece, in any key. {chords_in_words(model)}Read all of it two-sided, "
        f"beside the real pieces: a loop has more of everything.{model.viewed}"
    )


def chords_in_words(model: Shipped) -> str:
    """What the column of several voices is."""
    if not model.voices:
        return ""
    return "Chords: new beats on which what sounds is a triad or a seventh chord, or a part of one. "


def retention(log: Record) -> Iterator[str]:
    """What continuations keep, row by row, beside the real pieces."""
    rows = {name: row["kept"] for name, row in log["rows"].items() if "kept" in row}
    real = np.array(rows[REAL]["curve"], float)
    columns = KEPT | {name: said for name, said in OF_VOICES.items() if name in rows[REAL]["measures"]}
    yield f"| row | {' | '.join(columns.values())} | curve error | degenerate |"
    yield f"|---|{'---|' * (len(columns) + 2)}"
    for name, kept in rows.items():
        cells = []
        for measure in columns:
            digits = 1 if measure == "shared_run" else 2
            values = np.array(kept["measures"][measure])
            cells.append(f"{interval(values, np.ones(len(values)), resamples=RESAMPLES):.{digits}f}")
        one, other = (kept["curve"], real) if name != REAL else kept["halves"]
        error = similarity_error(np.array(one, float), np.array(other, float))
        share = np.mean(kept["measures"]["degenerate"])
        said = f"{error:.3f}{' (half against half)' if name == REAL else ''}"
        yield f"| {name} | {' | '.join(cells)} | {said} | {100 * share:.0f} % |"


def choice(model: Shipped, log: Record) -> Iterator[str]:
    """What validation pieces said of each pair of temperatures."""
    if not log["choice"]:
        yield "This model was packed without a choice; it is sampled from as it is."
        return
    outputs, voices = log["choice"][0].get("outputs", 1), CHORDS in log["choice"][0]
    also = f", of those with chords on {ENOUGH:.0%} of the beats where real pieces have them or more" if voices else ""
    each = "one continuation" if outputs == 1 else f"{outputs} continuations"
    yield from wrapped(
        f"The same on validation pieces, {each} of each: the pair nearest to the real ones, by far repeats, "
        f"primer recall, curve error and degenerate ones together{also}. The model's validation nats per token are "
        f"{log['rows'][model.name]['valid']:.4f} at temperature 1, whatever the choice."
    )
    yield ""
    yield f"| temperature | far repeats | primer recall |{' chords |' if voices else ''} curve error | degenerate |"
    yield f"|---|---|---|---|---|{'---|' if voices else ''}"
    for tried in log["choice"]:
        error = f"{tried['curve_error']:.3f}" if "curve_error" in tried else ""
        yield (
            f"| {tried['row']} | {tried['far_repeat_rate']:.2f} | {tried['primer_recall']:.2f} "
            f"{f'| {tried[CHORDS]:.2f} ' if voices else ''}| {error} | {100 * tried['degenerate']:.0f} % |"
        )


def what_it_is(model: Shipped, checkpoint: Checkpoint) -> str:
    """Its layers, its memory, and what it reads."""
    config, (low, high) = checkpoint.config, checkpoint.pitch_range
    known = f" It knows pitches {low} to {high}; seqaudio moves other primers into that range and back."
    memory = config.memory
    loose = " of notes of any velocity" if memory and not memory.match_velocities else ""
    remembers = (
        f", beside a memory of the piece: what followed the longest match{loose}, what stood {told(memory.lags)} bars "
        f"ago, and the place in cycles of {told(memory.counters)} bars, in one gate"
        if memory
        else ""
    )
    return (
        f"{config.layers} layers of {config.hidden_size} {CELLS[config.cell]} units{remembers}. "
        f"{checkpoint.parameter_count() / 1e6:.2f} M parameters, float16. {model.reads}"
        f"{known if model.name != 'drums' else ''}"
    )


def how_it_was_trained(model: Shipped, facts: Record) -> str:
    """The command, how long it took, and how far it came."""
    device = facts.get("device", "CPU")
    on = f"one thread of {facts['machine']}" if device == "CPU" else f"a GPU ({device})"
    return (
        f"`python recipes/train_shipped.py {model.name}`, which trains `configs/{model.name}.yaml`; seed "
        f"{facts['experiment']['training']['seed']}, {facts['epochs']} epochs in {facts['hours']} hours on {on} "
        f"that was shared with other work, torch {facts['torch']}. Best epoch by validation: "
        f"{facts['epoch']}, {facts['valid_nats_per_token']:.4f} nats per token. One training, one seed; the "
        "settings were hardly tuned."
    )


def model_card(model: Shipped, checkpoint: Checkpoint, log: Record) -> str:
    """What a user of the weights needs to know, with the figures of the table."""
    facts, sampling = checkpoint.facts, checkpoint.sampling
    semitones = facts["experiment"]["training"]["transpose"]
    moved = f" Every piece was moved by up to {semitones} semitones, anew in each epoch." if semitones else ""
    lines = [
        f"# {model.name}: {model.title}",
        "",
        *wrapped(what_it_is(model, checkpoint)),
        "",
        "## Data and licence",
        "",
        *wrapped(
            f"{model.data} The weights are under Apache-2.0, like the rest of seqaudio. Copies and versions of one "
            f"piece stand on one side of the split, but where a split is official.{moved}"
        ),
        "",
        "## Training",
        "",
        *wrapped(how_it_was_trained(model, facts)),
        "",
        *wrapped(
            f"It is sampled from at temperature {sampling['temperature']:g}, its gate at "
            f"{sampling['gate_temperature']:g}, unless `--temperature` and `--gate-temperature` say otherwise: on "
            "validation pieces these kept the structure most as real pieces do. It brings the same 1, 2 or 4 bars at "
            f"most {sampling['max_turns']:g} times in a row by copying, unless `--max-turns` says otherwise."
        ),
        "",
        "## Test",
        "",
        *wrapped(
            f"Nats per note on {log['pieces']['test']} test pieces (lower is likelier), in brackets 95 % intervals "
            f"over pieces. {beside(model, log)} All of it is in `docs/results/shipped/{model.name}.md`."
        ),
        "",
        "| model | nats per note |",
        "|---|---|",
        *nats_per_note(log),
        "",
        *wrapped(kept_in_words(model, log).replace("the temperatures below", "the temperatures above")),
        "",
        *retention(log),
        "",
        "## What it is not",
        "",
        *wrapped(
            f"{model.is_not} These figures are of one training each, so a difference between networks may be the "
            f"seed's.{unfinished(facts)} Likelihood says nothing about taste, and a repeated bar is not yet a form."
        ),
    ]
    return "\n".join(lines) + "\n"


def unfinished(facts: Record) -> str:
    """Whether a longer training may be better."""
    if facts["epoch"] < facts["epochs"]:
        return ""
    return f" Of its {facts['epochs']} epochs the last was the best, so it may go on getting better."


def beside(model: Shipped, log: Record) -> str:
    """What the plain networks are."""
    return " ".join(f"The {plain.row}: {size(log, plain)}, `{command(plain)}`." for plain in model.plain)


def size(log: Record, plain: Plain) -> str:
    """Its parameters."""
    return f"{log['rows'][plain.row]['parameters'] / 1e6:.2f} M parameters"


def command(plain: Plain) -> str:
    """How it is trained."""
    return " ".join([f"seqaudio train configs/{plain.config}.yaml", *(f"--set {change}" for change in plain.changes)])


def nats_per_note(log: Record) -> Iterator[str]:
    """A row for each model."""
    test = log["test"]
    for name, row in log["rows"].items():
        if "nats" in row:
            yield f"| {name} | {per_note(row['nats'], test):.3f} |"


def per_note(nats: ArrayLike, test: Record) -> Interval:
    """Sums of the test pieces over their notes."""
    return interval(nats, test["notes"], groups=test["groups"], resamples=RESAMPLES)


def told(numbers: tuple[int, ...]) -> str:
    """As people write them."""
    return ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}" if len(numbers) > 1 else str(numbers[0])


def wrapped(text: str) -> list[str]:
    """A paragraph as lines; commands stay whole."""
    return textwrap.wrap(text, 118, break_on_hyphens=False, break_long_words=False)
