"""Where does a new piece go, and what is said about it? File names, the manifest beside each file, the summary."""

from __future__ import annotations

import hashlib
import json
import math
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqaudio.continuation.continue_score import Continuation, bars_in_seconds
from seqaudio.continuation.engines import Engine, load_engine
from seqaudio.continuation.form import Form, pickup_bars
from seqaudio.continuation.primer import Primer
from seqaudio.continuation.sampling import Sampling
from seqaudio.errors import OptionError
from seqaudio.files.atomic import shown, write_bytes
from seqaudio.files.midi import midi_bytes
from seqaudio.models.checkpoint import sha256
from seqaudio.music.score import Score
from seqaudio.pretrained import model_path
from seqaudio.structure.degeneracy import degeneracy
from seqaudio.structure.repeats import primer_recall
from seqaudio.structure.similarity import similarity_matrix
from seqaudio.tokens.melody import STEPS_PER_QUARTER

if TYPE_CHECKING:
    from seqaudio.cli.real_music import RealMusic
    from seqaudio.files.limits import Limits

DEFAULT_BARS = 16
RUNTIMES = {"onnx": "onnxruntime", "torch": "torch"}  # the package behind each engine


@dataclass(frozen=True)
class Request:
    """What was asked for, as it goes into manifests."""

    model: str
    model_path: Path
    engine: Engine
    seed: int
    sampling: Sampling
    started: float


def check_paths(options: dict[str, Any]) -> None:
    """Refuse a picture or a page that cannot be written, before any work. Raises OptionError."""
    if options["plot"] is not None:
        from seqaudio.report.pianoroll import check_picture_path

        check_picture_path(options["plot"])
    if options["report"] is None and (options["reference"] is not None or options["gates"]):
        raise OptionError("--reference and --gates are for the report; give --report FILE.html too")
    if options["report"] is not None:
        from seqaudio.report.page import check_page_path

        check_page_path(options["report"])


def make_request(started: float, options: dict[str, Any]) -> Request:
    """Load the model and draw a seed where none was given."""
    path = model_path(options["model"])
    engine = load_engine(path, options["engine"])
    own = engine.checkpoint.sampling
    temperature, gate_temperature = (
        own[name] if options[name] is None else options[name] for name in ("temperature", "gate_temperature")
    )
    sampling = Sampling(temperature, options["top_k"], options["top_p"], options["min_p"], gate_temperature)
    if options["gates"]:
        from seqaudio.memory.gates import check_has_gates

        check_has_gates(engine.checkpoint)
    seed = secrets.randbelow(2**31) if options["seed"] is None else options["seed"]
    return Request(options["model"], path, engine, seed, sampling, started)


def form_asked(options: dict[str, Any]) -> Form | None:
    """The form to follow; None: none. Raises OptionError where it does not go with the other options."""
    parts = {"section_bars": options["section_bars"], "variation": options["variation"]}
    given = {name: value for name, value in parts.items() if value is not None}
    if options["form"] is None:
        if given:
            names = " and ".join(f"--{name.replace('_', '-')}" for name in given)
            raise OptionError(f"{names} without a form; give --form too, such as --form AABA")
        return None
    for name in ("bars", "seconds", "num_steps"):
        if options[name] is not None:
            raise OptionError(f"--form says how much to write, and so does --{name}; give one of them")
    return Form(options["form"].upper(), **given)


def bars_asked(options: dict[str, Any], primer: Score | None = None, primer_end: int = 0) -> int:
    """How many bars to write: --bars, or those that fill --seconds, or magenta's --num_steps less the primer's."""
    bars, seconds, steps = options["bars"], options["seconds"], options["num_steps"]
    if sum(given is not None for given in (bars, seconds, steps)) > 1:
        raise OptionError("--bars, --seconds and --num_steps each say how much to write; give one of them")
    if seconds is not None and primer is None:
        raise OptionError("--seconds needs a primer, whose tempo and metre say how long a bar is; give --bars")
    like = primer or Score.from_notes([], [], [])
    if seconds is not None:
        return bars_in_seconds(like, seconds)
    if steps is None:
        return int(bars or DEFAULT_BARS)
    numerator, denominator = (int(part) for part in like.metre_map()[-1, 1:])
    left = int(steps) - round(STEPS_PER_QUARTER * primer_end / like.ticks_per_quarter)
    if left < 1:
        raise OptionError(f"--num_steps {steps} counts the primer, which has {steps - left} steps; give more")
    return math.ceil(left * denominator / (numerator * 4 * STEPS_PER_QUARTER))


