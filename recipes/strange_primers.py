"""Does a model know when a primer is unlike what it learnt, and is what was played better continued if heard straight?

    python recipes/train_shipped.py chorales --evaluate     # prepares its corpus
    python recipes/strange_primers.py chorales "test pieces=prepared/chorales" "pop, played=POP909" [--out FILE.md]

The first 8 bars of pieces, as a model hears them: what they cost by the note, how many cost more than any validation
piece, which `seqaudio continue` tells, how many were played between sixteenths and triplets, and how many choose the
model where none is named. Of music that was played, 8 bars behind 16 are written twice, heard as it was played and
heard straight, with the same seeds. A source is a folder of music files, or a prepared corpus, whose test pieces are
taken. Intervals are 95 % bootstraps over pieces.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np
from chords import chord_rate
from numpy.typing import NDArray
from trainings import run_recipe, wrapped

from seqaudio import load_model
from seqaudio.continuation import continue_scores
from seqaudio.continuation.engines import Engine
from seqaudio.continuation.familiar import familiarity
from seqaudio.continuation.primer import make_primer
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import NoNotesError, OptionError, SeqAudioError
from seqaudio.files import read_pieces
from seqaudio.files.atomic import write_bytes
from seqaudio.music.metre import with_gathered_beats
from seqaudio.music.score import Score
from seqaudio.music.steps import nearest_steps
from seqaudio.music.straight import IS_BETWEEN, TWELFTHS
from seqaudio.pretrained.choice import choose_model
from seqaudio.report.statistics import interval
from seqaudio.structure import degeneracy

HEARD, PRIMER, BARS = 8, 16, 8
KINDS = (".mid", ".midi", ".abc", ".mxl", ".musicxml", ".xml")
COSTS = (
    "pieces",
    "nats a note, middle piece",
    "from 5 % to 95 % of the pieces",
    "called strange",
    "played",
    "choose it",
)
WRITTEN = ("nats a note of the primer", "new onsets between", "chords on new beats", "stuck, looping or held")
PACKAGES = ("seqaudio", "onnxruntime", "numpy")


@click.command()
@click.argument("model")
@click.argument("music", nargs=-1, required=True, metavar="NAME=SOURCE...")
@click.option("--pieces", default=60, show_default=True, help="Of each source at most so many, evenly spread.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the page there too.")
def main(model: str, music: tuple[str, ...], pieces: int, out: Path | None) -> None:
    """Measure, print, and write Markdown."""
    started, engine = time.monotonic(), load_model(model)
    if engine.checkpoint.beginnings is None:
        raise OptionError(f"{model}: its training noted nothing of beginnings of pieces; train it with this seqaudio")
    costs, written = {}, {}
    for name, equals, source in (each.partition("=") for each in music):
        if not equals:
            raise OptionError(f"{name}: give NAME=SOURCE, such as 'pop=POP909'")
        scores = [score for score in pieces_of(Path(source), pieces) if begins_at_once(score)]
        costs[name] = [cost(engine, model, score) for score in scores]
        played = [score for score, (_, _, was_played, _) in zip(scores, costs[name], strict=True) if was_played]
        long = [score for score in played if len(score.bars()) > PRIMER]
        if long:
            ways = {"as played": False, "heard straight": True}
            written |= {f"{name}, {way}": continued(engine, long, straight) for way, straight in ways.items()}
        click.echo(name, err=True)
    command = " ".join(["python recipes/strange_primers.py", model, *(f'"{each}"' for each in music)])
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    took = f"{date.today()}, {time.monotonic() - started:.0f} s."
    foot = f"Command: `{command} --pieces {pieces}`. {versions}. {took}"
    page = "\n".join([*lines(model, engine, costs, written), "", foot, ""])
    click.echo(page)
    if out:
        write_bytes(out, page.encode())


def pieces_of(source: Path, count: int) -> Iterator[Score]:
    """At most so many pieces of a source, as bars are counted here; what cannot be read is passed over."""
    if (source / "manifest.json").is_file():
        corpus = PreparedCorpus.open(source)
        test = corpus.split("test")
        scores = (corpus.score(test[i]) for i in spread(len(test), count))
        found = [score for score in scores if len(score.bars()) > HEARD]
    else:
        files = sorted(path for path in source.rglob("*") if path.suffix.lower() in KINDS)
        found = [score for i in spread(len(files), count) for score in first_of(files[i])]
    if not found:
        raise NoNotesError(f"{source}: no music; name a folder of files, or a prepared corpus")
    yield from map(with_gathered_beats, found)


def begins_at_once(score: Score) -> bool:
    """Whether the first bars of a piece are not silent."""
    return bool(score.onset.min() < score.bars()[HEARD])


def first_of(path: Path) -> list[Score]:
    """The first piece in a file, if it has one of 8 bars or more."""
    try:
        pieces = [piece.score for piece in read_pieces(path)[0][:1]]
    except SeqAudioError:
        return []
    return [score for score in pieces if len(with_gathered_beats(score).bars()) > HEARD]


def spread(count: int, wanted: int) -> list[int]:
    """So many places of ``count``, evenly."""
    places: list[int] = np.linspace(0, count - 1, min(wanted, count)).astype(int).tolist()
    return places


def cost(engine: Engine, model: str, score: Score) -> tuple[float, bool, bool, bool]:
    """What the first bars of a piece cost as they are heard; if strange, if played, if the piece chooses the model."""
    primer = make_primer(score, engine.checkpoint, min(HEARD, len(score.bars()) - 1))
    found = familiarity(engine, primer)
    return found.nats_per_note, found.strange, primer.straight, choose_model(score).model == model


def continued(engine: Engine, scores: Sequence[Score], straight: bool) -> list[list[float]]:
    """What stands behind each piece's first bars."""
    made = continue_scores(engine, scores, primer_bars=PRIMER, bars=BARS, straight=straight)
    return [
        [
            familiarity(engine, piece.primer).nats_per_note if piece.primer else np.nan,
            between(piece.score),
            chord_rate(piece.score),
            float(bool(degeneracy(piece.score, BARS).warnings())),
        ]
        for (piece,) in made
    ]


