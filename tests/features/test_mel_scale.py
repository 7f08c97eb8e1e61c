"""Are the mel filters librosa's, to the bit, though librosa makes none of them?"""

import librosa
import numpy as np
import pytest

from seqaudio.features.mel_scale import hz_to_mel, mel_corners, mel_to_hz, mel_triangles


@pytest.mark.filterwarnings("ignore:Empty filters", "ignore:.* of .* mel bands lie between")
@pytest.mark.parametrize("htk", [False, True])
@pytest.mark.parametrize("norm", ["slaney", None])
@pytest.mark.parametrize("sample_rate", [8000, 11_025, 22_050, 44_100, 96_000])
def test_filters_are_librosas_to_the_bit(sample_rate, norm, htk):
    for n_fft, n_mels, (fmin, fmax) in (
        (2048, 128, (0.0, None)),
        (400, 80, (50.0, 3500.0)),
        (1023, 40, (0.0, 4000.0)),
        (256, 128, (30.0, None)),  # some bands are empty
    ):
        options = {"fmin": fmin, "fmax": fmax, "htk": htk, "norm": norm}
        found = mel_triangles(sample_rate, n_fft, n_mels, **options)
        expected = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, **options)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
        corners = mel_corners(n_mels, fmin, fmax or sample_rate / 2, htk)
        np.testing.assert_array_equal(
            corners, librosa.mel_frequencies(n_mels + 2, fmin=fmin, fmax=fmax or sample_rate / 2, htk=htk)
        )


@pytest.mark.parametrize("htk", [False, True])
def test_mels_go_there_and_back(htk):
    hertz = np.array([[0.0, 1.0, 440.0], [999.9, 1000.0, 1e5]])
    mels = hz_to_mel(hertz, htk)
    np.testing.assert_allclose(mels, librosa.hz_to_mel(hertz, htk=htk), rtol=1e-14)
    np.testing.assert_allclose(mel_to_hz(mels, htk), hertz, rtol=1e-12)
    assert float(hz_to_mel(1000.0, htk=False)) == pytest.approx(15)


def test_bands_without_a_frequency_are_told():
    with pytest.warns(UserWarning, match=r"^12 of 128 mel bands lie between the frequencies"):
        mel_triangles(16_000, 256, 128)
