"""Scores as bars on a grid: what a piece is there, how it is written, read back, and which tokens may follow."""

from seqaudio.tokens.bars.tokenizer import BarsTokenizer

__all__ = ["BarsTokenizer"]
