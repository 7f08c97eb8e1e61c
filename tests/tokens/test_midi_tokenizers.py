"""The tokenizer laws for MidiTok's tokenizers under many options, MidiTok as the independent path, and losses."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.errors import CheckpointError, MissingDependencyError, OptionError, VocabularyError
from seqaudio.files import midi_bytes, read_midi, write_midi
from seqaudio.music import Score
from seqaudio.tokens import MidiTokTokenizer, load_tokenizer, tokenizer_from_json
from tests.contracts import tokenizer_laws as laws
from tests.samples import ROOT, tune

pytest.importorskip("miditok")
SHARED = Path(os.environ.get("SEQAUDIO_SHARED", ROOT.parent / "shared"))
MICRO = {
    "use_microtiming": True, "ticks_per_quarter": 320, "max_microtiming_shift": 0.125, "num_microtiming_bins": 30,
}  # fmt: skip
NO_DRUM_TOKENS = {"use_pitchdrum_tokens": False, "use_programs": True}
PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "REMI": ("REMI", {}),
    "REMI+": ("REMI", {"use_programs": True, "use_tempos": True, "use_rests": True, "use_chords": True}),
    "REMI with pedals": ("REMI", {"use_programs": True, "use_sustain_pedals": True, "sustain_pedal_duration": True}),
    "REMI, a program a track": (
        "REMI", {"use_programs": True, "program_changes": True, "one_token_stream_for_programs": False},
    ),
    "REMI in intervals": ("REMI", {"use_programs": True, "use_pitch_intervals": True}),
    "REMI of onsets": ("REMI", {"use_note_duration_programs": [], "use_velocities": False, "special_tokens": ["PAD"]}),
    "TSD": ("TSD", {"use_programs": True, "use_tempos": True, "use_rests": True, **NO_DRUM_TOKENS}),
    "TSD by track": ("TSD", {"use_sustain_pedals": True, "remove_duplicated_notes": True}),
    "MIDILike": ("MIDILike", {}),
    "MIDILike+": ("MIDILike", {"use_programs": True, "use_tempos": True, "use_sustain_pedals": True}),
    "Structured": ("Structured", {"use_programs": True}),
    "PerTok": ("PerTok", {**MICRO, "use_time_signatures": False, "use_programs": True, "use_tempos": True}),
    "PerTok, positions": (
        "PerTok", {**MICRO, "use_microtiming": False, "use_position_toks": True, "use_time_signatures": False},
    ),
    "MMM of TSD": ("MMM", {"base_tokenizer": "TSD"}),
    "MMM of REMI": ("MMM", {"base_tokenizer": "REMI", "use_tempos": True}),
    "MMM of MIDILike": ("MMM", {"base_tokenizer": "MIDILike"}),
    "CPWord": ("CPWord", {"use_programs": True}),
    "CPWord+": ("CPWord", {"use_tempos": True, "use_time_signatures": False, "use_rests": True, "use_chords": True}),
    "Octuple": ("Octuple", {"use_time_signatures": False, "use_tempos": True, **NO_DRUM_TOKENS}),
    "Octuple by track": ("Octuple", {"use_time_signatures": False}),
    "MuMIDI": ("MuMIDI", {"use_tempos": True, "use_chords": True}),
}  # fmt: skip
TRAINED = {
    "BPE": ("REMI", {"use_programs": True}, "BPE"),
    "BPE in one piece": ("TSD", {"encode_ids_split": "no"}, "BPE"),
    "BPE of MMM": ("MMM", {"base_tokenizer": "REMI", "encode_ids_split": "beat"}, "BPE"),
    "Unigram": ("MIDILike", {}, "Unigram"),
    "WordPiece": ("REMI", {}, "WordPiece"),
}
every_tokenizer = pytest.mark.parametrize("name", [*PLAIN, *TRAINED])
every_trained = pytest.mark.parametrize("name", TRAINED)


@cache
def tokenizer(name: str) -> MidiTokTokenizer:
    if name in PLAIN:
        return MidiTokTokenizer.of(*PLAIN[name])
    kind, config, model = TRAINED[name]
    untrained = MidiTokTokenizer.of(kind, config)
    pieces = [band(seed) for seed in range(12)]
    return untrained.train(pieces, len(untrained.vocabulary) + 120, model)


def band(seed: int) -> Score:
    """A tune, its bass and a drum, eight bars long."""
    parts = [tune(8, seed=seed), tune(8, seed=seed + 1, low=36, high=48), tune(8, seed=seed + 2, low=36, high=38)]
    names = ("onset", "duration", "pitch")
    voice = np.repeat([0, 1, 2], [len(part) for part in parts])
    return Score.from_notes(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in names),
        program=np.array([0, 33, 0])[voice],
        is_drum=voice == 2,
        track=voice,
        velocity=np.array([79, 63, 95])[voice],
        time_signatures=[(0, 4, 4)],
        track_names=("tune", "bass", "drums"),
    )


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Scores off every grid, with pitches, metres and tempos that some tokenizers do not have."""
    tpq = draw(st.sampled_from([24, 96, 480, 1000]))
    place, length = st.integers(0, 24 * tpq), st.integers(1, 3 * tpq) | st.integers(1, 20 * tpq)
    pitch = st.integers(48, 72) | st.integers(0, 127)
    note = st.tuples(place, length, pitch, st.integers(1, 127), st.integers(0, 2))
    notes = np.array(draw(st.lists(note, max_size=20)), dtype=np.int64).reshape(-1, 5).T
    metre = st.tuples(place, st.integers(1, 13), st.sampled_from([2, 4, 8, 16]))
    return Score.from_notes(
        *notes[:3],
        velocity=notes[3],
        program=np.array([0, 40, 0])[notes[4]],
        is_drum=notes[4] == 2,
        track=notes[4],
        ticks_per_quarter=tpq,
        tempos=draw(st.lists(st.tuples(place, st.integers(200_000, 1_500_000)), max_size=2)),
        time_signatures=draw(st.lists(metre, max_size=2)),
        pedals=draw(st.lists(st.tuples(place, length, st.integers(0, 2)), max_size=2)),
        track_names=("a", "b", "c"),
    )


