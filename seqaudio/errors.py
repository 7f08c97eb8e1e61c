"""What can go wrong? One class per reason a user can act on.

Every message is one line that says what came, what is allowed and what to do. The command line prints it after
``seqaudio:`` and exits with the class's ``exit_code``: 1 the run failed, 2 wrong usage, 3 no usable data.
"""


class SeqAudioError(Exception):
    """The family: catch this to catch everything seqaudio raises on purpose."""

    exit_code = 1


class BadFileError(SeqAudioError):
    """A file cannot be read as what it claims to be. The text begins with its path."""


class OverLimitError(BadFileError):
    """A file is well formed, but larger than the budget that protects the process; the text names the budget."""


class NoNotesError(SeqAudioError):
    """There is nothing to work on: a score without notes, a folder without usable pieces."""

    exit_code = 3


class NoSoundError(SeqAudioError):
    """There is no sound to work on: a recording of no samples, a folder without a readable one."""

    exit_code = 3


class OptionError(SeqAudioError):
    """An argument, option or configuration value is outside what is allowed."""

    exit_code = 2


class VocabularyError(SeqAudioError):
    """Token ids and vocabulary do not belong together."""


class BrokenLawError(SeqAudioError):
    """A tokenizer does not keep what all of them promise; the text says which law, and on what."""


class CheckpointError(SeqAudioError):
    """A model folder or weights file is missing something, damaged, or from a newer seqaudio."""


class DivergedError(SeqAudioError):
    """Training ran into numbers that are none; the text says at which step and what to change."""


class MissingDependencyError(SeqAudioError):
    """An optional package, or a tokenizer of one's own, is not here or does not work; the text says how to get it."""


class DownloadError(SeqAudioError):
    """A file did not come over the network; the text says which file to get by hand and where to put it."""
