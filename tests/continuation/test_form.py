"""A form is followed bar by bar: its returns come back, what is new is not copied, and every model can do it."""

import itertools

import numpy as np
import pytest

from seqaudio.continuation import Sampling, continue_score, continue_scores, generate_score
from seqaudio.continuation.continue_score import _without_another_pickup
from seqaudio.continuation.counts import CountedModel, CountingEngine
from seqaudio.continuation.engines import load_engine
from seqaudio.continuation.form import Following, Form, pickup_bars
from seqaudio.continuation.remembering import ALL
from seqaudio.continuation.sampling import sample
from seqaudio.errors import OptionError
from seqaudio.models.baselines import PPM
from seqaudio.models.config import MemoryConfig, ModelConfig
from seqaudio.models.match_memory.memory import NEVER
from seqaudio.music.score import Score
from seqaudio.structure import similarity_matrix
from tests.samples import FULL, MELODY, PEDALS, model_folder, tune

BAR = MELODY.vocabulary.id("Bar_None")
MEMORY = MemoryConfig(lags=(1, 2, 4), counters=(2, 4))
CONFIGS = {
    "plain": ModelConfig(cell="gru", hidden_size=16, layers=1),
    "memory": ModelConfig(hidden_size=16, layers=2, memory=MEMORY),
}


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    pieces = [MELODY.encode(tune(8, seed=seed)) for seed in range(6)]
    counts = PPM(3, vocabulary_size=len(MELODY.vocabulary)).fit(pieces)
    networks = {
        name: load_engine(model_folder(tmp_path_factory.mktemp(name), config, seed=3), "onnx")
        for name, config in CONFIGS.items()
    }
    return networks | {"counts": CountingEngine(counts, CountedModel(MELODY, (60, 72)))}


@pytest.fixture(scope="module", params=[*CONFIGS, "counts"])
def engine(request, engines):
    return engines[request.param]


def bars_of(ids, tokenizer=MELODY):
    """What is struck in each bar: onset in it, pitch, drum or not, program, velocity; how long may depend on more."""
    score = tokenizer.decode(ids)
    count = int((ids == tokenizer.vocabulary.id("Bar_None")).sum())
    lines = np.concatenate([score.bars(), np.full(count, np.iinfo(np.int64).max)])[: count + 1]
    bar = np.searchsorted(lines, score.onset, side="right") - 1
    columns = (score.onset - lines[bar], score.pitch, score.is_drum, score.program, score.velocity)
    return [sorted(np.column_stack(columns)[bar == number].tolist()) for number in range(count)]


def bars_of_piece(found):
    """The same of primer and continuation, silent bars of the primer too."""
    heard, written = bars_of(found.primer.ids), bars_of(np.concatenate([found.primer.ids, found.ids]))
    lines = found.primer.score.bars()
    in_front = int(np.searchsorted(lines, found.primer.voice.onset.min(), side="right")) - 1
    behind = found.primer.bars - in_front - len(heard)
    return [[]] * in_front + written[: len(heard)] + [[]] * behind + written[len(heard) :]


def joined(scores):
    columns = ("onset", "duration", "pitch", "velocity", "program", "is_drum")
    values = {name: np.concatenate([getattr(score, name) for score in scores]) for name in columns}
    track = np.repeat(np.arange(len(scores)), [len(score) for score in scores])
    return scores[0].replaced(**values, track=track, track_names=("",) * len(scores))


def follow(form, ids, tokenizer=MELODY, pickup=0):
    """The form behind each of the tokens."""
    state, following, found = tokenizer.start(), Following(form, tokenizer, pickup), []
    for token in ids.tolist():
        state = state.after(token)
        following = following.after(token, state)
        found.append(following)
    return found


@pytest.mark.parametrize(
    ("letters", "bars", "sources"),
    [
        ("AABA", 2, [None, None, 0, 1, None, None, 0, 1]),
        ("ABACAB", 1, [None, None, 0, None, 0, 1]),
        ("ABC", 2, [None] * 6),
        ("BB", 3, [None, None, None, 0, 1, 2]),
    ],
)
def test_a_bar_returns_to_the_first_of_its_letter(letters, bars, sources):
    form = Form(letters, bars)
    assert form.bars == len(sources)
    assert [form.source(bar) for bar in range(form.bars)] == sources
    assert [form.source(bar) for bar in (-1, -bars, form.bars, form.bars + 7)] == [None] * 4
    begins = [(bar, sources[bar]) for bar in range(0, len(sources), bars) if sources[bar] is not None]
    assert form.returns == begins


