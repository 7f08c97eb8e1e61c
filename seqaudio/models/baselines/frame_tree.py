"""How much probability do independent keys give to a set of frames, all together?

Conventions: a frame is spelled by its sounding keys from the lowest up. Frames that begin with the same keys share
a path in the tree, so a sum over all of them costs one product a node: for real music little more than a node a frame,
where frame times keys would be 88. All factors are probabilities, so nothing overflows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqaudio.compiled import compiled
from seqaudio.models.baselines.counting import FloatArray, IntArray
from seqaudio.music.frames import Frames


@dataclass(frozen=True, eq=False)
class FrameTree:
    """A set of frames; node 0 is the root, before any key, and parents stand before their children.

    Attributes:
        num_keys: keys of a frame.
        parents: the node of the next lower sounding key, shape (nodes,).
        jumps: lowest key that may still sound after the parent, times keys, plus the node's own key, shape (nodes,).
        rests: lowest key that may still sound after the node where a frame ends there, else keys + 1, shape (nodes,).
    """

    num_keys: int
    parents: IntArray
    jumps: IntArray
    rests: IntArray

    def probability(self, silent: FloatArray, sounds: FloatArray) -> float:
        """Of all frames together, given the probabilities that each key is silent and that it sounds, (keys,) each."""
        return _sum(silent, sounds, self.parents, self.jumps, self.rests)


def tree_of_frames(frames: Frames) -> FrameTree:
    """The tree of distinct frames in ascending order as numbers, the lowest key first; shape (frames, keys)."""
    count, num_keys = frames.shape
    # a frame's own nodes are its keys from the first in which it differs from the frame before it: there it sounds
    differs = np.ones((count, num_keys), bool)
    differs[1:] = frames[1:] != frames[:-1]
    rows, keys = np.nonzero(frames & np.logical_or.accumulate(differs, axis=1))
    depths = np.cumsum(frames, axis=1, dtype=np.int16)[rows, keys]
    parents = np.zeros(len(rows) + 1, np.int64)
    for depth in range(2, int(depths.max(initial=0)) + 1):
        # the tree is written path by path, so the parent is the latest node of the depth above
        at, above = np.flatnonzero(depths == depth), np.flatnonzero(depths == depth - 1)
        parents[at + 1] = above[np.searchsorted(above, at) - 1] + 1
    after = np.concatenate([[0], keys + 1])  # the lowest key that may still sound, shape (nodes,)
    ends = np.zeros(len(after), bool)
    ends[1:] = np.diff(rows, append=count) > 0
    ends[0] = bool(count) and not frames[0].any()
    jumps = after[parents] * num_keys + after - 1
    return FrameTree(num_keys, parents, jumps, np.where(ends, after, num_keys + 1))


@compiled
def _sum(silent: FloatArray, sounds: FloatArray, parents: IntArray, jumps: IntArray, rests: NDArray[np.int64]) -> float:
    keys = len(silent)
    jump = np.empty(keys * keys)  # from a key on all are silent up to another, and that one sounds
    rest = np.zeros(keys + 2)  # from a key on all are silent; 0 where no frame ends
    for first in range(keys + 1):
        product = 1.0
        for key in range(first, keys):
            jump[first * keys + key] = product * sounds[key]
            product *= silent[key]
        rest[first] = product
    begun = np.empty(len(parents))  # the keys up to a node's are as its path has them
    begun[0] = 1.0
    total = rest[rests[0]]
    for node in range(1, len(parents)):
        begun[node] = begun[parents[node]] * jump[jumps[node]]
        total += begun[node] * rest[rests[node]]
    return float(total)
