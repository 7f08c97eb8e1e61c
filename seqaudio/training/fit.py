"""How is a model trained on pieces that are in memory, and have no pitch: characters of a text, a measured series?

By the loop that trains everything else (:mod:`seqaudio.training.loop`), with nothing on disk: the best weights by
validation are kept in memory and are the model's at the end. What is to survive an interruption, or is music, is a run
(:mod:`seqaudio.training.run`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from seqaudio.corpus.batches import Piece
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.models.match_memory import Memory
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.training.config import TrainingConfig
from seqaudio.training.loop import Trainer
from seqaudio.training.progress import Progress
from seqaudio.training.transposition import Unmoved


def fit(
    build: Callable[[], SequenceModel],
    config: TrainingConfig,
    train: Sequence[Piece],
    valid: Sequence[Piece],
    *,
    memory: Memory | None = None,
    log: Callable[[dict[str, object]], None] = lambda line: None,
) -> tuple[SequenceModel, Progress]:
    """Train a new model.

    Args:
        build: makes the model, with random weights from torch's random state, which the config's seed sets.
        config: with ``transpose: 0``, since nothing here has a pitch.
        train: pieces of tokens (steps,), or of frames (steps, keys), of keys or of real numbers.
        valid: likewise, to choose the weights by.
        memory: of a model that has one.
        log: called with one plain dict per step and per epoch.

    Returns:
        The model with the weights that validation liked best, in eval mode, and how the training went.

    Raises:
        OptionError: the config asks for what pieces in memory cannot have.
        NoNotesError: there is nothing to train on, or to validate with.
        DivergedError: a loss, a gradient or a validation is not finite.
    """
    if config.transpose:
        raise OptionError(f"training.transpose is {config.transpose}, and these pieces have no pitch; set transpose: 0")
    if config.tensorboard:
        raise OptionError("training.tensorboard is of runs in a folder, and this one has none; leave it out")
    if not all(any(len(piece) > 1 for piece in pieces) for pieces in (train, valid)):
        raise NoNotesError(f"{len(train)} training and {len(valid)} validation pieces; give both, longer than a step")
    if config.threads:
        torch.set_num_threads(config.threads)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        model = build()
    model.check_memory(memory)
    best: dict[str, Tensor] = {}

    def keep_best() -> None:
        best.update({name: tensor.detach().clone() for name, tensor in model.state_dict().items()})

    trainer = Trainer(model, Unmoved(), config, train, valid, log, keep_best, save=lambda: None, memory=memory)
    progress = trainer.run()
    model.load_state_dict(best)
    return model.eval(), progress
