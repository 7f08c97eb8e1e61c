"""Which integer stands for which sound? Vectors as the codes of a codebook, learnt by residual k-means.

A vector is standardised, then told by one code for each stage: the nearest centre of the first, then the nearest of the
second to what the first left over, and so on. With one stage this is plain k-means. The codes of a vector follow each
other as tokens, so whatever reads and writes tokens serves sounds as it is: a vector of ``stages`` codes is so many
tokens, and the tokens of each stage are a kind of their own. As everywhere the first three tokens are PAD, BOS and EOS.

Conventions: vectors are numbers, shape (vectors, numbers), best on a scale of loudness (logarithms). Codes are int64,
shape (vectors, stages), from 0 in each stage; ids of tokens, (vectors * stages,), in order of time, then of stage.

Sources: B.-H. Juang and A. H. Gray, "Multiple stage vector quantization for speech coding", 1982 (residual stages);
D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", 2007; S. P. Lloyd, "Least squares
quantization in PCM", 1982.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import CheckpointError, NoNotesError, OptionError, SeqAudioError, VocabularyError
from seqaudio.files.atomic import read_bytes, shown, write_bytes
from seqaudio.files.limits import DEFAULT_LIMITS
from seqaudio.files.npz import npz_bytes, read_npz
from seqaudio.tokens.vocabulary import Vocabulary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_ROUNDS = 100  # of Lloyd's; it settles in far fewer
ROWS = 4096  # vectors compared with all centres at a time
NARROW = 1e-6  # of the widest number's deviation: less is rounding, and is not made wide


@dataclass(frozen=True, eq=False)
class AudioCodes:
    """A codebook.

    Args:
        mean: taken away from a vector, (numbers,).
        deviation: then divided by, (numbers,).
        centres: of each stage, (codes, numbers) of standardised vectors.

    Raises:
        OptionError: the shapes do not fit, or something is no finite number, or a deviation not above 0.
    """

    mean: Floats
    deviation: Floats
    centres: tuple[Floats, ...]

    def __post_init__(self) -> None:
        sizes = {np.shape(self.mean), np.shape(self.deviation), *(np.shape(stage)[1:] for stage in self.centres)}
        numbers = np.concatenate([np.ravel(each) for each in (self.mean, self.deviation, *self.centres)])
        if len(sizes) != 1 or np.ndim(self.mean) != 1 or not all(len(stage) for stage in self.centres or [()]):
            raise OptionError(f"a codebook of {len(self.centres)} stages and shapes {sorted(sizes)}; they must be one")
        if not np.isfinite(numbers).all() or not (np.asarray(self.deviation) > 0).all():
            raise OptionError("a codebook with numbers that are not finite, or deviations not above 0")

    @classmethod
    def fit(
        cls, vectors: ArrayLike, codes: Sequence[int] = (64,), *, seed: int = 0, weights: ArrayLike | None = None
    ) -> AudioCodes:
        """Learn a codebook; with the same vectors and seed it is the same.

        Args:
            vectors: to learn from, (vectors, numbers). More codes than there are different vectors are not made.
            codes: how many in each stage.
            seed: of the first centres.
            weights: how much each number of a vector counts, (numbers,); None: all the same.

        Raises:
            NoNotesError: there is no vector.
            OptionError: vectors are no finite numbers of that shape, a stage has no code, or a weight is not above 0.
        """
        rows = _checked(vectors)
        if not codes or min(codes) < 1:
            raise OptionError(f"stages of {tuple(codes)} codes; give one stage or more, of one code or more")
        if not len(rows):
            raise NoNotesError("no vectors to learn codes from; give one or more")
        counts = np.ones(rows.shape[1]) if weights is None else np.asarray(weights, np.float64)
        if counts.shape != rows.shape[1:] or not (counts > 0).all():
            raise OptionError(f"weights of shape {counts.shape} for {rows.shape[1]} numbers; give each one above 0")
        mean, deviation = rows.mean(axis=0), rows.std(axis=0)
        least = max(NARROW * float(deviation.max(initial=0.0)), np.finfo(np.float64).tiny)
        deviation = np.where(deviation > least, deviation, 1.0) / counts
        left, generator = (rows - mean) / deviation, np.random.default_rng(seed)
        centres = []
        for size in codes:
            centres.append(k_means(left, size, generator))
            left = left - centres[-1][nearest(left, centres[-1])]
        return cls(mean, deviation, tuple(centres))

    @property
    def stages(self) -> int:
        """Codes of a vector."""
        return len(self.centres)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens: PAD, BOS, EOS, and a kind for each stage."""
        special = {name: ["None"] for name in ("PAD", "BOS", "EOS")}
        return Vocabulary.of_kinds({**special, **{f"Code{i}": range(len(c)) for i, c in enumerate(self.centres)}})

    @cached_property
    def firsts(self) -> Ints:
        """The id of each stage's first token, (stages,)."""
        return np.array([self.vocabulary.slices[f"Code{stage}"].start for stage in range(self.stages)])

    def standardised(self, vectors: ArrayLike) -> Floats:
        """Vectors as the centres are, (vectors, numbers). Raises OptionError as :meth:`encode`."""
        return (_checked(vectors, len(self.mean)) - self.mean) / self.deviation

    def encode(self, vectors: ArrayLike) -> Ints:
        """Codes (vectors, stages) of vectors (vectors, numbers).

        Raises:
            OptionError: they are no finite numbers of that shape.
        """
        left, found = self.standardised(vectors), []
        for centres in self.centres:
            found.append(nearest(left, centres))
            left = left - centres[found[-1]]
        return np.stack(found, axis=1)

    def decode(self, codes: ArrayLike) -> Floats:
        """Vectors (vectors, numbers) that codes (vectors, stages) stand for.

        Raises:
            VocabularyError: there are no such codes.
        """
        given = np.asarray(codes)
        sizes = np.array([len(centres) for centres in self.centres])
        if given.ndim != 2 or given.shape[1] != self.stages or given.dtype.kind not in "iu":
            raise VocabularyError(f"codes are integers of shape (vectors, {self.stages}); got {given.shape}")
        if ((given < 0) | (given >= sizes)).any():
            raise VocabularyError(f"codes outside of this codebook, which has {sizes.tolist()} in its stages")
        told = sum(centres[given[:, stage]] for stage, centres in enumerate(self.centres))
        vectors: Floats = told * self.deviation + self.mean
        return vectors

    def ids(self, codes: ArrayLike) -> Ints:
        """Tokens (vectors * stages,) of codes (vectors, stages)."""
        return (np.asarray(codes, np.int64) + self.firsts).ravel()

    def codes(self, ids: ArrayLike) -> Ints:
        """Codes (vectors, stages) of tokens (vectors * stages,).

        Raises:
            VocabularyError: they are not the tokens of one stage after the other.
        """
        given = np.asarray(ids, np.int64)
        if given.ndim != 1 or len(given) % self.stages:
            raise VocabularyError(f"ids of shape {given.shape}; a vector has {self.stages}, one for each stage")
        found: Ints = given.reshape(-1, self.stages) - self.firsts
        if ((found < 0) | (found >= [len(centres) for centres in self.centres])).any():
            raise VocabularyError("ids that are not the tokens of one stage after the other; see AudioCodes.follows")
        return found

    def follows(self, position: int) -> NDArray[np.bool_]:
        """Which tokens may stand at a position of a sequence without BOS, (vocabulary,): those of its stage."""
        allowed = np.zeros(len(self.vocabulary), bool)
        allowed[self.vocabulary.slices[f"Code{position % self.stages}"]] = True
        return allowed

    def save(self, path: str | Path) -> None:
        """Write the codebook as ``.npz``. Raises BadFileError when that cannot be."""
        centres = {f"centres{stage}": centres for stage, centres in enumerate(self.centres)}
        write_bytes(path, npz_bytes({"mean": self.mean, "deviation": self.deviation, **centres}))

    @classmethod
    def load(cls, path: str | Path) -> AudioCodes:
        """Read what :meth:`save` wrote. Raises CheckpointError when it is something else."""
        name = shown(path)
        try:
            found = dict(read_npz(read_bytes(path), name, DEFAULT_LIMITS))
            stages = [found.pop(f"centres{stage}") for stage in range(len(found) - 2)]
            return cls(found["mean"], found["deviation"], tuple(stages))
        except (SeqAudioError, KeyError, ValueError, IndexError) as problem:
            raise CheckpointError(f"{name}: not a codebook ({problem}); save one with AudioCodes.save") from None


