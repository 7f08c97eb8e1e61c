"""Is the recipe of continued audio sound? Its frames, its measures, its sampling, and all of it on a small folder."""

import json
from concurrent.futures import Future
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from seqaudio.errors import CheckpointError, NoSoundError
from seqaudio.files.audio import read_audio, write_audio
from seqaudio.files.npz import npz_bytes
from seqaudio.models.config import ModelConfig, make_memory
from seqaudio.music.waveform import Waveform
from tests.continuation.test_continue_waveform import RATE, loop, melody
from tests.recipes.loading import loaded
from tests.samples import ROOT, random_model

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def recipe():
    with loaded("audio_continuation") as module:
        yield module


@pytest.fixture(scope="module")
def material(recipe):
    """What the recipe's neighbour holds."""
    import audio_material

    return audio_material


@pytest.fixture(scope="module")
def page(recipe):
    import audio_page

    return audio_page


def test_a_frame_has_the_pitch_that_sounds(material):
    time_s = np.arange(4 * RATE) / RATE
    for bin_, hertz in ((33, 220.0), (45, 440.0), (52, 659.255)):
        frames = material.frames_of(Waveform(np.sin(2 * np.pi * hertz * time_s), RATE))
        assert frames.shape[1] == material.BINS
        assert (frames[3:-3].argmax(axis=1) == bin_).all()
        chroma = material.chroma_of(frames)[3:-3]
        assert (chroma.argmax(axis=1) == bin_ % 12).all()


