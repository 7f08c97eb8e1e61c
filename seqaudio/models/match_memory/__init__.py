"""A notebook of the piece so far: guesses from its own past, as inputs of a network and as pointers in its output."""

from seqaudio.models.match_memory.memory import Memory, Notebook

__all__ = ["Memory", "Notebook"]
