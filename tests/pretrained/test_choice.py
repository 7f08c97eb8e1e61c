"""Is the model that fits a primer chosen, by its notes alone?"""

import numpy as np
import pytest

from seqaudio.continuation.familiar import Familiarity, familiarity
from seqaudio.continuation.primer import make_primer
from seqaudio.errors import NoNotesError
from seqaudio.models.checkpoint import Beginnings
from seqaudio.music.chords import CHORD_TRACK
from seqaudio.music.score import Score
from seqaudio.pretrained import SHIPPED, choice, load_model
from seqaudio.pretrained.choice import OF_SEVERAL_VOICES, check_fits, choose_model
from tests.samples import chorale, song, tune

STEPS = np.arange(32)
SOPRANO, BASS = 72 + STEPS % 5, 48 + STEPS % 7


def together(upper, lower, **facts):
    """Two lines of quarters, a track each."""
    onset = np.tile(STEPS * 480, 2)
    track = np.repeat([0, 1], len(STEPS))
    return Score.from_notes(onset, 480, np.append(upper, lower), track=track, **{"track_names": ("", "")} | facts)


def test_one_voice_a_lead_sheet_only_drums():
    drums = Score.from_notes(STEPS * 240, 120, 36 + STEPS % 7, is_drum=True)
    assert choose_model(tune(8)) == ("folk", "one voice")
    assert choose_model(song(chords=CHORD_TRACK)) == ("songs", "a melody with chord symbols")
    assert choose_model(drums) == ("drums", "only drums")
    assert {"folk", "songs", "chorales", "drums"} < set(SHIPPED)


def test_several_voices_go_to_the_model_they_are_less_strange_to():
    assert choose_model(song()) == ("songs", "several voices, less strange to it than to chorales")
    assert choose_model(chorale()) == ("chorales", "several voices, less strange to it than to songs")
    for score in (song(), chorale(), together(SOPRANO, BASS)):
        costs = {}
        for model in OF_SEVERAL_VOICES:
            checkpoint = (engine := load_model(model)).checkpoint
            found = familiarity(engine, make_primer(score, checkpoint)).nats_per_note
            costs[model] = found / checkpoint.beginnings.median
        assert choose_model(score).model == min(costs, key=costs.get)


def test_what_is_usual_for_a_model_counts(monkeypatch):
    """Less by the note is more strange where a model's own music costs it still less; and a piece is heard as asked."""
    heard, costs = set(), {"songs": 3.0, "chorales": 2.5}

    def found(engine, primer):
        heard.add(primer.straight)
        nats = costs["songs" if primer.reads == "lead sheet" else "chorales"]
        return Familiarity(nats, 8, Beginnings(30, 2.0 if nats == 3 else 1.0, 5.0))

    monkeypatch.setattr(choice, "familiarity", found)
    assert choose_model(together(SOPRANO, BASS), straight=True).model == "songs"
    assert heard == {True}
    costs["chorales"] = 1.4
    assert choose_model(together(SOPRANO, BASS), straight=False).model == "chorales"
    assert heard == {True, False}


def test_two_voices_in_one_track_are_two():
    onset, pitch = np.tile(STEPS * 480, 2), np.append(SOPRANO, BASS)
    assert choose_model(Score.from_notes(onset, 480, pitch)).model in OF_SEVERAL_VOICES


def test_a_line_played_legato_or_in_unison_is_one_voice():
    line = tune(8)
    assert choose_model(line.replaced(duration=line.duration + 100)).model == "folk"
    doubled = together(SOPRANO, SOPRANO, program=np.repeat([0, 40], len(STEPS)))
    assert choose_model(doubled).model == "folk"


def test_drums_are_no_voice_and_symbols_alone_are_music():
    band = together(SOPRANO, np.full(len(STEPS), 38), is_drum=np.repeat([False, True], len(STEPS)))
    assert choose_model(band).model == "folk"
    sheet = together(SOPRANO, BASS, track_names=("Tune", CHORD_TRACK))
    assert choose_model(sheet.notes(sheet.track == 1)).model == "folk"


def test_a_double_stop_now_and_then_is_one_voice():
    line = tune(8)
    stops = line.notes(np.arange(len(line)) % 30 == 0)
    pair = {name: np.append(getattr(line, name), getattr(stops, name)) for name in ("onset", "duration")}
    score = Score.from_notes(pair["onset"], pair["duration"], np.append(line.pitch, stops.pitch - 7))
    assert choose_model(score).model == "folk"


def test_no_notes():
    with pytest.raises(NoNotesError, match="no notes to choose a model by"):
        choose_model(Score.from_notes([], [], []))


def test_a_shipped_model_is_refused_what_it_has_learnt_nothing_of():
    drums = Score.from_notes(STEPS * 240, 120, 36 + STEPS % 7, is_drum=True)
    band = together(SOPRANO, BASS, is_drum=np.repeat([False, True], len(STEPS)))
    for model in SHIPPED:
        pieces = {"no drums, only pitched": tune(8), "no pitched notes, only drums": drums}
        unknown = "no drums, only pitched" if model == "drums" else "no pitched notes, only drums"
        with pytest.raises(NoNotesError, match=f"{unknown}.* model {model} .*; name another model"):
            check_fits(model, pieces.pop(unknown))
        check_fits(model, *pieces.values())
        check_fits(model, band)
        check_fits(model, Score.from_notes([], [], []))
    check_fits("runs/drums", tune(8))
