"""A model that would go round for ever is kept from it: the bar behind so many turns copies nothing from them."""

import numpy as np
import pytest

from seqaudio.continuation import Sampling, continue_score, generate_score
from seqaudio.continuation.engines import load_engine
from seqaudio.continuation.form import Form
from seqaudio.continuation.turns import CELL_BARS, Turns
from seqaudio.errors import OptionError
from seqaudio.models.config import MemoryConfig, ModelConfig
from seqaudio.music.score import Score
from seqaudio.structure.degeneracy import LOOP_BARS, LOOP_TURNS, degeneracy
from tests.samples import MELODY, model_folder, tune

BAR = MELODY.vocabulary.id("Bar_None")
VOCABULARY = len(MELODY.vocabulary)


def of_cells(numbers, metre=(3, 4)):
    """A tune whose bars are those of another by number; -1 is silent."""
    whole = tune(6, metre, seed=4)
    lines, places = whole.bars(), np.array(numbers)
    parts = [np.flatnonzero((whole.onset >= lines[n]) & (whole.onset < lines[n + 1])) for n in numbers if n >= 0]
    moved = [lines[1] * at - lines[n] for at, n in enumerate(places) if n >= 0]
    notes = np.concatenate(parts)
    later = np.repeat(moved, [len(part) for part in parts])
    return Score.from_notes(
        whole.onset[notes] + later, whole.duration[notes], whole.pitch[notes], time_signatures=[(0, *metre)]
    )


def counted(ids, most):
    """The turns behind each token, and the step of every bar line."""
    state, turns, found = MELODY.start(), Turns(most), []
    for token in ids.tolist():
        state = state.after(token)
        turns = turns.after(token, state)
        found.append(turns)
    return found, np.flatnonzero(ids == BAR)


def expected(bars, most):
    """The bar from which on nothing is copied behind these; None: all may be."""
    begins = []
    for period in CELL_BARS:
        again = [one == other != -1 for one, other in zip(bars[period:], bars, strict=False)][::-1]
        same = [*again, False].index(False)
        if bars and same >= period * (most - 1):
            begins.append(max(0, len(bars) - same - period))
    return min(begins, default=None)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_what_is_closed_begins_where_the_turns_do(most):
    """Of cells that go round, with other bars around them and silent ones between: as told by looking back."""
    rng, closed = np.random.default_rng(most), set()
    for _ in range(40):
        cell = rng.integers(-1, 4, rng.choice(CELL_BARS)).tolist()
        bars = [*rng.integers(0, 3, 2).tolist(), *cell * int(rng.integers(1, 6)), *rng.integers(0, 3, 2).tolist()]
        found, lines = counted(MELODY.encode(of_cells(bars))[:-1], most)
        for bar, line in enumerate(lines):
            begin = expected(bars[:bar], most)
            assert found[line].closed == (None if begin is None else lines[begin]), (bars, bar)
            closed.add(begin is None)
    assert closed == {False, True}


def test_turns_are_those_that_are_called_a_loop():
    """The longest so far is what the measure of loops counts, which looks at notes."""
    assert CELL_BARS == LOOP_BARS
    rng, found = np.random.default_rng(0), set()
    for _ in range(40):
        cell = rng.integers(-1, 3, rng.choice(CELL_BARS)).tolist()
        bars = [0, *cell * int(rng.integers(1, 6)), 1]
        turns, _ = counted(np.append(MELODY.encode(of_cells(bars))[:-1], BAR), LOOP_TURNS)
        assert turns[-1].longest == degeneracy(of_cells(bars)).longest_loop, bars
        found.add(turns[-1].longest)
    assert len(found) >= 4


@pytest.fixture(scope="module")
def copying(tmp_path_factory):
    """A model that hardly ever writes what is new where it has a guess."""
    config = ModelConfig(hidden_size=16, layers=1, memory=MemoryConfig(lags=(1, 2, 4), counters=(2,)))
    engine = load_engine(model_folder(tmp_path_factory.mktemp("copying"), config, seed=3), "onnx")
    run = engine.network.run

    def copied(rows, state):
        outputs, state = run(rows, state)
        outputs[..., VOCABULARY] -= 20
        return outputs, state

    engine.network.run = copied
    return engine


def turns_of(found):
    return degeneracy(found.score).longest_loop


def test_a_cell_comes_as_often_as_it_may(copying):
    """Without a limit the model goes round to the end; with one the bar behind the turns is another, and is counted."""
    primer = tune(4, seed=2)
    for most, longest in ((0, None), (2, 2), (3, 3), (5, 5), (None, 3)):
        sampling = Sampling(max_turns=most, gate_temperature=0.5)
        outputs = continue_score(copying, primer, bars=40, num_outputs=2, seed=1, sampling=sampling)
        found = [turns_of(output) for output in outputs]
        assert max(found) == longest if most != 0 else max(found) > 5, (most, found)
        refused = [output.refused_turns for output in outputs]
        assert all(refused) == any(refused) == (most != 0)
    plain = continue_score(copying, primer, bars=16, num_outputs=1, seed=1, sampling=Sampling(max_turns=10**6))
    free = continue_score(copying, primer, bars=16, num_outputs=1, seed=1, sampling=Sampling(max_turns=0))
    assert [one.ids.tolist() for one in plain] == [other.ids.tolist() for other in free]


def test_a_piece_made_from_nothing_too(copying):
    (found,) = generate_score(copying, bars=30, seed=2)
    assert turns_of(found) == 3
    assert found.refused_turns > 0


def test_where_a_primer_goes_round_more_often_so_may_what_follows(copying):
    """Four turns in a row are more than three: the music of such a primer is such music."""
    for turns, allowed in ((3, False), (4, True)):
        for cells in ([0, *[1] * turns, 2, 3], [0, *[1] * turns], [0, 1, 2, 3] * turns):  # to the last bar too
            (found,) = continue_score(copying, of_cells(cells), bars=40, seed=1)
            assert (found.refused_turns == 0) == allowed, cells


def test_a_form_may_ask_for_more(copying):
    """Where a section returns, the model may copy it, however often it has come; what is new is kept as ever."""
    form = Form("AAAAAAAA", section_bars=2, variation=1)
    (found,) = continue_score(copying, tune(2, seed=2), form=form, seed=1)
    assert turns_of(found) > 3
    assert found.refused_turns == 0


def test_of_a_model_without_a_memory_nothing_can_be_closed(tmp_path):
    engine = load_engine(model_folder(tmp_path / "plain"), "onnx")
    (found,) = continue_score(engine, tune(4), bars=2)
    assert found.refused_turns == 0
    with pytest.raises(OptionError, match="max_turns is for models with a memory, and this one has none; leave it out"):
        continue_score(engine, tune(4), bars=2, sampling=Sampling(max_turns=3))
    with pytest.raises(OptionError, match=r"max_turns is -1, it must be 0 \(off\) or 1 or more"):
        Sampling(max_turns=-1)