def k_means(vectors: Floats, codes: int, generator: np.random.Generator) -> Floats:
    """Centres (codes or fewer, numbers) of vectors (vectors, numbers): Lloyd's rounds behind k-means++."""
    centres = _first_centres(vectors, codes, generator)
    before = np.full(len(vectors), -1)
    for _ in range(MOST_ROUNDS):
        of = nearest(vectors, centres)
        if np.array_equal(of, before):
            break
        before = of
        sums = np.zeros_like(centres)
        np.add.at(sums, of, vectors)
        members = np.bincount(of, minlength=len(centres))[:, None]
        centres = np.where(members > 0, sums / np.maximum(members, 1), centres)
    return centres


def nearest(vectors: Floats, centres: Floats) -> Ints:
    """The place of the nearest centre to each vector, (vectors,)."""
    return _each(vectors, lambda rows: (np.square(centres).sum(axis=1) - 2 * rows @ centres.T).argmin(axis=1))


def _first_centres(vectors: Floats, codes: int, generator: np.random.Generator) -> Floats:
    """Vectors far apart: each next one is drawn by the square of its distance to those that are there."""
    chosen = [vectors[generator.integers(len(vectors))]]
    apart = np.square(vectors - chosen[0]).sum(axis=1)
    while len(chosen) < codes and apart.max() > 0:
        cumulative = np.cumsum(apart)
        place = min(int(np.searchsorted(cumulative, generator.random() * cumulative[-1], "right")), len(vectors) - 1)
        chosen.append(vectors[place])
        apart = np.minimum(apart, np.square(vectors - chosen[-1]).sum(axis=1))
        apart[place] = 0.0
    return np.stack(chosen)


def _each(vectors: Floats, found: Callable[[Floats], Ints]) -> Ints:
    """What is found for all vectors, some thousand at a time."""
    parts = [found(vectors[start : start + ROWS]) for start in range(0, len(vectors), ROWS)]
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _checked(vectors: ArrayLike, numbers: int | None = None) -> Floats:
    rows = np.asarray(vectors, np.float64)
    if rows.ndim != 2 or (numbers is not None and rows.shape[1] != numbers) or not np.isfinite(rows).all():
        wanted = "numbers" if numbers is None else numbers
        raise OptionError(f"vectors are finite numbers of shape (vectors, {wanted}); got shape {rows.shape}")
    return rows
