"""Where does a fine-tuning begin? At the weights of another model, which must know the corpus's tokens.

What a run has to remember of that model stands in ``init.json`` in its folder: a run that goes on does not read the
model again, which may be gone or another by then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ValidationError

from seqaudio.corpus.frames import FrameCorpus
from seqaudio.corpus.options import prepare_command
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import CheckpointError, OptionError, VocabularyError
from seqaudio.files.atomic import shown, write_bytes
from seqaudio.models.checkpoint import Checkpoint, sha256
from seqaudio.models.config import MAY_DIFFER, ModelConfig
from seqaudio.training.config import Experiment, FramesConfig, differences

ORIGIN = "init.json"


class Origin(BaseModel, frozen=True, extra="forbid"):
    """What a run remembers of the model it began from.

    Attributes:
        name: as the experiment names it.
        sha256: of its weights file.
        model: its sizes.
        pitch_range: lowest and highest pitch it had met.
        programs: instruments it had met, drums as -1; None: nobody knows.
        metres: how many of its pieces were in each metre; None: nobody knows.
    """

    name: str
    sha256: str
    model: ModelConfig
    pitch_range: tuple[int, int]
    programs: frozenset[int] | None = None
    metres: dict[str, int] | None = None

    @classmethod
    def load(cls, folder: Path) -> Origin:
        """Read what :meth:`save` wrote. Raises CheckpointError when it is gone or damaged."""
        try:
            return cls.model_validate_json((folder / ORIGIN).read_bytes())
        except (OSError, ValidationError):
            raise CheckpointError(
                f"{shown(folder / ORIGIN)}: missing or damaged; start again in a new folder with --out"
            ) from None

    def save(self, folder: Path) -> None:
        """Write it to the folder of a run."""
        write_bytes(folder / ORIGIN, self.model_dump_json(indent=1).encode())

    def sized(self, experiment: Experiment) -> Experiment:
        """The experiment with this model's settings wherever it names none of its own.

        Raises:
            OptionError: it names other sizes; the text lists all of them.
        """
        asked = {name: getattr(experiment.model, name) for name in experiment.model.model_fields_set}
        wanted, own = (
            model.model_dump(include=asked.keys() - set(MAY_DIFFER)) for model in (experiment.model, self.model)
        )
        other = [f"{name} is {now!r}, there {was!r}" for name, was, now in differences(own, wanted, "model.")]
        if other:
            raise OptionError(
                f"init: the sizes are those of {shown(self.name)} ({'; '.join(sorted(other))}); leave them out"
            )
        return experiment.model_copy(update={"model": self.model.model_copy(update=asked)})

    def with_pitches(self, low: int, high: int) -> tuple[int, int]:
        """The pitch range of a model that has met these pitches too."""
        return min(low, self.pitch_range[0]), max(high, self.pitch_range[1])

    def with_programs(self, met: Sequence[int]) -> list[int] | None:
        """The instruments of a model that has met these too; None: nobody knows."""
        return None if self.programs is None else sorted(self.programs.union(met))

    def with_metres(self, met: Mapping[str, int]) -> dict[str, int] | None:
        """The metres of a model that has met so many pieces in these too; None: nobody knows."""
        return None if self.metres is None else dict((Counter(self.metres) + Counter(met)).most_common())


def begin(
    experiment: Experiment, corpus: PreparedCorpus | FrameCorpus, find_model: Callable[[str], Path]
) -> tuple[Experiment, Origin, Checkpoint]:
    """Read the model that ``experiment.init`` names.

    Args:
        experiment: with ``init``.
        corpus: what will be trained on.
        find_model: from the name in the experiment to a model folder or weights file.

    Returns:
        The experiment with the model's sizes, what to remember of the model, and its weights under the experiment's
        settings.

    Raises:
        CheckpointError: there is no such model, or it is damaged.
        VocabularyError: its tokens are not the corpus's.
        OptionError: the experiment asks for other sizes, or is one of frames.
    """
    name = str(experiment.init)
    if isinstance(corpus, FrameCorpus) or isinstance(experiment.corpus, FramesConfig):
        raise OptionError(f"init: {shown(name)}: only models of tokens can be trained further; leave init out")
    path = find_model(name)
    checkpoint = Checkpoint.load(path)
    check_vocabulary(checkpoint, corpus, name, experiment.corpus.prepared)
    if not all(np.isfinite(tensor).all() for tensor in checkpoint.weights.values()):
        raise CheckpointError(
            f"{shown(name)}: has weights that are no numbers, so its training went wrong; name another"
        )
    origin = Origin(
        name=name,
        sha256=sha256(path),
        model=checkpoint.config,
        pitch_range=checkpoint.pitch_range,
        programs=checkpoint.programs,
        metres=checkpoint.metres,
    )
    experiment = origin.sized(experiment)
    return experiment, origin, replace(checkpoint, config=experiment.model)


def check_vocabulary(checkpoint: Checkpoint, corpus: PreparedCorpus, model: str, folder: str) -> None:
    """Raises VocabularyError, with the cure, when the ids of a corpus mean other things to a model."""
    theirs, ours = checkpoint.require_tokenizer(), corpus.tokenizer
    if theirs.name == ours.name and theirs.vocabulary.names == ours.vocabulary.names:
        return
    there, here = set(theirs.vocabulary.kinds), set(ours.vocabulary.kinds)
    kinds = [
        f"{whose} has {', '.join(sorted(own))}"
        for whose, own in (("only the corpus", here - there), ("only the model", there - here))
        if own
    ]
    what = "; ".join([f"{ours.name}, {len(ours.vocabulary)} tokens", *kinds])
    raise VocabularyError(
        f"{shown(folder)}: its tokens ({what}) are not those of {shown(model)} ({theirs.name}, "
        f"{len(theirs.vocabulary)} tokens); make a corpus that fits: {prepare_command(theirs)}"
    )
