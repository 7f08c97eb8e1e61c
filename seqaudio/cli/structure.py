"""``seqaudio structure``: what a piece keeps."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqaudio.cli.options import json_option, limit_option

if TYPE_CHECKING:
    from seqaudio.files.limits import Limits
    from seqaudio.files.reader import Piece
    from seqaudio.music.score import Score
    from seqaudio.structure.reference import Reference

Row = dict[str, Any]

SHOWN_PIECES = 8  # on a page, with their notes; a table there has all


@click.command("structure")
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("--primer-bars", type=click.IntRange(1), metavar="K", help="The first K bars are a primer.")
@click.option("--reference", metavar="FOLDER", help="Real music to read the values beside: a folder or a corpus.")
@click.option("--report", type=click.Path(dir_okay=False), metavar="FILE.html", help="Write a page to see and hear.")
@limit_option
@json_option
def command(
    files: tuple[str, ...],
    primer_bars: int | None,
    reference: str | None,
    report: str | None,
    limits: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure how the pieces of FILES (or folders) repeat, return and keep a primer, and whether they are stuck.

    Values are read on both sides: a loop repeats more than real music. With --reference they stand beside real pieces
    of the same length, with the longest run of notes shared with one of them, in any key. The reference may be a folder
    of music, a prepared corpus (its training pieces count) or the name of a corpus. --json has every measure, the
    curves, and where sections begin.

    A file that cannot be read is named on stderr, the others are measured, and the exit code is 1.
    """
    from seqaudio.cli.structure_tables import tables
    from seqaudio.cli.terminal import console
    from seqaudio.errors import NoNotesError, OptionError, SeqAudioError
    from seqaudio.files.limits import Limits

    if report is not None:
        from seqaudio.report.page import check_page_path

        check_page_path(report)
    budgets = Limits.parse(limits)
    problems: list[str] = []
    rows: list[Row] = []
    scores: list[Score] = []
    with console().status("reading and measuring"):
        beside, known = _reference(reference, primer_bars, budgets) if reference else (None, {})
        for place, piece in _pieces(_found(files, problems), budgets, problems):
            try:
                rows.append(_row(piece, primer_bars, beside, known.get(place)))
                scores += [piece.score] if report and len(scores) < SHOWN_PIECES else []
            except OptionError as problem:
                _skip(f"{piece.name}: {problem}", problems)
    if not rows:
        raise NoNotesError("no piece could be measured")
    facts: Row = {"primer_bars": primer_bars, "pieces": rows}
    if reference and beside:
        facts["reference"] = _reference_facts(reference, beside, rows)
    click.echo(json.dumps(_without_nan(facts), indent=1) if as_json else tables(facts))
    if report is not None:
        from seqaudio.cli.structure_page import structure_page
        from seqaudio.report.page import write_page

        write_page(structure_page(facts, scores, beside), report)
    if problems:
        raise SeqAudioError(f"{len(problems)} of {len(problems) + len(rows)} pieces could not be measured")


def _pieces(paths: Iterable[Path], budgets: Limits, problems: list[str]) -> Iterator[tuple[str, Piece]]:
    """Every piece of files, with its place; what cannot be read is told on stderr and to ``problems``."""
    from seqaudio.errors import SeqAudioError
    from seqaudio.files.reader import read_pieces

    for path in paths:
        try:
            pieces, unreadable = read_pieces(path, budgets)
        except SeqAudioError as problem:
            _skip(problem, problems)
            continue
        for reason in unreadable:
            _skip(reason, problems)
        for piece in pieces:
            yield f"{path.resolve()}/{piece.name}", piece


def _found(sources: Iterable[str], problems: list[str]) -> Iterator[Path]:
    """The files of all sources; a source that has none is told."""
    from seqaudio.errors import SeqAudioError

    for source in sources:
        try:
            yield from _paths(source)
        except SeqAudioError as problem:
            _skip(problem, problems)