@pytest.mark.parametrize("primer_bars", [2, 5, 11])
def test_without_variation_returns_are_note_by_note(engine, primer_bars):
    """Wherever the primer ends, inside a section too; every model does it."""
    form = Form("AABA", 4, variation=0)
    for found in continue_score(engine, tune(primer_bars, seed=5), form=form, num_outputs=2, seed=1):
        assert found.bars == 16 - primer_bars
        assert len(found.with_voice().bars()) - 1 == 16
        bars = bars_of(np.concatenate([found.primer.ids, found.ids]))
        assert len(bars) == 16
        for bar in range(max(primer_bars, 4), 16):
            source = form.source(bar)
            if source is not None:
                assert bars[bar] == bars[source], bar


def test_a_form_ends_by_itself_in_every_metre(engine):
    for metre, seed in (((3, 4), 1), ((6, 8), 2)):
        (found,) = continue_score(engine, tune(3, metre, seed=seed), form=Form("ABAB", 3, variation=0.2), seed=seed)
        assert found.bars == 9
        assert len(found.score.bars()) - 1 == 9
        assert found.score.metre_map()[0, 1:].tolist() == list(metre)


def test_all_variation_is_the_model_alone(engines):
    """Of a model that copies nothing by itself."""
    for name in ("plain", "counts"):
        free = continue_score(engines[name], tune(4, seed=2), bars=12, num_outputs=2, seed=4)
        asked = Form("AABA", 4, variation=1)
        again = continue_score(engines[name], tune(4, seed=2), form=asked, num_outputs=2, seed=4)
        for one, other in zip(free, again, strict=True):
            assert one.ids.tolist() == other.ids.tolist()
            assert one.nats_per_token == other.nats_per_token


def test_more_variation_is_more_variation(engine):
    def same(variation):
        outputs = continue_score(engine, tune(4, seed=7), form=Form("AA", 4, variation), num_outputs=8, seed=1)
        return np.mean([(similarity_matrix(one.with_voice())[range(4, 8), range(4)] == 1).mean() for one in outputs])

    shares = [same(variation) for variation in (0, 0.05, 0.5, 1)]
    assert shares[0] == 1
    assert all(one > other for one, other in itertools.pairwise(shares[:3]))
    assert shares[3] < 0.3


@pytest.mark.parametrize(("variation", "sampling"), [
    (0.3, Sampling()), (0.3, Sampling(temperature=5)), (0.1, Sampling(top_p=0.5)), (0.0, Sampling(temperature=10)),
])  # fmt: skip
def test_a_guess_gets_its_share_of_the_draws(variation, sampling):
    """At every temperature and behind every cut: these are of the model's part."""
    generator, vocabulary = np.random.default_rng(0), 12
    logits, allowed = generator.normal(0, 2, vocabulary), generator.random(vocabulary) < 0.8
    allowed[3] = True
    logits[3] = logits[allowed].min() - 1  # the model would hardly take it
    drawn = [sample(logits, allowed, sampling, generator, (3, variation)) for _ in range(4000)]
    free = [sample(logits, allowed, sampling, generator) for _ in range(4000)]
    expected = variation * np.bincount(free, minlength=vocabulary) / 4000
    expected[3] += 1 - variation
    np.testing.assert_allclose(np.bincount(drawn, minlength=vocabulary) / 4000, expected, atol=0.03)
    allowed[3] = False
    assert 3 not in {sample(logits, allowed, sampling, generator, (3, variation)) for _ in range(100)}


def test_at_temperature_0_the_likelier_of_both_is_taken():
    logits, allowed, cold = np.array([0.0, 5.0, 1.0]), np.ones(3, bool), Sampling(temperature=0)
    taken = [sample(logits, allowed, cold, np.random.default_rng(0), (2, share)) for share in (0, 0.4, 0.6, 1)]
    assert taken == [2, 2, 1, 1]


def test_without_variation_no_temperature_varies(engine):
    for sampling in (Sampling(temperature=10), Sampling(temperature=0), Sampling(top_p=0.2, temperature=2)):
        (found,) = continue_score(engine, tune(4, seed=5), form=Form("AAB", 4, 0), sampling=sampling, seed=1)
        bars = bars_of(np.concatenate([found.primer.ids, found.ids]))
        assert bars[4:8] == bars[:4] != bars[8:12]


