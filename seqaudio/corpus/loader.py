"""How does training get its batches from a prepared corpus, and go on in the middle of an epoch?

    corpus = PreparedCorpus.open("prepared/mine")
    loader = CorpusLoader(StreamBatches(corpus, "train", streams=32, window=256, seed=0))
    for inputs, targets, real, reset in loader:     # one epoch of torch tensors
        ...
        position = loader.state_dict()              # behind this batch

Batch ``k`` of epoch ``e`` depends on the corpus, the settings, ``e`` and ``k`` alone, so a loader that is set to a
position gives what an uninterrupted one gives from there on, with any number of worker processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from seqaudio.corpus.batches import Batch, StreamBatch, batch_order, stack
from seqaudio.corpus.prepared import PreparedCorpus, reopened
from seqaudio.corpus.streams import StreamPlan, deal
from seqaudio.errors import BadFileError, NoNotesError, OptionError
from seqaudio.files.atomic import shown
from seqaudio.tokens.own import registered


class _Pieces:
    """The pieces of one split, read from the token file when they are needed: its pages never count as ours."""

    def __init__(self, corpus: PreparedCorpus, split: str) -> None:
        numbers = np.array(corpus.of_split(split), dtype=np.int64)
        if not len(numbers):
            raise NoNotesError(f"the corpus has no {split} pieces; prepare more music, or change --valid-share")
        starts = corpus.index[numbers]
        self.lengths: NDArray[np.int64] = corpus.index[numbers + 1] - starts
        self.fingerprint = corpus.fingerprint
        self._own = registered(corpus.tokenizer.name)
        self._dtype = corpus.tokens.dtype
        self._path, offset = corpus.token_file
        self._offsets = offset + starts * self._dtype.itemsize
        self._file = open(self._path, "rb", buffering=0)

    def __getitem__(self, number: int) -> NDArray[np.integer]:
        """The ids of one piece."""
        size, offset = int(self.lengths[number]) * self._dtype.itemsize, int(self._offsets[number])
        if hasattr(os, "pread"):  # safe in forked processes, which share the position in the file
            data = os.pread(self._file.fileno(), size, offset)
        else:
            self._file.seek(offset)
            data = self._file.read(size) or b""
        if len(data) != size:
            raise BadFileError(f"{shown(self._path)}: shorter than its index says; run seqaudio prepare again")
        return np.frombuffer(data, dtype=self._dtype)

    def __getstate__(self) -> dict[str, Any]:
        """For worker processes that are not forked: they open the file themselves."""
        return {name: value for name, value in self.__dict__.items() if name != "_file"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        reopened(self._path.parent, self.fingerprint, self._own)  # other ids may stand there by now
        self._file = open(self._path, "rb", buffering=0)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


class PieceBatches(Dataset[Batch]):
    """Batches of whole pieces of similar length, as :class:`~seqaudio.corpus.batches.Batch`.

    Args:
        corpus, split: which pieces.
        batch_size: pieces side by side.
        seed: of the order.

    Raises:
        OptionError: ``batch_size`` is below 1, or ``split`` is no split.
        NoNotesError: the split is empty.
    """

    def __init__(self, corpus: PreparedCorpus, split: str, *, batch_size: int, seed: int = 0) -> None:
        _check_positive(batch_size=batch_size)
        self._pieces, self._batch_size, self._seed = _Pieces(corpus, split), batch_size, seed
        self.settings = {"kind": "pieces", "split": split, "batch_size": batch_size, "seed": seed}
        self.settings["corpus"] = self._pieces.fingerprint
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Make the plan of an epoch."""
        generator = np.random.default_rng((self._seed, epoch))
        self._order = batch_order(self._pieces.lengths, self._batch_size, generator)

    def count(self, epoch: int) -> int:
        """How many batches an epoch has: all have the same number."""
        return len(self._order)

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, number: int) -> Batch:
        return stack([self._pieces[i] for i in self._order[number].tolist()])


