"""Bars cut out and joined as tokens: as a piece that was written so, whatever is written on change alone."""

import numpy as np
import pytest

from seqaudio.music import Score
from seqaudio.tokens.bars.excerpt import TOLD, bars_of, bars_of_tokens, joined
from tests.samples import FULL, MELODY, PEDALS
from tests.structure.pieces import from_bar, tune

TOKENIZERS = pytest.mark.parametrize("tokenizer", [MELODY, FULL], ids=["melody", "full"])


def changing(seed=3, form="AB"):
    """A piece whose programs, loudness and tempo change on the way."""
    score = tune(form, seed=seed)
    program = np.where((score.onset >= score.bars()[6]) & (score.onset < score.bars()[9]), 40, 12)
    velocity = np.where(score.onset >= score.bars()[4], 100, 60)
    tempos = [(0, 500_000), (int(score.bars()[3]), 400_000), (int(score.bars()[10]), 500_000)]
    return score.replaced(
        program=program, velocity=velocity, track=(program == 40).astype(int), track_names=["", ""], tempos=tempos
    )


@TOKENIZERS
@pytest.mark.parametrize("cut", [1, 2, 8])
def test_a_cut_past_is_the_piece_that_begins_there(tokenizer, cut):
    score = changing()
    bars = bars_of(tokenizer, tokenizer.encode(score))
    for target in range(8, 15):
        there = tokenizer.encode(from_bar(score, target - cut, target + 1))
        assert joined(tokenizer, bars[target - cut : target + 1])[0].tolist() == there[:-1].tolist()


@pytest.mark.parametrize("tokenizer", [MELODY, FULL, PEDALS], ids=["melody", "full", "pedals"])
def test_all_bars_in_their_order_are_the_piece(tokenizer):
    ids = tokenizer.encode(changing().replaced(pedals=[(0, 900, 0), (2000, 3000, 0)]))
    found, places = joined(tokenizer, bars_of(tokenizer, ids))
    assert found.tolist() == ids[:-1].tolist()
    assert places.tolist() == [TOLD, *range(1, len(ids) - 1)]
    numbers = bars_of_tokens(tokenizer, ids)
    assert (numbers[0], numbers[-1]) == (-1, len(bars_of(tokenizer, ids)) - 1)


@TOKENIZERS
def test_bars_in_another_order_decode_to_their_notes_in_that_order(tokenizer):
    """At the level of scores: every bar holds the notes, programs, loudness and tempo that it held."""
    ids = tokenizer.encode(changing())
    bars, score = bars_of(tokenizer, ids), tokenizer.decode(ids)
    order = np.random.default_rng(1).permutation(len(bars)).tolist()
    assert order != sorted(order)
    shuffled = tokenizer.decode(joined(tokenizer, [bars[i] for i in order])[0])
    for place, source in enumerate(order):
        assert notes_of(shuffled, place) == notes_of(score, source) != []


def notes_of(score: Score, bar: int) -> list[tuple[int, ...]]:
    """The notes of a bar, from its line on, with the tempo at each."""
    lines, tempos = score.bars(), score.tempo_map()
    here = score.notes((score.onset >= lines[bar]) & (score.onset < lines[bar + 1]))
    tempo = tempos[np.searchsorted(tempos[:, 0], here.onset, side="right") - 1, 1]
    columns = (here.onset - lines[bar], here.duration, here.pitch, here.velocity, here.program, tempo)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def test_a_change_of_metre_is_told_where_it_is_one():
    ids = MELODY.encode(tune("AB", seed=1).replaced(time_signatures=[(0, 4, 4), (1920 * 8, 3, 4)]))
    bars = bars_of(MELODY, ids)
    score = MELODY.decode(joined(MELODY, [bars[9], bars[0], bars[1], bars[10]])[0])
    assert score.metre_map()[:, 1].tolist() == [3, 4, 3]
    assert np.diff(score.bars())[:4].tolist() == [1440, 1920, 1920, 1440]


@TOKENIZERS
def test_a_target_keeps_all_its_tokens_and_each_knows_its_place(tokenizer):
    ids, other = tokenizer.encode(changing()), tokenizer.encode(changing(8, "CD"))
    bars, strange = bars_of(tokenizer, ids), bars_of(tokenizer, other)
    for target in range(1, len(bars)):
        found, places = joined(tokenizer, strange[:target], bars[target])
        own = np.flatnonzero(places != TOLD)[-len(bars[target].ids) :]
        assert found[own].tolist() == bars[target].ids.tolist()
        assert ids[places[own]].tolist() == bars[target].ids.tolist()
        tokenizer.vocabulary.checked(found)


def test_a_target_tells_even_what_holds_already():
    """Its tokens are the same behind any past, so that their nats can be compared."""
    ids = MELODY.encode(tune("AB", seed=1).replaced(time_signatures=[(0, 4, 4), (1920 * 8, 3, 4)]))
    bars = bars_of(MELODY, ids)
    told = MELODY.vocabulary.is_kind("TimeSig")
    assert told[joined(MELODY, [bars[9], bars[8]])[0]].sum() == 1
    found, places = joined(MELODY, [bars[9]], bars[8])
    assert found[-len(bars[8].ids) :].tolist() == bars[8].ids.tolist()
    assert told[found].sum() == 2
    assert (places[-len(bars[8].ids) :] == bars[8].start + np.arange(len(bars[8].ids))).all()
