"""Sound in files: what was written is read, what is broken is refused, and a header that lies costs nothing."""

import csv
import os
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

import seqaudio
from seqaudio.errors import BadFileError, NoSoundError, OptionError, OverLimitError
from seqaudio.files import Limits, audio as audio_file, audio_facts, read_audio, write_audio
from seqaudio.music import Waveform

from .sounds import RATE, broken, flac_of, pcm, riff, sound, tone

SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared"))
BAD = SHARED / "bad" / "audio" / "MANIFEST.tsv"
LINES = BAD.read_text(encoding="utf-8").splitlines() if BAD.is_file() else []
ROWS = list(csv.DictReader(LINES, delimiter="\t"))


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A folder of broken files and odd ones."""
    folder = tmp_path_factory.mktemp("sounds")
    for name, (data, _) in (broken(folder) | sound(folder)).items():
        (folder / name).write_bytes(data)
    return folder


def noise(channels=2, samples=5000, level=0.9, seed=0):
    return np.random.default_rng(seed).uniform(-level, level, (channels, samples)).astype(np.float32)


def test_every_broken_file_is_refused_in_a_line(written: Path) -> None:
    cases = broken(written)
    assert len(cases) > 12
    for name, (_, said) in cases.items():
        with pytest.raises(BadFileError, match=said) as refused:
            read_audio(written / name)
        assert str(refused.value).startswith(str(written / name))
        assert "\n" not in str(refused.value)


def test_every_odd_file_is_read(written: Path) -> None:
    cases = sound(written)
    assert len(cases) > 12
    for name, (_, samples) in cases.items():
        assert len(read_audio(written / name)) == samples, name


@pytest.mark.parametrize(
    "name", ["streamed.wav", "behind_other_chunks.wav", "big_end.wav", "ünï-曲-🎵.wav", "aiff.wav"]
)
def test_an_odd_file_sounds_as_the_good_one(written: Path, name: str) -> None:
    good = read_audio(written / "good.wav")
    assert np.array_equal(good.samples[0], np.frombuffer(pcm(tone()), "<i2") / 32768)
    assert np.abs(read_audio(written / name).samples - good.samples).max() <= 2**-14


@pytest.mark.skipif(not ROWS, reason="the broken files of shared/bad are not here")
def test_as_the_manifest_says() -> None:
    outcomes = {}
    for row in ROWS:
        try:
            waveform = read_audio(BAD.parent / row["file"], 22050, mono=True)
            assert np.isfinite(waveform.samples).all()
            assert waveform.samples.shape[0] == 1
            assert len(waveform)
            outcomes[row["file"]] = "OK"
        except BadFileError:
            outcomes[row["file"]] = "REJECT"
    assert len(outcomes) == len(ROWS) > 20
    wrong = {name for name, row in zip(outcomes, ROWS, strict=True) if row["expected"] not in ("ANY", outcomes[name])}
    assert not wrong


def test_no_samples_are_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "nothing.wav"
    path.write_bytes(riff(b""))
    with pytest.raises(NoSoundError, match=r"nothing\.wav: a recording of 0 samples") as refused:
        read_audio(path)
    assert refused.value.exit_code == 3


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    for path, said in ((tmp_path, "a folder"), (pipe, "not a regular file"), (tmp_path / "no.wav", "cannot be read")):
        with pytest.raises(BadFileError, match=said):
            read_audio(path)


def lying_flac(folder: Path, samples: int) -> bytes:
    """A FLAC of a second whose header declares so many samples."""
    data = bytearray(flac_of(tone(), folder))
    data[21] = (data[21] & 0xF0) | samples >> 32
    data[22:26] = struct.pack(">I", samples & 0xFFFFFFFF)
    return bytes(data)


def test_a_header_that_lies_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    read = soundfile.SoundFile.read

    def counting(self, frames=-1, *arguments, **named):
        asked.append(frames)
        return read(self, frames, *arguments, **named)

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    path = tmp_path / "lying.flac"
    path.write_bytes(lying_flac(tmp_path, 2**36 - 1))
    with pytest.raises(OverLimitError, match="68,719,476,735 samples"):
        read_audio(path)
    assert not asked
    path.write_bytes(lying_flac(tmp_path, 150_000_000))
    with pytest.raises(BadFileError, match=r"cut off, 16,000 of 150,000,000 samples are there|damaged"):
        read_audio(path)
    assert 0 < len(asked) < 4
    assert max(asked) <= audio_file.BLOCK


def test_a_file_that_declares_nothing_is_stopped_at_the_budget(tmp_path: Path) -> None:
    path = tmp_path / "endless.flac"
    path.write_bytes(lying_flac(tmp_path, 0))
    assert audio_facts(path).seconds is None
    assert len(read_audio(path, limits=Limits(max_samples=RATE))) == RATE
    with pytest.raises(OverLimitError, match="at least 16,000 samples, over the budget of 15,999"):
        read_audio(path, limits=Limits(max_samples=RATE - 1))


def test_budgets_hold_for_bytes_and_for_what_resampling_makes(tmp_path: Path) -> None:
    path = tmp_path / "slow.wav"
    path.write_bytes(riff(pcm(tone()), rate=100))
    with pytest.raises(OverLimitError, match="32,044 audio_bytes"):
        read_audio(path, limits=Limits(max_audio_bytes=32_043))
    assert len(read_audio(path, 1000, limits=Limits(max_samples=160_000))) == 160_000
    with pytest.raises(OverLimitError, match="160,000 samples"):
        read_audio(path, 1000, limits=Limits(max_samples=159_999))
    path.write_bytes(riff(pcm(tone()), rate=1))
    with pytest.raises(BadFileError, match=r"slow\.wav: cannot resample from 1 to 22,050 Hz"):
        read_audio(path, 22050)


@pytest.mark.parametrize("sample_rate", [0, -1])
def test_a_rate_of_nothing_is_refused(tmp_path: Path, sample_rate: int) -> None:
    with pytest.raises(OptionError, match="1 Hz or more"):
        read_audio(tmp_path / "any.wav", sample_rate)


def test_reading_in_blocks_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = noise(2, 30_000, 0.5)
    count = 0
    for suffix in ("wav", "flac", "ogg", "mp3", "aiff"):
        path = tmp_path / f"sound.{suffix}"
        soundfile.write(path, samples.T, 44100)
        whole = read_audio(path)
        with monkeypatch.context() as patch:
            patch.setattr(audio_file, "BLOCK", 1000)
            assert np.array_equal(read_audio(path).samples, whole.samples)
            mono = read_audio(path, mono=True)
        assert mono.channels == 1
        assert np.array_equal(mono.samples, whole.mono().samples)
        assert whole.sample_rate == 44100
        count += 1
    assert count == 5


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what librosa imports
def test_resampled_as_librosa_does(tmp_path: Path, rate: int) -> None:
    import librosa

    path = tmp_path / "sound.wav"
    soundfile.write(path, noise(2, 10_007).T, 44100)
    theirs, _ = librosa.load(path, sr=rate)
    ours = read_audio(path, rate, mono=True)
    assert ours.sample_rate == rate
    assert ours.samples.shape == (1, len(theirs))
    assert np.abs(ours.samples[0] - theirs).max() < 1e-6


def test_facts_without_reading(tmp_path: Path) -> None:
    path = tmp_path / "sound.flac"
    soundfile.write(path, noise(2, 11_025).T, 22050)
    facts = audio_facts(path)
    assert (facts.format, facts.coding, facts.sample_rate, facts.channels) == ("FLAC", "PCM_16", 22050, 2)
    assert facts.seconds == 0.5


# Writing


@pytest.mark.parametrize(
    ("suffix", "bits", "error"),
    [(".wav", 16, 2**-16), (".wav", 24, 2**-24), (".wav", 32, 0), (".flac", 16, 2**-16), (".flac", 24, 2**-24)],
)
def test_what_is_written_is_read_to_half_a_step(tmp_path: Path, suffix: str, bits: int, error: float) -> None:
    path = tmp_path / f"sound{suffix}"
    made = Waveform(noise(3), 32_000)
    write_audio(made, path, bits)
    read = read_audio(path)
    assert (read.sample_rate, read.channels) == (32_000, 3)
    assert np.abs(read.samples.astype(float) - made.samples).max() <= error
    again = tmp_path / f"again{suffix}"
    write_audio(read, again, bits)
    assert again.read_bytes() == path.read_bytes()


def test_a_file_of_our_own_as_the_standard_library_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    levels = np.array([-1, -0.5, -1.4 / 32768, 0, 1.6 / 32768, 0.5, 1], np.float32)
    write_audio(Waveform(levels, 8000), path)
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        found = np.frombuffer(file.readframes(100), "<i2")
    assert found.tolist() == [-32768, -16384, -1, 0, 2, 16384, 32767]


def test_ogg_is_near(tmp_path: Path) -> None:
    path = tmp_path / "sound.ogg"
    made = Waveform(np.stack([tone(3), tone(3, 700)]), RATE)
    write_audio(made, path)
    read = read_audio(path)
    assert len(read) == len(made)
    assert np.sqrt(np.square(read.samples - made.samples).mean()) < 0.01


def test_nothing_is_clipped(tmp_path: Path) -> None:
    loud = Waveform(tone(level=1.25), RATE)
    for name in ("loud.wav", "loud.flac", "loud.ogg"):
        with pytest.raises(OptionError, match=r"samples reach 1\.25, full scale is 1; write waveform\.within\(\)"):
            write_audio(loud, tmp_path / name)
        assert not (tmp_path / name).exists()
    write_audio(loud, tmp_path / "loud.wav", 32)
    assert np.array_equal(read_audio(tmp_path / "loud.wav").samples, loud.samples)
    write_audio(loud.within(), tmp_path / "quieter.wav")
    assert np.abs(read_audio(tmp_path / "quieter.wav").samples - loud.samples / 1.25).max() <= 2**-15


@pytest.mark.parametrize(
    ("name", "bits", "said"),
    [
        ("sound.mp3", None, r"\.wav, \.flac or \.ogg"),
        ("sound", None, r"\.wav, \.flac or \.ogg"),
        ("sound.wav", 8, "8 bits a sample are none of a .wav; give 16 or 24 or 32"),
        ("sound.flac", 32, "give 16 or 24"),
        ("sound.ogg", 16, "leave bits out"),
    ],
)
def test_what_no_format_has_is_refused(tmp_path: Path, name: str, bits: int | None, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        write_audio(Waveform(tone(), RATE), tmp_path / name, bits)
    assert not list(tmp_path.iterdir())


def test_more_than_a_format_holds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="9 channels at 16,000 Hz cannot be written as FLAC"):
        write_audio(Waveform(noise(9), RATE), tmp_path / "sound.flac")
    with pytest.raises(NoSoundError, match="no samples to write"):
        write_audio(Waveform([], RATE), tmp_path / "sound.wav")


def test_an_existing_file_stays_when_the_new_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sound.wav"
    write_audio(Waveform(tone(), RATE), path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(BadFileError, match="make room"):
        write_audio(Waveform(tone(2), RATE), path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_public_names() -> None:
    assert (seqaudio.read_audio, seqaudio.write_audio) == (read_audio, write_audio)
    assert seqaudio.Waveform is Waveform
