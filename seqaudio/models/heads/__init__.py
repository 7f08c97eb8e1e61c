"""How does a hidden state become a probability of what comes next? Exact, normalised likelihoods, and draws from them.

Which head for what: :class:`CategoricalHead` for tokens; for frames :class:`BernoulliHead` and
:class:`MarginalHead` (each key by itself), :class:`NotesHead` (key after key) and :class:`JointHead` (whole frames met
in training, others by another head); :class:`MixtureHead` for frames of real numbers.
"""

from seqaudio.models.heads.bernoulli import BernoulliHead
from seqaudio.models.heads.categorical import CategoricalHead
from seqaudio.models.heads.head import Head
from seqaudio.models.heads.joint import JointHead
from seqaudio.models.heads.known_frames import KnownFrames, distinct_frames
from seqaudio.models.heads.marginal import MarginalHead
from seqaudio.models.heads.mixture import MixtureHead
from seqaudio.models.heads.notes import NotesHead

__all__ = [
    "BernoulliHead",
    "CategoricalHead",
    "Head",
    "JointHead",
    "KnownFrames",
    "MarginalHead",
    "MixtureHead",
    "NotesHead",
    "distinct_frames",
]
