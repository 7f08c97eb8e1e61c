"""How much is done for a set of piano rolls, and which settings are tried? See polyphonic_benchmark.py.

A plan is part of the log: a log that was begun with another one is refused.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TypeVar

import numpy as np
from trainings import Record

from seqaudio.corpus.frames import FrameCorpus

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Plan:
    """How large, how long, how often; by head where it is a dictionary, with the heads that are trained."""

    units: int  # of the plain one-layer LSTM whose number of parameters all models of a head have
    steps: dict[str, int]  # of the optimizer
    trials: dict[str, int]  # settings tried for each cell
    trial_share: float  # of the steps, for a trial
    batch_size: dict[str, int]  # pieces
    chunk: dict[str, int]  # frames a step; the state is carried on
    transpose_share: dict[str, float]  # of the pieces of an epoch
    independent: str | None  # the head of independent keys
    max_minutes: float | None = None  # of one training
    memory: Record | None = None  # of the piece
    first: Record | None = None  # a setting tried before those drawn, and the only one where nothing is searched
    last: dict[str, Record] | None = None  # by head a setting tried after those drawn

    def as_record(self) -> Record:
        """As plain values, without what may be left out and is."""
        values = asdict(self)
        left_out = {name for name in ("memory", "first", "last") if values[name] is None}
        return {name: values[name] for name in values if name not in left_out}


def by_head(independent: Number, joint: Number) -> dict[str, Number]:
    """One number for models of independent keys, another for those of joint frames."""
    return {"independent": independent, "joint": joint}


PLAIN = {"layers": 1, "dropout": 0.3, "input_dropout": 0.0, "weight_drop": 0.0}
PLAIN |= {"learning_rate": 5e-3, "weight_decay": 1e-4}

SMALL_SET = 50_000  # training frames: JSB has 14,000, whose longest piece fits into a step; the other sets have more
SMALL = Plan(
    units=320,
    steps=by_head(1_800, 1_500),
    trials=by_head(8, 8),
    trial_share=1 / 3,
    batch_size=by_head(16, 16),
    chunk=by_head(256, 256),
    transpose_share=by_head(1.0, 1.0),
    independent="marginal",
)
# found on validation pieces of Nottingham: independent keys need many more steps than joint frames, so these are short
LARGE = Plan(
    units=320,
    steps=by_head(12_000, 3_000),
    trials=by_head(6, 8),
    trial_share=1 / 3,
    batch_size=by_head(16, 8),
    chunk=by_head(64, 256),
    transpose_share=by_head(0.7, 1.0),
    independent="bernoulli",
    last={"independent": PLAIN | {"layers": 2, "dropout": 0.5}},  # found likewise, with an LSTM
)


def with_memory(plan: Plan, *, steps: int, trials: int, trial_share: float, memory: Record, first: Record) -> Plan:
    """The plan for models with a memory of the piece, of joint frames alone."""
    return replace(
        plan,
        steps={"joint": steps},
        trials={"joint": trials},
        trial_share=trial_share,
        batch_size={"joint": plan.batch_size["joint"]},
        chunk={"joint": plan.chunk["joint"]},
        transpose_share={"joint": plan.transpose_share["joint"]},
        independent=None,
        memory=memory,
        first=first,
        last=None,
    )


# memory and first setting were found on validation pieces with an LSTM; with a memory it needs fewer steps
SMALL_MATCH = with_memory(
    SMALL,
    steps=900,
    trials=6,
    trial_share=1 / 3,
    memory={"lags": [4, 8, 16], "counters": [4, 16]},
    first=PLAIN | {"dropout": 0.5, "input_dropout": 0.1, "learning_rate": 7e-3},
)
LARGE_MATCH = with_memory(
    LARGE,
    steps=2_400,
    trials=5,
    trial_share=1 / 4,
    memory={"lags": [16, 32, 48, 64, 96, 128], "counters": [8, 16, 32, 64]},
    first=PLAIN,
)
QUICK_SMALL = replace(SMALL, units=128, steps=by_head(450, 250), trials=by_head(0, 0), trial_share=0.0, max_minutes=0.4)
QUICK_LARGE = replace(
    LARGE, units=128, steps=by_head(1_800, 500), trials=by_head(0, 0), trial_share=0.0, max_minutes=0.4, last=None
)
QUICK_SMALL_MATCH, QUICK_LARGE_MATCH = (
    replace(plan, units=128, steps={"joint": steps}, trials={"joint": 0}, trial_share=0.0, max_minutes=0.9, first=PLAIN)
    for plan, steps in ((SMALL_MATCH, 250), (LARGE_MATCH, 400))
)


def plan_of(corpus: FrameCorpus, quick: bool, memory: str) -> Plan:
    """How much is done for a set."""
    small = sum(len(piece) for piece in corpus.split("train")) < SMALL_SET
    if memory == "none":
        return (QUICK_SMALL if small else QUICK_LARGE) if quick else SMALL if small else LARGE
    plan = (QUICK_SMALL_MATCH if small else QUICK_LARGE_MATCH) if quick else SMALL_MATCH if small else LARGE_MATCH
    return plan if memory == "match" else lookback(plan)


def lookback(plan: Plan) -> Plan:
    """The same without the longest match."""
    return replace(plan, memory={"match": False, **(plan.memory or {})})


def tried(plan: Plan, head: str) -> dict[int, Record]:
    """The settings that are tried for a head, by number: the same for every cell, and one number is one setting."""
    count = plan.trials[head]
    known = [plan.first] if plan.first and count else []
    settings = dict(enumerate([*known, *map(draw, range(count - len(known)))]))
    if plan.last and head in plan.last:
        settings[max(plan.trials.values())] = plan.last[head]
    return settings


def draw(number: int) -> Record:
    """A random setting, number ``number`` of them."""
    generator = np.random.default_rng((2012, number))
    return {
        "layers": int(generator.integers(1, 3)),
        "dropout": round(float(generator.uniform(0.3, 0.6)), 2),
        "input_dropout": float(generator.choice([0.0, 0.1])),
        "weight_drop": float(generator.choice([0.0, 0.2])),
        "learning_rate": round(float(np.exp(generator.uniform(np.log(2e-3), np.log(2e-2)))), 5),
        "weight_decay": float(generator.choice([1e-4, 1e-2, 1e-1])),
    }
