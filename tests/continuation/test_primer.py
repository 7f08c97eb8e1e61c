"""What a model hears of a piece: cut at a bar line, one voice if need be, in its range, from the first note on."""

from dataclasses import replace

import numpy as np
import pytest

from seqaudio.continuation.primer import make_primer, make_readable
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.music.score import NOTE_COLUMNS, Score
from tests.samples import FULL, MELODY, tune

LOW, HIGH = 48, 84  # the range of the models
BAR = 1920


@pytest.fixture
def checkpoint(melody_engine):
    return melody_engine.checkpoint


@pytest.fixture
def full(full_engine):
    return full_engine.checkpoint


def merged(*scores, **facts):
    """Scores on top of each other, a track each."""
    columns = {
        name: np.concatenate([getattr(score, name) for score in scores])
        for name in ("onset", "duration", "pitch", "velocity", "program", "is_drum")
    }
    track = np.repeat(np.arange(len(scores)), [len(score) for score in scores])
    return Score(480, **columns, track=track, **{"track_names": ("",) * len(scores)} | facts)


def pitches_of(ids, tokenizer):
    slices = tokenizer.vocabulary.slices["Pitch"]
    return [int(token) - slices.start for token in ids if slices.start <= token < slices.stop]


def positions_of(ids):
    slices = MELODY.vocabulary.slices["Position"]  # the same ids with programs
    return [int(token) - slices.start for token in ids if slices.start <= token < slices.stop]


