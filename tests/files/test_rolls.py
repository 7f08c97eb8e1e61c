"""Sets of rolls: scipy's and numpy's reading of the same bytes, the real sets, and damaged and hostile files."""

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from seqaudio.errors import BadFileError, OverLimitError
from seqaudio.files import DEFAULT_LIMITS, Limits
from seqaudio.files.rolls import read_rolls
from seqaudio.music.frames import frames_of_runs, runs_of_score

SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared"))
SPLITS = ("train", "valid", "test")


def pieces(count: int, seed: int = 0, keys: int = 88) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return [(rng.random((int(rng.integers(1, 30)), keys)) < 0.1).astype(np.uint8) for _ in range(count)]


def cells(matrices: list[NDArray[np.uint8]]) -> NDArray[np.object_]:
    row = np.empty((1, len(matrices)), dtype=object)
    row[0] = matrices
    return row


def save_mat(path: Path, *, compress: bool = True, dtype: str = "u1") -> dict[str, list[NDArray[np.uint8]]]:
    split = {name: pieces(3, seed) for seed, name in enumerate(SPLITS)}
    made = {f"{name}data": cells([p.astype(dtype) for p in of_split]) for name, of_split in split.items()}
    scipy.io.savemat(path, made, do_compression=compress)
    return split


def check(path: Path, split: dict[str, list[NDArray[np.uint8]]]) -> None:
    rolls = read_rolls(path)
    expected = [(name, p) for name in SPLITS for p in split[name]]
    assert [roll.split for roll in rolls] == [name for name, _ in expected]
    for roll, (_, matrix) in zip(rolls, expected, strict=True):
        assert roll.frames.dtype == np.bool_
        assert np.array_equal(roll.frames, matrix)
    assert len({roll.name for roll in rolls}) == len(rolls)


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("dtype", ["u1", "i4", "f8", "f4", "bool"])
def test_mat_files_hold_what_scipy_wrote(tmp_path: Path, compress: bool, dtype: str) -> None:
    check(tmp_path / "set.mat", save_mat(tmp_path / "set.mat", compress=compress, dtype=dtype))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npz_files_hold_what_numpy_wrote(tmp_path: Path, save: object, order: str) -> None:
    split = {name: pieces(2, seed, 128) for seed, name in enumerate(SPLITS)}
    named = {f"{name}_{i}": np.asarray(p, order=order) for name in SPLITS for i, p in enumerate(split[name])}
    save(tmp_path / "set.npz", **named)  # type: ignore[operator]
    check(tmp_path / "set.npz", split)
    assert {roll.lowest_pitch for roll in read_rolls(tmp_path / "set.npz")} == {0}
    same = np.stack([pieces(1, 5)[0]] * 3)
    save(tmp_path / "stack.npz", valid=same, other=same[0])  # type: ignore[operator]
    rolls = read_rolls(tmp_path / "stack.npz")
    assert [(roll.name, roll.split) for roll in rolls] == [
        ("stack.npz#valid-1", "valid"), ("stack.npz#valid-2", "valid"), ("stack.npz#valid-3", "valid"),
        ("stack.npz#other", ""),
    ]  # fmt: skip
    assert all(np.array_equal(roll.frames, same[0]) for roll in rolls)


def write_json(path: Path, stored: object) -> Path:
    path.write_text(json.dumps(stored), encoding="utf-8")
    return path


