"""Every head of frames is a distribution: its probabilities sum to one, its draws follow them, a slow loop agrees."""

import math

import numpy as np
import pytest
import torch

from seqaudio.errors import OptionError
from seqaudio.models.heads import (
    BernoulliHead,
    JointHead,
    KnownFrames,
    MarginalHead,
    NotesHead,
    distinct_frames,
)

KEYS, HIDDEN, FEATURES = 6, 5, 7
KNOWN = [0, 3, 17, 40, 41, 62]  # numbers of frames met in training, silence among them


def frames_of(numbers, keys=KEYS):
    """Frames (..., keys) whose bits are those of the numbers (...), key 0 the lowest bit."""
    return (torch.as_tensor(numbers)[..., None] >> torch.arange(keys)) & 1 == 1


def known_frames(numbers=KNOWN):
    """The same as an array."""
    return frames_of(numbers).numpy()


def make_head(name):
    match name:
        case "bernoulli":
            return BernoulliHead(HIDDEN, KEYS)
        case "marginal":
            return MarginalHead(HIDDEN, known_frames())
        case "notes":
            return NotesHead(HIDDEN, KEYS, FEATURES)
        case "notes upwards":
            return NotesHead(HIDDEN, KEYS, FEATURES, highest_first=False)
        case "joint":
            return JointHead(HIDDEN, known_frames(), BernoulliHead(HIDDEN, KEYS))
        case "joint notes":
            return JointHead(HIDDEN, known_frames(), NotesHead(HIDDEN, KEYS, FEATURES))


pytestmark = pytest.mark.usefixtures("seeded")


@pytest.fixture(params=["bernoulli", "marginal", "notes", "notes upwards", "joint", "joint notes"])
def head(request):
    head = make_head(request.param)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_()
    return head


def all_nats(head, hidden):
    """Nats (rows, 64) of every frame under each of the hidden states (rows, hidden)."""
    every = frames_of(torch.arange(2**KEYS)).expand(len(hidden), -1, -1)
    repeated = hidden[:, None].expand(-1, 2**KEYS, -1)
    return head.nats(head(repeated), every)


def train_a_little(head):
    hidden, targets = torch.randn(4, 10, HIDDEN), frames_of(torch.randint(2**KEYS, (4, 10)))
    optimizer = torch.optim.Adam(head.parameters(), lr=0.3)
    losses = []
    for _ in range(10):
        loss = head.nats(head(hidden), targets).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


