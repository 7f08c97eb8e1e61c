"""Sounds that the tests of features hear: made from formulas always, real ones where they are."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared")) / "data/audio"
RATE = 22050
WITHOUT_GRADIENT = {"chroma_cens", "spectral_rolloff", "zero_crossing_rate", "beats", "pyin", "mu_law"}


def tones(seconds=2.3, rate=RATE):
    """A chord that is struck twice a second, a little out of tune, with some noise."""
    time = np.arange(int(seconds * rate)) / rate
    chord = sum(np.sin(2 * np.pi * hertz * 1.01 * time) / number for number, hertz in enumerate((220, 277.2, 659.3), 1))
    return 0.3 * chord * np.exp(-4 * (time % 0.5)) + 0.003 * np.random.default_rng(0).standard_normal(len(time))


def chirp(seconds=2.3, rate=RATE):
    """A tone that rises from 60 Hz to three quarters of what the rate can hold; silence before and behind."""
    time = np.arange(int(seconds * rate)) / rate
    top = 3 / 8 * rate
    tone = 0.5 * np.sin(2 * np.pi * (60 * time + (top - 60) * time**2 / (2 * seconds)))
    return np.where((time > 0.3) & (time < seconds - 0.3), tone, 0.0)


MADE = {"tones": tones, "chirp": chirp}


@cache
def real_files():
    """Some spoken digits (8 kHz) and loops (44.1 kHz), or none."""
    digits = sorted(SHARED.glob("fsdd/*.wav"))[::300]
    loops = sorted(SHARED.glob("sonicpi/loop_*.flac"))[::10]
    return (*digits, *loops)


@cache
def real(path):
    """At most three seconds of a file, float32, and its rate."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.mean(axis=1)[: 3 * rate].astype(np.float32), rate
