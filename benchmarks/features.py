"""How fast is each feature of sound, beside the libraries people would take instead, and how far off is it?

    python benchmarks/features.py [--audio FOLDER] [--rounds 5] [--out docs/results/features.md]
    python benchmarks/features.py --tables gpu --out docs/results/features_gpu.md

Peers and project hear the same sound in turn within one run, so that a machine that slows down slows all of them; one
thread each, freed memory is used again. An error stands beside each speed: the largest difference from the peer, of the
largest number.

Each feature on a file of 60 seconds beside librosa and, where it has it, torchaudio; the torchaudio preset beside
torchaudio; batches of 32 short clips beside one by one; sound back from frames; and the whole command `seqaudio
features` with two processes beside librosa's loop over a folder of 900 short files. With a GPU one more table. FOLDER
holds recordings (.wav, .flac), of which the sound is made; without it tones and noise are made from a seed.
"""

from __future__ import annotations

import ctypes
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import librosa
import numpy as np
import soundfile
import torch
from feature_peers import LIBROSA, LOOP, RATE, Samples, torchaudio_with
from numpy.typing import NDArray

from seqaudio.features import FEATURES, feature, functions, griffin_lim, mel_to_spectrogram
from seqaudio.features.names import IN_TORCHAUDIO

Call = Callable[[], Any]
SECONDS, CLIPS, FILES = 60, 32, 900
CLIP_S = 0.25, 1.0
TABLES = "file", "torchaudio", "batch", "inversion", "folder", "gpu"
WAYS = "librosa's loop", "ours, --jobs 1", "ours, --jobs 2"
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt
SLOW_S = 2.0  # calls that take longer are timed once
FAST_S, MORE = 0.1, 4  # calls that all take less are timed so many times as often
PACKAGES = ("seqaudio", "librosa", "torchaudio", "torch", "numpy", "scipy")