class TestEveryHead:
    @pytest.mark.parametrize("trained", [False, True])
    def test_probabilities_of_all_frames_sum_to_one(self, head, trained):
        if trained:
            train_a_little(head)
        nats = all_nats(head, 2 * torch.randn(8, HIDDEN)).detach()
        assert nats.shape == (8, 2**KEYS)
        assert nats.dtype == torch.float32
        assert nats.std() > 0.5, "all frames are equally likely, too little is tested"
        np.testing.assert_allclose((-nats.double()).exp().sum(dim=1), 1, atol=1e-5)

    @torch.no_grad()
    def test_a_slow_loop_agrees(self, head):
        for hidden in torch.randn(3, HIDDEN):
            found = all_nats(head, hidden[None])[0].tolist()
            expected = [-slow_log_probability(head, hidden, frame) for frame in frames_of(torch.arange(2**KEYS))]
            np.testing.assert_allclose(found, expected, atol=2e-5, rtol=1e-5)

    @pytest.mark.parametrize("temperature", [1.0, 0.5])
    def test_draws_are_as_frequent_as_likely(self, head, temperature):
        count = 20_000
        hidden = 0.3 * torch.randn(1, HIDDEN)
        generator = torch.Generator().manual_seed(1)
        drawn = head.sample(head(hidden).expand(1, count, -1), generator, temperature)
        assert drawn.shape == (1, count, KEYS)
        assert drawn.dtype == torch.bool
        numbers = (drawn[0] * 2 ** torch.arange(KEYS)).sum(dim=1)
        frequency = torch.bincount(numbers, minlength=2**KEYS) / count
        if temperature == 1:
            expected = (-all_nats(head, hidden)[0].detach()).exp()
            # a frequency's deviation is sqrt(p (1 - p) / n): five of them, for 64 frames, and one draw
            assert ((frequency - expected).abs() < 5 * (expected * (1 - expected) / count).sqrt() + 1 / count).all()
        else:
            warm = head.sample(head(hidden).expand(1, count, -1), generator)
            assert frequency.max() > torch.bincount((warm[0] * 2 ** torch.arange(KEYS)).sum(dim=1)).max() / count

    def test_one_step_is_drawn_as_a_sequence_of_one(self, head):
        outputs = head(torch.randn(4, 1, HIDDEN))
        alone = head.sample(outputs[:, 0], torch.Generator().manual_seed(3))
        assert torch.equal(alone, head.sample(outputs, torch.Generator().manual_seed(3))[:, 0])

    def test_the_same_generator_draws_the_same(self, head):
        outputs = head(torch.randn(2, 9, HIDDEN))
        one, same, other = (head.sample(outputs, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)

    @pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
    def test_a_temperature_is_above_zero(self, head, temperature):
        with pytest.raises(OptionError, match="must be above 0"):
            head.sample(head(torch.randn(1, 2, HIDDEN)), torch.Generator(), temperature)

    def test_a_step_counts_by_itself(self, head):
        hidden, targets = torch.randn(3, 4, HIDDEN), frames_of(torch.randint(2**KEYS, (3, 4)))
        together = head.nats(head(hidden), targets)
        for row in range(3):
            for step in range(4):
                alone = head.nats(head(hidden[row, step][None, None]), targets[row, step][None, None])
                torch.testing.assert_close(alone[0, 0], together[row, step])

    @pytest.mark.parametrize("size", [1e2, 1e4, 1e8])
    def test_extreme_logits_give_finite_nats_and_gradients(self, head, size):
        hidden = (size * torch.randn(2, 3, HIDDEN)).requires_grad_()
        targets = frames_of([[0, 63, 5], [17, 41, 32]])  # silence, all keys, known ones and others
        nats = head.nats(head(hidden), targets)
        nats.sum().backward()
        assert nats.isfinite().all()
        assert (nats >= 0).all()
        assert hidden.grad.isfinite().all()
        assert all(parameter.grad.isfinite().all() for parameter in head.parameters())

    def test_float_frames_are_bool_frames_and_nan_is_silence(self, head):
        outputs = head(torch.randn(2, 3, HIDDEN))
        targets = frames_of(torch.randint(2**KEYS, (2, 3)))
        targets[0, 0] = False
        as_float = targets.float()
        as_float[0, 0] = math.nan
        assert torch.equal(head.nats(outputs, targets), head.nats(outputs, as_float))

    def test_half_precision_is_scored_in_full(self, head):
        hidden, targets = torch.randn(2, 3, HIDDEN), frames_of(torch.randint(2**KEYS, (2, 3)))
        full = head.nats(head(hidden), targets)
        with torch.autocast("cpu", torch.bfloat16):
            half = head.nats(head(hidden), targets)
            every = all_nats(head, hidden[0]).detach()
        assert half.dtype == torch.float32
        torch.testing.assert_close(half, full, rtol=0.05, atol=0.1)
        # every frame is scored by logits rounded once, so they still sum to one
        np.testing.assert_allclose((-every.double()).exp().sum(dim=1), 1, atol=1e-5)
        half.sum().backward()
        assert all(parameter.grad.dtype == torch.float32 for parameter in head.parameters())


def slow_log_probability(head, hidden, frame):
    """One frame under one hidden state, in float64 and plain loops, from the definition."""
    match head:
        case BernoulliHead():
            logits = slow_linear(head.logits, hidden.tolist())
            return sum(-math.log1p(math.exp(-z if on else z)) for z, on in zip(logits, frame.tolist(), strict=True))
        case NotesHead():
            return slow_notes(head, hidden.tolist(), frame)
        case JointHead():
            shares = slow_classes(head.classes, hidden)
            numbers = [tuple(known.tolist()) for known in head.classes.known.frames]
            p = shares[-1] * math.exp(slow_log_probability(head.escape, hidden, frame))
            if tuple(frame.tolist()) in numbers:
                p += shares[numbers.index(tuple(frame.tolist()))]
            return math.log(p)
        case MarginalHead():
            shares, known = slow_classes(head.classes, hidden), head.classes.known.frames.tolist()
            total = 0.0
            for key, logit in enumerate(slow_linear(head.escape.logits, hidden.tolist())):
                p = sum(share for share, of_frame in zip(shares, known, strict=False) if of_frame[key])
                p += shares[-1] / (1 + math.exp(-logit))
                total += math.log(p if frame[key] else 1 - p)
            return total


def slow_classes(classes, hidden):
    """The share of each known frame and of the escape."""
    logits = []
    for number, known in enumerate([*classes.known.frames.tolist(), [False] * KEYS]):
        row = classes.weight[number].double() + sum(
            (classes.of_keys[key].double() for key in range(KEYS) if known[key]), torch.zeros(HIDDEN)
        )
        logits.append(float(row @ hidden.double() + classes.bias[number]))
    total = math.log(sum(map(math.exp, logits)))
    return [math.exp(logit - total) for logit in logits]


def slow_linear(layer, vector):
    return [
        sum(w * x for w, x in zip(row, vector, strict=True)) + b
        for row, b in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
    ]


def slow_notes(head, hidden, frame):
    order = list(range(head.keys))[:: -1 if head.highest_first else 1]  # key of each place
    base, end, chosen, total = slow_linear(head.projection, hidden), head.keys, [], 0.0
    for place in [*(p for p in range(head.keys) if frame[order[p]]), end]:
        last = chosen[-1] if chosen else -1
        vectors = [base, head.last[last + 1].tolist(), *(head.chosen[p].tolist() for p in chosen)]
        logits = slow_linear(head.logits, [max(0.0, sum(parts)) for parts in zip(*vectors, strict=True)])
        total += logits[place] - math.log(sum(math.exp(logits[p]) for p in range(last + 1, end + 1)))
        chosen.append(place)
    return total


class TestNotes:
    @torch.no_grad()
    def test_long_batches_lose_no_digits(self):
        """The last frames of 12,000 with 63,000 keys are scored as a loop in float64 scores them."""
        head = NotesHead(HIDDEN, 88, 16)
        head.chosen.add_(3.0)  # so that a running sum over the batch would grow
        hidden, targets = torch.randn(8, 1500, HIDDEN), torch.rand(8, 1500, 88) < 0.06
        found = head.nats(head(hidden), targets)[-1, -30:]
        last = zip(hidden[-1, -30:], targets[-1, -30:], strict=True)
        expected = [-slow_notes(head, vector.tolist(), frame) for vector, frame in last]
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-5)

    def test_frames_of_no_key_and_of_all_keys(self):
        head = NotesHead(HIDDEN, KEYS, FEATURES)
        hidden = torch.randn(1, 2, HIDDEN)
        silent, full = head.nats(head(hidden), frames_of([[0, 63]]))[0].tolist()
        assert silent == pytest.approx(-slow_notes(head, hidden[0, 0].tolist(), frames_of(0)), abs=1e-5)
        assert full == pytest.approx(-slow_notes(head, hidden[0, 1].tolist(), frames_of(63)), abs=1e-5)


