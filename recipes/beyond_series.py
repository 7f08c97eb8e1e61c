"""The series of beyond_music.py: real numbers are frames, and forecasts are continuations.

Walk forward: the series is cut into folds that follow each other. For each, models learn from what lies before it
alone, the newest part of that being the validation; everything that is estimated (climate, deviations, damping) comes
from there too. Inside a fold a forecast hears what was known at its origin, and the model is not trained again.

A network's forecast is a set of paths that it wrote on from the past; its middle is judged by its absolute error, its
90 % interval by how often it holds what came, and one step ahead its density by its nats. Naive forecasts are Gaussians
around a number, as wide as their own errors before the fold.

Weather: daily highest and lowest temperature and wind in Seattle, as deviations from the season (two harmonics of the
year), judged by the highest temperature in degrees. Stocks: monthly returns (differences of log prices) of five shares,
each a series of its own, judged by the log price in percent. Both are of the package vega_datasets; a longer series of
prices does not lie in it.
"""

from __future__ import annotations

import csv
import hashlib
import io
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqaudio.errors import MissingDependencyError
from seqaudio.models.sequence_model import SequenceModel

Floats = NDArray[np.float64]

LEVEL, WITHIN = 0.9, 1.6448536  # of an interval, and how many deviations it reaches on both sides
RISKMETRICS = 0.97  # decay of a monthly variance; J.P. Morgan, RiskMetrics Technical Document, 1996
FEW = 24  # returns: a share with fewer has the deviation of all


