"""What does the report of ``continue`` and ``generate`` show? Pieces, how the model heard them, what made them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqaudio.cli.asking import Request
from seqaudio.cli.drawings import SHOWN_NOTES, SHOWN_PIECES, bars_alike, beginning, shown_bars_alike
from seqaudio.cli.real_music import RealMusic
from seqaudio.cli.writing import return_in_words, settings
from seqaudio.continuation.likelihood import bar_means, bar_nats, token_nats
from seqaudio.continuation.piece import Continuation
from seqaudio.continuation.primer import bars_tokenizer
from seqaudio.continuation.remembering import RememberingEngine
from seqaudio.music.score import Score
from seqaudio.report.page import Figure, Matrix, Page, Panel, Roll, Series, roll_of
from seqaudio.report.retention import figures, headlines
from seqaudio.structure import Bars, similarity_curve, similarity_error
from seqaudio.tokens.bars import BarsTokenizer

GATES = {
    "input": "How far what is new is let in; mean over a layer's units, 1 is open.",
    "forget": "How much of the cell state is kept at each token; mean over a layer's units, 1 keeps all.",
    "output": "How far the cell state is shown; mean over a layer's units, 1 is open.",
    "reset": "How far the past is let into what is new; mean over a layer's units, 1 is open.",
    "update": "How much of the past is kept at each token; mean over a layer's units, 1 keeps all.",
}
MEMORY = (
    "How much of the probability of its tokens was new, and how much what the memory of the piece guessed; each column "
    "is one bar, its parts from below in this order."
)
SURPRISE = "How unlikely the model found each bar, at temperature 1; a bar of many notes needs more."


def continuation_page(
    request: Request,
    pieces: Sequence[Continuation],
    facts: Sequence[dict[str, Any]],
    remarks: Sequence[str],
    extra: dict[str, Any],
    real: RealMusic,
    *,
    gates: bool = False,
) -> Page:
    """The page of what was just written, each piece with the facts of its manifest; of very many the first."""
    shown = list(zip(pieces, facts, strict=True))[:SHOWN_PIECES]
    panels = [_panel(request, piece, of, real, SHOWN_NOTES // len(shown), gates=gates) for piece, of in shown]
    made = settings(request, 0)
    command = made.pop("command")
    made.pop("output")
    return Page(
        title=_title(request, extra),
        summary=[_summary(pieces, len(shown)), *_of_form(facts), *_sentence(remarks)],
        panels=panels,
        settings=made | extra,
        command=command,
    )


def _of_form(facts: Sequence[dict[str, Any]]) -> list[str]:
    """What form was asked for, what came of it in the first piece, and how to read the measures beside it."""
    if "form" not in facts[0]:
        return []
    form, came = facts[0]["form"], "; ".join(return_in_words(found) for found in facts[0]["returns"])
    asked = f"Asked for: the form {form['letters']}, {form['section_bars']} bars a section."
    which = "In the first piece " if len(facts) > 1 else "Here "
    return [f"{asked} {which}{came}. So much returns because it was asked to." if came else asked]


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


def _panel(
    request: Request, piece: Continuation, facts: dict[str, Any], real: RealMusic, most_notes: int, *, gates: bool
) -> Panel:
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
        figures=[*figures(headlines(heard, primer_bars), among.ranges if among else {}), *_apart(heard, real)],
        series=_series(request, piece, roll, gates=gates),
        real="" if among is None else among.words(),
    )


def _matrices(heard: Score, roll: Roll, real: RealMusic) -> list[Matrix]:
    """How alike the bars shown are, and as many of a real piece."""
    bars = Bars.of_score(heard)
    title = "Primer and continuation" if roll.new_from_bar else "The piece"
    beside = real.beside(len(bars))
    return [shown_bars_alike(title, bars, roll), *([bars_alike(*beside, len(bars))] if beside else [])]


def _apart(heard: Score, real: RealMusic) -> list[Figure]:
    """How far the piece's return to itself is from that of the real one, over as many bars."""
    if real.own is None:
        return []
    _, own = real.own
    count = min(len(beginning(heard)), len(beginning(own)))
    error = similarity_error(*(similarity_curve(beginning(score, count)) for score in (heard, own)))
    return [Figure("similarity-curve error", error, None, "distance from how the piece really goes on")]


class _Bars(NamedTuple):
    """Where the tokens of a piece stand: what the model heard, then what it wrote."""

    ids: NDArray[np.int64]
    heard: int
    """Bars among the tokens of the primer."""
    first: int
    """The bar in which they begin, from 0."""
    cut: int
    """Bars of the primer."""
    written: int

    def placed(self, values: NDArray[np.float64], roll: Roll) -> NDArray[np.float64]:
        """Values by bar of the tokens, at the bars that the roll shows; NaN where the model heard nothing."""
        whole = np.full(self.cut + self.written, np.nan)
        whole[self.cut :] = values[self.heard :]
        count = min(self.heard, self.cut - self.first)
        whole[self.first : self.first + count] = values[:count]
        start = roll.first_bar - 1
        return whole[start : start + roll.bars]


def _bars_of(piece: Continuation, tokenizer: BarsTokenizer) -> _Bars:
    primer, bar = piece.primer, tokenizer.vocabulary.id("Bar_None")
    if primer is None:
        return _Bars(np.concatenate([[tokenizer.vocabulary.id("BOS_None")], piece.ids]), 0, 0, 0, piece.bars)
    first = int(np.searchsorted(primer.score.bars(), primer.voice.onset.min(), side="right")) - 1
    heard = int((primer.ids == bar).sum())
    return _Bars(np.concatenate([primer.ids, piece.ids]), heard, first, primer.bars, piece.bars)


def _series(request: Request, piece: Continuation, roll: Roll, *, gates: bool) -> list[Series]:
    """Nats, and if asked gates, of every bar shown that the model heard or wrote."""
    checkpoint = request.engine.checkpoint
    tokenizer = bars_tokenizer(checkpoint)
    bars = _bars_of(piece, tokenizer)
    nats = bar_nats(tokenizer, bars.ids, token_nats(request.engine, bars.ids))
    cut = (roll.first_bar, roll.new_from_bar)
    found = [Series("Surprise by bar", "nats", {"surprise": bars.placed(nats, roll)}, *cut, meaning=SURPRISE)]
    if isinstance(request.engine, RememberingEngine):
        shares = request.engine.shares(bars.ids).T
        lines = {
            name: bars.placed(bar_means(tokenizer, bars.ids, np.append(0.0, share)), roll)
            for name, share in zip(request.engine.names_of_shares, shares, strict=True)
        }
        found.append(Series("Where each bar came from", "", lines, *cut, top=1.0, meaning=MEMORY, shares=True))
    if gates:
        from seqaudio.memory.gates import gate_means

        layers = gate_means(checkpoint, bars.ids)
        for name in layers[0]:
            lines = {
                f"layer {number}": bars.placed(bar_means(tokenizer, bars.ids, layer[name]), roll)
                for number, layer in enumerate(layers, 1)
            }
            found.append(Series(f"{name.capitalize()} gate by bar", "", lines, *cut, top=1.0, meaning=GATES[name]))
    return found
