"""A model with a memory runs alike on both engines, in one go, in chunks and token by token, and continues music."""

import numpy as np
import pytest
import torch

from seqaudio.continuation import Sampling, continue_score, score_likelihood
from seqaudio.continuation.engines import TorchEngine, load_engine
from seqaudio.continuation.frames import continue_frames
from seqaudio.continuation.remembering import RememberingEngine, mixture
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.models.cells import FUSED
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.models.config import MemoryConfig, ModelConfig, make_memory
from seqaudio.models.match_memory.memory import LEFT_OUT
from seqaudio.training.adaptive import Cache, Dynamic
from seqaudio.training.evaluate import piece_nats
from tests.samples import MELODY, model_folder, random_model, tune

CLOSE = {"rtol": 0, "atol": 1e-4}  # the promise of the engines
MEMORY = MemoryConfig(lags=(1, 2, 8), counters=(2, 4), features=8)
BATCH = 2


@pytest.fixture(scope="module", params=[*FUSED, "lnlstm"])
def folder(request, tmp_path_factory):
    config = ModelConfig(cell=request.param, hidden_size=16, layers=2, embedding_size=12, memory=MEMORY)
    return model_folder(tmp_path_factory.mktemp("remembering"), config)


@pytest.fixture(scope="module")
def lstm(tmp_path_factory):
    config = ModelConfig(hidden_size=16, layers=1, memory=MEMORY)
    return load_engine(model_folder(tmp_path_factory.mktemp("lstm"), config, seed=4), "onnx")


def pieces():
    return np.stack([MELODY.encode(tune(12, seed=seed))[:60] for seed in range(BATCH)])


