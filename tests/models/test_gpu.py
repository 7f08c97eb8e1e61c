"""Does a model on a CUDA GPU say the same as on the CPU, and can it be trained there?"""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from seqaudio.models.cells import CELLS
from seqaudio.models.config import ModelConfig, build_model
from seqaudio.models.heads import distinct_frames
from seqaudio.models.sequence_model import SequenceModel

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]


@pytest.mark.parametrize("cell", CELLS)
def test_gpu_and_cpu_agree(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # it rounds to 10 bits, which hides real mistakes
    torch.manual_seed(0)
    model = build_model(ModelConfig(cell=cell, hidden_size=64, layers=2), 50).eval()
    ids = torch.randint(0, 50, (3, 40))
    with torch.no_grad():
        expected, _ = model(ids)
        found, state = model.cuda()(ids.cuda())
    torch.testing.assert_close(found.cpu(), expected, atol=1e-4, rtol=1e-4)
    assert all(part.is_cuda for part in state)


def losses_of(model: SequenceModel, ids: Tensor, steps: int = 20) -> list[float]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(steps):
        outputs, _ = model(ids[:, :-1])
        loss = model.head.nats(outputs, ids[:, 1:]).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("cell", CELLS)
def test_training_on_the_gpu_is_that_of_the_cpu(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.manual_seed(0)
    model = build_model(ModelConfig(cell=cell, hidden_size=32, layers=2, dropout=0.0), 20)
    ids = torch.arange(20).repeat(4, 2)
    twin = copy.deepcopy(model).cuda()
    expected = losses_of(model, ids)
    assert expected[-1] < 0.95 * expected[0]
    np.testing.assert_allclose(losses_of(twin, ids.cuda()), expected, rtol=5e-3)


@pytest.mark.parametrize("cell", ["rnn", "irnn", "gru", "lstm"])
def test_autocast_on_a_gpu_leaves_the_layers_their_digits(cell: str) -> None:
    """cuDNN would run them in float16, where gradients this small are 0."""
    torch.manual_seed(0)
    model = build_model(ModelConfig(cell=cell, hidden_size=32, layers=2, dropout=0.0), 20).cuda()
    ids, gradients = torch.arange(20).repeat(4, 2).cuda(), []
    for halved in (False, True):
        with torch.autocast("cuda", torch.bfloat16, enabled=halved):
            hidden, state = model.stack(model.encoder(ids), model.initial_state(4))
        assert {part.dtype for part in (hidden, *state)} == {torch.float32}
        gradients.append(torch.autograd.grad(hidden.mean() * 1e-6, list(model.stack.parameters())))
    for full, half in zip(*gradients, strict=True):
        assert half.abs().max() > 0
        torch.testing.assert_close(half, full, rtol=0.05, atol=0.02 * full.abs().max().item())


# without "irnn": whatever is 1 / (1 - p) times the identity explodes
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "lnlstm"])
def test_weight_drop_and_dropout_train_on_the_gpu(cell: str) -> None:
    torch.manual_seed(0)
    model = build_model(ModelConfig(cell=cell, hidden_size=32, layers=2, dropout=0.1, weight_drop=0.1), 20).cuda()
    losses = losses_of(model, torch.arange(20).repeat(4, 2).cuda(), steps=60)
    assert min(losses[-5:]) < 0.95 * losses[0]


@pytest.mark.parametrize(
    "options",
    [{"head": "bernoulli"}, {"head": "notes"}, {"head": "joint", "escape": "notes"}, {"head": "mixture"}],
)
def test_gpu_and_cpu_agree_about_frames(options: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.manual_seed(0)
    frames = torch.rand(3, 40, 88) < 0.05
    known = distinct_frames(frames[:2].numpy()) if options["head"] == "joint" else None
    config = ModelConfig(cell="lstm", hidden_size=64, layers=1, **options)
    model = build_model(config, keys=88, known_frames=known).eval()
    with torch.no_grad():
        expected = model.head.nats(model(frames)[0], frames)
        model, frames = model.cuda(), frames.cuda()
        outputs, _ = model(frames)
        found = model.head.nats(outputs, frames)
        drawn = model.head.sample(outputs, torch.Generator("cuda").manual_seed(0))
    torch.testing.assert_close(found.cpu(), expected, atol=1e-3, rtol=1e-4)
    assert drawn.is_cuda
    assert drawn.shape == frames.shape
