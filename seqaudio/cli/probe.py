"""``seqaudio probe``: what a model forgets, and what it keeps. A probe is a line of the table and a module."""

from __future__ import annotations

import click

from seqaudio.cli.lazy import LazyGroup

PROBES = {
    "gradients": ("probe_gradients", "How fast the gradient fades with the lag: the half-life of a state."),
    "context": ("probe_context", "How far back a model listens: its nats when the past is cut or changed."),
    "gates": ("probe_gates", "How open the gates are, how long units keep, and what they follow."),
}


@click.group("probe", cls=LazyGroup, table=PROBES)
def command() -> None:
    """See what a model forgets, and what it keeps, on your own model and music."""
