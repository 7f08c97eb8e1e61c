"""Score <-> integers. Every tokenizer keeps the contract of ``tokenizer.py``."""

from seqaudio.tokens.bars import BarsTokenizer
from seqaudio.tokens.tokenizer import Loss, Tokenizer
from seqaudio.tokens.vocabulary import Vocabulary

__all__ = ["BarsTokenizer", "Loss", "Tokenizer", "Vocabulary"]
