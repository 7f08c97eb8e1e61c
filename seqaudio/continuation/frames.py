"""How do rolls go on? Frames out of a model of frames, for many primers side by side.

Output i depends on the seed and on the primers of the same call alone. Models of frames run on torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import NoNotesError, OptionError
from seqaudio.music.frames import Frames

if TYPE_CHECKING:
    from seqaudio.models.match_memory import Memory
    from seqaudio.models.sequence_model import SequenceModel

CHUNK = 512  # frames of the primers per run of the network


def continue_frames(
    model: SequenceModel,
    memory: Memory | None,
    primers: Sequence[Frames],
    steps: int,
    *,
    seed: int = 0,
    temperature: float = 1.0,
    gate_temperature: float = 1.0,
) -> NDArray[np.bool_]:
    """What a model writes behind primers of one length, (primers, steps, keys).

    Args:
        model: of frames, in eval mode.
        memory: of the model, see :func:`seqaudio.models.config.make_memory`.
        primers: bool frames (primer steps, keys) each.
        steps: how many to write.
        seed: of the draws.
        temperature: of what is new.
        gate_temperature: of the choice between what is new and what is remembered, where something is held:
            see :mod:`seqaudio.continuation.remembering`.

    Raises:
        NoNotesError: there is no primer, or the primers have no frame.
        OptionError: the primers differ in length, ``steps`` is below 1, ``gate_temperature`` is not above 0 or not 1
            where there is no memory, or the memory is not the model's.
    """
    import torch

    model.check_memory(memory)
    _check(memory, primers, steps, gate_temperature)
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    notebooks = [memory.begin(primers[0].shape[1]) for _ in primers] if memory else []

    def heard(said: NDArray[np.bool_]) -> torch.Tensor:
        """What the network hears of frames (primers, some steps, keys)."""
        if memory:
            told = [notebook.after(row) for notebook, row in zip(notebooks, said, strict=True)]
            notebooks[:] = [notebook for _, notebook in told]
            said = np.stack([rows for rows, _ in told])
        return torch.from_numpy(said).to(device)

    written = []
    with torch.no_grad():
        state, begin = model.initial_state(len(primers)), np.stack(primers)
        for start in range(0, begin.shape[1], CHUNK):
            outputs, state = model(heard(begin[:, start : start + CHUNK]), state)
        for _ in range(steps):
            cooling = [gate_temperature if notebook.holds() else 1.0 for notebook in notebooks]
            cooled = torch.tensor(cooling, device=device)[:, None, None]
            frames = model.sample(outputs[:, -1:], generator, temperature, cooled).cpu().numpy()
            written.append(frames)
            if len(written) < steps:
                outputs, state = model(heard(frames), state)
    return np.concatenate(written, axis=1)


def _check(memory: Memory | None, primers: Sequence[Frames], steps: int, gate_temperature: float) -> None:
    """Raise what :func:`continue_frames` says."""
    if not len(primers) or not len(primers[0]):
        raise NoNotesError("no frames to continue; give one primer or more, of one frame or more")
    lengths = sorted({len(primer) for primer in primers})
    if len(lengths) > 1 or steps < 1:
        raise OptionError(f"{steps} steps behind primers of {lengths} frames; give one length, and steps from 1 on")
    if not gate_temperature > 0:
        raise OptionError(f"gate temperature is {gate_temperature}, it must be above 0")
    if gate_temperature != 1 and not memory:
        raise OptionError("gate_temperature is for models with a memory, and this one has none; leave it out")