class TestEngines:
    def test_both_say_what_training_lowers(self, folder):
        """The logits are logarithms of probabilities, and those of the tokens that come are the model's nats."""
        ids = pieces()
        checkpoint = Checkpoint.load(folder)
        memory = make_memory(checkpoint.config, MELODY.vocabulary)
        expected = piece_nats(checkpoint.build(), list(ids), memory)
        names = ["torch"] if checkpoint.config.cell == "lnlstm" else ["torch", "onnx"]
        for name in names:
            engine = load_engine(folder, name)
            assert isinstance(engine, RememberingEngine)
            assert engine.name == name
            logits, _ = engine.run(ids, engine.initial_state(BATCH))
            assert logits.dtype == np.float32
            np.testing.assert_allclose(np.exp(logits.astype(float)).sum(axis=-1), 1, atol=1e-5)
            for row in range(BATCH):
                found = -logits[row, np.arange(59), ids[row, 1:]]
                np.testing.assert_allclose(found, expected[row], **CLOSE)

    @pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["fp32", "fp16"])
    @pytest.mark.parametrize("memory", [MEMORY, MemoryConfig(), MemoryConfig(match=False, lags=(2,), counters=(3,))])
    def test_the_networks_say_the_same_of_every_row(self, tmp_path, memory, dtype):
        """Logits, gate and guesses behind each row; a source without a guess is left out to the bit on both."""
        config = ModelConfig(hidden_size=16, layers=1, memory=memory)
        folder, vocabulary = model_folder(tmp_path / "model", config, dtype=dtype), len(MELODY.vocabulary)
        rows = np.stack([Checkpoint.load(folder).memory().heard(piece) for piece in pieces()])
        strengths = rows[..., 1 + memory.sources : 1 + 2 * memory.sources]
        found = []
        for name in ("torch", "onnx"):
            network = load_engine(folder, name).network
            outputs, _ = network.run(rows, network.initial_state(BATCH))
            gate = outputs[..., vocabulary + 1 : vocabulary + 1 + memory.sources]
            np.testing.assert_array_equal(gate == np.float32(LEFT_OUT), strengths == 0)
            found.append(outputs)
        assert 0 < (strengths == 0).sum() < strengths.size
        np.testing.assert_allclose(*found, **CLOSE)

    def test_chunks_and_steps_are_one_call(self, folder):
        engine, ids = load_engine(folder), pieces()
        whole, _ = engine.run(ids, engine.initial_state(BATCH))
        for size in (1, 7):
            state, parts = engine.initial_state(BATCH), []
            for start in range(0, 60, size):
                logits, state = engine.run(ids[:, start : start + size], state)
                parts.append(logits)
            np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, **CLOSE)

    def test_a_state_is_a_value(self, lstm):
        """From one place two ways are gone, in turns, as when several outputs go on from one primer."""
        ids = pieces()
        _, heard = lstm.run(ids[:1, :30], lstm.initial_state(1))
        states, parts = [heard, heard], [[], []]
        for step in range(30, 60):
            for way in range(2):
                logits, states[way] = lstm.run(ids[way : way + 1, step : step + 1], states[way])
                parts[way].append(logits)
        for way in range(2):
            line = np.concatenate([ids[:1, :30], ids[way : way + 1, 30:]], axis=1)
            whole, _ = lstm.run(line, lstm.initial_state(1))
            np.testing.assert_allclose(np.concatenate(parts[way], axis=1), whole[:, 30:], **CLOSE)

    def test_the_gate_has_a_temperature_of_its_own(self, lstm):
        """What is new keeps its proportions; the likelier of new and remembered grows as the gate cools."""
        ids = np.concatenate([pieces(), pieces()], axis=1)  # heard twice, so the memory holds something
        logits, state = lstm.run(ids, lstm.initial_state(BATCH))
        np.testing.assert_allclose(lstm.cooled(state, 1.0), logits[:, -1], **CLOSE)
        for temperature in (0.2, 5.0):
            other = lstm.cooled(state, temperature)
            np.testing.assert_allclose(np.exp(other.astype(float)).sum(axis=-1), 1, atol=1e-5)
            for row in range(BATCH):
                guessed = np.flatnonzero(np.abs(other[row] - logits[row, -1]) > 1e-3)
                moved = other[row] - logits[row, -1]
                usual = np.median(moved)
                assert (np.abs(moved - usual) > 1e-3).sum() <= MEMORY.sources, guessed
        with pytest.raises(OptionError, match="gate temperature is 0, it must be above 0"):
            lstm.cooled(state, 0)

    def test_the_gate_is_cooled_only_where_something_is_held(self, lstm):
        """Row by row, after every token: at the other temperature exactly where the notebook holds something."""
        ids, memory, held = pieces(), lstm.checkpoint.memory(), set()
        notebooks = [memory.begin() for _ in ids]
        state = lstm.initial_state(BATCH)
        for step in range(60):
            logits, state = lstm.run(ids[:, step : step + 1], state)
            other = lstm.cooled(state, 0.2)
            for row, notebook in enumerate(notebooks):
                _, notebooks[row] = notebook.after(ids[row, step : step + 1])
                moved = np.abs(other[row] - logits[row, 0]).max()
                assert (moved > 1e-3) == notebooks[row].holds(), (step, row)
                held.add(notebooks[row].holds())
        assert held == {False, True}

    def test_shares_say_where_each_token_came_from(self, lstm, monkeypatch):
        """New and remembered make up the whole; a source has a share only where it guessed right."""
        ids = np.concatenate([pieces()[0], pieces()[0]])
        shares = lstm.shares(ids)
        memory = lstm.checkpoint.memory()
        recall = memory.recall(ids)
        right = (recall.sources >= 0) & (ids[np.maximum(recall.sources, 0)] == np.append(ids[1:], -1)[:, None])
        assert lstm.names_of_shares == ("new", "longest match", "1 bar ago", "2 bars ago", "8 bars ago")
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        np.testing.assert_array_equal(shares[:, 1:] > 0, right[:-1])
        logits, _ = lstm.run(ids[None], lstm.initial_state(1))
        outputs, _ = lstm._network.run(memory.heard(ids)[None], lstm._network.initial_state(1))
        vocabulary = len(MELODY.vocabulary)
        gate = np.exp(outputs[0, :-1, vocabulary : vocabulary + 5])
        said = np.exp(logits[0, np.arange(len(ids) - 1), ids[1:]])
        np.testing.assert_allclose(shares[:, 1:], right[:-1] * gate[:, 1:] / said[:, None], rtol=1e-3, atol=1e-6)
        monkeypatch.setattr("seqaudio.continuation.remembering.CHUNK", 7)
        np.testing.assert_allclose(lstm.shares(ids), shares, rtol=1e-3, atol=1e-6)

    def test_of_float16_weights_too(self, tmp_path):
        config = ModelConfig(hidden_size=16, layers=1, memory=MEMORY)
        folder = model_folder(tmp_path / "half", config, dtype=np.float16)
        both = [load_engine(folder, name) for name in ("torch", "onnx")]
        one, other = (engine.run(pieces(), engine.initial_state(BATCH))[0] for engine in both)
        np.testing.assert_allclose(one, other, **CLOSE)

    def test_without_the_memory_a_network_is_told_nothing(self, lstm):
        engine = TorchEngine(lstm.checkpoint)
        with pytest.raises(OptionError, match=r"give memory\.heard\(piece\)"):
            engine.run(pieces(), engine.initial_state(BATCH))


