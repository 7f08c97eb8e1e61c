"""Which step of a grid is nearest to a time?"""

from __future__ import annotations

from seqaudio.music.score import IntArray


def nearest_steps(times: IntArray, unit: int, steps: int = 1) -> IntArray:
    """The nearest steps, halves up, in whole numbers.

    Args:
        times: in units of which ``unit`` last as long as ``steps`` steps, as ticks per quarter and steps per quarter.
        unit: at least 1.
        steps: at least 1.
    """
    return (2 * steps * times + unit) // (2 * unit)
