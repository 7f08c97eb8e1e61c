"""In which key does music stand? The major or minor key whose profile the pitch classes are most like.

Conventions: a key is 0 to 11 for C to B major, 12 to 23 for C to B minor, -1 where nothing tells. Weights are how long
each pitch class sounds, C first, in any unit.

Source: C. L. Krumhansl, "Cognitive foundations of musical pitch", 1990 (the method, and the ratings of Krumhansl and
Kessler 1982).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
NO_KEY = -1


def keys_of(weights: ArrayLike) -> NDArray[np.int64]:
    """The likeliest key of each row of pitch-class weights (..., 12), shape (...); of equals the first.

    A row whose classes all weigh the same has no key.
    """
    apart = np.asarray(weights, np.float64)
    apart = apart - apart.mean(axis=-1, keepdims=True)
    found = (apart @ _PROFILES.T).argmax(axis=-1)
    keys: NDArray[np.int64] = np.where((np.abs(apart) > 1e-12).any(axis=-1), found, NO_KEY)
    return keys


def _profiles() -> NDArray[np.float64]:
    """The profile of each key, (24, 12), of mean 0 and length 1, so that the largest product is the correlation's."""
    rows = np.array([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])
    rows = rows - rows.mean(axis=1, keepdims=True)
    profiles: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return profiles


_PROFILES = _profiles()