@every_tokenizer
@settings(max_examples=6, deadline=None)
@given(score=scores())
def test_scores_and_ids_go_round(name: str, score: Score) -> None:
    made = tokenizer(name)
    ids = made.encode(score)
    laws.grammar_accepts_what_is_encoded(made, ids)
    laws.decoding_gives_the_score_on_the_grid(made, score)
    grid, loss = made.quantize(score)
    assert len(grid) + loss.notes_merged + loss.notes_dropped == len(score)
    laws.what_is_on_the_grid_loses_nothing(made, grid)
    laws.encoded_ids_come_back(made, grid)


@every_tokenizer
def test_what_the_grammar_allows_opens_elsewhere(name: str) -> None:
    made = tokenizer(name)
    for seed in (0, 1):
        ids = laws.sampled(made, np.random.default_rng(seed), 100)
        score = made.decode(ids)
        assert len(score) > 0
        laws.decoding_gives_the_score_on_the_grid(made, score)
        data, notes = midi_bytes(score), sorted(laws.rows(score))
        assert sorted(laws.mido_rows(data)) == notes
        assert sorted(laws.symusic_rows(data)) == notes
        assert sorted(laws.pretty_rows(data)) == notes


@every_tokenizer
def test_the_grammar_refuses_disorder(name: str) -> None:
    made, rng = tokenizer(name), np.random.default_rng(3)
    ids = laws.sampled(made, rng, 40)
    refused = 0
    for _ in range(12):
        try:
            made.decode(rng.permutation(ids))
        except VocabularyError as problem:
            assert "may not follow" in str(problem)  # noqa: PT017 - only some orders are refused
            refused += 1
    assert refused > 6


