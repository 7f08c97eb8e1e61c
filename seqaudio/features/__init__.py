"""Waveform -> frames and back, over torchaudio and librosa. So far: the import of torchaudio that works everywhere."""

from seqaudio.features.torchaudio_import import import_torchaudio

__all__ = ["import_torchaudio"]
