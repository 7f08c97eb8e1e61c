"""``seqaudio structure``: what a piece keeps."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import click

from seqaudio.cli.options import json_option, limit_option

if TYPE_CHECKING:
    from seqaudio.cli.reading import Placed
    from seqaudio.files.limits import Limits
    from seqaudio.music.score import Score
    from seqaudio.structure.reference import Reference

Row = dict[str, Any]


@click.command("structure")
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("--primer-bars", type=click.IntRange(1), metavar="K", help="The first K bars are a primer.")
@click.option("--reference", metavar="SOURCE", help="Real music to read the values beside: a folder, file or corpus.")
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
    of music, a prepared corpus (its training pieces count) or the name of a corpus; fewer than eight pieces do not say
    what is usual. --json has every measure, the curves, and where sections begin.

    A file that cannot be read is named on stderr, the others are measured, and the exit code is 1.
    """
    from seqaudio.cli.structure_tables import tables
    from seqaudio.cli.terminal import console
    from seqaudio.errors import NoNotesError, SeqAudioError
    from seqaudio.files.limits import Limits

    drawn = 0
    if report is not None:
        from seqaudio.cli.drawings import SHOWN_PIECES
        from seqaudio.report.page import check_page_path

        check_page_path(report)
        drawn = SHOWN_PIECES
    budgets = Limits.parse(limits)
    with console().status("reading and measuring"):
        beside, known = (None, {}) if reference is None else _reference(reference, primer_bars, budgets)
        rows, scores, problems = _measured(files, budgets, primer_bars, beside, known, drawn)
    if not rows:
        raise NoNotesError("no piece could be measured")
    facts: Row = {"primer_bars": primer_bars, "pieces": rows}
    if reference is not None and beside is not None:
        facts["reference"] = _reference_facts(reference, beside, rows)
    click.echo(json.dumps(_without_nan(facts), indent=1) if as_json else tables(facts))
    if report is not None:
        from seqaudio.cli.structure_page import structure_page
        from seqaudio.report.page import write_page

        write_page(structure_page(facts, scores, beside), report)
    if problems:
        raise SeqAudioError(f"{problems} of {problems + len(rows)} pieces could not be measured")


def _measured(
    files: tuple[str, ...],
    budgets: Limits,
    primer_bars: int | None,
    beside: Reference | None,
    known: dict[str, int],
    drawn: int,
) -> tuple[list[Row], list[Score], int]:
    """What is measured of all pieces, the notes of the first ``drawn``, and how many pieces could not be measured."""
    from seqaudio.cli.reading import pieces_of
    from seqaudio.errors import OptionError

    rows: list[Row] = []
    scores: list[Score] = []
    problems = 0

    def skip(problem: object) -> None:
        nonlocal problems
        problems += 1
        _warn(problem)

    for piece in pieces_of(files, budgets, skip):
        try:
            rows.append(_row(piece, primer_bars, beside, known.get(piece.place)))
        except OptionError as problem:
            skip(f"{piece.name}: {problem}")
        else:
            scores += [piece.score] if len(scores) < drawn else []
    return rows, scores, problems


def _warn(problem: object) -> None:
    click.echo(f"seqaudio: {problem}", err=True)


def _row(piece: Placed, primer_bars: int | None, beside: Reference | None, without: int | None) -> Row:
    """What is measured of one piece."""
    from seqaudio.cli.structure_tables import counted
    from seqaudio.structure import Bars, boundaries, evaluate, similarity_curve
    from seqaudio.structure.evaluation import Facets
    from seqaudio.structure.similarity import MOST_BARS

    score = piece.score
    facets = Facets.of(score, primer_bars)
    count = facets.bars.count
    warnings = facets.degeneracy.warnings() if count or not len(score) else ["late: no notes in what was measured"]
    if len(facets.score) < len(score):
        measured = count or MOST_BARS
        warnings.append(f"long: the first {measured:,} of {len(Bars.of_score(score)):,} bars were measured")
    if primer_bars and count <= primer_bars:
        warnings.append(f"nothing behind the primer: {counted(count, 'bar')}")
    row: Row = {
        "name": piece.name,
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
    from seqaudio.structure.real_range import FEWEST_PIECES
    from seqaudio.structure.reference import SHARED_RUN

    run = beside.shared_run(score, without=NOWHERE if without is None else without)
    measures = row["measures"] | {SHARED_RUN: float(run.length)}
    ranges = {name: real for name, real in beside.ranges(row["bars"]).items() if real.pieces >= FEWEST_PIECES}
    return {
        "measures": measures,
        "reading": {name: ranges[name].place(value) for name, value in measures.items() if name in ranges},
        "real": {name: vars(ranges[name]) for name in measures if name in ranges},
        "shared_with": beside.names[run.piece] if run.length else None,
    }


def _reference(source: str, primer_bars: int | None, budgets: Limits) -> tuple[Reference, dict[str, int]]:
    """The real pieces, and the number of each by its place."""
    from seqaudio.cli.reading import real_pieces_of
    from seqaudio.errors import NoNotesError
    from seqaudio.files.atomic import shown
    from seqaudio.structure.reference import Reference

    found = [piece for piece in real_pieces_of(source, budgets, _warn) if _can_be_measured(piece)]
    if not any(len(piece.score) for piece in found):
        raise NoNotesError(f"--reference {shown(source)}: no piece with notes to compare with")
    beside = Reference([piece.score for piece in found], [piece.name for piece in found], primer_bars)
    return beside, {piece.place: number for number, piece in enumerate(found)}


def _can_be_measured(piece: Placed) -> bool:
    """Whether a real piece can be cut into bars; one that cannot is told."""
    from seqaudio.errors import OptionError
    from seqaudio.structure import Bars

    try:
        Bars.of_score(piece.score)
    except OptionError as problem:
        _warn(f"{piece.name}: {problem}")
        return False
    return True


def _reference_facts(source: str, beside: Reference, rows: list[Row]) -> Row:
    """What is said once of the real pieces, and of all pieces as a set; nothing is usual where they are few."""
    import numpy as np

    from seqaudio.files.atomic import shown
    from seqaudio.structure.real_range import FEWEST_PIECES

    error = null = math.nan
    if len(beside.scores) >= FEWEST_PIECES:
        error, null = beside.curve_error([np.array(row["curve"]) for row in rows])
    return {"name": shown(source), "pieces": len(beside.scores), "similarity_error": error, "null": null}


def _without_nan(value: Any) -> Any:
    """Facts as JSON can hold them: null for what is undefined."""
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
