"""What hearing a motif saves: by a slow walk over joined bars, and of models that can look no further than they do."""

import numpy as np
import pytest
import torch

from seqaudio.errors import NoNotesError, OptionError
from seqaudio.memory.lines import line_of
from seqaudio.memory.motifs import fewest_units, motif_nats
from seqaudio.models.checkpoint import Checkpoint, weights_of
from seqaudio.models.config import MemoryConfig, ModelConfig
from seqaudio.tokens.bars.excerpt import bars_of, joined
from tests.memory.test_contexts import FRAMES, made, slow_nats
from tests.samples import MELODY, random_model, tune

TUNES = [MELODY.encode(tune(bars, seed=bars)) for bars in (9, 12)]
REMEMBERING = {"memory": MemoryConfig(lags=(1, 2), counters=(2, 4), features=5)}


def found_of(checkpoint, pieces, **options):
    lines = [line_of(checkpoint, piece) for piece in pieces]
    return motif_nats(checkpoint.build(), lines, checkpoint.memory(), **options)


@pytest.mark.parametrize("options", [{}, REMEMBERING], ids=["plain", "memory"])
def test_bars_are_heard_in_the_order_told(options) -> None:
    checkpoint = made(**options)
    found = found_of(checkpoint, TUNES, distances=(0, 3), places=2)
    assert found.distances == (0, 3)
    for number, piece in enumerate(TUNES):
        bars, others = bars_of(MELODY, piece), bars_of(MELODY, TUNES[1 - number])
        for place, distance in enumerate(found.distances):
            heard = control = 0.0
            for start in (0, len(bars) - 2):
                motif = bars[start : start + 2]
                other = [bar for bar in others if all(bar.ids.tobytes() != known.ids.tobytes() for known in motif)] * 3
                near, size = [*other[:distance], motif[0]], len(motif[1].ids)
                for before, total in ((motif, "heard"), (other[distance : distance + 2], "control")):
                    ids, _ = joined(MELODY, [*before, *near], motif[1])
                    nats = slow_nats(checkpoint, ids)[-size:].sum()
                    heard, control = (heard + nats, control) if total == "heard" else (heard, control + nats)
            assert found.heard[number, place] == pytest.approx(heard, rel=1e-4)
            assert found.control[number, place] == pytest.approx(control, rel=1e-4)
        assert found.steps[number] == len(bars[1].ids) + len(bars[-1].ids)


def test_frames_are_stretches_of_16_and_all_of_the_second_are_asked_for() -> None:
    frames = [np.concatenate([piece, piece, piece, piece[:9]]) for piece in FRAMES]
    checkpoint = made(head="bernoulli")
    found = found_of(checkpoint, frames, distances=(0, 1), places=2)
    assert found.distances == (0, 16)
    assert found.steps.tolist() == [32, 32]
    for number, piece in enumerate(frames):
        other = frames[1 - number]
        for place, distance in enumerate(found.distances):
            heard = 0.0
            for start in (0, len(piece) - 32):
                row = [piece[start : start + 32], other[:distance], piece[start : start + 32]]
                heard += slow_nats(checkpoint, np.concatenate(row))[-16:].sum()
            assert found.heard[number, place] == pytest.approx(heard, rel=1e-4)


def test_a_model_that_forgets_saves_nothing_and_a_memory_saves_all() -> None:
    """Weights of zero look at nothing; a gate that leans on its match memory knows the motif behind any distance."""
    config = ModelConfig(hidden_size=4, layers=1)
    deaf = random_model(config, len(MELODY.vocabulary), seed=0)
    with torch.no_grad():
        for name, weight in deaf.named_parameters():
            if "weight_hh" in name or "weight_ih" in name:
                weight.zero_()
    found = found_of(Checkpoint(config, MELODY, weights_of(deaf)), TUNES, distances=(0, 4))
    assert found.heard == pytest.approx(found.control, rel=1e-5)
    config = config.model_copy(update={"memory": MemoryConfig(features=3)})
    leaning = random_model(config, len(MELODY.vocabulary), seed=0)
    with torch.no_grad():
        for name, weight in leaning.gate.named_parameters():
            weight.zero_()
            if name.endswith("bias") and weight.shape == (2,):
                weight.copy_(torch.tensor([-4.0, 4.0]))
    found = found_of(Checkpoint(config, MELODY, weights_of(leaning)), TUNES, distances=(0, 4))
    assert (found.heard < 0.5 * found.control).all()


def test_one_piece_hears_its_own_bars_without_the_motif() -> None:
    checkpoint, piece = made(), TUNES[0]
    bars = bars_of(MELODY, piece)
    twice, _ = joined(MELODY, [*bars[:3], bars[1], *bars[3:]])  # half of the first motif stands in it again
    bars = bars_of(MELODY, twice)
    found = found_of(checkpoint, [twice], distances=(6,), places=1, seed=1)
    order = np.random.default_rng((1, 0)).permutation(len(bars)).tolist()
    known = {bar.ids.tobytes() for bar in bars[:2]}
    other = [bars[place] for place in order if bars[place].ids.tobytes() not in known] * 3
    assert len(known & {bar.ids.tobytes() for bar in bars[2:]}) == 1
    for before, nats in ((bars[:2], found.heard), (other[6:8], found.control)):
        ids, _ = joined(MELODY, [*before, *other[:6], bars[0]], bars[1])
        assert nats[0, 0] == pytest.approx(slow_nats(checkpoint, ids)[-len(bars[1].ids) :].sum(), rel=1e-4)
    assert found.heard != found_of(checkpoint, [twice], distances=(6,), places=1, seed=2).heard


def test_what_cannot_be_asked_is_refused() -> None:
    checkpoint = made()
    with pytest.raises(NoNotesError, match="piece 2 has no room"):
        found_of(checkpoint, [TUNES[0], MELODY.encode(tune(3, seed=1))])
    with pytest.raises(OptionError, match="places"):
        found_of(checkpoint, TUNES, places=0)
    with pytest.raises(OptionError, match="distances"):
        found_of(checkpoint, TUNES, distances=(-1,))
    assert fewest_units(line_of(checkpoint, TUNES[0])) == 4
    repeated = MELODY.encode(tune(1, seed=1))
    bar = bars_of(MELODY, repeated)[0]
    same, _ = joined(MELODY, [bar] * 6)
    with pytest.raises(NoNotesError, match="no music but the motif"):
        found_of(checkpoint, [same])
