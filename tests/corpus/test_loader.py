"""Laws of the loader: every token once, state carried within a piece alone, a position saved is a position found."""

import itertools
import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from seqaudio.corpus.loader import CorpusLoader, PieceBatches, StreamBatches
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.corpus.streams import deal
from seqaudio.errors import BadFileError, NoNotesError, OptionError
from tests.samples import MELODY, write_corpus

LENGTHS = (2, 3, 40, 17, 90, 5, 33, 64, 65, 66, 12, 1, 7)


def pieces_of(lengths: tuple[int, ...]) -> list[np.ndarray]:
    """Pieces without a token in common with their neighbours: 1, 2, 3 ... through all of them."""
    ends = np.cumsum(lengths)
    return [np.arange(end - n, end) % 400 + 1 for end, n in zip(ends, lengths, strict=True)]


@pytest.fixture
def corpus(tmp_path: Path) -> PreparedCorpus:
    return PreparedCorpus.open(write_corpus(tmp_path / "corpus", pieces_of(LENGTHS), pieces_of((9,)), MELODY))


def pairs(ids: np.ndarray) -> list[tuple[int, int]]:
    return list(zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True))


def read_back(batches: StreamBatches, streams: int) -> list[list[tuple[int, int]]]:
    """The pieces as a model meets them: for each stream, what lies between two resets, as (input, target) pairs."""
    found = []
    for stream in range(streams):
        for batch in (batches[k] for k in range(len(batches))):
            for place in np.flatnonzero(batch.real[stream]):
                if batch.reset[stream, place]:
                    found.append([])
                found[-1].append((int(batch.inputs[stream, place]), int(batch.targets[stream, place])))
    return found


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("streams", "window"), [(1, 1), (1, 16), (3, 16), (4, 7), (50, 8), (2, 1000)])
def test_each_piece_is_read_once_and_in_one_stream(
    corpus: PreparedCorpus, streams: int, window: int, packed: bool
) -> None:
    batches = StreamBatches(corpus, "train", streams=streams, window=window, packed=packed)
    expected = [pairs(corpus.piece(i)) for i in corpus.of_split("train")]
    assert sorted(read_back(batches, streams)) == sorted(piece for piece in expected if piece)
    for k in range(len(batches)):
        batch = batches[k]
        assert {array.shape for array in batch} == {(streams, window)}
        assert not batch.inputs[~batch.real].any()
        assert not batch.reset[~batch.real].any()
        assert packed or not batch.reset[:, 1:].any()  # set back between windows only
        assert packed or batch.real.any()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(1, 300), max_size=60), st.integers(1, 9), st.integers(1, 70), st.booleans(), st.integers(0, 99)
)
def test_streams_end_together(lengths: list[int], streams: int, window: int, packed: bool, seed: int) -> None:
    plan = deal(np.array(lengths, np.int64), streams, window, np.random.default_rng(seed), packed=packed)
    assert sorted(i for row in plan.pieces for i in row) == [i for i, n in enumerate(lengths) if n > 1]
    ends = [0] * streams
    for stream in range(streams):
        for piece, start in zip(plan.pieces[stream], plan.starts[stream], strict=True):
            assert start >= ends[stream]
            assert packed or start % window == 0
            assert not packed or start == ends[stream]
            ends[stream] = start + lengths[piece] - (0 if packed else 1)
    assert plan.windows == -(-max(ends) // window)
    slack = max(lengths, default=0) + window
    assert max(ends) - min(ends) <= slack or min(len(row) for row in plan.pieces) == 0


def test_a_plain_loop_over_windows_ends_with_the_epoch(corpus: PreparedCorpus) -> None:
    batches = StreamBatches(corpus, "train", streams=3, window=8)
    windows = list(itertools.islice(batches, len(batches) + 1))
    assert len(windows) == len(batches)
    assert [part.tolist() for part in windows[-1]] == [part.tolist() for part in batches[len(batches) - 1]]
    with pytest.raises(IndexError, match=f"window -1 of an epoch of {len(batches)} windows"):
        batches[-1]


def test_packed_streams_leave_one_place_a_piece_empty(corpus: PreparedCorpus) -> None:
    batches = StreamBatches(corpus, "train", streams=3, window=8, packed=True)
    for stream in range(3):
        real, reset = (np.concatenate([batches[k][part][stream] for k in range(len(batches))]) for part in (2, 3))
        inside = real[: np.flatnonzero(real)[-1]]
        assert (~inside).sum() == reset.sum() - 1


def make(corpus: PreparedCorpus, kind: str, seed: int = 3) -> PieceBatches | StreamBatches:
    if kind == "pieces":
        return PieceBatches(corpus, "train", batch_size=3, seed=seed)
    return StreamBatches(corpus, "train", streams=3, window=8, seed=seed)


def plain(batches: list[tuple[torch.Tensor, ...]]) -> list[list[object]]:
    return [[part.tolist() for part in batch] for batch in batches]


@pytest.mark.parametrize("kind", ["pieces", "streams"])
def test_a_position_saved_is_a_position_found(corpus: PreparedCorpus, kind: str) -> None:
    loader = CorpusLoader(make(corpus, kind))
    whole = [batch for _ in range(3) for batch in loader]
    assert all(isinstance(part, torch.Tensor) for batch in whole for part in batch)
    size = len(whole) // 3
    assert size > 2
    assert plain(whole[:size]) != plain(whole[size : 2 * size])  # epochs differ
    for stop in range(len(whole) + 1):
        first = CorpusLoader(make(corpus, kind))
        seen: list[tuple[torch.Tensor, ...]] = []
        while len(seen) < stop:
            for batch in first:
                seen.append(batch)
                if len(seen) == stop:
                    break
        position = first.state_dict()
        again = CorpusLoader(make(corpus, kind))
        again.load_state_dict(position)
        while len(seen) < len(whole):
            seen += again
        assert plain(seen[: len(whole)]) == plain(whole)


@pytest.mark.parametrize("kind", ["pieces", "streams"])
def test_the_length_of_a_loader_is_what_the_next_loop_gives(corpus: PreparedCorpus, kind: str) -> None:
    loader = CorpusLoader(make(corpus, kind))
    told, found = [loader.batches.count(epoch) for epoch in range(8)], []
    for _ in range(8):
        length = len(loader)
        found.append(sum(1 for _ in loader))
        assert length == found[-1]
    assert told == found
    assert (len(set(found)) > 1) == (kind == "streams")  # streams are dealt other pieces in each epoch
    for _ in zip(range(2), loader, strict=False):
        pass
    rest, again = len(loader), CorpusLoader(make(corpus, kind))
    again.load_state_dict(loader.state_dict())
    assert rest == len(again) == loader.batches.count(8) - 2 == len(list(again))


def test_a_position_inside_the_loop_is_behind_the_batch(corpus: PreparedCorpus) -> None:
    loader = CorpusLoader(make(corpus, "streams"))
    positions = [loader.state_dict() for _ in loader]
    assert [p["next"] for p in positions] == [*range(1, len(positions)), 0]
    assert positions[-1]["epoch"] == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # torch has threads
@pytest.mark.parametrize("kind", ["pieces", "streams"])
def test_workers_change_nothing(corpus: PreparedCorpus, kind: str) -> None:
    alone, helped = CorpusLoader(make(corpus, kind)), CorpusLoader(make(corpus, kind), workers=2)
    assert plain(list(helped)) == plain(list(alone))
    assert helped.state_dict() == alone.state_dict()


@pytest.mark.parametrize("kind", ["pieces", "streams"])
def test_batches_go_to_processes_that_were_not_forked(corpus: PreparedCorpus, kind: str) -> None:
    batches = make(corpus, kind)
    data = pickle.dumps(batches)
    assert len(data) < 20_000 + corpus.index.nbytes
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.apply(type(batches).__getitem__, (batches, 0))
    assert [part.tolist() for part in there] == [part.tolist() for part in batches[0]]


@pytest.mark.parametrize("kind", ["pieces", "streams"])
def test_a_loader_is_pickled_with_its_position(corpus: PreparedCorpus, kind: str) -> None:
    whole = [batch for _ in range(2) for batch in CorpusLoader(make(corpus, kind))]
    loader = CorpusLoader(make(corpus, kind))
    seen = [batch for _, batch in zip(range(2), loader, strict=False)]
    again = pickle.loads(pickle.dumps(loader))
    assert again.state_dict() == loader.state_dict()
    assert again.state_dict()["next"] == 2
    assert plain([*seen, *again]) == plain(whole[: len(whole) // 2])


def test_a_position_of_other_batches_is_refused(corpus: PreparedCorpus) -> None:
    position = CorpusLoader(make(corpus, "streams")).state_dict()
    with pytest.raises(OptionError, match="seed was 3, is 4"):
        CorpusLoader(make(corpus, "streams", seed=4)).load_state_dict(position)
    with pytest.raises(OptionError, match="kind was 'streams', is 'pieces'"):
        CorpusLoader(make(corpus, "pieces")).load_state_dict(position)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"epoch": 1}, "epoch is 1, next is None, settings is None"),
        ({}, "epoch is None"),
        ({"epoch": "1", "next": 0, "settings": {}}, "epoch is '1'"),
        ({"epoch": 1, "next": -1, "settings": {}}, "next is -1"),
    ],
)
def test_what_is_no_position_is_refused(corpus: PreparedCorpus, wrong: dict[str, object], told: str) -> None:
    loader = CorpusLoader(make(corpus, "streams"))
    before = loader.state_dict()
    with pytest.raises(OptionError, match=f"^no position of a loader: .*{told}.*give what state_dict") as refused:
        loader.load_state_dict(wrong)
    assert "\n" not in str(refused.value)
    assert loader.state_dict() == before


