"""The command ``seqaudio corpora``: what it lists, what it fetches, how it fails."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from seqaudio.cli.main import run
from seqaudio.corpus import named
from seqaudio.corpus.named import CORPORA, NamedCorpus
from seqaudio.corpus.remote import Remote
from tests.corpus.archives import FILES, MUSIC, zip_of
from tests.corpus.serving import Site, serving


@pytest.fixture(autouse=True)
def _here_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("SEQAUDIO_DATA", str(tmp_path / "data"))


def corpora(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = 0
    try:
        run(["corpora", *arguments])
    except SystemExit as done:
        code = int(done.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def small(monkeypatch: pytest.MonkeyPatch, url: str, archive: bytes) -> None:
    """One more corpus, served by the test itself."""
    sha256 = hashlib.sha256(archive).hexdigest()
    remote = Remote(url, "small.zip", len(archive), MUSIC, archive_sha256=sha256)
    corpus = NamedCorpus("small", "A small set", 3, "CC0", "yes", remote=remote)
    monkeypatch.setattr(named, "CORPORA", CORPORA | {"small": corpus})


def test_the_list(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = corpora(capsys)
    assert code == 0
    for corpus in CORPORA.values():
        assert f"{corpus.name}: {corpus.title}; {corpus.pieces:,} pieces" in out
        assert f"licence: {corpus.licence}" in out
        assert f"may weights trained on it be given away: {corpus.weights}" in out
        assert corpus.remote is None or (corpus.remote.url in out and corpus.remote.sha256 in out)
    assert "not here: seqaudio corpora --fetch groove (about 3.3 MB)" in out
    assert not (tmp_path / "data").exists()


def test_the_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = corpora(capsys, "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert list(rows) == list(CORPORA)
    assert rows["groove"]["folder"] is None
    assert rows["pop909"]["archive_sha256"] is None
    assert len(rows["pop909"]["contents_sha256"]) == 64
    assert rows["music21:airds"]["url"] is None


def test_fetching(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "made.zip", FILES).read_bytes()
    with serving(Site(archive)) as url:
        small(monkeypatch, url, archive)
        code, out, err = corpora(capsys, "--fetch", "small")
    assert (code, out.strip(), err) == (0, str(tmp_path / "data" / "small"), "")
    assert (tmp_path / "data" / "small" / "a" / "one.mid").is_file()
    assert f"here: {tmp_path / 'data' / 'small'}" in corpora(capsys)[1]
    again = corpora(capsys, "--fetch", "small", "--json")[1]
    assert json.loads(again) == {"name": "small", "folder": str(tmp_path / "data" / "small")}
    elsewhere = corpora(capsys, "--data", str(tmp_path / "elsewhere"))[1]
    assert "not here: seqaudio corpora --fetch small" in elsewhere


def test_failures_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive = zip_of(tmp_path / "made.zip", FILES).read_bytes()
    small(monkeypatch, "http://127.0.0.1:9/small.zip", archive)
    for name, code, text in (("small", 1, "repeat the command"), ("nothing", 2, "no corpus is named 'nothing'")):
        came, out, err = corpora(capsys, "--fetch", name)
        assert (came, out) == (code, "")
        assert err.startswith("seqaudio: ")
        assert text in err
        assert err.count("\n") == 1
