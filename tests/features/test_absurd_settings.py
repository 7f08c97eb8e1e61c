"""Does every setting, however absurd, get an answer soon, and one that can be acted on?"""

import time

import pytest

from seqaudio.errors import OptionError
from seqaudio.features import FEATURES, feature

RATE = 22050
WORDS = {"aggregate", "center", "htk", "linear", "pad_mode", "peer", "precise", "smoothing_window", "trim", "window"}
ABSURD = (10**10, 1e300, float("inf"), float("nan"), -1, 0, "many", 1e-9)


def settings_of(name):
    """The names of the numbers that a feature has as settings, as the error about an unknown one lists them."""
    with pytest.raises(OptionError, match="has no option 'nothing'; it has ") as problem:
        feature(name, RATE, nothing=1)
    return sorted(set(str(problem.value).partition("it has ")[2].split(", ")) - WORDS)


@pytest.mark.filterwarnings("ignore:.* mel bands lie between")  # where bands are narrow
@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_of_absurd_settings_is_made_or_refused_soon(name):
    told = []
    for setting in settings_of(name):
        for value in ABSURD:
            begun = time.perf_counter()
            try:
                feature(name, RATE, **{setting: value})
            except OptionError as problem:
                told.append(str(problem))
            assert time.perf_counter() - begun < 10, (setting, value)
    assert told
    assert all(text.isprintable() and len(text) < 300 for text in told), "each a line"


@pytest.mark.filterwarnings("ignore:.* mel bands lie between")
def test_a_table_of_cosines_is_bounded_too():
    with pytest.raises(OptionError, match=r"cosines of 16384 bands would be 2.68e\+08 numbers"):
        feature("mfcc", RATE, n_mels=2**14, n_mfcc=2, n_fft=4096)
