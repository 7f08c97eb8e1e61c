"""How is a run watched in TensorBoard? Its log lines, as events in ``events/`` of its folder.

The log is the record; events hold the same numbers at the same steps, validation at the last step of its epoch. Each
opening says from which step on earlier events no longer count (``purge_step``), so steps that were taken again after a
kill appear once. TensorBoard is imported here and nowhere else, and only when a run asks for it.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from seqaudio.errors import MissingDependencyError

FOLDER = "events"
NOT_DRAWN = ("step", "epoch", "seconds", "best")


def summary_writer() -> Any:
    """The class of torch that writes events. Raises MissingDependencyError when TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as problem:
        reason = " ".join(str(problem).split())
        raise MissingDependencyError(
            f"training.tensorboard: TensorBoard cannot be used ({reason}); pip install 'seqaudio[tensorboard]' adds "
            "it, or leave the option out"
        ) from None
    return SummaryWriter


class Events:
    """Events of one run, open while it trains; a context.

    Args:
        run: the run's folder.
        done_steps: steps whose events stay; later ones will be taken again.
    """

    def __init__(self, run: Path, done_steps: int) -> None:
        self._writer = summary_writer()(str(run / FOLDER), purge_step=done_steps + 1)
        self._step = done_steps

    def write(self, line: dict[str, object]) -> None:
        """The numbers of one line of the log: ``train/...`` of a step, ``valid/...`` of an epoch."""
        part = "train" if "step" in line else "valid"
        self._step = int(str(line.get("step", self._step)))
        for name, value in line.items():
            if name not in NOT_DRAWN and isinstance(value, (int, float)):
                self._writer.add_scalar(f"{part}/{name.removeprefix('valid_')}", value, self._step)

    def flush(self) -> None:
        """Put everything on disk: before the run's state is saved, for what is saved is not written again."""
        self._writer.flush()

    def __enter__(self) -> Events:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
