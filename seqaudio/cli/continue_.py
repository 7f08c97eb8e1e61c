"""``seqaudio continue``: read a primer, write what comes next."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqaudio.cli.options import limit_option, writing_options

if TYPE_CHECKING:
    from seqaudio.continuation.familiar import Familiarity
    from seqaudio.continuation.primer import Primer
    from seqaudio.files.reader import Piece


@click.command("continue")
@click.argument("primer", required=False, type=click.Path(path_type=Path))
@click.option(
    "--tune",
    metavar="NUMBER|TITLE",
    help="Of a book: the tune of this number, or with these words in its title; #2: the second; of a set of rolls, "
    "such as train-1.  [default: the first]",
)
@click.option("--primer-bars", type=click.IntRange(1), metavar="K", help="Only the first K bars of the primer.")
@click.option(
    "--straight/--no-straight",
    default=None,
    help="Hear all notes on sixteenths and triplets.  [default: if they were played and the model knows scores alone]",
)
@click.option("--include-primer/--no-include-primer", default=False, help="Put the primer in front.  [default: no]")
@click.option(
    "--decoder",
    type=click.Choice(["grains", "griffinlim"]),
    help="Of a recording: stretches of its own sound, or a sound made anew.  [default: grains]",
)
@limit_option
@click.option("--primer_midi", type=click.Path(path_type=Path), hidden=True)
@click.option("--primer_melody", hidden=True)
@writing_options
def command(primer: Path | None, primer_midi: Path | None, primer_melody: str | None, **options: Any) -> None:
    """Continue a MIDI, ABC or MusicXML file by exactly so many bars, or a recording by so many seconds.

    The whole PRIMER is heard, up to its last bar line, or its first K bars; of very many, the last 256. Drums, single
    lines and pieces in several voices are each continued by the model made for them, unless --model names one; which
    and why is printed. Tempo, metre, instruments and loudness are the primer's. Where a model knows single lines only,
    the melody is found and the choice is printed; where it knows scores only, what was played is heard straight. A
    primer unlike all that the model learnt is told. The new bars are written to PRIMER-continued.mid in the current
    folder unless -o says otherwise, with a manifest beside them.

    A recording (WAV, FLAC, OGG, MP3) is continued by 10 seconds of its own sound: its stretches, from beat to beat,
    become codes, and counts of these, learnt from the recording alone, say which stretch comes next. Rate, channels and
    level are its own. Of the options --seconds says how much (10), --temperature is 0.5 unless given, --plot draws a
    spectrogram, and what counts bars or names a model is refused. OUT ends in .wav, .flac or .ogg.
    """
    started = time.perf_counter()
    given = [source for source in (primer, primer_midi, primer_melody) if source is not None]
    if len(given) != 1:
        wanted = "give one primer: a MIDI, ABC or MusicXML file, or a recording"
        raise click.UsageError(wanted if not given else "give one primer, not several")
    from seqaudio.files.audio import is_recording

    path = primer or primer_midi
    if path is not None and is_recording(path):
        from seqaudio.cli.continue_audio import continue_recording

        continue_recording(path, started=started, **options)
    else:
        continue_file(path, primer_melody, started=started, **options)


def continue_file(
    primer: Path | None,
    melody: str | None,
    *,
    started: float,
    tune: str | None = None,
    primer_bars: int | None = None,
    straight: bool | None = None,
    include_primer: bool = False,
    decoder: str | None = None,
    limits: tuple[str, ...] = (),
    as_json: bool,
    **options: Any,
) -> None:
    """The command, once it is clear what the primer is: a path, or magenta's melody codes."""
    from seqaudio.cli import asking, writing
    from seqaudio.cli.primers import melody_primer, naming, read_primer, the_model
    from seqaudio.continuation.continue_score import continuations
    from seqaudio.continuation.familiar import familiarity
    from seqaudio.continuation.primer import make_primer
    from seqaudio.errors import OptionError
    from seqaudio.files.limits import Limits

    if decoder is not None:
        raise OptionError("--decoder is of recordings, and this primer is notes; leave it out")
    budgets = Limits.parse(limits)
    asking.check_paths(options)
    form = asking.form_asked(options)
    piece, remarks = read_primer(primer, tune, budgets) if primer else melody_primer(melody or "", tune)
    score = piece.score
    with naming(primer):
        choice = the_model(options["model"], score, primer_bars, straight=straight)
    request = asking.make_request(started, options | {"model": choice.model})
    with naming(primer):
        heard = make_primer(score, request.engine.checkpoint, primer_bars, straight=straight)
    familiar = familiarity(request.engine, heard)
    bars = None if form else asking.bars_asked(options, heard.score, heard.end)
    paths = asking.output_paths(options, f"{primer.stem if primer else 'melody'}-continued", primer)
    whole = (primer.name, score) if primer and primer_bars else None
    real = writing.real_music(request, options, budgets, whole)
    extra = _of_primer(primer or melody, piece, heard, familiar)
    extra |= {"include_primer": include_primer, "chosen_for": choice.why}
    found = continuations(
        request.engine, [(heard, request.seed)], bars=bars, num_outputs=len(paths), sampling=request.sampling, form=form
    )
    pieces, facts = writing.write_outputs(request, found, paths, include_primer=include_primer, extra=extra)
    writing.draw(pieces[0], options["plot"])
    remarks = [
        *choice.remarks(),
        *remarks,
        *heard.remarks,
        *familiar.remarks(),
        *writing.alike(pieces),
        *(real.remarks if real else ()),
    ]
    writing.report(request, facts, remarks, extra, options["report"], as_json=as_json)
    writing.write_report(request, pieces, facts, remarks, extra, real, options)


def _of_primer(primer: Path | str | None, piece: Piece, heard: Primer, familiar: Familiarity) -> dict[str, Any]:
    """Which it was, how much of it was heard, and what that cost the model, for manifests."""
    return {
        "primer": str(primer),
        "primer_tune": piece.place,
        "primer_sha256": hashlib.sha256(primer.read_bytes()).hexdigest() if isinstance(primer, Path) else None,
        "primer_bars": heard.bars,
        "heard_straight": heard.straight,
        "primer_nats_per_note": round(familiar.nats_per_note, 4),
    }