def test_json_sets_and_voices(tmp_path: Path) -> None:
    chords = read_rolls(write_json(tmp_path / "set-8th.json", {"train": [[[60.0, 64], [], [64, 60]]], "test": []}))[0]
    assert np.argwhere(chords.frames).tolist() == [[0, 39], [0, 43], [2, 39], [2, 43]]
    assert (chords.voices, chords.steps_per_quarter, chords.lowest_pitch) == (None, 2, 21)
    lines = [[72, 67, 60, 48], [72, 65, 60, -1], [74, 67, 60, 48]]
    voices = read_rolls(write_json(tmp_path / "set-16th.json", {"valid": [lines]}))[0]
    score = voices.score()
    assert score.track_names == ("soprano", "alto", "tenor", "bass")
    rows = zip(score.track, score.onset // 120, score.duration // 120, score.pitch, strict=True)
    assert sorted(tuple(map(int, row)) for row in rows) == [
        (0, 0, 2, 72), (0, 2, 1, 74), (1, 0, 1, 67), (1, 1, 1, 65), (1, 2, 1, 67), (2, 0, 3, 60),
        (3, 0, 1, 48), (3, 2, 1, 48),
    ]  # fmt: skip
    assert read_rolls(write_json(tmp_path / "wide.json", {"train": [[[60, 20], []]]}))[0].frames.shape == (2, 128)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("jsb-chorales-16th.json", 4), ("jsb-chorales-8th.json", 2), ("jsb-chorales-quarter.json", 1),
        ("JSB_Chorales.json", 1), ("Nottingham.json", 2), ("MuseData.json", 2), ("Piano_midi.json", 2), ("x.json", 4),
    ],
)  # fmt: skip
def test_the_grid_is_known_by_name(tmp_path: Path, name: str, steps: int) -> None:
    roll = read_rolls(write_json(tmp_path / name, {"train": [[[60], [60, 64]]]}))[0]
    assert roll.steps_per_quarter == steps
    assert roll.score().end / roll.score().ticks_per_quarter == 2 / steps


def test_the_real_sets_go_round() -> None:
    folder = SHARED / "data" / "poly"
    files = sorted([*folder.rglob("*.mat"), *folder.rglob("*.json")])
    if not files:
        pytest.skip(f"no sets under {folder}; SEQAUDIO_SHARED names another folder")
    for path in files:
        for roll in read_rolls(path):
            pitch, start, end = runs_of_score(roll.score(), roll.steps_per_quarter)
            back = frames_of_runs(pitch - roll.lowest_pitch, start, end, roll.frames.shape)
            assert np.array_equal(back, roll.frames)
    for path in folder.rglob("*.mat"):
        theirs = scipy.io.loadmat(path)
        matrices = [m for name in SPLITS for m in theirs[f"{name}data"].ravel()]
        rolls = read_rolls(path)
        assert len(rolls) == len(matrices)
        assert all(np.array_equal(roll.frames, m) for roll, m in zip(rolls, matrices, strict=True))


def refused(path: Path, match: str, limits: Limits = DEFAULT_LIMITS, kind: type[BadFileError] = BadFileError) -> None:
    with pytest.raises(kind, match=match) as caught:
        read_rolls(path, limits)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text


@pytest.mark.parametrize(
    ("matrix", "match"),
    [
        (np.zeros((3, 87)), r"shape \(3, 87\); a roll is \(steps, 88\) or \(steps, 128\)"),
        (np.zeros((0, 88)), r"shape \(0, 88\)"),
        (np.full((3, 88), np.nan), "holds nan; a roll holds 0 and 1 only"),
        (np.full((3, 88), 0.5), "holds 0.5; a roll holds 0 and 1 only"),
        (np.full((3, 88), 2), "holds 2(.0)?; a roll holds 0 and 1 only"),
        (np.full((3, 88), -1), "holds -1(.0)?; a roll holds 0 and 1 only"),
    ],
)
def test_what_is_no_roll_is_refused(tmp_path: Path, matrix: NDArray[np.float64], match: str) -> None:
    np.savez(tmp_path / "a.npz", train=matrix)
    scipy.io.savemat(tmp_path / "a.mat", {"traindata": cells([matrix])})
    refused(tmp_path / "a.npz", match)
    refused(tmp_path / "a.mat", match)


def test_other_matlab_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    for made, match in (
        ({"x": np.ones((2, 88))}, "no variable is named traindata, validdata or testdata"),
        ({"traindata": np.ones((2, 88)) * 1j}, "complex"),
        ({"traindata": "text"}, "no matrix of numbers"),
        ({"traindata": {"field": 1}}, "no matrix of numbers"),
        ({"traindata": np.ones((2, 2, 88))}, "no matrix of numbers"),
        ({"traindata": cells([cells(pieces(2))])}, "cell 1 of traindata is no matrix"),
    ):
        scipy.io.savemat(path, made)
        refused(path, match)
    path.write_bytes(b"MATLAB 7.3 MAT-file" + bytes(200))
    refused(path, r"7.3 \(HDF5\) file, which is not read; save it with save -v7")