def with_silent_bars(silent, bars=8):
    """A tune with nothing in some of its bars."""
    full = tune(bars, seed=6)
    kept = ~np.isin(full.onset // 1920, silent)
    columns = ("onset", "duration", "pitch", "velocity", "program", "is_drum", "track")
    return full.replaced(**{name: getattr(full, name)[kept] for name in columns})


@pytest.mark.parametrize("silent", [[0, 1], [6, 7], [0, 7], [2, 3], [0, 1, 4, 7]])
def test_silent_bars_of_a_primer_count_and_return(engine, silent):
    """In front of its notes, behind them and between: though tokens run from the first note to the last."""
    score = with_silent_bars(silent)
    drum = Score.from_notes([7 * 1920], [480], [36], is_drum=True, ticks_per_quarter=480)  # is not heard, and lasts
    both = joined([score, drum]) if 7 in silent else score
    for primer_bars in (8, 6):
        (found,) = continue_score(engine, both, form=Form("AAB", 8, 0), primer_bars=primer_bars, seed=1)
        assert found.form.pickup == 0
        assert found.primer.bars + found.bars == 24
        bars = bars_of_piece(found)
        assert len(bars) == 24
        assert bars[8:16] == bars[:8]
        assert [not bar for bar in bars[8:14]] == [number in silent for number in range(6)]
        assert found.form.returns(primer_bars) == [((9, 16), (1, 8), 8)]


def test_guesses_are_the_tokens_of_a_piece_that_returns():
    """Of a piece that does return: at every step of a return the guess is what comes, elsewhere there is none."""
    form, half = Form("ABAC", 2), tune(4, seed=3)
    ids = MELODY.encode(half)[:-1]
    first, last = np.split(ids, [np.flatnonzero(ids == BAR)[2]])
    told = np.append(first[1:2], first[3:])  # the metre is told once
    piece = np.concatenate([first, last, told, last])
    found, lines = follow(form, piece), np.flatnonzero(piece == BAR)
    for step, following in enumerate(found[:-1]):
        bar = int((lines <= step).sum()) - 1
        assert following.bar == bar
        assert following.guess == (piece[step + 1] if bar in (4, 5) else None), step
        assert following.since == (lines[bar // 2 * 2] if bar in (0, 1, 2, 3, 6, 7) else 0)


def test_a_return_finds_its_way_back_after_what_differs():
    """Behind a note of its own the guess is the next note of that bar; where that is past, the next one, or the bar."""
    ids = [MELODY.vocabulary.id(name) for name in (
        "BOS_None", "Bar_None", "TimeSig_4/4",
        "Position_0", "Pitch_60", "Duration_1.0.12", "Position_12", "Pitch_62", "Duration_1.0.12",
        "Position_24", "Pitch_64", "Duration_2.0.12", "Bar_None",
        "Position_6", "Pitch_70", "Duration_1.0.12", "Position_12", "Pitch_63", "Duration_1.0.12",
        "Position_40", "Pitch_50", "Duration_0.3.12",
    )]  # fmt: skip
    names = MELODY.vocabulary.names
    guesses = [each.guess for each in follow(Form("AA", 1), np.array(ids))[12:]]
    assert [None if guess is None else names[guess] for guess in guesses] == [
        "Position_0", None, None, "Position_12", "Pitch_62", None, "Position_24", None, None, "Bar_None",
    ]  # fmt: skip


@pytest.mark.parametrize("tokenizer", [MELODY, FULL, PEDALS], ids=["melody", "full", "pedals"])
def test_a_guess_may_always_be_written(tokenizer):
    """Whatever the model writes beside it: half of the tokens are guesses, the others any that the grammar allows."""
    generator, vocabulary = np.random.default_rng(1), tokenizer.vocabulary
    often = np.where(vocabulary.is_kind("EOS", "PAD"), 0.0, np.where(vocabulary.is_kind("Bar"), 40.0, 1.0))
    often[vocabulary.is_kind("TimeSig")] = 1e-30  # the first alone: a bar of another metre may be shorter
    refused, guessed = [], 0
    for _ in range(30):
        state, following = tokenizer.start(), Following(Form("ABAB", 2), tokenizer)
        while following.bar < 8:
            allowed, guess = tokenizer.grammar(state), following.guess
            if guess is not None and not allowed[guess]:
                refused.append(vocabulary.names[guess])
            guessed += guess is not None
            chances = allowed * often / (allowed * often).sum()
            token = int(
                guess if guess is not None and generator.random() < 0.5 else generator.choice(len(often), p=chances)
            )
            state = state.after(token)
            following = following.after(token, state)
    assert refused == []
    assert guessed > 300


def test_what_is_new_copies_nothing_from_before_its_section(engines):
    """The gate is shut to those guesses, and what it gave them goes to the others in proportion."""
    engine = engines["memory"]
    network, vocabulary = engine.network, len(MELODY.vocabulary)
    ids = np.stack([MELODY.encode(tune(4, seed=seed))[:40] for seed in (1, 2)])
    ids = np.concatenate([ids, ids], axis=1)  # so that every source has a guess
    rows = np.stack([engine.checkpoint.memory().heard(piece) for piece in ids])
    outputs = network.run(rows, network.initial_state(2))[0][:, -1].astype(float)
    _, state = engine.run(ids, engine.initial_state(2))
    places = [notebook.sources for notebook in state[-1]]
    assert all((found >= 0).sum() >= 3 for found in places)
    for since in (np.array([0, 50]), np.array([45, 79])):
        found = engine.cooled(state, 1.0, np.column_stack([since, [NEVER, NEVER]]))
        for row in range(2):
            own, gate, guesses = np.split(outputs[row], [vocabulary, vocabulary + 1 + 4])
            shares = np.exp(gate) * np.concatenate([[1], places[row] >= since[row]])
            assert shares[1:].any() or since[row] == 79
            shares /= shares.sum()
            expected = shares[0] * np.exp(own) / np.exp(own).sum()
            np.add.at(expected, guesses.astype(int), shares[1:])
            np.testing.assert_allclose(np.exp(found[row].astype(float)), expected, atol=1e-6)
    np.testing.assert_allclose(engine.cooled(state, 0.5, np.array([ALL, ALL])), engine.cooled(state, 0.5), atol=1e-6)


def test_a_cool_gate_holds_on_to_nothing_that_is_shut(engines):
    """Where all that is held stands before the section, the gate is not cooled."""
    engine = engines["memory"]
    ids = MELODY.encode(tune(4, seed=1))[:40]
    _, state = engine.run(np.concatenate([ids, ids])[None], engine.initial_state(1))
    (notebook,) = state[-1]
    assert notebook.holds()
    assert not notebook.holds(79)
    assert notebook.holds(40)  # where it stands in the second turn as in the first
    shut = np.array([(79, NEVER)])
    np.testing.assert_allclose(engine.cooled(state, 0.3, shut), engine.cooled(state, 1.0, shut))


def test_outputs_with_a_form_are_each_alone(engine):
    form, sampling = Form("ABA", 3), Sampling()
    scores = [tune(bars, seed=bars) for bars in (3, 5, 2)]
    together = continue_scores(engine, scores, form=form, num_outputs=2, sampling=sampling)
    for seed, (score, outputs) in enumerate(zip(scores, together, strict=True)):
        alone = continue_score(engine, score, form=form, num_outputs=2, seed=seed, sampling=sampling)
        assert [one.bars for one in outputs] == [9 - len(score.bars()) + 1] * 2
        for one, other in zip(outputs, alone, strict=True):
            assert one.ids.tolist() == other.ids.tolist()


def test_a_pickup_stands_before_the_form(engines):
    """A bar that opens with half a bar of rest or more is none of the first section."""
    full = tune(5, seed=4)
    late = full.replaced(
        onset=full.onset[full.onset >= 1440],
        **{
            name: getattr(full, name)[full.onset >= 1440]
            for name in ("duration", "pitch", "velocity", "program", "is_drum", "track")
        },
    )
    assert (pickup_bars(full), pickup_bars(late), pickup_bars(with_silent_bars([0, 1]))) == (0, 1, 0)
    form = Form("AABA", 4, variation=0)
    (found,) = continue_score(engines["plain"], late, form=form, seed=1)
    bars = bars_of(np.concatenate([found.primer.ids, found.ids]))
    assert (found.bars, len(bars)) == (12, 17)
    assert bars[5:9] == bars[1:5] == bars[13:17]
    assert bars[9:13] != bars[1:5]


def test_a_piece_from_nothing_has_a_form_behind_its_pickup(engine):
    pickups = []
    for found in generate_score(engine, form=Form("AAB", 2, variation=0), num_outputs=12, seed=3):
        bars, pickup = bars_of(found.ids), found.form.pickup
        pickups.append(pickup)
        assert pickup == pickup_bars(found.score)
        assert found.bars == len(bars) == len(found.score.bars()) - 1 == 6 + pickup
        assert bars[2 + pickup : 4 + pickup] == bars[pickup : 2 + pickup]
        assert found.form.sections == [(pickup, "A"), (2 + pickup, "A"), (4 + pickup, "B")]
        assert found.form.returns(0) == [((3 + pickup, 4 + pickup), (1 + pickup, 2 + pickup), 2)]
    assert 0 in pickups


@pytest.mark.parametrize("tokenizer", [FULL, PEDALS], ids=["full", "pedals"])
def test_instruments_loudness_and_drums_return_too(tokenizer, tmp_path):
    """Though they are told only where they change, and hold otherwise before the section than before its source."""
    engine = load_engine(model_folder(tmp_path / "full", ModelConfig(hidden_size=16), tokenizer, seed=2))
    line = tune(4, seed=1)
    number = np.arange(len(line))
    band = line.replaced(
        program=np.array([73, 0, 40])[number % 3],
        is_drum=number % 3 == 1,
        velocity=43 + 4 * (number % 5),
        track=number % 3,
        track_names=("flute", "drums", "violin"),
    )
    for found in continue_score(engine, band, form=Form("ABABA", 4, 0), num_outputs=3, seed=1):
        bars = bars_of(np.concatenate([found.primer.ids, found.ids]), tokenizer)
        assert bars[8:12] == bars[:4] == bars[16:]
        assert bars[12:16] == bars[4:8] != bars[:4]
        assert [back.same for back in found.form.returns(4)] == [4, 4, 4]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("aaba",), "form is 'aaba', it must be 1 to 64 letters from A to Z, such as AABA"),
        (("",), "form is ''"),
        (("A1",), "form is 'A1'"),
        (("Ä",), "form is 'Ä'"),
        (("A" * 65,), "form is 'AAA"),
        (("AA", 0), "section_bars is 0, it must be 1 to 32"),
        (("AA", 33), "section_bars is 33"),
        (("AA", 8, -0.1), "variation is -0.1, it must be 0 to 1"),
        (("AA", 8, float("nan")), "variation is nan"),
    ],
)
def test_forms_that_are_none(values, message):
    with pytest.raises(OptionError, match=message):
        Form(*values)


