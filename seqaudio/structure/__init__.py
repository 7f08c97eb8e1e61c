"""Measures of what a piece of music keeps. Imports music/ alone, so real and generated pieces meet the same eyes."""

from seqaudio.structure.degeneracy import Degeneracy, degeneracy

__all__ = ["Degeneracy", "degeneracy"]
