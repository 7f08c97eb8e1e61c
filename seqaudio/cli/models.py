"""``seqaudio models``: what is shipped."""

from __future__ import annotations

import click


@click.command("models")
def command() -> None:
    """List the shipped models."""
    from seqaudio.models.checkpoint import Checkpoint
    from seqaudio.pretrained import SHIPPED, model_path

    for name, what in SHIPPED.items():
        folder = model_path(name)
        parameters = Checkpoint.load(folder).parameter_count()
        megabytes = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
        click.echo(f"{name}: {what} ({parameters / 1e6:.1f} M parameters, {megabytes:.1f} MB)")