@dataclass(frozen=True)
class Fold:
    """One step of the walk.

    Attributes:
        series: standardised by what lies before the fold, (steps, numbers) each, float32, to the end of the data.
        begins, ends: the first step of the fold, and the first behind it, in each series.
        origins: the last known step of each forecast, in each series.
    """

    series: list[NDArray[np.float32]]
    begins: list[int]
    ends: list[int]
    origins: list[NDArray[np.int64]]

    def learnt(self, validation: int, window: int) -> tuple[list[Any], list[Any]]:
        """Training pieces, windows that overlap by three quarters, and validation pieces, the last before the fold."""
        train, valid = [], []
        for series, begin in zip(self.series, self.begins, strict=True):
            cut = begin - validation
            if cut < window // 2:  # too young to be divided
                if begin > 2:
                    train.append(series[:begin])
                continue
            starts = [*range(0, max(cut - window, 0), window // 4), max(cut - window, 0)]
            train += [series[start : start + min(window, cut)] for start in starts]
            valid.append(series[cut:begin])
        return train, valid


class Problem(ABC):
    """A series to forecast: what differs between the weather and the stocks.

    Attributes:
        name, unit, step, judged: words for a page.
        horizons: steps ahead.
        window: steps that a forecast hears, at most.
        validation: steps before a fold that choose.
        block: steps that are drawn together by the bootstrap.
        numbers: of a frame.
        rows: the naive forecasts.
        reference, surest: those that networks are compared with, by errors and by nats.
    """

    name: str
    unit: str
    step: str
    judged: str
    horizons: tuple[int, ...]
    window: int
    validation: int
    block: int
    numbers: int
    reference: str
    surest: str
    rows: tuple[str, ...]
    sha256: str

    @abstractmethod
    def folds(self) -> int:
        """How many there are."""

    @abstractmethod
    def fold(self, number: int) -> Fold:
        """One of them."""

    @abstractmethod
    def truth(self, number: int) -> Floats:
        """What came, (forecasts, horizons); NaN behind the end of the data."""

    @abstractmethod
    def back(self, number: int, paths: Floats) -> Floats:
        """Standardised paths (forecasts, paths, steps, numbers) as what is judged, (forecasts, paths, steps)."""

    @abstractmethod
    def scale(self, number: int) -> Floats:
        """How many units one standardised number is, (forecasts,)."""

    @abstractmethod
    def naive(self, row: str, number: int) -> tuple[Floats, Floats]:
        """Middle and deviation of a naive row's forecasts, (forecasts, horizons) both."""

    @abstractmethod
    def blocks(self, number: int) -> list[int]:
        """For each forecast of a fold the block of time that it lies in."""


class Weather(Problem):
    """Seattle, 2012 to 2015, in half years from 2014 on."""

    name, unit, step = "weather", "°C", "day"
    judged = "highest temperature of a day"
    horizons, window, validation, block, numbers = (1, 3, 7, 14, 30), 128, 150, 30, 3
    reference = surest = "damped persistence"
    rows = ("persistence", "seasonal naive", "climate", "damped persistence")

    def __init__(self, data: bytes, stride: int = 3) -> None:
        rows = list(csv.DictReader(io.StringIO(data.decode())))
        self.sha256 = hashlib.sha256(data).hexdigest()
        days = [datetime.strptime(row["date"], "%Y/%m/%d") for row in rows]
        self.values = np.array(
            [[float(row["temp_max"]), float(row["temp_min"]), float(row["wind"])] for row in rows], np.float64
        )
        self.days = np.array([(day - days[0]).days for day in days])
        first = [place for place, day in enumerate(days) if day.day == 1 and day.month in (1, 7)]
        self.begins = [place for place in first if 2 * 365 <= place < len(days) - self.block]
        self.stride = stride

    def folds(self) -> int:
        """See :class:`Problem`."""
        return len(self.begins)

    def _span(self, number: int) -> tuple[int, int]:
        return self.begins[number], [*self.begins[1:], len(self.values)][number]

    def _climate(self, number: int) -> tuple[Floats, Floats]:
        """The season (steps, numbers) and the deviations from it (numbers,), from what lies before the fold."""
        begin, _ = self._span(number)
        phase = 2 * np.pi * self.days[:, None] / 365.25 * np.array([1, 2])
        design = np.concatenate([np.ones((len(phase), 1)), np.cos(phase), np.sin(phase)], axis=1)
        weights, *_ = np.linalg.lstsq(design[:begin], self.values[:begin], rcond=None)
        season = design @ weights
        return season, (self.values - season)[:begin].std(axis=0)

    def origins(self, number: int) -> NDArray[np.int64]:
        """The last known day of each forecast of a fold."""
        begin, end = self._span(number)
        return np.arange(begin - 1, end - 1, self.stride)

    def fold(self, number: int) -> Fold:
        """See :class:`Problem`."""
        begin, end = self._span(number)
        season, deviation = self._climate(number)
        series = ((self.values - season) / deviation).astype(np.float32)
        return Fold([series], [begin], [end], [self.origins(number)])

    def _at(self, series: Floats, places: NDArray[np.int64]) -> Floats:
        """Values at places; NaN behind the end."""
        inside = places < len(series)
        return np.where(inside, series[np.minimum(places, len(series) - 1)], np.nan)

    def truth(self, number: int) -> Floats:
        """See :class:`Problem`."""
        return self._at(self.values[:, 0], self.origins(number)[:, None] + np.array(self.horizons))

    def back(self, number: int, paths: Floats) -> Floats:
        """See :class:`Problem`."""
        season, deviation = self._climate(number)
        places = self.origins(number)[:, None] + 1 + np.arange(paths.shape[2])
        return self._at(season[:, 0], places)[:, None] + paths[..., 0] * deviation[0]

    def scale(self, number: int) -> Floats:
        """See :class:`Problem`."""
        return np.full(len(self.origins(number)), self._climate(number)[1][0])

    def naive(self, row: str, number: int) -> tuple[Floats, Floats]:
        """See :class:`Problem`."""
        begin, _ = self._span(number)
        season = self._climate(number)[0][:, 0]
        value = self.values[:, 0]
        origins, middles, deviations = self.origins(number), [], []
        for horizon in self.horizons:
            past = np.arange(365 if row == "seasonal naive" else 0, begin - horizon)
            share = 0.0
            if row == "damped persistence":
                before, after = (value - season)[past], (value - season)[past + horizon]
                share = float(before @ after / (before @ before))

            def forecast(at: NDArray[np.int64], ahead: int = horizon, damped: float = share) -> Floats:
                if row == "persistence":
                    return value[at]
                if row == "seasonal naive":
                    return value[at + ahead - 365]
                return self._at(season, at + ahead) + damped * (value - season)[at]

            middles.append(forecast(origins))
            deviations.append(np.full(len(origins), np.sqrt(np.mean((value[past + horizon] - forecast(past)) ** 2))))
        return np.stack(middles, axis=1), np.stack(deviations, axis=1)

    def blocks(self, number: int) -> list[int]:
        """See :class:`Problem`."""
        return (self.origins(number) // self.block).tolist()


class Stocks(Problem):
    """Five shares, January 2000 to March 2010, in years from 2005 on."""

    name, unit, step = "stocks", "%", "month"
    judged = "log price"
    horizons, window, validation, block, numbers = (1, 3, 6, 12), 48, 18, 6, 1
    reference, surest = "random walk", "random walk, moving variance"
    rows = ("random walk", "random walk with drift", "random walk, moving variance")

    def __init__(self, data: bytes) -> None:
        self.sha256 = hashlib.sha256(data).hexdigest()
        prices: dict[str, dict[int, float]] = {}
        for row in csv.DictReader(io.StringIO(data.decode())):
            day = datetime.strptime(row["date"], "%b %d %Y")
            prices.setdefault(row["symbol"], {})[12 * (day.year - 2000) + day.month - 1] = float(row["price"])
        self.symbols = sorted(prices)
        self.first = [min(prices[symbol]) for symbol in self.symbols]  # month of the first price
        self.logs = [100 * np.log([prices[symbol][m] for m in sorted(prices[symbol])]) for symbol in self.symbols]
        self.returns = [np.diff(each) for each in self.logs]  # entry i leads to month first + i + 1
        self.last = max(first + len(each) for first, each in zip(self.first, self.logs, strict=True))
        self.months = [month for month in (60, 72, 84, 96, 108) if month < self.last]

    def folds(self) -> int:
        """See :class:`Problem`."""
        return len(self.months)

    def _spans(self, number: int) -> list[tuple[int, int]]:
        """The fold in each series of returns."""
        begin, end = self.months[number], [*self.months[1:], self.last][number]
        return [(begin - first - 1, end - first - 1) for first in self.first]

    def _deviations(self, number: int) -> list[float]:
        past = [each[:begin] for each, (begin, _) in zip(self.returns, self._spans(number), strict=True)]
        of_all = float(np.concatenate(past).std())
        return [float(each.std()) if len(each) >= FEW else of_all for each in past]

    def fold(self, number: int) -> Fold:
        """See :class:`Problem`."""
        spans, deviations = self._spans(number), self._deviations(number)
        series = [(r / d)[:, None].astype(np.float32) for r, d in zip(self.returns, deviations, strict=True)]
        origins = [np.arange(begin - 1, end - 1) for begin, end in spans]
        return Fold(series, [begin for begin, _ in spans], [end for _, end in spans], origins)

    def _each(self, number: int) -> list[tuple[int, NDArray[np.int64]]]:
        return list(enumerate(self.fold(number).origins))

    def truth(self, number: int) -> Floats:
        """See :class:`Problem`."""
        found = []
        for share, origins in self._each(number):
            log = self.logs[share]
            places = origins[:, None] + 1 + np.array(self.horizons)  # the price behind return i is number i + 1
            inside = places < len(log)
            ahead = log[np.minimum(places, len(log) - 1)] - log[origins + 1][:, None]
            found.append(np.where(inside, ahead, np.nan))
        return np.concatenate(found)

    def scale(self, number: int) -> Floats:
        """See :class:`Problem`."""
        return np.concatenate([np.full(len(o), self._deviations(number)[share]) for share, o in self._each(number)])

    def back(self, number: int, paths: Floats) -> Floats:
        """See :class:`Problem`."""
        return paths[..., 0].cumsum(axis=2) * self.scale(number)[:, None, None]

    def naive(self, row: str, number: int) -> tuple[Floats, Floats]:
        """See :class:`Problem`."""
        ahead, spans = np.array(self.horizons), self._spans(number)
        drift = 0.0
        if row == "random walk with drift":
            past = [each[:begin] for each, (begin, _) in zip(self.returns, spans, strict=True)]
            drift = float(np.concatenate(past).mean())
        deviation = self.scale(number)
        if row == "random walk, moving variance":
            deviation = np.concatenate([self._moving(share, number)[o] for share, o in self._each(number)])
        return np.tile(drift * ahead, (len(deviation), 1)), deviation[:, None] * np.sqrt(ahead)

    def _moving(self, share: int, number: int) -> Floats:
        """The deviation expected behind each return: an average of squares that forgets, begun at the fold's own."""
        variance, found = self._deviations(number)[share] ** 2, []
        for each in self.returns[share]:
            variance = RISKMETRICS * variance + (1 - RISKMETRICS) * each**2
            found.append(variance**0.5)
        return np.array(found)

    def blocks(self, number: int) -> list[int]:
        """See :class:`Problem`."""
        return [
            int(month) // self.block
            for share, origins in self._each(number)
            for month in origins + self.first[share] + 1
        ]


@lru_cache
def problem(name: str, stride: int) -> Problem:
    """The series of that name. Raises MissingDependencyError without the package that holds it."""
    try:
        from vega_datasets import data
    except ImportError:
        raise MissingDependencyError(
            "the weather and the stocks are of the package vega_datasets; install it with: pip install '.[series]'"
        ) from None
    return Weather(data.seattle_weather.raw(), stride) if name == "weather" else Stocks(data.stocks.raw())


def scored(of: Problem, number: int, middle: Floats, low: Floats, high: Floats, nats: Floats) -> dict[str, Any]:
    """What the log keeps of forecasts, as sums over blocks of time, which are what a bootstrap draws.

    Absolute errors and how many came inside the interval, (horizons, blocks), and nats one step ahead, (blocks,).
    """
    truth, blocks = of.truth(number), of.blocks(number)
    came = np.isfinite(truth)
    errors = np.where(came, np.abs(middle - truth), 0.0)
    held = came & (low <= truth) & (truth <= high)
    return {
        "error": [by_block(each, blocks) for each in errors.T],
        "held": [by_block(each, blocks) for each in held.T],
        "nats": by_block(nats, blocks),
    }


def by_block(values: NDArray[Any], blocks: list[int]) -> list[float]:
    """Sums over the blocks of a fold, in order of time."""
    _, places = np.unique(blocks, return_inverse=True)
    return [round(float(each), 5) for each in np.bincount(places, weights=values.astype(np.float64))]


def measure_naive(of: Problem, row: str, number: int) -> dict[str, Any]:
    """A naive row on a fold."""
    truth, (middle, deviation) = of.truth(number), of.naive(row, number)
    apart = (truth[:, 0] - middle[:, 0]) / deviation[:, 0]
    nats = 0.5 * apart**2 + np.log(deviation[:, 0]) + 0.5 * np.log(2 * np.pi)
    return scored(of, number, middle, middle - WITHIN * deviation, middle + WITHIN * deviation, nats)


@torch.no_grad()
def measure_network(model: SequenceModel, of: Problem, number: int, paths: int, seed: int) -> dict[str, Any]:
    """A network's forecasts on a fold."""
    fold = of.fold(number)
    contexts = [
        series[max(0, origin + 1 - of.window) : origin + 1]
        for series, origins in zip(fold.series, fold.origins, strict=True)
        for origin in origins.tolist()
    ]
    lengths = torch.tensor([len(each) for each in contexts])
    heard = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(each) for each in contexts], batch_first=True)
    outputs, state = model(heard, lengths=lengths)
    last = outputs[torch.arange(len(lengths)), lengths - 1]  # (forecasts, outputs)
    drawn = draw_paths(model, last, state, paths, max(of.horizons), seed)
    said = of.back(number, drawn)[:, :, np.array(of.horizons) - 1]  # (forecasts, paths, horizons)
    low, middle, high = np.quantile(said, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=1)
    following = [s[o + 1, 0] for s, os in zip(fold.series, fold.origins, strict=True) for o in os.tolist()]
    targets = torch.full((len(lengths), 1, of.numbers), torch.nan)  # the others are not judged
    targets[:, 0, 0] = torch.tensor(following)
    nats = model.nats(last[:, None], targets)[:, 0].double().numpy() + np.log(of.scale(number))
    return scored(of, number, middle, low, high, nats)


def draw_paths(
    model: SequenceModel, last: torch.Tensor, state: tuple[torch.Tensor, ...], paths: int, steps: int, seed: int
) -> Floats:
    """Continuations (forecasts, paths, steps, numbers) of forecasts whose next outputs and state are given."""
    generator = torch.Generator().manual_seed(seed)
    now = last.repeat_interleave(paths, dim=0)
    state = tuple(part.repeat_interleave(paths, dim=1) for part in state)
    drawn = []
    for _ in range(steps):
        frames = model.sample(now, generator)
        drawn.append(frames)
        now, state = model.step(frames, state)
    return torch.stack(drawn, dim=1).unflatten(0, (len(last), paths)).double().numpy()