@click.command()
@click.option("--audio", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Recordings to use.")
@click.option("--rounds", default=5, show_default=True, help="How often each thing is timed.")
@click.option("--only", multiple=True, type=click.Choice(list(FEATURES)), help="Not all features but these.")
@click.option("--tables", multiple=True, type=click.Choice(TABLES), help="Not all tables but these.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the tables there too.")
def main(audio: Path | None, rounds: int, only: tuple[str, ...], tables: tuple[str, ...], out: Path | None) -> None:
    """Measure, print, and write Markdown."""
    started = time.time()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # torchaudio about bands without a frequency
    freed = "used again" if keep_freed_memory() else "as the C library has it"
    names = only or tuple(FEATURES)
    sound = sound_of(audio, SECONDS * RATE)
    lines = ["# Features of sound: speed and error", ""]
    sections: dict[str, Callable[[], list[str]]] = {
        "file": lambda: file_table(names, sound, rounds),
        "torchaudio": lambda: torchaudio_table(names, sound, rounds),
        "batch": lambda: batch_table(names, sound, rounds),
        "inversion": lambda: inversion_table(sound[: 10 * RATE], rounds),
        "folder": lambda: folder_table(sound, rounds),
        "gpu": lambda: gpu_table(names, sound, rounds),
    }
    if "gpu" in tables and not torch.cuda.is_available():
        raise click.UsageError("--tables gpu: no CUDA GPU is there; name other tables")
    for table in tables or (TABLES if torch.cuda.is_available() else TABLES[:-1]):
        made = sections[table]()
        click.echo("\n".join(made))
        sys.stdout.flush()
        lines += made
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    of, asked = "recordings" if audio else "tones and noise", "".join(f"--tables {table} " for table in tables)
    lines.append(
        f"Command: `python benchmarks/features.py {asked}--rounds {rounds}`, sound: {of}. {packages}. "
        f"{platform.machine()}, one thread, freed memory {freed}, Python {platform.python_version()}. {date.today()}, "
        f"{time.time() - started:.0f} s."
    )
    if out:
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def keep_freed_memory() -> bool:
    """Let this process reuse what it frees, where the C library is GNU's; whether it does.

    Else it depends on chance whose large results the system must find new pages for, which takes as long as the work.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        return all([library.mallopt(option, 1 << 30) for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD)])
    return False


def sound_of(folder: Path | None, length: int) -> Samples:
    """So many samples, of recordings one behind the other, or made."""
    if folder is None:
        instants = np.arange(length) / RATE
        notes = np.random.default_rng(0).integers(40, 80, length // RATE + 1)
        hertz = np.repeat(librosa.midi_to_hz(notes), RATE)[:length]
        made = 0.4 * np.sin(2 * np.pi * hertz * instants) * np.exp(-3 * (instants % 0.5))
        return (made + 0.01 * np.random.default_rng(1).standard_normal(length)).astype(np.float32)
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in (".wav", ".flac")]
    parts: list[Samples] = []
    while sum(map(len, parts)) < length:
        for path in np.random.default_rng(len(parts)).permutation(np.array(paths, dtype=object))[:40]:
            parts.append(librosa.load(path, sr=RATE)[0])
    return np.concatenate(parts)[:length].clip(-1, 1)


def seconds_of(calls: Sequence[Call], rounds: int) -> list[float]:
    """Median CPU seconds of each call, in turns; the first round does not count."""
    return [seconds for seconds, _ in measured(calls, rounds)]


def measured(calls: Sequence[Call], rounds: int) -> list[tuple[float, Any]]:
    """The same, and what each call gave."""
    found: list[list[float]] = [[] for _ in calls]
    given: list[Any] = [None] * len(calls)
    for number in range(MORE * rounds + 1):
        if number > rounds and max(map(min, found)) > FAST_S:
            break
        for place, (call, times) in enumerate(zip(calls, found, strict=True)):
            if times and times[0] > SLOW_S:
                continue
            began = time.process_time()
            given[place] = call()
            times.append(time.process_time() - began)
    return [(statistics.median(times[1:] or times), made) for times, made in zip(found, given, strict=True)]


def error_of(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """The largest difference, of the largest number."""
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    return float(np.nanmax(np.abs(ours - theirs)) / np.nanmax(np.abs(theirs)))


def file_table(names: Sequence[str], sound: Samples, rounds: int) -> list[str]:
    """Milliseconds of each feature on one file."""
    lines = [
        f"## One file of {SECONDS} s",
        "",
        f"{RATE} Hz, librosa's settings for all. Milliseconds of CPU, medians; ratio: the faster peer over ours;",
        "error: from librosa, of the largest number. Target: a ratio of at least 1. `pyin` is librosa's own search;",
        "`spectral_rolloff` and `mu_law` go in steps, and the error is one step in a few frames.",
        "",
        "| feature | librosa | torchaudio | ours | ratio | largest error |",
        "|---|---|---|---|---|---|",
    ]
    tensor = torch.from_numpy(sound)
    for name in names:
        LIBROSA[name](sound[:RATE])  # compiles
        ours, theirs, other = getattr(functions, name), LIBROSA[name], torchaudio_with(name, True)
        calls: list[Call] = [lambda: theirs(sound), lambda: ours(sound, RATE)]  # noqa: B023
        if other is not None:
            calls.append(lambda: other(tensor))  # noqa: B023
        results = measured(calls, rounds)
        times = [1e3 * seconds for seconds, _ in results]
        peers = [times[0], *times[2:]]
        cell = f"{times[2]:.1f}" if other is not None else ""
        error = error_of(results[1][1], results[0][1])
        lines.append(
            f"| `{name}` | {times[0]:.1f} | {cell} | {times[1]:.1f} | {min(peers) / times[1]:.1f} | {error:.0e} |"
        )
    return [*lines, ""]


def torchaudio_table(names: Sequence[str], sound: Samples, rounds: int) -> list[str]:
    """Milliseconds of the torchaudio preset and of torchaudio."""
    lines = [
        "## torchaudio's settings",
        "",
        'The same file, `preset="torchaudio"`. Milliseconds of CPU, medians. Target: a ratio of at least 1.',
        "",
        "| feature | torchaudio | ours | ratio | largest error |",
        "|---|---|---|---|---|",
    ]
    tensor = torch.from_numpy(sound)
    for name in (each for each in names if each in IN_TORCHAUDIO):
        theirs, ours = torchaudio_with(name, False), feature(name, RATE, "torchaudio")
        assert theirs is not None
        peer, mine = (1e3 * s for s in seconds_of([lambda: theirs(tensor), lambda: ours(tensor)], rounds))  # noqa: B023
        made = ours(tensor).numpy()
        error = error_of(made, theirs(tensor).numpy().reshape(made.shape))
        lines.append(f"| `{name}` | {peer:.1f} | {mine:.1f} | {peer / mine:.1f} | {error:.0e} |")
    return [*lines, ""]


def batch_table(names: Sequence[str], sound: Samples, rounds: int) -> list[str]:
    """Milliseconds of a batch, and of its clips one by one."""
    lines = [
        f"## A batch of {CLIPS}",
        "",
        f"{CLIPS} clips of {CLIP_S[0]} s, as spoken digits are, and of {CLIP_S[1]} s. Milliseconds of CPU, medians;",
        "behind them how many times as fast a batch is as clips one by one. Target: at least 1.5. Our filters of the",
        "clips' tunings are made before, as for all calls but the first; librosa makes them in each call. In double",
        "precision a clip of a second keeps a core busy by itself, and a batch saves little.",
        "",
        f"| feature | librosa, one by one, {CLIP_S[0]} s | ours, one by one | ours, a batch | of librosa's | of ours "
        f"| of librosa's, {CLIP_S[1]} s | of ours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        short, long = (clip_times(name, sound, round(seconds * RATE), rounds) for seconds in CLIP_S)
        ratios = [f"{single / batch:.1f}" for *singles, batch in (short, long) for single in singles]
        lines.append(f"| `{name}` | " + " | ".join([f"{1e3 * each:.1f}" for each in short] + ratios) + " |")
    return [*lines, ""]


def clip_times(name: str, sound: Samples, length: int, rounds: int) -> list[float]:
    """CPU seconds: librosa's, clip by clip; ours, clip by clip; ours, all at once."""
    clips = sound[: CLIPS * length].reshape(CLIPS, length)
    tensor, theirs, module = torch.from_numpy(clips), LIBROSA[name], feature(name, RATE)
    module(tensor)  # filters of the clips' tunings are made now; neither way is charged for them
    ways: list[Call] = [
        lambda: [theirs(clip) for clip in clips],
        lambda: [module(clip) for clip in tensor],
        lambda: module(tensor),
    ]
    return seconds_of(ways, rounds)


def inversion_table(sound: Samples, rounds: int) -> list[str]:
    """Seconds and errors of the ways back."""
    amplitudes = np.abs(librosa.stft(sound))
    bands = librosa.feature.melspectrogram(y=sound, sr=RATE)
    bank = librosa.filters.mel(sr=RATE, n_fft=2048)

    def phase_error(made: Samples) -> float:
        return float(np.linalg.norm(np.abs(librosa.stft(made)) - amplitudes) / np.linalg.norm(amplitudes))

    def band_error(spectrogram: NDArray[Any]) -> float:
        return float(np.linalg.norm(bank @ spectrogram - bands) / np.linalg.norm(bands))

    length = len(sound)
    ways: list[tuple[str, Callable[[], Any], Callable[[], Any], Callable[[Any], float]]] = [
        (
            "Griffin-Lim, 32 steps",
            lambda: librosa.griffinlim(amplitudes, length=length, random_state=0),
            lambda: griffin_lim(amplitudes, power=1.0, length=length),
            phase_error,
        ),
        (
            "mel bands to a spectrogram",
            lambda: librosa.feature.inverse.mel_to_stft(bands, sr=RATE) ** 2,
            lambda: mel_to_spectrogram(bands, RATE),
            band_error,
        ),
    ]
    lines = [
        "## And back",
        "",
        f"{length / RATE:.0f} s. Milliseconds of CPU, medians; error: what comes out, analysed again, from what was",
        "given.",
        "",
        "| | librosa | ours | ratio | librosa's error | our error |",
        "|---|---|---|---|---|---|",
    ]
    for name, theirs, ours, error in ways:
        peer, mine = (1e3 * seconds for seconds in seconds_of([theirs, ours], rounds))
        errors = f"{error(theirs()):.3f} | {error(ours()):.3f}"
        lines.append(f"| {name} | {peer:.0f} | {mine:.0f} | {peer / mine:.1f} | {errors} |")
    return [*lines, ""]


def folder_table(sound: Samples, runs: int) -> list[str]:
    """Seconds of whole commands over a folder of short files."""
    lines = [f"## A folder of {FILES} short files", ""]
    with tempfile.TemporaryDirectory() as scratch:
        sizes = {count: Path(scratch) / f"sounds{count}" for count in (2, FILES)}
        starts = np.random.default_rng(0).integers(0, len(sound) - RATE, FILES)
        for count, folder in sizes.items():
            folder.mkdir()
            for number, start in enumerate(starts[:count]):
                soundfile.write(folder / f"{number:03}.wav", sound[start : start + RATE // 2], RATE)
        rounds = [
            [command_seconds(way, folder, Path(scratch) / f"{run}{way}{count}") for way in WAYS]
            for run in range(runs + 1)
            for count, folder in sizes.items()
        ]
    begin, whole = np.median(rounds[2::2], axis=0), np.median(rounds[3::2], axis=0)
    lines += [
        "Half a second each; whole commands from their start to their end, files written: librosa's loop over",
        "`log_mel`, and `seqaudio features`. Seconds of wall time, medians; start: the same with two files, which is",
        "mostly imports, in every process. Target: a ratio of at least 1.8 with 2 processes.",
        "",
        "| | start | whole | ratio |",
        "|---|---|---|---|",
    ]
    for way, first, last in zip(WAYS, begin, whole, strict=True):
        lines.append(f"| {way} | {first:.1f} | {last:.1f} | {whole[0] / last:.1f} |")
    return [*lines, ""]


def command_seconds(way: str, folder: Path, out: Path) -> float:
    """Seconds that a whole command takes."""
    arguments = ["-m", "seqaudio", "features", str(folder), "-o", str(out), "--jobs", way.split()[-1]]
    if way == WAYS[0]:
        out.mkdir()
        arguments = ["-c", LOOP, str(folder), str(out)]
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    seconds = time.perf_counter() - began
    assert len(list(out.rglob("*.npz"))) == len(list(folder.iterdir()))
    return seconds


def gpu_table(names: Sequence[str], sound: Samples, rounds: int) -> list[str]:
    """Milliseconds of a batch on a GPU and on one thread of the CPU."""
    batch = torch.from_numpy(sound).repeat(4, 1)
    there = batch.cuda()
    lines = [
        f"## On a GPU ({torch.cuda.get_device_name()})",
        "",
        f"4 files of {SECONDS} s at once. Milliseconds of wall time, medians; error: from the CPU, of the largest",
        "number.",
        "",
        "| feature | CPU, one thread | GPU | ratio | largest error |",
        "|---|---|---|---|---|",
    ]
    for name in (each for each in names if each not in ("pyin", "beats")):
        module = feature(name, RATE)
        times = []
        for samples in (batch, there):
            found = []
            for _ in range(rounds + 1):
                torch.cuda.synchronize()
                began = time.perf_counter()
                module(samples)
                torch.cuda.synchronize()
                found.append(1e3 * (time.perf_counter() - began))
            times.append(statistics.median(found[1:]))
        error = error_of(module(there).cpu().numpy(), module(batch).numpy())
        lines.append(f"| `{name}` | {times[0]:.1f} | {times[1]:.1f} | {times[0] / times[1]:.0f} | {error:.0e} |")
    return [*lines, ""]


if __name__ == "__main__":
    main()