@pytest.mark.parametrize("form", ["interpreted", "machine_code"])
def test_the_mixture_is_one_of_probabilities(form):
    """A share of what the head says, and of each guess its own; two sources may guess the same."""
    temperatures = np.array([0.3, 1.0, 4.0, 1.0])
    generator = np.random.default_rng(0)
    outputs = generator.normal(0, 3, (4, 20 + 4 + 3)).astype(np.float32)
    outputs[:, 24:] = [[5, 5, 19], [0, 1, 2], [7, 7, 7], [3, 0, 3]]
    own, gate, guesses = np.split(outputs.astype(float), [20, 24], axis=1)
    shares = np.exp(gate / temperatures[:, None])
    shares /= shares.sum(axis=1, keepdims=True)
    expected = shares[:, :1] * np.exp(own) / np.exp(own).sum(axis=1, keepdims=True)
    for row, source in np.ndindex(4, 3):
        expected[row, int(guesses[row, source])] += shares[row, 1 + source]
    found = getattr(mixture, form)(outputs, 20, temperatures)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.log(expected), rtol=0, atol=1e-5)


class TestContinuing:
    @pytest.mark.parametrize("gate_temperature", [1.0, 0.5])
    def test_outputs_depend_on_the_seed_and_their_number_alone(self, lstm, gate_temperature):
        sampling = Sampling(gate_temperature=gate_temperature)
        several = continue_score(lstm, tune(8), bars=4, num_outputs=3, seed=7, sampling=sampling)
        fewer = continue_score(lstm, tune(8), bars=4, num_outputs=2, seed=7, sampling=sampling)
        assert [c.ids.tolist() for c in several[:2]] == [c.ids.tolist() for c in fewer]
        assert len({tuple(c.ids.tolist()) for c in several}) == 3
        assert all(len(c.score.bars()) - 1 == 4 for c in several)

    def test_the_gate_temperature_changes_what_is_written(self, lstm):
        ids = {
            t: continue_score(lstm, tune(8), bars=6, seed=1, sampling=Sampling(gate_temperature=t))[0].ids.tolist()
            for t in (0.2, 1.0, 5.0)
        }
        assert len({tuple(each) for each in ids.values()}) == 3

    def test_a_model_without_memory_has_no_gate(self, melody_engine):
        with pytest.raises(OptionError, match="gate_temperature is for models with a memory, and this one has none"):
            continue_score(melody_engine, tune(8), bars=2, sampling=Sampling(gate_temperature=0.7))

    def test_likelihood(self, lstm):
        likelihood = score_likelihood(lstm, tune(8))
        memory = make_memory(lstm.checkpoint.config, MELODY.vocabulary)
        (expected,) = piece_nats(lstm.checkpoint.build(), [likelihood.ids], memory)
        np.testing.assert_allclose(likelihood.nats, expected, **CLOSE)

    def test_likelihood_with_the_help_of_the_piece(self, lstm, folder):
        options = {"cache": Cache(0.3, 1.0), "dynamic": Dynamic(0.01, 0.0, 8)}
        with pytest.raises(OptionError, match="need the engine torch, and this is OnnxEngine"):
            score_likelihood(lstm, tune(8), **options)
        engine = load_engine(folder, "torch")
        found = score_likelihood(engine, tune(8), **options)
        (expected,) = piece_nats(engine.network.model, [found.ids], engine.checkpoint.memory(), **options)
        np.testing.assert_array_equal(found.nats, expected)
        assert np.abs(found.nats - score_likelihood(engine, tune(8)).nats).max() > 0.01


