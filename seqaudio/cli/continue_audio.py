"""``seqaudio continue`` of a recording: read it, learn from it, write how it goes on."""

from __future__ import annotations

import hashlib
import json
import math
import secrets
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from seqaudio.cli import asking, writing
from seqaudio.continuation.continue_waveform import (
    DECODERS,
    PLAIN,
    Decoder,
    SoundContinuation,
    continuations,
)
from seqaudio.continuation.sampling import Sampling
from seqaudio.errors import NoSoundError, OptionError
from seqaudio.files.atomic import shown, write_bytes
from seqaudio.files.audio import ENCODINGS, audio_bytes, audio_facts, read_audio
from seqaudio.files.limits import Limits
from seqaudio.pretrained import AUTO

if TYPE_CHECKING:
    from seqaudio.music.waveform import Waveform

DEFAULT_SECONDS = 10.0
KIND = "sound is written as .wav, .flac or .ogg"
WRITTEN = tuple(dict.fromkeys(suffix for suffix, _ in ENCODINGS))
DEEP = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE")  # codings of more than 16 bits a sample
PACKAGES = ("seqaudio", "numpy", "torch", "librosa", "soundfile")
OF_NOTES = {
    "bars": "--bars counts bars, and sound is measured in seconds; give --seconds",
    "num_steps": "--num_steps counts sixteenths, and sound is measured in seconds; give --seconds",
    "form": "--form counts bars, and a recording has none; leave it out",
    "section_bars": "--section-bars counts bars, and a recording has none; leave it out",
    "variation": "--variation is of a form, and a recording has none; leave it out",
    "tune": "--tune names a piece of a book, and a recording is one; leave it out",
    "primer_bars": "--primer-bars counts bars, and a recording has none; cut the file instead",
    "straight": "--straight and --no-straight are of notes, and a recording has none; leave them out",
    "gate_temperature": "--gate-temperature is of models with a memory, and sound is continued by counts; leave it out",
    "max_turns": "--max-turns counts bars, and a recording has none; leave it out",
    "report": "--report shows notes, and a recording has none; give --plot FILE.png",
    "reference": "--reference is for the report, which shows notes; leave it out",
    "gates": "--gates is for the report, which shows notes; leave it out",
}


def continue_recording(
    path: Path,
    *,
    started: float,
    limits: tuple[str, ...],
    include_primer: bool,
    decoder: Decoder | None,
    as_json: bool,
    **options: Any,
) -> None:
    """The command, once it is clear that the primer is a recording."""
    check_options(path, options)
    budgets = Limits.parse(limits)
    suffixes = sorted(WRITTEN, key=lambda suffix: suffix != path.suffix.lower())  # the primer's own first
    paths = asking.output_paths(options, f"{path.stem}-continued", path, KIND, suffixes)
    recording = read_audio(path, limits=budgets)
    bits = 24 if audio_facts(path, budgets).coding in DEEP else None
    seed = secrets.randbelow(2**31) if options["seed"] is None else options["seed"]
    temperature = PLAIN.temperature if options["temperature"] is None else options["temperature"]
    sampling = Sampling(temperature, options["top_k"], options["top_p"], options["min_p"])
    try:
        pieces = continuations(
            recording,
            DEFAULT_SECONDS if options["seconds"] is None else options["seconds"],
            decoder=decoder or DECODERS[0],
            num_outputs=len(paths),
            seed=seed,
            sampling=sampling,
        )
    except (NoSoundError, OptionError) as problem:
        raise type(problem)(f"{shown(path)}: {problem}") from None
    common = {
        "primer": str(path),
        "primer_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "include_primer": include_primer,
        "decoder": decoder or DECODERS[0],
        "seed": seed,
    }
    made_with = writing.made_with(seed, 0, sampling, PACKAGES)
    facts, heard, remarks = _write_each(pieces, paths, made_with | common, bits, options["plot"])
    common |= heard | {"took_seconds": round(time.perf_counter() - started, 3)}
    _report(facts, remarks, common, as_json=as_json)


def _write_each(
    pieces: Iterable[SoundContinuation],
    paths: Sequence[Path],
    made_with: dict[str, Any],
    bits: int | None,
    plot: str | None,
) -> tuple[list[dict[str, Any]], dict[str, Any], list[str]]:
    """Write each output and its manifest as soon as it is made, and draw the first, so that no two need be kept.

    Returns:
        What each holds, what was heard in the primer, and what to tell of it.
    """
    facts: list[dict[str, Any]] = []
    heard: dict[str, Any] = {}
    remarks: list[str] = []
    try:
        for index, piece in enumerate(pieces):
            target = paths[index]
            written = _written(piece, target, bits, include_primer=made_with["include_primer"])
            heard, remarks = _heard(piece), _remarks(piece)
            manifest = written | made_with | {"output": index} | heard
            write_bytes(target.with_name(target.name + ".json"), (json.dumps(manifest, indent=1) + "\n").encode())
            facts.append(written)
            if plot is not None and index == 0:
                _draw(piece, plot)
    except KeyboardInterrupt:
        raise click.ClickException(
            f"interrupted; {len(facts)} of {len(paths)} outputs are written, and --seed {made_with['seed']} "
            "makes the same again and the others"
        ) from None
    return facts, heard, remarks


