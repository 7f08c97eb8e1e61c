"""What the tests of this room share."""

import sys

import pytest


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in this process: for tests of what becomes of them, which need no worker processes."""

    def run(function, files, **_):
        return ((i, function(file)) for i, file in enumerate(files))

    # by sys.modules, because the package has a function of the module's name
    monkeypatch.setattr(sys.modules["seqaudio.corpus.prepare"], "run_isolated", run)
