"""Any tokenizer of the package MidiTok, behind the contract of ``tokens/tokenizer.py``."""

from seqaudio.tokens.midi_tokenizers.tokenizer import MidiTokTokenizer

__all__ = ["MidiTokTokenizer"]
