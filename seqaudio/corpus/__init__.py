"""Folders of music -> a prepared corpus on disk -> batches."""

from seqaudio.corpus.frames import FrameCorpus
from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.prepared import PreparedCorpus

__all__ = ["FrameCorpus", "PrepareOptions", "PreparedCorpus", "prepare"]
