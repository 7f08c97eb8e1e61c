"""On which device does a run take place, and in how many processes?

``seqaudio train`` is one process on the GPU if there is one, else on the CPU. Started by ``accelerate launch``, or by
``torchrun``, it is one of several; each works on its rows of every batch, and what they find is added up. Where
there is no GPU the processes speak through gloo.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, cast

import torch
from accelerate import PartialState
from accelerate.utils import reduce
from torch import Tensor

from seqaudio.models.fused import has_bf16_lstm


class Devices:
    """This process among those of its run.

    Attributes:
        device: where its tensors belong.
        process: its number, from 0.
        processes: how many there are.
    """

    def __init__(self) -> None:
        wanted = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
        self._state = PartialState(cpu=wanted or not torch.accelerator.is_available())
        self.device: torch.device = self._state.device
        self.process = int(self._state.process_index)
        self.processes = int(self._state.num_processes)

    @property
    def name(self) -> str:
        """What the device is called."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type.upper()

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.process == 0

    @property
    def fast_precision(self) -> Literal["fp32", "bf16"]:
        """In which small recurrent models train fastest: neither a GPU nor a CPU without the kernel gains by bf16."""
        return "bf16" if self.device.type == "cpu" and has_bf16_lstm() else "fp32"

    @property
    def generators(self) -> list[int]:
        """The CUDA devices whose random state a run touches."""
        return [self.device.index or 0] if self.device.type == "cuda" else []

    @property
    def memory_bytes(self) -> float:
        """Memory of the device, all of it; infinite where the system does not say."""
        if self.device.type == "cuda":
            return float(torch.cuda.get_device_properties(self.device).total_memory)
        try:
            return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        except (AttributeError, ValueError):  # Windows has no sysconf
            return math.inf

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, which all of them must ask for; a tensor of this process's device."""
        return cast(Tensor, reduce(tensor, "sum")) if self.processes > 1 else tensor

    def any(self, *flags: bool) -> list[bool]:
        """For each flag, whether it is up in any process."""
        if self.processes == 1:
            return list(flags)
        return [count > 0 for count in self.sum(torch.tensor(flags, dtype=torch.float32, device=self.device)).tolist()]

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Replace every gradient by its sum over all processes, in one message."""
        if self.processes == 1:
            return
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        together = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(together, [gradient.numel() for gradient in gradients])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    def main_first(self) -> AbstractContextManager[None]:
        """Inside: the main process before the others."""
        return cast(AbstractContextManager[None], self._state.main_process_first())


@contextmanager
def subnormals_as_zero() -> Iterator[None]:
    """Inside, a CPU takes numbers below 1e-38 for 0, as GPUs do; in this thread, which gradients are computed in.

    A gradient that fades is full of them, and a CPU computes each with many times the time of another number.
    """
    before = bool(torch.tensor(1e-30) * 1e-10 == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
