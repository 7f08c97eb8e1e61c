"""Measures of what a piece of music keeps.

Imports music/, errors and compiled alone, so real and generated pieces meet the same eyes.
"""

from seqaudio.structure.audio import chroma_recurrence, stripe_energy
from seqaudio.structure.bars import Bars
from seqaudio.structure.boundaries import boundaries, novelty
from seqaudio.structure.compression import lz_gain
from seqaudio.structure.copying import RunIndex, SharedRun, note_symbols, token_symbols
from seqaudio.structure.degeneracy import Degeneracy, degeneracy
from seqaudio.structure.evaluation import MEASURES, Facets, evaluate
from seqaudio.structure.frames import frame_far_repeat_rate, frame_lz_gain, frame_primer_recall
from seqaudio.structure.real_range import RealRange, auc, real_ranges
from seqaudio.structure.reference import Reference
from seqaudio.structure.repeats import far_repeat_rate, primer_recall
from seqaudio.structure.similarity import (
    mean_curve,
    return_lag,
    return_strength,
    similarity_curve,
    similarity_error,
    similarity_matrix,
)

__all__ = [
    "MEASURES",
    "Bars",
    "Degeneracy",
    "Facets",
    "RealRange",
    "Reference",
    "RunIndex",
    "SharedRun",
    "auc",
    "boundaries",
    "chroma_recurrence",
    "degeneracy",
    "evaluate",
    "far_repeat_rate",
    "frame_far_repeat_rate",
    "frame_lz_gain",
    "frame_primer_recall",
    "lz_gain",
    "mean_curve",
    "note_symbols",
    "novelty",
    "primer_recall",
    "real_ranges",
    "return_lag",
    "return_strength",
    "similarity_curve",
    "similarity_error",
    "similarity_matrix",
    "stripe_energy",
    "token_symbols",
]