def _paths(source: str) -> list[Path]:
    """The music files of a folder or named corpus; of a file itself, whether it is there or not."""
    from seqaudio.files.reader import MUSIC_SUFFIXES

    path = Path(source)
    if path.suffix.lower() in MUSIC_SUFFIXES and not path.is_dir():  # without the corpus room: it takes time to import
        return [path]
    from seqaudio.corpus.sources import files_of

    return [file.path for file in files_of(source)]


def _skip(problem: object, problems: list[str]) -> None:
    problems.append(str(problem))
    click.echo(f"seqaudio: {problem}", err=True)


def _row(piece: Piece, primer_bars: int | None, beside: Reference | None, without: int | None) -> Row:
    """What is measured of one piece."""
    from seqaudio.files.atomic import shown
    from seqaudio.structure import Bars, boundaries, evaluate, similarity_curve
    from seqaudio.structure.evaluation import Facets

    score = piece.score
    facets = Facets.of(score, primer_bars)
    warnings = facets.degeneracy.warnings()
    count = facets.bars.count
    if len(facets.score) < len(score):
        warnings.append(f"long: the first {count:,} of {len(Bars.of_score(score)):,} bars were measured")
    if primer_bars and count <= primer_bars:
        warnings.append(f"nothing behind the primer: {count} bars")
    row: Row = {
        "name": shown(piece.name),
        "bars": count,
        "notes": len(facets.score),
        "measures": evaluate(facets),
        "warnings": warnings,
        "boundaries": boundaries(facets.matrix).tolist(),
        "curve": similarity_curve(facets.matrix).tolist(),
    }
    return row | (_beside(facets.score, row, beside, without) if beside else {})


def _beside(score: Score, row: Row, beside: Reference, without: int | None) -> Row:
    """What the real pieces say of one."""
    from seqaudio.structure.copying import NOWHERE
    from seqaudio.structure.reference import SHARED_RUN

    run = beside.shared_run(score, without=NOWHERE if without is None else without)
    measures = row["measures"] | {SHARED_RUN: float(run.length)}
    ranges = beside.ranges(row["bars"])
    return {
        "measures": measures,
        "reading": {name: ranges[name].place(value) for name, value in measures.items() if name in ranges},
        "real": {name: vars(ranges[name]) for name in measures if name in ranges},
        "shared_with": beside.names[run.piece] if run.length else None,
    }


def _reference(source: str, primer_bars: int | None, budgets: Limits) -> tuple[Reference, dict[str, int]]:
    """The real pieces, and the number of each by its place."""
    from seqaudio.errors import NoNotesError
    from seqaudio.files.atomic import shown
    from seqaudio.structure.reference import Reference

    if (Path(source) / "manifest.json").is_file():
        names, scores = _prepared(source)
        return Reference(scores, names, primer_bars), {}
    problems: list[str] = []
    found = list(_pieces(_paths(source), budgets, problems))
    if not any(len(piece.score) for _, piece in found):
        raise NoNotesError(f"{shown(source)}: no piece with notes to compare with")
    beside = Reference([piece.score for _, piece in found], [shown(piece.name) for _, piece in found], primer_bars)
    return beside, {place: number for number, (place, _) in enumerate(found)}


def _prepared(folder: str) -> tuple[list[str], list[Score]]:
    """The training pieces of a prepared corpus."""
    from seqaudio.corpus.prepared import PreparedCorpus

    corpus = PreparedCorpus.open(folder)
    numbers = corpus.of_split("train")
    names = [str(corpus.manifest["pieces"][i].get("name", i)) for i in numbers]
    return names, [corpus.tokenizer.decode(corpus.piece(i).astype("int64")) for i in numbers]


def _reference_facts(source: str, beside: Reference, rows: list[Row]) -> Row:
    """What is said once of the real pieces, and of all pieces as a set."""
    import numpy as np

    from seqaudio.files.atomic import shown

    error, null = beside.curve_error([np.array(row["curve"]) for row in rows])
    return {"name": shown(source), "pieces": len(beside.scores), "similarity_error": error, "null": null}


def _without_nan(value: Any) -> Any:
    """Facts as JSON can hold them: null for what is undefined."""
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