def test_pickles_are_refused_unread(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.write_text, (tmp_path / "ran", "it ran"))

    np.savez(tmp_path / "a.npz", train=np.array([Bomb(), None], dtype=object))
    refused(tmp_path / "a.npz", "train is an array of objects, a pickle, .* use the .mat or .json form")
    (tmp_path / "a.pickle").write_bytes(pickle.dumps(Bomb()))
    refused(tmp_path / "a.pickle", "a pickle runs whatever program is in it; use the .mat, .json or .npz form")
    np.savez(tmp_path / "b.npz", train=np.array(["text"]))
    refused(tmp_path / "b.npz", "train is an array of <U4")
    assert not (tmp_path / "ran").exists()
    refused(tmp_path / "none.mat", "cannot be read")
    refused(tmp_path / "a.txt", "sets of rolls are read from .mat, .json, .npz")


@pytest.mark.parametrize(
    ("stored", "match"),
    [
        ([], "no lists named train, valid or test"),
        ({"other": []}, "no lists named train, valid or test"),
        ({"train": 3}, "train is 3; it must be a list"),
        ({"train": [3]}, "train-1 is 3"),
        ({"train": [[3]]}, "train-1 is 3"),
        ({"train": [[]]}, "train-1 has no steps"),
        ({"train": [[[60, 128]]]}, "train-1 holds 128; pitches are whole numbers from 0 to 127"),
        ({"train": [[[60.5]]]}, "train-1 holds 60.5"),
        ({"train": [[[float("nan")]]]}, "train-1 holds nan"),
        ({"train": [[[float("inf")]]]}, "train-1 holds inf"),
        ({"train": [[["6\n0"]]]}, r"train-1 holds 6\\n0; "),
        ({"train": [[[[60]]]]}, "train-1 holds a list"),
        ({"train": [{}]}, "train-1 is a dict"),
        ({"train": [[[True]]]}, "train-1 holds True"),
        ({"train": [[[60] * 257]]}, "train-1 has a step of 257 pitches; 256 are the most"),
        ({"train": [[[-2]]]}, "train-1 holds -2"),
    ],
)
def test_other_json_is_refused(tmp_path: Path, stored: object, match: str) -> None:
    refused(write_json(tmp_path / "a.json", stored), match)


def test_json_that_is_none_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"{", b'{"train": [[[60,', b"\xff\xfe", b'{"train": ' + b"[" * 20_000):
        (tmp_path / "a.json").write_bytes(data)
        refused(tmp_path / "a.json", "not a sound JSON file")


def element(kind: int, data: bytes, size: int | None = None) -> bytes:
    return struct.pack("<II", kind, len(data) if size is None else size) + data + bytes(-len(data) % 8)


def mat_bytes(*, shape: tuple[int, int], data: bytes = b"", cell: bool = False, compress: bool = False) -> bytes:
    parts = [element(6, struct.pack("<II", 1 if cell else 9, 0)), element(5, struct.pack("<ii", *shape))]
    body = element(14, b"".join([*parts, element(1, b"traindata"), data]))
    body = element(15, zlib.compress(body)) if compress else body
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + body


def test_what_a_file_declares_is_checked_before_it_is_believed(tmp_path: Path) -> None:
    path, huge = tmp_path / "a.mat", 2**31 - 1
    for data, match, kind in (
        (mat_bytes(shape=(huge, 88)), "max_cells", OverLimitError),
        (mat_bytes(shape=(huge, huge)), "max_cells", OverLimitError),
        (mat_bytes(shape=(1, huge), cell=True), "max_pieces", OverLimitError),
        (mat_bytes(shape=(1, 9), cell=True), "declares 9 cells and has 0", BadFileError),
        (mat_bytes(shape=(-1, 88)), "an array of shape", BadFileError),
        (mat_bytes(shape=(2, 88), data=element(2, bytes(88))), "declares 2 times 88 numbers and has 88", BadFileError),
        (mat_bytes(shape=(2, 88), data=element(2, b"", huge)), "declares 2,147,483,647 bytes where", BadFileError),
        (
            mat_bytes(shape=(2, 88), data=element(2, bytes(2**25)), compress=True),
            "at least 20,000,001 unpacked_bytes",
            OverLimitError,
        ),
    ):
        path.write_bytes(data)
        refused(path, match, Limits(max_cells=10_000_000, max_unpacked_bytes=20_000_000), kind)
    np.savez_compressed(tmp_path / "a.npz", train=np.zeros((10_000, 88), dtype=bool))
    refused(tmp_path / "a.npz", "max_cells", Limits(max_cells=879_999), OverLimitError)
    header = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|u1', 'fortran_order': False, 'shape': (500000, 88), }".ljust(118)
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("train.npy", header)
    refused(tmp_path / "b.npz", "has 0 bytes where it needs 44,000,000")
    one = write_json(tmp_path / "b.json", {"train": [[[60]]] * 3, "test": [[[60]]] * 3})
    refused(one, "max_pieces", Limits(max_pieces=5), OverLimitError)
    steps = write_json(tmp_path / "a.json", {"train": [[[60]] * 2000]})
    refused(steps, "max_cells", Limits(max_cells=88 * 1999), OverLimitError)


