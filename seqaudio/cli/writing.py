"""How is a new piece written, and what is said about it? The manifest beside each file, the summary, the pictures."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqaudio.cli.asking import Request
from seqaudio.continuation.form import Following
from seqaudio.continuation.piece import Continuation
from seqaudio.continuation.primer import Primer
from seqaudio.continuation.sampling import Sampling
from seqaudio.errors import BadFileError
from seqaudio.files.atomic import shown, write_bytes
from seqaudio.files.midi import midi_bytes
from seqaudio.models.checkpoint import sha256
from seqaudio.music.score import Score
from seqaudio.structure.degeneracy import degeneracy
from seqaudio.structure.repeats import primer_recall

if TYPE_CHECKING:
    from seqaudio.cli.real_music import RealMusic
    from seqaudio.files.limits import Limits

COPIED_BARS = 4  # from here on a copy is told
RUNTIMES = {"onnx": "onnxruntime", "torch": "torch"}  # the package behind each engine


def write_outputs(
    request: Request,
    found: Iterable[tuple[tuple[int, int], Continuation]],
    paths: Sequence[Path],
    *,
    include_primer: bool,
    extra: dict[str, Any],
) -> tuple[list[Continuation], list[dict[str, Any]]]:
    """Write each piece and its manifest as soon as it is made, whatever comes after.

    Args:
        request: what was asked for.
        found: the pieces, in any order, with the number of each behind that of its primer.
        paths: one for each number.
        include_primer: in front of it.
        extra: more for the manifests.

    Returns:
        The pieces and the facts of each, in order.

    Raises:
        BadFileError, ClickException: nothing more can be written, or a person has had enough; what is written stays.
    """
    made: dict[int, tuple[Continuation, dict[str, Any]]] = {}
    with _counted(len(paths)) as count:
        try:
            for (_, index), piece in found:
                made[index] = piece, _write(request, piece, paths[index], index, include_primer, extra)
                count(len(made))
        except KeyboardInterrupt:
            raise click.ClickException(
                f"interrupted; {len(made)} of {len(paths)} outputs are written, and --seed {request.seed} makes the "
                "same again and the others"
            ) from None
        except BadFileError as problem:
            kept = f"; {len(made)} of {len(paths)} outputs are written" if made else ""
            raise BadFileError(f"{problem}{kept}") from None
    pieces, facts = zip(*(made[index] for index in sorted(made)), strict=True)
    return list(pieces), list(facts)


def _write(
    request: Request,
    piece: Continuation,
    path: Path,
    index: int,
    include_primer: bool,
    extra: dict[str, Any],
) -> dict[str, Any]:
    """Write one piece and its manifest; returns its facts."""
    data = midi_bytes(piece.with_primer() if include_primer else piece.score)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)
    heard = piece.primer.bars if piece.primer else 0
    line = piece.primer is not None and piece.primer.reads == "line"
    facts = _facts(piece, path, data) | (_form_facts(piece.form, heard, line=line) if piece.form else {})
    manifest = facts | settings(request, index) | extra
    write_bytes(path.with_name(path.name + ".json"), (json.dumps(manifest, indent=1) + "\n").encode())
    return facts


@contextmanager
def _counted(total: int) -> Iterator[Callable[[int], None]]:
    """What counts outputs as they are written, before a person who waits for several."""
    if total == 1:
        yield lambda done: None
        return
    from seqaudio.cli.terminal import bars

    with bars() as (bar, log):
        task = bar.add_task("", total=total, doing="outputs")

        def count(done: int) -> None:
            bar.update(task, completed=done)
            log(f"{done} of {total} outputs are written")

        yield count


def _facts(piece: Continuation, path: Path, data: bytes) -> dict[str, Any]:
    score = piece.score
    metre = score.metre_map()[:, 1:].tolist()
    recall = _primer_recall(piece, piece.primer) if piece.primer else None
    return {
        "file": str(path),
        "sha256": hashlib.sha256(data).hexdigest(),
        "bars": piece.bars,
        "notes": len(score),
        "metre": "{}/{}".format(*metre[0]) + (" and changes" if len(metre) > 1 else ""),
        "tempo_qpm": round(score.tempo_qpm(), 3),
        "music_seconds": round(_length_s(score), 3),
        "nats_per_token": round(piece.nats_per_token, 4),
        "refused_turns": piece.refused_turns,
        **({} if recall is None else {"primer_recall": round(recall, 4)}),
        "warnings": [*degeneracy(score, piece.bars).warnings(), *_silence(piece), *_copy(piece, recall)],
    }


def _form_facts(followed: Following, heard: int, *, line: bool) -> dict[str, Any]:
    """The form, and what came of its returns behind so many bars of primer."""
    form = asdict(followed.form) | {"pickup_bars": followed.pickup or 0}
    return {"form": form, "returns": [found._asdict() for found in followed.returns(heard, line=line)]}


def alike(pieces: Sequence[Continuation]) -> list[str]:
    """A remark where some of the pieces are the same as others."""
    different = len({piece.ids.tobytes() for piece in pieces})
    if different == len(pieces):
        return []
    return [
        f"{different} of the {len(pieces)} outputs are different; for more variety raise --temperature or, of a model "
        "with a memory, --gate-temperature"
    ]


def _primer_recall(piece: Continuation, primer: Primer) -> float:
    """The share of its bars that were heard in the primer, in all tracks; of one put straight as it was heard."""
    return primer_recall(piece.with_voice() if primer.straight else piece.with_primer(), primer.bars)


def _copy(piece: Continuation, recall: float | None) -> list[str]:
    """Whether nothing is new, which no form asked for; of so few bars that it is no news."""
    if piece.form or piece.bars < COPIED_BARS or recall != 1:
        return []
    return ["copy: every bar was heard in the primer; another --seed, a higher --temperature or --form brings others"]


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


def draw(piece: Continuation, path: str | None) -> None:
    """Draw primer and continuation as a piano roll with the sections of the form, if a path was given."""
    if path is not None:
        from seqaudio.report.pianoroll import draw_continuation

        voice, end = (piece.primer.voice, piece.primer.end) if piece.primer else (None, 0)
        draw_continuation(piece.score, path, voice, end, piece.form.sections if piece.form else ())


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
    heard = extra.get("primer_bars")
    behind = f"behind {heard} bar{'s' * (heard != 1)} of the primer: " if extra.get("include_primer") else ""
    for piece in facts:
        click.echo(shown(piece["file"]))
        click.echo(
            f"  {behind}{piece['bars']} bars{_from_the_primer(piece)}, {piece['notes']} notes, {piece['metre']}, "
            f"{piece['tempo_qpm']:g} quarters a minute, {piece['music_seconds']:.1f} s of music"
        )
        for line in map(return_in_words, piece.get("returns", ())):
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
    return f" ({bars} of them heard in the primer)" if bars else ""


def return_in_words(facts: dict[str, Any]) -> str:
    """A line on a section that returns."""
    (first, last), (back, end) = facts["bars"], facts["of_bars"]
    return f"bars {first}-{last} return to {back}-{end}, {facts['same']} of {last - first + 1} the same"
