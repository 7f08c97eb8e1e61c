"""What must hold for every SequenceModel, whatever is inside? One function per law; each raises AssertionError.

Each law takes a model in eval mode and inputs as its encoder reads them, (batch, time) ids or (batch, time, features).
After google/sequence-layers, whose one contract test runs on every layer.
"""

import torch

CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # the same float32 sums in another order, over a dozen steps


def stepping_equals_one_call(model, inputs):
    whole, end = model(inputs)
    state = model.initial_state(len(inputs))
    steps = []
    for t in range(inputs.shape[1]):
        output, state = model.step(inputs[:, t], state)
        steps.append(output)
    _same(torch.stack(steps, dim=1), whole)
    _same_state(state, end)


def two_chunks_equal_one_call(model, inputs):
    whole, end = model(inputs)
    time = inputs.shape[1]
    assert time > 2
    for cut in range(1, time):
        first, state = model(inputs[:, :cut])
        second, state = model(inputs[:, cut:], state)
        _same(torch.cat([first, second], dim=1), whole)
        _same_state(state, end)


def padding_changes_nothing(model, inputs, lengths, garbage):
    """Row by row as if alone and unpadded, with any ``garbage`` behind the real steps; so is the final state."""
    assert (lengths < inputs.shape[1]).any(), "no row is padded, nothing would be tested"
    assert (lengths == inputs.shape[1]).any()
    behind = _behind(inputs, lengths)
    for padded in (inputs, torch.where(behind, garbage, inputs)):
        outputs, end = model(padded, lengths=lengths)
        for row, length in enumerate(lengths.tolist()):
            alone, alone_end = model(inputs[row : row + 1, :length])
            _same(outputs[row, :length], alone[0])
            _same_state([part[:, row] for part in end], [part[:, 0] for part in alone_end])


def padding_changes_no_gradient(model, inputs, lengths, garbage, loss=None):
    """Gradients of the real outputs by the parameters are the same, and finite, whatever stands in the padding.

    ``loss``: a number for each output, (batch, time), which depends on all parameters; None: the outputs' squares.
    """
    loss = loss or torch.square
    behind = _behind(inputs, lengths)
    real = torch.arange(inputs.shape[1]) < lengths[:, None]
    gradients = []
    for padded in (inputs, torch.where(behind, garbage, inputs)):
        model.zero_grad()
        outputs, _ = model(padded, lengths=lengths)
        loss(outputs)[real].sum().backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    model.zero_grad()
    for one, other in zip(*gradients, strict=True):
        assert one.isfinite().all()
        assert torch.equal(one, other)


def neighbours_change_nothing(model, inputs):
    assert len(inputs) > 2
    outputs, end = model(inputs)
    for row in range(len(inputs)):
        alone, alone_end = model(inputs[row : row + 1])
        _same(outputs[row], alone[0])
        _same_state([part[:, row] for part in end], [part[:, 0] for part in alone_end])
    turned, _ = model(inputs.flip(0))
    _same(turned.flip(0), outputs)


def no_output_sees_the_future(model, inputs, lengths=None):
    """The gradient of output t by the encoder's vectors is exactly zero behind t, and not zero at t and before."""
    vectors = []

    def as_leaf(module, arguments, output):
        vectors.append(output.detach().requires_grad_())
        return vectors[-1]

    handle = model.encoder.register_forward_hook(as_leaf)
    try:
        outputs, _ = model(inputs, lengths=lengths)
    finally:
        handle.remove()
    (leaf,) = vectors
    steps = inputs.shape[1] if lengths is None else int(lengths.min())
    assert steps > 2
    for t in range(steps):
        (gradient,) = torch.autograd.grad(outputs[:, t].square().sum(), leaf, retain_graph=True)
        assert (gradient[:, t + 1 :] == 0).all(), f"output {t} depends on a later input"
        for earlier in (0, t):
            assert (gradient[:, earlier] != 0).any(dim=-1).all(), f"output {t} does not depend on input {earlier}"


def state_is_a_value(model, inputs):
    """Nothing handed over is edited, so a state can be used twice."""
    _, state = model(inputs)
    kept_state, kept_inputs = [part.clone() for part in state], inputs.clone()
    first, first_end = model(inputs, state)
    second, second_end = model(inputs, state)
    assert torch.equal(inputs, kept_inputs)
    assert all(torch.equal(part, kept) for part, kept in zip(state, kept_state, strict=True))
    assert torch.equal(first, second)
    assert all(torch.equal(one, other) for one, other in zip(first_end, second_end, strict=True))
    fresh, _ = model(inputs)
    assert not torch.equal(first, fresh), "the state does not matter"
    model.step(inputs[:, 0], state)
    assert all(torch.equal(part, kept) for part, kept in zip(state, kept_state, strict=True))


def initial_state_is_zeros(model, inputs, shapes):
    """As many parts as ``shapes``, of these shapes, zero; and the state a call without one begins with."""
    state = model.initial_state(len(inputs))
    assert [tuple(part.shape) for part in state] == list(shapes)
    assert all((part == 0).all() for part in state)
    assert torch.equal(model(inputs, state)[0], model(inputs)[0])
    _, end = model(inputs)
    assert [part.shape for part in end] == [part.shape for part in state]


def evaluation_is_deterministic(model, inputs):
    """Equal to the bit, and without drawing from torch's random stream."""
    before = torch.get_rng_state()
    first, _ = model(inputs)
    second, _ = model(inputs)
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def _behind(inputs, lengths):
    behind = torch.arange(inputs.shape[1]) >= lengths[:, None]
    return behind.reshape(*behind.shape, *[1] * (inputs.dim() - 2))


def _same(one, other):
    torch.testing.assert_close(one, other, **CLOSE)


def _same_state(one, other):
    assert len(one) == len(other)
    for part, expected in zip(one, other, strict=True):
        _same(part, expected)
