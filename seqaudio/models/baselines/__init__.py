"""How predictable is a piece from counts alone? Models without learning, the baselines any learned model has to beat.

Conventions: a piece is a one-dimensional integer array of token ids in ``0..vocabulary_size - 1``. An order-n model
looks at the last n tokens and no further; contexts never cross the border between pieces, so the first token of a
piece is predicted from the empty context. Probabilities are natural logarithms, losses are nats (1 bit = 0.693 nats),
one per token. Every distribution is exactly normalised and gives no token probability zero. The models are functions
of the counts alone: the order in which pieces are fitted changes nothing, and a model never fitted is uniform.
"""

from seqaudio.models.baselines.ngram import NGram
from seqaudio.models.baselines.ppm import PPM

__all__ = ["PPM", "NGram"]
