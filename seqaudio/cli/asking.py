"""What is asked for by a command that writes music: which model, how much, in what form, into which files?"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqaudio.continuation.continue_score import DEFAULT_BARS, MAX_BARS, bars_in_seconds
from seqaudio.continuation.engines import Engine, load_engine
from seqaudio.continuation.form import Form
from seqaudio.continuation.sampling import Sampling
from seqaudio.errors import OptionError
from seqaudio.files.atomic import check_writable, shown
from seqaudio.models.checkpoint import sha256
from seqaudio.music.score import Score
from seqaudio.pretrained import model_path
from seqaudio.tokens.melody import STEPS_PER_QUARTER


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
    names = ("temperature", "top_k", "top_p", "min_p", "gate_temperature", "max_turns")
    sampling = Sampling(**{name: options[name] for name in names}).of_model(engine.checkpoint.sampling)
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
    letters = options["form"]
    return Form(letters.upper() if letters.isascii() else letters, **given)


def bars_asked(options: dict[str, Any], primer: Score | None = None, primer_end: int = 0) -> int:
    """How many bars to write: --bars, or those that fill --seconds, or magenta's --num_steps less the primer's."""
    bars, seconds, steps = options["bars"], options["seconds"], options["num_steps"]
    given = [f"--{name}" for name in ("bars", "seconds", "num_steps") if options[name] is not None]
    if len(given) > 1:
        raise OptionError(f"{' and '.join(given)} each say how much to write; give one of them")
    if seconds is not None and primer is None:
        raise OptionError("--seconds needs a primer, whose tempo and metre say how long a bar is; give --bars")
    like = primer or Score.from_notes([], [], [])
    if seconds is not None:
        bars = bars_in_seconds(like, seconds)
        if bars > MAX_BARS:
            raise OptionError(
                f"--seconds {seconds:g} are {bars:,} bars of this primer; at most {MAX_BARS:,} are written"
            )
        return bars
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

    Numbers put behind a name that was given take the place of what was written so before, and of nothing else.

    Args:
        options: of the command.
        stem: of a name of our own.
        primer: which is not written over.
        kind: what is written, for the message about another suffix.
        suffixes: what names end in; those of our own in the first.

    Raises:
        OptionError: the name has another suffix, is the primer itself, or numbered that of a file made otherwise.
        BadFileError: nothing can be written there.
    """
    count, out = options["num_outputs"], options["out"]
    folder = options["output_dir"] or (out if out is not None and (out.endswith("/") or Path(out).is_dir()) else None)
    if out is not None and folder is None:
        target = Path(out)
        if target.suffix.lower() not in suffixes:
            raise OptionError(f"-o {shown(out)}: {kind}; end the name in {suffixes[0]}, or in / for a folder")
        paths = [target] if count == 1 else [target.with_stem(f"{target.stem}-{i + 1}") for i in range(count)]
        _refuse_to_overwrite(primer, paths, out)
        if count > 1 and (other := next(filter(_is_somebody_elses, paths), None)):
            raise OptionError(
                f"-o {shown(out)}: would overwrite {shown(other)}, which was not made so, or changed since; name "
                "another file"
            )
    else:
        number = 1
        paths = _numbered(Path(folder or "."), stem, suffixes[0], count, number)
        while any(path.exists() for path in paths):
            number += count
            paths = _numbered(Path(folder or "."), stem, suffixes[0], count, number)
    check_writable(paths[0])
    return paths


def _is_somebody_elses(path: Path) -> bool:
    """Does something stand there that is not as the manifest beside it says, or a manifest that is none of ours?"""
    manifest = path.with_name(path.name + ".json")
    if not (path.exists() or manifest.exists()):
        return False
    try:
        told = json.loads(manifest.read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return True
    return path.exists() and sha256(path) != told


def _refuse_to_overwrite(primer: Path | None, paths: Sequence[Path], out: str) -> None:
    if primer is not None and any(path.exists() and path.samefile(primer) for path in paths):
        raise OptionError(f"-o {shown(out)}: would overwrite the primer; name another file")


def _numbered(folder: Path, stem: str, suffix: str, count: int, number: int) -> list[Path]:
    if count == 1 and number == 1:
        return [folder / f"{stem}{suffix}"]
    return [folder / f"{stem}-{number + i}{suffix}" for i in range(count)]
