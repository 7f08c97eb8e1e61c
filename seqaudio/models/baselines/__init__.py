"""How predictable is a piece from counts alone? Models without learning, the baselines any learned model has to beat.

For tokens: ``NGram`` and ``PPM``. For frames: ``MarkovKeys``, every key by itself, and ``FramePPM``, whole frames. Over
any of them: ``MatchCopy``, which also repeats what followed the longest match in the piece's own past.

Conventions: a piece of tokens is a one-dimensional integer array of ids in ``0..vocabulary_size - 1``, a piece of
frames a bool array of shape (steps, keys). ``fit(pieces)`` learns from training pieces and forgets what it knew,
``nats(piece)`` gives -log p in nats (1 bit = 0.693 nats): one a token, shape (tokens,), the first token predicted from
nothing; one a frame but the first, shape (steps - 1,), the first frame being known, as the polyphonic benchmark has it.
An order-n model looks at the last n symbols and no further; contexts never cross the border between pieces.

Every distribution is exactly normalised and gives nothing probability zero. The models are functions of the counts
alone: the order in which pieces are fitted changes nothing, and a model never fitted is uniform.
"""

from seqaudio.models.baselines.frame_ppm import FramePPM
from seqaudio.models.baselines.markov_keys import MarkovKeys
from seqaudio.models.baselines.match_copy import MatchCopy
from seqaudio.models.baselines.ngram import NGram
from seqaudio.models.baselines.ppm import PPM

__all__ = ["PPM", "FramePPM", "MarkovKeys", "MatchCopy", "NGram"]