@pytest.mark.parametrize("suffix", [".mat", ".npz", ".json"])
@pytest.mark.parametrize("compress", [True, False])
def test_damaged_files_are_refused_or_still_rolls(tmp_path: Path, suffix: str, compress: bool) -> None:
    path = tmp_path / f"a{suffix}"
    match suffix:
        case ".mat":
            save_mat(path, compress=compress)
        case ".npz":
            (np.savez_compressed if compress else np.savez)(path, train=pieces(1)[0], test=pieces(1)[0])
        case _:
            write_json(path, {"train": [[[60, 64], [60]]] * 5, "test": [[[60]]]})
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    refusals = []
    for number in range(400):
        data = bytearray(good)
        if number % 4 == 0:
            data = data[: int(rng.integers(len(data)))]
        for at in rng.integers(len(data), size=number % 4) if data else []:
            data[at] = int(rng.choice([0, 1, 127, 255, int(rng.integers(256))]))
        path.write_bytes(data)
        try:
            assert all(roll.frames.shape[1] in (88, 128) for roll in read_rolls(path))
        except BadFileError as problem:
            refusals.append(str(problem))
    assert len(refusals) > 50
    assert all(text.startswith(str(path)) and "\n" not in text for text in refusals)


READ_ALL = """
import json, resource, sys
from seqaudio.errors import BadFileError
from seqaudio.files import read_pieces
for path in sys.argv[1:]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        found = f"{len(read_pieces(path)[0])} pieces"
    except BadFileError as error:
        found = str(error)
    print(json.dumps([found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]), flush=True)
"""


def test_greedy_rolls_stay_small(tmp_path: Path) -> None:
    """In another process, a small file first: how much memory each takes beyond those before."""
    board = (np.indices((560_000, 88)).sum(axis=0) % 2).astype(bool)
    np.savez_compressed(tmp_path / "board.npz", train=board[:300_000])
    np.savez_compressed(tmp_path / "boards.npz", train=board[:500_000].reshape(100, 5000, 88))
    np.savez_compressed(tmp_path / "long-quarter.npz", train=np.zeros((200_000, 88), dtype=bool))
    write_json(tmp_path / "voices.json", {"train": [[[60, 62, 64, 65], [61, 63, 65, 67]] * 150_000]})
    np.savez_compressed(tmp_path / "a.npz", train=board[:100])
    names = ("a.npz", "long-quarter.npz", "voices.json", "board.npz", "boards.npz")
    command = [sys.executable, "-c", READ_ALL, *(str(tmp_path / name) for name in names)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2], check=False
    )
    assert done.returncode == 0, done.stderr
    found, grown_kb = zip(*map(json.loads, done.stdout.splitlines()), strict=True)
    assert found[0] == "1 pieces"
    assert "long-quarter.npz: train: 200,000 quarters, over the budget of 100,000" in found[1]
    assert "voices.json: train-1: 1,200,000 notes, over the budget of 500,000" in found[2]
    assert "board.npz: train: 13,200,000 notes, over the budget of 500,000" in found[3]
    assert "boards.npz: 22,000,000 events, over the budget of 1,200,000" in found[4]
    assert max(grown_kb) < 300 * 1024, grown_kb


def test_as_many_notes_as_counted(tmp_path: Path) -> None:
    lines = [[[72, 67, 60], [72, 65, 60], [74, 67, -1], [-1, 67, 60]], [[60, 60, 60]]]
    np.savez(tmp_path / "a.npz", *pieces(20))
    for roll in [*read_rolls(tmp_path / "a.npz"), *read_rolls(write_json(tmp_path / "a.json", {"train": lines}))]:
        assert roll.note_count() == len(roll.score())
