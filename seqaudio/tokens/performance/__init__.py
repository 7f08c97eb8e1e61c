"""Scores as Magenta's performance events: times in steps of 10 ms, notes switched on and off."""

from seqaudio.tokens.performance.tokenizer import PerformanceTokenizer

__all__ = ["PerformanceTokenizer"]
