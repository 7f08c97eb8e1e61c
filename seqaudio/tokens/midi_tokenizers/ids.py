"""Which of our ids stands for which of MidiTok's tokens?

Ours: PAD, BOS, EOS; then MidiTok's base tokens in its order; then, for a trained tokenizer, the learned ones, each of
which stands for several base tokens; last ``NextTrack_None`` where MidiTok writes one sequence per track. A tokenizer
of several vocabularies (CPWord, Octuple, MuMIDI) is written flat: the ids of its vocabularies follow one another, and a
step of k tokens takes k places. There ``Ignore_None`` is in most vocabularies; ours says which: ``IgnoreTempo_None``.
The id of a base token is its place among the base tokens, so an array over those serves for ids too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

PAD, BOS, EOS = range(3)
ENDS = ("PAD_None", "BOS_None", "EOS_None")
NEXT_TRACK = "NextTrack_None"
IGNORE = "Ignore_None"
LEARNED = "Joined"  # the kind of learned tokens: Joined_Pitch_60+Velocity_79
WORD = "|"  # stands in a learned token's name where a bar or beat begins
UNIGRAM_SPECIAL = "-unigram"  # MidiTok's doubles of the special tokens, which it never writes


@dataclass(frozen=True)
class Ids:
    """The tokens of a MidiTok tokenizer under our numbers."""

    miditok: Any
    """The tokenizer of the package miditok."""

    @cached_property
    def slots(self) -> tuple[tuple[str, ...], ...]:
        """Our names of each vocabulary's tokens, without the special ones; one vocabulary for most tokenizers."""
        if not self.miditok.is_multi_voc:
            return (tuple(n for n in self.miditok.vocab if n not in ENDS and not n.endswith(UNIGRAM_SPECIAL)),)
        special = set(self.miditok.special_tokens)
        return tuple(
            tuple(f"Ignore{kind}_None" if name == IGNORE else name for name in vocabulary if name not in special)
            for kind, vocabulary in zip(self.slot_kinds, self.miditok.vocab, strict=True)
        )

    @cached_property
    def slot_kinds(self) -> tuple[str, ...]:
        """What each of several vocabularies is for, by the kind of its last token."""
        last = [list(vocabulary)[-1].partition("_")[0] for vocabulary in self.miditok.vocab]
        return tuple(kind.removesuffix("Drum") for kind in last)

    @cached_property
    def base(self) -> tuple[str, ...]:
        """Names of the base tokens; the place is the id."""
        return (*ENDS, *(name for slot in self.slots for name in slot), *([NEXT_TRACK] if self.splits_tracks else []))

    @property
    def splits_tracks(self) -> bool:
        """Whether MidiTok writes one sequence for each track."""
        return not self.miditok.one_token_stream

    @cached_property
    def next_track(self) -> int:
        """The id of the token between two tracks; -1 where there is none."""
        return len(self.base) - 1 if self.splits_tracks else -1

    @cached_property
    def track_ends(self) -> frozenset[int]:
        """The ids before which a track is complete."""
        return frozenset({EOS, *self._between, self.of_base.get("Track_End", EOS)})

    @property
    def _between(self) -> tuple[int, ...]:
        return (self.next_track,) if self.splits_tracks else ()

    @cached_property
    def of_base(self) -> dict[str, int]:
        """The id of every base token."""
        return {name: i for i, name in enumerate(self.base)}

    @cached_property
    def _learned(self) -> list[tuple[int, str, tuple[int, ...]]]:
        """MidiTok's id, bytes and base tokens of every learned token, in the order of MidiTok's ids."""
        if not self.miditok.is_trained:
            return []
        of_bytes = self.miditok._vocab_learned_bytes_to_tokens
        rows = sorted((i, text) for text, i in self.miditok.vocab_model.items())
        known = [(i, text, tuple(self.of_base.get(name, PAD) for name in of_bytes[text])) for i, text in rows]
        return [(i, text, parts) for i, text, parts in known if text not in self._bytes_of_base]

    @cached_property
    def _bytes_of_base(self) -> dict[str, int]:
        """The id of each base token by the character that stands for it inside MidiTok's model."""
        return {byte: self.of_base[name] for name, byte in self._byte_of_name.items() if name in self.of_base}

    @cached_property
    def _byte_of_name(self) -> dict[str, str]:
        return {name: self.miditok._vocab_base_id_to_byte[i] for name, i in self.miditok.vocab.items()}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every token's name in id order."""
        names = dict.fromkeys(self.base)
        for _, text, parts in self._learned:
            name = f"{LEARNED}_{WORD * text.startswith(self._word_mark)}{'+'.join(self.base[i] for i in parts)}"
            while name in names:  # a model may hold one sequence of tokens in several forms
                name += "~"
            names[name] = None
        return tuple(names)

    @cached_property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """The base tokens that each id stands for; a mere beginning of a bar stands for none."""
        return (*((i,) for i in range(len(self.base))), *(parts for _, _, parts in self._learned))

    @cached_property
    def tree(self) -> dict[Any, Any]:
        """Learned tokens by their parts: base token -> subtree, and under ``ids`` those that end here."""
        root: dict[Any, Any] = {"ids": []}
        for token in range(len(self.base), len(self.parts)):
            node = root
            for part in self.parts[token]:
                node = node.setdefault(part, {"ids": []})
            node["ids"].append(token)
        return root

    @cached_property
    def _begins_word(self) -> NDArray[np.bool_]:
        marks = [text.startswith(self._word_mark) for _, text, _ in self._learned]
        return np.array([False] * len(self.base) + marks)

    @property
    def _word_mark(self) -> str:
        mark = getattr(self.miditok._model.pre_tokenizer, "replacement", None) if self.miditok.is_trained else None
        return mark or "\0"  # none: bytes that no token holds

    @cached_property
    def _of_model(self) -> dict[int, int]:
        """Our id for each id of the trained model."""
        ours = {self.miditok.vocab_model[text]: i for text, i in self._bytes_of_base.items() if self._has(text)}
        return ours | {i: len(self.base) + place for place, (i, _, _) in enumerate(self._learned)}

    def _has(self, text: str) -> bool:
        return text in self.miditok.vocab_model

    def of_sequence(self, sequence: Any) -> list[int]:
        """Our ids of a MidiTok ``TokSequence``: learned tokens where the model could write it all, else base ones."""
        if self.miditok.is_multi_voc:
            steps = [zip(self.slot_kinds, step, strict=False) for step in sequence.tokens]
            return [
                self.of_base[f"Ignore{kind}_None" if name == IGNORE else name] for step in steps for kind, name in step
            ]
        base = [self.of_base[name] for name in sequence.tokens]
        return self._learned_or(base, sequence.ids) if sequence.are_ids_encoded else base

    def _learned_or(self, base: list[int], model_ids: Sequence[int]) -> list[int]:
        """A model writes an unknown token for words that are too long; their base tokens stand here instead."""
        ids = [self._of_model[i] for i in model_ids]
        return ids if self.expanded(ids) == base else base

    def expanded(self, ids: Sequence[int]) -> list[int]:
        """The base tokens of ids."""
        return [part for i in ids for part in self.parts[i]]

    def rewritten(self, ids: Sequence[int], base: Sequence[int]) -> list[int]:
        """Ids for other base tokens in the places of those of ``ids``, word by word as those were."""
        if not self._learned:
            return list(base)
        written: list[int] = []
        word: list[int] = []
        place = 0
        for i in ids:
            parts = base[place : place + len(self.parts[i])]
            place += len(parts)
            fixed = i in (PAD, BOS, EOS, self.next_track)
            if fixed or self._begins_word[i] or (parts and self.base[parts[0]] == "Track_Start"):
                written += self._word(word)
                word = []
            if fixed:
                written.append(i)
            else:
                word += parts
        return written + self._word(word)

    def _word(self, base: list[int]) -> list[int]:
        if not base:
            return []
        text = "".join(self._byte_of_name[self.base[i]] for i in base)
        return self._learned_or(base, self.miditok._model.encode([text], is_pretokenized=True).ids)
