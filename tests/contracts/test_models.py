"""Every model the config can ask for keeps every law of a SequenceModel; so does one that reads plain numbers."""

import numpy as np
import pytest
import torch
from torch import nn

from seqaudio.models.cells import CELLS, WITH_CELL_STATE, WITH_FORGETTING
from seqaudio.models.config import MemoryConfig, ModelConfig, make_memory
from seqaudio.models.recurrent import RecurrentStack
from seqaudio.models.sequence_model import SequenceModel
from tests.contracts import model_laws as laws
from tests.samples import random_model

VOCABULARY, BATCH, TIME, HIDDEN, FEATURES = 11, 4, 9, 6, 3
LENGTHS = torch.tensor([5, 9, 3, 7])
KEYS = 6
FRAME_HEADS = (
    {"head": "bernoulli"},
    {"head": "marginal"},
    {"head": "notes", "embedding_size": 5},
    {"head": "joint"},
    {"head": "joint", "escape": "notes", "head_features": 4},
    {"head": "mixture", "components": 3},
)
OPTIONS = {
    "plain": {},
    "weight_drop": {"weight_drop": 0.5},
    "zoneout": {"zoneout": 0.3},
    "residual": {"residual": True},
    "all": {"weight_drop": 0.5, "zoneout": 0.3, "residual": True, "input_dropout": 0.2, "layer_dropout": 0.1},
}


def options_of(cell, name):
    """A set of options, with those that only this cell and its like can honour."""
    options = dict(OPTIONS[name])
    if name in ("zoneout", "all") and cell in WITH_CELL_STATE:
        options["zoneout_cell"] = 0.4
    if name == "all" and cell in WITH_FORGETTING:
        options["chrono"] = 20
    return options


def audible(cell, model):
    """An IRNN that hears its inputs: at first they are so quiet that no tolerance would notice; some units are dead."""
    for name, weight in model.named_parameters():
        if cell == "irnn" and "weight_ih" in name:
            nn.init.xavier_uniform_(weight)
        if cell == "irnn" and "weight_hh" in name:
            nn.init.normal_(weight, std=0.5 * len(weight) ** -0.5)
        if cell == "irnn" and "bias_ih" in name:
            nn.init.constant_(weight, 2.0)
    return model


pytestmark = pytest.mark.usefixtures("seeded")


SHAPES = [
    *((layers, size, "plain") for layers in (1, 2, 3) for size in (None, 5)),
    (3, 5, "all"),  # the float models take the options one by one
]


@pytest.fixture(
    params=[(cell, layers, size, name) for cell in CELLS for layers, size, name in SHAPES],
    ids=lambda p: f"{p[0]}-{p[1]}-{'tied' if p[2] is None else 'projected'}-{p[3]}",
)
def config(request):
    cell, layers, embedding, options = request.param
    return ModelConfig(
        cell=cell,
        hidden_size=HIDDEN,
        layers=layers,
        embedding_size=embedding,
        dropout=0.4,
        embedding_dropout=0.3,
        **options_of(cell, options),
    )


@pytest.fixture
def model(config):
    return audible(config.cell, random_model(config, VOCABULARY))


@pytest.fixture
def ids():
    return torch.randint(VOCABULARY, (BATCH, TIME))


@pytest.fixture(params=[(cell, name) for cell in CELLS for name in OPTIONS], ids=lambda p: f"{p[0]}-{p[1]}")
def float_model(request):
    """A model of numbers, not tokens: its padding may be NaN."""
    cell, options = request.param
    stack = audible(cell, RecurrentStack(cell, HIDDEN, HIDDEN, 2, dropout=0.4, **options_of(cell, options)))
    return SequenceModel(nn.Linear(FEATURES, HIDDEN), stack, nn.Linear(HIDDEN, 2)).eval()


@pytest.fixture
def frames():
    return torch.randn(BATCH, TIME, FEATURES)


@pytest.fixture(
    params=[(cell, options) for cell in ("gru", "lstm") for options in FRAME_HEADS],
    ids=lambda p: "-".join([p[0], *map(str, p[1].values())]),
)
def frame_model(request):
    cell, options = request.param
    known = (np.arange(7)[:, None] >> np.arange(KEYS)) & 1 == 1 if options["head"] in ("joint", "marginal") else None
    config = ModelConfig(cell=cell, hidden_size=HIDDEN, layers=2, dropout=0.4, **options)
    return random_model(config, keys=KEYS, known_frames=known)


@pytest.fixture(params=[(cell, of) for cell in CELLS for of in ("tokens", "frames")], ids=lambda p: "-".join(p))
def remembering(request):
    """A model with a memory of the piece, and rows as it hears them."""
    cell, of = request.param
    asked = MemoryConfig(lags=(1, 2, 4), counters=(2, 3), features=4)
    config = ModelConfig(
        cell=cell, hidden_size=HIDDEN, layers=2, head="categorical" if of == "tokens" else "notes", memory=asked
    )
    if of == "tokens":
        model, pieces = random_model(config, 3), torch.randint(3, (BATCH, TIME)).numpy()
    else:
        model, pieces = random_model(config, keys=KEYS), (torch.rand(BATCH, TIME, KEYS) < 0.2).numpy()
    memory = make_memory(config)
    rows = np.stack([memory.heard(piece) for piece in pieces])
    return audible(cell, model), torch.from_numpy(rows).to(torch.float32 if of == "frames" else torch.int64)


