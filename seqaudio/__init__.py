"""seqaudio: recurrent models that continue music, and what is needed to train and judge them.

The names below are loaded when they are first used, so ``import seqaudio`` is quick and imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seqaudio.lazy_names import lazy_names

_PUBLIC = {
    "BarsTokenizer": "seqaudio.tokens",
    "Checkpoint": "seqaudio.models.checkpoint",
    "Continuation": "seqaudio.continuation",
    "FeatureOptions": "seqaudio.corpus.feature_options",
    "Form": "seqaudio.continuation",
    "FrameCorpus": "seqaudio.corpus.frames",
    "FramePPM": "seqaudio.models.baselines",
    "Limits": "seqaudio.files",
    "MarkovKeys": "seqaudio.models.baselines",
    "MatchCopy": "seqaudio.models.baselines",
    "MelodyTokenizer": "seqaudio.tokens",
    "MidiTokTokenizer": "seqaudio.tokens",
    "ModelConfig": "seqaudio.models.config",
    "NGram": "seqaudio.models.baselines",
    "PPM": "seqaudio.models.baselines",
    "PerformanceTokenizer": "seqaudio.tokens",
    "PianorollTokenizer": "seqaudio.tokens",
    "PrepareOptions": "seqaudio.corpus.options",
    "PreparedCorpus": "seqaudio.corpus.prepared",
    "Run": "seqaudio.training.run",
    "Sampling": "seqaudio.continuation",
    "Score": "seqaudio.music",
    "SeqAudioError": "seqaudio.errors",
    "Waveform": "seqaudio.music",
    "audio_facts": "seqaudio.files",
    "build_model": "seqaudio.models.config",
    "check_experiment": "seqaudio.training.config",
    "continue_score": "seqaudio.continuation",
    "continue_scores": "seqaudio.continuation",
    "continue_waveform": "seqaudio.continuation.continue_waveform",
    "degeneracy": "seqaudio.structure",
    "extract_features": "seqaudio.corpus.extract",
    "find_melody": "seqaudio.music",
    "generate_score": "seqaudio.continuation",
    "hear": "seqaudio.memory.heard",
    "load_experiment": "seqaudio.training.config",
    "load_model": "seqaudio.pretrained",
    "open_corpus": "seqaudio.training.material",
    "piece_nats": "seqaudio.training.evaluate",
    "prepare": "seqaudio.corpus.prepare",
    "probe_context": "seqaudio.memory.context_probe",
    "probe_gates": "seqaudio.memory.gate_probe",
    "probe_gradients": "seqaudio.memory.gradient_probe",
    "probe_recall": "seqaudio.memory.recall_probe",
    "probe_task": "seqaudio.memory.task_probe",
    "read_abc": "seqaudio.files",
    "read_audio": "seqaudio.files",
    "read_midi": "seqaudio.files",
    "score_likelihood": "seqaudio.continuation",
    "score_of_frames": "seqaudio.music.frames",
    "write_audio": "seqaudio.files",
    "write_midi": "seqaudio.files",
}
_ROOMS = (
    "continuation",
    "corpus",
    "errors",
    "features",
    "files",
    "memory",
    "models",
    "music",
    "pretrained",
    "report",
    "structure",
    "tokens",
    "training",
)
__all__ = list(_PUBLIC)

if TYPE_CHECKING:  # the same names, for type checkers and editors: what is not renamed to itself is not exported
    from seqaudio.continuation import (
        Continuation as Continuation,
        Form as Form,
        Sampling as Sampling,
        continue_score as continue_score,
        continue_scores as continue_scores,
        generate_score as generate_score,
        score_likelihood as score_likelihood,
    )
    from seqaudio.continuation.continue_waveform import continue_waveform as continue_waveform
    from seqaudio.corpus.extract import extract_features as extract_features
    from seqaudio.corpus.feature_options import FeatureOptions as FeatureOptions
    from seqaudio.corpus.frames import FrameCorpus as FrameCorpus
    from seqaudio.corpus.options import PrepareOptions as PrepareOptions
    from seqaudio.corpus.prepare import prepare as prepare
    from seqaudio.corpus.prepared import PreparedCorpus as PreparedCorpus
    from seqaudio.errors import SeqAudioError as SeqAudioError
    from seqaudio.files import (
        Limits as Limits,
        audio_facts as audio_facts,
        read_abc as read_abc,
        read_audio as read_audio,
        read_midi as read_midi,
        write_audio as write_audio,
        write_midi as write_midi,
    )
    from seqaudio.memory.context_probe import probe_context as probe_context
    from seqaudio.memory.gate_probe import probe_gates as probe_gates
    from seqaudio.memory.gradient_probe import probe_gradients as probe_gradients
    from seqaudio.memory.heard import hear as hear
    from seqaudio.memory.recall_probe import probe_recall as probe_recall
    from seqaudio.memory.task_probe import probe_task as probe_task
    from seqaudio.models.baselines import (
        PPM as PPM,
        FramePPM as FramePPM,
        MarkovKeys as MarkovKeys,
        MatchCopy as MatchCopy,
        NGram as NGram,
    )
    from seqaudio.models.checkpoint import Checkpoint as Checkpoint
    from seqaudio.models.config import ModelConfig as ModelConfig, build_model as build_model
    from seqaudio.music import Score as Score, Waveform as Waveform, find_melody as find_melody
    from seqaudio.music.frames import score_of_frames as score_of_frames
    from seqaudio.pretrained import load_model as load_model
    from seqaudio.structure import degeneracy as degeneracy
    from seqaudio.tokens import (
        BarsTokenizer as BarsTokenizer,
        MelodyTokenizer as MelodyTokenizer,
        MidiTokTokenizer as MidiTokTokenizer,
        PerformanceTokenizer as PerformanceTokenizer,
        PianorollTokenizer as PianorollTokenizer,
    )
    from seqaudio.training.config import check_experiment as check_experiment, load_experiment as load_experiment
    from seqaudio.training.evaluate import piece_nats as piece_nats
    from seqaudio.training.material import open_corpus as open_corpus
    from seqaudio.training.run import Run as Run


_load, _names = lazy_names(__name__, _PUBLIC, _ROOMS)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("seqaudio")
    return _load(name)


def __dir__() -> list[str]:
    return sorted({*_names(), "__version__"})
