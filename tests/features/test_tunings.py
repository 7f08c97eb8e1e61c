"""Are recordings of many tunings filtered as if each came alone, and do their filters not pile up?"""

import numpy as np
import pytest
import torch

from seqaudio.features import constant_q, feature
from seqaudio.features.arrays import MOST_KEPT, kept

RATE = 22050


@pytest.mark.parametrize(("name", "held"), [("chroma_cqt", "cqt._filters"), ("chroma_stft", "_tuned")])
def test_filters_of_many_tunings_do_not_pile_up(name, held):
    module = feature(name, RATE)
    owner, _, attribute = held.rpartition(".")
    filters = getattr(module.get_submodule(owner), attribute)
    time_s = torch.arange(RATE // 2) / RATE
    tones = [
        torch.sin(2 * np.pi * 440 * 2 ** (cents / 1200) * time_s) for cents in np.linspace(-49, 49, MOST_KEPT + 30)
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


@pytest.mark.parametrize("together", [1, RATE, 2**20])
def test_rows_of_other_tunings_are_filtered_as_if_each_came_alone(together, monkeypatch):
    """Also where one tuning lets the rate be halved once more than another."""
    monkeypatch.setattr(constant_q, "TOGETHER", together)
    module = feature("cqt", RATE, n_bins=48, fmin=88.0, tuning=None)
    time_s = torch.arange(RATE // 2, dtype=torch.float64) / RATE
    batch = torch.stack([torch.sin(2 * np.pi * 440 * 2 ** (cents / 1200) * time_s) for cents in (-45, 0, 10, 45)])
    made = module(batch)
    rates = {tuple(rate for rate, _ in bank) for bank in module._filters.values()}
    assert len(rates) == 2, "the tones are such ones"
    assert len(module._filters) == 4
    for row, alone in zip(made, batch, strict=True):
        torch.testing.assert_close(row, module(alone), rtol=1e-9, atol=1e-12)