def test_what_returns_in_a_loop_returns_in_its_frames(material):
    frames = material.frames_of(Waveform(loop(6), RATE))
    chroma = material.chroma_of(frames)
    alike = [np.corrcoef(chroma[lag:].ravel(), chroma[:-lag].ravel())[0, 1] for lag in range(1, len(frames) // 2)]
    period = 1 + int(np.argmax(alike))
    assert period % 16 == 0, "eight notes, two frames each"
    again = alike[period - 1]
    assert again > 0.95
    assert len(material.frames_of(Waveform(np.zeros(RATE), RATE))) == 0


def test_recurrence_is_that_of_a_slow_loop(material):
    from seqaudio.structure.audio import chroma_recurrence

    chroma, border, passage = RNG(0).random((60, 12)), 33, 7
    matrix = chroma_recurrence(chroma)
    slow = [
        max(np.mean([matrix[t + i, s + i] for i in range(passage)]) for s in range(border - passage + 1))
        for t in range(border, 60 - passage + 1)
    ]
    assert material.recurrence(chroma, border, passage) == pytest.approx(np.mean(slow), abs=1e-5)
    again = np.concatenate([chroma[:border], chroma[:border]])
    assert material.recurrence(again, border, passage) == pytest.approx(1, abs=1e-5)


def test_the_null_has_the_spectrum_and_returns_no_more(material):
    piece = material.frames_of(Waveform(loop(12), RATE))
    heard = len(piece) // 2
    real = material.kept(piece[:heard], material.chroma_of(piece[heard:]))
    null = [material.kept(piece[:heard], material.null_of(piece, heard, seed)) for seed in range(3)]
    assert real["recurrence"] > 0.9
    assert np.mean([each["recurrence"] for each in null]) < 0.7


def test_frames_become_sound_of_their_pitches(material):
    levels = np.full((10, material.BINS), -material.RANGE_DB)
    levels[:, 45] = 0
    sound = material.sound_of(levels).samples[0]
    strongest = np.abs(np.fft.rfft(sound)).argmax() * material.RATE / len(sound)
    assert strongest == pytest.approx(440, abs=2)
    assert not material.sound_of(np.full((10, material.BINS), -material.RANGE_DB)).samples.any()


def small_material(material):
    size = material.Size(pieces=(3, 2, 2), heard=20, written=12, codes=(5, 3))
    frames = {
        split: RNG(i).uniform(-50, 0, (3 - (i > 0), 32, 84)).astype(np.float32)
        for i, split in enumerate(material.SPLITS)
    }
    return material.Material(frames, size)


@pytest.mark.parametrize("memory", [None, {"match": True}])
def test_written_codes_are_those_that_the_model_draws_step_by_step(recipe, material, memory):
    """Each primer by itself, from its start at every step, in place of a carried state."""
    from seqaudio.continuation.remembering import mixture
    from seqaudio.continuation.sampling import Sampling, sample

    data = small_material(material)
    book = data.codebook
    config = ModelConfig.model_validate({"cell": "lstm", "hidden_size": 7, "layers": 1, "memory": memory})
    model = random_model(config, len(book.vocabulary), scale=3.0)
    notes = make_memory(config, book.vocabulary)
    found = recipe.continue_tokens(model, data, "test", 0.7, memory=notes, seed=5)
    for number, piece in enumerate(data.tokens("test")):
        generator, past = np.random.default_rng((5, number)), piece[: 1 + 20 * 2].tolist()
        for step in range(12 * 2):
            ids = np.array(past)
            heard = notes.heard(ids) if notes else ids
            with torch.no_grad():
                outputs, _ = model(torch.from_numpy(heard)[None])
            logits = outputs[:, -1].numpy()
            if notes:
                logits = mixture(np.ascontiguousarray(logits), len(book.vocabulary), np.ones(1))
            past.append(sample(logits[0], book.follows(step), Sampling(temperature=0.7), generator))
        np.testing.assert_allclose(found[number], book.decode(book.codes(past[1:]))[20:], atol=1e-4)


def test_frames_of_numbers_go_there_and_back(recipe, material):
    data = small_material(material)
    numbers = data.numbers("train")
    assert np.concatenate(numbers).std() == pytest.approx(1, abs=0.02)
    np.testing.assert_allclose(data.levels(numbers[0]), data.splits["train"][0], atol=1e-3)
    model = random_model(ModelConfig(head="mixture", hidden_size=5, layers=1, components=2, cell="rnn"), keys=84)
    written = recipe.continue_numbers(model, data, "test", 1.0, seed=0)
    assert [frames.shape for frames in written] == [(12, 84)] * 2
    assert np.isfinite(written).all()


def test_the_temperature_is_the_one_that_keeps_what_real_halves_keep(recipe, material):
    size = material.Size(pieces=(3, 2, 2), heard=40, written=40, codes=(5, 3))
    data = material.Material({"valid": RNG(0).uniform(-50, 0, (2, 80, 84)).astype(np.float32)}, size)
    asked = []

    def write(split, temperature):
        asked.append((split, temperature))
        real = data.splits["valid"][:, 40:]
        return [*(real if temperature == 0.4 else real + RNG(1).uniform(-30, 0, real.shape))]

    assert recipe.best_temperature(data, write) == 0.4
    assert asked == [("valid", each) for each in recipe.TEMPERATURES]


# ---- all of it


class AtOnce:
    """A pool that works in this process."""

    def submit(self, task, *arguments):
        done = Future()
        done.set_result(task(*arguments))
        return done


@pytest.fixture
def folder(tmp_path):
    """Recordings of one tune and another, enough for each side."""
    (tmp_path / "sounds").mkdir()
    for number in range(14):
        write_audio(Waveform(melody(52, seed=number), RATE), tmp_path / "sounds" / f"{number}.wav")
    (tmp_path / "sounds" / "broken.wav").write_bytes(b"no sound")
    return tmp_path / "sounds"


def test_the_whole_recipe(recipe, material, page, folder, tmp_path, monkeypatch):
    @contextmanager
    def at_once(jobs):
        yield AtOnce()

    monkeypatch.setattr(recipe, "workers", at_once)
    size = material.Size(pieces=(5, 2, 2), heard=48, written=40, codes=(6, 4))
    plan = recipe.Plan(units=56, epochs=1, batch_size=2, components=2, memory={"match": True}, size=size, resamples=50)
    monkeypatch.setattr(recipe, "QUICK", plan)
    monkeypatch.setattr(recipe, "ORDERS", (1, 2))
    monkeypatch.setattr(recipe, "TEMPERATURES", (1.0, 0.5))
    arguments = [str(folder), "--quick", "--out", str(tmp_path / "out"), "--runs", str(tmp_path / "runs")]
    result = CliRunner().invoke(recipe.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    said = (tmp_path / "out" / "sounds.md").read_text(encoding="utf-8")
    assert said.strip() in result.output
    assert "left out" in result.output
    assert "Not finished" not in said
    log = page.read_log(tmp_path / "out" / "sounds.json")
    assert sorted(record["row"] for record in log["trainings"]) == sorted(page.NAMES)
    sizes = [record["parameters"] for record in log["trainings"]]
    assert max(sizes) < 1.07 * min(sizes)
    for name in (*page.NAMES.values(), *page.BESIDE.values()):
        assert f"| {name} |" in said
    nats = page.of(log, "rnn")[0]["nats"]
    mean = np.sum(nats) / (len(nats) * 40)
    assert f"| {mean:.2f} [" in said
    assert read_audio(tmp_path / "runs" / "sounds" / "sounds" / "lstm+match.wav").seconds == pytest.approx(8.8, abs=0.1)
    # what stands in the log is not trained again
    monkeypatch.setattr(recipe, "train", lambda *asked: pytest.fail("trained again"))
    again = CliRunner().invoke(recipe.main, arguments, catch_exceptions=False)
    assert again.exit_code == 0


def test_what_needs_no_training_outlives_an_interruption(recipe, material, page, folder, tmp_path, monkeypatch):
    @contextmanager
    def at_once(jobs):
        yield AtOnce()

    size = material.Size(pieces=(5, 2, 2), heard=48, written=40, codes=(6, 4))
    monkeypatch.setattr(recipe, "QUICK", recipe.Plan(units=56, epochs=1, batch_size=2, size=size, resamples=50))
    for name, value in {"workers": at_once, "ORDERS": (1,), "TEMPERATURES": (1.0,)}.items():
        monkeypatch.setattr(recipe, name, value)

    def interrupted(*asked):
        raise KeyboardInterrupt

    monkeypatch.setattr(recipe, "train", interrupted)
    arguments = [str(folder), "--quick", "--out", str(tmp_path / "out"), "--runs", str(tmp_path / "runs")]
    CliRunner().invoke(recipe.main, arguments)
    log = page.read_log(tmp_path / "out" / "sounds.json")
    assert not log["trainings"]
    assert sorted(log["rows"]) == sorted({*page.BESIDE, *page.COUNTS})


def test_too_little_sound_is_refused(recipe, material, tmp_path):
    (tmp_path / "sounds").mkdir()
    write_audio(Waveform(melody(20), RATE), tmp_path / "sounds" / "one.wav")
    with pytest.raises(NoSoundError, match="give longer or more recordings"):
        material.make_material(str(tmp_path / "sounds"), tmp_path / "runs", material.Size(), 1)


def test_frames_of_the_full_plan_are_read(material, tmp_path):
    """Which are more than a file of music may have."""
    size = material.Size()
    frames = {
        split: np.zeros((count, size.frames, material.BINS), np.float32)
        for split, count in zip(material.SPLITS, size.pieces, strict=True)
    }
    (tmp_path / "frames.npz").write_bytes(npz_bytes(frames))
    opened = material.open_material(str(tmp_path / "frames.npz"), size)
    assert tuple(len(opened.splits[split]) for split in material.SPLITS) == size.pieces


def test_a_damaged_log_is_refused(page, tmp_path):
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"trainings": [{"row": "lstm"}]}))
    with pytest.raises(CheckpointError, match="not a log of audio_continuation"):
        page.read_log(path)


