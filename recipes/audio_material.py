"""What audio_continuation.py learns from and measures: recordings, or music that is played, as frames of loudness.

A frame is the level of 84 constant-Q bins, seven octaves of semitones from C1, in decibels below the loudest of the
piece. Frames lie on the grid that ``seqaudio continue`` finds: even parts of a beat, about a tenth of a second each, so
that what returns in the music returns in the frames. Pieces have one length: a primer, which is heard, and a
continuation, which is held back; the grid is that of both.

What a continuation keeps is told by its chroma, the bins of an octave added up, behind that of the primer: its
recurrence, the likeness of each passage of 16 frames to the most similar one of the primer, and the stripe energy of
both together (:mod:`seqaudio.structure.audio`). Null: the real continuation with random phases of its chroma, which has
its spectrum at every speed and returns by chance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.sound_units import find_units
from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import NoSoundError, SeqAudioError
from seqaudio.features.functions import cqt
from seqaudio.files.atomic import read_bytes, write_bytes
from seqaudio.files.audio import AUDIO_SUFFIXES, read_audio
from seqaudio.files.limits import Limits
from seqaudio.files.npz import npz_bytes, read_npz
from seqaudio.music.pretty import played, player
from seqaudio.music.waveform import Waveform
from seqaudio.structure.audio import chroma_recurrence, phase_randomised, stripe_energy
from seqaudio.tokens.audio_codes import AudioCodes

Frames = NDArray[np.float32]  # (steps, BINS), decibels
Floats = NDArray[np.float64]

RATE, HOP, BINS, OCTAVE = 22_050, 512, 84, 12
PER_UNIT = 2  # frames; a unit of the grid is about 0.2 s
FRAME_S, LONGEST_S = 0.1, 0.15  # of a frame: about, and at most
LOWEST_HZ = 32.703  # C1
RANGE_DB = 50.0
PASSAGE = 16  # frames
SPLITS = ("train", "valid", "test")
SHARES = {"test": 0.2, "valid": 0.15}  # of recordings of a folder
LIMITS = Limits(max_bytes=2**31, max_cells=10**9)  # 400 pieces of 320 frames have 43 MB
LEARNT_FRAMES = 20_000  # a codebook is learnt on so many
OPTIONS = PrepareOptions(melody=True, test_share=0.1)  # of a source of notes that is prepared here


@dataclass(frozen=True)
class Size:
    """How much of what.

    Attributes:
        pieces: most of each split.
        heard, written: frames of primer and continuation.
        codes: of each stage of the codebook.
    """

    pieces: tuple[int, int, int] = (300, 40, 60)
    heard: int = 160
    written: int = 160
    codes: tuple[int, ...] = (128, 64)

    @property
    def frames(self) -> int:
        """Of a piece."""
        return self.heard + self.written


@dataclass(frozen=True, eq=False)
class Material:
    """Pieces of each split, (pieces, steps, BINS) each, and what is learnt of the training ones before all else."""

    splits: dict[str, Frames]
    size: Size

    @cached_property
    def codebook(self) -> AudioCodes:
        """Learnt on training frames."""
        frames = self.splits["train"].reshape(-1, BINS)
        chosen = np.random.default_rng(0).permutation(len(frames))[:LEARNT_FRAMES]
        return AudioCodes.fit(frames[np.sort(chosen)], self.size.codes)

    def tokens(self, split: str) -> list[NDArray[np.int64]]:
        """Pieces as tokens behind BOS, (1 + steps * stages,) each."""
        book = self.codebook
        begin = [book.vocabulary.id("BOS_None")]
        return [np.append(begin, book.ids(book.encode(piece))) for piece in self.splits[split]]

    @cached_property
    def scale(self) -> tuple[Floats, Floats]:
        """Mean and deviation of each bin in training, (BINS,) both; one that hardly changes counts as a decibel."""
        frames = self.splits["train"].reshape(-1, BINS).astype(np.float64)
        return frames.mean(axis=0), np.maximum(frames.std(axis=0), 1.0)

    def numbers(self, split: str) -> list[Frames]:
        """Pieces in deviations from the mean frame, (steps, BINS) each."""
        mean, deviation = self.scale
        return [((piece - mean) / deviation).astype(np.float32) for piece in self.splits[split]]

    def levels(self, numbers: NDArray[np.floating]) -> Frames:
        """The way back, within the range that frames have."""
        mean, deviation = self.scale
        return np.clip(numbers * deviation + mean, -RANGE_DB, 0).astype(np.float32)


def open_material(path: str, size: Size) -> Material:
    """Read what :func:`make_material` wrote."""
    found = dict(read_npz(read_bytes(path, LIMITS), Path(path).name, LIMITS))
    return Material({split: found[split] for split in SPLITS}, size)


def make_material(source: str, folder: Path, size: Size, jobs: int) -> tuple[str, str, str]:
    """Turn a source into frames, unless that was done; a folder of recordings, a prepared corpus, or a source of notes.

    Returns:
        The file, its SHA-256, and in words what was done.

    Raises:
        NoSoundError: a split would be empty.
    """
    recordings = [path for path in sorted(Path(source).rglob("*")) if path.suffix.lower() in AUDIO_SUFFIXES]
    corpus = None if recordings else _prepared(source, folder, jobs)
    origin = corpus.fingerprint if corpus else _fingerprint(recordings)
    plays = player() if corpus else ""
    name = hashlib.sha256(f"{origin} {plays} {size} {RATE} {HOP} {BINS} {RANGE_DB}".encode()).hexdigest()[:12]
    path = folder / f"frames-{name}.npz"
    what = f"{len(recordings)} recordings" if recordings else f"a prepared corpus, played by {plays}"
    if not path.is_file():
        splits: dict[str, list[Frames]] = {split: [] for split in SPLITS}
        most = dict(zip(SPLITS, size.pieces, strict=True))
        click.echo(f"frames of {what}", err=True)
        for split, make in _of_corpus(corpus, size) if corpus else _of_recordings(recordings, size):
            if len(splits[split]) < most[split] and len(frames := frames_of(make())) >= size.frames:
                splits[split].append(frames[: size.frames])
            if all(len(splits[each]) == most[each] for each in SPLITS):
                break
        empty = [split for split in SPLITS if not splits[split]]
        if empty:
            raise NoSoundError(
                f"{source}: no {' and no '.join(empty)} piece of {size.frames} frames, about "
                f"{size.frames * FRAME_S:g} s; give longer or more recordings"
            )
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(path, npz_bytes({split: np.stack(splits[split]) for split in SPLITS}))
    return str(path), hashlib.sha256(path.read_bytes()).hexdigest(), what


def _prepared(source: str, folder: Path, jobs: int) -> PreparedCorpus:
    """The prepared corpus that is meant: itself, or one made of a source now."""
    if not (Path(source) / "manifest.json").is_file():
        click.echo(f"preparing {source}", err=True)
        prepare([source], folder / "corpus", OPTIONS, jobs=jobs)
        source = str(folder / "corpus")
    return PreparedCorpus.open(source)


def _fingerprint(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _of_corpus(corpus: PreparedCorpus, size: Size) -> Iterator[tuple[str, Callable[[], Waveform]]]:
    """Split of each piece that is long enough, and what plays it; in an order by chance."""
    generator = np.random.default_rng(0)
    for split in SPLITS:
        for number in generator.permutation(corpus.of_split(split)).tolist():
            score = corpus.score(corpus.piece(number))
            if float(score.seconds(score.end)) >= size.frames * FRAME_S:
                soon = score.notes(score.seconds(score.onset) < size.frames * LONGEST_S)
                yield split, partial(played, soon, RATE)


def _of_recordings(paths: list[Path], size: Size) -> Iterator[tuple[str, Callable[[], Waveform]]]:
    """Split of each stretch of recordings, and what cuts it out; one recording is on one side, by its content."""
    length = size.frames * LONGEST_S
    for path in paths:
        draw = int(hashlib.sha256(path.read_bytes()).hexdigest()[:8], 16) / 2**32
        split = "test" if draw < SHARES["test"] else "valid" if draw < sum(SHARES.values()) else "train"
        try:
            sound = read_audio(path, RATE, mono=True)
        except SeqAudioError as problem:
            click.echo(f"left out: {problem}", err=True)
            continue
        for begin in np.arange(0, max(sound.seconds - size.frames * FRAME_S, 1e-3), length):
            yield split, partial(sound.cut, begin, begin + length)


def frames_of(sound: Waveform) -> Frames:
    """Levels (steps, BINS) in decibels below the loudest, down to ``RANGE_DB``; no step where there is no sound."""
    try:
        bounds = find_units(sound).bounds
    except NoSoundError:
        return np.zeros((0, BINS), np.float32)
    amplitudes = np.abs(cqt(sound.samples[0], RATE, hop_length=HOP, n_bins=BINS, bins_per_octave=OCTAVE)).T
    places = np.interp(np.arange((len(bounds) - 1) * PER_UNIT + 1) / PER_UNIT, np.arange(len(bounds)), bounds)
    first = np.minimum(np.rint(places / HOP).astype(np.int64), len(amplitudes) - 1)
    stop = np.maximum(first[1:], first[:-1] + 1)
    means = np.array([amplitudes[a:b].mean(axis=0) for a, b in zip(first[:-1], stop, strict=True)]).reshape(-1, BINS)
    loudest = max(float(means.max(initial=0.0)), 1e-9)
    levels: Frames = 20 * np.log10(np.maximum(means / loudest, 10 ** (-RANGE_DB / 20))).astype(np.float32)
    return levels


def chroma_of(frames: NDArray[np.floating]) -> Floats:
    """Amplitudes of pitch classes (steps, 12) of frames (steps, BINS); the lowest level is silence."""
    amplitudes = 10 ** (np.asarray(frames, np.float64) / 20) - 10 ** (-RANGE_DB / 20)
    chroma: Floats = np.maximum(amplitudes, 0).reshape(len(frames), -1, OCTAVE).sum(axis=1)
    return chroma


def kept(primer: Frames, continuation: Floats) -> dict[str, float]:
    """Recurrence and stripe energy of a continuation, chroma (steps, 12), behind a primer, frames (steps, BINS)."""
    together = np.concatenate([chroma_of(primer), continuation])
    return {"recurrence": recurrence(together, len(primer)), "stripes": float(stripe_energy(together))}


def recurrence(chroma: Floats, border: int, passage: int = PASSAGE) -> float:
    """The mean over passages behind a border of the likeness to the most similar passage before it, -1 to 1."""
    matrix = chroma_recurrence(chroma).astype(np.float64)
    behind = len(chroma) - passage + 1
    best = np.full(behind, -np.inf)
    for lag in range(passage, behind):
        along = np.cumsum(np.append(0.0, np.diagonal(matrix, lag)))
        likeness = (along[passage:] - along[:-passage]) / passage  # of the passage at step lag + i to that at step i
        before = max(0, border - passage + 1)
        best[lag : lag + before] = np.maximum(best[lag : lag + before], likeness[:before])
    return float(best[border:].mean())


def null_of(piece: Frames, heard: int, seed: int) -> Floats:
    """The chroma of a real continuation with random phases."""
    return np.maximum(phase_randomised(chroma_of(piece[heard:]), np.random.default_rng(seed)), 0)


def sound_of(frames: NDArray[np.floating]) -> Waveform:
    """Frames (steps, BINS) as sound: an oscillator for each bin, as loud as the bin is."""
    amplitudes = np.maximum(10 ** (np.asarray(frames, np.float64) / 20) - 10 ** (-RANGE_DB / 20), 0)
    step = round(FRAME_S * RATE)
    places, time = np.arange(len(frames)) * step, np.arange(len(frames) * step)
    sound = np.zeros(len(time))
    for number in range(BINS):
        hertz = LOWEST_HZ * 2 ** (number / OCTAVE)
        sound += np.interp(time, places, amplitudes[:, number]) * np.sin(2 * np.pi * hertz * time / RATE + number)
    return Waveform(sound, RATE).within(0.7)
