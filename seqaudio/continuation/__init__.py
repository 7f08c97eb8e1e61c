"""A primer in, what comes next out: engines, sampling, grammar, and the way back into the piece."""

from seqaudio.continuation.continue_score import continue_score, continue_scores, generate_score
from seqaudio.continuation.engines import Engine, load_engine
from seqaudio.continuation.form import Form
from seqaudio.continuation.likelihood import Likelihood, score_likelihood
from seqaudio.continuation.piece import Continuation
from seqaudio.continuation.sampling import Sampling

__all__ = [
    "Continuation",
    "Engine",
    "Form",
    "Likelihood",
    "Sampling",
    "continue_score",
    "continue_scores",
    "generate_score",
    "load_engine",
    "score_likelihood",
]
