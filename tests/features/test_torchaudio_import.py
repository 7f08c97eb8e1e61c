"""torchaudio can be imported beside any torch, or the reason is told; each case in a process of its own."""

from tests.samples import run_python

ABSENT = """
import sys
sys.modules["torchaudio"] = None  # what Python calls a module that is not there
from seqaudio.errors import MissingDependencyError
from seqaudio.features.torchaudio_import import import_torchaudio
try:
    import_torchaudio()
except MissingDependencyError as problem:
    print(problem)
"""

WORKS = """
import warnings
warnings.simplefilter("ignore")
from seqaudio.features.torchaudio_import import import_torchaudio
torchaudio = import_torchaudio()
assert import_torchaudio() is torchaudio
import math, torch
tone = torch.sin(2 * math.pi * 1000 * torch.arange(16000) / 16000)
power = torchaudio.transforms.Spectrogram(n_fft=512)(tone)
print(int(power.mean(dim=1).argmax()))
print(torchaudio.transforms.MelSpectrogram(16000, n_mels=40)(tone).shape[0])
print(torchaudio.transforms.Resample(16000, 8000)(tone).shape[0])
"""

# A package that fails as the CUDA build does beside a CPU torch, or in another way.
BROKEN = """
import sys
from pathlib import Path
folder = Path(sys.argv[1]) / "torchaudio"
folder.mkdir()
(folder / "__init__.py").write_text(sys.argv[2])
(folder / "_extension.py").write_text("raise OSError('libcudart.so.13: cannot open shared object file')")
sys.path.insert(0, sys.argv[1])
from seqaudio.errors import MissingDependencyError
from seqaudio.features.torchaudio_import import EXTENSION, import_torchaudio
try:
    print("works", import_torchaudio().available)
except MissingDependencyError as problem:
    print("refused", problem)
print(EXTENSION in sys.modules)
"""


def test_works_here():
    bin_of_1_khz, mels, samples = run_python(WORKS).split()
    assert (bin_of_1_khz, mels, samples) == ("32", "40", "8000")


def test_absent():
    text = run_python(ABSENT).strip()
    assert text.startswith("torchaudio cannot be imported (")
    assert text.endswith("run: pip install torchaudio")
    assert "\n" not in text


def test_stand_in_where_only_the_extension_fails(tmp_path):
    init = "from torchaudio._extension import _IS_TORCHAUDIO_EXT_AVAILABLE as available, fail_if_no_align\n"
    init += "@fail_if_no_align\ndef double(x): return 2 * x\nassert double(2) == 4\n"
    assert run_python(BROKEN, tmp_path, init).split() == ["works", "False", "True"]


def test_refused_where_more_fails(tmp_path):
    """The stand-in does not stay behind."""
    text = run_python(BROKEN, tmp_path, "import torchaudio._extension\nraise OSError('no disk')")
    assert text.splitlines() == [
        "refused torchaudio does not work here (no disk); install the one for your torch",
        "False",
    ]


def test_refused_where_something_it_needs_is_missing(tmp_path):
    text = run_python(BROKEN, tmp_path, "import a_package_nobody_has")
    assert "cannot be imported (No module named 'a_package_nobody_has')" in text
