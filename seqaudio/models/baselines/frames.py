"""What is a frame to a model of counts: keys that sound, or one symbol out of those the training pieces have?

Conventions: a piece is bool frames, shape (steps, keys). The first frame of a piece is known and never predicted, so
the losses of a piece are those of frames 1, 2, ..., shape (steps - 1,), and a piece of one frame has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import OptionError, VocabularyError
from seqaudio.music.frames import Frames

Codes = NDArray[np.bytes_]


def checked_frames(piece: ArrayLike, num_keys: int) -> Frames:
    """A piece as frames.

    Raises:
        VocabularyError: it is not a bool array of shape (steps, num_keys).
    """
    frames = np.asarray(piece)
    if frames.dtype != np.bool_ or frames.ndim != 2 or frames.shape[1] != num_keys:
        raise VocabularyError(
            f"frames are bool, shape (steps, {num_keys}); got {frames.dtype}, shape {frames.shape}; "
            "give the model the number of keys of the pieces"
        )
    return frames


def check_keys(num_keys: int) -> None:
    """Refuse a keyboard without keys.

    Raises:
        OptionError: it has none.
    """
    if num_keys < 1:
        raise OptionError(f"num_keys is {num_keys}; allowed: 1 or more")


def codes_of_frames(frames: Frames) -> Codes:
    """One string of bytes a frame, the same for the same keys, in an order that can be sorted; shape (steps,)."""
    # numpy drops zeros at the end of such strings; as all are equally long, none becomes another by that
    packed = np.ascontiguousarray(np.packbits(frames, axis=1))  # (steps, bytes)
    codes: NDArray[Any] = packed.view(f"S{packed.shape[1]}")
    return codes[:, 0]


def frames_of_codes(codes: Codes, num_keys: int) -> Frames:
    """The frames that have these codes, shape (codes, num_keys)."""
    packed = np.ascontiguousarray(codes)[:, None].view(np.uint8)  # (codes, bytes)
    return np.unpackbits(packed, axis=1, count=num_keys).astype(bool)
