"""How does a network use a memory of the piece? It hears the guesses, and a gate says whose guess to copy, or none.

p(y) = g_0 p_head(y) + sum over sources s of g_s [y = guess of s]

The gate g is a softmax of what the recurrent layers and the memory say; a source without a guess is left out. Each part
is normalised, so the mixture is, and its likelihood is exact: two sources with the same guess add up.

Conventions: inputs (batch, time, numbers of a row), as :meth:`seqaudio.models.match_memory.Memory.heard` gives them.
Outputs (batch, time, n): those of the head, then the logarithms of the gate (1 + sources), then the guesses. A guess is
an id, or a frame in whole numbers of up to 24 keys each, which float32 holds exactly: a number a key would be most of a
step.

Sources: M. Mahoney 2005 and E. Grave et al. 2017 (see :mod:`seqaudio.models.match_memory.memory`); S. Merity et al.,
"Pointer sentinel mixture models", 2017 (the gate, with what is new as one of its choices).
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from seqaudio.errors import OptionError
from seqaudio.models.heads.head import Head, cooled
from seqaudio.models.match_memory.memory import LEFT_OUT, STRENGTHS

COUNTER_FEATURES = 8
KEYS_A_NUMBER = 24  # at most, of a packed frame: the bits of a float32 that no other bit rounds away


class MemoryGate(nn.Module):
    """What a model with a memory has beside encoder, layers and head.

    Args:
        width: numbers of a symbol: 1 of tokens, or the keys of a frame.
        symbols: in the vocabulary of tokens; None: frames.
        sources: of guesses.
        counters: lengths of their cycles.
        features: of a guess, as the network hears it.
        hidden_size: of the last recurrent layer.
    """

    powers: Tensor

    def __init__(
        self,
        width: int,
        symbols: int | None,
        sources: int,
        counters: tuple[int, ...],
        features: int,
        hidden_size: int,
    ) -> None:
        super().__init__()
        self.width, self.sources = width, sources
        self.numbers = 1 if symbols is not None else -(-width // KEYS_A_NUMBER)  # of a guess in the outputs
        keys = -(-width // self.numbers)  # of a packed number
        self.register_buffer("powers", 2.0 ** torch.arange(keys), persistent=False)
        self.sizes = [width, sources * width, sources, len(counters)]
        self.features_out = sources * features + COUNTER_FEATURES * len(counters)
        self.guess = nn.Linear(width, features, bias=False) if symbols is None else nn.Embedding(symbols, features)
        self.strength = nn.Embedding(sources * STRENGTHS, features)
        self.counter = nn.ModuleList(nn.Embedding(cycle, COUNTER_FEATURES) for cycle in counters)
        self.logits = nn.Linear(hidden_size + self.features_out, 1 + sources)
        self.trust = nn.Parameter(torch.zeros(sources * STRENGTHS))

    def split(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Symbols (batch, time) or (batch, time, keys), guesses (..., sources * width), strengths and counters.

        Raises OptionError for what are no rows of a memory, such as the steps of a piece alone.
        """
        if inputs.dim() != 3 or inputs.shape[-1] != sum(self.sizes):
            raise OptionError(
                f"inputs of shape {tuple(inputs.shape)} for a model with a memory, which hears (batch, time, "
                f"{sum(self.sizes)}); give memory.heard(piece) in place of the piece, the memory being "
                "checkpoint.memory(), or make_memory(config, vocabulary) of the model's config"
            )
        steps, guesses, strengths, counters = torch.split(inputs, self.sizes, dim=-1)
        if isinstance(self.guess, nn.Embedding):
            return steps[..., 0], guesses, strengths, counters
        return steps, guesses.float(), strengths.long(), counters.long()

    def features(self, guesses: Tensor, strengths: Tensor, counters: Tensor) -> Tensor:
        """What the network hears of the memory, (batch, time, features_out)."""
        if isinstance(self.guess, nn.Embedding):
            vectors = self.guess(guesses) * (strengths > 0)[..., None]
        else:
            vectors = self.guess(self._apart(guesses))  # of no guess no key sounds, and there is no bias
        vectors = vectors + self.strength(self._numbers(strengths))
        cycles = [table(counters[..., i]) for i, table in enumerate(self.counter)]
        return torch.cat([vectors.flatten(-2), *cycles], dim=-1)

    def forward(self, outputs: Tensor, hidden: Tensor, features: Tensor, guesses: Tensor, strengths: Tensor) -> Tensor:
        """The outputs of the head with gate and guesses behind them."""
        said = self.logits(torch.cat([hidden, features.to(hidden.dtype)], dim=-1)).float()
        trust = self.trust[self._numbers(strengths)]
        of_sources = (said[..., 1:] + trust).masked_fill(strengths == 0, LEFT_OUT)
        gate = torch.cat([said[..., :1], of_sources], dim=-1).log_softmax(dim=-1)
        told = (
            guesses.float() if isinstance(self.guess, nn.Embedding) else self._packed(self._apart(guesses)).flatten(-2)
        )
        return torch.cat([outputs.float(), gate, told], dim=-1)

    def _numbers(self, strengths: Tensor) -> Tensor:
        """A number for each source and strength."""
        return strengths + STRENGTHS * torch.arange(self.sources, device=strengths.device)

    def parts(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The head's own outputs, the logarithms of the gate, and the guesses (..., sources, numbers)."""
        behind = [1 + self.sources, self.sources * self.numbers]
        own, gate, guesses = torch.split(outputs, [outputs.shape[-1] - sum(behind), *behind], dim=-1)
        return own, gate, guesses.reshape(*guesses.shape[:-1], self.sources, self.numbers)

    def _apart(self, guesses: Tensor) -> Tensor:
        """From (..., sources * width) to (..., sources, width)."""
        return guesses.reshape(*guesses.shape[:-1], self.sources, self.width)

    def nats(self, head: Head, outputs: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of the targets, (batch, time)."""
        own, gate, guesses = self.parts(outputs)
        if isinstance(self.guess, nn.Embedding):
            hits = guesses[..., 0] == targets[..., None]
        else:
            hits = (guesses == self._packed((targets > 0.5).float())[..., None, :]).all(dim=-1)
        copied = gate[..., 1:].masked_fill(~hits, LEFT_OUT)
        return -torch.cat([gate[..., :1] - head.nats(own, targets)[..., None], copied], dim=-1).logsumexp(dim=-1)

    def sample(
        self, head: Head, outputs: Tensor, generator: Generator, temperature: float, gate_temperature: float | Tensor
    ) -> Tensor:
        """Targets drawn: first whose guess to copy, at a temperature of its own, then, if none, from the head.

        The gate's may be one for each row, (batch, 1, 1).
        """
        own, gate, guesses = self.parts(outputs)
        drawn = head.sample(own, generator, temperature)
        chances = cooled(gate, gate_temperature).softmax(dim=-1).reshape(-1, 1 + self.sources)
        choice = torch.multinomial(chances, 1, generator=generator).reshape(gate.shape[:-1])
        place = (choice - 1).clamp(min=0)[..., None, None].expand(*choice.shape, 1, self.numbers)
        copied = guesses.gather(-2, place)[..., 0, :]
        if isinstance(self.guess, nn.Embedding):
            return torch.where(choice > 0, copied[..., 0].long(), drawn)
        return torch.where((choice > 0)[..., None], self._unpacked(copied), drawn)

    def _packed(self, frames: Tensor) -> Tensor:
        """Frames (..., width), float, as whole numbers (..., numbers)."""
        keys = len(self.powers)
        whole = functional.pad(frames, (0, self.numbers * keys - self.width)) if self.width % keys else frames
        with torch.autocast(frames.device.type, enabled=False):  # float16 and bfloat16 have fewer bits
            numbers: Tensor = whole.reshape(*frames.shape[:-1], self.numbers, keys) @ self.powers
        return numbers

    def _unpacked(self, numbers: Tensor) -> Tensor:
        """Frames (..., width), bool, of whole numbers (..., numbers)."""
        bits = torch.arange(len(self.powers), device=numbers.device)
        keys: Tensor = (numbers.long()[..., None] >> bits) & 1  # (..., numbers, keys of each)
        return keys.flatten(-2)[..., : self.width].bool()
