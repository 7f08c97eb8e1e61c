"""The loop learns, clips what it says it clips, keeps to its schedule, and its chunks lose nothing but gradient."""

import math

import numpy as np
import pytest
import torch

from seqaudio.corpus.batches import stack
from seqaudio.models.config import ModelConfig
from seqaudio.training.config import TrainingConfig
from seqaudio.training.evaluate import piece_nats
from seqaudio.training.loop import Trainer, chunks
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
    def test_every_real_target_once(self, size):
        pieces = repetitive_pieces(4)
        batch = stack([piece.astype(np.int64) for piece in pieces])
        ids, lengths = torch.from_numpy(batch.steps), torch.from_numpy(batch.lengths)
        seen = [[] for _ in pieces]
        for inputs, targets, real in chunks(ids, lengths, size):
            assert inputs.shape == targets.shape == real.shape
            assert inputs.shape[1] <= size
            for row in range(len(pieces)):
                seen[row] += list(zip(inputs[row][real[row]].tolist(), targets[row][real[row]].tolist(), strict=True))
        for pairs, piece in zip(seen, pieces, strict=True):
            assert pairs == list(zip(piece[:-1].tolist(), piece[1:].tolist(), strict=True))

    @torch.no_grad()
    def test_carried_state_makes_chunks_one_pass(self):
        model = random_model(SMALL, VOCABULARY)
        pieces = repetitive_pieces(3)
        batch = stack([piece.astype(np.int64) for piece in pieces])
        ids, lengths = torch.from_numpy(batch.steps), torch.from_numpy(batch.lengths)
        total, state = 0.0, model.initial_state(len(pieces))
        for inputs, targets, real in chunks(ids, lengths, 7):
            outputs, state = model(inputs, state)
            total += (model.head.nats(outputs, targets) * real).sum().item()
        assert total == pytest.approx(sum(nats.sum() for nats in piece_nats(model, pieces)), rel=1e-5)

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

    def test_bf16(self):
        trainer, journal = make_trainer(epochs=1, precision="bf16")
        trainer.run()
        assert journal.steps
        assert all(math.isfinite(line["nats"]) for line in journal.steps)
        assert {parameter.dtype for parameter in trainer.model.parameters()} == {torch.float32}
        exact, exact_journal = make_trainer(epochs=1, precision="fp32")
        exact.run()
        half, full = ([line["nats"] for line in j.steps] for j in (journal, exact_journal))
        assert half != full  # it was used
        np.testing.assert_allclose(half, full, rtol=0.02)  # bf16 keeps 8 bits


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


class TestAugmentation:
    def test_pieces_move_within_the_piano_and_keep_their_shape(self):
        trainer, _ = make_trainer(transpose=11)
        pitches = MELODY.vocabulary.slices["Pitch"]
        shifts = set()
        for epoch in range(12):
            trainer.progress.epoch = epoch
            for numbers in trainer._order(epoch):
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

    def test_off(self):
        trainer, _ = make_trainer(transpose=0)
        numbers = trainer._order(0)[0]
        for row, number in zip(trainer._augmented(numbers).steps, numbers, strict=True):
            assert np.array_equal(row[: len(trainer.train[number])], trainer.train[number])

    def test_every_piece_once_an_epoch_in_an_order_of_its_own(self):
        trainer, _ = make_trainer()
        orders = [np.concatenate(trainer._order(epoch)).tolist() for epoch in range(3)]
        assert all(sorted(order) == list(range(8)) for order in orders)
        assert orders[0] != orders[1]
        assert np.concatenate(trainer._order(0)).tolist() == orders[0]


def test_training_leaves_torchs_random_stream_alone():
    before = torch.get_rng_state()
    trainer, _ = make_trainer(epochs=1)
    trainer.run()
    assert torch.equal(torch.get_rng_state(), before)


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