@every_tokenizer
def test_sequences_may_stop_anywhere(name: str) -> None:
    made = tokenizer(name)
    score = band(3)
    ids = made.encode(score.notes(score.onset < 1920))
    for cut in np.linspace(0, len(ids), 6, dtype=int):
        laws.decoding_a_beginning_gives_the_beginning(made, ids, cut)


@every_tokenizer
def test_a_saved_tokenizer_is_the_same(name: str, tmp_path: Path) -> None:
    made = tokenizer(name)
    laws.saving_changes_nothing(made, band(5), tmp_path / "tokenizer.json")
    laws.ids_outside_the_vocabulary_are_named(made, band(5))
    assert load_tokenizer(tmp_path / "tokenizer.json") == made
    stored = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    assert {"miditok_version", "symusic_version", "hf_tokenizers_version"} < set(stored["miditok"])
    assert stored["tokens"][:3] == ["PAD_None", "BOS_None", "EOS_None"]
    assert len(set(stored["tokens"])) == len(stored["tokens"])
    assert sum(ids.stop - ids.start for ids in made.vocabulary.slices.values()) == len(made.vocabulary)


@every_tokenizer
def test_moving_ids_is_moving_the_score(name: str) -> None:
    made = tokenizer(name)
    for seed, semitones in enumerate((-5, 7)):
        ids = made.encode(made.decode(made.encode(band(seed))))
        grid, moved = made.decode(ids), made.transpose(ids, semitones)
        assert made.decode(moved) == grid.transposed(semitones)
        assert made.encode(grid.transposed(semitones)).tolist() == moved.tolist()
        assert made.transpose(moved, -semitones).tolist() == ids.tolist()
    with pytest.raises(VocabularyError, match=r"moving by 99 semitones leaves the pitches 21\.\.109"):
        made.transpose(ids, 99)


@every_tokenizer
def test_notes_begin_where_they_are_said_to(name: str) -> None:
    made, score = tokenizer(name), band(1)
    ids = made.encode(score)
    if made.ids.miditok.is_trained:
        ids = np.array(made.ids.expanded(ids.tolist()))
    assert made.begins_note[ids].sum() == len(score)
    pitches = made.pitch_of_token[ids[made.begins_note[ids]]]
    if "intervals" not in name and made.ids.miditok.config.use_pitchdrum_tokens:
        assert sorted(pitches[pitches >= 0]) == sorted(score.pitch[~score.is_drum])
    assert (pitches >= 0).any()


def through_miditok(made: MidiTokTokenizer, path: Path) -> list[str]:
    """The names of MidiTok's own tokens of a file, read by symusic, with ours between and around them."""
    kind, config = made.kind, made.ids.miditok.config.copy()
    import miditok

    theirs = getattr(miditok, kind)(config) if not made.ids.miditok.is_trained else made.ids.miditok
    sequences = theirs(path)
    sequences = sequences if isinstance(sequences, list) else [sequences]
    tracks = []
    for sequence in sequences:
        if theirs.is_multi_voc:
            tracks.append([theirs[slot, i] for step in sequence.ids for slot, i in enumerate(step)])
        else:
            if sequence.are_ids_encoded:
                theirs.decode_token_ids(sequence)
            tracks.append([theirs[i] for i in sequence.ids])
    flat = [name for track in tracks for name in ["NextTrack_None", *track]][1:]
    return ["BOS_None", *flat, "EOS_None"]


def through_us(made: MidiTokTokenizer, path: Path) -> list[str]:
    ids = made.ids.expanded(made.encode(read_midi(path)).tolist())
    names = [made.ids.base[i] for i in ids]
    return ["Ignore_None" if name.startswith("Ignore") else name for name in names]


