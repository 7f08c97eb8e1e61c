"""Where does a line of MidiTok tokens stand, and which of our tokens may come next?

The rules are about base tokens. A learned token stands for several, and may come where all of them may, one after the
other. They are kept in a tree of their parts, so that a beginning that may not come rules out all that share it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import VocabularyError
from seqaudio.tokens.midi_tokenizers.ids import Ids


class Rules(Hashable, Protocol):
    """What may follow what, in base tokens; the states are hashable values."""

    @property
    def ids(self) -> Ids:
        """The tokens."""
        ...

    def start(self) -> Any:
        """Before BOS."""
        ...

    def mask(self, state: Any) -> NDArray[np.bool_]:
        """Which base tokens may follow, shape (base tokens,)."""
        ...

    def after(self, state: Any, token: int) -> Any:
        """The state once an allowed token is written."""
        ...

    def complete(self, state: Any) -> bool:
        """Whether nothing is half written."""
        ...

    def closing(self, state: Any) -> list[int]:
        """What must be written for a track to end."""
        ...

    def miditok_tokens(self, base: list[int]) -> list[Any]:
        """MidiTok's names of a track's tokens."""
        ...


@lru_cache(maxsize=16384)
def base_mask(rules: Rules, state: Any) -> NDArray[np.bool_]:
    """Which base tokens may follow, shape (base tokens,), read-only."""
    mask = rules.mask(state)
    mask.flags.writeable = False
    return mask


def base_after(rules: Rules, state: Any, token: int) -> Any:
    """The state once a base token is written. Raises VocabularyError when the rules forbid it."""
    if not base_mask(rules, state)[token]:
        raise VocabularyError(f"token {rules.ids.base[token]} may not follow {state.last or 'nothing'} here")
    return rules.after(state, token)


@dataclass(frozen=True)
class MidiTokState:
    """Where a line of tokens stands."""

    rules: Rules
    base: Any
    idle: bool = False  # the last token was a mere beginning of a bar, which may not be written twice

    def after(self, token: int) -> MidiTokState:
        """The state once ``token`` is written. Raises VocabularyError when the grammar forbids it."""
        parts = self.rules.ids.parts
        if not 0 <= token < len(parts):
            raise VocabularyError(f"token {token} may not follow {self.base.last or 'nothing'} here")
        if not parts[token] and (self.idle or not self.base.last):
            raise VocabularyError(f"token {self.rules.ids.names[token]} may not follow itself")
        state = self.base
        for part in parts[token]:
            state = base_after(self.rules, state, part)
        return replace(self, base=state, idle=not parts[token])


@lru_cache(maxsize=8192)
def allowed(state: MidiTokState) -> NDArray[np.bool_]:
    """Which tokens may follow, shape (vocabulary,), read-only."""
    rules = state.rules
    base = base_mask(rules, state.base)
    if len(rules.ids.parts) == len(base):
        return base
    mask = np.zeros(len(rules.ids.parts), dtype=bool)
    mask[: len(base)] = base
    for token in rules.ids.tree["ids"]:  # the mere beginnings of a bar
        mask[token] = base.sum() > 1 and not state.idle
    _allow(rules, state.base, rules.ids.tree, mask)
    mask.flags.writeable = False
    return mask


def _allow(rules: Rules, state: Any, tree: dict[Any, Any], mask: NDArray[np.bool_]) -> None:
    """Open the learned tokens whose parts may follow a state."""
    base = base_mask(rules, state)
    for part, subtree in tree.items():
        if part == "ids" or not base[part]:
            continue
        mask[subtree["ids"]] = True
        if len(subtree) > 1:
            _allow(rules, rules.after(state, part), subtree, mask)
