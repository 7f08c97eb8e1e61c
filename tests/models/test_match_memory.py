"""The memory of the piece: against slow versions of every source, and the laws of a value that never looks ahead."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from seqaudio.errors import OptionError
from seqaudio.models.config import MemoryConfig, ModelConfig, make_memory
from seqaudio.models.match_memory import Memory, memory as memory_module, pages as pages_module
from seqaudio.models.match_memory.lag_pointers import clock_of, point_by_bars, point_by_steps
from seqaudio.models.match_memory.memory import STRENGTHS
from seqaudio.models.suffix_match import LENGTH_EDGES, NO_MATCH, longest_matches
from seqaudio.music.frames import transposed_frames
from seqaudio.tokens.performance import PerformanceTokenizer
from tests.samples import FULL, MELODY, random_model, tune

pytestmark = pytest.mark.usefixtures("seeded")
BARS = MELODY.vocabulary
KEYS = 5
KINDS = {"Bar": 1, "TimeSig": 2, "Position": 3, "Pitch": 4, "Duration": 3}
LAGS = (1, 2, 4)


@st.composite
def lines_of_tokens(draw):
    """Ids in any order, few of each kind, so that bars, places and repeats are frequent; BOS in front or not."""
    names = [name for kind, count in KINDS.items() for name in [n for n in BARS.names if n.startswith(kind)][:count]]
    ids = draw(st.lists(st.sampled_from([BARS.id(name) for name in names]), max_size=60))
    return np.array([BARS.id("BOS_None"), *ids][draw(st.integers(0, 1)) :], np.int64)


LINES = lines_of_tokens()
ROLLS = st.integers(0, 40).flatmap(
    lambda steps: st.lists(st.integers(0, 3), min_size=steps, max_size=steps).map(
        lambda numbers: (np.array(numbers, np.int64)[:, None] >> np.arange(KEYS)) & 1 == 1
    )
)


def agreed(ids, guesses):
    """How many guesses in a row, up to the one for each step, were right."""
    lengths = []
    for t in range(len(ids)):
        right = t > 0 and guesses[t - 1] != NO_MATCH and ids[guesses[t - 1]] == ids[t]
        lengths.append(lengths[-1] + 1 if right else 0)
    return lengths


def named(ids):
    return [tuple(BARS.names[i].split("_")) for i in ids]


def looked_up_by_bars(ids, lag):
    """For each step the whole earlier bar is searched for what stands behind the place of this step."""
    places, bar, position, count = [], -1, -1, 0
    for kind, value in named(ids):
        if kind == "Bar":
            bar, position, count = bar + 1, -1, 0
        elif kind == "Position":
            position, count = int(value), 0
        elif kind not in ("TimeSig", "Tempo"):
            count += 1
        places.append((bar, position, count))
    guesses = []
    for bar, *place in places:
        then = bar - lag
        in_bar = [s for s in range(len(ids)) if places[s][0] == then]
        if bar < 0 or then < 0:
            guesses.append(NO_MATCH)
            continue
        later = [s for s in in_bar if list(places[s][1:]) > place and named([ids[s]])[0][0] != "TimeSig"]
        guesses.append(later[0] if later else in_bar[-1] + 1)
    return guesses


def rising(ids):
    """Without the positions that do not rise within their bar, as a tokenizer writes none."""
    kept, last = [], -1
    for token, (kind, value) in zip(ids.tolist(), named(ids), strict=True):
        if kind == "Position" and int(value) <= last:
            continue
        last = -1 if kind == "Bar" else int(value) if kind == "Position" else last
        kept.append(token)
    return np.array(kept, np.int64)


class TestPointers:
    @pytest.mark.parametrize("form", ["interpreted", "machine_code"])
    @settings(deadline=None, max_examples=60)
    @given(ids=LINES, lag=st.integers(1, 3))
    def test_by_bars_equal_a_search_of_the_bar(self, form, ids, lag):
        ids = rising(ids)
        sources, agreements = np.zeros((2, len(ids), 1), np.int64)
        now, (lines, places, bars) = np.zeros(3, np.int64), np.zeros((3, len(ids)), np.int64)
        where = (clock_of(BARS), now, lines, places, bars, sources, agreements)
        getattr(point_by_bars, form)(ids, 0, len(ids), np.array([lag]), *where)
        expected = looked_up_by_bars(ids, lag)
        assert sources[:, 0].tolist() == expected
        assert agreements[:, 0].tolist() == agreed(ids, expected)
        assert bars.tolist() == np.cumsum([kind == "Bar" for kind, _ in named(ids)]).tolist()

    @pytest.mark.parametrize("form", ["interpreted", "machine_code"])
    @settings(deadline=None, max_examples=40)
    @given(ids=st.lists(st.integers(0, 2), max_size=40), lag=st.integers(1, 9))
    def test_by_steps_equal_a_look_back(self, form, ids, lag):
        ids = np.array(ids, np.int64)
        sources, agreements = np.zeros((2, len(ids), 1), np.int64)
        getattr(point_by_steps, form)(ids, 0, len(ids), np.array([lag]), sources, agreements)
        expected = [t + 1 - lag if t + 1 >= lag else NO_MATCH for t in range(len(ids))]
        assert sources[:, 0].tolist() == expected
        assert agreements[:, 0].tolist() == agreed(ids, expected)

    def test_a_tune_that_returns_is_guessed(self):
        """Eight bars twice: at lag 8 everything but the very first note of the return has an agreement behind it."""
        ids = MELODY.encode(_twice(tune(8, seed=3)))
        recall = Memory(match=False, lags=(8,), vocabulary=BARS).recall(ids)
        line = int(np.flatnonzero(ids == BARS.id("Bar_None"))[8])
        guesses = ids[recall.sources[line:-2, 0]]
        np.testing.assert_array_equal(guesses, ids[line + 1 : -1])
        assert (recall.lengths[line + 1 : -1, 0] == np.arange(1, len(ids) - 1 - line)).all()
        assert (recall.sources[:line] == NO_MATCH).all()

    def test_of_tokens_without_bars_count_steps(self):
        assert clock_of(PerformanceTokenizer().vocabulary) is None
        assert clock_of(FULL.vocabulary) is not None


def _twice(score):
    end = int(score.bars()[-1])
    return score.replaced(
        **{name: np.tile(getattr(score, name), 2) for name in ("duration", "pitch", "velocity", "program", "is_drum")},
        onset=np.concatenate([score.onset, score.onset + end]),
        track=np.tile(score.track, 2),
    )


MEMORIES = {
    "match": {},
    "lags": {"match": False, "lags": LAGS},
    "all": {"lags": LAGS, "counters": (2, 3)},
}


OPTIONS = pytest.mark.parametrize("options", MEMORIES.values(), ids=MEMORIES.keys())
KINDS_OF_PIECES = pytest.mark.parametrize("kind", ["bars", "steps", "frames"])


def memory_of(kind, options):
    return Memory(**options, vocabulary=BARS if kind == "bars" else None)


def pieces_of(kind):
    return ROLLS if kind == "frames" else LINES


class TestMemory:
    @KINDS_OF_PIECES
    @OPTIONS
    @settings(deadline=None, max_examples=25)
    @given(data=st.data())
    def test_written_step_by_step_it_is_the_same(self, kind, options, data):
        memory, piece = memory_of(kind, options), data.draw(pieces_of(kind))
        whole = memory.heard(piece)
        notebook, rows = memory.begin(KEYS if kind == "frames" else None), [whole[:0]]
        while notebook.steps < len(piece):
            size = data.draw(st.integers(1, 4))
            told, notebook = notebook.after(piece[notebook.steps : notebook.steps + size])
            rows.append(told)
        np.testing.assert_array_equal(np.concatenate(rows), whole)
        assert whole.dtype == (np.uint8 if kind == "frames" else np.int64)

    @KINDS_OF_PIECES
    @OPTIONS
    @settings(deadline=None, max_examples=25)
    @given(data=st.data())
    def test_what_comes_later_changes_nothing(self, kind, options, data):
        memory, piece, other = memory_of(kind, options), *(data.draw(pieces_of(kind)) for _ in range(2))
        whole = memory.heard(np.concatenate([piece, other]))
        np.testing.assert_array_equal(memory.heard(piece), whole[: len(piece)])

    @KINDS_OF_PIECES
    @OPTIONS
    @settings(deadline=None, max_examples=25)
    @given(data=st.data())
    def test_a_notebook_is_a_value(self, kind, options, data):
        """Two ways on from the same place, in turns, each as if the other had not been gone."""
        memory = memory_of(kind, options)
        begin, *ways = (data.draw(pieces_of(kind)) for _ in range(3))
        _, start = memory.begin(KEYS if kind == "frames" else None).after(begin)
        ends, told = [start, start], [[], []]
        for step in range(max(map(len, ways))):
            for way in range(2):
                rows, ends[way] = ends[way].after(ways[way][step : step + 1])
                told[way].append(rows)
        for way in range(2):
            whole = memory.heard(np.concatenate([begin, ways[way]]))[len(begin) :]
            np.testing.assert_array_equal(np.concatenate([whole[:0], *told[way]]), whole)

    @KINDS_OF_PIECES
    @OPTIONS
    @settings(deadline=None, max_examples=25)
    @given(data=st.data())
    def test_held_is_what_agrees_from_before_the_last_change(self, kind, options, data):
        """After every symbol: two or more of the last agree, not all within one that sounds on, where no guess is."""
        memory, piece = memory_of(kind, options), data.draw(pieces_of(kind))
        recall = memory.recall(piece)
        notebook = memory.begin(KEYS if kind == "frames" else None)
        assert not notebook.holds()
        for step in range(len(piece)):
            _, notebook = notebook.after(piece[step : step + 1])
            same = itertools.takewhile(lambda t, now=step: (piece[t] == piece[now]).all(), range(step, -1, -1))
            changed = min(same)
            found = zip(recall.sources[step], recall.lengths[step], strict=True)
            expected = any(0 <= source < changed and length >= max(2, step - changed + 2) for source, length in found)
            assert notebook.holds() == expected, step

    def test_a_chord_that_sounds_on_is_not_held(self):
        """Once it sounds for long it agrees with itself; in a return of it, what was before agrees too."""
        silence, one, two = np.zeros(KEYS, bool), *(np.arange(KEYS) == key for key in range(2))
        memory = Memory(lags=(2,))
        held, back = [one, *[two] * 8], [silence, one, two, two, two, one, silence, one, two, two]
        assert [memory.begin(KEYS).after(np.array(piece))[1].holds() for piece in (held, back)] == [False, True]

    @KINDS_OF_PIECES
    @settings(deadline=None, max_examples=25)
    @given(data=st.data())
    def test_rows_say_what_the_sources_are(self, kind, data):
        memory, piece = memory_of(kind, MEMORIES["all"]), data.draw(pieces_of(kind))
        recall, rows = memory.recall(piece), memory.heard(piece)
        width, sources = (KEYS, 4) if kind == "frames" else (1, 4)
        assert rows.shape == (len(piece), width * (1 + sources) + sources + 2)
        steps, guesses, strengths, counters = np.split(rows, np.cumsum([width, width * sources, sources]), axis=1)
        np.testing.assert_array_equal(steps, piece.reshape(len(piece), width))
        for t in range(len(piece)):
            for s, source in enumerate(recall.sources[t]):
                guess = guesses[t, s * width : (s + 1) * width]
                expected = np.zeros(width) if source == NO_MATCH else steps[source]
                np.testing.assert_array_equal(guess, expected)
                bucket = sum(edge <= recall.lengths[t, s] for edge in LENGTH_EDGES.tolist())
                assert strengths[t, s] == (0 if source == NO_MATCH else 1 + bucket) < STRENGTHS
            assert counters[t].tolist() == [recall.time[t] % 2, recall.time[t] % 3]

    def test_the_match_is_the_longest(self):
        frames = np.random.default_rng(0).integers(0, 3, 200)
        rolls = (frames[:, None] >> np.arange(KEYS)) & 1 == 1
        lengths, followers = longest_matches(frames)
        for memory, piece in ((Memory(), rolls), (Memory(), frames)):
            recall = memory.recall(piece)
            np.testing.assert_array_equal(recall.sources[:, 0], followers[1:])
            np.testing.assert_array_equal(recall.lengths[:, 0], lengths[1:])

    def test_a_metre_is_no_guess(self):
        """What follows the first bar line is a metre, written once; what stands behind it is the guess."""
        ids = MELODY.encode(_twice(tune(4, seed=1)))
        line = int(np.flatnonzero(ids == BARS.id("Bar_None"))[4])
        for options in ({}, {"match": False, "lags": (4,)}):
            source = int(Memory(**options, vocabulary=BARS).recall(ids).sources[line, 0])
            assert BARS.names[ids[source]].startswith("Position")

    def test_in_another_key_it_is_the_same(self):
        ids = MELODY.encode(tune(12, seed=5, low=60, high=64))
        rolls = np.random.default_rng(1).random((80, 12)) < 0.2
        rolls[:, [0, 11]] = False
        memory = Memory(lags=LAGS, vocabulary=BARS)
        for part, moved in zip(memory.recall(ids), memory.recall(MELODY.transpose(ids, 5)), strict=True):
            np.testing.assert_array_equal(part, moved)
        memory = Memory(lags=LAGS)
        for part, moved in zip(memory.recall(rolls), memory.recall(transposed_frames(rolls, 1)), strict=True):
            np.testing.assert_array_equal(part, moved)

    def test_counters_tell_the_place_of_what_comes(self):
        by_steps = Memory(counters=(4,)).heard(np.zeros(9, np.int64))
        assert by_steps[:, -1].tolist() == [1, 2, 3, 0, 1, 2, 3, 0, 1]
        ids = MELODY.encode(tune(5, seed=2))
        bars = np.cumsum(ids == BARS.id("Bar_None"))
        expected = np.maximum(bars - 1, 0) % 3
        np.testing.assert_array_equal(Memory(counters=(3,), vocabulary=BARS).heard(ids)[:, -1], expected)

    @OPTIONS
    def test_velocities_left_out_of_account_are_one_velocity(self, options):
        """Agreement is that of the piece with one velocity in place of all; guesses are as loud as what stood there."""
        score = _twice(tune(6, seed=4))
        velocities = np.random.default_rng(0).integers(20, 120, len(score))
        ids = FULL.encode(score.replaced(velocity=velocities))
        of_velocity = FULL.vocabulary.is_kind("Velocity")[ids]
        same = np.where(of_velocity, ids[of_velocity][0], ids)
        loose = Memory(**options, vocabulary=FULL.vocabulary, match_velocities=False)
        strict = Memory(**options, vocabulary=FULL.vocabulary)
        for found, expected in zip(loose.recall(ids), strict.recall(same), strict=True):
            np.testing.assert_array_equal(found, expected)
        assert loose.recall(ids).lengths.mean() > 2 * strict.recall(ids).lengths.mean()
        rows, sources = loose.heard(ids), loose.recall(ids).sources
        guesses = np.where(sources == NO_MATCH, 0, ids[np.maximum(sources, 0)])
        np.testing.assert_array_equal(rows[:, 1 : 1 + loose.sources], guesses)
        notebook, told = loose.begin(), []
        for step in range(len(ids)):
            row, notebook = notebook.after(ids[step : step + 1])
            told.append(row)
        np.testing.assert_array_equal(np.concatenate(told), rows)
        _, again = loose.begin().after(ids[:50])
        again.after(ids[50:60])
        np.testing.assert_array_equal(again.after(ids[50:])[0], rows[50:])  # written in anew: not the last of its line

    def test_a_config_says_whether_velocities_are_matched(self):
        for match in (False, True):
            config = ModelConfig(memory=MemoryConfig(lags=(2,), match_velocities=match))
            assert make_memory(config, FULL.vocabulary) == Memory(True, (2,), (), FULL.vocabulary, match)
        with pytest.raises(OptionError, match="match_velocities is of tokens, and frames have no velocities"):
            ModelConfig(head="notes", memory=MemoryConfig(match_velocities=False))

    @pytest.mark.parametrize("vocabulary", [None, BARS])
    def test_velocities_that_are_not_there_cannot_be_left_out(self, vocabulary):
        with pytest.raises(OptionError, match="match_velocities is false, and the tokens have no velocities"):
            Memory(vocabulary=vocabulary, match_velocities=False)

    @pytest.mark.parametrize("options", [{"lags": (0,)}, {"counters": (1,)}, {"counters": (256,)}, {"lags": (-1,)}])
    def test_out_of_range_is_refused(self, options):
        with pytest.raises(OptionError, match="lags are 1 or more, counters 2 to 255"):
            Memory(**options)


VOCABULARY = 7
ASKED = MemoryConfig(lags=(1, 2), counters=(2, 3), features=4)


def token_model(**options):
    return random_model(ModelConfig(hidden_size=6, layers=1, memory=ASKED, **options), VOCABULARY, seed=1)


def frame_model(**options):
    return random_model(ModelConfig(hidden_size=6, layers=1, memory=ASKED, **options), keys=KEYS, seed=1)


def heard(memory, pieces):
    return torch.from_numpy(np.stack([memory.heard(piece) for piece in pieces]))


class TestGate:
    def test_tokens_sum_to_one(self):
        model = token_model()
        pieces = np.random.default_rng(0).integers(0, VOCABULARY, (3, 20))
        outputs, _ = model(heard(Memory(lags=(1, 2), counters=(2, 3)), pieces))
        nats = torch.stack([model.nats(outputs, torch.full((3, 20), token)) for token in range(VOCABULARY)])
        torch.testing.assert_close((-nats).exp().sum(dim=0), torch.ones(3, 20))

    @pytest.mark.parametrize("head", ["bernoulli", "notes"])
    def test_frames_sum_to_one(self, head):
        model = frame_model(head=head)
        pieces = np.random.default_rng(0).random((2, 12, KEYS)) < 0.3
        outputs, _ = model(heard(Memory(lags=(1, 2), counters=(2, 3)), pieces))
        every = (torch.arange(2**KEYS)[:, None] >> torch.arange(KEYS)) & 1 == 1
        nats = torch.stack([model.nats(outputs, frame.expand(2, 12, KEYS)) for frame in every])
        torch.testing.assert_close((-nats).exp().sum(dim=0), torch.ones(2, 12))

    def test_a_sure_gate_copies(self):
        """All trust in the last source: what it guesses has probability 1, else what is left over."""
        model = token_model()
        piece = np.tile(np.arange(VOCABULARY), 4)
        with torch.no_grad():
            model.gate.trust.zero_()
            model.gate.trust[-STRENGTHS + 1 :] = 100.0
        memory = Memory(lags=(1, VOCABULARY), counters=(2, 3))
        outputs, _ = model(heard(memory, [piece]))
        nats = model.nats(outputs[:, :-1], torch.from_numpy(piece[None, 1:]))[0]
        assert (nats[VOCABULARY:] < 1e-6).all()  # each source that guesses right adds its share
        assert (nats[: VOCABULARY - 2] > 1e-3).all()

    def test_draws_follow_the_nats(self):
        model = token_model()
        piece = np.random.default_rng(2).integers(0, VOCABULARY, 15)
        outputs, _ = model(heard(Memory(lags=(1, 2), counters=(2, 3)), [piece]))
        last = outputs[:, -1:].expand(1, 20_000, -1)
        drawn = model.sample(last, torch.Generator().manual_seed(0))
        shares = torch.bincount(drawn[0], minlength=VOCABULARY) / 20_000
        every = torch.arange(VOCABULARY)[None]
        expected = (-model.nats(outputs[:, -1:].expand(1, VOCABULARY, -1), every)[0]).exp()
        torch.testing.assert_close(shares, expected, atol=0.015, rtol=0)

    def test_a_cool_gate_goes_with_the_likelier(self):
        model = frame_model(head="bernoulli")
        piece = np.random.default_rng(2).random((15, KEYS)) < 0.4
        with torch.no_grad():
            outputs, _ = model(heard(Memory(lags=(1, 2), counters=(2, 3)), [piece]))
            outputs = outputs.clone()
            _, gate, guesses = model.gate.parts(outputs[:, -1:])
            gate.copy_(torch.tensor([0.3, 0.1, 0.5, 0.1]).log())  # a view of the outputs
        drawn = model.sample(outputs[:, -1:].expand(1, 2_000, -1), torch.Generator().manual_seed(0), 1.0, 0.1)
        assert (drawn[0] == (guesses[0, 0, 1] > 0.5)).all(dim=-1).float().mean() > 0.99

    def test_gradients_are_finite_where_nothing_is_guessed(self):
        model = token_model().train()
        outputs, _ = model(heard(Memory(lags=(1, 2), counters=(2, 3)), np.arange(VOCABULARY)[None, :1]))
        model.nats(outputs, torch.zeros(1, 1, dtype=torch.long)).sum().backward()
        assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("keys", [24, 25, 88])
def test_frames_of_many_keys_are_told_key_by_key(keys):
    """Guesses stand in the outputs in packed form: nothing is rounded, in bf16 neither, and each key counts."""
    config = ModelConfig(hidden_size=8, layers=1, head="bernoulli", memory=MemoryConfig(lags=(1, 2), features=4))
    model, memory = random_model(config, keys=keys), Memory(lags=(1, 2))
    frames = np.tile(np.random.default_rng(0).random((1, 10, keys)) < 0.5, (1, 4, 1))
    rows = memory.heard(frames[0])
    guesses = torch.from_numpy(rows[None, :, keys : 4 * keys].reshape(1, 40, 3, keys).astype(bool))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        outputs, _ = model(torch.from_numpy(rows[None]))
        own, gate, packed = model.gate.parts(outputs)
        assert torch.equal(model.gate._unpacked(packed), guesses)
        told = torch.from_numpy(rows[None, :, 4 * keys :]) > 0
        for source, other in itertools.product(range(3), (None, 0, keys // 2, keys - 1)):
            wanted = guesses[:, :, source].clone()
            if other is not None:
                wanted[..., other] ^= True  # right but for one key is wrong
            right = (guesses == wanted[..., None, :]).all(dim=-1) & told
            assert right.any() == (other is None)
            new = gate[..., 0].double() - model.head.nats(own, wanted).double()
            expected = -torch.log(new.exp() + (gate[..., 1:].double().exp() * right).sum(dim=-1))
            torch.testing.assert_close(model.nats(outputs, wanted), expected.float(), rtol=1e-4, atol=1e-4)


@KINDS_OF_PIECES
@OPTIONS
def test_compiled_and_interpreted_rows_are_the_same(kind, options, monkeypatch):
    ids = MELODY.encode(_twice(tune(8, seed=3, time_signatures=[(0, 4, 4), (1920, 3, 4), (7680, 4, 4)])))
    piece = ids if kind != "frames" else (ids[:, None] >> np.arange(KEYS)) & 1 == 1
    found = []
    for form in ("interpreted", "machine_code"):
        with monkeypatch.context() as patch:
            names = ("_rows_of_tokens", "_strengths_and_counters", "_write_and_tell", "write_ids")
            forms = {name: getattr(getattr(memory_module, name), form) for name in names}
            for name, function in forms.items():
                patch.setattr(memory_module, name, function)
            patch.setattr(pages_module, "write_ids", forms["write_ids"])
            memory = memory_of(kind, options)
            rows = memory.heard(piece)
            told, _ = memory.begin(KEYS if kind == "frames" else None).after(piece)
            np.testing.assert_array_equal(told, rows)
            found.append(rows)
    np.testing.assert_array_equal(*found)
    assert found[0].any()


@pytest.mark.parametrize("length", [9, 5])
def test_a_model_with_a_memory_refuses_a_piece_by_itself(length):
    config = ModelConfig(cell="gru", hidden_size=6, layers=1, memory=MemoryConfig(lags=(1,)))
    piece = np.arange(length) + 4
    model, memory = random_model(config, len(MELODY.vocabulary)), make_memory(config, MELODY.vocabulary)
    numbers = memory.heard(piece).shape[1]
    assert numbers == 5  # as many as one of the pieces has steps
    wanted = rf"hears \(batch, time, {numbers}\); give memory\.heard\(piece\)"
    for call in (model, lambda ids: model.step(ids[:, 0], model.initial_state(1))):
        with pytest.raises(OptionError, match=wanted) as refused:
            call(torch.from_numpy(piece[None]))
        assert "\n" not in str(refused.value)
    outputs, _ = model(torch.from_numpy(memory.heard(piece)[None]))
    assert outputs.shape[:2] == (1, length)


def test_a_model_of_frames_with_a_memory_refuses_frames_by_themselves():
    config = ModelConfig(cell="gru", hidden_size=6, layers=1, head="bernoulli", memory=MemoryConfig())
    with pytest.raises(OptionError, match=r"inputs of shape \(1, 7, 12\) for a model with a memory"):
        random_model(config, keys=12)(torch.zeros(1, 7, 12, dtype=torch.bool))
