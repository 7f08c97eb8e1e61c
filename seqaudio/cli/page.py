"""What does the report of ``continue`` and ``generate`` show? Pieces, how the model heard them, what made them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqaudio.cli.real_music import RealMusic
from seqaudio.cli.writing import Request, settings
from seqaudio.continuation.continue_score import Continuation
from seqaudio.continuation.likelihood import bar_nats, token_nats
from seqaudio.continuation.primer import bars_tokenizer
from seqaudio.music.score import Score
from seqaudio.report.page import Figure, Matrix, Page, Panel, Roll, Series, roll_of
from seqaudio.report.retention import MEASURED_BARS, figures
from seqaudio.structure import Bars, similarity_curve, similarity_error, similarity_matrix

SHOWN_PIECES = 8
SHOWN_NOTES = 40_000  # of all pieces together: the page stays under 3 MB
SURPRISE = "How unlikely the model found each bar, at temperature 1; a bar of many notes needs more."


def continuation_page(
    request: Request,
    pieces: Sequence[Continuation],
    facts: Sequence[dict[str, Any]],
    remarks: Sequence[str],
    extra: dict[str, Any],
    real: RealMusic,
) -> Page:
    """The page of what was just written, each piece with the facts of its manifest; of very many the first."""
    shown = list(zip(pieces, facts, strict=True))[:SHOWN_PIECES]
    panels = [_panel(request, piece, of, real, SHOWN_NOTES // len(shown)) for piece, of in shown]
    made = settings(request, 0)
    command = made.pop("command")
    made.pop("output")
    return Page(
        title=_title(request, extra),
        summary=[_summary(pieces, len(shown)), *_sentence([*remarks, *real.remarks])],
        panels=panels,
        settings=made | extra,
        command=command,
    )


def _title(request: Request, extra: dict[str, Any]) -> str:
    model = Path(request.model).name
    return f"{Path(extra['primer']).name}, continued by {model}" if "primer" in extra else f"Written by {model}"


def _summary(pieces: Sequence[Continuation], shown: int) -> str:
    first = pieces[0]
    bars = f"{first.bars} bar{'s' * (first.bars != 1)}"
    what = "piece" if first.primer is None else "continuation"
    made = f"A {what} of {bars}" if len(pieces) == 1 else f"{len(pieces)} {what}s of {bars} each"
    behind = "" if first.primer is None else f", behind {first.primer.bars} of the primer"
    few = f"; the first {shown} are shown" if shown < len(pieces) else ""
    return f"{made}{behind}{few}."


def _sentence(remarks: Sequence[str]) -> list[str]:
    text = "; ".join(remarks)
    return [f"{text[0].upper()}{text[1:]}."] if text else []


def _panel(request: Request, piece: Continuation, facts: dict[str, Any], real: RealMusic, most_notes: int) -> Panel:
    voice = None if piece.primer is None else piece.primer.voice
    roll = roll_of(piece.with_primer(), piece.begins, voice, most_notes)
    primer_bars = 0 if piece.primer is None else piece.primer.bars
    heard = piece.with_voice()
    among = real.of_length(primer_bars, primer_bars + piece.bars)
    return Panel(
        title=Path(facts["file"]).name,
        facts=[
            f"{facts['bars']} bars",
            f"{facts['notes']} notes",
            facts["metre"],
            f"{facts['tempo_qpm']:g} quarters a minute",
            f"{facts['music_seconds']:.1f} s of music",
            f"{facts['nats_per_token']:.3f} nats per token",
        ],
        warnings=facts["warnings"],
        roll=roll,
        matrices=_matrices(heard, roll, real),
        figures=[*figures(heard, primer_bars, among), *_apart(heard, real)],
        series=[_surprise(request, piece, roll)],
        real="" if among is None else among.words(),
    )


def _matrices(heard: Score, roll: Roll, real: RealMusic) -> list[Matrix]:
    """How alike the bars shown are, and those of a real piece."""
    bars = Bars.of_score(heard)
    start = roll.first_bar - 1
    end = min(start + roll.bars, start + MEASURED_BARS)
    title = "Primer and continuation" if roll.new_from_bar else "The piece"
    if end < len(bars):
        title += f", bars {start + 1} to {end}"
    found = [Matrix(title, similarity_matrix(bars.part(start, end)), start + 1, roll.new_from_bar)]
    beside = real.beside(len(bars))
    if beside is not None:
        name, other = beside
        found.append(Matrix(name, similarity_matrix(_part(other))))
    return found


def _part(score: Score, count: int = MEASURED_BARS) -> Bars:
    """The first so many bars."""
    bars = Bars.of_score(score)
    return bars.part(0, min(len(bars), count))


def _apart(heard: Score, real: RealMusic) -> list[Figure]:
    """How far the piece's return to itself is from that of the real one, over as many bars."""
    if real.own is None:
        return []
    _, own = real.own
    count = min(len(_part(heard)), len(_part(own)))
    error = similarity_error(*(similarity_curve(_part(score, count)) for score in (heard, own)))
    return [Figure("similarity-curve error", error, None, "distance from how the piece really goes on")]


def _surprise(request: Request, piece: Continuation, roll: Roll) -> Series:
    """Nats of every bar shown that the model heard or wrote."""
    tokenizer = bars_tokenizer(request.engine.checkpoint)
    before, heard, first = np.array([tokenizer.vocabulary.id("BOS_None")]), 0, 0
    primer = piece.primer
    if primer is not None:
        before = primer.ids
        heard = int((before == tokenizer.vocabulary.id("Bar_None")).sum())
        lines = primer.score.bars()
        first = int(np.searchsorted(lines, primer.voice.onset.min(), side="right")) - 1
    ids = np.concatenate([before, piece.ids])
    nats = bar_nats(tokenizer, ids, token_nats(request.engine, ids))
    cut = primer.bars if primer is not None else 0
    values = np.full(cut + piece.bars, np.nan)
    values[cut:] = nats[heard:]
    heard = min(heard, cut - first)
    values[first : first + heard] = nats[:heard]
    start = roll.first_bar - 1
    shown = values[start : start + roll.bars]
    return Series("Surprise by bar", "nats", {"surprise": shown}, roll.first_bar, roll.new_from_bar, None, SURPRISE)