def test_a_form_and_bars_are_not_both_asked_for(engines):
    engine, form = engines["plain"], Form("AB", 2)
    with pytest.raises(OptionError, match="bars is 4, and the form says how many; leave one of them out"):
        continue_score(engine, tune(2), bars=4, form=form)
    with pytest.raises(OptionError, match="the form AB of 2 bars a section ends with bar 4, and the primer has 4"):
        continue_score(engine, tune(4), form=form)
    with pytest.raises(OptionError, match="a form counts from the first bar, and of 257 bars the last 256 are heard"):
        continue_score(engine, tune(257), form=Form("A" * 64, 8))
    with pytest.raises(OptionError, match="bars is 4"):
        generate_score(engine, bars=4, form=form)


def test_a_piece_with_a_pickup_ends_where_it_would_come_again(engine):
    """The last bar is short by the pickup; alone, without a form, bars are whole."""
    late = tune(5, seed=3).notes(tune(5, seed=3).onset >= 3 * 480)  # the fourth quarter of the first bar
    form, quarter = Form("AAB", 4), 480
    short, full = [], []
    for seed in range(8):
        (found,), (bars,) = (
            continue_score(engine, late, seed=seed, **asked) for asked in ({"form": form}, {"bars": 8})
        )
        assert (found.form.pickup, found.bars, bars.bars) == (1, 8, 8)
        assert found.score.ticks_per_quarter == quarter
        last, free = (made.score.onset - 7 * 4 * quarter for made in (found, bars))
        if ((last >= 0) & (last < 3 * quarter)).any():  # else the pickup is all that sounds, and stays
            short.append(last.max() < 3 * quarter)
        full.append(free.max() >= 3 * quarter)
    assert short
    assert all(short)
    assert any(full)


def test_a_last_bar_of_nothing_but_the_pickup_stays():
    pickup = Score.from_notes([36, 48], 12, [60, 62], ticks_per_quarter=12)
    only = Score.from_notes([0, 36 + 48], 12, [60, 62], ticks_per_quarter=12)
    both = Score.from_notes([0, 48, 36 + 48], 12, [60, 64, 62], ticks_per_quarter=12)
    assert _without_another_pickup(only, 2, pickup) == only
    assert _without_another_pickup(both, 2, pickup) == both.notes(both.onset <= 48)
    finer = Score.from_notes([36 * 40, 48 * 40], 480, [60, 62], ticks_per_quarter=480)
    assert _without_another_pickup(both, 2, finer) == both.notes(both.onset <= 48)
    shorter = Score.from_notes(
        [0, 48, 48 + 30], 6, [60, 64, 62], ticks_per_quarter=12, time_signatures=[(0, 4, 4), (48, 3, 4)]
    )
    early = Score.from_notes([30, 48], 12, [60, 62], ticks_per_quarter=12)
    assert _without_another_pickup(shorter, 2, early) == shorter  # another metre ends it
    other = both.replaced(time_signatures=[(0, 3, 4)])
    assert _without_another_pickup(other, 3, pickup) == other
