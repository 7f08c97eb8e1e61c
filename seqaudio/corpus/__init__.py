"""Folders of music -> a prepared corpus on disk -> batches."""

from seqaudio.corpus.prepare import PrepareOptions, prepare
from seqaudio.corpus.prepared import PreparedCorpus

__all__ = ["PrepareOptions", "PreparedCorpus", "prepare"]