@pytest.fixture
def rolls():
    """Piano rolls as floats, so that their padding may be NaN."""
    return torch.bernoulli(torch.full((BATCH, TIME, KEYS), 0.4))


@pytest.mark.parametrize(
    "law",
    [
        laws.stepping_equals_one_call,
        laws.two_chunks_equal_one_call,
        laws.neighbours_change_nothing,
        laws.no_output_sees_the_future,
        laws.state_is_a_value,
        laws.evaluation_is_deterministic,
    ],
    ids=lambda law: law.__name__,
)
class TestLaws:
    def test_token_models(self, law, model, ids):
        law(model, ids)

    def test_float_models(self, law, float_model, frames):
        law(float_model, frames)

    def test_frame_models(self, law, frame_model, rolls):
        law(frame_model, rolls)

    def test_models_with_a_memory(self, law, remembering):
        law(*remembering)


def test_padding_changes_nothing(model, ids):
    for garbage in (
        torch.zeros_like(ids),
        (ids + 1) % VOCABULARY,
        torch.full_like(ids, 10**9),
        torch.full_like(ids, -1),
    ):
        laws.padding_changes_nothing(model, ids, LENGTHS, garbage)
    laws.padding_changes_no_gradient(model, ids, LENGTHS, torch.full_like(ids, -1))


@pytest.mark.parametrize("number", [0.0, 1e30, float("inf"), float("nan")])
def test_padding_of_float_models_changes_nothing(float_model, frames, number):
    garbage = torch.full_like(frames, number)
    laws.padding_changes_nothing(float_model, frames, LENGTHS, garbage)
    laws.padding_changes_no_gradient(float_model, frames, LENGTHS, garbage)


def test_padding_of_models_with_a_memory_changes_nothing(remembering):
    model, rows = remembering
    of_tokens = rows.dtype == torch.int64
    targets = rows[..., 0] if of_tokens else rows[..., :KEYS]
    for number in (0, 10**9, -1) if of_tokens else (0.0, float("inf"), float("nan")):
        garbage = torch.full_like(rows, number)
        laws.padding_changes_nothing(model, rows, LENGTHS, garbage)
        laws.padding_changes_no_gradient(model, rows, LENGTHS, garbage, lambda outputs: model.nats(outputs, targets))


@pytest.mark.parametrize("number", [0.0, 1e30, float("inf"), float("nan")])
def test_padding_of_frame_models_changes_nothing(frame_model, rolls, number):
    garbage = torch.full_like(rolls, number)
    laws.padding_changes_nothing(frame_model, rolls, LENGTHS, garbage)
    laws.padding_changes_no_gradient(
        frame_model, rolls, LENGTHS, garbage, lambda outputs: frame_model.head.nats(outputs, rolls)
    )
    behind = (torch.arange(TIME) >= LENGTHS[:, None])[..., None]
    outputs, _ = frame_model(rolls, lengths=LENGTHS)
    nats = [frame_model.head.nats(outputs, targets) for targets in (rolls, torch.where(behind, garbage, rolls))]
    assert all(row.isfinite().all() for row in nats)
    assert torch.equal(*(row[~behind[..., 0]] for row in nats))


def test_bool_frames_are_read_as_numbers(frame_model, rolls):
    assert torch.equal(frame_model(rolls.bool())[0], frame_model(rolls)[0])
    assert torch.equal(frame_model(rolls.bool(), lengths=LENGTHS)[0], frame_model(rolls, lengths=LENGTHS)[0])


def test_padded_outputs_do_not_see_the_future(model, ids):
    laws.no_output_sees_the_future(model, ids, LENGTHS)


def test_initial_state_is_zeros(config, model, ids):
    parts = 2 if config.cell in WITH_CELL_STATE else 1
    laws.initial_state_is_zeros(model, ids, [(config.layers, BATCH, HIDDEN)] * parts)


class Looking(nn.Module):
    """A stack with one mistake, to see that the laws notice."""

    def __init__(self, mistake):
        super().__init__()
        self.stack = RecurrentStack("gru", FEATURES, FEATURES, 1)
        self.mistake = mistake

    def initial_state(self, batch):
        return self.stack.initial_state(batch)

    def forward(self, inputs, state, lengths=None):
        match self.mistake:
            case "future":
                inputs = inputs + inputs.roll(-1, dims=1)
            case "neighbours":
                inputs = inputs - inputs.mean(dim=0)
            case "stateless":
                state = self.initial_state(len(inputs))
            case "in place":
                state[0].mul_(0.5)
            case "random":
                inputs = inputs + 1e-3 * torch.randn_like(inputs)
            case "padding":
                lengths = None
        return self.stack(inputs, state, lengths)


@pytest.mark.parametrize(
    ("mistake", "law"),
    [
        ("future", laws.no_output_sees_the_future),
        ("future", laws.stepping_equals_one_call),
        ("neighbours", laws.neighbours_change_nothing),
        ("stateless", laws.two_chunks_equal_one_call),
        ("stateless", laws.state_is_a_value),
        ("in place", laws.state_is_a_value),
        ("random", laws.evaluation_is_deterministic),
        ("padding", lambda m, x: laws.padding_changes_nothing(m, x, LENGTHS, torch.ones_like(x))),
    ],
)
@torch.no_grad()
def test_the_laws_notice_mistakes(mistake, law, frames):
    model = SequenceModel(nn.Identity(), Looking(mistake), nn.Identity()).eval()
    with torch.enable_grad(), pytest.raises(AssertionError):
        law(model, frames)
