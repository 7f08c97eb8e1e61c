"""``seqaudio probe``: what a model forgets, and what it keeps. A probe is a line of the table and a module."""

from __future__ import annotations

import click

from seqaudio.cli.lazy import LazyGroup

PROBES = {
    "gradients": ("probe_gradients", "How fast the gradient fades with the lag, and its half-lives."),
    "context": ("probe_context", "How far back a model listens: its nats when the past is changed."),
    "gates": ("probe_gates", "How open gates are, how long units keep, and what they follow."),
    "recall": ("probe_recall", "Behind how much else a motif, or a symbol, is still known."),
}


@click.group("probe", cls=LazyGroup, table=PROBES)
def command() -> None:
    """See what a model forgets, and what it keeps, on your own model and music."""
