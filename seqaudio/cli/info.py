"""``seqaudio info``: what a model is."""

from __future__ import annotations

import json

import click

from seqaudio.cli.options import json_option


@click.command("info")
@click.argument("model", metavar="NAME|PATH")
@json_option
def command(model: str, as_json: bool) -> None:
    """Show a model's sizes, tokenizer or frames, training and checksum."""
    from seqaudio.models.checkpoint import Checkpoint, sha256
    from seqaudio.pretrained import model_path

    path = model_path(model)
    checkpoint = Checkpoint.load(path)
    tokenizer = checkpoint.tokenizer
    if tokenizer:
        stored = {k: v for k, v in json.loads(tokenizer.to_json()).items() if k != "tokens"}
        reads = {"tokens": len(tokenizer.vocabulary), "tokenizer": stored}
    else:
        reads = {"frames": str(checkpoint.frames)}
    facts = {
        "path": str(path),
        "parameters": checkpoint.parameter_count(),
        "stored_as": str(next(iter(checkpoint.weights.values())).dtype),
        "model": checkpoint.config.model_dump(),
        **reads,
        "pitch_range": list(checkpoint.pitch_range),
        "sha256": sha256(path),
        "facts": checkpoint.facts,
    }
    if as_json:
        click.echo(json.dumps(facts, indent=1))
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            click.echo(f"{name}:")
            for inner, text in value.items():
                click.echo(f"  {inner}: {json.dumps(text)}")
        else:
            click.echo(f"{name}: {value}")
