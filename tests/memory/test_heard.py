"""What a model hears of a piece: its own tokens or frames, each step at its time and in its bar."""

import numpy as np
import pytest

from seqaudio.continuation.likelihood import heard_tokens
from seqaudio.continuation.primer import make_readable
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.memory.facts import facts_of
from seqaudio.memory.heard import hear, hear_steps
from seqaudio.models.checkpoint import Checkpoint, FrameFacts
from seqaudio.models.config import ModelConfig
from seqaudio.music import Score
from seqaudio.tokens import BarsTokenizer, MelodyTokenizer, PerformanceTokenizer, PianorollTokenizer
from tests.samples import MELODY, tune

CONFIG = ModelConfig(hidden_size=2, layers=1)
WHOLE_PIECES = {"experiment": {"corpus": {"options": {"melody": False}}}}
FRAMES = Checkpoint(ModelConfig(hidden_size=2, layers=1, head="bernoulli"), None, {}, frames=FrameFacts())


def listener(tokenizer):
    return Checkpoint(CONFIG, tokenizer, {})


@pytest.mark.parametrize("metre", [(4, 4), (6, 8), (3, 4)])
@pytest.mark.parametrize(
    "tokenizer", [MELODY, BarsTokenizer(), MelodyTokenizer(), PianorollTokenizer(), PerformanceTokenizer()]
)
def test_every_note_begins_where_its_token_does(tokenizer, metre):
    score = tune(5, metre)
    heard = hear(listener(tokenizer), score)
    assert (np.diff(heard.edges) > 0).all()
    assert len(heard.edges) == len(heard) + 1 == len(tokenizer.encode(score))
    per_quarter = 0.5 if isinstance(tokenizer, PerformanceTokenizer) else 1.0  # seconds at 120 per minute
    assert heard.lines == pytest.approx(score.bars() / 480 * per_quarter)
    found = {(round(box.begin, 6), round(box.end, 6), box.pitch) for box in heard.boxes}
    ends = (score.onset, score.onset + score.duration)
    wanted = {
        (a * per_quarter, b * per_quarter, p)
        for a, b, p in zip(*(t / 480 for t in ends), score.pitch.tolist(), strict=True)
    }
    if not isinstance(tokenizer, PianorollTokenizer):  # which joins notes of one key that touch
        assert found == wanted
    named = np.flatnonzero(tokenizer.pitch_of_token[heard.steps] >= 0)
    if tokenizer.name in ("bars", "melody"):
        onsets = score.onset / 480
        assert heard.bar[named].tolist() == (np.searchsorted(score.bars(), score.onset, side="right") - 1).tolist()
        assert heard.quarters[named] == pytest.approx(onsets - (score.bars() / 480)[heard.bar[named]])
        assert heard.pitch[named].tolist() == score.pitch.tolist()


def test_a_model_of_bars_hears_what_it_would_of_a_primer():
    score = tune(4, low=90, high=110)
    model = Checkpoint(CONFIG, MELODY, {}, (48, 84))
    heard, readable = hear(model, score), make_readable(score, model)
    assert heard.steps.tolist() == MELODY.encode(readable.score)[:-1].tolist()
    assert heard.remarks == readable.remarks
    assert heard.remarks


def test_frames_are_the_keys_that_sound():
    score = Score.from_notes([0, 480, 960], [480, 960, 240], [60, 64, 67])
    heard = hear(FRAMES, score)
    assert heard.steps.shape == (12, 88)
    for step in range(12):
        sounding = {60} if step < 4 else ({64, 67} if 8 <= step < 10 else {64})
        assert set((np.flatnonzero(heard.steps[step]) + 21).tolist()) == sounding
        assert heard.pitch[step] == max(sounding)
    assert heard.edges.tolist() == (np.arange(13) / 4).tolist()
    low = hear(FRAMES, Score.from_notes([0, 0], 480, [5, 60]))
    assert low.remarks == ("1 notes beyond the model's keys are not heard",)


@pytest.mark.parametrize(
    "tokenizer", [MELODY, BarsTokenizer(), MelodyTokenizer(), PianorollTokenizer(), PerformanceTokenizer()]
)
def test_a_piece_of_a_corpus_is_heard_as_the_music_it_was_made_from(tokenizer):
    ids, _, _ = heard_tokens(listener(tokenizer), tune(5))
    same(hear_steps(listener(tokenizer), ids.astype(np.uint16)), hear(listener(tokenizer), tune(5)), ids)


