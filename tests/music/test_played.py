"""Is a score played as it is written?"""

import numpy as np
import pretty_midi
import pytest

from seqaudio.music import Score
from seqaudio.music.pretty import played, player


def test_each_note_sounds_at_its_pitch_and_time() -> None:
    pitches = [57, 69, 64]
    score = Score.from_notes([0, 480, 960], 480, pitches)  # quarters of half a second
    sound = played(score, 16000)
    assert (sound.sample_rate, sound.channels) == (16000, 1)
    assert np.abs(sound.samples).max() == pytest.approx(0.7, abs=1e-3)
    for number, pitch in enumerate(pitches):
        inside = sound.samples[0, int((0.5 * number + 0.1) * 16000) :][: 16000 // 4]
        strongest = np.abs(np.fft.rfft(inside * np.hanning(len(inside)))).argmax() * 4
        assert strongest == pytest.approx(440 * 2 ** ((pitch - 69) / 12), abs=4)
    assert np.abs(sound.samples[0, int(1.7 * 16000) :]).max() < 0.01, "and then it is silent"


def test_a_piece_without_notes_is_silent() -> None:
    assert not played(Score.from_notes([], [], []), 8000).samples.any()


def test_who_plays_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    score = Score.from_notes([0], [480], [60])

    def missing(midi: pretty_midi.PrettyMIDI, fs: int = 44100) -> np.ndarray:
        raise ImportError("no fluidsynth")

    def there(midi: pretty_midi.PrettyMIDI, fs: int = 44100) -> np.ndarray:
        return np.full(123, 0.1 * len(midi.instruments))

    monkeypatch.setattr(pretty_midi.PrettyMIDI, "fluidsynth", missing)
    assert player() == "pretty_midi"
    assert len(played(score, 8000)) > 123
    monkeypatch.setattr(pretty_midi.PrettyMIDI, "fluidsynth", there)
    assert player() == "FluidSynth"
    assert len(played(score, 8000)) == 123
