"""Does a feature say all of its options, as it was made with them?"""

import pytest
import torch

from seqaudio.errors import OptionError
from seqaudio.features import FEATURES, feature
from seqaudio.features.names import IN_TORCHAUDIO

RATE = 22050
CASES = [("librosa", name) for name in FEATURES] + [("torchaudio", name) for name in IN_TORCHAUDIO]


@pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values")
@pytest.mark.parametrize(("preset", "name"), CASES)
def test_made_again_with_all_its_settings_it_is_the_same(preset: str, name: str) -> None:
    made = feature(name, RATE, preset)
    again = feature(name, RATE, preset, **made.settings)
    assert again.settings == made.settings
    samples = torch.randn(RATE // 2, generator=torch.Generator().manual_seed(0)).mul(0.1).clamp(-1, 1)
    torch.testing.assert_close(again(samples), made(samples), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", FEATURES)
def test_every_setting_is_an_option_and_no_other(name: str) -> None:
    with pytest.raises(OptionError) as problem:
        feature(name, RATE, no_such_option=1)
    assert str(problem.value).endswith(f"it has {', '.join(feature(name, RATE).settings)}")
    with pytest.raises(OptionError, match="has no option 'peer'"):
        feature(name, RATE, peer="torchaudio")


def test_what_was_given_is_told_and_printed() -> None:
    made = feature("mfcc", RATE, n_mels=40, mel_norm=None)
    assert (made.settings["n_mels"], made.settings["mel_norm"], made.settings["norm"]) == (40, None, "ortho")
    assert made.settings["hop_length"] == 512
    assert "22050 Hz, amin=1e-10" in repr(made)
    assert "n_mels=40" in repr(made)
