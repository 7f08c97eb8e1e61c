"""What did forgetting.py find? Its log as Markdown, and as a page with pictures.

    python recipes/forgetting_page.py docs/results/forgetting/forgetting.json

Intervals are 95 % bootstraps over seeds, of which there are few: they say how much seeds differ, and little more.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from trainings import Record, damaged, page_command, run_recipe, wrapped

from seqaudio.files.atomic import read_bytes
from seqaudio.memory.fading import Fading, fading, ratio_words
from seqaudio.memory.half_lag import Recall, recall_of_seeds
from seqaudio.report.fading import Line, fading_figure
from seqaudio.report.page import Page, Picture, Table
from seqaudio.report.pianoroll import picture_bytes
from seqaudio.report.recalls import recall_figure
from seqaudio.report.units import unit_figure

Drawn = dict[str, dict[str, Picture]]
"""By the title of a part, what is drawn for it, by the name of its file."""

CELLS = {"rnn": "tanh RNN", "irnn": "IRNN", "gru": "GRU", "lstm": "LSTM", "lnlstm": "layer-normalised LSTM"}
TASKS = {"words": "last word", "motif": "motif", "copy": "copy", "adding": "adding"}
FADING, WORDS = "1. The gradient fades", "2. The last word of a long sentence"
GATES, MOTIF, ALL = "The gates along one sentence", "3. The same as music", "4. What is recalled"
SOLVED = 0.01  # squared error in the adding problem
SHOWN_LAGS = (2, 4, 8, 16, 32, 64, 128, 192)


def read_log(path: Path) -> Record:
    """The log. Raises CheckpointError when it is damaged."""
    try:
        log: Record = json.loads(read_bytes(path))
        log["cells"], log["seeds"], log["parameters"], log["tasks"], log["versions"], log["date"]
        for network in log["networks"].values():
            network["plan"], network["seconds"], network["loss"]
            if not np.isfinite(np.array(network["recall"], dtype=np.float64)).all():
                raise ValueError("recall that is no number")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise damaged(path, "forgetting.py", problem) from None
    return log


def of(log: Record, task: str, cell: str) -> list[Record]:
    """The networks of a task and cell, by seed."""
    names = [f"{task}/{cell}/{number}" for number in range(log["seeds"])]
    return [log["networks"][name] for name in names if name in log["networks"]]


def recalls(log: Record, task: str) -> dict[str, Recall]:
    """Recall of every cell in a task."""
    about, found = log["tasks"][task], {}
    for cell in log["cells"]:
        shares = np.array([network["recall"] for network in of(log, task, cell)])
        found[CELLS[cell]] = recall_of_seeds(about["distances"], shares, about["chance"])
    return found


def faded(log: Record, cell: str, when: str) -> Fading:
    """How the gradient of the last word fades in a cell's networks, "trained" or "untrained"."""
    ratios = [np.array(network["fading"][when])[None, :, None, None] for network in of(log, "words", cell)]
    return fading(ratios, ("state",))[0]


def sections(log: Record) -> list[tuple[str, list[str], Table]]:
    """Every part of the page: title, what it says, and its table."""
    return [gradients(log), words(log), gates(log), motif(log), table_of_all(log)]


def gradients(log: Record) -> tuple[str, list[str], Table]:
    """How the gradient of the last word fades."""
    title = FADING
    rows, said = [], []
    for cell in log["cells"]:
        for when in ("untrained", "trained"):
            found = faded(log, cell, when)
            cells = [ratio_words(float(found.ratios[lag - 1])) for lag in SHOWN_LAGS]
            rows.append([f"{CELLS[cell]}, {when}", life(found), *cells])
        kept = faded(log, cell, "trained").ratios[-1]
        said.append(f"Of the {CELLS[cell]}'s, after practice, {ratio_words(float(kept))} is left at the subject.")
    explained = (
        "How much would the loss at the last word change if the state k words before had been another? Norms of the "
        "gradient over that at lag 1, of sentences with 60 nouns, up to the subject; what has faded teaches next to "
        "nothing."
    )
    return title, [explained, *said], Table(title, ["network", "half-life, words", *map(str, SHOWN_LAGS)], rows)


def words(log: Record) -> tuple[str, list[str], Table]:
    """Accuracy of the last word by distance."""
    title, about = WORDS, log["tasks"]["words"]
    rows, said = [], []
    for cell in log["cells"]:
        networks = of(log, "words", cell)
        for name, key in (("the word", None), ("its form", "form"), ("its meaning", "meaning")):
            shares = np.array([n["recall"] if key is None else n["right"][key] for n in networks]).mean(axis=0)
            rows.append([f"{CELLS[cell]}, {name}", *(f"{100 * share:.0f} %" for share in shares.tolist())])
        last = np.array([network["recall"][-1] for network in networks])
        said.append(
            f"Behind {about['distances'][-1]} nouns the {CELLS[cell]} has {100 * last.mean():.0f} % of the last words "
            f"right (seeds {percents(last)}); knowing nothing but the verb gives {100 * about['chance']:.1f} %."
        )
    explained = (
        "«El niño que vivía en la casa azul, junto a su perro, su bicicleta, ..., siempre fue muy travieso»: the last "
        "word agrees with the first noun in gender and number, and with what that noun is. By the number of nouns in "
        f"between; {about['steps']} steps of {about['rows']} sentences, short ones as often as long ones. That is what "
        "is learnt from so many: with ten times as many, or with sentences that grow, a tanh RNN learns to hold a noun "
        "too."
    )
    return title, [explained, *said], Table(title, ["right", *map(str, about["distances"])], rows)