KEYS = 6


class TestFrames:
    def models(self):
        for memory in (None, MEMORY):
            config = ModelConfig(hidden_size=8, layers=1, head="notes", memory=memory)
            yield random_model(config, keys=KEYS), make_memory(config)

    def primers(self, count=3, steps=10):
        return list(np.random.default_rng(0).random((count, steps, KEYS)) < 0.3)

    def test_the_same_seed_writes_the_same(self):
        for model, memory in self.models():
            one, same, other = (continue_frames(model, memory, self.primers(), 12, seed=seed) for seed in (1, 1, 2))
            assert one.shape == (3, 12, KEYS)
            assert one.dtype == bool
            np.testing.assert_array_equal(one, same)
            assert (one != other).any()

    def test_each_frame_is_drawn_from_what_the_model_says(self):
        """A head and a gate that are sure: all silent but for what the pointer guesses, so the primer comes again."""
        config = ModelConfig(hidden_size=8, layers=1, head="bernoulli", memory=MemoryConfig(match=False, lags=(4,)))
        model = random_model(config, keys=KEYS)
        with torch.no_grad():
            model.gate.logits.weight.zero_()
            model.gate.logits.bias.copy_(torch.tensor([-50.0, 50.0]))
        primers = self.primers(steps=4)
        written = continue_frames(model, make_memory(config), primers, 10)
        for primer, row in zip(primers, written, strict=True):
            np.testing.assert_array_equal(row, np.tile(primer, (3, 1))[:10])

    def test_a_cool_gate_ends_no_return_that_has_begun(self):
        """Undecided between new and known, a cold gate stays with what it holds, and begins nothing the more."""
        config = ModelConfig(hidden_size=8, layers=1, head="bernoulli", memory=MemoryConfig(match=False, lags=(4,)))
        model = random_model(config, keys=KEYS)
        with torch.no_grad():
            model.gate.logits.weight.zero_()
            model.gate.logits.bias.copy_(torch.tensor([0.0, 1.0]))
            model.gate.trust.zero_()
        rng = np.random.default_rng(0)
        new = [rng.random((10, KEYS)) < 0.5 for _ in range(400)]
        known = [np.concatenate([primer[:7], primer[3:6]]) for primer in new]  # three frames of a return

        def returned(primers, gate_temperature):
            written = continue_frames(model, make_memory(config), primers, 1, gate_temperature=gate_temperature)[:, 0]
            return np.mean([(row == primer[-4]).all() for row, primer in zip(written, primers, strict=True)])

        assert returned(known, 0.1) > 0.99
        assert returned(known, 1.0) < 0.85
        assert returned(new, 0.1) == returned(new, 1.0) < 0.85

    def test_refused(self):
        model, memory = next(self.models())
        for primers in ([], [np.zeros((0, KEYS), bool)]):
            with pytest.raises(NoNotesError, match="no frames to continue"):
                continue_frames(model, memory, primers, 3)
        with pytest.raises(OptionError, match=r"0 steps behind primers of \[10\] frames"):
            continue_frames(model, memory, self.primers(), 0)
        with pytest.raises(OptionError, match=r"primers of \[10, 11\] frames; give one length, and steps"):
            continue_frames(model, memory, [*self.primers(), np.zeros((11, KEYS), bool)], 3)
        with pytest.raises(OptionError, match="gate_temperature is for models with a memory, and this one has none"):
            continue_frames(model, memory, self.primers(), 3, gate_temperature=0.5)
        _, (model, memory) = self.models()
        unheard = self.primers(steps=1)  # so nothing is held
        with pytest.raises(OptionError, match="gate temperature is 0, it must be above 0"):
            continue_frames(model, memory, unheard, 1, gate_temperature=0)
        with pytest.raises(OptionError, match=r"no memory for a model with a memory of .*; give checkpoint.memory\(\)"):
            continue_frames(model, None, self.primers(), 3, gate_temperature=0.5)