class StreamBatches(Dataset[StreamBatch]):
    """Windows of parallel streams, as :class:`~seqaudio.corpus.batches.StreamBatch`.

    Args:
        corpus, split: which pieces.
        streams: rows of a batch.
        window: places of a row in one batch.
        seed: of the order.
        packed: fill every place, and set back inside windows too.

    Raises:
        OptionError: ``streams`` or ``window`` is below 1, or ``split`` is no split.
        NoNotesError: the split is empty.
    """

    def __init__(
        self, corpus: PreparedCorpus, split: str, *, streams: int, window: int, seed: int = 0, packed: bool = False
    ) -> None:
        _check_positive(streams=streams, window=window)
        self._pieces, self._seed = _Pieces(corpus, split), seed
        self._streams, self._window, self._packed = streams, window, packed
        self._opened: dict[int, NDArray[np.integer]] = {}
        self.settings = {"kind": "streams", "split": split, "streams": streams, "window": window, "seed": seed}
        self.settings |= {"packed": packed, "corpus": self._pieces.fingerprint}
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Make the plan of an epoch."""
        self._plan = self._planned(epoch)

    def _planned(self, epoch: int) -> StreamPlan:
        generator = np.random.default_rng((self._seed, epoch))
        return deal(self._pieces.lengths, self._streams, self._window, generator, packed=self._packed)

    def count(self, epoch: int) -> int:
        """How many windows an epoch has, without going there; it depends on which stream was dealt which pieces."""
        return self._planned(epoch).windows

    def __len__(self) -> int:
        return self._plan.windows

    def __getitem__(self, number: int) -> StreamBatch:
        if not 0 <= number < len(self):  # also what ends a plain loop over the windows
            raise IndexError(f"window {number} of an epoch of {len(self)} windows")
        begin = number * self._window
        ids = np.zeros((self._streams, self._window + 1), np.int64)  # the last place is a target only
        first = np.zeros(ids.shape, np.bool_)
        for stream in range(self._streams):
            for piece, start in self._plan.parts(stream, begin, begin + self._window):
                tokens, at = self._open_piece(piece), start - begin
                if at < 0:
                    tokens, at = tokens[-at:], 0
                else:
                    first[stream, at] = True
                there = ids[stream, at : at + len(tokens)]
                there[:] = tokens[: len(there)]
        real = (ids[:, :-1] != 0) & (ids[:, 1:] != 0) & ~first[:, 1:]
        return StreamBatch(ids[:, :-1] * real, ids[:, 1:] * real, real, first[:, :-1] & real)

    def _open_piece(self, piece: int) -> NDArray[np.integer]:
        """A piece that a stream is reading; the one opened longest ago makes room."""
        ids = self._opened.get(piece)
        if ids is None:
            while len(self._opened) > self._streams:
                del self._opened[next(iter(self._opened))]
            ids = self._opened[piece] = self._pieces[piece]
        return ids


class CorpusLoader:
    """Epoch after epoch of batches as torch tensors; each ``for`` gives the rest of the current epoch.

    Its ``len`` is how many batches the next ``for`` gives; ``batches.count(epoch)`` tells of whole epochs.

    Args:
        batches: :class:`PieceBatches` or :class:`StreamBatches`.
        workers: processes that make batches ahead; 0 makes them in this one.
        pin_memory: put batches where a GPU can fetch them.
    """

    def __init__(self, batches: PieceBatches | StreamBatches, *, workers: int = 0, pin_memory: bool = False) -> None:
        self.batches = batches
        self._workers, self._pin_memory = workers, pin_memory
        self._epoch = self._next = 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        self._epoch, self._next = self._position()
        self.batches.set_epoch(self._epoch)
        rest = range(self._next, len(self.batches))
        for batch in DataLoader(
            self.batches,
            batch_size=None,
            sampler=rest,
            num_workers=self._workers,
            pin_memory=self._pin_memory,
            generator=torch.Generator(),  # the global one is the model's: no order here comes from torch
        ):
            self._next += 1
            yield batch
        self._epoch, self._next = self._position()

    def __len__(self) -> int:
        epoch, number = self._position()
        return self.batches.count(epoch) - number

    def _position(self) -> tuple[int, int]:
        """Epoch and number of the next batch: behind the last one, the first of the next epoch."""
        return (self._epoch, self._next) if self._next < len(self.batches) else (self._epoch + 1, 0)

    def state_dict(self) -> dict[str, Any]:
        """The position behind the last batch given, as plain values that JSON can hold."""
        epoch, number = self._position()
        return {"epoch": epoch, "next": number, "settings": dict(self.batches.settings)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a position. Raises OptionError when it is none, or of other batches: of another corpus or setting."""
        found: list[Any] = [state.get(name) for name in ("epoch", "next", "settings")]
        epoch, number, settings = found
        whole = isinstance(epoch, int) and isinstance(number, int) and isinstance(settings, dict)
        if not (whole and min(epoch, number) >= 0):
            raise OptionError(
                f"no position of a loader: epoch is {epoch!r}, next is {number!r}, settings is {settings!r}; "
                "give what state_dict() returned"
            )
        other = {
            name: (was, self.batches.settings.get(name))
            for name, was in settings.items()
            if was != self.batches.settings.get(name)
        }
        if other:
            changes = "; ".join(f"{name} was {was!r}, is {now!r}" for name, (was, now) in other.items())
            raise OptionError(f"the position belongs to other batches ({changes}); make the loader as it was")
        self._epoch, self._next = epoch, number
        self.batches.set_epoch(self._epoch)


def _check_positive(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise OptionError(f"{name} is {value}; it must be at least 1")
