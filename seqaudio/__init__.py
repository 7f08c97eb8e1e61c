"""seqaudio: recurrent models that continue music, and what is needed to train and judge them.

The names below are loaded when they are first used, so ``import seqaudio`` is quick and imports no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "BarsTokenizer": "seqaudio.tokens",
    "Checkpoint": "seqaudio.models.checkpoint",
    "Continuation": "seqaudio.continuation",
    "Limits": "seqaudio.files",
    "MelodyTokenizer": "seqaudio.tokens",
    "MidiTokTokenizer": "seqaudio.tokens",
    "PPM": "seqaudio.models.baselines",
    "PerformanceTokenizer": "seqaudio.tokens",
    "PianorollTokenizer": "seqaudio.tokens",
    "PreparedCorpus": "seqaudio.corpus",
    "PrepareOptions": "seqaudio.corpus",
    "Sampling": "seqaudio.continuation",
    "Score": "seqaudio.music",
    "SeqAudioError": "seqaudio.errors",
    "continue_score": "seqaudio.continuation",
    "degeneracy": "seqaudio.structure",
    "find_melody": "seqaudio.music",
    "generate_score": "seqaudio.continuation",
    "load_model": "seqaudio.pretrained",
    "prepare": "seqaudio.corpus",
    "read_abc": "seqaudio.files",
    "read_midi": "seqaudio.files",
    "score_likelihood": "seqaudio.continuation",
    "write_midi": "seqaudio.files",
}
__all__ = list(_PUBLIC)

if TYPE_CHECKING:  # the same names, for type checkers and editors
    from seqaudio.continuation import Continuation, Sampling, continue_score, generate_score, score_likelihood
    from seqaudio.corpus import PreparedCorpus, PrepareOptions, prepare
    from seqaudio.errors import SeqAudioError
    from seqaudio.files import Limits, read_abc, read_midi, write_midi
    from seqaudio.models.baselines import PPM
    from seqaudio.models.checkpoint import Checkpoint
    from seqaudio.music import Score, find_melody
    from seqaudio.pretrained import load_model
    from seqaudio.structure import degeneracy
    from seqaudio.tokens import (
        BarsTokenizer,
        MelodyTokenizer,
        MidiTokTokenizer,
        PerformanceTokenizer,
        PianorollTokenizer,
    )


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("seqaudio")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'seqaudio' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
