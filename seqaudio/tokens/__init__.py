"""Score <-> integers. Every tokenizer keeps the contract of ``tokenizer.py``."""

from seqaudio.tokens.bars import BarsTokenizer
from seqaudio.tokens.chain import Chain, ChainTokenizer
from seqaudio.tokens.laws import check_tokenizer
from seqaudio.tokens.loading import load_tokenizer, make_tokenizer, tokenizer_from_json
from seqaudio.tokens.melody import MelodyTokenizer
from seqaudio.tokens.midi_tokenizers import MidiTokTokenizer
from seqaudio.tokens.own import register
from seqaudio.tokens.performance import PerformanceTokenizer
from seqaudio.tokens.pianoroll import PianorollTokenizer
from seqaudio.tokens.tokenizer import Loss, Tokenizer
from seqaudio.tokens.vocabulary import Vocabulary

__all__ = [
    "BarsTokenizer",
    "Chain",
    "ChainTokenizer",
    "Loss",
    "MelodyTokenizer",
    "MidiTokTokenizer",
    "PerformanceTokenizer",
    "PianorollTokenizer",
    "Tokenizer",
    "Vocabulary",
    "check_tokenizer",
    "load_tokenizer",
    "make_tokenizer",
    "register",
    "tokenizer_from_json",
]
