"""Do codes stand for the sounds that they were learnt on?"""

import zipfile

import numpy as np
import pytest

from seqaudio.errors import CheckpointError, NoNotesError, OptionError, VocabularyError
from seqaudio.models.baselines import PPM
from seqaudio.tokens.audio_codes import AudioCodes, k_means, nearest

RNG = np.random.default_rng


def vectors(count=60, numbers=5, seed=0):
    return RNG(seed).normal(size=(count, numbers)) * [1, 2, 4, 8, 16][:numbers]


def test_the_nearest_centre_is_that_of_a_slow_loop():
    rows, centres = vectors(5000, 3), vectors(9, 3, seed=1)
    slow = [min(range(9), key=lambda c: sum((row - centres[c]) ** 2)) for row in rows[::50]]
    assert nearest(rows, centres)[::50].tolist() == slow


def test_k_means_settles_where_each_centre_is_the_mean_of_its_members():
    rows = vectors(80, 3)
    centres = k_means(rows, 7, RNG(0))
    of = nearest(rows, centres)
    assert set(of) == set(range(7))
    for code in range(7):
        np.testing.assert_allclose(centres[code], rows[of == code].mean(axis=0))


def test_clusters_that_lie_apart_are_found():
    places = RNG(3).normal(size=(6, 4)) * 100
    truth = RNG(4).integers(0, 6, 200)
    book = AudioCodes.fit(places[truth] + RNG(5).normal(size=(200, 4)), (6,))
    codes = book.encode(places[truth])[:, 0]
    assert len({*zip(codes.tolist(), truth.tolist(), strict=True)}) == 6, "a code for each cluster and back"


def test_as_many_codes_as_vectors_give_the_vectors_back():
    rows = np.repeat(vectors(12), 3, axis=0)
    book = AudioCodes.fit(rows, (50,))
    assert [len(stage) for stage in book.centres] == [12], "no more codes than there are different vectors"
    np.testing.assert_allclose(book.decode(book.encode(rows)), rows, atol=1e-9)


def test_each_stage_tells_what_the_one_before_left_over():
    rows = vectors(300)
    book = AudioCodes.fit(rows, (8, 8, 8))
    codes = book.encode(rows)
    left, errors = book.standardised(rows), []
    for stage, centres in enumerate(book.centres):
        assert np.array_equal(codes[:, stage], nearest(left, centres))
        left = left - centres[codes[:, stage]]
        errors.append(np.square(left).sum())
    assert errors[0] > errors[1] > errors[2]
    told = (rows - book.decode(codes)) / book.deviation
    assert np.square(told).sum() == pytest.approx(errors[2])


def test_loudness_and_units_change_no_code():
    rows = vectors()
    one = AudioCodes.fit(rows, (9, 4)).encode(rows)
    np.testing.assert_array_equal(one, AudioCodes.fit(3 * rows - 40, (9, 4)).encode(3 * rows - 40))


def test_numbers_without_weight_change_no_code():
    rows = vectors()
    weights = np.array([1, 1, 1, 1, 1e-6])
    other = rows.copy()
    other[:, 4] = RNG(9).permutation(other[:, 4])
    one = AudioCodes.fit(rows, (9,), weights=weights).encode(rows)
    np.testing.assert_array_equal(one, AudioCodes.fit(other, (9,), weights=weights).encode(other))
    assert not np.array_equal(one, AudioCodes.fit(other, (9,)).encode(other))


def test_a_number_that_never_changes_is_no_trouble():
    rows = np.column_stack([vectors(), np.full(60, 1e9 + 0.1)])
    book = AudioCodes.fit(rows, (5,))
    assert np.abs(book.standardised(rows)[:, 5]).max() < 1e-3
    assert len(np.unique(book.encode(rows))) == 5


def test_tokens_are_codes_in_order_of_time_and_stage():
    rows = vectors()
    book = AudioCodes.fit(rows, (6, 3))
    codes = book.encode(rows)
    ids = book.ids(codes)
    assert book.vocabulary.names[:4] == ("PAD_None", "BOS_None", "EOS_None", "Code0_0")
    assert [book.vocabulary.names[i] for i in ids[:2]] == [f"Code0_{codes[0, 0]}", f"Code1_{codes[0, 1]}"]
    np.testing.assert_array_equal(book.codes(ids), codes)
    for position, token in enumerate(ids.tolist()):
        assert book.follows(position)[token]
        assert not book.follows(position + 1)[token]
    with pytest.raises(VocabularyError, match="one stage after the other"):
        book.codes(ids[1:-1])
    with pytest.raises(VocabularyError, match="one for each stage"):
        book.codes(ids[:-1])
    with pytest.raises(VocabularyError, match="outside"):
        book.decode([[6, 0]])
    with pytest.raises(VocabularyError, match=r"\(vectors, 2\)"):
        book.decode(codes[:, :1])


def test_counts_read_the_tokens_as_they_are():
    book = AudioCodes.fit(vectors(), (6, 3))
    ids = book.ids(book.encode(np.tile(vectors(8), (10, 1))))
    model = PPM(3, vocabulary_size=len(book.vocabulary)).fit([ids])
    assert model.nats(ids)[20:].mean() < 0.2, "8 vectors in turn; nine codes to choose from would be 2.2"


def test_a_codebook_comes_back_from_its_file(tmp_path):
    book = AudioCodes.fit(vectors(), (6, 3))
    book.save(tmp_path / "book.npz")
    again = AudioCodes.load(tmp_path / "book.npz")
    with zipfile.ZipFile(tmp_path / "book.npz") as file:
        assert file.namelist() == ["mean.npy", "deviation.npy", "centres0.npy", "centres1.npy"]
    np.testing.assert_array_equal(again.encode(vectors(seed=2)), book.encode(vectors(seed=2)))
    assert again.vocabulary == book.vocabulary
    for data in (b"", b"PK nothing", (tmp_path / "book.npz").read_bytes()[:-60]):
        (tmp_path / "bad.npz").write_bytes(data)
        with pytest.raises(CheckpointError, match=r"bad.npz: not a codebook"):
            AudioCodes.load(tmp_path / "bad.npz")
    np.savez(tmp_path / "bad.npz", mean=np.zeros(3), deviation=np.zeros(3), centres0=np.zeros((2, 3)))
    with pytest.raises(CheckpointError, match="not above 0"):
        AudioCodes.load(tmp_path / "bad.npz")


@pytest.mark.parametrize(
    ("given", "codes", "wrong"),
    [
        (np.zeros((0, 3)), (4,), NoNotesError),
        (np.zeros(3), (4,), OptionError),
        ([[np.nan, 1]], (4,), OptionError),
        ([[0.0, 1]], (), OptionError),
        ([[0.0, 1]], (4, 0), OptionError),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(given, codes, wrong):
    with pytest.raises(wrong, match=r"give|finite"):
        AudioCodes.fit(given, codes)
