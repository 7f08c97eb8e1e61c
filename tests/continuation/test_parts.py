"""Does each new note go to the part that lies nearest, parts never cross, and the primer's tracks take up their own?"""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from seqaudio.continuation import Sampling, continue_score
from seqaudio.continuation.engines import load_engine
from seqaudio.continuation.parts import CLASH, given_to, handed_out, parts, struck_once
from seqaudio.continuation.primer import make_primer
from seqaudio.errors import NoNotesError
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint
from seqaudio.models.onnx_graph import write_graph
from seqaudio.music.chords import CHORD_TRACK
from seqaudio.music.score import Score
from tests.samples import model_folder

LAST = np.array([45, 55, 62, 70])  # of bass, tenor, alto, soprano
NAMES = ("Soprano", "Alto", "Tenor", "Bass")


def chords(rows, length=480):
    """Chords a quarter apart."""
    onset = np.repeat(np.arange(len(rows)) * 480, [len(row) for row in rows])
    return Score.from_notes(onset, length, np.concatenate(rows))


def quartet(bars=4):
    """Four lines of quarters, the highest in the first track, each with an instrument."""
    rng = np.random.default_rng(0)
    pitch = np.concatenate([low + rng.integers(0, 5, 4 * bars) for low in (70, 62, 54, 45)])
    track = np.repeat(np.arange(4), 4 * bars)
    onset = np.tile(np.arange(4 * bars) * 480, 4)
    return Score.from_notes(onset, 480, pitch, track=track, program=40 + track, track_names=NAMES)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """Random weights of a model whose corpus says that it learnt from whole pieces."""
    folder = model_folder(tmp_path_factory.mktemp("parts"), pitch_range=(40, 80), seed=3)
    model = Checkpoint.load(folder)
    model.facts["experiment"] = {"corpus": {"prepared": "x", "options": {"melody": False}}}
    model.save(folder / WEIGHTS)
    write_graph(folder)
    return load_engine(folder, "onnx")


@pytest.mark.parametrize("notes", [1, 2, 3, 4, 5])
def test_the_cheapest_way_of_all_that_do_not_cross(notes):
    rng, tried = np.random.default_rng(notes), 0
    for _ in range(40):
        pitch = np.sort(rng.choice(np.arange(36, 84), notes, replace=False))

        def cost(ways, pitch=pitch):
            again = sum(one == other for one, other in itertools.pairwise(ways))
            return abs(pitch - LAST[list(ways)]).sum() + CLASH * again

        best = min(cost(ways) for ways in itertools.combinations_with_replacement(range(4), notes))
        found = given_to(LAST, chords([pitch])).tolist()
        assert found == sorted(found)
        assert cost(found) == best
        tried += 1
    assert tried == 40


def test_a_part_that_still_sounds_leaves_the_note_to_its_neighbour():
    held = Score.from_notes([0, 480], [960, 480], [62, 60])
    assert given_to(LAST, held).tolist() == [2, 1]
    assert given_to(LAST, Score.from_notes([0, 480], [480, 480], [62, 60])).tolist() == [2, 2]


def test_a_high_part_takes_no_note_of_the_bass_because_others_still_sound():
    first = Score.from_notes([0] * 4 + [480], [960, 960, 960, 240, 240], [45, 55, 62, 64, 45])
    assert given_to(np.array([45, 55, 62, 64]), first).tolist() == [0, 1, 2, 3, 0]


def test_a_line_that_climbs_stays_in_its_part():
    climb = Score.from_notes(np.arange(7) * 480, 480, 55 + np.arange(7))
    assert given_to(LAST, climb).tolist() == [1] * 7


def test_parts_are_ordered_by_where_they_lie_last():
    voice = quartet()
    assert parts(voice).tolist() == [3, 2, 1, 0]
    new = handed_out(voice, chords([[45, 54, 62, 70]]))
    assert new.pitch[np.argsort(new.track)].tolist() == [70, 62, 54, 45]
    assert new.program[np.argsort(new.track)].tolist() == [40, 41, 42, 43]
    assert new.track_names == NAMES  # in the order of the piece, whichever lies lower


def lines_of(score):
    """Onset, pitch and duration of the notes of each track."""
    return {
        track: list(zip(*(getattr(part, name).tolist() for name in ("onset", "pitch", "duration")), strict=True))
        for track in range(4)
        for part in [score.notes(score.track == track)]
    }


def test_a_voice_that_never_rests_sings_what_another_sings():
    """Alto and soprano meet on one note, which is one in the tokens; the alto's next note ends it."""
    new = handed_out(
        quartet(),
        Score.from_notes(
            [0, 0, 0, 0, 480, 480, 480, 960, 960, 960, 960],
            [480] * 4 + [960, 480, 480] + [480] * 4,
            [45, 54, 62, 70, 64, 54, 45, 45, 54, 60, 71],
        ),
    )
    expected = {0: [(0, 70, 480), (480, 64, 960), (960, 71, 480)], 1: [(0, 62, 480), (480, 64, 480), (960, 60, 480)]}
    found = lines_of(new)
    assert sorted(found[0] + found[1]) == sorted(expected[0] + expected[1])
    assert [note[0] for note in found[1]] == [0, 480, 960]
    assert found[2] == [(0, 54, 480), (480, 54, 480), (960, 54, 480)]
    assert found[3] == [(0, 45, 480), (480, 45, 480), (960, 45, 480)]