def output_paths(
    options: dict[str, Any],
    stem: str,
    primer: Path | None = None,
    kind: str = "pieces are written as MIDI",
    suffixes: Sequence[str] = (".mid", ".midi"),
) -> list[Path]:
    """One path per output; names of our own never take the place of a file that is there.

    Args:
        options: of the command.
        stem: of a name of our own.
        primer: which is not written over.
        kind: what is written, for the message about another suffix.
        suffixes: what names end in; those of our own in the first.

    Raises:
        OptionError: the name has another suffix, or is the primer itself.
    """
    count, out = options["num_outputs"], options["out"]
    folder = options["output_dir"] or (out if out is not None and (out.endswith("/") or Path(out).is_dir()) else None)
    if out is not None and folder is None:
        target = Path(out)
        if target.suffix.lower() not in suffixes:
            raise OptionError(f"-o {shown(out)}: {kind}; end the name in {suffixes[0]}, or in / for a folder")
        paths = [target] if count == 1 else [target.with_stem(f"{target.stem}-{i + 1}") for i in range(count)]
    else:
        number = 1
        paths = _numbered(Path(folder or "."), stem, suffixes[0], count, number)
        while any(path.exists() for path in paths):
            number += count
            paths = _numbered(Path(folder or "."), stem, suffixes[0], count, number)
    if primer is not None and any(path.exists() and path.samefile(primer) for path in paths):
        raise OptionError(f"-o {shown(out or '')}: would overwrite the primer; name another file")
    return paths


def _numbered(folder: Path, stem: str, suffix: str, count: int, number: int) -> list[Path]:
    if count == 1 and number == 1:
        return [folder / f"{stem}{suffix}"]
    return [folder / f"{stem}-{number + i}{suffix}" for i in range(count)]


def write_outputs(
    request: Request,
    pieces: Sequence[Continuation],
    paths: Sequence[Path],
    *,
    include_primer: bool,
    extra: dict[str, Any],
    form: Form | None = None,
) -> list[dict[str, Any]]:
    """Write each piece and its manifest; returns the facts of each."""
    facts = []
    for index, (piece, path) in enumerate(zip(pieces, paths, strict=True)):
        data = midi_bytes(piece.with_primer() if include_primer else piece.score)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
        facts.append(_facts(piece, path, data) | (_form_facts(form, piece) if form else {}))
        manifest = facts[-1] | settings(request, index) | extra
        write_bytes(path.with_name(path.name + ".json"), (json.dumps(manifest, indent=1) + "\n").encode())
    return facts


def _facts(piece: Continuation, path: Path, data: bytes) -> dict[str, Any]:
    score = piece.score
    metre = score.metre_map()[:, 1:].tolist()
    return {
        "file": str(path),
        "sha256": hashlib.sha256(data).hexdigest(),
        "bars": piece.bars,
        "notes": len(score),
        "metre": "{}/{}".format(*metre[0]) + (" and changes" if len(metre) > 1 else ""),
        "tempo_qpm": round(score.tempo_qpm(), 3),
        "music_seconds": round(_length_s(score), 3),
        "nats_per_token": round(piece.nats_per_token, 4),
        **({"primer_recall": round(_primer_recall(piece, piece.primer), 4)} if piece.primer else {}),
        "warnings": degeneracy(score, piece.bars).warnings() + _silence(piece),
    }


def _form_facts(form: Form, piece: Continuation) -> dict[str, Any]:
    """The form, and of each section that returns its bars, those it returns to, and how many are the same; from 1."""
    heard, pickup = (piece.primer.bars, pickup_bars(piece.primer.voice)) if piece.primer else (0, 0)
    alike, returns = similarity_matrix(piece.with_voice()), []
    for begin, source in form.returns:
        first, back = begin + pickup, begin - source
        bars = range(max(first, heard), first + form.section_bars)
        if bars:
            same = sum(alike[bar, bar - back] == 1 or not alike[[bar, bar - back]].any() for bar in bars)
            ends = [bars[0] + 1, bars[-1] + 1]
            returns.append({"bars": ends, "of_bars": [end - back for end in ends], "same": int(same)})
    return {"form": asdict(form) | {"pickup_bars": pickup}, "returns": returns}


def _primer_recall(piece: Continuation, primer: Primer) -> float:
    """The share of its bars that were heard in the primer, in all tracks."""
    return primer_recall(piece.with_primer(), primer.bars)


def _silence(piece: Continuation) -> list[str]:
    """What the grammar kept the model from: two silent bars in a row, or a silent last bar."""
    count = piece.refused_silences
    return [f"silence: the model wanted it {count} times, notes were written instead"] if count else []


def _length_s(score: Score) -> float:
    return float(score.seconds(score.bars()[-1]))


