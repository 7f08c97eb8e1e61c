"""``seqaudio generate``: a piece from nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from seqaudio.cli.options import writing_options


@click.command("generate")
@click.option("--primer_midi", type=click.Path(path_type=Path), hidden=True)
@click.option("--primer_melody", hidden=True)
@writing_options
def command(primer_midi: Path | None, primer_melody: str | None, as_json: bool, **options: Any) -> None:
    """Make a piece of exactly so many bars; the model chooses the metre. Without --model it is a folk melody.

    It is written to MODEL-SEED.mid in the current folder unless -o says otherwise, with a manifest beside it.
    """
    started = time.perf_counter()
    if primer_midi or primer_melody:  # magenta's generate scripts take a primer too
        from seqaudio.cli.continue_ import continue_file

        continue_file(primer_midi, primer_melody, started=started, as_json=as_json, **options)
        return

    from seqaudio.cli import asking, writing
    from seqaudio.cli.primers import the_model
    from seqaudio.continuation.continue_score import continuations
    from seqaudio.files.limits import Limits

    asking.check_paths(options)
    form = asking.form_asked(options)
    choice = the_model(options["model"])
    request = asking.make_request(started, options | {"model": choice.model})
    paths = asking.output_paths(options, f"{request.model_path.name}-{request.seed}")
    real = writing.real_music(request, options, Limits())
    found = continuations(
        request.engine,
        [(None, request.seed)],
        bars=None if form else asking.bars_asked(options),
        num_outputs=len(paths),
        sampling=request.sampling,
        form=form,
    )
    extra = {"chosen_for": choice.why}
    pieces, facts = writing.write_outputs(request, found, paths, include_primer=False, extra=extra)
    writing.draw(pieces[0], options["plot"])
    remarks = [*choice.remarks(), *writing.alike(pieces), *(real.remarks if real else ())]
    writing.report(request, facts, remarks, extra, options["report"], as_json=as_json)
    writing.write_report(request, pieces, facts, remarks, extra, real, options)
