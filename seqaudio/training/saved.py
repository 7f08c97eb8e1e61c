"""How is all that a run needs to go on kept in one file, so that its parts can never disagree?

Tensors in safetensors: ``model.NAME``, ``optimizer.NUMBER.NAME``, ``average.NAME`` and ``state.NUMBER``, the state
carried into the next step, of all rows of the batch. The header holds the progress and the data's fingerprint.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from safetensors.torch import load, save
from torch import Tensor

from seqaudio.training.loop import Trainer
from seqaudio.training.progress import progress_of


def saved(trainer: Trainer, fingerprint: str) -> bytes:
    """Where a trainer stands; all processes must ask, and each gets the same."""
    tensors = {f"model.{name}": tensor for name, tensor in trainer.model.state_dict().items()}
    for number, of_parameter in trainer.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in of_parameter.items()}
    if trainer.average:
        tensors |= {f"average.{name}": tensor for name, tensor in trainer.average.weights.items()}
    tensors |= {f"state.{number}": part for number, part in enumerate(trainer.carried())}
    tensors = {name: tensor.clone().contiguous().cpu() for name, tensor in tensors.items()}
    return save(tensors, {"progress": json.dumps(asdict(trainer.progress)), "corpus": fingerprint})


def restore(trainer: Trainer, data: bytes) -> str:
    """Set a trainer to where a saved one stood; the fingerprint of that one's data.

    Raises:
        Exception: of any kind, when the data are not what :func:`saved` made of such a trainer.
    """
    tensors = load(data)
    progress, fingerprint = progress_of(data[8 : 8 + int.from_bytes(data[:8], "little")])
    trainer.model.load_state_dict(_of("model", tensors))
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _of("optimizer", tensors).items():
        number, _, part = name.partition(".")
        state.setdefault(int(number), {})[part] = tensor
    if progress.step and not state:
        raise ValueError("the optimizer's state is missing")
    groups = trainer.optimizer.state_dict()["param_groups"]
    trainer.optimizer.load_state_dict({"state": state, "param_groups": groups})
    if trainer.average:
        averages = _of("average", tensors)
        for name, weights in trainer.average.weights.items():
            weights.copy_(averages[name])
    carried = _of("state", tensors)
    trainer.carry(tuple(carried[str(number)] for number in range(len(carried))))
    trainer.progress = progress
    return fingerprint


def _of(part: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a part, by their names in it."""
    return {name.removeprefix(f"{part}."): tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}