@pytest.mark.parametrize("name", ["FluidSynth", "pretty_midi"])
def test_what_was_done_says_who_played(material, monkeypatch, tmp_path, name):
    class Corpus:
        fingerprint = "abc"

    pieces = [(split, lambda: Waveform(loop(6), RATE)) for split in material.SPLITS]
    monkeypatch.setattr(material, "_prepared", lambda *_: Corpus())
    monkeypatch.setattr(material, "_of_corpus", lambda *_: pieces)
    monkeypatch.setattr(material, "player", lambda: name)
    size = material.Size(pieces=(1, 1, 1), heard=20, written=20)
    assert material.make_material("notes", tmp_path, size, 1)[2] == f"a prepared corpus, played by {name}"


def test_the_committed_page_is_what_its_log_says(page):
    paths = [*ROOT.glob("docs/results/audio_continuation*/*.json")]
    assert paths
    for path in paths:
        assert page.markdown(page.read_log(path)) == path.with_suffix(".md").read_text(encoding="utf-8")


def test_cells_are_compared_piece_by_piece_and_seeds_of_both_count(page):
    """Had the seeds of one cell no part in it, a cell whose seeds differ would be told apart too easily."""
    pieces, seeds = 30, 4
    generator = np.random.default_rng(0)
    hard, luck = generator.normal(size=pieces), np.array([-1.0, -0.4, 0.4, 1.0])

    def rows(row, gain, luck):
        kept = hard + gain + luck[:, None] + 0.01 * generator.normal(size=(seeds, pieces))
        figures = [[{"recurrence": float(x), "stripes": float(x)} for x in of_seed] for of_seed in kept]
        return [
            {"row": row, "seed": seed, "nats": [10.0 * gain] * pieces, "kept": figures[seed]} for seed in range(seeds)
        ]

    log = {"seeds": seeds, "plan": {"resamples": 500}, "frames": [8, 10], "rows": {}}
    log["trainings"] = rows("lstm", 0.5, 0 * luck) + rows("rnn", 0.0, 0 * luck)
    nats, recurrence, stripes = page.between_cells(log, "")
    assert nats == "nats per frame +0.50 [+0.50, +0.50]"
    assert recurrence.startswith("recurrence of the primer more, +0.5")
    assert stripes.startswith("stripe energy more, +0.5")
    log["trainings"] = rows("lstm", 0.5, 0 * luck) + rows("rnn", 0.0, luck)
    assert [*page.between_cells(log, "")][1].startswith("recurrence of the primer no difference to be seen, +0.5")
