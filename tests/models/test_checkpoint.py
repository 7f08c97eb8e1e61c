"""What is stored comes back; what is damaged, foreign or newer is refused in one line; nothing is unpickled."""

import json
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from seqaudio.errors import BadFileError, CheckpointError, SeqAudioError
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint, sha256, weights_of
from seqaudio.models.config import ModelConfig
from tests.samples import FULL, MELODY, ROOT, random_model, run_python

CONFIG = ModelConfig(cell="lstm", hidden_size=6, layers=2, embedding_size=4, dropout=0.25)


def make_checkpoint(tokenizer=MELODY):
    model = random_model(CONFIG, len(tokenizer.vocabulary))
    return Checkpoint(CONFIG, tokenizer, weights_of(model), (40, 90), {"steps": 7, "name": "Größe ♫"})


@pytest.fixture
def stored(tmp_path):
    make_checkpoint().save(tmp_path / WEIGHTS)
    return tmp_path / WEIGHTS


def header_of(data):
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length])


def with_header(data, header):
    """The same tensors under another seqaudio header."""
    length = int.from_bytes(data[:8], "little")
    whole = header_of(data)
    whole["__metadata__"]["seqaudio"] = json.dumps(header)
    text = json.dumps(whole).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def assert_refused(path, because=""):
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.load(path).build()
    text = str(caught.value)
    assert because in text
    assert "\n" not in text
    assert text.startswith(str(path))


@pytest.mark.parametrize("tokenizer", [MELODY, FULL], ids=["melody", "full"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 0), (np.float16, 2**-11)])
def test_round_trip(tmp_path, tokenizer, dtype, tolerance):
    checkpoint = make_checkpoint(tokenizer)
    checkpoint.save(tmp_path / WEIGHTS, dtype)
    loaded = Checkpoint.load(tmp_path)
    assert (loaded.config, loaded.tokenizer, loaded.pitch_range, loaded.facts) == (
        CONFIG,
        tokenizer,
        (40, 90),
        checkpoint.facts,
    )
    assert loaded.weights.keys() == checkpoint.weights.keys()
    for name, tensor in checkpoint.weights.items():
        assert loaded.weights[name].dtype == dtype
        np.testing.assert_allclose(loaded.weights[name], tensor, rtol=tolerance, atol=1e-7 if tolerance else 0)
    model = loaded.build()
    assert not model.training
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert weights_of(model).keys() == checkpoint.weights.keys()
    for name, tensor in weights_of(model).items():
        np.testing.assert_array_equal(tensor, loaded.weights[name].astype(np.float32))


def test_a_checkpoint_shows_what_it_is_and_not_its_numbers():
    checkpoint = make_checkpoint()
    count = f"{checkpoint.parameter_count():,}"
    assert repr(checkpoint) == (
        f"Checkpoint(lstm of 2 x 6, head categorical, {count} parameters, {len(MELODY.vocabulary)} bars tokens, "
        "pitches 40 to 90)"
    )
    shipped = repr(Checkpoint.load(ROOT / "seqaudio" / "pretrained" / "folk"))
    assert "with a memory, head categorical" in shipped
    assert len(shipped) < 200


def test_the_same_model_is_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        make_checkpoint().save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sha256(tmp_path / "one") == sha256(tmp_path / "two")


