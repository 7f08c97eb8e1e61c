"""May a run begin or go on in a folder, and what there still holds after a kill? See :mod:`seqaudio.training.run`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from seqaudio.errors import CheckpointError, OptionError
from seqaudio.files.atomic import clear_unfinished, shown, write_bytes
from seqaudio.training.config import Experiment, differences
from seqaudio.training.progress import STATE, Progress

SETTINGS, LOG = "experiment.json", "log.jsonl"
LOCK = ".lock"  # there while a run writes

LogLine = dict[str, object]


def check_folder(folder: Path, experiment: Experiment, resume: bool) -> None:
    """Refuse a folder that this experiment must not write to.

    Raises:
        OptionError: it holds something else, a run that is not to be resumed, or one with other settings.
        CheckpointError: the settings of its run are damaged.
    """
    stored = folder / SETTINGS
    if not stored.is_file():
        if folder.is_dir() and any(path.name != LOCK for path in folder.iterdir()):
            raise OptionError(f"{shown(folder)}: exists and is no training run; name a new folder with --out")
        return
    if not resume:
        raise OptionError(f"{shown(folder)}: holds a run; add --resume to go on, or name another with --out")
    try:
        begun = dict(_begun(stored).items())
    except (ValueError, AttributeError, RecursionError):
        raise CheckpointError(
            f"{shown(stored)}: damaged, not a run's settings; start again in a new folder with --out"
        ) from None
    now = json.loads(experiment.model_dump_json())
    other = [f"{name} was {was!r}, now {value!r}" for name, was, value in differences(begun, now)]
    if other:
        raise OptionError(f"{shown(folder)}: its run has other settings ({'; '.join(other)}); resume with its own")


def clear_up(folder: Path, progress: Progress) -> None:
    """Forget what a kill left: files half written, and lines of the log behind the last save, whose steps come again.

    Raises:
        CheckpointError: the log is damaged.
    """
    clear_unfinished(folder)
    clear_unfinished((folder / STATE).parent)
    path, kept = folder / LOG, []
    if path.is_file():
        lines = [line for line in path.read_text("utf-8", "replace").splitlines() if line.endswith("}")]
        try:
            kept = [text for text in lines if _is_done(json.loads(text), progress)]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise CheckpointError(f"{shown(path)}: damaged, not a run's log; remove it") from None
    write_bytes(path, "".join(text + "\n" for text in kept).encode())


def _begun(stored: Path) -> dict[str, Any]:
    """The settings of the run in a folder; one that did not exist when it was begun has its default."""
    settings: dict[str, Any] = json.loads(stored.read_text(encoding="utf-8"))
    try:
        return cast(dict[str, Any], json.loads(Experiment.model_validate(settings).model_dump_json()))
    except ValidationError:
        return settings  # of a newer seqaudio


def _is_done(line: LogLine, progress: Progress) -> bool:
    if "step" in line:
        return int(str(line["step"])) <= progress.step
    return int(str(line["epoch"])) < progress.epoch
