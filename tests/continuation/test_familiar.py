"""What a primer costs, beside what pieces cost that the model had not met."""

from dataclasses import replace

import numpy as np
import pytest

import seqaudio
from seqaudio.continuation.familiar import Familiarity, familiarity
from seqaudio.continuation.likelihood import token_nats
from seqaudio.continuation.primer import make_primer
from seqaudio.models.beginnings import FEWEST_PIECES, Beginnings
from seqaudio.music import Score
from tests.samples import ROOT, tune


def test_it_is_the_nats_of_the_first_eight_bars_by_the_note(engine):
    score = tune(8)
    ids = make_primer(score, engine.checkpoint).ids
    found = familiarity(engine, make_primer(tune(8), engine.checkpoint))
    assert found.nats_per_note == pytest.approx(token_nats(engine, ids).sum() / len(score))
    longer = score.replaced(
        **{name: np.tile(getattr(score, name), 2) for name in ("pitch", "velocity", "program", "is_drum", "track")},
        onset=np.concatenate([score.onset, score.onset + 8 * 1920]),
        duration=np.tile(score.duration, 2),
    )
    assert familiarity(engine, make_primer(longer, engine.checkpoint)).nats_per_note == pytest.approx(
        found.nats_per_note
    )


def test_strange_is_what_costs_more_than_any_piece():
    usual = Beginnings.of([1.0, *[2.0] * FEWEST_PIECES, 5.0])
    assert (usual.pieces, usual.median, usual.most) == (FEWEST_PIECES + 2, 2.0, 5.0)
    assert Familiarity(5.1, 8, usual).strange
    (told,) = Familiarity(5.1, 8, usual).remarks()
    assert "5.1 nats a note" in told
    assert not Familiarity(5.0, 8, usual).strange
    assert not Familiarity(99.0, 8, None).strange
    assert Familiarity(5.0, 8, usual).remarks() == Familiarity(99.0, 8, None).remarks() == ()


def test_of_too_few_bars_or_pieces_nothing_is_told(melody_engine):
    assert FEWEST_PIECES == 8
    assert Beginnings.of([1.0] * 7) is None
    usual = Beginnings.of([1.0] * 8)
    assert [Familiarity(5.0, bars, usual).strange for bars in (1, 3, 4, 8)] == [False, False, True, True]
    for bars in (1, 5, 9):
        assert familiarity(melody_engine, make_primer(tune(bars), melody_engine.checkpoint)).bars == min(bars, 8)


@pytest.mark.parametrize("name", ["folk", "folk-rnn", "songs", "chorales", "drums"])
def test_shipped_models_tell_their_music_from_noise(name):
    engine = seqaudio.load_model(name)
    rng = np.random.default_rng(0)
    onset = np.sort(rng.integers(0, 8 * 16, 90)) * 120
    facts = {"is_drum": np.ones(90, bool)} if name == "drums" else {}
    noise = Score.from_notes(onset, rng.integers(100, 900, 90), rng.integers(36, 90, 90), **facts)
    assert familiarity(engine, make_primer(noise, engine.checkpoint)).strange
    if name.startswith("folk"):
        own = seqaudio.read_midi(ROOT / "examples" / "primer.mid")
        assert not familiarity(engine, make_primer(own, engine.checkpoint)).strange


def test_what_a_training_notes_is_what_a_primer_costs(melody_engine):
    """The same bars, counted by the one who trained and by the one who continues."""
    from seqaudio.training.familiar import beginnings

    checkpoint = melody_engine.checkpoint
    tunes = [tune(bars, seed=bars, low=50, high=80) for bars in range(5, 14)]
    ids = [checkpoint.tokenizer.encode(score) for score in tunes]
    noted = beginnings(checkpoint.build(), checkpoint.tokenizer, ids, checkpoint.memory())
    costs = [familiarity(melody_engine, make_primer(score, checkpoint)).nats_per_note for score in tunes]
    assert noted.median == pytest.approx(np.median(costs), abs=1e-3)
    assert noted.most == pytest.approx(max(costs), abs=1e-3)
    knowing = replace(checkpoint, facts={"beginnings": {"pieces": 9, "median": 1.0, "most": 2.5}})
    assert knowing.beginnings == Beginnings(9, 1.0, 2.5)


def test_a_metre_that_a_model_has_hardly_met_is_told(melody_engine, monkeypatch):
    def remarks(metre, metres, primer=None):
        knowing = replace(melody_engine.checkpoint, facts={"metres": metres} if metres else {})
        monkeypatch.setattr(melody_engine, "checkpoint", knowing)
        return familiarity(melody_engine, make_primer(primer or tune(4, metre, low=50, high=80), knowing)).remarks()

    told = "6/8 is a metre that this model hardly knows: {} of the {} pieces that it learnt from are in it"
    assert remarks((6, 8), {"4/4": 198, "6/8": 2}) == (told.format(2, 200),)
    assert remarks((6, 8), {"4/4": 5000}) == (told.format(0, "5,000"),)
    assert remarks((6, 8), {"4/4": 196, "6/8": 4}) == remarks((4, 4), {"4/4": 198, "6/8": 2}) == ()
    assert remarks((6, 8), {"4/4": 49}) == remarks((6, 8), None) == ()  # too few to say, and not noted
    ends_in_6_8 = tune(4, low=50, high=80, time_signatures=[(0, 4, 4), (2 * 1920, 6, 8)])
    assert remarks(None, {"4/4": 100}, ends_in_6_8) == (told.format(0, 100),)
    assert remarks(None, {"6/8": 100}, ends_in_6_8) == ()
