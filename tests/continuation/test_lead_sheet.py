"""Does a model of lead sheets hear melody and chords apart, and does each go on in its own tracks?"""

import numpy as np
import pytest

from seqaudio.continuation import Sampling, continue_score, generate_score
from seqaudio.continuation.engines import load_engine
from seqaudio.continuation.parts import handed_out_lead_sheet
from seqaudio.continuation.primer import make_primer
from seqaudio.errors import NoNotesError
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint
from seqaudio.models.onnx_graph import write_graph
from seqaudio.music.chords import CHORD_TRACK
from seqaudio.music.lead_sheet import CHORDS_PROGRAM, MELODY_PROGRAM, MELODY_TRACK, lead_sheet
from seqaudio.music.score import Score
from seqaudio.tokens.bars import BarsTokenizer
from tests.samples import model_folder, tune

SHEETS = BarsTokenizer(programs=True, velocities=False, tempos=False, pedals="drop")
SAX, BASS, PIANO = 65, 33, 4


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """Random weights of a model whose corpus says that it learnt from lead sheets."""
    folder = model_folder(tmp_path_factory.mktemp("sheets"), tokenizer=SHEETS, pitch_range=(36, 84), seed=3)
    model = Checkpoint.load(folder)
    model.facts["experiment"] = {"corpus": {"prepared": "x", "options": {"lead_sheet": True}}}
    model.save(folder / WEIGHTS)
    write_graph(folder)
    return load_engine(folder, "onnx")


def song(bars=4):
    """A melody in the middle track, loud; whole notes of a bass below it in the first, and of a piano in the last."""
    melody, downbeats = tune(bars, low=66, high=78), np.arange(bars) * 1920
    piano = np.add.outer(downbeats * 0, [55, 59, 62]).ravel()
    columns = {
        "onset": [downbeats, melody.onset, np.repeat(downbeats, 3)],
        "duration": [np.full(bars, 1920), melody.duration, np.full(3 * bars, 1920)],
        "pitch": [40 + downbeats % 5, melody.pitch, piano],
        "track": [np.zeros(bars), np.ones(len(melody)), np.full(3 * bars, 2)],
        "program": [np.full(bars, BASS), np.full(len(melody), SAX), np.full(3 * bars, PIANO)],
        "velocity": [np.full(bars, 50), np.full(len(melody), 110), np.full(3 * bars, 30)],
    }
    columns = {name: np.concatenate(parts) for name, parts in columns.items()}
    return Score.from_notes(**columns, track_names=("Bass", "Lead", "Keys"))


def test_what_is_heard_is_the_lead_sheet(engine):
    primer = make_primer(song(), engine.checkpoint)
    assert primer.reads == "lead sheet"
    assert primer.voice == song()
    heard = SHEETS.decode(np.append(primer.ids, SHEETS.vocabulary.id("EOS_None")))
    for program in (MELODY_PROGRAM, CHORDS_PROGRAM):
        written = lead_sheet(song()).notes(lead_sheet(song()).program == program)
        found = heard.notes(heard.program == program)
        assert (found.onset.tolist(), found.pitch.tolist()) == (written.onset.tolist(), written.pitch.tolist())
    assert any("melody: track 2 of 3, named 'Lead'" in remark for remark in primer.remarks)


def test_melody_and_chords_go_on_in_their_tracks_as_loud_as_they_were(engine):
    written = [piece.score for piece in continue_score(engine, song(), bars=8, num_outputs=3, seed=1)]
    for new in written:
        assert new.track_names == song().track_names
        for track, program, velocity in ((0, BASS, 50), (1, SAX, 110), (2, PIANO, 30)):
            own = new.notes(new.track == track)
            assert set(own.program.tolist()) <= {program}
            assert set(own.velocity.tolist()) <= {velocity}
        melody = new.notes(new.track == 1)
        assert (np.diff(melody.onset) > 0).all()
        assert (melody.onset[1:] >= (melody.onset + melody.duration)[:-1]).all()
    assert all((new.track == 1).any() for new in written)
    assert any((new.track != 1).any() for new in written)


def test_a_melody_alone_goes_on_alone_and_one_track_keeps_all(engine):
    alone = continue_score(engine, tune(4, program=SAX, track_names=["Tune"]), bars=8, seed=1)[0].score
    assert (np.diff(alone.onset) > 0).all()
    assert set(alone.program.tolist()) == {SAX}
    piano = song().replaced(
        track=np.zeros(len(song()), np.int64), track_names=("Piano",), program=np.full(len(song()), PIANO)
    )
    both = continue_score(engine, piano, bars=8, num_outputs=3, seed=1)
    assert all(set(piece.score.program.tolist()) == {PIANO} for piece in both)
    assert all(piece.score.track_names == ("Piano",) for piece in both)
    assert any((np.diff(piece.score.onset) == 0).any() for piece in both)


def test_a_piece_from_nothing_says_which_track_is_the_melody(engine):
    made = [piece.score for piece in generate_score(engine, bars=8, num_outputs=4, seed=1)]
    for score in made:
        for track, name in enumerate(score.track_names):
            assert (name == MELODY_TRACK) == (MELODY_PROGRAM in score.program[score.track == track])
            assert name in (MELODY_TRACK, CHORD_TRACK)
    assert any(MELODY_TRACK in score.track_names for score in made)


