"""A primer in, what comes next out: engines, sampling, grammar, and the way back into the piece."""

from seqaudio.continuation.continue_score import Continuation, continue_primers, continue_score, generate_score
from seqaudio.continuation.engines import Engine, load_engine
from seqaudio.continuation.form import Form
from seqaudio.continuation.likelihood import Likelihood, score_likelihood
from seqaudio.continuation.sampling import Sampling

__all__ = [
    "Continuation",
    "Engine",
    "Form",
    "Likelihood",
    "Sampling",
    "continue_primers",
    "continue_score",
    "generate_score",
    "load_engine",
    "score_likelihood",
]
