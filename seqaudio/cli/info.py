"""``seqaudio info``: what a model is, and where its run stands; and what a recording is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from seqaudio.cli.options import json_option


@click.command("info")
@click.argument("model", metavar="NAME|PATH")
@json_option
def command(model: str, as_json: bool) -> None:
    """Show a model's sizes, tokenizer or frames, training and checksum, and where its run stands.

    Settings that are off, and those of the training that are as by default, are left out; --json has all of them.
    Of a recording (WAV, FLAC, Ogg, MP3, AIFF) it shows format, rate, channels and seconds.
    """
    from seqaudio.files.audio import is_recording

    if is_recording(model) and Path(model).is_file():
        facts = _recording(model)
        click.echo(json.dumps(facts, indent=1) if as_json else "\n".join(_lines(facts)))
        return
    from seqaudio.models.checkpoint import KNOWN, Checkpoint, sha256
    from seqaudio.pretrained import model_path

    path = model_path(model)
    checkpoint = Checkpoint.load(path)
    tokenizer = checkpoint.tokenizer
    reads: dict[str, Any] = {}
    if tokenizer:
        stored = {k: v for k, v in json.loads(tokenizer.to_json()).items() if k != "tokens"}
        reads = {"tokens": len(tokenizer.vocabulary), "tokenizer": stored}
    else:
        reads = {"frames": str(checkpoint.frames)}
        if KNOWN in checkpoint.weights:
            reads["known_frames"] = len(checkpoint.weights[KNOWN])
    facts = {
        "path": str(path),
        **_run(path),
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
    facts["model"] = {name: value for name, value in facts["model"].items() if value}
    facts["facts"] = _shorter(checkpoint.facts)
    click.echo("\n".join(_lines(facts)))


def _recording(path: str) -> dict[str, Any]:
    """What a recording says of itself; where it does not tell how long it is, its seconds are null."""
    from dataclasses import asdict

    from seqaudio.files.audio import audio_facts

    return {"path": path, **asdict(audio_facts(path))}


def _run(path: Path) -> dict[str, Any]:
    """Where the run in a folder stands; nothing for a model without one."""
    from seqaudio.errors import CheckpointError
    from seqaudio.training.progress import read_progress

    try:
        progress = read_progress(path)
    except CheckpointError as problem:  # the model beside it may be sound
        return {"run": {"damaged": str(problem)}}
    if progress is None:
        return {}
    facts: dict[str, Any] = {"finished": progress.finished, "epochs": progress.epoch, "steps": progress.step}
    facts |= {"minutes": round(progress.seconds / 60, 1)}
    if progress.best_epoch >= 0:  # after a kill the last save may be older than the model
        facts |= {"best_epoch": progress.best_epoch + 1, "best_nats": round(progress.best_nats, 4)}
    return {"run": facts}


def _shorter(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts with the settings of the training that are not as by default."""
    from seqaudio.errors import OptionError
    from seqaudio.training.config import check_experiment

    try:
        experiment = check_experiment(facts["experiment"])
    except (KeyError, OptionError):  # of no run, or of another version
        return facts
    return facts | {"experiment": experiment.model_dump(mode="json", exclude_defaults=True)}


def _lines(facts: dict[str, Any], indent: str = "") -> Iterator[str]:
    """Facts as YAML, so that a part of them may be copied into a config."""
    for name, value in facts.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{name}: {value if isinstance(value, str) and not indent else json.dumps(value)}"