@every_tokenizer
@pytest.mark.filterwarnings("ignore::UserWarning:miditok")
def test_miditok_writes_the_same_tokens(name: str, tmp_path: Path) -> None:
    made = tokenizer(name)
    for seed in range(2):
        write_midi(band(seed).replaced(tempos=[[0, 500_000]]), tmp_path / "band.mid")
        assert through_us(made, tmp_path / "band.mid") == through_miditok(made, tmp_path / "band.mid")


@every_tokenizer
@pytest.mark.filterwarnings("ignore::UserWarning:miditok")
def test_miditok_writes_the_same_tokens_of_real_files(name: str, tmp_path: Path) -> None:
    files = sorted((SHARED / "data" / "midi").rglob("*.mid"))[::700]
    if not files:
        pytest.skip(f"no MIDI files under {SHARED / 'data' / 'midi'}; SEQAUDIO_SHARED names another folder")
    compared = 0
    for path in files:
        if path.stat().st_size < 30_000:  # written anew: a score does not know in which order a file strikes a chord
            score = read_midi(path).replaced(pedals=[])  # symusic lets a track's first pedal begin at tick 0
            write_midi(score, tmp_path / "same.mid")
            ours, theirs = (by(tokenizer(name), tmp_path / "same.mid") for by in (through_us, through_miditok))
            assert ours == theirs, path
            compared += 1
    assert compared > 2


@every_trained
def test_a_trained_tokenizer_is_shorter_and_says_the_same(name: str) -> None:
    made = tokenizer(name)
    kind, config, _ = TRAINED[name]
    untrained = MidiTokTokenizer.of(kind, config)
    for seed in (0, 40):  # one that was learned from, and one that was not
        ids, plain = made.encode(band(seed)), untrained.encode(band(seed))
        assert len(ids) < 0.8 * len(plain)
        assert [made.ids.base[i] for i in made.ids.expanded(ids.tolist())] == [untrained.ids.base[i] for i in plain]
        assert made.decode(ids) == untrained.decode(plain)


@every_trained
def test_miditok_reads_what_it_saved_itself(name: str, tmp_path: Path) -> None:
    made = tokenizer(name)
    made.ids.miditok.save(tmp_path / "theirs.json")
    again = MidiTokTokenizer.from_file(tmp_path / "theirs.json")
    assert again == MidiTokTokenizer.from_settings({"file": str(tmp_path / "theirs.json")})
    for other in (again, MidiTokTokenizer(made.ids.miditok)):
        assert other.vocabulary == made.vocabulary
        assert other.encode(band(7)).tolist() == made.encode(band(7)).tolist()


def test_a_word_too_long_for_wordpiece_is_not_lost() -> None:
    made = tokenizer("WordPiece")
    dense = Score.from_notes(np.repeat(np.arange(32) * 60, 10), 60, np.tile(np.arange(50, 60), 32))  # one bar
    grid, loss = made.quantize(dense)
    assert (len(grid), loss.notes_dropped) == (320, 0)


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("REMI", {}, {}),
        ("REMI", {"pitch": [20, 60, 110]}, {"notes_dropped": 2}),
        ("REMI", {"pitch": [60, 60, 60], "onset": [0, 1, 480]}, {"notes_merged": 1}),
        ("REMI", {"onset": [0, 485, 960]}, {"onsets_moved": 1}),
        ("REMI", {"duration": [480, 100, 480]}, {"durations_changed": 1}),
        ("REMI", {"velocity": [79, 80, 79]}, {"velocities_rounded": 1}),
        ("REMI", {"program": [0, 1, 2]}, {"programs_dropped": 2}),
        ("REMI", {"is_drum": [False, True, True], "pitch": [60, 40, 20]}, {"notes_dropped": 1}),
        ("REMI", {"tempos": [(0, 400_000)]}, {"tempo_changes_dropped": 1}),
        ("REMI", {"pedals": [(0, 9, 0)]}, {"pedal_spans_dropped": 1}),
        ("REMI", {"time_signatures": [(0, 3, 4)]}, {}),
        ("REMI", {"time_signatures": [(0, 7, 16)]}, {"metre_changes_replaced": 1}),
        ("Structured", {"time_signatures": [(0, 3, 4)]}, {"metre_changes_replaced": 1}),
        ("TSD by track", {"pedals": [(0, 480, 0)]}, {}),
        ("REMI+", {"program": [0, 1, 2]}, {}),
        ("REMI+", {"tempos": [(0, 400_001)]}, {"tempos_rounded": 1}),
        ("Octuple", {"onset": [0, 480, 4 * 480 * 60]}, {"notes_dropped": 1}),  # it has 60 bars
    ],
)  # fmt: skip
def test_what_is_lost_is_counted(name: str, change: dict[str, Any], expected: dict[str, int]) -> None:
    columns = {"onset": [0, 480, 960], "duration": [480, 480, 480], "pitch": [60, 62, 64], "velocity": 79} | change
    assert tokenizer(name).quantize(Score.from_notes(**columns))[1].nonzero() == expected


