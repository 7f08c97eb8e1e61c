"""Does a Dask cluster give what worker processes here give?"""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seqaudio.cli.main import run
from seqaudio.corpus.cluster import run_on_cluster
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.workers import Lost, run_isolated
from seqaudio.errors import MissingDependencyError, OptionError
from seqaudio.files import write_midi
from tests.corpus.awkward import act, raise_os_error
from tests.samples import tune

AWKWARD = [("crash", 0), ("hang", 0), ("exit", 3)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler with two workers, each a process, on ports that are free."""
    dask = pytest.importorskip("dask")
    distributed = pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            worker_dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster.scheduler_address


def test_a_cluster_gives_what_this_machine_gives(address: str) -> None:
    items = [("square", number) for number in range(100)]
    items[7:7], items[60:60] = AWKWARD[:1], AWKWARD[1:]
    here = dict(run_isolated(act, items, jobs=2, timeout_s=2))
    there = list(run_on_cluster(act, items, address, timeout_s=2))
    assert sorted(index for index, _ in there) == list(range(103))
    assert dict(there) == here
    assert sum(isinstance(result, Lost) for result in here.values()) == 3


def test_an_item_that_kills_its_dask_worker_is_lost_alone(address: str) -> None:
    items = [("square", 3), ("kill the parent", 0), ("square", 5)]
    there = dict(run_on_cluster(act, items, address))
    assert there == {0: 9, 1: Lost("crashed", "every Dask worker that was given it died"), 2: 25}


def test_what_the_function_raises_reaches_the_consumer(address: str) -> None:
    with pytest.raises(KeyError, match="7"):
        list(run_on_cluster(act, [("raise", 7)], address))
    with pytest.raises(OSError, match=r"^no such thing in \d+$"):  # which is not the cluster's
        list(run_on_cluster(raise_os_error, [1], address))


def test_a_corpus_prepared_on_a_cluster_is_the_one_prepared_here(address: str, tmp_path: Path) -> None:
    """To the byte, called from Python and from the command line."""
    music = tmp_path / "music"
    music.mkdir()
    for seed in range(24):
        write_midi(tune(8, seed=seed // 2), music / f"{seed}.mid")
    (music / "broken.mid").write_bytes(b"MThd broken")
    prepare([str(music)], tmp_path / "here")
    prepare([str(music)], tmp_path / "there", dask=address)
    run(["prepare", str(music), str(tmp_path / "command"), "--dask", address])
    here, there, command = (
        {path.name: path.read_bytes() for path in (tmp_path / out).iterdir()} for out in ("here", "there", "command")
    )
    assert here == there == command


@pytest.mark.parametrize("nobody", ["nonsense", "tcp://", "pigeon://there:1"])
def test_an_address_without_scheduler_is_one_line(nobody: str) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(OptionError, match="no Dask scheduler answers") as caught:
        list(run_on_cluster(act, [("square", 1)], nobody))
    assert str(caught.value).startswith(f"{nobody}: ")
    assert "\n" not in str(caught.value)


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'seqaudio\[cluster\]'"):
        list(run_on_cluster(act, [("square", 1)], "tcp://127.0.0.1:1"))
