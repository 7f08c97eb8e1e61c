"""What is measured of a shipped model and of what stands beside it?

Conventions: nats are sums over a piece, BOS given and EOS counted. Continuations begin at the first 8 bars of each
piece that is long enough, and are measured with them (rnn_vs_lstm_measures.py); what the plain networks and the counts
write is sampled at temperature 1. Temperatures are chosen on validation pieces: those whose continuations are nearest
to the real pieces, by far repeats, primer recall, the similarity curve and how many of them are stuck, looping or held,
together; of several voices among those that have chords (chords.py) on enough of the new beats.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
from chords import chord_rate
from numpy.typing import NDArray
from rnn_vs_lstm_measures import Material, Setting
from score_parts import part
from shipped_models import Shipped

from seqaudio.continuation import Sampling, load_engine
from seqaudio.continuation.counts import CountedModel, CountingEngine
from seqaudio.continuation.engines import Engine, Predictor
from seqaudio.continuation.likelihood import token_nats
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import CheckpointError
from seqaudio.models.baselines import PPM, MatchCopy, NGram
from seqaudio.models.checkpoint import WEIGHTS, learnt_from
from seqaudio.music.score import Score
from seqaudio.report.retention import RealPieces, real_pieces
from seqaudio.structure import similarity_error
from seqaudio.training.material import TokenMaterial

Record = dict[str, Any]
Floats = NDArray[np.float64]

PRIMER_BARS = 8
OUTPUTS = 2  # continuations of each primer
TRIED = 60  # validation primers at most, for each pair of temperatures; fewer are gone on with more often
GATE_TEMPERATURES = (0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
PPM_ROW, ADAPTING, COPY, UNIGRAM = "PPM", "PPM, learning the piece as it goes", "PPM + copy", "unigram"
LOOP, REAL = "loop", "real pieces"
CHORDS = "chord_rate"
CHOSEN_BY = "far_repeat_rate", "primer_recall"
ENOUGH = 0.95  # of the chords of real pieces: below, wrong notes are heard before any form


class Measures:
    """A shipped model's corpus, and what is measured on it."""

    def __init__(self, model: Shipped, corpus: PreparedCorpus) -> None:
        self.model, self.corpus = model, corpus
        self._test = [np.asarray(piece, dtype=np.int64) for piece in corpus.split("test")]
        self._vocabulary = len(corpus.tokenizer.vocabulary)

    # ---- choosing on validation --------------------------------------------------------------------------------------

    def choice(self, run: Path) -> list[Record]:
        """What continuations of validation pieces keep at each pair of temperatures, beside the real pieces."""
        engine = self._engine(run)
        material = Material(self.corpus, self._setting(primers=TRIED), "valid", self.model.view)
        outputs = max(1, TRIED // len(material.primers))  # of few pieces one each tells pairs apart by chance
        material.setting = self._setting(outputs, TRIED)
        tried = [{"row": REAL, "outputs": outputs, **summary(self._kept(material, material.real()))}]
        real = np.array(tried[0]["curve"], float)
        for temperature, gate in itertools.product(self.model.temperatures, GATE_TEMPERATURES):
            sampling = {"temperature": temperature, "gate_temperature": gate}
            found = summary(self._kept(material, material.continued(engine, 0, Sampling(**sampling))))
            found["curve_error"] = similarity_error(np.array(found["curve"], float), real)
            tried.append({"row": f"{temperature:g}, gate {gate:g}", "sampling": sampling, **found})
            click.echo(f"temperature {temperature:g}, gate {gate:g}: {told(found)}", err=True)
        return tried

    @staticmethod
    def chosen(choice: list[Record]) -> dict[str, float]:
        """The temperatures that came nearest to the real pieces, of several voices with chords enough."""
        real, *tried = choice
        if CHORDS in real:
            tried = [found for found in tried if found[CHORDS] >= ENOUGH * real[CHORDS]] or tried

        def distance(found: Record) -> float:
            rates = sum(abs(found[name] - real[name]) for name in (*CHOSEN_BY, "degenerate"))
            return float(rates + found["curve_error"])

        best: dict[str, float] = min(tried, key=distance)["sampling"]
        return best

    # ---- the test pieces ---------------------------------------------------------------------------------------------

    def measured(self, log: Record, folder: Path, runs: Path, *, continuations: bool) -> Record:
        """The log with every row that can be measured here; plain networks without a run keep theirs."""
        rows: dict[str, Record] = {self.model.name: self._network(folder, continuations, own=True)}
        for plain in self.model.plain:
            if (runs / plain.run / WEIGHTS).is_file():
                rows[plain.row] = self._network(runs / plain.run, continuations)
            elif plain.row in log["rows"]:
                rows[plain.row] = log["rows"][plain.row]
            else:
                raise CheckpointError(f"{plain.run}: neither a run in {runs} nor a row of the log; train it first")
        rows |= self._counts(continuations)
        if continuations:
            material = self._material
            rows[LOOP] = {"kept": self._kept(material, material.looped())}
            rows[REAL] = {"kept": self._kept(material, material.real())}
        else:
            for name, row in log["rows"].items():
                rows[name] = rows.get(name, {}) | ({"kept": row["kept"]} if "kept" in row else {})
        facts = [self.corpus.manifest["pieces"][i] for i in self.corpus.of_split("test")]
        packages = ("seqaudio", "torch", "onnxruntime", "numpy", "music21")
        return {
            "choice": log.get("choice", []),
            "rows": rows,
            "test": {
                "notes": [fact["notes"] for fact in facts],
                "bars": [fact["bars"] for fact in facts],
                "tokens": [len(piece) - 1 for piece in self._test],
                "groups": [fact["group"] for fact in facts],
                "primers": len(self._material.primers),
            },
            "pieces": {split: len(self.corpus.of_split(split)) for split in ("train", "valid", "test")},
            "sha256": self.corpus.fingerprint,
            "versions": {name: version(name) for name in packages},
            "date": str(date.today()),
        }

    def ranges(self) -> list[RealPieces]:
        """How much of itself real music keeps: the measures of the report on the test pieces, cut to some lengths."""
        scores = [self.corpus.score(piece) for piece in self._test]
        found = [real_pieces(scores, primer, bars, self.model.pieces) for primer, bars in self.model.lengths]
        return [pieces for pieces in found if pieces is not None]

    def familiar(self, folder: Path) -> Record:
        """What a training notes of the music that is familiar to its model, of weights that lie in a folder."""
        checkpoint, material = self._engine(folder).checkpoint, TokenMaterial(self.corpus)
        found = material.familiar(checkpoint.build(), material.split("valid"), checkpoint.memory())
        return {**found, **{name: material.facts()[name] for name in ("between", "metres")}}

    def _engine(self, folder: Path) -> Engine:
        engine = load_engine(folder)
        if engine.checkpoint.facts["corpus"] != self.corpus.fingerprint:
            raise CheckpointError(f"{folder.name}: was trained on another corpus than the one prepared here")
        return engine

    def _network(self, folder: Path, continuations: bool, *, own: bool = False) -> Record:
        engine = self._engine(folder)
        checkpoint = engine.checkpoint
        sampling = Sampling(**checkpoint.sampling) if own else Sampling()
        found: Record = {
            "nats": [rounded(token_nats(engine, piece).sum()) for piece in self._test],
            "valid": checkpoint.facts["valid_nats_per_token"],
            "parameters": checkpoint.parameter_count(),
        }
        click.echo(f"{folder.name}: {sum(found['nats']) / sum(map(len, self._test)):.4f} nats per token", err=True)
        return found | (self._continued(folder.name, engine, sampling) if continuations else {})

    def _counts(self, continuations: bool) -> dict[str, Record]:
        train = self.corpus.split("train")
        make = partial(PPM, order=self.model.order, vocabulary_size=self._vocabulary)
        ppm, copy = make().fit(train), MatchCopy(make).fit(train)
        rows: dict[str, Record] = {
            PPM_ROW: {"nats": totals(map(ppm.nats, self._test))},
            ADAPTING: {"nats": totals(ppm.nats(piece, adapt=True) for piece in self._test)},
            COPY: {"nats": totals(map(copy.nats, self._test))},
            UNIGRAM: {"nats": totals(map(NGram(0, self._vocabulary).fit(train).nats, self._test))},
        }
        if continuations:
            low, high = self._pitches
            counted = CountedModel(self.corpus.tokenizer, (low, high), learnt_from(self.corpus.manifest["options"]))
            rows[PPM_ROW] |= self._continued(PPM_ROW, CountingEngine(ppm, counted))
            rows[COPY] |= self._continued(COPY, CountingEngine(copy, counted))
        return rows

    def _continued(self, name: str, predictor: Predictor, sampling: Sampling | None = None) -> Record:
        kept = self._kept(self._material, self._material.continued(predictor, 0, sampling or Sampling()))
        click.echo(f"{name}: {told(summary(kept))}", err=True)
        return {"kept": kept}

    def _kept(self, material: Material, outputs: Sequence[Sequence[Score]]) -> Record:
        """What continuations keep and, of several voices, how many of the new beats are chords."""
        kept = without_nan(material.kept(outputs))
        if self.model.voices:
            total = PRIMER_BARS + self.model.bars
            rates = [np.mean([chord_rate(part(score, PRIMER_BARS, total)) for score in scores]) for scores in outputs]
            kept["measures"][CHORDS] = np.round(rates, 4).tolist()
        return kept

    def _setting(self, outputs: int = OUTPUTS, primers: int = 1_000) -> Setting:
        return Setting(primer_bars=PRIMER_BARS, bars=self.model.bars, outputs=outputs, primers=primers)

    @cached_property
    def _material(self) -> Material:
        return Material(self.corpus, self._setting(), view=self.model.view)

    @cached_property
    def _pitches(self) -> tuple[int, int]:
        """Lowest and highest pitch of the training pieces; all, where there are only drums."""
        pitch = self.corpus.tokenizer.pitch_of_token[np.concatenate(list(self.corpus.split("train")))]
        pitch = pitch[pitch >= 0]
        return (int(pitch.min()), int(pitch.max())) if len(pitch) else (0, 127)


def totals(nats_of_pieces: Iterable[Floats]) -> list[float]:
    """Sum of nats of each piece without its BOS, which every model is given."""
    return [rounded(nats[1:].sum()) for nats in nats_of_pieces]


def rounded(nats: float) -> float:
    """A sum of nats as the log keeps it."""
    return round(float(nats), 2)


def without_nan(kept: Record) -> Record:
    """The same as JSON has it: None for what is no number, the end of a curve that no piece reaches."""
    curves = [kept["curve"], *kept["halves"]]
    curve, *halves = ([None if np.isnan(value) else value for value in curve] for curve in curves)
    return {**kept, "curve": curve, "halves": halves}


def summary(kept: Record) -> Record:
    """The means that temperatures are chosen by, and the curve."""
    names = [name for name in (*CHOSEN_BY, CHORDS, "degenerate") if name in kept["measures"]]
    means = {name: float(np.mean(kept["measures"][name])) for name in names}
    return {**means, "curve": kept["curve"]}


def told(found: Record) -> str:
    """The same, for the one who waits."""
    return ", ".join(f"{name} {found[name]:.2f}" for name in (*CHOSEN_BY, CHORDS) if name in found)
