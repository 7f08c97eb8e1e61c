"""The loop learns, clips what it says it clips, keeps to its schedule, and its chunks lose nothing but gradient."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from seqaudio.errors import DivergedError
from seqaudio.models.config import ModelConfig
from seqaudio.training import devices
from seqaudio.training.config import TrainingConfig
from seqaudio.training.evaluate import piece_nats
from seqaudio.training.loop import Trainer, window
from seqaudio.training.transposition import HIGHEST_PITCH, LOWEST_PITCH, TokenTransposition
from tests.samples import MELODY, random_model, repetitive_pieces

VOCABULARY = len(MELODY.vocabulary)
SMALL = ModelConfig(cell="lstm", hidden_size=12, layers=2, dropout=0.2)


class Journal:
    """What a trainer called, in order."""

    def __init__(self):
        self.lines, self.best, self.saves = [], 0, 0

    def keep_best(self):
        self.best += 1

    def save(self):
        self.saves += 1

    @property
    def steps(self):
        return [line for line in self.lines if "step" in line]

    @property
    def epochs(self):
        return [line for line in self.lines if "valid_nats" in line]


def make_trainer(model_config=SMALL, pieces=8, **options):
    journal = Journal()
    settings = {"epochs": 2, "batch_size": 3, "chunk": 16, "warmup_steps": 4, "learning_rate": 1e-2} | options
    trainer = Trainer(
        random_model(model_config, VOCABULARY),
        TokenTransposition(MELODY),
        TrainingConfig(**settings),
        repetitive_pieces(pieces),
        repetitive_pieces(3, seed=9),
        journal.lines.append,
        journal.keep_best,
        journal.save,
    )
    return trainer, journal


class TestRate:
    def test_schedule(self):
        trainer, journal = make_trainer(learning_rate=0.01, warmup_steps=4, final_rate=0.1)
        trainer.run()
        rates = [line["rate"] for line in journal.steps]
        total = len(rates)
        assert total == trainer.total_steps > 10
        for step, rate in enumerate(rates):
            decay = 0.1 + 0.9 * (1 + math.cos(math.pi * step / total)) / 2
            assert rate == pytest.approx(0.01 * min(1, (step + 1) / 4) * decay)
        assert rates[0] == pytest.approx(0.01 / 4)
        assert rates[:4] == sorted(rates[:4])
        assert rates[4:] == sorted(rates[4:], reverse=True)
        assert rates[-1] < 0.01 * 0.2

    @pytest.mark.parametrize(("schedule", "share"), [("linear", lambda done: 1 - done), ("constant", lambda done: 1)])
    def test_other_schedules(self, schedule, share):
        trainer, journal = make_trainer(schedule=schedule, warmup_steps=4, learning_rate=0.01)
        trainer.run()
        for step, line in enumerate(journal.steps):
            left = 0.02 + 0.98 * share(step / trainer.total_steps)
            assert line["rate"] == pytest.approx(0.01 * min(1, (step + 1) / 4) * left)
        assert len(journal.steps) == trainer.total_steps

    def test_the_optimizer_uses_it(self):
        trainer, journal = make_trainer()
        used = []
        trainer.optimizer.register_step_pre_hook(
            lambda optimizer, *_: used.extend({group["lr"] for group in optimizer.param_groups})
        )
        trainer.run()
        assert used == [line["rate"] for line in journal.steps]

    def test_no_warmup(self):
        trainer, journal = make_trainer(warmup_steps=0, epochs=1)
        trainer.run()
        assert journal.steps[0]["rate"] == pytest.approx(1e-2)


class TestChunks:
    @pytest.mark.parametrize("size", [2, 5, 16, 1000])
    def test_every_real_target_once_and_no_row_behind_its_end(self, size):
        trainer, _ = make_trainer(pieces=4, batch_size=4, chunk=size, transpose=0)
        ((numbers,), places) = trainer._plan(0)
        batch = trainer._augmented(numbers)
        seen = [[] for _ in numbers]
        for _, chunk in places:
            rows = trainer._own(batch, chunk * size)
            inputs, targets, real = window(batch, rows, chunk * size, size)
            assert inputs.shape == targets.shape == real.shape
            assert inputs.shape[1] <= size
            assert real.any(dim=1).all()
            for i, row in enumerate(rows):
                seen[row] += list(zip(inputs[i][real[i]].tolist(), targets[i][real[i]].tolist(), strict=True))
        for pairs, number in zip(seen, numbers, strict=True):
            piece = trainer.train[number].tolist()
            assert pairs == list(pairwise(piece))

    def test_the_loop_carries_the_state(self):
        """With a rate too small to move a weight, the logged losses of a batch add up to those of whole pieces."""
        trainer, journal = make_trainer(
            SMALL.model_copy(update={"dropout": 0.0}), pieces=3, epochs=1, transpose=0, chunk=16, learning_rate=1e-30
        )
        trainer.run()
        assert len(journal.steps) > 2
        logged = sum(line["nats"] * line["tokens"] for line in journal.steps)
        exact = sum(nats.sum() for nats in piece_nats(trainer.model, trainer.train))
        assert logged == pytest.approx(exact, rel=1e-5)
        assert sum(line["tokens"] for line in journal.steps) == sum(len(piece) - 1 for piece in trainer.train)


class TestLearning:
    def test_well_below_the_unigram_entropy(self):
        trainer, journal = make_trainer(
            ModelConfig(cell="lstm", hidden_size=32, layers=1, dropout=0.1),
            pieces=24,
            epochs=40,
            batch_size=4,
            chunk=64,
            warmup_steps=10,
            transpose=2,
        )
        trainer.run()
        valid = np.concatenate([piece[1:] for piece in trainer.valid]).astype(int)
        train = np.concatenate([piece[1:] for piece in trainer.train]).astype(int)
        counts = np.bincount(train, minlength=VOCABULARY) + 1.0
        unigram = -np.log(counts / counts.sum())[valid].mean()
        first, best = journal.epochs[0]["valid_nats"], trainer.progress.best_nats
        assert best < 0.4 * unigram
        assert best < 0.5 * first

    def test_the_best_is_kept_when_it_is_best(self):
        trainer, journal = make_trainer(epochs=4)
        trainer.run()
        lowest, marked = math.inf, []
        for line in journal.epochs:
            marked.append(line["valid_nats"] < lowest)
            lowest = min(lowest, line["valid_nats"])
        assert [line["best"] for line in journal.epochs] == marked
        assert journal.best == sum(marked) >= 1
        assert trainer.progress.best_nats == lowest
        assert trainer.progress.finished
        assert len(journal.epochs) == 4

    @pytest.mark.parametrize("patience", [1, 2])
    def test_stops_when_nothing_gets_better(self, patience):
        trainer, journal = make_trainer(epochs=9, patience=patience, learning_rate=1e-30)
        trainer.run()
        assert trainer.progress.finished
        assert len(journal.epochs) == 1 + patience
        assert journal.best == 1

    def test_validation_may_be_rarer_than_epochs(self):
        trainer, journal = make_trainer(epochs=7, validate_every=3)
        trainer.run()
        assert [line["epoch"] for line in journal.epochs] == [2, 5, 6]
        often, often_journal = make_trainer(epochs=7)
        often.run()
        judged = {line["epoch"]: line["valid_nats"] for line in often_journal.epochs}
        assert all(line["valid_nats"] == judged[line["epoch"]] for line in journal.epochs)  # nothing else changes

    @pytest.mark.parametrize("patience", [1, 4])
    def test_patience_is_in_epochs_and_ends_at_a_validation(self, patience):
        trainer, journal = make_trainer(epochs=20, validate_every=3, patience=patience, learning_rate=1e-30)
        trainer.run()
        assert [line["epoch"] for line in journal.epochs] == ([2, 5] if patience == 1 else [2, 5, 8])

    def test_bf16(self):
        trainer, journal = make_trainer(epochs=1, precision="bf16")
        trainer.run()
        assert journal.steps
        assert all(math.isfinite(line["nats"]) for line in journal.steps)
        assert {parameter.dtype for parameter in trainer.model.parameters()} == {torch.float32}
        exact, exact_journal = make_trainer(epochs=1, precision="fp32")
        exact.run()
        half, full = ([line["nats"] for line in j.steps] for j in (journal, exact_journal))
        assert half != full  # it was used: by the products, and by the LSTM where the CPU has one
        np.testing.assert_allclose(half, full, rtol=0.02)  # bf16 keeps 8 bits


def test_recipes_train_in_bf16_only_where_that_is_faster(monkeypatch):
    for has, precision in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(devices, "has_bf16_lstm", lambda has=has: has)
        found = devices.Devices()
        found.device = torch.device("cpu")
        assert found.fast_precision == precision
        found.device = torch.device("cuda")
        assert found.fast_precision == "fp32"


class TestClip:
    def test_gradients_are_clipped_after_they_are_made(self):
        trainer, journal = make_trainer(clip=0.01)
        norms = []
        trainer.optimizer.register_step_pre_hook(
            lambda *_: norms.append(
                torch.cat([p.grad.flatten() for p in trainer.model.parameters()]).double().norm().item()
            )
        )
        trainer.run()
        logged = [line["gradient_norm"] for line in journal.steps]
        assert len(norms) == len(logged) > 0
        assert max(logged) > 0.02  # there was something to clip
        for norm, before in zip(norms, logged, strict=True):
            assert norm == pytest.approx(min(before, 0.01), rel=1e-3, abs=1e-6)

    def test_a_step_moves_weights_no_further_than_the_rate(self):
        trainer, journal = make_trainer(epochs=1, pieces=3, chunk=1000, warmup_steps=0, weight_decay=0.0)
        before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
        trainer.run()
        assert len(journal.steps) == 1
        moved = max((b - a).abs().max().item() for a, b in zip(before, trainer.model.parameters(), strict=True))
        assert 0 < moved <= 1e-2 * 1.001  # Adam's first step is the rate, at most

    def test_the_norm_is_that_of_the_loss(self):
        """Sum of nats over a fixed divisor, batch size x chunk, whatever the padding."""
        trainer, journal = make_trainer(
            SMALL.model_copy(update={"dropout": 0.0}), epochs=1, pieces=3, chunk=1000, transpose=0, clip=1e9
        )
        model = random_model(SMALL, VOCABULARY)
        trainer.run()
        total = 0
        for piece in trainer.train:
            ids = torch.from_numpy(piece.astype(np.int64))[None]
            total = total + model.head.nats(model(ids[:, :-1])[0], ids[:, 1:]).sum()
        (total / (3 * 1000)).backward()
        norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm().item()
        assert journal.steps[0]["gradient_norm"] == pytest.approx(norm, rel=1e-3)


def test_matrices_decay_and_vectors_do_not():
    """Without a gradient, decay alone moves weights."""
    trainer, _ = make_trainer(weight_decay=0.1, learning_rate=0.5)
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    for parameter in trainer.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    trainer.optimizer.step()
    kinds = set()
    for name, parameter in trainer.model.named_parameters():
        share = 0.95 if parameter.dim() > 1 else 1
        torch.testing.assert_close(parameter.detach(), share * before[name])
        kinds.add((parameter.dim() > 1, "bias" in name))
    assert kinds == {(True, False), (False, True)}


class TestAccumulation:
    @pytest.mark.parametrize("parts", [2, 3])
    def test_the_same_run_but_for_rounding(self, parts):
        """Dropout on: its masks belong to the rows of the whole batch."""
        config = SMALL.model_copy(update={"dropout": 0.4, "embedding_dropout": 0.2})
        whole, whole_journal = make_trainer(config, batch_size=4, clip=0.05)
        parted, parted_journal = make_trainer(config, batch_size=4, clip=0.05, accumulate=parts)
        whole.run()
        parted.run()
        for what in ("nats", "gradient_norm", "tokens"):
            one, other = ([line[what] for line in journal.steps] for journal in (whole_journal, parted_journal))
            assert len(one) > 10
            np.testing.assert_allclose(other, one, rtol=1e-3)
        one, other = (journal.epochs[-1]["valid_nats"] for journal in (whole_journal, parted_journal))
        assert other == pytest.approx(one, rel=1e-4)

    def test_parts_are_read_one_by_one(self):
        trainer, journal = make_trainer(epochs=1, batch_size=4, accumulate=3)
        sizes = []
        trainer.model.stack.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
        trainer.run()
        assert max(sizes[:6]) <= 2
        assert len(sizes) > 2 * len(journal.steps)


class TestAverage:
    def run_and_look(self, **options):
        """The trainer, its weights behind each step, and what was judged at each improvement."""
        trainer, journal = make_trainer(**options)
        behind, judged = [], []
        start = [p.detach().double().numpy().copy() for p in trainer.model.parameters()]
        trainer.optimizer.register_step_post_hook(
            lambda *_: behind.append([p.detach().double().numpy().copy() for p in trainer.model.parameters()])
        )
        trainer.keep_best = lambda: judged.append([p.detach().clone() for p in trainer.model.parameters()])
        trainer.run()
        return trainer, journal, start, behind, judged

    def check(self, trainer, journal, average, behind, judged):
        for found, expected in zip(trainer.average.weights.values(), average, strict=True):
            np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
        for own, last in zip(trainer.model.parameters(), behind[-1], strict=True):
            np.testing.assert_array_equal(own.detach().double().numpy(), last)  # training goes on with its own
        assert journal.epochs[-1]["best"]
        for shown, kept in zip(judged[-1], trainer.average.weights.values(), strict=True):
            assert torch.equal(shown, kept)
        with trainer.average.in_place_of(trainer.model):
            nats = np.concatenate(piece_nats(trainer.model, trainer.valid)).mean()
        assert journal.epochs[-1]["valid_nats"] == pytest.approx(nats, rel=1e-12)
        own = np.concatenate(piece_nats(trainer.model, trainer.valid)).mean()
        assert abs(own - nats) > 1e-6

    @pytest.mark.parametrize("decay", [None, 0.5])
    def test_ema(self, decay):
        trainer, journal, average, behind, judged = self.run_and_look(averaging="ema", decay=decay)
        for step, weights in enumerate(behind, 1):
            d = min(decay or 0.999, (1 + step) / (10 + step))
            average = [d * old + (1 - d) * new for old, new in zip(average, weights, strict=True)]
        self.check(trainer, journal, average, behind, judged)

    def test_mean(self):
        trainer, journal, _, behind, judged = self.run_and_look(averaging="mean", mean_from=0.4)
        counted = behind[int(0.4 * trainer.total_steps) :]
        assert 3 < len(counted) < len(behind)
        average = [np.mean(of_parameter, axis=0) for of_parameter in zip(*counted, strict=True)]
        self.check(trainer, journal, average, behind, judged)


class TestDiverged:
    def test_at_which_step_and_weights_stay(self):
        trainer, journal = make_trainer()
        trainer.should_stop = lambda: len(journal.steps) == 3
        trainer.run()
        before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
        saves = journal.saves
        trainer.should_stop = lambda: False
        nats = trainer.model.head.nats
        trainer.model.head.nats = lambda *given: nats(*given) * math.inf
        with pytest.raises(DivergedError, match=r"step 4: the loss is inf .*lower training.learning_rate"):
            trainer.run()
        assert all(torch.equal(one, other) for one, other in zip(before, trainer.model.parameters(), strict=True))
        assert journal.saves == saves
        assert len(journal.steps) == 3

    def test_a_gradient_that_is_none(self):
        trainer, _ = make_trainer()
        next(trainer.model.parameters()).register_hook(lambda gradient: gradient * math.nan)
        with pytest.raises(DivergedError, match=r"step 1: .* norm of its gradient nan"):
            trainer.run()

    def test_validation(self):
        trainer, journal = make_trainer(epochs=1)
        trainer.save = lambda: None
        trainer.optimizer.register_step_post_hook(lambda *_: next(trainer.model.parameters()).data.fill_(math.nan))
        trainer.should_stop = lambda: len(journal.steps) == 1
        trainer.run()
        with pytest.raises(DivergedError, match="epoch 1: validation is nan"):
            trainer._validate()
        assert journal.best == 0


def test_validation_and_sampling_do_not_touch_the_training():
    def play(trainer):
        with torch.no_grad():
            state = trainer.model.eval().initial_state(1)
            for _ in range(3):
                logits, state = trainer.model.step(torch.multinomial(torch.ones(VOCABULARY), 1), state)
                torch.multinomial(logits.softmax(-1), 1)
        piece_nats(trainer.model, trainer.valid)
        np.random.default_rng().random()
        torch.manual_seed(7)

    trainer, journal = make_trainer()
    trainer.run()
    disturbed, other = make_trainer()
    disturbed.log = lambda line: (other.lines.append(line), play(disturbed))
    disturbed.run()
    assert len(other.steps) == len(journal.steps) > 10
    assert [line["nats"] for line in other.steps] == [line["nats"] for line in journal.steps]
    for one, two in zip(trainer.model.parameters(), disturbed.model.parameters(), strict=True):
        assert torch.equal(one, two)


class TestAugmentation:
    def test_pieces_move_within_the_piano_and_keep_their_shape(self):
        trainer, _ = make_trainer(transpose=11)
        pitches = MELODY.vocabulary.slices["Pitch"]
        shifts = set()
        for epoch in range(12):
            trainer.progress.epoch = epoch
            for numbers in trainer._plan(epoch)[0]:
                batch = trainer._augmented(numbers)
                for row, number in zip(batch.steps, numbers, strict=True):
                    piece = trainer.train[number].astype(int)
                    moved = row[: len(piece)]
                    is_pitch = (piece >= pitches.start) & (piece < pitches.stop)
                    assert np.array_equal(moved[~is_pitch], piece[~is_pitch])
                    (shift,) = set((moved - piece)[is_pitch].tolist())
                    assert moved[is_pitch].min() - pitches.start >= LOWEST_PITCH
                    assert moved[is_pitch].max() - pitches.start <= HIGHEST_PITCH
                    shifts.add(shift)
        assert min(shifts) == -11
        assert max(shifts) == 11

    @pytest.mark.parametrize("share", [0.1, 0.5])
    def test_a_share_of_the_pieces_moves(self, share):
        trainer, _ = make_trainer(transpose=11, transpose_share=share)
        moved = []
        for epoch in range(60):
            trainer.progress.epoch = epoch
            for numbers in trainer._plan(epoch)[0]:
                rows = trainer._augmented(numbers).steps
                pieces = [trainer.train[number] for number in numbers]
                moved += [not np.array_equal(row[: len(p)], p) for row, p in zip(rows, pieces, strict=True)]
        expected = share * 22 / 23  # some move by nothing
        assert abs(np.mean(moved) - expected) < 4 * (expected / len(moved)) ** 0.5

    def test_off(self):
        trainer, _ = make_trainer(transpose=0)
        numbers = trainer._plan(0)[0][0]
        for row, number in zip(trainer._augmented(numbers).steps, numbers, strict=True):
            assert np.array_equal(row[: len(trainer.train[number])], trainer.train[number])

    def test_every_piece_once_an_epoch_in_an_order_of_its_own(self):
        trainer, _ = make_trainer()
        orders = [np.concatenate(trainer._plan(epoch)[0]).tolist() for epoch in range(3)]
        assert all(sorted(order) == list(range(8)) for order in orders)
        assert orders[0] != orders[1]
        assert np.concatenate(trainer._plan(0)[0]).tolist() == orders[0]


def test_training_leaves_torchs_random_stream_alone():
    before = torch.get_rng_state()
    trainer, _ = make_trainer(epochs=1)
    trainer.run()
    assert torch.equal(torch.get_rng_state(), before)


def test_subnormal_numbers_are_zero_while_it_trains():
    """A CPU computes them slowly, and a fading gradient is full of them; behind the training all is as it was."""
    trainer, _ = make_trainer(epochs=1)
    seen = []
    trainer.log = lambda line: seen.append(float(torch.tensor(1e-30) * 1e-10))
    trainer.run()
    assert seen
    assert set(seen) == {0.0}
    assert torch.tensor(1e-30) * 1e-10 > 0
    trainer, _ = make_trainer(epochs=1)
    trainer.log = lambda line: [][0]
    with pytest.raises(IndexError):
        trainer.run()
    assert torch.tensor(1e-30) * 1e-10 > 0


def test_two_runs_are_one():
    results = []
    for noise in (0, 1):
        torch.manual_seed(noise)  # what others drew before must not matter
        trainer, journal = make_trainer()
        trainer.run()
        results.append((trainer.model.state_dict(), [line["nats"] for line in journal.steps]))
    (one, one_log), (other, other_log) = results
    assert one_log == other_log
    assert all(torch.equal(one[name], other[name]) for name in one)
