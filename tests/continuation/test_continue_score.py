"""A continuation is as long as asked for, sounds like its primer, joins it to the tick, and can be had again."""

import hashlib

import numpy as np
import pytest

from seqaudio.continuation.continue_score import (
    bars_in_seconds,
    continue_primer,
    continue_score,
    continue_scores,
    generate_score,
)
from seqaudio.continuation.engines import load_engine
from seqaudio.continuation.likelihood import CHUNK, score_likelihood, token_nats
from seqaudio.continuation.primer import make_primer
from seqaudio.continuation.sampling import Sampling
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.files.midi import midi_bytes, read_midi_bytes
from seqaudio.music.score import Score
from seqaudio.pretrained import model_path
from seqaudio.tokens import MelodyTokenizer, PerformanceTokenizer, PianorollTokenizer
from seqaudio.tokens.bars.metre import nearest_metre
from tests.samples import FULL, MELODY, PEDALS, model_folder, run_python, tune

BAR = 1920
METRES = [(4, 4), (3, 4), (6, 8), (5, 4), (7, 8), (2, 2), (9, 8), (1, 1), (5, 16), (33, 8)]


def bar_ticks(metre, tpq=480):
    return metre[0] * 4 * tpq // metre[1]


def assert_exact_bars(score, bars, metre):
    """``bars`` bars of a metre from tick 0: a note in the last, nothing behind it, never two silent ones in a row."""
    bar = bar_ticks(metre)
    assert score.metre_map().tolist() == [[0, *metre]]
    assert len(score)
    assert score.onset.min() >= 0
    assert (score.onset + score.duration).max() <= bars * bar
    sounds = np.bincount(score.onset // bar, minlength=bars) > 0
    assert len(sounds) == bars
    assert sounds[-1]
    assert not (~sounds[:-1] & ~sounds[1:]).any()
    assert len(score.bars()) == bars + 1


def joined(tracks, **facts):
    columns = {
        name: np.concatenate([getattr(score, name) for score in tracks])
        for name in ("onset", "duration", "pitch", "velocity", "program", "is_drum")
    }
    track = np.repeat(np.arange(len(tracks)), [len(score) for score in tracks])
    return Score(480, **columns, track=track, **{"track_names": ("",) * len(tracks)} | facts)


def with_program(score, program, velocity=80):
    return score.replaced(program=np.full(len(score), program), velocity=np.full(len(score), velocity))


class TestBars:
    @pytest.mark.parametrize("metre", METRES, ids=lambda m: f"{m[0]}-{m[1]}")
    def test_exactly_so_many(self, engine, metre):
        for seed, bars in enumerate((1, 2, 5)):
            (found,) = continue_score(engine, tune(3, metre), bars=bars, seed=seed)
            assert found.bars == bars
            assert_exact_bars(found.score, bars, nearest_metre(*metre))
            told = any(f"{metre[0]}/{metre[1]} continued in" in remark for remark in found.primer.remarks)
            assert told == (nearest_metre(*metre) != metre)

    @pytest.mark.parametrize(
        "sampling", [Sampling(temperature=0), Sampling(temperature=3), Sampling(top_k=1), Sampling(top_p=0.05)], ids=str
    )
    def test_however_it_is_sampled(self, engine, sampling):
        for found in continue_score(engine, tune(3, (3, 4)), bars=6, num_outputs=3, sampling=sampling):
            assert_exact_bars(found.score, 6, (3, 4))

    def test_the_metre_is_the_last_one(self, engine):
        score = tune(4).replaced(time_signatures=[(0, 4, 4), (2 * BAR, 2, 4)])
        (found,) = continue_score(engine, score, bars=3)
        assert_exact_bars(found.score, 3, (2, 4))

    def test_many_bars(self, melody_engine):
        (found,) = continue_score(melody_engine, tune(2), bars=100)
        assert_exact_bars(found.score, 100, (4, 4))

    @pytest.mark.parametrize("bars", [0, -1, 10_001])
    def test_out_of_range(self, engine, bars):
        with pytest.raises(OptionError, match="it must be 1 to 10000"):
            continue_score(engine, tune(2), bars=bars)
        with pytest.raises(OptionError, match="it must be 1 to 10000"):
            generate_score(engine, bars=bars)

    @pytest.mark.parametrize(
        "options", [{"num_outputs": 0}, {"num_outputs": 10_001}, {"seed": -1}, {"primer_bars": 3}, {"primer_bars": 0}]
    )
    def test_other_options_out_of_range(self, engine, options):
        with pytest.raises(OptionError):
            continue_score(engine, tune(2), bars=1, **options)


class TestSoundsLikeThePrimer:
    def test_tempo_at_the_cut(self, engine):
        score = tune(4, tempos=[(0, 400_000), (BAR, 300_001), (4 * BAR, 700_000)])
        (found,) = continue_score(engine, score, bars=2)
        assert found.score.tempos.tolist() == [[0, 300_001]]
        (found,) = continue_score(engine, score, bars=2, primer_bars=1)
        assert found.score.tempos.tolist() == [[0, 400_000]]

    def test_default_tempo(self, engine):
        (found,) = continue_score(engine, tune(2), bars=1)
        assert found.score.tempos.tolist() == [[0, 500_000]]

    def test_program(self, engine):
        (found,) = continue_score(engine, with_program(tune(3), 73), bars=3)
        assert set(found.score.program.tolist()) == {73}
        assert not found.score.is_drum.any()

    def test_only_programs_of_the_primer(self, full_engine):
        drums = tune(3, low=36, high=50).replaced(is_drum=np.ones(len(tune(3, low=36, high=50)), bool))
        score = joined([with_program(tune(3), 5), with_program(tune(3, seed=1), 40), drums])
        seen = set()
        for found in continue_score(full_engine, score, bars=4, num_outputs=8, sampling=Sampling(3.0)):
            seen |= set(zip(found.score.program.tolist(), found.score.is_drum.tolist(), strict=True))
        assert seen <= {(5, False), (40, False), (0, True)}
        assert len(seen) > 1

    def test_drums_go_on_as_drums(self, full_engine):
        drums = tune(3, low=36, high=50).replaced(is_drum=np.ones(len(tune(3, low=36, high=50)), bool))
        (found,) = continue_score(full_engine, drums, bars=3)
        assert found.score.is_drum.all()
        assert_exact_bars(found.score, 3, (4, 4))

    def test_loudness_by_place_in_the_bar(self, melody_engine):
        onset = 480 * np.arange(16)
        score = Score.from_notes(onset, 480, 60, velocity=np.where(onset % BAR == 0, 100, 41))
        for found in continue_score(melody_engine, score, bars=8, num_outputs=3):
            place = found.score.onset % BAR
            mean = round(score.velocity.mean())
            expected = np.where(place == 0, 100, np.where(place % 480 == 0, 41, mean))
            assert found.score.velocity.tolist() == expected.tolist()

    def test_loudness_in_another_resolution_and_metre(self, melody_engine):
        onset = 96 * np.arange(12)
        score = Score.from_notes(
            onset,
            96,
            60,
            velocity=np.where(onset % 288 == 0, 120, 30),
            ticks_per_quarter=96,
            time_signatures=[(0, 3, 4)],
        )
        (found,) = continue_score(melody_engine, score, bars=12)
        first = found.score.onset % 1440 == 0
        assert set(found.score.velocity[first].tolist()) <= {120}
        assert set(found.score.velocity[found.score.onset % 1440 == 480].tolist()) <= {30}

    @pytest.mark.parametrize(("low", "high"), [(0, 6), (3, 20), (110, 120), (121, 127)])
    def test_register_of_the_primer(self, engine, low, high):
        found = continue_score(engine, tune(3, low=low, high=high), bars=4, num_outputs=3)
        semitones = found[0].primer.semitones
        assert semitones != 0
        for one in found:
            assert_exact_bars(one.score, 4, (4, 4))
            model_low, model_high = engine.checkpoint.pitch_range
            assert one.score.pitch.min() >= max(0, model_low - semitones)
            assert one.score.pitch.max() <= min(127, model_high - semitones)


class TestAgain:
    def test_an_output_does_not_depend_on_how_many(self, engine):
        score = tune(2)
        many = continue_score(engine, score, bars=2, num_outputs=4, seed=5)
        few = continue_score(engine, score, bars=2, num_outputs=2, seed=5)
        for one, other in zip(many, few, strict=False):
            assert np.array_equal(one.ids, other.ids)
            assert one.score == other.score
            assert one.nats_per_token == other.nats_per_token
        assert len({tuple(one.ids.tolist()) for one in many}) == 4
        other_seed = continue_score(engine, score, bars=2, num_outputs=4, seed=6)
        assert not any(np.array_equal(a.ids, b.ids) for a, b in zip(many, other_seed, strict=True))

    def test_a_primer_can_be_used_again(self, engine):
        primer = make_primer(tune(3), engine.checkpoint)
        one, two = (continue_primer(engine, primer, bars=2, seed=1)[0] for _ in range(2))
        (direct,) = continue_score(engine, tune(3), bars=2, seed=1)
        assert one.score == two.score == direct.score

    def test_the_same_bytes_in_another_process(self, melody_folder, melody_engine):
        code = """
import hashlib, sys
from seqaudio.continuation import continue_score, load_engine
from seqaudio.files.midi import midi_bytes
from tests.samples import tune
found = continue_score(load_engine(sys.argv[1]), tune(3), bars=4, num_outputs=2, seed=11)
print(*[hashlib.sha256(midi_bytes(one.with_primer())).hexdigest() for one in found])
"""
        printed = run_python(code, melody_folder).split()
        here = continue_score(melody_engine, tune(3), bars=4, num_outputs=2, seed=11)
        assert printed == [hashlib.sha256(midi_bytes(one.with_primer())).hexdigest() for one in here]
        assert len(set(printed)) == 2

    def test_engines_write_the_same(self, melody_folder):
        """Within 1e-4 of each other, they choose the same tokens but at a tie closer than that."""
        found = [
            continue_score(load_engine(melody_folder, name), tune(3), bars=4, seed=2)[0] for name in ("onnx", "torch")
        ]
        assert np.array_equal(found[0].ids, found[1].ids)
        assert found[0].nats_per_token == pytest.approx(found[1].nats_per_token, abs=1e-4)


class TestNats:
    def test_mean_surprise_of_what_was_written(self, engine):
        """As if the whole line were scored at once: primer, new bars and the bar line behind them."""
        primer = make_primer(tune(2), engine.checkpoint)
        (found,) = continue_primer(engine, primer, bars=3, sampling=Sampling(temperature=0.7, top_k=20))
        bar = engine.checkpoint.tokenizer.vocabulary.id("Bar_None")
        line = np.concatenate([primer.ids, found.ids, [bar]])
        new = token_nats(engine, line)[len(primer.ids) - 1 :]
        assert len(new) == len(found.ids) + 1
        assert found.nats_per_token == pytest.approx(new.mean(), abs=1e-4)

    def test_ids_are_the_bars(self, engine):
        (found,) = continue_score(engine, tune(2), bars=3)
        names = [engine.checkpoint.tokenizer.vocabulary.names[token] for token in found.ids]
        assert names[0] == "Bar_None"
        assert names.count("Bar_None") == 3
        pitches = sum(name.startswith("Pitch") for name in names)
        assert len(found.score) == pitches or not engine.checkpoint.tokenizer.programs  # one line keeps one note a time
        assert 0 < len(found.score) <= pitches


PRIMERS = {
    "plain": tune(3),
    "one note": Score.from_notes([0], [480], [60]),
    "one short note late": Score.from_notes([2 * BAR + 480], [60], [60]),
    "silence in front": tune(2).replaced(onset=tune(2).onset + 3 * BAR),
    "pickup": Score.from_notes([1440, 1920, 2880], [480, 960, 960], [60, 64, 67]),
    "short first bar": Score.from_notes(
        [0, 480, 2400], [480, 1920, 1920], [60, 64, 67], time_signatures=[(0, 1, 4), (480, 4, 4)]
    ),
    "silent tail": Score.from_notes([0, BAR], [480, 480], [60, 62]),
    "tempo changes": tune(4, tempos=[(0, 400_000), (700, 650_000), (3 * BAR, 333_333)]),
    "named melody": joined([tune(3, low=50, high=59), tune(3, low=70, high=79)], track_names=("Lead", "Pad")),
    "skyline": joined([with_program(tune(3, low=50, high=59), 33), with_program(tune(3, low=70, high=79), 41)]),
    "accompaniment goes on": joined([tune(2, low=70, high=79), tune(4, low=50, high=59)], track_names=("Melody", "")),
    "very low": tune(3, low=0, high=9),
    "very high": tune(3, low=118, high=127),
    "coarse": tune(3, (6, 8), tpq=4),
    "everything changes, in ticks of its own": tune(
        4, tpq=100, tempos=[(0, 400_000), (350, 300_000)], pedals=[(0, 90, 0), (500, 9000, 0)]
    ).replaced(time_signatures=[(0, 4, 4), (800, 2, 4)]),
    "odd ticks": tune(3, tpq=1001),
    "finest": tune(3, tpq=32767),
    "long notes": Score.from_notes([0, 10], [9 * BAR, 100], [60, 72]),
    "chords": Score.from_notes([0, 0, 0, 960, 960], 960, [60, 64, 67, 65, 69]),
    "pedals": tune(2, pedals=[(0, 900, 0), (1000, 5000, 0)]),
    "unwritable metre": tune(2, (33, 8)),
}


@pytest.mark.parametrize("name", PRIMERS)
class TestWithPrimer:
    def test_joins(self, engine, name):
        score = PRIMERS[name]
        (found,) = continue_score(engine, score, bars=3, seed=4)
        primer, whole = found.primer, found.with_primer()
        metre = tuple(found.score.metre_map()[0, 1:].tolist())
        assert_exact_bars(found.score, 3, metre)

        scale = whole.ticks_per_quarter // score.ticks_per_quarter
        assert whole.ticks_per_quarter == scale * score.ticks_per_quarter
        cut = primer.end * scale
        old = whole.notes(whole.onset < cut)
        kept = score.notes(score.onset < primer.end)
        for column in ("pitch", "velocity", "program", "is_drum", "track"):
            assert np.array_equal(getattr(old, column), getattr(kept, column)), column
        assert np.array_equal(old.onset, kept.onset * scale)
        ends = np.minimum(kept.onset + kept.duration, primer.end)
        assert np.array_equal(old.onset + old.duration, ends * scale)

        told = len(primer.score.tempos)
        assert np.array_equal(whole.tempos[:told], primer.score.tempos * [scale, 1])
        assert len(whole.tempos) - told in (0, 1)
        is_old = whole.pedals[:, 0] < cut
        assert np.array_equal(whole.pedals[is_old], primer.score.pedals * [scale, scale, 1])
        pressed = whole.pedals[~is_old]
        assert len(pressed) == len(found.score.pedals)
        assert (len(pressed) == 0) or engine.checkpoint.tokenizer.pedals == "tokens"
        assert set(pressed[:, 2].tolist()) <= set(whole.track[whole.onset >= cut].tolist())
        before = whole.time_signatures[whole.time_signatures[:, 0] < cut]
        assert np.array_equal(before, primer.score.time_signatures * [scale, 1, 1])
        assert whole.metre_map()[-1, 1:].tolist() == [*metre]
        assert cut in whole.bars()

        new = whole.notes(whole.onset >= cut)
        assert len(new) == len(found.score)
        assert sorted(new.pitch.tolist()) == sorted(found.score.pitch.tolist())
        ticks = whole.ticks_per_quarter / 480
        at = np.sort(found.score.onset) * ticks + cut
        assert np.abs(np.sort(new.onset) - at).max() <= 0.5  # exact where MIDI has a resolution for both
        if whole.ticks_per_quarter % 12 == 0:
            assert np.array_equal(np.sort(new.onset), at)
        assert cut in (whole.bars() if len(whole.notes(whole.onset < cut)) else [cut])
        assert (new.onset + new.duration).max() <= cut + 3 * bar_ticks(metre) * ticks + 0.5
        assert pressed[:, :2].sum(axis=1).max(initial=0) <= cut + 3 * bar_ticks(metre) * ticks + 0.5
        assert whole.tempo_qpm(cut) == pytest.approx(found.score.tempo_qpm(0))

    def test_survives_a_file(self, engine, name):
        (found,) = continue_score(engine, PRIMERS[name], bars=2)
        for score in (found.score, found.with_primer()):
            data = midi_bytes(score)
            back = read_midi_bytes(data, name)
            assert len(back) == len(score)
            assert midi_bytes(back) == data


class TestWithPrimerTracks:
    def test_in_the_track_of_the_voice(self, melody_engine):
        score = joined(
            [with_program(tune(3, low=50, high=59), 33), with_program(tune(3, low=70, high=79), 41)],
            track_names=("Bass", "Violin"),
        )
        (found,) = continue_score(melody_engine, score, bars=2)
        whole = found.with_primer()
        new = whole.notes(whole.onset >= found.primer.end)
        assert whole.track_names == ("Bass", "Violin")
        assert set(new.track.tolist()) == {1}
        assert set(new.program.tolist()) == {41}

    def test_each_program_in_its_track(self, full_engine):
        score = joined([with_program(tune(3, seed=1), 33), with_program(tune(3), 41)], track_names=("Bass", "Violin"))
        for found in continue_score(full_engine, score, bars=4, num_outputs=4):
            whole = found.with_primer()
            new = whole.notes(whole.onset >= found.primer.end)
            assert set(zip(new.track.tolist(), new.program.tolist(), strict=True)) <= {(0, 33), (1, 41)}


def test_drums_only_is_no_melody(melody_engine):
    drums = tune(3).replaced(is_drum=np.ones(len(tune(3)), bool))
    with pytest.raises(NoNotesError, match="only drums"):
        continue_score(melody_engine, drums, bars=2)


def test_no_notes(engine):
    with pytest.raises(NoNotesError):
        continue_score(engine, Score.from_notes([], [], []), bars=2)


class TestGenerate:
    def test_exact_bars(self, engine):
        for seed, bars in enumerate((1, 2, 4, 8)):
            for found in generate_score(engine, bars=bars, num_outputs=2, seed=seed):
                assert found.primer is None
                assert found.with_primer() is found.score
                lines = found.score.bars()
                assert len(lines) == bars + 1
                assert (found.score.onset + found.score.duration).max() <= lines[-1]
                sounds = np.histogram(found.score.onset, lines)[0] > 0
                assert sounds[-1]
                assert not (~sounds[:-1] & ~sounds[1:]).any()
                pitched = ~found.score.is_drum
                low, high = engine.checkpoint.pitch_range
                assert ((found.score.pitch >= low) & (found.score.pitch <= high))[pitched].all()

    def test_again(self, engine):
        one = generate_score(engine, bars=2, num_outputs=3, seed=1)
        other = generate_score(engine, bars=2, num_outputs=1, seed=1)
        assert one[0].score == other[0].score
        assert not np.array_equal(one[0].ids, one[1].ids)


class TestPedals:
    def test_only_of_programs_that_play(self, pedals_engine):
        count = 0
        for found in continue_score(pedals_engine, PRIMERS["pedals"], bars=4, num_outputs=8):
            new, whole = found.score, found.with_primer()
            count += len(new.pedals)
            assert set(new.pedals[:, 2].tolist()) <= set(new.track.tolist())
            assert new.pedals[:, :2].sum(axis=1).max(initial=0) <= 4 * BAR
            assert set(whole.pedals[:, 2].tolist()) <= {0}
        assert count > 0

    def test_a_pedal_that_is_down_at_the_cut_may_lift_behind_it(self, pedals_engine):
        primer = make_primer(tune(2, pedals=[(960, 9000, 0)]), pedals_engine.checkpoint)
        names = [PEDALS.vocabulary.names[token] for token in primer.ids]
        assert [name for name in names if name.startswith("Pedal")] == ["PedalDown_0"]
        held = 0
        for found in continue_primer(pedals_engine, primer, bars=4, num_outputs=8):
            names = [PEDALS.vocabulary.names[token] for token in found.ids]
            assert next((name for name in names if name.startswith("Pedal")), "PedalUp_0") == "PedalUp_0"
            at_once = names.index("PedalUp_0") == 2 if "PedalUp_0" in names else False
            assert (0 in found.score.pedals[:, 0]) == (not at_once or names[1] != "Position_0")
            held += 0 in found.score.pedals[:, 0]
        assert held > 0

    def test_a_primer_is_heard_with_its_tempos_and_pedals(self, pedals_engine):
        score = tune(4, tempos=[(0, 600_000), (3 * BAR, 400_000)], pedals=[(2 * BAR, 960, 0)])
        late = score.replaced(
            onset=score.onset + BAR,
            tempos=[(0, 333_333), (480, 600_000), (4 * BAR, 400_000)],
            pedals=[(0, BAR // 2, 0), (3 * BAR, 960, 0)],
        )
        for one in (score, late):
            assert np.array_equal(make_primer(one, pedals_engine.checkpoint).ids, PEDALS.encode(score)[:-1])


class TestBarsInSeconds:
    @pytest.mark.parametrize(
        ("metre", "tempo_us", "seconds", "bars"),
        [
            ((4, 4), 500_000, 2.0, 1),
            ((4, 4), 500_000, 2.001, 2),
            ((4, 4), 500_000, 20.0, 10),
            ((4, 4), 500_000, 1e-9, 1),
            ((3, 4), 500_000, 30.0, 20),
            ((6, 8), 400_000, 12.0, 10),
            ((7, 8), 600_000, 2.1, 1),
        ],
    )
    def test_enough_and_no_more(self, metre, tempo_us, seconds, bars):
        assert bars_in_seconds(tune(2, metre, tempos=[(0, tempo_us)]), seconds) == bars

    def test_last_metre_and_tempo(self):
        score = tune(4, tempos=[(0, 500_000), (BAR, 1_000_000)]).replaced(time_signatures=[(0, 4, 4), (2 * BAR, 2, 4)])
        assert bars_in_seconds(score, 20) == 10

    @pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
    def test_refused(self, seconds):
        with pytest.raises(OptionError, match="seconds"):
            bars_in_seconds(tune(2), seconds)


class TestSoundsAsThePrimer:
    def test_a_final_ritardando_does_not_go_on(self, engine):
        slow = tune(8, tempos=[(0, 400_000), (8 * BAR - 480, 900_000)])
        (found,) = continue_score(engine, slow, bars=1)
        assert found.score.tempos.tolist() == [[0, 400_000]]
        whole = found.with_primer()
        assert [whole.tempo_qpm(tick) for tick in (found.begins - 1, found.begins)] == pytest.approx([60 / 0.9, 150])

    def test_behind_a_shortened_last_bar_the_metre_before_it_goes_on(self, melody_engine):
        """In the file too: whole bars of the new metre from the cut on, which is no bar line of it."""
        score = tune(4).replaced(time_signatures=[(0, 4, 4), (3 * 1920, 3, 4)])
        (found,) = continue_score(melody_engine, score, bars=3, primer_bars=4, seed=1)
        whole = found.with_primer()
        assert found.begins * 480 == (3 * 1920 + 1440) * whole.ticks_per_quarter
        assert [tuple(row) for row in whole.metre_map()[:, 1:].tolist()] == [(4, 4), (3, 4), (4, 4)]
        quarters = np.diff(whole.bars()) // whole.ticks_per_quarter
        assert quarters.tolist() == [4, 4, 4, 3, 4, 4, 4]

    def test_a_melody_model_writes_one_note_at_a_time(self, engine):
        (found,) = continue_score(engine, tune(2), bars=8, sampling=Sampling(temperature=2))
        if not engine.checkpoint.tokenizer.programs:
            assert (np.diff(found.score.onset) > 0).all()
            assert (found.score.onset + found.score.duration)[:-1].max() <= found.score.onset[1:].max()
            assert ((found.score.onset + found.score.duration)[:-1] <= found.score.onset[1:]).all()


class TestLikelihood:
    def test_engines_agree(self, melody_folder, full_folder):
        for folder in (melody_folder, full_folder):
            one, other = (score_likelihood(load_engine(folder, name), tune(40)) for name in ("onnx", "torch"))
            assert np.array_equal(one.ids, other.ids)
            np.testing.assert_allclose(one.nats, other.nats, atol=1e-4)
            assert len(one.ids) > CHUNK

    def test_what_training_measures(self, melody_engine, full_engine):
        from seqaudio.training.evaluate import piece_nats

        for engine, tokenizer in ((melody_engine, MELODY), (full_engine, FULL)):
            score = tune(60)  # longer than one run of the engine
            found = score_likelihood(engine, score)
            assert len(found.nats) > CHUNK
            assert np.array_equal(found.ids, tokenizer.encode(score))
            (expected,) = piece_nats(engine.checkpoint.build(), [tokenizer.encode(score)])
            np.testing.assert_allclose(found.nats, expected, atol=1e-4)

    def test_counts(self, engine):
        found = score_likelihood(engine, tune(6, (3, 4)))
        assert (found.notes, found.bars) == (len(tune(6, (3, 4))), 6)
        assert found.nats.shape == (len(found.ids) - 1,)
        assert (found.nats > 0).all()

    def test_read_as_a_primer_would_be(self, melody_engine):
        low = score_likelihood(melody_engine, tune(4, low=12, high=24))
        same = score_likelihood(melody_engine, tune(4, low=12, high=24).transposed(36))
        np.testing.assert_allclose(low.nats, same.nats)

    @pytest.mark.parametrize("tokenizer", [PerformanceTokenizer(), MelodyTokenizer(), PianorollTokenizer()])
    def test_other_tokens_are_scored_as_they_are(self, tokenizer, tmp_path):
        from seqaudio.training.evaluate import piece_nats

        engine = load_engine(model_folder(tmp_path, tokenizer=tokenizer), "onnx")
        score = tune(8)
        found = score_likelihood(engine, score)
        (expected,) = piece_nats(engine.checkpoint.build(), [tokenizer.encode(score)])
        np.testing.assert_allclose(found.nats, expected, atol=1e-4)
        assert (found.notes, found.bars) == (len(tokenizer.quantize(score)[0]), 8)
        with pytest.raises(NoNotesError):
            score_likelihood(engine, Score.from_notes([], [], []))
        with pytest.raises(OptionError, match=f"writes {tokenizer.name} tokens, which know no bar lines"):
            continue_score(engine, score, bars=2)

    def test_refused(self, melody_engine):
        with pytest.raises(NoNotesError):
            score_likelihood(melody_engine, Score.from_notes([], [], []))
        drums = tune(3).replaced(is_drum=np.ones(len(tune(3)), bool))
        with pytest.raises(NoNotesError):
            score_likelihood(melody_engine, drums)

    def test_hardly_any_tokens(self, engine):
        assert token_nats(engine, np.array([1])).shape == (0,)
        assert token_nats(engine, np.array([1, 2])).shape == (1,)


def test_unless_told_a_model_is_sampled_from_at_its_own_temperatures():
    engine = load_engine(model_path("chorales"))
    own = engine.checkpoint.sampling
    assert own != {"temperature": 1.0, "gate_temperature": 1.0}
    plain = Sampling(1.0, gate_temperature=1.0)
    asked = [None, Sampling(own["temperature"], gate_temperature=own["gate_temperature"]), Sampling(), plain]
    asked += [Sampling(own["temperature"]), Sampling(gate_temperature=own["gate_temperature"]), Sampling(1.0)]
    found = [continue_score(engine, tune(8), bars=4, seed=1, sampling=each)[0].ids.tolist() for each in asked]
    untold, told, nothing, plain_ids, gate_untold, head_untold, gate_alone = found
    assert untold == told == nothing == gate_untold == head_untold
    assert untold != plain_ids != gate_alone != untold


def test_a_primer_may_be_heard_straight(melody_engine):
    late = tune(2).replaced(onset=tune(2).onset + np.resize([0, 35, -30], len(tune(2))).clip(-tune(2).onset))
    for asked in (None, False, True):
        (one,) = continue_score(melody_engine, late, bars=1, straight=asked)
        ((other,),) = continue_scores(melody_engine, [late], bars=1, straight=asked)
        assert one.primer.straight == other.primer.straight == bool(asked)
        assert np.array_equal(one.ids, other.ids)
