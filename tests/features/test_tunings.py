"""Does a feature that estimates tunings keep no more filters for many recordings than for some?"""

import numpy as np
import pytest
import torch

from seqaudio.features import feature
from seqaudio.features.arrays import MOST_KEPT, kept

RATE = 22050


@pytest.mark.parametrize(("name", "held"), [("chroma_cqt", "cqt._filters"), ("chroma_stft", "_tuned")])
def test_filters_of_many_tunings_do_not_pile_up(name, held):
    module = feature(name, RATE)
    owner, _, attribute = held.rpartition(".")
    filters = getattr(module.get_submodule(owner), attribute)
    time_s = torch.arange(RATE // 2) / RATE
    tones = [
        torch.sin(2 * np.pi * 440 * 2 ** (cents / 1200) * time_s) for cents in np.linspace(-49, 49, MOST_KEPT + 12)
    ]
    first = module(tones[0])
    seen = set()
    for tone in tones:
        module(tone)
        seen |= set(filters)
        assert len(filters) <= MOST_KEPT
    assert len(seen) > MOST_KEPT, "there were more"
    torch.testing.assert_close(module(tones[0]), first, msg="what was let go is made again")


def test_the_oldest_goes():
    cache = {}
    for key in range(MOST_KEPT + 3):
        kept(cache, key, lambda key=key: torch.tensor(key))
    assert list(cache) == list(range(3, MOST_KEPT + 3))
    assert kept(cache, 5, lambda: torch.tensor(-1)) == 5, "what is there is not made again"
