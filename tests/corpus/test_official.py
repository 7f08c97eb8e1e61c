"""Laws of official splits: what a CSV file says of the files that are there; mistakes are named by their line."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from seqaudio.corpus.official import official_splits, official_splits_of
from seqaudio.errors import BadFileError

GROOVE = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared")) / "data/midi/groove"
HEADER = "drummer,midi_filename,audio_filename,split"


def folder_of(root: Path, text: str | bytes, files: tuple[str, ...] = ("a/1.mid", "a/2.mid", "b/3.mid")) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    (root / "info.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def refused(root: Path, text: str | bytes, match: str) -> None:
    with pytest.raises(BadFileError, match=match) as caught:
        official_splits(folder_of(root, text))
    assert str(caught.value).startswith(f"{root / 'info.csv'}: line ")
    assert "\n" not in str(caught.value)


def test_what_the_table_says_of_the_files_that_are_there(tmp_path: Path) -> None:
    text = f"{HEADER}\nx,a/1.mid,a/1.wav,train\nx,a/2.mid,,validation\n\nx,b/3.mid,,test\nx,b/absent.mid,,test\n"
    wanted = {"a/1.mid": "train", "a/2.mid": "valid", "b/3.mid": "test"}
    assert official_splits(folder_of(tmp_path, text)) == wanted
    assert official_splits(folder_of(tmp_path, "\ufeff" + text.replace("\n", "\r\n"))) == wanted
    spelled = text.replace("a/1.mid", "a\\1.mid").replace("a/2.mid,", "./a/2.mid,").replace("test", " TEST ")
    assert official_splits(folder_of(tmp_path, spelled)) == wanted


@pytest.mark.parametrize("column", ["filename", "file", "path", "Path ", "MIDI_filename"])
def test_names_of_the_column(tmp_path: Path, column: str) -> None:
    assert official_splits(folder_of(tmp_path, f"Split,{column}\ntrain,b/3.mid\n")) == {"b/3.mid": "train"}


def test_a_folder_of_several_sets(tmp_path: Path) -> None:
    folder_of(tmp_path / "set-1.0", f'{HEADER}\nx,a/1.mid,,train\nx,"a/2.mid",,val\n')
    folder_of(tmp_path / "deep" / "other", "path,split\nb/3.mid,test\n")
    wanted = {"set-1.0/a/1.mid": "train", "set-1.0/a/2.mid": "valid", "deep/other/b/3.mid": "test"}
    assert official_splits(tmp_path) == wanted
    (tmp_path / "all.csv").write_text("path,split\nset-1.0/a/1.mid,test\n")
    assert official_splits(tmp_path) == wanted | {"set-1.0/a/1.mid": "test"}


def test_a_table_of_something_else_is_no_mistake(tmp_path: Path) -> None:
    assert official_splits(folder_of(tmp_path, "path,split\nimages/1.png,dev\nhttp://a,b\n")) == {}


def test_names_with_commas_quotes_and_accents(tmp_path: Path) -> None:
    name = 'é, "so"/1.mid'
    root = folder_of(tmp_path, 'split,path\ntest,"é, ""so""/1.mid"\n', (name,))
    assert official_splits(root) == {name: "test"}


@pytest.mark.parametrize(
    "text", ["", "\n", "name,year\na/1.mid,1999\n", "split\ntrain\n", "path\na/1.mid\n", b"\xff\xfe\x00split", '"']
)
def test_a_table_of_something_else_says_nothing(tmp_path: Path, text: str | bytes) -> None:
    assert official_splits(folder_of(tmp_path, text)) == {}


def test_no_table_no_folder(tmp_path: Path) -> None:
    assert official_splits(tmp_path) == {}
    assert official_splits(tmp_path / "missing") == {}
    (tmp_path / "file.mid").write_bytes(b"")
    assert official_splits(tmp_path / "file.mid") == {}


def test_mistakes_are_named_by_line(tmp_path: Path) -> None:
    good = f"{HEADER}\nx,a/1.mid,,train\n"
    refused(tmp_path, good + "x,a/2.mid,,dev\n", "line 3: no split is named 'dev'; there are train, valid, validation")
    refused(tmp_path, good + "x,a/2.mid,,\n", "line 3: no split is named ''")
    refused(tmp_path, good + "x,a/2.mid\n", "line 3: 2 cells without a file and a split")
    refused(tmp_path, good + "x,,,train\n", "line 3: 4 cells without a file and a split")
    refused(tmp_path, good + "x,a/1.mid,,test\n", "line 3: a/1.mid is in test here and in train before")
    refused(tmp_path, good + "x,../a/1.mid,,test\n", "line 3: ../a/1.mid is outside the folder")
    refused(tmp_path, good + "x,/a/1.mid,,test\n", "line 3: /a/1.mid is outside the folder")
    refused(tmp_path, good + "x,C:/a/1.mid,,test\n", "line 3: C:/a/1.mid is outside the folder")
    refused(tmp_path, good + 'x,"a/2.mid,,test\n', "line 3: unexpected end of data; mend the CSV file")
    refused(tmp_path, good + 'x,"a/2.mid"x,,test\n', "line 3: .* expected after .*; mend the CSV file")
    refused(tmp_path, good.encode() + b"x,\xe9.mid,,test\n", "line 3: not in UTF-8")
    refused(tmp_path, good + "x," + "a" * 200_000 + ",,test\n", "line 3: field larger than field limit")


def test_two_tables(tmp_path: Path) -> None:
    root = folder_of(tmp_path, f"{HEADER}\nx,a/1.mid,,train\n")
    (root / "more.CSV").write_text("path,split\na/1.mid,train\nb/3.mid,test\n")
    assert official_splits(root) == {"a/1.mid": "train", "b/3.mid": "test"}
    (root / "more.CSV").write_text("path,split\na/1.mid,test\n")
    with pytest.raises(BadFileError, match=r"more.CSV: line 2: a/1.mid is in test here and in train before"):
        official_splits(root)


def test_groove() -> None:
    if not GROOVE.is_dir():
        pytest.skip(f"no folder {GROOVE}; SEQAUDIO_SHARED names another parent")
    splits = official_splits(GROOVE)
    assert Counter(splits.values()) == {"train": 897, "valid": 124, "test": 129}
    assert all((GROOVE / name).is_file() for name in splits)


def test_tables_about_something_else_end_no_run(tmp_path: Path) -> None:
    for text in (
        'split,path\ntrain,"images/1.png\n',
        'the "split,path\n',
        '"split,path\ntrain,a/1.mid\n',
        "path,split\n/data/images/1.png,fold1\n../2.png,fold2\n\nx\n",
        b"path,split\n\xe9.png,train\n",
        "path,split\n" + "x" * 200_000 + ",train\n",
        "name,split\n" + "x" * 200_000 + ',"\n',
    ):
        assert official_splits(folder_of(tmp_path, text)) == {}
    with open(tmp_path / "info.csv", "wb") as file:
        file.write(b"file,split\na/1.mid,train\n")
        file.truncate(65 * 2**20)  # one unrelated to music may be of any size
    assert official_splits(tmp_path) == {}


def test_a_table_about_this_music_is_not_lost(tmp_path: Path) -> None:
    """Wherever the mistake is, before or behind the line that names a file."""
    remedy = "remove or rename the table if it is not about this music"
    for bad in ("/data/b.mid,train", '"b.mid,train', "b.mid", "a/2.mid,fold1"):
        for lines in ([bad, "a/1.mid,train"], ["a/1.mid,train", bad]):
            root = folder_of(tmp_path / "set", "\n".join(["path,split", *lines]))
            with pytest.raises(BadFileError, match=remedy) as caught:
                official_splits(tmp_path)
            assert "--limit" not in str(caught.value)
            assert str(caught.value).startswith(str(root / "info.csv"))


def test_files_by_themselves(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", "path,split\na/1.mid,train\nb/3.mid,test\n")
    (root / "a" / "all.csv").write_text("path,split\n1.mid,valid\n2.mid,valid\n")
    paths = [root / "a/1.mid", root / "b" / ".." / "a" / "2.mid", root / "b/3.mid", tmp_path / "none.mid"]
    wanted = dict(zip(paths, ("train", "valid", "test"), strict=False))
    assert official_splits_of(paths) == wanted