def gates(log: Record) -> tuple[str, list[str], Table]:
    """What the unit that holds the subject does along one sentence."""
    title = GATES
    rows, said = [], []
    for cell, unit in units_of(log):
        share = 100 * unit["closeness"] ** 2
        said.append(
            f"Of the {CELLS[cell]} of seed 0, unit {unit['unit']} holds the subject best: before the last word, 60 "
            f"nouns on, the subject explains {share:.0f} % of the variance of its state, and {100 * unit['stays']:.0f} "
            "% of what stood there before the first of them still does."
        )
        for name, values in unit["gates"].items():
            rows.append([f"{CELLS[cell]}, {name} gate", f"{values[2]:.2f}", f"{np.mean(values[3:]):.2f}"])
        rows.append([f"{CELLS[cell]}, what it holds", f"{unit['state'][2]:+.2f}", f"{unit['state'][-1]:+.2f}"])
    explained = (
        "One unit, word by word: whether the input gate lets the subject in, whether the forget (update) gate keeps it "
        "while other nouns go by, and what is held. Behind: on average over the words after the subject; what is held "
        "at the end."
    )
    return title, [explained, *said], Table(title, ["unit", "at the subject", "behind it"], rows)


def motif(log: Record) -> tuple[str, list[str], Table]:
    """The same as music."""
    title, about = MOTIF, log["tasks"]["motif"]
    found = recalls(log, "motif")
    rows = [
        [name, recall.lag_words(), *(f"{100 * share:.0f} %" for share in shares_of(log, "motif", cell))]
        for cell, (name, recall) in zip(log["cells"], found.items(), strict=True)
    ]
    explained = (
        "A motif of four notes out of eight, bars of other notes, a cue, and the motif again: notes that are right, by "
        f"the bars in between; chance has {100 * about['chance']:.1f} %. {about['steps']} steps of {about['rows']}."
    )
    said = [f"{name}: the 50 % lag is {lag_of(recall, 'bars')}." for name, recall in found.items()]
    heads = ["notes right", "50 % lag, bars", *map(str, about["distances"])]
    return title, [explained, *said], Table(title, heads, rows)


def table_of_all(log: Record) -> tuple[str, list[str], Table]:
    """The recall table."""
    title, rows, said = ALL, [], []
    for task, name in TASKS.items():
        about = log["tasks"][task]
        for cell, recall in zip(log["cells"], recalls(log, task).values(), strict=True):
            losses = np.array([[math.nan if x is None else x for x in n["loss"]] for n in of(log, task, cell)])
            shares = shares_of(log, task, cell)
            rows.append(
                [
                    f"{name}, {CELLS[cell]}",
                    lag_of(recall, about["unit"]),
                    f"{100 * shares[-1]:.0f} % ({100 * about['chance']:.0f} %)",
                    f"{losses[:, -1].mean():.4f} ({about['loss_of_chance']:.4f} {about['loss_unit']})",
                ]
            )
            if task == "adding":
                for place, length in enumerate(about["distances"]):
                    solved = int((losses[:, place] < SOLVED).sum())
                    said.append(
                        f"Adding, {length} steps: the {CELLS[cell]} solves it in {solved} of {len(losses)} seeds."
                    )
    explained = (
        "The 50 % lag is the distance at which half is recalled, beyond chance. Right and loss: at the longest "
        "distance, in brackets what holding nothing gives. Copy: ten symbols of eight, 50 blanks. Adding: the sum of "
        f"two marked numbers; right within 0.04, solved where the squared error is below {SOLVED}."
    )
    return title, [explained, *said], Table(title, ["task", "50 % lag", "right", "loss"], rows)


def markdown(log: Record, drawn: Drawn) -> str:
    """The page as Markdown, with the pictures that lie beside it."""
    lines = ["# Forgetting made visible", "", *wrapped(heading(log)), ""]
    for title, (explained, *said), table in sections(log):
        lines += [f"## {title}", "", *wrapped(explained), "", *(f"- {sentence}" for sentence in said), ""]
        lines += [f"| {' | '.join(table.columns)} |", "|---" * len(table.columns) + "|"]
        lines += [f"| {' | '.join(map(str, row))} |" for row in table.rows]
        lines += ["", *(f"![{picture.words}]({name})\n" for name, picture in drawn.get(title, {}).items())]
    return "\n".join([*lines, *wrapped(made_by(log))]) + "\n"