def test_nothing_becomes_nothing() -> None:
    for name in (*PLAIN, *TRAINED):
        empty = Score.from_notes([], 1, 60, tempos=[(0, 1)], time_signatures=[(0, 3, 4)])
        for score in (empty, Score.from_notes([0], 480, 0)):
            assert [tokenizer(name).vocabulary.names[i] for i in tokenizer(name).encode(score)] == [
                "BOS_None",
                "EOS_None",
            ]


def test_the_tokens_of_a_bar_are_as_documented() -> None:
    score = Score.from_notes([0, 480, 480], 480, [60, 64, 38], velocity=79, is_drum=[0, 0, 1], track=[0, 0, 1],
                             track_names=["", ""])  # fmt: skip

    def names(name: str) -> list[str]:
        return [tokenizer(name).vocabulary.names[i] for i in tokenizer(name).encode(score)]

    assert names("REMI") == [
        "BOS_None", "Bar_None", "TimeSig_4/4", "Position_0", "Pitch_60", "Velocity_79", "Duration_1.0.8",
        "Position_8", "Pitch_64", "Velocity_79", "Duration_1.0.8", "NextTrack_None",
        "Bar_None", "TimeSig_4/4", "Position_8", "PitchDrum_38", "Velocity_79", "Duration_1.0.8", "EOS_None",
    ]  # fmt: skip
    assert names("CPWord")[8:23] == [
        "Family_Metric", "Position_0", "IgnorePitch_None", "IgnoreVelocity_None", "IgnoreDuration_None",
        "IgnoreProgram_None", "IgnoreTimeSig_None",
        "Family_Note", "IgnorePosition_None", "Pitch_60", "Velocity_79", "Duration_1.0.8", "Program_0",
        "IgnoreTimeSig_None", "Family_Metric",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        ("BARS", {}, r"no MidiTok tokenizer 'BARS' can be used here; there are REMI"),
        ("REMI", {"use_programms": True}, r"MidiTok has no option use_programms; there are .*use_programs"),
        ("REMI", {"pitch_range": (-3, 200)}, r"MidiTok refuses these options of REMI"),
        ("MMM", {}, r"MidiTok refuses these options of MMM: MMM must be used with a `base_tokenizer`"),
        ("Octuple", {"use_rests": True}, r"MidiTok's Octuple cannot have use_rests=True; leave it out"),
        ("REMI", {"max_bar_embedding": 64}, r"MidiTok's REMI does not read back what it writes"),
        ("PerTok", {**MICRO, "use_tempos": True}, r"MidiTok's PerTok cannot read these tokens"),
        ("PerTok", {**MICRO, "use_sustain_pedals": True}, r"MidiTok's PerTok cannot read these tokens"),
    ],
)
def test_what_cannot_be_used_is_refused(kind: str, config: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        MidiTokTokenizer.of(kind, config)


def test_training_asks_for_what_can_be_learned() -> None:
    with pytest.raises(OptionError, match="Octuple cannot be trained"):
        tokenizer("Octuple").train([band(0)], 5000)
    with pytest.raises(OptionError, match=r"vocabulary_size must be above the \d+ base tokens, not 10"):
        tokenizer("REMI").train([band(0)], 10)
    with pytest.raises(OptionError, match="no model 'GPT' can be trained"):
        tokenizer("REMI").train([band(0)], 5000, "GPT")


def test_settings_are_read_as_on_the_command_line(tmp_path: Path) -> None:
    settings = {"kind": "TSD", "use_programs": "true", "num_velocities": "16", "beat_res": '{"0_4": 4}'}
    made = MidiTokTokenizer.from_settings(settings)
    assert made == MidiTokTokenizer.of("TSD", {"use_programs": True, "num_velocities": 16, "beat_res": {(0, 4): 4}})
    assert MidiTokTokenizer.from_settings({}) == tokenizer("REMI")
    with pytest.raises(OptionError, match="cannot be read: No such file"):
        MidiTokTokenizer.from_settings({"file": str(tmp_path / "none.json")})
    with pytest.raises(OptionError, match="takes no other setting"):
        MidiTokTokenizer.from_settings({"file": "x.json", "use_rests": "true"})


def test_a_tokenizer_of_other_tokens_is_refused(tmp_path: Path) -> None:
    good = json.loads(tokenizer("BPE").to_json())
    other = good | {"tokens": [*good["tokens"][:-1], "Pitch_200"]}
    with pytest.raises(CheckpointError, match=r"was saved by miditok \S+, symusic \S+, .* write other tokens"):
        tokenizer_from_json(json.dumps(other))
    params = good["miditok"]
    others = [{}, 3, params | {"tokenization": "os"}, params | {"_model": {}}, params | {"config": {}}]
    for text in (json.dumps(good | {"miditok": other}) for other in others):
        with pytest.raises(CheckpointError):
            MidiTokTokenizer.from_json(text)
    for text in ("", "[]", "null", tokenizer("BPE").to_json()[:200]):
        (tmp_path / "bad.json").write_text(text, encoding="utf-8")
        with pytest.raises(CheckpointError):
            MidiTokTokenizer.from_json(text)
        with pytest.raises(CheckpointError):
            MidiTokTokenizer.from_file(tmp_path / "bad.json")


def test_parameters_set_no_attribute_of_their_own() -> None:
    stored = json.loads(tokenizer("REMI").to_json())
    stored["miditok"] |= {"encode": 3, "config": stored["miditok"]["config"]}
    made = MidiTokTokenizer.from_json(json.dumps(stored))
    assert made.encode(band(0)).tolist() == tokenizer("REMI").encode(band(0)).tolist()


def test_tokens_that_miditok_does_not_save_are_refused() -> None:
    import miditok

    live = miditok.TSD()
    live.add_to_vocab("Mood_happy")
    with pytest.raises(OptionError, match=r"tokens that its save\(\) leaves out"):
        MidiTokTokenizer(live)


def test_without_miditok_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "miditok", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'seqaudio\[midi-tokenizers\]'"):
        MidiTokTokenizer.of("REMI")
    with pytest.raises(MissingDependencyError, match="MidiTok is not installed"):
        tokenizer_from_json(tokenizer("REMI").to_json())


def test_no_network_is_asked_and_no_warning_given() -> None:
    code = """if True:
        import socket
        def refused(*_, **__): raise AssertionError("a connection was opened")
        socket.socket.connect = socket.getaddrinfo = socket.create_connection = refused
        from seqaudio.tokens import MidiTokTokenizer
        import sys
        assert "miditok" not in sys.modules
        from seqaudio.music import Score
        score = Score.from_notes(range(0, 4800, 480), 480, range(60, 70))
        made = MidiTokTokenizer.of("REMI").train([score] * 5, 400)
        assert len(made.decode(made.encode(score))) == 10
    """
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