def test_a_voice_that_rests_in_the_piece_may_rest():
    voice = quartet()
    resting = voice.notes((voice.track != 1) | (voice.onset % 960 == 0))
    new = handed_out(resting, chords([[45, 54, 62, 70], [45, 54, 69]]))
    assert len(new) == 7


def test_nothing_is_doubled_beyond_an_octave_or_while_a_note_is_held():
    low = handed_out(quartet(), chords([[45, 54, 62, 70], [45]]))
    assert [note for line in lines_of(low).values() for note in line if note[0] == 480] == [(480, 45, 480)] * 2
    held = Score.from_notes([0, 0, 0, 0, 480], [960, 960, 960, 480, 480], [45, 54, 62, 70, 69])
    assert len(handed_out(quartet(), held)) == 5


def test_chord_symbols_are_heard_with_the_other_notes(engine):
    sheet = quartet().replaced(track_names=("Soprano", "Alto", "Tenor", CHORD_TRACK))
    plain = quartet()
    assert make_primer(sheet, engine.checkpoint).ids.tolist() == make_primer(plain, engine.checkpoint).ids.tolist()


def test_voices_go_on_as_loud_as_each_was(engine):
    loud = quartet().replaced(velocity=40 + 20 * quartet().track)
    (piece,) = continue_score(engine, loud, bars=4, seed=1)
    assert set(zip(piece.score.track.tolist(), piece.score.velocity.tolist(), strict=True)) <= {
        (track, 40 + 20 * track) for track in range(4)
    }


def test_new_bars_go_on_in_the_tracks_of_the_primer(engine):
    primer = quartet()
    drums = Score.from_notes(np.arange(16) * 480, 240, 38, is_drum=True)
    both = {
        name: np.append(getattr(primer, name), getattr(drums, name))
        for name in ("onset", "duration", "pitch", "velocity", "program", "is_drum")
    }
    score = Score(480, **both, track=np.append(primer.track, drums.track + 4), track_names=(*NAMES, "Drums"))
    (made,) = continue_score(engine, score, bars=6, seed=1, sampling=Sampling(temperature=0.8))
    assert "16 drum notes are not heard" in made.primer.remarks
    assert not any("melody" in remark for remark in made.primer.remarks)
    whole = made.with_primer()
    assert whole.track_names == score.track_names
    new = whole.notes(whole.onset >= made.begins)
    assert len(new) == len(made.score) > 6
    assert (new.program == np.append(primer.program[primer.track.searchsorted(range(4))], 0)[new.track]).all()
    assert 4 not in new.track
    assert len(set(new.track.tolist())) > 1
    together = np.unique(made.score.onset, return_counts=True)[1]
    assert together.max() > 1  # not cut to a single line


def test_parts_of_one_instrument_keep_their_tracks(engine):
    primer = quartet().replaced(program=np.zeros(64, dtype=np.int64))
    (made,) = continue_score(engine, primer, bars=6, seed=1, sampling=Sampling(temperature=0.8))
    whole = made.with_primer()
    new = whole.notes(whole.onset >= made.begins)
    assert np.bincount(new.track, minlength=4).tolist() == np.bincount(made.score.track, minlength=4).tolist()
    assert np.bincount(new.track).max() < len(new)


def test_what_has_no_pitches_is_refused(engine):
    drums = Score.from_notes([0, 480, 960, 1440], 240, [36, 38, 36, 38], is_drum=True)
    with pytest.raises(NoNotesError, match="only drums"):
        continue_score(engine, drums, bars=2)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 6), st.integers(60, 62), st.integers(0, 1)), min_size=1, max_size=12
    )
)
@example([(0, 2, 60, 0), (0, 3, 60, 0), (1, 1, 60, 0)])
def test_no_key_of_a_track_sounds_twice_at_a_time(rows):
    onset, duration, pitch, track = zip(*rows, strict=True)
    score = Score.from_notes(onset, duration, pitch, track=track, track_names=("a", "b"))
    expected = []
    for key in {(o, p, t) for o, _, p, t in rows}:
        longest = max(d for o, d, p, t in rows if (o, p, t) == key)
        later = [o - key[0] for o, _, p, t in rows if (p, t) == key[1:] and o > key[0]]
        expected.append((*key, min([longest, *later])))
    found = struck_once(score)
    columns = (getattr(found, name).tolist() for name in ("onset", "pitch", "track", "duration"))
    assert sorted(zip(*columns, strict=True)) == sorted(expected)