def forgetting_page(log: Record, drawn: Drawn) -> Page:
    """The page with pictures."""
    tables = []
    for title, sentences, table in sections(log):
        tables.append(Table(title, table.columns, table.rows, " ".join(sentences), [*drawn.get(title, {}).values()]))
    return Page(
        title="Forgetting made visible",
        summary=[heading(log)],
        tables=tables,
        settings={"seeds": log["seeds"], "parameters": log["parameters"], **log["versions"], "date": log["date"]},
        command=["python", *sys.argv],
    )


def pictures(log: Record) -> Drawn:
    """By the title of a part, what is drawn for it, by the name of its file."""
    lines = [
        Line(CELLS[cell] + (", untrained" if fresh else ""), [faded(log, cell, when)], fresh)
        for cell in log["cells"]
        for when, fresh in (("trained", False), ("untrained", True))
    ]
    drawn = {
        "fading.png": (fading_figure(lines, "words"), "Norm of the gradient against the lag in words."),
        "last-word.png": (of_task(log, "words"), "Recall of the last word against the nouns in between."),
        "motif.png": (of_task(log, "motif"), "Recall of the motif against the bars in between."),
    }
    made = {name: Picture(picture_bytes(figure), words) for name, (figure, words) in drawn.items()}
    return {
        FADING: {"fading.png": made["fading.png"]},
        WORDS: {"last-word.png": made["last-word.png"]},
        GATES: {f"gates-{cell}.png": picture_of_unit(cell, unit) for cell, unit in units_of(log)},
        MOTIF: {"motif.png": made["motif.png"]},
    }


def of_task(log: Record, task: str) -> Any:
    """Recall of every cell in a task."""
    return recall_figure({TASKS[task]: (recalls(log, task), log["tasks"][task]["unit"])})


def units_of(log: Record) -> list[tuple[str, Record]]:
    """By cell the unit of its first network that holds the subject best."""
    first = [(cell, of(log, "words", cell)[0]) for cell in log["cells"]]
    return [(cell, network["unit"]) for cell, network in first if "unit" in network]


def picture_of_unit(cell: str, unit: Record) -> Picture:
    """What it does along the sentence that is shown."""
    figure = unit_figure(unit["words"], unit["gates"], unit["state"], f"{CELLS[cell]}, unit {unit['unit']}")
    sentence = " ".join([*unit["words"][1:], unit["last"]])
    return Picture(picture_bytes(figure), f"Gates and state of a unit of the {CELLS[cell]} along: {sentence}.")


def page_of(path: Path) -> str:
    """What stands on the page of a log."""
    log = read_log(path)
    return markdown(log, pictures(log))


def heading(log: Record) -> str:
    """What was compared."""
    names = ", ".join(CELLS[cell] for cell in log["cells"])
    return (
        f"{names}: one layer and about {log['parameters']:,} parameters each (within 2 % of one another), "
        f"{log['seeds']} seed{'s' * (log['seeds'] != 1)}; gates of LSTM and GRU begin with memories as long as "
        "the task (chrono). All practise the same sequences, each cell at one rate, the best of a search (rates.md). "
        "In brackets: 95 % bootstrap interval over seeds."
    )


def made_by(log: Record) -> str:
    """Command, versions, date and time."""
    names = [f"{task}/{cell}/{number}" for task in TASKS for cell in log["cells"] for number in range(log["seeds"])]
    seconds = sum(log["networks"][name]["seconds"] for name in names if name in log["networks"])
    versions = ", ".join(f"{name} {value}" for name, value in log["versions"].items())
    cells = ",".join(log["cells"])
    asked = f"--cells {cells} --seeds {log['seeds']}"
    return (
        f"Command: `python recipes/forgetting.py {asked}`. {versions}. {log['date']}, {len(names)} networks, "
        f"{seconds / 60:.0f} minutes if one by one."
    )


def shares_of(log: Record, task: str, cell: str) -> list[float]:
    """Right answers by distance, mean over seeds."""
    shares: list[float] = np.array([network["recall"] for network in of(log, task, cell)]).mean(axis=0).tolist()
    return shares


def lag_of(found: Recall, unit: str) -> str:
    """A 50 % lag with its unit."""
    return found.lag_words() + f" {unit}" * (found.lag > 0 or found.distances[0] > 0)


def life(found: Fading) -> str:
    """A half-life with its interval."""

    def said(value: float) -> str:
        return f"{value:.1f}" if math.isfinite(value) else f"over {len(found.ratios)}"

    words, ends = said(found.half_life), [said(end) for end in found.half_life_ends or ()]
    return f"{words} ({ends[0]} to {ends[1]})" if set(ends) - {words} else words


def percents(shares: np.ndarray) -> str:
    """Shares as percentages, one after the other."""
    return ", ".join(f"{100 * share:.0f}" for share in shares.tolist())


if __name__ == "__main__":
    run_recipe(page_command("forgetting.py", page_of), "forgetting_page")
