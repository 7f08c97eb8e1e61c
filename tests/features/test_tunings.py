"""Are recordings of many tunings filtered as if each came alone, and do their filters not pile up?"""

import librosa
import numpy as np
import pytest
import torch

from seqaudio.features import chroma, constant_q, feature, tuning
from seqaudio.features.tuning import MOST_TUNINGS, Tuning
from tests.features.sounds import RATE

STEPS = 100  # of a bin, which librosa tells apart


def tone(cents, seconds=0.5, dtype=torch.float64):
    return torch.sin(2 * np.pi * 440 * 2 ** (cents / 1200) * torch.arange(int(seconds * RATE), dtype=dtype) / RATE)


@pytest.mark.parametrize(
    ("name", "options", "filters"),
    [
        ("cqt", {"n_bins": 12, "fmin": 440.0, "tuning": None}, constant_q.filter_bank),
        ("chroma_stft", {}, chroma.pitch_class_filters),
    ],
)
def test_filters_of_all_tunings_are_made_once_and_do_not_pile_up(name, options, filters):
    """Of one kind of feature all are kept, whichever of its features asks; of many kinds the latest."""
    assert filters.cache_info().maxsize == MOST_TUNINGS > STEPS
    filters.cache_clear()
    batch = torch.stack([tone(cents, 0.1, torch.float32) for cents in np.linspace(-49.5, 49.5, STEPS)])
    made = feature(name, RATE, **options)(batch)
    found = filters.cache_info()
    assert found.misses > STEPS / 2, "there are many"
    again = feature(name, RATE, **options)(batch)
    assert filters.cache_info().misses == found.misses
    torch.testing.assert_close(made, again)


@pytest.mark.parametrize("together", [1, 200_000, 2**21])
def test_rows_of_other_tunings_are_filtered_as_if_each_came_alone(together, monkeypatch):
    """Also where one tuning lets the rate be halved once more than another."""
    monkeypatch.setattr(tuning, "TOGETHER", together)
    options = {"n_bins": 48, "fmin": 88.0}
    module = feature("cqt", RATE, **options, tuning=None)
    batch = torch.stack([tone(cents) for cents in (-45, 0, 10, 45)])
    made = module(batch)
    tunings = module._estimate.of_samples(batch)
    assert len(set(tunings)) == 4, "the tones are such ones"
    banks = [constant_q.filter_bank(RATE, module.scale, each, batch.dtype, batch.device) for each in tunings]
    assert len({tuple(rate for rate, _ in bank) for bank in banks}) == 2, "and such ones"
    for row, alone, each in zip(made, batch, tunings, strict=True):
        torch.testing.assert_close(row, module(alone), rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(row, feature("cqt", RATE, **options, tuning=each)(alone), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "step"), [("chroma_cqt", "of_spectra"), ("chroma_cqt", "_peaks"), ("chroma_stft", "_peaks")]
)
def test_the_spectra_of_a_large_batch_are_searched_part_by_part(name, step, monkeypatch):
    searched, search = [], getattr(Tuning, step)
    monkeypatch.setattr(Tuning, step, lambda self, spectra: searched.append(spectra.numel()) or search(self, spectra))
    monkeypatch.setattr(tuning, "TOGETHER", 100_000)
    feature(name, RATE)(tone(0, dtype=torch.float32).repeat(7, 1))
    assert len(searched) > 1
    assert max(searched) <= 100_000


def test_a_quiet_frame_has_peaks_of_its_own():
    """What counts as a peak is told by the loudest of its frame, not of the recording: librosa's estimate."""
    sound = torch.cat([tone(0, 0.2), 1e-3 * tone(31, 1.0)])
    (found,) = Tuning(RATE).of_samples(sound[None])
    assert found == pytest.approx(librosa.estimate_tuning(y=sound.numpy(), sr=RATE), abs=1e-9)
    ((found, other),) = [Tuning(RATE).of_samples(torch.stack([1e-3 * tone(31), tone(-20)]))]
    assert (found, other) == pytest.approx((0.31, -0.2), abs=0.02)


def test_where_no_note_can_be_no_tuning_is_estimated():
    assert Tuning(200).of_samples(torch.rand(3, 4000)) == [0.0] * 3
    assert Tuning(RATE).of_samples(torch.zeros(2, 4000)) == [0.0] * 2
