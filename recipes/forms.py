"""Is a form that is asked for what comes, and how much does the variation vary?

    seqaudio prepare music21:oneills music21:airds --melody -o prepared/folk
    python recipes/forms.py prepared/folk [--pieces 100] [--out docs/results/forms.md]

Test pieces of 32 bars or more, their first 8 bars as primers, 24 bars behind them: freely, and as AABA, with sections
of 8 bars, at several variations; by a shipped model with a memory, and by one without. Bars are counted behind pickups.
Real pieces and the free continuations say what there is without asking. 95 % intervals are bootstrapped over pieces.
Nothing is chosen here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from score_parts import part
from trainings import run_recipe, wrapped

from seqaudio import load_model
from seqaudio.continuation import Form, continue_scores
from seqaudio.continuation.form import pickup_bars
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import NoNotesError
from seqaudio.files.atomic import write_bytes
from seqaudio.music.score import Score
from seqaudio.report.statistics import interval
from seqaudio.structure import degeneracy, similarity_matrix

PRIMER, SECTION, TOTAL = 8, 8, 32
VARIATIONS = (0.0, 0.1, 0.3, 0.5)
MODELS = {"folk": "LSTM with a memory (folk)", "folk-rnn": "RNN without (folk-rnn)"}
COLUMNS = ("bars 9-16 as 1-8", "bars 25-32 as 1-8", "bars 17-24 heard before", "stuck, looping or held", "nats a token")
PACKAGES = ("seqaudio", "onnxruntime", "numpy")


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--pieces", default=100, show_default=True, help="At most so many, evenly spread.")
@click.option("--seed", default=0, show_default=True, help="Of the draws.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the page there too.")
def main(corpus: Path, pieces: int, seed: int, out: Path | None) -> None:
    """Measure, print, and write Markdown."""
    started = time.monotonic()
    scores = long_pieces(PreparedCorpus.open(corpus), pieces)
    rows = {"real pieces": [[*measured(score), np.nan] for score in scores]}
    for name, words in MODELS.items():
        for variation in (None, *VARIATIONS):
            asked = "freely" if variation is None else f"AABA, variation {variation:g}"
            rows[f"{words}, {asked}"] = written(name, scores, variation, seed)
            click.echo(f"{words}, {asked}", err=True)
    command = f"python recipes/forms.py {corpus} --pieces {pieces} --seed {seed}"
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    took = f"{date.today()}, {time.monotonic() - started:.0f} s."
    page = "\n".join([*lines(rows), "", f"Command: `{command}`. {versions}. {took}", ""])
    click.echo(page)
    if out:
        write_bytes(out, page.encode())


def long_pieces(corpus: PreparedCorpus, count: int) -> list[Score]:
    """Test pieces of 32 bars and more behind a pickup, cut there. Raises NoNotesError."""
    scores = (corpus.score(piece) for piece in corpus.split("test"))
    found = [part(score, 0, bars) for score in scores if len(score.bars()) > (bars := TOTAL + pickup_bars(score))]
    if not found:
        raise NoNotesError(f"no test piece of {TOTAL} bars or more; prepare more music")
    return [found[i] for i in np.linspace(0, len(found) - 1, min(count, len(found))).astype(int)]


def written(name: str, scores: Sequence[Score], variation: float | None, seed: int) -> list[list[float]]:
    """The figures of what a model writes behind each primer."""
    engine = load_model(name)
    primers = [part(score, 0, PRIMER + pickup_bars(score)) for score in scores]
    asked = {"bars": TOTAL - PRIMER} if variation is None else {"form": Form("AABA", SECTION, variation)}
    seeds = [seed * 100_000 + i for i in range(len(primers))]
    made = continue_scores(engine, primers, seeds=seeds, **asked)
    return [[*measured(piece.with_primer()), piece.nats_per_token] for (piece,) in made]


def measured(score: Score) -> list[float]:
    """Shares of bars: those of the second and last section that are the first one's, of the third what stands before.

    Last, whether what stands behind the primer is stuck.
    """
    pickup = pickup_bars(score)
    alike = similarity_matrix(score)[pickup:, pickup:] == 1
    second, last = (float(alike[range(first, first + SECTION), range(SECTION)].mean()) for first in (8, 24))
    before = float(alike[16:24, :16].any(axis=1).mean())
    return [second, last, before, float(bool(degeneracy(part(score, pickup + PRIMER, pickup + TOTAL)).warnings()))]


def lines(rows: dict[str, list[list[float]]]) -> Iterator[str]:
    """The page without its last line."""
    count = len(rows["real pieces"])
    yield from ("# A form that is asked for", "")
    yield from wrapped(
        f"{count} test pieces, their first {PRIMER} bars as primers and {TOTAL - PRIMER} bars behind them, one output "
        "of each; bars are counted behind a pickup. The first three columns are shares of bars that are the same, note "
        "by note; 95 % intervals over pieces. A form tells the second and the last section to return, and the third to "
        "be new. A piece with a pickup ends where it would come again, so its last bar is another than bar 8. Nats are "
        "those of the model before its form."
    )
    yield from ("", f"| | {' | '.join(COLUMNS)} |", "|---" * (1 + len(COLUMNS)) + "|")
    for name, values in rows.items():
        yield f"| {name} | {' | '.join(cell(column) for column in np.array(values).T)} |"


def cell(values: NDArray[np.float64]) -> str:
    """A mean with its interval."""
    if np.isnan(values).all():
        return ""
    return f"{interval(values, np.ones(len(values)), resamples=2000):.2f}"


if __name__ == "__main__":
    run_recipe(main, "forms")
