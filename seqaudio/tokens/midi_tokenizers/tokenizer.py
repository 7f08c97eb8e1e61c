"""How does any MidiTok tokenizer, a trained one included, keep the contract of ``tokenizer.py``?

MidiTok writes and reads the tokens; here its ids get our numbers (``ids.py``), a grammar
(``grammar.py``, ``compounds.py``) and an account of what is lost (``loss.py``). MidiTok does
not always read back what it wrote, so ``decode`` gives the score it settles on when written and read once more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import CheckpointError, OptionError, VocabularyError
from seqaudio.music.score import IntArray, Score
from seqaudio.tokens.midi_tokenizers.compounds import StepGrammar
from seqaudio.tokens.midi_tokenizers.exchange import probe, read_settled, words, written
from seqaudio.tokens.midi_tokenizers.grammar import STRIKES, LineGrammar
from seqaudio.tokens.midi_tokenizers.ids import BOS, EOS, PAD, Ids
from seqaudio.tokens.midi_tokenizers.loss import Kept, lost
from seqaudio.tokens.midi_tokenizers.params import (
    KEYS,
    VERSIONS,
    from_params,
    installed_versions,
    make,
    params_of,
    silenced,
)
from seqaudio.tokens.midi_tokenizers.state import MidiTokState, Rules, allowed, base_after
from seqaudio.tokens.midi_tokenizers.transpose import leaves_the_range, moved
from seqaudio.tokens.tokenizer import Loss
from seqaudio.tokens.vocabulary import Vocabulary


class MidiTokTokenizer:
    """A MidiTok tokenizer behind the tokenizer contract.

    Raises:
        OptionError: MidiTok does not save all of its tokens, or cannot read back what it writes under its options.
        MissingDependencyError: MidiTok is not installed.
    """

    name: ClassVar[str] = "midi-tokenizers"

    def __init__(self, miditok: Any) -> None:
        """Takes a live object of the package miditok; later changes to it change nothing here."""
        params = params_of(miditok)
        again = from_params(params)
        if again.vocab != miditok.vocab:
            raise OptionError("this MidiTok tokenizer has tokens that its save() leaves out; add none by hand")
        self._take(again, params)

    def _take(self, miditok: Any, params: Mapping[str, Any]) -> None:
        self._miditok = miditok
        self.params = {key: params[key] for key in ("tokenization", *KEYS, *VERSIONS) if key in params}
        self.ids = Ids(self._miditok)
        self.rules: Rules = StepGrammar(self.ids) if self._miditok.is_multi_voc else LineGrammar(self.ids)
        probe(self._miditok)

    @classmethod
    def of(cls, kind: str, config: Mapping[str, Any] | None = None) -> MidiTokTokenizer:
        """A tokenizer by the name of its MidiTok class and options of MidiTok's ``TokenizerConfig``.

        Raises:
            OptionError: no such kind or option, or MidiTok refuses them.
            MissingDependencyError: MidiTok is not installed.
        """
        return cls(make(kind, config or {}))

    @classmethod
    def from_file(cls, path: str | Path) -> MidiTokTokenizer:
        """A tokenizer from the parameter file that MidiTok's ``save`` wrote. Raises CheckpointError, OSError."""
        try:
            params = json.loads(Path(path).read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as problem:
            raise CheckpointError(f"{path}: not a parameter file of MidiTok: {problem!r}") from None
        return cls._of_params(params)

    @classmethod
    def _of_params(cls, params: Any) -> MidiTokTokenizer:
        tokenizer = cls.__new__(cls)  # the parameters stay as they stand: a model rounds its numbers when read
        tokenizer._take(from_params(params), params)
        return tokenizer

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> MidiTokTokenizer:
        """A tokenizer as the command line asks for one.

        Args:
            settings: ``file``, a parameter file of MidiTok; or ``kind`` (REMI if left out, TSD, ...) and options of
                MidiTok. Text is read as JSON where it is JSON: ``"true"``, ``"16"``, ``"[21, 108]"``.

        Raises:
            OptionError: no such kind or option, or MidiTok refuses them.
            CheckpointError: the file is no parameter file of MidiTok.
            MissingDependencyError: MidiTok is not installed.
        """
        options = {name: _from_text(value) for name, value in settings.items()}
        if "file" in options:
            if len(options) > 1:
                raise OptionError("a tokenizer from a file takes no other setting; leave the others out")
            try:
                return cls.from_file(options["file"])
            except OSError as problem:
                raise OptionError(f"{options['file']}: cannot be read: {problem.strerror}") from None
        return cls.of(options.pop("kind", "REMI"), options)

    def train(self, scores: Iterable[Score], vocabulary_size: int, model: str = "BPE") -> MidiTokTokenizer:
        """A tokenizer with the same base tokens that has learned to join those that often stand together.

        Args:
            scores: what to learn from.
            vocabulary_size: MidiTok's tokens after training, base tokens included.
            model: ``BPE``, ``Unigram`` or ``WordPiece``.

        Raises:
            OptionError: no such model, a tokenizer of several vocabularies, or a size that leaves nothing to learn.
        """
        fresh = from_params({k: v for k, v in self.params.items() if k in ("config", "tokenization")})
        if fresh.is_multi_voc:
            raise OptionError(f"MidiTok's {self.params['tokenization']} cannot be trained; take one of one vocabulary")
        if model not in ("BPE", "Unigram", "WordPiece"):
            raise OptionError(f"no model {model!r} can be trained; there are BPE, Unigram and WordPiece")
        if vocabulary_size <= len(fresh):
            raise OptionError(f"vocabulary_size must be above the {len(fresh)} base tokens, not {vocabulary_size}")
        samples = [words(fresh, sequence) for score in scores for sequence in written(fresh, score)]
        with silenced():
            fresh.train(vocab_size=vocabulary_size, model=model, iterator=samples)
        return type(self)(fresh)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """PAD, BOS and EOS, MidiTok's base tokens, learned ones, and the token between tracks where there is one."""
        return Vocabulary(self.ids.names)

    def encode(self, score: Score) -> NDArray[np.int64]:
        """Token ids from BOS to EOS, shape (tokens,). Raises OptionError when MidiTok cannot write the score."""
        ids = [BOS]
        for number, sequence in enumerate(written(self._miditok, score)):
            ids += [self.ids.next_track] * (number > 0) + self.ids.of_sequence(sequence)
        return np.array([*ids, EOS], dtype=np.int64)

    @property
    def kind(self) -> str:
        """The name of the MidiTok class."""
        return str(self.params["tokenization"])

    def quantize(self, score: Score) -> tuple[Score, Loss]:
        """What the tokens hold of a score, as a score, and what was lost on the way."""
        grid = self.decode(self.encode(score))
        return grid, lost(score, grid, Kept.by(self._miditok))

    def decode(self, ids: ArrayLike) -> Score:
        """The score at MidiTok's own resolution; a note not yet complete at the end is left out.

        Raises:
            VocabularyError: an id is outside the vocabulary, or one of them breaks the grammar.
        """
        return read_settled(self._miditok, self._tracks(self.vocabulary.checked(ids)))

    def _tracks(self, ids: IntArray) -> list[list[Any]]:
        """MidiTok's names of the base tokens, track by track, once the grammar has agreed to every one of them."""
        rules, state = self.rules, self.rules.start()
        if not len(ids) or ids[0] != BOS:
            state = rules.after(state, BOS)
        tracks: list[list[int]] = [[]]
        whole, sounding = 0, state  # up to where the track is complete, and the state there
        for token in self.ids.expanded(ids.tolist()):
            if token in self.ids.track_ends:
                tracks[-1] += rules.closing(state)
            state = base_after(rules, state, token)
            if token == self.ids.next_track:
                tracks.append([])
            elif token not in (PAD, BOS, EOS):
                tracks[-1].append(token)
            if rules.complete(state):
                whole, sounding = len(tracks[-1]), state
        if not len(ids) or ids[-1] not in (PAD, EOS):
            tracks[-1] = tracks[-1][:whole] + rules.closing(sounding)
        return [rules.miditok_tokens(track) for track in tracks if track]

    @cached_property
    def pitch_of_token(self) -> NDArray[np.int64]:
        """The pitch that each token names (a learned token: its first), -1 where there is none, shape (vocabulary,)."""
        pitches = np.full(len(self.ids.base), -1)
        for i, (kind, _, value) in enumerate(name.partition("_") for name in self.ids.base):
            if kind in ("Pitch", "NoteOn"):
                pitches[i] = int(value)
        return np.array([next((int(pitches[i]) for i in parts if pitches[i] >= 0), -1) for parts in self.ids.parts])

    @cached_property
    def begins_note(self) -> NDArray[np.bool_]:
        """Which tokens strike a note, or several where they are learned, shape (vocabulary,)."""
        strikes = [name.partition("_")[0] in STRIKES for name in self.ids.base]
        return np.array([any(strikes[i] for i in parts) for parts in self.ids.parts])

    def start(self) -> MidiTokState:
        """The grammar before BOS."""
        return MidiTokState(self.rules, self.rules.start())

    def grammar(self, state: MidiTokState) -> NDArray[np.bool_]:
        """Which tokens may follow a state, shape (vocabulary,)."""
        return allowed(state)

    def transpose(self, ids: IntArray, semitones: int) -> IntArray:
        """Pitched notes moved by semitones, drums not; a trained model then joins tokens anew.

        Raises:
            VocabularyError: a pitch would leave MidiTok's pitch range.
        """
        out = moved(self.ids, self.ids.expanded(self.vocabulary.checked(ids).tolist()), semitones)
        if self._miditok.config.use_pitch_intervals and semitones:  # a pitch that an interval leads to may leave too
            try:
                self._tracks(np.array(out))
            except VocabularyError:
                raise leaves_the_range(self.ids, semitones) from None
        return np.array(self.ids.rewritten(ids.tolist(), out), dtype=np.int64)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MidiTokTokenizer) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"MidiTokTokenizer({self.kind}, {len(self.vocabulary)} tokens)"

    def to_json(self) -> str:
        """Everything needed to rebuild the tokenizer: MidiTok's parameters, its versions, and the token names."""
        return json.dumps({"tokenizer": self.name, "miditok": self.params, "tokens": self.vocabulary.names})

    @classmethod
    def from_json(cls, text: str) -> MidiTokTokenizer:
        """The tokenizer that :meth:`to_json` wrote.

        Raises:
            CheckpointError: it was another one, or the installed MidiTok writes other tokens.
            MissingDependencyError: MidiTok is not installed.
        """
        try:
            stored = json.loads(text)
            params, names = stored["miditok"], tuple(stored["tokens"])
            named = stored["tokenizer"] == cls.name
        except (ValueError, LookupError, TypeError, RecursionError) as problem:
            raise CheckpointError(
                f"not a MidiTok tokenizer: {problem!r}; save one with MidiTokTokenizer.save"
            ) from None
        if not named:
            raise CheckpointError(f"this is the tokenizer {stored['tokenizer']!r}, not {cls.name}")
        try:
            tokenizer = cls._of_params(params)
        except OptionError as problem:
            raise CheckpointError(f"not a MidiTok tokenizer that can be used here: {problem}") from None
        if tokenizer.vocabulary.names != names:
            was = ", ".join(f"{key.partition('_version')[0]} {params.get(key)}" for key in VERSIONS)
            now = ", ".join(f"{key.partition('_version')[0]} {found}" for key, found in installed_versions().items())
            raise CheckpointError(f"the tokenizer was saved by {was}; the installed {now} write other tokens")
        return tokenizer

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> MidiTokTokenizer:
        """Read a tokenizer that :meth:`save` wrote."""
        return cls.from_json(Path(path).read_text(encoding="utf-8"))


def _from_text(value: Any) -> Any:
    """A setting as JSON has it, or as it stands."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