def test_frames_of_a_corpus_are_heard_as_the_music_they_were_made_from():
    heard = hear(FRAMES, tune(5))
    silence = np.zeros((7, 88), dtype=bool)
    same(hear_steps(FRAMES, np.concatenate([heard.steps, silence]).astype(np.uint8)), heard, heard.steps)


def same(found, expected, piece):
    for one in (found, expected):
        assert np.array_equal(one.piece, piece)
    for name in ("steps", "edges", "lines", "bar", "quarters", "pitch", "loudness"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name)), name
    assert np.array(sorted(found.boxes)) == pytest.approx(np.array(sorted(expected.boxes)))
    assert facts_of(found).keys() == facts_of(expected).keys()


def test_a_long_piece_has_no_end():
    whole, part = hear(listener(MELODY), tune(8)), hear(listener(MELODY), tune(8), most_steps=50)
    assert whole.piece.tolist() == MELODY.encode(tune(8)).tolist()
    assert part.piece.tolist() == whole.steps[:50].tolist()


def test_what_cannot_be_heard():
    with pytest.raises(NoNotesError, match="no notes"):
        hear(listener(MelodyTokenizer()), Score.from_notes([], [], []))
    with pytest.raises(NoNotesError, match="no notes on the keys"):
        hear(FRAMES, Score.from_notes([0], 480, [5]))
    with pytest.raises(NoNotesError, match="no notes"):
        hear_steps(FRAMES, np.zeros((9, 88), dtype=bool))
    with pytest.raises(NoNotesError, match="no notes"):
        hear_steps(listener(MELODY), MELODY.encode(tune(1))[[0, -1]])
    with pytest.raises(OptionError, match=r"the model reads \(steps, 88\)"):
        hear_steps(FRAMES, np.ones((9, 128), dtype=bool))


def test_of_a_long_piece_the_first_steps_are_heard():
    whole, part = hear(listener(MELODY), tune(8)), hear(listener(MELODY), tune(8), most_steps=50)
    assert len(part) == 50
    assert part.remarks[-1] == f"the first 50 of {len(whole)} steps"
    assert part.steps.tolist() == whole.steps[:50].tolist()
    assert part.edges.tolist() == whole.edges[:51].tolist()
    assert all(box.begin < part.edges[-1] for box in part.boxes)
    assert {len(fact.values) for fact in facts_of(part).values()} == {50}


def test_facts_of_a_piece():
    """Two bars in C major, two in F sharp major, loud from the second on, behind a pickup of a quarter."""
    scale = np.array([0, 4, 7, 0, 5, 9, 7, 11])
    pitch = np.concatenate([[67], 60 + scale, 66 + scale])
    onset = 480 * np.arange(17)
    velocity = np.where(np.arange(17) < 5, 43, 103)
    metres = [(0, 1, 4), (480, 4, 4)]
    score = Score.from_notes(onset, 480, pitch, velocity=velocity, time_signatures=metres)
    heard = hear(listener(BarsTokenizer()), score)
    facts = facts_of(heard)
    notes = np.flatnonzero(heard.pitch[1:] != heard.pitch[:-1]) + 1
    behind = np.flatnonzero(BarsTokenizer().pitch_of_token[heard.steps] >= 0)
    assert set(notes) <= set(behind)
    assert facts["pitch"].values[behind].tolist() == pitch.tolist()
    assert facts["loudness"].values[behind].tolist() == velocity.tolist()
    assert facts["bar of 4"].values[behind].tolist() == [3, *np.repeat([0, 1, 2, 3], 4)]
    assert facts["place in the bar"].values[behind].tolist() == [0, *(4 * (np.arange(16) % 4))]
    assert facts["key around the bar"].values[behind][[1, -1]].tolist() == [0, 6]
    assert facts["register (mean pitch of the bar)"].values[behind][-1] > facts["pitch"].values[0]


def test_drums_are_drawn_where_nothing_else_sounds():
    drums = Score.from_notes([0, 480], 120, [36, 42], is_drum=[True, True])
    heard = hear(Checkpoint(CONFIG, BarsTokenizer(), {}, facts=WHOLE_PIECES), drums)
    assert [(box.begin, box.pitch) for box in heard.boxes] == [(0, 36), (1, 42)]
    assert (heard.pitch == -1).all()
    both = Score.from_notes([0, 480], 120, [36, 60], is_drum=[True, False])
    heard = hear(Checkpoint(CONFIG, BarsTokenizer(), {}, facts=WHOLE_PIECES), both)
    assert [box.pitch for box in heard.boxes] == [60]