def _draw(piece: SoundContinuation, plot: str) -> None:
    """Draw primer and continuation as a spectrogram."""
    from seqaudio.report.spectrogram import draw_recording

    Path(plot).parent.mkdir(parents=True, exist_ok=True)
    draw_recording(piece.with_primer(), plot, begins_s=piece.primer.recording.seconds)


def check_options(path: Path, options: dict[str, Any]) -> None:
    """Refuse what makes no sense for sound, and a picture that cannot be written. Raises OptionError."""
    for name, why in OF_NOTES.items():
        if options[name] is not None and options[name] is not False:
            raise OptionError(f"{shown(path)} is a recording: {why}")
    for name, usual, what in (("model", AUTO, "models know notes"), ("engine", "auto", "engines run models of notes")):
        if options[name] != usual:
            raise OptionError(
                f"{shown(path)} is a recording: {what}, and sound learns from its primer alone; leave --{name} out"
            )
    if options["plot"] is not None:
        from seqaudio.report.pianoroll import check_picture_path

        check_picture_path(options["plot"])


def _heard(piece: SoundContinuation) -> dict[str, Any]:
    """What was heard in the primer."""
    primer = piece.primer
    beat_s = primer.units.beat_s
    return {
        "primer_seconds": round(primer.recording.seconds, 3),
        "heard_seconds": round(primer.heard.seconds, 3),
        "units": len(primer.units),
        "codes": len(primer.codebook.centres[0]),
        "beats_per_minute": None if beat_s is None else round(60 / beat_s, 2),
    }


def _remarks(piece: SoundContinuation) -> list[str]:
    """What to tell people of how it was done."""
    facts = _heard(piece)
    beats, parts = facts["beats_per_minute"], piece.primer.units.parts
    grid = f"beats at {beats:g} a minute" if beats else "no beat was found, so they are even"
    if piece.primer.units.one_turn:
        grid += "; one turn of a loop, which goes round as it is: more turns say how it varies"
    elif beats and parts > 1:
        grid += f", {parts} to a beat"
    remarks = [
        f"no model of sound is shipped: {facts['units']} stretches of the primer ({grid}) became {facts['codes']} "
        "codes, and counts of these were learnt from it alone"
    ]
    if facts["heard_seconds"] < facts["primer_seconds"]:
        remarks.append(f"heard: the last {facts['heard_seconds']:g} s of {facts['primer_seconds']:.1f} s")
    return remarks


def _written(piece: SoundContinuation, path: Path, bits: int | None, *, include_primer: bool) -> dict[str, Any]:
    """Write a file; what it holds."""
    sound = piece.with_primer() if include_primer else piece.waveform
    kind = path.suffix.lower()
    floats = kind == ".wav" and piece.primer.recording.peak > 1  # which alone go beyond full scale
    kept = sound if floats else sound.within()
    data = audio_bytes(kept, path, 32 if floats else None if kind == ".ogg" else bits)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)
    quieter_db = 0.0 if floats else 20 * math.log10(max(sound.peak, 1.0))
    return {
        "file": str(path),
        "sha256": hashlib.sha256(data).hexdigest(),
        "seconds": round(piece.waveform.seconds, 3),
        "sample_rate": sound.sample_rate,
        "channels": sound.channels,
        "peak": round(kept.peak, 4),
        "level_db": round(_level_db(piece.waveform) - quieter_db, 2),
        "primer_level_db": _level_db(piece.primer.recording),
        "joins": piece.joins,
        "nats_per_code": round(piece.nats_per_code, 4),
        "warnings": _level_warnings(sound, kind, quieter_db),
    }


def _level_warnings(sound: Waveform, kind: str, quieter_db: float) -> list[str]:
    """What to tell of samples beyond full scale."""
    if sound.peak <= 1:
        return []
    reached = f"it goes up to {sound.peak:.3g} of full scale, as the primer does"
    if not quieter_db:
        return [f"{reached}: written in floats, which keep that; players may clip it"]
    return [f"{reached}, which no {kind} holds: all is {quieter_db:.1f} dB quieter; a .wav keeps the level"]


def _level_db(sound: Waveform) -> float:
    """Of full scale, the root of the mean square of all samples."""
    power = float(np.square(sound.samples, dtype=np.float64).mean())
    return round(10 * math.log10(max(power, 1e-12)), 2)


def _report(facts: Sequence[dict[str, Any]], remarks: Sequence[str], common: dict[str, Any], *, as_json: bool) -> None:
    """Print what was written, for people or as JSON."""
    if as_json:
        click.echo(json.dumps(common | {"remarks": list(remarks), "outputs": list(facts)}, indent=1))
        return
    behind = f"behind {common['primer_seconds']:.1f} s of the primer: " if common["include_primer"] else ""
    for piece in facts:
        joins = "" if piece["joins"] is None else f", {piece['joins']} joins"
        channels = {1: "mono", 2: "stereo"}.get(piece["channels"], f"{piece['channels']} channels")
        click.echo(shown(piece["file"]))
        click.echo(
            f"  {behind}{piece['seconds']:.1f} s, {piece['sample_rate']} Hz, {channels}, {piece['level_db']:.1f} dB "
            f"(primer {piece['primer_level_db']:.1f}), peak {piece['peak']:.2f}{joins}"
        )
        for warning in piece["warnings"]:
            click.echo(f"  warning: {warning}")
    for remark in remarks:
        click.echo(remark)
    click.echo(f"decoder {common['decoder']}, seed {common['seed']}, took {common['took_seconds']:.2f} s")
