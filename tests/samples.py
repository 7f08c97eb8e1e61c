"""Small pieces, models, runs and corpora that several tests share; everything is made from a seed."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from seqaudio.models.checkpoint import WEIGHTS, Checkpoint, weights_of
from seqaudio.models.config import ModelConfig
from seqaudio.music.score import Score
from seqaudio.tokens.bars import BarsTokenizer

ROOT = Path(__file__).parents[1]
MELODY = BarsTokenizer(programs=False, velocities=False, tempos=False, pedals="drop")
FULL = BarsTokenizer()
PEDALS = BarsTokenizer(pedals="tokens")


def tune(bars=4, metre=(4, 4), *, seed=0, low=60, high=72, tpq=480, **facts):
    """A line of eighths and quarters that fills ``bars`` bars without a rest."""
    rng = np.random.default_rng(seed)
    numerator, denominator = metre
    end = bars * numerator * 4 * tpq // denominator
    durations = []
    while sum(durations) < end:
        durations.append(min(int(rng.choice([tpq // 2, tpq])), end - sum(durations)))
    onset = np.cumsum([0, *durations[:-1]])
    pitch = rng.integers(low, high + 1, len(onset))
    return Score.from_notes(
        onset, durations, pitch, ticks_per_quarter=tpq, **{"time_signatures": [(0, *metre)], **facts}
    )


def chorale(bars=8):
    """Four voices, a track each, that sing a chord on every quarter; the fourth bar ends on a long one, and so on."""
    chords = {"I": (48, 64, 67, 72), "IV": (53, 65, 69, 72), "V": (55, 62, 67, 71)}
    chords |= {"vi": (57, 64, 69, 72), "ii": (50, 65, 69, 74)}
    phrase = ["I", "V", "vi", "IV", "I", "IV", "V", "I", "vi", "ii", "V", "vi", "ii", "V", "I"]
    onset, duration, pitch = [], [], []
    for start in range(0, bars, 4):
        for place, name in enumerate(phrase):
            onset += [start * 1920 + place * 480] * 4
            duration += [960 if place == len(phrase) - 1 else 480] * 4
            pitch += chords[name]
    names = ("Bass", "Tenor", "Alto", "Soprano")
    return Score.from_notes(onset, duration, pitch, track=np.tile(np.arange(4), len(onset) // 4), track_names=names)


def song(bars=8, chords="Chords"):
    """A tune of quarters above a held triad in each bar, a track each; C, F, G and C again."""
    triads, tunes = (
        np.array([[48, 52, 55], [53, 57, 60], [55, 59, 62], [48, 52, 55]]),
        [[67, 64, 67, 72], [69, 72, 69, 65]],
    )
    tunes += [[71, 67, 74, 71], [72, 67, 64, 60]]
    bar = np.arange(bars)
    held, tune_pitch = triads[bar % 4].ravel(), np.array(tunes)[bar % 4].ravel()
    return Score.from_notes(
        np.append(np.arange(4 * bars) * 480, np.repeat(bar * 1920, 3)),
        np.append(np.full(4 * bars, 480), np.full(3 * bars, 1920)),
        np.append(tune_pitch, held),
        track=np.repeat([0, 1], [4 * bars, 3 * bars]),
        track_names=("Tune", chords),
    )


def random_model(config, vocabulary_size=None, *, seed=0, scale=1.0, **parts):
    """A model in eval mode; weights of its recurrent layers times ``scale``, all biases random."""
    import torch

    from seqaudio.models.config import build_model

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = build_model(config, vocabulary_size, **parts)
        for name, weight in model.named_parameters():
            if "bias" in name:
                weight.normal_()
            elif name.startswith("stack."):
                weight.mul_(scale)
    return model.eval()


def model_folder(folder, config=None, tokenizer=MELODY, *, pitch_range=(48, 84), dtype=np.float32, seed=0, scale=1.0):
    """A folder with random weights and their ONNX graph."""
    from seqaudio.models.onnx_graph import write_graph

    config = config or ModelConfig(cell="lstm", hidden_size=16, layers=2)
    model = random_model(config, len(tokenizer.vocabulary), seed=seed, scale=scale)
    folder.mkdir(parents=True, exist_ok=True)
    Checkpoint(config, tokenizer, weights_of(model), pitch_range, {"seed": seed}).save(folder / WEIGHTS, dtype)
    write_graph(folder)
    return folder


def repetitive_pieces(count, *, seed=0):
    """Token ids of pieces that repeat one bar of four notes, each piece on its own pitch."""
    rng = np.random.default_rng(seed)
    pieces = []
    for _ in range(count):
        bars = int(rng.integers(4, 9))
        shape = np.tile([0, 4, 7, 4], bars) + rng.integers(55, 70)
        onset = 480 * np.arange(len(shape))
        pieces.append(MELODY.encode(Score.from_notes(onset, 480, shape)).astype(np.uint16))
    return pieces


def write_corpus(folder, train, valid, tokenizer=MELODY):
    """A folder like the ones ``prepare`` writes."""
    folder.mkdir(parents=True)
    pieces = [*train, *valid]
    tokens = np.concatenate(pieces).astype(np.uint16)
    np.save(folder / "tokens.npy", tokens)
    np.save(folder / "index.npy", np.cumsum([0, *map(len, pieces)], dtype=np.int64))
    tokenizer.save(folder / "tokenizer.json")
    splits = ["train"] * len(train) + ["valid"] * len(valid)
    manifest = {
        "sources": ["samples"],
        "options": {},
        "tokens_sha256": hashlib.sha256((folder / "tokens.npy").read_bytes()).hexdigest(),
        "pieces": [{"name": f"{i}", "split": split} for i, split in enumerate(splits)],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def run_python(code, *arguments):
    """Run code in a new interpreter, with warnings as errors inside this package; returns what it printed."""
    done = run_python_process(code, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_python_process(code, *arguments):
    """The same, whatever the exit code."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