class TestCut:
    @pytest.mark.parametrize("count", [1, 2, 3, 4])
    def test_after_so_many_bars(self, checkpoint, count):
        score = tune(4)
        primer = make_primer(score, checkpoint, count)
        assert (primer.end, primer.bars) == (count * BAR, count)
        assert primer.score == score.notes(score.onset < count * BAR)
        assert ("bars 1 to" in " ".join(primer.remarks)) == (count < 4)

    @pytest.mark.parametrize("count", [0, -1, 5, 10**9])
    def test_bars_out_of_range(self, checkpoint, count):
        with pytest.raises(OptionError, match="the piece has 4; choose 1 to 4"):
            make_primer(tune(4), checkpoint, count)

    def test_notes_and_pedals_end_at_the_cut(self, checkpoint):
        score = Score.from_notes([0, 960], [480, 4000], [60, 62], pedals=[(0, 5000, 0), (1900, 300, 0), (1920, 10, 0)])
        primer = make_primer(score, checkpoint, 1)
        assert primer.score.duration.tolist() == [480, 960]
        assert primer.score.pedals.tolist() == [[0, 1920, 0], [1900, 20, 0]]

    def test_changes_behind_the_cut_are_forgotten(self, checkpoint):
        score = tune(4, tempos=[(0, 400_000), (BAR, 300_000)]).replaced(time_signatures=[(0, 4, 4), (2 * BAR, 3, 4)])
        primer = make_primer(score, checkpoint, 1)
        assert primer.metre == (4, 4)
        assert primer.score.tempos.tolist() == [[0, 400_000]]

    def test_a_broken_off_bar_is_left_out(self, checkpoint):
        score = Score.from_notes([0, 960, BAR, BAR + 240], [960, 960, 240, 240], [60, 62, 64, 65])
        primer = make_primer(score, checkpoint)
        assert primer.bars == 1
        assert "bars 1 to 1 of 2, the last is broken off" in primer.remarks
        assert make_primer(score, checkpoint, 2).bars == 2

    def test_a_note_on_the_last_downbeat_is_an_ending(self, checkpoint):
        score = Score.from_notes([0, 960, BAR], [960, 960, 480], [60, 62, 60])
        assert make_primer(score, checkpoint).bars == 2

    def test_a_note_a_hair_before_the_cut_is_not_heard(self, checkpoint):
        score = Score.from_notes([0, 960, BAR - 5], [960, 900, 960], [60, 62, 64])
        primer = make_primer(score, checkpoint, 1)
        assert (primer.ids == MELODY.vocabulary.id("Bar_None")).sum() == 1
        assert len(primer.score) == 3

    def test_a_rolled_chord_is_one_note_of_the_line(self, checkpoint):
        score = Score.from_notes([0, 5, 10, 960], [900, 895, 890, 960], [60, 64, 67, 62])
        assert make_primer(score, checkpoint).voice.pitch.tolist() == [67, 62]

    def test_a_bar_half_full_is_kept(self, checkpoint):
        score = Score.from_notes([0, BAR], [1920, 960], [60, 64])
        assert make_primer(score, checkpoint).bars == 2

    def test_the_only_note_is_kept_however_short(self, checkpoint):
        for onset in (0, 100, BAR, 3 * BAR + 10):
            primer = make_primer(Score.from_notes([onset], 120, [60]), checkpoint)
            assert len(primer.score) == 1
            assert primer.end == (onset // BAR + 1) * BAR

    def test_metre_at_the_cut(self, checkpoint):
        score = tune(6).replaced(time_signatures=[(0, 4, 4), (2 * BAR, 3, 4)])
        assert make_primer(score, checkpoint).metre == (3, 4)

    @pytest.mark.parametrize("bars", [2, 3])
    def test_a_shortened_last_bar_is_no_change_of_metre(self, full, bars):
        """As Bach's phrases end before a pickup; with one bar before it, or as a longer one, it is another metre."""
        score = tune(4).replaced(time_signatures=[(0, 4, 4), (bars * BAR, 3, 4)])
        primer = make_primer(score, full, bars + 1)
        assert primer.metre == (4, 4)
        assert "the last bar, 3/4, is taken for a short one of 4/4" in primer.remarks
        assert primer.end == bars * BAR + 1440
        assert primer.score.metre_map()[-1].tolist() == [bars * BAR, 3, 4]  # the piece itself stays as it is
        alone = make_primer(score.replaced(time_signatures=[(0, 4, 4)]).notes(score.onset < primer.end), full, bars + 1)
        np.testing.assert_array_equal(primer.ids, alone.ids)
        for changes in (
            [(0, 4, 4), (BAR, 3, 4)],
            [(0, 3, 4), (1440, 4, 4), (1440 + BAR, 3, 4)],
            [(0, 4, 4), (BAR, 5, 4)],
        ):
            other = make_primer(score.replaced(time_signatures=changes), full, len(changes))
            assert other.metre == changes[-1][1:]

    def test_a_voice_that_stops_before_the_metre_changes(self, checkpoint):
        low = Score.from_notes(np.arange(6) * BAR // 2, 960, [40] * 6, track=1, track_names=["Melody", "Bass"])
        high = Score.from_notes([0, 960], 960, [70, 72], track_names=["Melody", "Bass"])
        columns = {name: np.append(getattr(high, name), getattr(low, name)) for name in NOTE_COLUMNS}
        score = high.replaced(**columns, time_signatures=[(0, 4, 4), (BAR, 2, 4)])
        primer = make_primer(score, checkpoint)
        names = [MELODY.vocabulary.names[token] for token in primer.ids[-2:]]
        assert names == ["Bar_None", "TimeSig_2/4"]
        assert primer.metre == (2, 4)


class TestTokens:
    def test_all_but_the_end(self, checkpoint):
        score = tune(3)
        assert np.array_equal(make_primer(score, checkpoint).ids, MELODY.encode(score)[:-1])

    @pytest.mark.parametrize("bars", [1, 5])
    def test_silence_in_front_is_not_heard(self, checkpoint, bars):
        score = tune(3)
        later = score.replaced(onset=score.onset + bars * BAR)
        primer = make_primer(later, checkpoint)
        assert np.array_equal(primer.ids, MELODY.encode(score)[:-1])
        assert primer.end == (3 + bars) * BAR
        assert primer.score == later

    def test_silence_in_front_under_another_metre(self, checkpoint):
        score = tune(3, (3, 4))
        later = score.replaced(onset=score.onset + 2 * BAR, time_signatures=[(0, 4, 4), (2 * BAR, 3, 4)])
        assert np.array_equal(make_primer(later, checkpoint).ids, MELODY.encode(score)[:-1])

    def test_a_pickup_stays_where_it_is(self, checkpoint):
        score = Score.from_notes([1440, 1920, 2880], [480, 960, 960], [60, 64, 67])
        assert "Position_36" in [MELODY.vocabulary.names[token] for token in make_primer(score, checkpoint).ids]

    def test_a_short_first_bar(self, checkpoint):
        score = Score.from_notes(
            [0, 480, 2400], [480, 1920, 1920], [60, 64, 67], time_signatures=[(0, 1, 4), (480, 4, 4)]
        )
        names = [MELODY.vocabulary.names[token] for token in make_primer(score, checkpoint).ids]
        assert [name for name in names if name.startswith("TimeSig")] == ["TimeSig_1/4", "TimeSig_4/4"]


class TestRange:
    @pytest.mark.parametrize(("low", "high"), [(0, 12), (20, 40), (100, 120), (115, 127), (48, 84)])
    def test_moved_by_octaves_into_the_range(self, checkpoint, low, high):
        score = tune(4, low=low, high=high)
        primer = make_primer(score, checkpoint)
        heard = pitches_of(primer.ids, MELODY)
        assert primer.semitones % 12 == 0
        assert min(heard) >= LOW
        assert max(heard) <= HIGH
        assert heard == (score.pitch + primer.semitones).tolist()
        assert primer.voice == score
        assert any("moved by" in remark for remark in primer.remarks) == (primer.semitones != 0)

    def test_no_further_than_needed(self, checkpoint):
        assert make_primer(tune(4, low=LOW, high=HIGH), checkpoint).semitones == 0
        assert make_primer(tune(4, low=LOW - 1, high=LOW + 5), checkpoint).semitones == 12
        assert make_primer(tune(4, low=HIGH - 5, high=HIGH + 1), checkpoint).semitones == -12

    def test_a_wide_piece_is_folded(self, checkpoint):
        score = Score.from_notes(480 * np.arange(8), 480, [60, 62, 64, 65, 0, 127, 20, 100])
        primer = make_primer(score, checkpoint)
        heard = pitches_of(primer.ids, MELODY)
        assert all(LOW <= pitch <= HIGH for pitch in heard)
        assert [pitch % 12 for pitch in heard] == (score.pitch % 12).tolist()
        assert heard[:4] == [60, 62, 64, 65]

    def test_drums_are_not_moved(self, full):
        drums = tune(4, low=10, high=20).replaced(is_drum=np.ones(len(tune(4, low=10, high=20)), bool))
        primer = make_primer(drums, full)
        assert primer.semitones == 0
        slices = FULL.vocabulary.slices["PitchDrum"]
        heard = [t - slices.start for t in primer.ids.tolist() if slices.start <= t < slices.stop]
        assert heard == drums.pitch.tolist()


class TestVoice:
    def test_a_named_melody(self, checkpoint):
        low, high = tune(4, low=50, high=60), tune(4, low=70, high=80, seed=1)
        primer = make_primer(merged(low, high, track_names=("Melody", "Flute")), checkpoint)
        assert pitches_of(primer.ids, MELODY) == low.pitch.tolist()
        assert "track 1 of 2, named 'Melody'" in " ".join(primer.remarks)

    def test_else_the_skyline(self, checkpoint):
        low, high = tune(4, low=50, high=60), tune(4, low=70, high=80, seed=1)
        primer = make_primer(merged(low, high), checkpoint)
        assert pitches_of(primer.ids, MELODY) == high.pitch.tolist()
        assert "highest notes of 2 tracks" in " ".join(primer.remarks)
        assert len(primer.score) == len(low) + len(high)

    def test_all_voices_for_a_model_that_knows_them(self, full):
        low, high = tune(4, low=50, high=60), tune(4, low=70, high=80, seed=1)
        primer = make_primer(merged(low, high.replaced(program=np.full(len(high), 40))), full)
        assert sorted(pitches_of(primer.ids, FULL)) == sorted([*low.pitch.tolist(), *high.pitch.tolist()])

    def test_drums_only(self, checkpoint, full):
        drums = tune(4).replaced(is_drum=np.ones(len(tune(4)), bool))
        with pytest.raises(NoNotesError, match="only drums"):
            make_primer(drums, checkpoint)
        assert len(make_primer(drums, full).ids) > len(drums)

    @pytest.mark.parametrize(
        ("met", "heard"), [([-1], "drums"), ([0, 40], "pitched"), ([-1, 7], "both"), ([], "both"), (None, "both")]
    )
    def test_a_model_hears_the_drums_or_the_pitches_that_it_has_met(self, full, met, heard):
        voice, drums = tune(4), tune(4, seed=1)
        drums = drums.replaced(is_drum=np.ones(len(drums), bool))
        knowing = replace(full, facts=full.facts | ({} if met is None else {"programs": met}))
        primer = make_primer(merged(voice, drums), knowing)
        shares = {"drums": [True], "pitched": [False], "both": [False, True]}
        assert np.unique(primer.voice.is_drum).tolist() == shares[heard]
        if heard == "both":
            return
        drummer = heard == "drums"
        alone, other = (drums, voice) if drummer else (voice, drums)
        met, missing = ("drums", "pitched notes") if drummer else ("pitched notes", "drums")
        unheard = "pitched notes" if drummer else "drum notes"
        np.testing.assert_array_equal(primer.ids, make_primer(alone, full).ids)
        assert f"{len(other)} {unheard} are not heard" in primer.remarks
        with pytest.raises(
            NoNotesError, match=f"no {met}, only {missing}, and this model hears {met} alone; name another"
        ):
            make_primer(other, knowing)

    def test_no_notes(self, checkpoint):
        with pytest.raises(NoNotesError, match="no notes"):
            make_primer(Score.from_notes([], [], []), checkpoint)
        with pytest.raises(NoNotesError, match="no notes"):
            make_readable(Score.from_notes([], [], []), checkpoint)

    def test_a_silent_primer_is_refused(self, checkpoint):
        late = tune(2).replaced(onset=tune(2).onset + 2 * BAR)
        with pytest.raises(NoNotesError, match="starts in bar 3"):
            make_primer(late, checkpoint, 2)


class TestOddMetres:
    @pytest.mark.parametrize("metre", [(33, 8), (5, 32), (9, 2)])
    def test_a_metre_that_cannot_be_written_is_told(self, checkpoint, metre):
        primer = make_primer(tune(2, metre), checkpoint)
        assert f"{metre[0]}/{metre[1]}" in " ".join(primer.remarks)

    def test_single_beats_are_gathered_and_told(self, checkpoint):
        primer = make_primer(tune(16, (1, 4)), checkpoint)
        assert "single beats" in primer.remarks[0]
        assert primer.metre in ((4, 4), (3, 4))

    @pytest.mark.parametrize("metre", [(3, 4), (6, 8), (5, 4), (7, 8), (2, 2), (12, 8)])
    def test_other_metres_need_no_word(self, checkpoint, metre):
        assert make_primer(tune(3, metre), checkpoint).remarks == ("melody: the only track",)


class TestStraight:
    @pytest.fixture
    def played(self):
        """A tune a hair off the grid."""
        written = tune(4)
        late = np.resize([0, 35, 20, -30, 30], len(written))
        return written.replaced(onset=np.maximum(written.onset + late, 0), duration=written.duration * 9 // 10)

    @pytest.fixture(params=["line", "instruments"])
    def of_scores(self, request, checkpoint, full):
        """Models of two kinds that have learnt from what is straight."""
        asked = {"line": checkpoint, "instruments": full}[request.param]
        return replace(asked, facts={**asked.facts, "between": 0.002})

    def test_what_was_played_is_heard_as_it_would_be_written(self, of_scores, played):
        primer = make_primer(played, of_scores)
        written = make_primer(tune(4), of_scores).voice
        assert np.array_equal(primer.voice.onset, written.onset)
        assert np.array_equal(primer.voice.pitch, written.pitch)
        assert np.abs(primer.voice.duration - written.duration).max() <= 120
        assert "played: " in " ".join(primer.remarks)
        assert primer.score == played  # and goes in front as it was played

    @pytest.mark.parametrize("share", [0.95, 0.9])
    def test_what_is_only_detached_is_heard_in_full(self, of_scores, share):
        """Notes that begin on the grid and end a little early, as many programs write them."""
        detached = tune(4).replaced(duration=np.rint(share * tune(4).duration).astype(int))
        primer = make_primer(detached, of_scores)
        assert primer.voice.duration.tolist() == make_primer(tune(4), of_scores).voice.duration.tolist()
        assert any(text.startswith("played: ") and "of its notes end between" in text for text in primer.remarks)
        assert primer.score == detached

    def test_only_where_the_model_knows_nothing_else(self, checkpoint, played):
        player = replace(checkpoint, facts={"between": 0.8})
        as_played, of_unknown = make_primer(played, player), make_primer(played, checkpoint)
        assert np.array_equal(as_played.ids, of_unknown.ids)
        assert positions_of(as_played.ids) == positions_of(MELODY.encode(played))
        assert "played" not in " ".join(as_played.remarks + of_unknown.remarks)

    def test_it_can_be_asked_for_and_refused(self, checkpoint, of_scores, played):
        asked = make_primer(played, checkpoint, straight=True)
        assert np.array_equal(asked.voice.onset, tune(4).onset)
        refused = make_primer(played, of_scores, straight=False)
        assert positions_of(refused.ids) == positions_of(MELODY.encode(played)) != positions_of(asked.ids)

    def test_what_is_straight_stays_and_nothing_is_said(self, of_scores):
        first, *others = (make_primer(tune(4), of_scores, straight=asked) for asked in (False, None, True))
        for other in others:
            assert np.array_equal(other.ids, first.ids)
            assert other.remarks == first.remarks

    def test_a_note_put_on_the_cut_belongs_behind_it(self, checkpoint):
        score = Score.from_notes([10, 500, 1870], [470, 1600, 900], [60, 62, 64])
        primer = make_primer(score, checkpoint, 1, straight=True)
        assert primer.voice.onset.tolist() == [0, 480]
        assert primer.straight
        assert (primer.voice.onset + primer.voice.duration).max() <= BAR

    @pytest.mark.parametrize(("known", "share", "straight"), [
        (0.0, 0.2, False), (0.0, 0.3, True), (0.05, 0.3, True), (0.06, 0.9, False), (None, 0.9, False),
    ])  # fmt: skip
    def test_a_quarter_of_the_onsets_tells(self, checkpoint, known, share, straight):
        score = tune(10)
        moved = np.zeros(len(score), int)
        moved[: round(share * len(score))] = 35
        primer = make_primer(score.replaced(onset=score.onset + moved), replace(checkpoint, facts={"between": known}))
        assert primer.straight == straight

    def test_what_is_not_heard_has_no_say(self, of_scores, played):
        """Drums beside a line on the grid, of a model that hears no drums."""
        line = tune(4)
        drums = played.replaced(is_drum=np.ones(len(played), bool))
        primer = make_primer(merged(line, drums), replace(of_scores, facts={**of_scores.facts, "programs": [0]}))
        assert not primer.straight
        triplets = np.arange(16 * 3) * 160  # three times as many votes as a quarter of the line has
        drums = Score.from_notes(np.repeat(triplets, 3), 80, 36, is_drum=True)
        both = make_primer(merged(played, drums), replace(of_scores, facts={**of_scores.facts, "programs": [0]}))
        assert np.array_equal(both.voice.onset, make_primer(played, of_scores).voice.onset)

    def test_bars_are_those_of_the_straight_piece(self, of_scores):
        """The last note is let go a hair behind the last bar line."""
        line = tune(4)
        late = line.replaced(onset=line.onset + np.resize([30, 35], len(line)))
        assert len(late.bars()) - 1 == 5
        primer = make_primer(late, of_scores)
        assert (primer.straight, primer.bars, primer.end) == (True, 4, 4 * BAR)
