"""What is measured of a predictor: how likely it holds pieces it has not met, and what its continuations keep.

Conventions: pieces are those of the test split, ids (tokens,); nats are sums, so that tables can pool them. A token
belongs to the bar that its Bar token begins; BOS is given and belongs to none, EOS to the last. Bars count from 1 in
names, from 0 in arrays.

- By bar: where in the piece a token stands.
- By stratum: how much of what stands right before a token stood before, as the longest suffix of the piece so far that
  also ended earlier (``suffix_match``). The token itself is not looked at, so this is what a memory could use.
- By context cut: the tokens of a bar from the ``cut`` bars before it alone, written as a piece that begins there (what
  is written on change is told); the same tokens with all that came before are the comparison. Only bars from number 17
  on, so that all cuts have the same.

A continuation is measured together with its primer, beside as many bars of the piece that the primer was taken from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from score_parts import loop, part

from seqaudio.continuation import Sampling, continue_scores
from seqaudio.continuation.engines import Predictor
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import NoNotesError
from seqaudio.models.suffix_match import longest_matches
from seqaudio.music.score import Score
from seqaudio.structure import (
    Bars,
    RunIndex,
    degeneracy,
    far_repeat_rate,
    lz_gain,
    mean_curve,
    primer_recall,
    return_lag,
    return_strength,
    similarity_curve,
    similarity_error,
    similarity_matrix,
)
from seqaudio.tokens import BarsTokenizer
from seqaudio.tokens.bars.excerpt import Bar, bars_of, bars_of_tokens, joined

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
Record = dict[str, Any]
View = Callable[[Score], Score]
Scorer = Callable[[Sequence[Ids]], Sequence[Floats]]
"""From pieces to the nats of every token but the first of each."""

BAR_GROUPS = ((1, 1), (2, 4), (5, 8), (9, 16), (17, 24), (25, 32), (33, 10_000))  # first and last bar
STRATA = (0, 6, 20, 64)  # the shortest match of each, in tokens: of folk melodies two notes, a bar, three bars
CUTS = (1, 2, 4, 8, 16)  # bars

MEASURES = (
    "primer_recall",
    "primer_recall_transposed",
    "far_repeat_rate",
    "far_repeat_rate_transposed",
    "lz_gain",
    "return_strength",
    "same_lag",  # whether the best return has the lag that it has in the real piece
    "curve_error",  # of the similarity curve against that of the real piece
    "shared_run",  # the longest run of notes shared with a training piece in any key, of the new bars alone
    "degenerate",  # whether anything is beyond a limit: stuck, loop, silence, noteless
)


@dataclass(frozen=True)
class Setting:
    """How continuations are made, and how much is measured.

    Attributes:
        primer_bars, bars: of the primer and of the continuation.
        outputs: continuations of each primer and seed.
        primers: at most so many pieces are continued, the first of the split that are long enough.
        targets: at most so many bars of a piece are predicted from cut contexts, evenly spread.
        temperature, top_p: of the sampling, the same for all.
        gate_temperatures: of models with a memory, of which validation pieces choose.
        train_pieces: every row learns from at most so many training pieces, evenly spread.
    """

    primer_bars: int = 8
    bars: int = 24
    outputs: int = 2
    primers: int = 1_000
    targets: int = 8
    temperature: float = 1.0
    top_p: float = 1.0
    gate_temperatures: tuple[float, ...] = (1.0, 0.8, 0.65, 0.5, 0.4, 0.3)
    train_pieces: int = 1_000_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "gate_temperatures", tuple(self.gate_temperatures))  # a list, out of a log

    def sampling(self, gate_temperature: float = 1.0) -> Sampling:
        """How rows are sampled, the gate of a memory at a temperature of its own and nothing kept from going round."""
        return Sampling(self.temperature, top_p=self.top_p, gate_temperature=gate_temperature, max_turns=0)

    @property
    def total(self) -> int:
        """Bars of primer and continuation."""
        return self.primer_bars + self.bars


def open_corpus(folder: str, setting: Setting) -> PreparedCorpus:
    """A prepared corpus with as many training pieces as are to be used; others are in no split."""
    corpus = PreparedCorpus.open(folder)
    train = corpus.of_split("train")
    if len(train) <= setting.train_pieces:
        return corpus
    kept = {train[i * len(train) // setting.train_pieces] for i in range(setting.train_pieces)}
    pieces = [
        piece if i in kept or piece["split"] != "train" else {**piece, "split": "left out"}
        for i, piece in enumerate(corpus.manifest["pieces"])
    ]
    return replace(corpus, manifest={**corpus.manifest, "pieces": pieces})


class Material:
    """The test pieces, or those of another split, and what they are measured by.

    Args:
        corpus: prepared, of bar tokens.
        setting: as above.
        split: of the pieces.
        view: how all scores are looked at when it is measured what they keep; None: as they are.
    """

    def __init__(self, corpus: PreparedCorpus, setting: Setting, split: str = "test", view: View | None = None) -> None:
        self.corpus, self.setting = corpus, setting
        self.view: View = view or (lambda score: score)
        assert isinstance(corpus.tokenizer, BarsTokenizer)
        self.tokenizer = corpus.tokenizer
        self.pieces = [np.asarray(piece, dtype=np.int64) for piece in corpus.split(split)]
        self.bars = [bars_of_tokens(self.tokenizer, piece) for piece in self.pieces]
        self.strata = [strata_of_tokens(piece) for piece in self.pieces]
        long = [i for i, bar in enumerate(self.bars) if bar[-1] + 1 >= setting.total]
        self.primers = long[: setting.primers]
        if len(self.primers) < 2:
            raise NoNotesError(
                f"{len(self.primers)} {split} pieces of {setting.total} bars or more, for a primer of "
                f"{setting.primer_bars} and {setting.bars} behind it; give a corpus with 2 or more"
            )

    @classmethod
    @lru_cache(maxsize=2)
    def open(cls, folder: str, setting: Setting, split: str = "test") -> Material:
        """The material of a prepared corpus; a worker opens it once."""
        return cls(open_corpus(folder, setting), setting, split)

    def counts(self) -> Record:
        """How many tokens each part of each piece has, and which pieces are continued: what sums are divided by."""
        ones = [np.ones(len(piece) - 1) for piece in self.pieces]
        cut = [sum(stop - begin for begin, stop in self._targets(i)) for i in range(len(self.pieces))]
        return {**self._parts(ones), "cut": cut, "primers": self.primers}

    def nats(self, score: Scorer) -> Record:
        """Nats of each piece, by part."""
        nats = score(self.pieces)
        return {**self._parts(nats), "cuts": self._cuts(score, nats)}

    def _parts(self, nats: Sequence[Floats]) -> Record:
        """Sums of a number for every token but the first: of each piece, by group of bars, by stratum."""
        bars = [bar[1:] + 1 for bar in self.bars]
        strata = [stratum[1:] for stratum in self.strata]
        return {
            "tokens": [rounded(row.sum()) for row in nats],
            "bars": [
                [rounded(row[(bar >= first) & (bar <= last)].sum()) for row, bar in zip(nats, bars, strict=True)]
                for first, last in BAR_GROUPS
            ],
            "strata": [
                [rounded(row[stratum == number].sum()) for row, stratum in zip(nats, strata, strict=True)]
                for number in range(len(STRATA))
            ],
        }

    def _targets(self, number: int) -> list[tuple[int, int]]:
        """First token of each target bar of a piece, and the token behind its last."""
        piece, bar = self.pieces[number], self.bars[number]
        count = int(bar[-1]) + 1
        if count <= max(CUTS):
            return []
        chosen = np.linspace(max(CUTS), count - 1, min(self.setting.targets, count - max(CUTS)))
        lines = np.append(np.flatnonzero(np.diff(bar, prepend=-1)), len(piece) - 1)  # EOS is left out
        return [(int(lines[b]), int(lines[b + 1])) for b in np.unique(np.rint(chosen).astype(int)).tolist()]

    def _cuts(self, score: Scorer, nats: Sequence[Floats]) -> list[list[float]]:
        """Nats of the target bars of each piece from each cut context, and at last from all that came before."""
        targets = [(i, begin, stop) for i in range(len(self.pieces)) for begin, stop in self._targets(i)]
        found = []
        for cut in CUTS:
            heard = [self._as_beginning(i, begin, cut) for i, begin, _ in targets]
            nats_of_heard = score([ids for ids, _ in heard])
            sums = np.zeros(len(self.pieces))
            for (i, begin, _), (_, places), row in zip(targets, heard, nats_of_heard, strict=True):
                sums[i] += row[places[1:] >= begin].sum()
            found.append(list(map(rounded, sums)))
        full = np.zeros(len(self.pieces))
        for i, begin, stop in targets:
            full[i] += nats[i][begin - 1 : stop - 1].sum()
        return [*found, list(map(rounded, full))]

    def _as_beginning(self, number: int, begin: int, cut: int) -> tuple[Ids, Ids]:
        """The bar at ``begin`` with so many before it, as a piece that begins there, and the place of each token."""
        bars, bar = self._written[number], int(self.bars[number][begin])
        return joined(self.tokenizer, bars[bar - cut : bar], bars[bar])

    @cached_property
    def _written(self) -> list[list[Bar]]:
        return [bars_of(self.tokenizer, piece) for piece in self.pieces]

    # ---- continuations -----------------------------------------------------------------------------------------------

    @cached_property
    def scores(self) -> list[Score]:
        """The pieces that are continued, as scores."""
        return [self.corpus.score(self.pieces[i]) for i in self.primers]

    @cached_property
    def _real(self) -> list[Score]:
        """So many bars of each as a continuation has with its primer."""
        return [self.view(part(score, 0, self.setting.total)) for score in self.scores]

    @cached_property
    def _training_tunes(self) -> RunIndex:
        return RunIndex.of_scores([self.view(self.corpus.score(piece)) for piece in self.corpus.split("train")])

    def continued(self, predictor: Predictor, seed: int, sampling: Sampling | None = None) -> list[list[Score]]:
        """Primers with what a predictor writes behind them, sampled as the setting says: some outputs of each."""
        return self._continued(range(len(self.primers)), predictor, seed, sampling)

    def continue_one(
        self, number: int, predictor: Predictor, seed: int, sampling: Sampling | None = None
    ) -> list[Score]:
        """The same of one primer, by its place among them."""
        return self._continued([number], predictor, seed, sampling)[0]

    def _continued(
        self, numbers: Sequence[int], predictor: Predictor, seed: int, sampling: Sampling | None
    ) -> list[list[Score]]:
        setting = self.setting
        made = continue_scores(
            predictor,
            [self.scores[i] for i in numbers],
            seeds=[seed * 100_000 + self.primers[i] for i in numbers],
            bars=setting.bars,
            primer_bars=setting.primer_bars,
            num_outputs=setting.outputs,
            sampling=sampling or setting.sampling(),
        )
        return [[continuation.with_primer() for continuation in outputs] for outputs in made]

    def best_gate_temperature(self, predictor: Predictor, seed: int) -> float:
        """The one whose continuations repeat and come back to their primers most nearly as much as these pieces do."""
        setting = self.setting

        def repeats(outputs: Iterable[Sequence[Score]]) -> Floats:
            bars = [Bars.of_score(score).part(0, setting.total) for scores in outputs for score in scores]
            pairs = [(far_repeat_rate(piece), primer_recall(piece, setting.primer_bars)) for piece in bars]
            return np.mean(pairs, axis=0)

        real = repeats(self.real())
        gaps = {
            temperature: float(
                np.abs(repeats(self.continued(predictor, seed, setting.sampling(temperature))) - real).sum()
            )
            for temperature in setting.gate_temperatures
        }
        return min(gaps, key=lambda temperature: gaps[temperature])

    def looped(self) -> list[list[Score]]:
        """Primers with their own last bars behind them, round and round."""
        return [[loop(score, self.setting.primer_bars, self.setting.bars)] for score in self.scores]

    def real(self) -> list[list[Score]]:
        """The pieces themselves."""
        return [[score] for score in self._real]

    def kept(self, outputs: Sequence[Sequence[Score]], *, others: bool = False) -> Record:
        """What continuations keep: each measure for each primer, the mean over its outputs, and the mean curve.

        Args:
            outputs: primers with their continuations.
            others: compare each with the next piece's real bars instead of its own: real music against real music.
        """
        beside = self._real[1:] + self._real[:1] if others else self._real
        curves, rows, warnings = [], [], Counter[str]()
        for scores, real in zip(outputs, beside, strict=True):
            of_outputs = []
            for score in scores:
                values, curve, found = self._measured(self.view(score), real)
                of_outputs.append([values[name] for name in MEASURES])
                curves.append(curve)
                warnings.update(found)
            rows.append(np.mean(of_outputs, axis=0))
        table = np.round(rows, 4)
        return {
            "measures": {name: table[:, i].tolist() for i, name in enumerate(MEASURES)},
            "curve": np.round(mean_curve(curves), 4).tolist(),
            "halves": [np.round(mean_curve(curves[i::2]), 4).tolist() for i in range(2)],
            "warnings": dict(sorted(warnings.items())),
            "continuations": len(curves),
        }

    def _measured(self, score: Score, real: Score) -> tuple[dict[str, float], Floats, list[str]]:
        """The measures of a primer with its continuation, its similarity curve, and the kinds of degeneracy."""
        setting = self.setting
        bars, other = (Bars.of_score(each).part(0, setting.total) for each in (score, real))
        matrix, real_matrix = similarity_matrix(bars), similarity_matrix(other)
        curve = similarity_curve(matrix)
        warnings = [text.partition(":")[0] for text in degeneracy(score, setting.total).warnings()]
        new = part(score, setting.primer_bars, setting.total)
        return (
            {
                "primer_recall": primer_recall(bars, setting.primer_bars),
                "primer_recall_transposed": primer_recall(bars, setting.primer_bars, transposed=True),
                "far_repeat_rate": far_repeat_rate(bars),
                "far_repeat_rate_transposed": far_repeat_rate(bars, transposed=True),
                "lz_gain": lz_gain(bars),
                "return_strength": return_strength(matrix),
                "same_lag": float(return_lag(matrix) == return_lag(real_matrix)),
                "curve_error": similarity_error(curve, similarity_curve(real_matrix)),
                "shared_run": float(self._training_tunes.longest_run(new).length),
                "degenerate": float(bool(warnings)),
            },
            curve,
            warnings,
        )


def rounded(number: float) -> float:
    """A sum of nats as the log keeps it."""
    return round(float(number), 3)


def strata_of_tokens(ids: Ids) -> Ids:
    """For each token the number of the stratum of what stands before it."""
    lengths, _ = longest_matches(ids)
    strata: Ids = np.searchsorted(STRATA, lengths[:-1], side="right") - 1
    return strata