def test_drums_alone_are_refused_and_beside_notes_not_heard(engine):
    drums = Score.from_notes(np.arange(16) * 480, 240, 38, is_drum=True)
    with pytest.raises(NoNotesError, match="no pitched notes, only drums"):
        make_primer(drums, engine.checkpoint)
    columns = ("onset", "duration", "pitch", "velocity", "program", "track", "is_drum")
    band = song().replaced(**{name: np.append(getattr(song(), name), getattr(drums, name)) for name in columns})
    primer = make_primer(band, engine.checkpoint)
    assert primer.ids.tolist() == make_primer(song(), engine.checkpoint).ids.tolist()
    assert "16 drum notes are not heard" in primer.remarks


def test_other_voices_rest_beside_chord_symbols(engine):
    """What they play is in the symbols; heard with them it made chords of single notes in all tracks."""
    sheet = song().replaced(track_names=("Bass", "Lead", CHORD_TRACK))
    alone = sheet.notes(sheet.track > 0)
    primer = make_primer(sheet, engine.checkpoint)
    assert primer.ids.tolist() == make_primer(alone, engine.checkpoint).ids.tolist()
    told = f"{(sheet.track == 0).sum()} notes beside melody and chord symbols are not heard"
    assert told in primer.remarks
    assert not any("not heard" in remark for remark in make_primer(alone, engine.checkpoint).remarks)
    met = set()
    for found in continue_score(engine, sheet, bars=8, num_outputs=3, seed=1, sampling=Sampling(2.0)):
        whole = found.with_primer()
        assert whole.track_names == sheet.track_names
        met |= set(whole.track[whole.onset >= found.begins].tolist())
    assert met == {1, 2}


def test_a_track_that_holds_melody_and_chords_has_no_note_twice():
    piano = song().replaced(track=np.zeros(len(song()), np.int64), track_names=("Piano",))
    both = Score.from_notes([0, 480], 480, [60, 67])
    chord = Score.from_notes([0, 0, 0], [960, 960, 960], [60, 64, 67])
    new = handed_out_lead_sheet(piano, both, chord)
    columns = (getattr(new, name).tolist() for name in ("onset", "pitch", "duration"))
    assert sorted(zip(*columns, strict=True)) == [(0, 60, 960), (0, 64, 960), (0, 67, 480), (480, 67, 480)]


def test_chords_are_handed_out_among_the_tracks_beside_the_melody():
    chords = Score.from_notes([0, 0, 0], 480, [41, 55, 90])
    new = handed_out_lead_sheet(song(), Score.from_notes([0, 480], 480, [60, 61]), chords)
    assert dict(zip(new.pitch.tolist(), new.track.tolist(), strict=True)) == {41: 0, 55: 2, 90: 2, 60: 1, 61: 1}
    nothing = Score.from_notes([], [], [])
    assert handed_out_lead_sheet(song(), nothing, chords).track.tolist() == [0, 2, 2]
    assert handed_out_lead_sheet(song(), chords.notes(chords.pitch == 55), nothing).track.tolist() == [1]


def test_tracks_of_one_program_are_told_apart_with_the_primer_in_front(engine):
    """Each new note lies in the track that :func:`handed_out_lead_sheet` gave it, whatever the tracks play."""
    alike = song().replaced(program=np.zeros(len(song()), dtype=int))
    for score in (song(), alike):
        met = np.zeros(3, dtype=int)
        for found in continue_score(engine, score, bars=8, num_outputs=3, seed=1, sampling=Sampling(2.0)):
            whole = found.with_primer()
            new = whole.notes(whole.onset >= found.begins)
            counts = np.bincount(new.track, minlength=3)
            assert counts.tolist() == np.bincount(found.score.track, minlength=3).tolist()
            met += counts
        assert (met > 0).sum() > 1


def test_each_track_is_as_loud_as_its_own_last_bars(engine):
    """Not as its beginning was, nor as others; one that was silent lately is as loud as it was before."""
    piece = song(bars=12)
    bar = piece.onset // 1920
    loud = np.where(piece.track == 1, np.where(bar < 4, 20, 100), np.where(bar < 4, 120, 40))
    fading = piece.replaced(velocity=loud)
    silent_lately = fading.notes((fading.track != 2) | (bar < 2))
    for score, keys in ((fading, 40), (silent_lately, 120)):
        met = set()
        for found in continue_score(engine, score, bars=8, num_outputs=4, seed=1, sampling=Sampling(2.0)):
            new = found.score
            for track, velocity in ((0, 40), (1, 100), (2, keys)):
                assert set(new.velocity[new.track == track].tolist()) <= {velocity}
            met |= set(new.track.tolist())
        assert met == {0, 1, 2}


def test_rolled_chords_begin_together(engine):
    """Of one track, whose melody is what lies on top, chords that begin a hair apart are heard as written."""
    written = song().replaced(track=np.zeros(len(song()), np.int64), track_names=("Piano",))
    later = np.where(song().track == 1, 0, (80 - song().pitch) // 10 * 4)  # from the top down
    rolled = written.replaced(onset=written.onset + later, duration=written.duration - later)
    both = (make_primer(score, engine.checkpoint).ids.tolist() for score in (rolled, written))
    assert next(both) == next(both)


def test_the_melody_goes_on_in_the_track_that_sang_last():
    """Where it wanders from one track to another."""
    low, high = tune(2, low=60, high=66), tune(2, low=67, high=79)
    columns = {name: np.append(getattr(low, name), getattr(high, name)) for name in ("duration", "pitch")}
    onset, track = np.append(low.onset, high.onset + 2 * 1920), np.repeat([0, 1], [len(low), len(high)])
    wandering = Score.from_notes(onset, **columns, track=track, program=3 + track, track_names=("One", "Other"))
    nothing = Score.from_notes([], [], [])
    new = handed_out_lead_sheet(wandering, Score.from_notes([0, 480], 480, [70, 72]), nothing)
    assert (set(new.track.tolist()), set(new.program.tolist())) == ({1}, {4})