def test_what_makes_no_sense_is_refused(corpus: PreparedCorpus) -> None:
    with pytest.raises(OptionError, match="window is 0; it must be at least 1"):
        StreamBatches(corpus, "train", streams=1, window=0)
    with pytest.raises(OptionError, match="batch_size is -1"):
        PieceBatches(corpus, "train", batch_size=-1)
    for split in ("dev", "validation", ""):
        with pytest.raises(OptionError, match=f"no split is named '{split}'; name one of train, valid, test"):
            StreamBatches(corpus, split, streams=1, window=8)
    with pytest.raises(NoNotesError, match="no test pieces"):
        PieceBatches(corpus, "test", batch_size=1)


def test_a_file_that_shrank_is_named(corpus: PreparedCorpus) -> None:
    batches = make(corpus, "pieces")
    path, offset = corpus.token_file
    with open(path, "r+b") as file:
        file.truncate(offset + 4)
    with pytest.raises(BadFileError, match=r"tokens.npy: shorter than its index says"):
        list(CorpusLoader(batches))


def test_a_carried_state_is_the_state_of_the_piece(corpus: PreparedCorpus) -> None:
    """An LSTM that reads the streams and obeys the resets gives each piece what it gives the piece alone."""
    torch.manual_seed(0)
    embedding, lstm = torch.nn.Embedding(401, 4), torch.nn.LSTM(4, 5, batch_first=True)
    alone = {}
    for i in corpus.of_split("train"):
        ids = torch.from_numpy(corpus.piece(i)[:-1].astype(np.int64))
        if len(ids):
            alone[tuple(ids.tolist())] = lstm(embedding(ids[None]))[0][0]
    state = (torch.zeros(1, 3, 5), torch.zeros(1, 3, 5))
    rows: list[list[torch.Tensor]] = []
    current: dict[int, int] = {}
    ids_of: list[list[int]] = []
    for inputs, _, real, reset in CorpusLoader(make(corpus, "streams")):
        keep = (~reset[:, 0]).float()[None, :, None]
        outputs, state = lstm(embedding(inputs), (state[0] * keep, state[1] * keep))
        for stream in range(3):
            if reset[stream, 0]:
                current[stream] = len(rows)
                rows.append([])
                ids_of.append([])
            count = int(real[stream].sum())
            if count:
                rows[current[stream]].append(outputs[stream, :count])
                ids_of[current[stream]] += inputs[stream, :count].tolist()
    assert len(rows) == len(alone)
    for ids, parts in zip(ids_of, rows, strict=True):
        torch.testing.assert_close(torch.cat(parts), alone[tuple(ids)])


@pytest.mark.parametrize("workers", [0, 1])
def test_reading_draws_nothing_from_the_generator_of_torch(corpus: PreparedCorpus, workers: int) -> None:
    before = torch.random.get_rng_state()
    assert list(CorpusLoader(PieceBatches(corpus, "train", batch_size=4), workers=workers))
    assert torch.equal(torch.random.get_rng_state(), before)
