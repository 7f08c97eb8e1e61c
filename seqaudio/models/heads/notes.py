"""How likely is a frame, named key after key?

A frame is the list of its sounding keys, from the highest down, and an end. Each next one is chosen by a softmax over
the keys below the last and the end, so the probabilities of all 2^keys frames sum to one. A frame of n keys takes n + 1
decisions. Given the frame they do not wait for each other: all decisions of a batch are rows of one flat list.

Inside, keys are counted in the order of naming ("places": 0 is the key that comes first), so a place may be chosen
where it is greater than the last one. The end is the place behind all keys, the last place before any choice is -1.

Sources: NADE, Larochelle & Murray 2011, and RNN-NADE, Boulanger-Lewandowski et al. 2012: there a decision is made for
every key, here for every key that sounds, which is a twentieth of the work.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from seqaudio.models.heads.head import Head, draw

SMALL = 0.1  # deviation of the vectors of keys: a few of them together stay below the hidden state's part


class NotesHead(Head):
    """Keys of a frame one after the other, each knowing those before it.

    The hidden vector of a decision is relu(A h + the sum of E[key] over the keys chosen so far + L[last key]); a matrix
    and a bias make it the logits of all keys and the end.

    Args:
        hidden_size: features of the last recurrent layer.
        keys: of a frame.
        features: of the hidden vector of a decision.
        highest_first: name keys from the highest down; else from the lowest up.
    """

    def __init__(self, hidden_size: int, keys: int, features: int, *, highest_first: bool = True) -> None:
        super().__init__()
        self.keys = keys
        self.highest_first = highest_first
        self.projection = nn.Linear(hidden_size, features)  # A
        self.chosen = nn.Parameter(SMALL * torch.randn(keys, features))  # E, by place
        self.last = nn.Parameter(SMALL * torch.randn(keys + 1, features))  # L, by place + 1
        self.logits = nn.Linear(features, keys + 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """What the hidden states say to every decision, (batch, time, features)."""
        outputs: Tensor = self.projection(hidden)
        return outputs

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of frames (batch, time, keys), shape (batch, time).

        The sums run in float32 under autocast too: it is many small terms that make a frame.
        """
        with torch.autocast(outputs.device.type, enabled=False):
            sounding = self._turned(targets > 0.5).flatten(0, -2)  # (frames, keys)
            frame, place = sounding.nonzero(as_tuple=True)  # of each note, in the order of naming
            decisions = sounding.sum(dim=1) + 1  # (frames,)
            of_frame = torch.arange(len(sounding), device=frame.device).repeat_interleave(decisions)
            number = torch.arange(len(frame), device=frame.device) + frame  # of each note's decision: an end per frame
            chosen_place = torch.full_like(of_frame, self.keys).index_copy(0, number, place)
            last = torch.full_like(of_frame, -1).index_copy(0, number + 1, place)
            chosen = sounding.index_select(0, of_frame) & (self._places(last) <= last[:, None])  # before each decision
            logits = self._decide(outputs.float().flatten(0, -2).index_select(0, of_frame), chosen, last)
            nats = functional.cross_entropy(logits, chosen_place, reduction="none")  # (decisions,)
            return nats.new_zeros(len(sounding)).index_add(0, of_frame, nats).reshape(targets.shape[:-1])

    def sample(self, outputs: Tensor, generator: Generator, temperature: float = 1.0) -> Tensor:
        """Frames (batch, time, keys), bool; see :meth:`Head.sample`."""
        base = outputs.float().flatten(0, -2)  # (frames, features)
        sounding = torch.zeros(len(base), self.keys, dtype=torch.bool, device=base.device)
        open_frames = torch.arange(len(base), device=base.device)
        last = torch.full_like(open_frames, -1)
        while len(open_frames):
            place = draw(self._decide(base[open_frames], sounding[open_frames], last), generator, temperature)
            goes_on = place < self.keys
            open_frames, last = open_frames[goes_on], place[goes_on]
            sounding[open_frames, last] = True
        return self._turned(sounding).reshape(*outputs.shape[:-1], self.keys)

    def _decide(self, base: Tensor, chosen: Tensor, last: Tensor) -> Tensor:
        """Logits (decisions, keys + 1) from A h (decisions, features), keys chosen (decisions, keys) and last place.

        The sum over chosen keys is a product with a matrix of zeros and ones: exact for each frame by itself, where
        a running sum over a whole batch would lose digits.
        """
        before = torch.addmm(base, chosen.float(), self.chosen) + functional.embedding(last + 1, self.last)
        logits: Tensor = self.logits(before.relu_())
        impossible = functional.pad(self._places(last) <= last[:, None], (0, 1))  # the end is always possible
        return logits.masked_fill_(impossible, torch.finfo(logits.dtype).min)

    def _places(self, like: Tensor) -> Tensor:
        return torch.arange(self.keys, device=like.device)

    def _turned(self, frames: Tensor) -> Tensor:
        """From keys to places or back."""
        return frames.flip(-1) if self.highest_first else frames