class TestMarginal:
    @torch.no_grad()
    def test_it_is_the_marginal_of_the_joint_head(self):
        """The chance that a key sounds, summed over all frames of the joint distribution."""
        joint, head = make_head("joint"), make_head("marginal")
        for parameter in joint.parameters():
            parameter.normal_()
        head.load_state_dict(joint.state_dict())
        hidden = torch.randn(3, HIDDEN)
        every = frames_of(torch.arange(2**KEYS)).float()
        expected = (-all_nats(joint, hidden)).exp() @ every  # (3, keys)
        sounds, silent = head._probabilities(head(hidden[:, None])).chunk(2, dim=-1)
        torch.testing.assert_close(sounds[:, 0], expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(sounds + silent, torch.ones_like(sounds))

    @torch.no_grad()
    def test_training_lowers_the_mean_of_its_nats_and_the_joint_heads(self):
        joint, head = make_head("joint"), make_head("marginal")
        for parameter in joint.parameters():
            parameter.normal_()
        head.load_state_dict(joint.state_dict())
        outputs = head(torch.randn(5, 2**KEYS, HIDDEN))
        every = frames_of(torch.arange(2**KEYS)).expand(5, -1, -1)
        nats, loss = head.nats_and_loss(outputs, every)
        torch.testing.assert_close(nats, head.nats(outputs, every))
        torch.testing.assert_close(loss, (nats + joint.nats(outputs, every)) / 2)

    def test_a_frame_held_impossible_costs_much_and_not_everything(self):
        head = MarginalHead(HIDDEN, known_frames([0]))
        with torch.no_grad():
            head.classes.bias.copy_(torch.tensor([500.0, -500.0]))
        nats = head.nats(head(torch.randn(1, 1, HIDDEN)), frames_of([[63]]))
        nats.sum().backward()
        assert 100 < nats.item() < 6 * 30
        assert all(parameter.grad.isfinite().all() for parameter in head.parameters())


class TestJoint:
    @pytest.mark.parametrize("name", ["joint notes", "marginal"])
    def test_many_logits_are_made_in_parts(self, monkeypatch, name):
        head = make_head(name)
        with torch.no_grad():
            head.classes.weight.normal_()
        hidden, targets = torch.randn(3, 7, HIDDEN), frames_of(torch.randint(2**KEYS, (3, 7)))
        found = []
        for most in (2**25, 3 * (len(KNOWN) + 1), 1):
            monkeypatch.setattr("seqaudio.models.heads.frame_classes.MOST_LOGITS", most)
            head.zero_grad()
            nats, loss = head.nats_and_loss(head(hidden), targets)
            loss.sum().backward()
            found.append([nats.detach(), *(parameter.grad.clone() for parameter in head.parameters())])
        assert all(
            torch.allclose(one, other, atol=1e-5)
            for parts in found[1:]
            for one, other in zip(found[0], parts, strict=True)
        )

    def test_frames_that_share_keys_learn_together(self):
        known = known_frames([0b000111, 0b000110, 0b111000])
        head = JointHead(HIDDEN, known, BernoulliHead(HIDDEN, KEYS))
        hidden, target = torch.randn(1, 1, HIDDEN), frames_of([[0b000111]])
        before = head.nats(head(hidden), frames_of([[0b000110]])) - head.nats(head(hidden), frames_of([[0b111000]]))
        optimizer = torch.optim.SGD([head.classes.of_keys], lr=0.5)
        head.nats(head(hidden), target).sum().backward()
        optimizer.step()
        after = head.nats(head(hidden), frames_of([[0b000110]])) - head.nats(head(hidden), frames_of([[0b111000]]))
        assert after < before


class TestKnownFrames:
    @pytest.mark.parametrize("keys", [6, 88, 128])
    def test_each_is_found_and_no_other(self, keys):
        generator = np.random.default_rng(keys)
        known = distinct_frames([generator.random((300, keys)) < 0.1])
        index = KnownFrames(known)
        asked = np.concatenate([known, generator.random((500, keys)) < 0.1])
        numbers = {row.tobytes(): number for number, row in enumerate(known)}
        expected = [numbers.get(row.tobytes(), len(known)) for row in asked]
        assert index.find(torch.from_numpy(asked)).tolist() == expected
        assert expected[: len(known)] == list(range(len(known)))
        assert keys == 6 or len(known) in expected

    def test_a_shared_hash_is_no_match(self):
        index = KnownFrames(known_frames())
        index.multipliers.fill_(1)  # now the hash is the number of keys
        index.load_state_dict(index.state_dict())
        assert index.find(frames_of([62, 31, 7, 0])).tolist() == [5, 6, 6, 0]

    def test_loaded_frames_are_found(self):
        index, other = KnownFrames(known_frames()), KnownFrames(known_frames([1, 2, 4, 8, 16, 32]))
        other.load_state_dict(index.state_dict())
        assert other.find(frames_of(KNOWN)).tolist() == list(range(len(KNOWN)))
        assert list(index.state_dict()) == ["frames"]

    def test_a_list_without_frames_or_with_one_twice_is_refused(self):
        with pytest.raises(OptionError, match="at least one"):
            KnownFrames(np.zeros((0, 88), bool))
        with pytest.raises(OptionError, match="twice"):
            KnownFrames(known_frames([5, 3, 5]))

    def test_distinct_frames(self):
        pieces = [frames_of([3, 1, 3]).numpy(), frames_of([0, 1]).numpy().astype(np.float32)]
        found = distinct_frames(pieces)
        assert found.dtype == bool
        assert sorted((found * 2 ** np.arange(KEYS)).sum(axis=1).tolist()) == [0, 1, 3]
        np.testing.assert_array_equal(found, distinct_frames(pieces[::-1]))