def between(score: Score) -> float:
    """The share of the times at which notes begin that are no sixteenths or triplets, on a model's grid of twelfths."""
    bars, onset = score.bars(), np.unique(score.onset)
    inside = onset - bars[np.searchsorted(bars, onset, side="right") - 1]
    return float(IS_BETWEEN[nearest_steps(inside, score.ticks_per_quarter, TWELFTHS) % TWELFTHS].mean())


def lines(
    model: str,
    engine: Engine,
    costs: dict[str, list[tuple[float, bool, bool, bool]]],
    written: dict[str, list[list[float]]],
) -> Iterator[str]:
    """The page without its last line."""
    usual = engine.checkpoint.beginnings
    assert usual is not None
    yield from (f"# Primers unlike what `{model}` learnt", "")
    yield from wrapped(
        f"Nats per note of the first {HEARD} bars of pieces, as the model hears them. Strange is what costs more than "
        f"any of the {usual.pieces} validation pieces, {usual.most:.2f}; the middle one of these costs "
        f"{usual.median:.2f}. Played: a quarter of the onsets, or of the ends, lie between sixteenths and triplets, on "
        "no 24th of a quarter to the tick; a model that learnt from scores hears them on sixteenths and triplets. "
        "The last column: how many choose this model where none is named."
    )
    yield from ("", f"| | {' | '.join(COSTS)} |", "|---" * (1 + len(COSTS)) + "|")
    for name, rows in costs.items():
        nats, strange, played, chosen = np.array(rows, dtype=float).T
        low, middle, high = np.quantile(nats, (0.05, 0.5, 0.95))
        shares = " | ".join(f"{share.mean():.0%}" for share in (strange, played, chosen))
        yield f"| {name} | {len(nats)} | {middle:.2f} | {low:.2f} to {high:.2f} | {shares} |"
    if written:
        yield ""
        yield from wrapped(
            f"Of the pieces that were played, {BARS} bars behind the first {PRIMER}, written twice with the same "
            "seeds. Chords on beats say nothing of how well they follow the primer."
        )
        yield from ("", f"| | {' | '.join(WRITTEN)} |", "|---" * (1 + len(WRITTEN)) + "|")
        for name, values in written.items():
            yield f"| {name} | {' | '.join(map(cell, np.array(values).T))} |"


def cell(values: NDArray[np.float64]) -> str:
    """A mean with its interval, of what has a value: where no beat sounds there are no chords."""
    values = values[~np.isnan(values)]
    return f"{interval(values, np.ones(len(values)), resamples=2000):.2f}"


if __name__ == "__main__":
    run_recipe(main, "strange_primers")
