"""What music is there for a model to hear? Files that were named, or what is at hand without any.

Music files and sets of rolls do for every model: a set of rolls of a model's own keys is heard frame by frame as it is,
all other music as the model would hear a primer. Of a set that has test pieces these are heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from numpy.typing import NDArray

from seqaudio.cli.reading import Placed, Tell, pieces_of
from seqaudio.errors import NoNotesError, OptionError, SeqAudioError
from seqaudio.files.limits import Limits
from seqaudio.files.reader import read_pieces
from seqaudio.memory.heard import Heard, hear, hear_steps, steps_of
from seqaudio.models.checkpoint import Checkpoint, FrameFacts
from seqaudio.music.score import Score
from seqaudio.pretrained import example_path, model_path
from seqaudio.pretrained.choice import check_fits
from seqaudio.tokens import BarsTokenizer

T = TypeVar("T")

EXAMPLE = "tune.abc"
OWN_BARS, OWN_SEED = 32, 0  # of the piece that a model writes itself
BEATS = 4  # quarters of a bar that a model of frames writes


class Music(NamedTuple):
    """What a model hears, and what that is, in words."""

    pieces: list[Heard]
    source: str


def hear_files(
    names: Sequence[str], checkpoints: Sequence[Checkpoint], files: Sequence[str], limits: Limits, most: int, tell: Tell
) -> list[Music]:
    """What each model hears of the same files, which are read once; what cannot be read or heard is told."""
    music = _unseen(list(pieces_of(files, limits, tell)))
    heard: list[list[Heard]] = [[] for _ in checkpoints]
    for piece in _spread(music, most):
        problems = {}  # told once, though several models may say the same
        for name, pieces, checkpoint in zip(names, heard, checkpoints, strict=True):
            try:
                pieces.append(_of_file(name, checkpoint, piece))
            except SeqAudioError as problem:
                problems[str(problem)] = True
        for reason in problems:
            tell(f"{piece.name}: {reason}")
    count = len({piece.file for piece in music})
    whole = f"pieces of {count:,} file{'s' * (count != 1)}"
    return [
        Music(pieces, music[0].name if len(music) == 1 else f"{_some(len(pieces), len(music))} {whole}")
        for pieces in heard
    ]


def hear_own(name: str, checkpoint: Checkpoint, most: int) -> Music:
    """What a model hears where no files are named.

    The validation pieces of a run, where they still lie there; for a model of melodies else a shipped tune, else 32
    bars that the model writes itself. Raises OptionError for a model that can have none of these.
    """
    pieces = _validation(checkpoint)
    if pieces:
        chosen = _spread([(f"valid-{i + 1}", piece) for i, piece in enumerate(pieces)], most)
        heard = []
        for named, piece in chosen:
            with suppress(NoNotesError):  # a silent one is nothing to listen to
                heard.append(hear_steps(checkpoint, piece, named))
        if heard:
            return Music(heard, f"{_some(len(heard), len(pieces), 'its ')} validation pieces")
    if checkpoint.frames is None and checkpoint.learnt_from == "melodies":
        (tune,), _ = read_pieces(example_path(EXAMPLE))
        return Music([hear(checkpoint, tune.score, tune.name)], f"{tune.name}, a tune that comes with seqaudio")
    source = f"{OWN_BARS} bars that it wrote itself (seed {OWN_SEED})"
    try:
        return Music([_written(name, checkpoint, source)], source)
    except NoNotesError:
        raise OptionError(f"{name}: what this model writes by itself is silent; name FILES that it can hear") from None


def hear_too(name: str, checkpoint: Checkpoint, first_name: str, first: Checkpoint, music: Music) -> Music:
    """The music of a first model as another model hears it. Raises NoNotesError where it hears nothing."""
    source = f"what {first_name} hears, {music.source}"
    try:
        for piece in music.pieces:
            check_fits(name, piece.score)
        if steps_of(checkpoint) == steps_of(first):
            return Music(music.pieces, source)
        return Music([hear(checkpoint, piece.score, piece.name) for piece in music.pieces], source)
    except NoNotesError as problem:
        raise NoNotesError(f"--beside {name}: cannot hear {source}: {problem}; or name FILES for both") from None


def _some(count: int, total: int, whose: str = "") -> str:
    """So many of all, in words: 16 of 909, or 909."""
    return f"{whose}{total:,}" if count == total else f"{count:,} of {whose}{total:,}"


def _spread(values: Sequence[T], most: int) -> list[T]:
    """So many at most, evenly spread."""
    count = min(most, len(values))
    return [values[i * len(values) // count] for i in range(count)]


def _unseen(music: list[Placed]) -> list[Placed]:
    """Of files with test pieces these alone."""
    tested = {piece.file for piece in music if piece.split == "test"}
    return [piece for piece in music if piece.split == "test" or piece.file not in tested]


def _of_file(name: str, checkpoint: Checkpoint, piece: Placed) -> Heard:
    """A piece of a file as a model hears it."""
    facts, roll = checkpoint.frames, piece.roll
    if facts is None or roll is None or (roll.frames.shape[1], roll.lowest_pitch) != (facts.keys, facts.lowest_pitch):
        check_fits(name, piece.score)
        return hear(checkpoint, piece.score, piece.name)
    heard = hear_steps(checkpoint, roll.frames, piece.name)
    own, theirs = facts.steps_per_quarter, roll.steps_per_quarter
    remark = (f"steps of {theirs} to the quarter are heard as the model's, {own} to the quarter",) * (own != theirs)
    return replace(heard, remarks=(*remark, *heard.remarks))


def _validation(checkpoint: Checkpoint) -> list[NDArray[Any]]:
    """Of the corpus that a model was trained on, if it is where it was and as it was; else nothing."""
    from seqaudio.training.config import FramesConfig, check_experiment

    try:
        experiment = check_experiment(checkpoint.facts["experiment"])
        named = experiment.corpus
        if not (isinstance(named, FramesConfig) or (Path(named.prepared) / "manifest.json").is_file()):
            return []  # it is not prepared anew for a probe
        from seqaudio.training.material import material_of, open_corpus

        corpus = open_corpus(experiment)
        return material_of(corpus).split("valid") if corpus.fingerprint == checkpoint.facts["corpus"] else []
    except (SeqAudioError, LookupError, TypeError):  # of no run, of another version, or moved away
        return []


def _written(name: str, checkpoint: Checkpoint, source: str) -> Heard:
    """What a model writes behind nothing. Raises OptionError for tokens that know no bars, NoNotesError for silence."""
    if checkpoint.frames is not None:
        return hear_steps(checkpoint, _written_frames(checkpoint, checkpoint.frames), source)
    if not isinstance(checkpoint.tokenizer, BarsTokenizer):
        raise OptionError(f"{name}: no music for this model is at hand; name FILES that it can hear")
    return hear(checkpoint, _written_score(name), source)


def _written_score(name: str) -> Score:
    from seqaudio.continuation.continue_score import generate_score
    from seqaudio.continuation.engines import load_engine

    (piece,) = generate_score(load_engine(model_path(name)), bars=OWN_BARS, seed=OWN_SEED)
    return piece.score


def _written_frames(checkpoint: Checkpoint, facts: FrameFacts) -> NDArray[Any]:
    """Behind a silent frame, which is left out."""
    import numpy as np

    from seqaudio.continuation.frames import continue_frames

    own, silence = checkpoint.sampling, np.zeros((1, facts.keys), dtype=bool)
    written = continue_frames(
        checkpoint.build(), checkpoint.memory(), [silence], OWN_BARS * BEATS * facts.steps_per_quarter,
        seed=OWN_SEED, temperature=own["temperature"], gate_temperature=own["gate_temperature"],
    )  # fmt: skip
    frames: NDArray[Any] = written[0]
    return frames