def settings(request: Request, index: int) -> dict[str, Any]:
    """What made an output: the command that makes it again, and every choice and version."""
    packages = ("seqaudio", "numpy", RUNTIMES[request.engine.name])
    return {
        **made_with(request.seed, index, request.sampling, packages),
        "engine": request.engine.name,
        "model": request.model,
        "model_sha256": sha256(request.model_path),
    }


def made_with(seed: int, index: int, sampling: Sampling, packages: Sequence[str]) -> dict[str, Any]:
    """The command that makes an output again, how it was drawn, and the versions of packages."""
    return {
        "command": ["seqaudio", *sys.argv[1:], *([] if "--seed" in sys.argv else ["--seed", str(seed)])],
        "seed": seed,
        "output": index,
        "sampling": asdict(sampling),
        "versions": {name: version(name) for name in packages},
    }


def draw(piece: Continuation, path: str | None, form: Form | None = None) -> None:
    """Draw primer and continuation as a piano roll with the sections of the form, if a path was given."""
    if path is not None:
        from seqaudio.report.pianoroll import draw_continuation

        primer = piece.primer
        voice, end = (primer.voice, primer.end) if primer else (None, 0)
        pickup = pickup_bars(voice) if voice else 0
        letters = [(pickup + i * form.section_bars, letter) for i, letter in enumerate(form.letters)] if form else []
        draw_continuation(piece.score, path, voice, end, letters)


def write_report(
    request: Request,
    pieces: Sequence[Continuation],
    facts: Sequence[dict[str, Any]],
    remarks: Sequence[str],
    extra: dict[str, Any],
    real: RealMusic | None,
    options: dict[str, Any],
) -> None:
    """Write the page of the pieces, if a path was given; called last, so that nothing is lost if it cannot be."""
    path, gates = options["report"], options["gates"]
    if path is not None and real is not None:
        from seqaudio.cli.page import continuation_page
        from seqaudio.report.page import write_page

        write_page(continuation_page(request, pieces, facts, remarks, extra, real, gates=gates), path)


def real_music(
    request: Request, options: dict[str, Any], limits: Limits, whole: tuple[str, Score] | None = None
) -> RealMusic | None:
    """What the report compares with, if there is to be one; read before anything is generated."""
    if options["report"] is None:
        return None
    from seqaudio.cli.real_music import read_real_music

    return read_real_music(request.engine.checkpoint, request.model_path, options["reference"], limits, whole)


def report(
    request: Request,
    facts: Sequence[dict[str, Any]],
    remarks: Sequence[str],
    extra: dict[str, Any],
    page: str | None,
    *,
    as_json: bool,
) -> None:
    """Print what was written, for people or as JSON."""
    took_s = round(time.perf_counter() - request.started, 3)
    common = {
        "model": request.model,
        "engine": request.engine.name,
        "seed": request.seed,
        **extra,
        "remarks": list(remarks),
        **({} if page is None else {"report": page}),
        "took_seconds": took_s,
    }
    if as_json:
        click.echo(json.dumps(common | {"outputs": list(facts)}, indent=1))
        return
    behind = f"behind {extra['primer_bars']} bars of the primer: " if extra.get("include_primer") else ""
    for piece in facts:
        click.echo(shown(piece["file"]))
        click.echo(
            f"  {behind}{piece['bars']} bars{_from_the_primer(piece)}, {piece['notes']} notes, {piece['metre']}, "
            f"{piece['tempo_qpm']:g} quarters a minute, {piece['music_seconds']:.1f} s of music"
        )
        for line in map(_return_in_words, piece.get("returns", ())):
            click.echo(f"  {line}")
        for warning in piece["warnings"]:
            click.echo(f"  warning: {warning}")
    for remark in remarks:
        click.echo(f"{remark}")
    if page is not None:
        click.echo(f"report: {shown(page)}")
    if form := facts[0].get("form"):
        behind = ", behind a bar of pickup" if form["pickup_bars"] else ""
        click.echo(
            f"form {form['letters']}, {form['section_bars']} bars a section{behind}, variation {form['variation']:g}"
        )
    sampling = request.sampling
    gate = f", its gate at {sampling.gate_temperature:g}" if request.engine.checkpoint.config.memory else ""
    click.echo(
        f"model {shown(request.model)} ({request.engine.name}), temperature {sampling.temperature:g}{gate}, "
        f"seed {request.seed}, took {took_s:.2f} s"
    )


def _from_the_primer(facts: dict[str, Any]) -> str:
    """How many of the bars the primer had, where some."""
    bars = round(facts.get("primer_recall", 0.0) * facts["bars"])
    return f" ({bars} of them the primer's)" if bars else ""


def _return_in_words(facts: dict[str, Any]) -> str:
    (first, last), (back, end) = facts["bars"], facts["of_bars"]
    return f"bars {first}-{last} return to {back}-{end}, {facts['same']} of {last - first + 1} the same"