def test_building_leaves_the_random_streams_alone(stored, monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", None)  # those of a GPU, where there is one
    before = torch.get_rng_state()
    Checkpoint.load(stored).build()
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_are_copies():
    model = random_model(CONFIG, len(MELODY.vocabulary))
    weights = weights_of(model)
    kept = weights["head.bias"].copy()
    with torch.no_grad():
        model.head.bias += 1
    np.testing.assert_array_equal(weights["head.bias"], kept)


def test_reading_needs_no_torch(stored):
    code = """
import sys
from seqaudio.models.checkpoint import Checkpoint
checkpoint = Checkpoint.load(sys.argv[1])
assert "torch" not in sys.modules
print(checkpoint.config.hidden_size, checkpoint.facts["steps"])
"""
    assert run_python(code, stored).split() == ["6", "7"]


def test_nothing_is_unpickled(stored, monkeypatch, tmp_path):
    def refuse(*arguments, **options):
        raise AssertionError("unpickled something")

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(module, name, refuse)
    assert Checkpoint.load(stored).build()
    bomb = tmp_path / "bomb"
    bomb.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    assert_refused(bomb, "not the weights of a model")


class TestRefused:
    def test_missing(self, tmp_path):
        assert_refused(tmp_path / "none.safetensors", "cannot be read")
        with pytest.raises(CheckpointError, match="cannot be read"):
            Checkpoint.load(tmp_path)

    def test_every_truncation(self, stored):
        data = stored.read_bytes()
        places = [0, 1, 7, 8, 9, *np.linspace(10, len(data) - 1, 60).astype(int).tolist(), len(data) - 1]
        for place in places:
            stored.write_bytes(data[:place])
            assert_refused(stored)

    def test_more_bytes_than_tensors(self, stored):
        stored.write_bytes(stored.read_bytes() + b"\0")
        assert_refused(stored)

    def test_damaged_bytes_are_refused_or_harmless(self, stored):
        """No byte of the header can be changed so that anything but a CheckpointError comes out."""
        data = stored.read_bytes()
        length = 8 + int.from_bytes(data[:8], "little")
        rng = np.random.default_rng(0)
        facts_at = data.index(b"format")  # the part that only seqaudio reads
        places = [*range(9), *rng.integers(9, length, 150), *range(facts_at - 40, facts_at + 330)]
        messages = []
        for place in places:
            damaged = bytearray(data)
            damaged[place] = rng.choice(list(b'0a"}x\\\xff\x00'))
            stored.write_bytes(bytes(damaged))
            try:
                Checkpoint.load(stored).build()
            except CheckpointError as problem:
                messages.append(str(problem))
        assert not any("\n" in text for text in messages)
        assert len(messages) > len(places) // 4

    def test_foreign(self, tmp_path):
        path = tmp_path / "foreign.safetensors"
        path.write_bytes(save({"a": np.zeros(3, np.float32)}))
        assert_refused(path, "no seqaudio model")
        path.write_bytes(save({"a": np.zeros(3, np.float32)}, {"seqaudio": "[]"}))
        assert_refused(path)
        for junk in (b"", b"RIFF", b"{}", os.urandom(1000), b"\x02" + b"\0" * 7 + b"[]", b"\xff" * 8 + b"{}"):
            path.write_bytes(junk)
            assert_refused(path)

    def test_music_is_not_called_damaged(self):
        with pytest.raises(
            CheckpointError, match=r"primer.mid: not the weights of a model \(safetensors\); name a"
        ) as no:
            Checkpoint.load(ROOT / "examples" / "primer.mid")
        assert "damaged" not in str(no.value)

    def test_no_weights(self, stored):
        data = stored.read_bytes()
        stored.write_bytes(save({}, header_of(data)["__metadata__"]))
        assert_refused(stored, "0 tensors")

    @pytest.mark.parametrize("pitches", [[-5, 900], [60, 50], [0, 128]])
    def test_pitches_that_are_none(self, stored, pitches):
        data = stored.read_bytes()
        header = json.loads(header_of(data)["__metadata__"]["seqaudio"])
        stored.write_bytes(with_header(data, header | {"pitch_range": pitches}))
        assert_refused(stored, f"pitches {pitches[0]} to {pitches[1]}")

    def test_newer(self, stored):
        data = stored.read_bytes()
        header = json.loads(header_of(data)["__metadata__"]["seqaudio"])
        stored.write_bytes(with_header(data, {"format": 2, "whatever": "comes"}))
        assert_refused(stored, "format 2, this seqaudio reads 1; update")
        stored.write_bytes(with_header(data, header | {"model": header["model"] | {"attention": 8}}))
        assert_refused(stored, "attention")

    @pytest.mark.parametrize(
        "change",
        [
            {"model": None},
            {"model": {"cell": "transformer"}},
            {"model": {"hidden_size": 7}},
            {"tokenizer": None},
            {"tokenizer": {"tokenizer": "bars", "programs": False, "velocities": False, "tokens": ["a"]}},
            {"pitch_range": None},
            {"pitch_range": [1]},
            {"facts": {"programs": 5}},
            {"facts": {"programs": [[1]]}},
            {"facts": {"programs": ["x"]}},
            {"facts": {"programs": [128]}},
            {"facts": {"metres": [1]}},
            {"facts": {"metres": {"4/4": "many"}}},
            {"facts": {"metres": {"4/4": 0}}},
            {"facts": {"between": "often"}},
            {"facts": {"between": 1.5}},
            {"facts": {"between": float("nan")}},
            {"facts": {"sampling": 3}},
            {"facts": {"sampling": {"temperature": "hot"}}},
            {"facts": {"sampling": {"temperature": -1}}},
            {"facts": {"beginnings": {"pieces": 9, "median": 2.0, "most": 1.0}}},
            {"facts": {"beginnings": {"pieces": 9, "median": 2.0, "most": float("nan")}}},
            {"facts": {"beginnings": 3}},
            {"facts": {"beginnings": {"pieces": 9, "median": 1.0}}},
            {"pitch_range": ["low", "high"]},
            {"facts": None},
        ],
        ids=str,
    )
    def test_parts_that_do_not_fit(self, stored, change):
        data = stored.read_bytes()
        header = json.loads(header_of(data)["__metadata__"]["seqaudio"])
        (key, value), *_ = change.items()
        changed = header[key] | value if isinstance(value, dict) else value
        stored.write_bytes(with_header(data, header | {key: changed}))
        with pytest.raises(CheckpointError) as caught:
            Checkpoint.load(stored).build()
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("key", ["format", "model", "tokenizer", "pitch_range", "facts"])
    def test_a_missing_part(self, stored, key):
        data = stored.read_bytes()
        header = json.loads(header_of(data)["__metadata__"]["seqaudio"])
        del header[key]
        stored.write_bytes(with_header(data, header))
        assert_refused(stored)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"tokenizer": FULL}, r"encoder.weight has shape \(\d+, 4\), not \(\d+, 4\) and 1 more"),
            ({"config": CONFIG.model_copy(update={"hidden_size": 7})}, r"stack.* has shape .*, not .* and \d+ more"),
            (
                {"config": CONFIG.model_copy(update={"layers": 1})},
                r"stack.* is none of its tensors and 3 more",
            ),
            ({"weights": {}}, r"encoder.weight is missing and \d+ more"),
            ({"weights": make_checkpoint().weights | {"a\nb": np.zeros(1)}}, r"a\\nb is none of its tensors"),
        ],
        ids=["tokenizer", "sizes", "layers", "no weights", "strange weights"],
    )
    def test_weights_that_do_not_fit_are_refused_before_they_are_saved(self, stored, change, reason):
        before = stored.read_bytes()
        wrong = replace(make_checkpoint(), **change)
        for act in (lambda: wrong.save(stored), wrong.build):
            with pytest.raises(
                CheckpointError, match=f"^the weights do not fit the model: {reason}; give the"
            ) as caught:
                act()
            assert "\n" not in str(caught.value)
            assert len(str(caught.value)) < 200
        assert stored.read_bytes() == before

    def test_a_whole_state_dict_fits(self, tmp_path):
        made = make_checkpoint()
        weights = {name: tensor.numpy() for name, tensor in made.build().state_dict().items()}
        assert weights.keys() - made.weights.keys() == {"head.weight"}
        replace(made, weights=weights).save(tmp_path / WEIGHTS)
        for name, tensor in weights_of(Checkpoint.load(tmp_path).build()).items():
            np.testing.assert_array_equal(tensor, made.weights[name])

    def test_a_missing_tensor(self, tmp_path):
        for name in make_checkpoint().weights:
            checkpoint = make_checkpoint()
            del checkpoint.weights[name]
            for act in (checkpoint.build, lambda checkpoint=checkpoint: checkpoint.save(tmp_path / WEIGHTS)):
                with pytest.raises(CheckpointError, match=f"do not fit the model: {name} is missing; give the config"):
                    act()
        assert not os.listdir(tmp_path)


def test_saving_is_all_or_nothing(stored, monkeypatch):
    before = stored.read_bytes()

    def full_disk(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(BadFileError, match="No space left") as caught:
        make_checkpoint(FULL).save(stored)
    assert isinstance(caught.value, SeqAudioError)
    assert stored.read_bytes() == before
    assert os.listdir(stored.parent) == [WEIGHTS]
