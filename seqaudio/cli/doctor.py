"""``seqaudio doctor``: does everything work on this machine, and what to do if not?"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import click

from seqaudio.errors import SeqAudioError

PACKAGES = ("numpy", "symusic", "pretty_midi", "onnxruntime", "onnx", "safetensors", "torch", "torchaudio", "music21")
OPTIONAL = {"music21": "for MusicXML: pip install 'seqaudio[musicxml]'"}


@click.command("doctor")
def command() -> None:
    """Print versions, and try what matters: ONNX Runtime, torch, torchaudio. Exit code 1 when one is broken."""
    click.echo(f"seqaudio {version('seqaudio')}, Python {platform.python_version()}, {platform.platform()}")
    for package in PACKAGES:
        click.echo(f"  {package} {_version(package)}")
    checks: dict[str, tuple[Callable[[], str], str]] = {
        "continue with onnxruntime": (_onnx, "pip install --force-reinstall onnxruntime"),
        "train with torch": (_torch, "pip install --force-reinstall 'torch>=2.10,<2.14'"),
        "features with torchaudio": (_torchaudio, "pip install --force-reinstall 'torchaudio>=2.9,<2.12'"),
        "both engines agree": (_agree, "reinstall seqaudio; if it stays, report it with this output"),
    }
    broken = [name for name, (check, advice) in checks.items() if not _works(name, check, advice)]
    if broken:
        sys.exit(1)
    click.echo("everything works")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return f"not installed ({OPTIONAL.get(package, f'pip install {package}')})"


def _works(name: str, check: Callable[[], str], advice: str) -> bool:
    try:
        click.echo(f"{name}: works ({check()})")
    except Exception as problem:  # whatever a broken installation throws is what we are here to report
        reason = str(problem) if isinstance(problem, SeqAudioError) else f"{type(problem).__name__}: {problem}"
        click.echo(f"{name}: BROKEN: {' '.join(reason.split())}\n  do: {advice}")
        return False
    return True


def _onnx() -> str:
    from seqaudio.continuation.continue_score import generate_score
    from seqaudio.continuation.engines import load_engine
    from seqaudio.pretrained import DEFAULT_MODEL, model_path

    piece = generate_score(load_engine(model_path(DEFAULT_MODEL), "onnx"), bars=2)[0]
    return f"{len(piece.score)} notes from the model {DEFAULT_MODEL}"


def _torch() -> str:
    import torch

    layer = torch.nn.LSTM(4, 4)
    layer(torch.randn(3, 1, 4))[0].sum().backward()
    return (
        f"{torch.cuda.get_device_name()} is here, and training runs on it"
        if torch.cuda.is_available()
        else "CPU, no CUDA GPU seen"
    )


def _torchaudio() -> str:
    import torch

    from seqaudio.features.torchaudio_import import EXTENSION, import_torchaudio

    torchaudio = import_torchaudio()
    torchaudio.transforms.Spectrogram()(torch.zeros(16000))
    whole = getattr(sys.modules[EXTENSION], "_IS_TORCHAUDIO_EXT_AVAILABLE", False)
    return "with its extension" if whole else "its transforms; the compiled extension is not needed"


def _agree() -> str:
    import numpy as np

    from seqaudio.continuation.engines import load_engine
    from seqaudio.pretrained import DEFAULT_MODEL, model_path

    path = model_path(DEFAULT_MODEL)
    engines = [load_engine(path, "onnx"), load_engine(path, "torch")]
    ids = np.random.default_rng(0).integers(0, len(engines[0].checkpoint.require_tokenizer().vocabulary), (1, 64))
    first, second = (engine.run(ids, engine.initial_state(1))[0] for engine in engines)
    worst = float(np.abs(first - second).max())
    if worst > 1e-4:
        raise RuntimeError(f"logits of the two engines differ by {worst:.2g}, 1e-4 is allowed")
    return f"logits within {worst:.1g}"
