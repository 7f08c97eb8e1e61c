"""What does sound look like? Time to the right, frequency upwards in mel, loudness as brightness; the wave below."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from seqaudio.features.functions import log_mel
from seqaudio.features.mel_bands import Mel
from seqaudio.music.waveform import Waveform
from seqaudio.report.pianoroll import NEW, PRIMER, picture_kind, write_picture

RATE, HOP, BANDS = 22_050, 512, 128
RANGE_DB = 70.0
COLUMNS = 4000  # of the wave; more cannot be told apart
MARKS_HZ = (200, 500, 1000, 2000, 5000, 10000)


def draw_recording(recording: Waveform, path: str | Path, begins_s: float | None = None) -> None:
    """Draw a recording as PNG, SVG or PDF, with a line where its continuation begins.

    Args:
        recording: the sound, its channels as their mean.
        path: the picture; its suffix decides the format.
        begins_s: where something new begins, in seconds; None: nowhere.

    Raises:
        OptionError: the suffix is none that can be drawn.
        BadFileError: the picture cannot be written.
    """
    picture_kind(path)
    mono = recording.mono()
    samples = mono.samples[0]
    levels = log_mel(mono.resampled(RATE).samples[0], RATE, n_mels=BANDS, hop_length=HOP)
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.imshow(
        levels, origin="lower", aspect="auto", cmap="magma", interpolation="nearest",
        extent=(0, recording.seconds, 0, BANDS), vmin=levels.max() - RANGE_DB, vmax=levels.max(),
    )  # fmt: skip
    middles = Mel(RATE, n_mels=BANDS).frequencies
    places = np.interp(MARKS_HZ, middles, np.arange(BANDS) + 0.5)
    above.set_yticks(places, [f"{hertz / 1000:g}k" if hertz >= 1000 else str(hertz) for hertz in MARKS_HZ])
    above.set_ylabel("Hz")
    step = max(1, len(samples) // COLUMNS)
    columns = samples[: len(samples) // step * step].reshape(-1, step)  # (columns, samples)
    times = np.arange(len(columns)) * step / recording.sample_rate
    border = recording.seconds if begins_s is None else begins_s
    for inside, colour in ((times < border, PRIMER), (times >= border, NEW)):
        low, high = columns[inside].min(axis=1, initial=0), columns[inside].max(axis=1, initial=0)
        below.fill_between(times[inside], low, high, color=colour, linewidth=0.3)
    if begins_s is not None:
        above.axvline(begins_s, color="white", linewidth=1.2, linestyle="--")
        below.axvline(begins_s, color="0.3", linewidth=1.2)
        above.set_title("primer, then continuation from the dashed line", fontsize=10, loc="left")
    below.set_xlim(0, recording.seconds)
    below.set_xlabel("seconds")
    write_picture(figure, path)
