"""Do all cells meet the same care, are strata and cuts those of a slow count, and does the page follow its rule?"""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from seqaudio.continuation.counts import CountedModel, CountingEngine
from seqaudio.continuation.likelihood import token_nats
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import CheckpointError, DivergedError, NoNotesError, OptionError
from seqaudio.files import write_midi
from seqaudio.models.baselines import PPM
from seqaudio.report.statistics import Difference, Interval
from seqaudio.structure import degeneracy
from tests.recipes.loading import loaded
from tests.samples import MELODY
from tests.structure.pieces import from_bar, tune

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "recipes" / "rnn_vs_lstm.py"


@pytest.fixture(scope="module")
def recipe():
    with loaded("rnn_vs_lstm") as module:
        yield module


@pytest.fixture(scope="module")
def measures(recipe):
    return sys.modules["rnn_vs_lstm_measures"]


@pytest.fixture(scope="module")
def answers(recipe):
    return sys.modules["rnn_vs_lstm_answers"]


@pytest.fixture(scope="module")
def page(recipe):
    return sys.modules["rnn_vs_lstm_table"]


@pytest.fixture(scope="module")
def prepared(recipe, tmp_path_factory):
    """Tunes whose first part comes back, as a source and prepared."""
    folder = tmp_path_factory.mktemp("tunes")
    for seed in range(40):
        write_midi(tune("ABA", seed=seed), folder / f"{seed:02}.mid")
    out = tmp_path_factory.mktemp("prepared") / "corpus"
    options = recipe.PrepareOptions(melody=True, test_share=0.2, valid_share=0.1)
    recipe.prepare([str(folder)], out, options)
    return out


@pytest.fixture(scope="module")
def printed(recipe, prepared, tmp_path_factory):
    """The recipe's output with tiny models, and its folder of results."""
    folder = tmp_path_factory.mktemp("results")
    setting = recipe.Setting(bars=16, outputs=1, primers=3, targets=2, gate_temperatures=(1.0, 0.5), train_pieces=20)
    tiny = recipe.Plan(units=40, epochs=1, trials=1, trial_epochs=1, setting=setting, resamples=50)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "FULL", tiny)
        patch.setenv("PYTHONPATH", f"{PAGE.parent}:{ROOT}")
        arguments = ["--corpus", str(prepared), "--seeds", "1", "--jobs", "1", "--out", str(folder), "--runs"]
        first, again = (
            CliRunner().invoke(recipe.main, [*arguments, str(folder / runs), "--report", str(folder / page)])
            for runs, page in (("runs", "page.html"), ("other", "without-models.html"))
        )
    assert first.exit_code == again.exit_code == 0, (first.exception, again.exception)
    return folder, first, again


@pytest.fixture(scope="module")
def log(printed):
    return json.loads((printed[0] / "corpus.json").read_text())


# ---- care ------------------------------------------------------------------------------------------------------------


def test_all_cells_meet_the_same_draws_at_the_same_size(recipe, prepared):
    corpus = PreparedCorpus.open(prepared)
    vocabulary = len(corpus.tokenizer.vocabulary)
    for number in range(2):
        asked = [recipe.experiment(corpus, row, recipe.draw(number), recipe.FULL, 2) for row in recipe.MODELS]
        assert len({json.dumps([each["setting"], each["experiment"]["training"]]) for each in asked}) == 1
        models = [recipe.ModelConfig.model_validate(each["experiment"]["model"]) for each in asked]
        cells = ["rnn", "irnn", "gru", "lstm"]
        assert [(model.cell, model.memory is not None) for model in models] == [
            (cell, remembers) for remembers in (False, True) for cell in cells
        ]
        same = {"cell": "rnn", "hidden_size": 1}
        assert len({model.model_copy(update=same) for model in models if model.memory}) == 1
        assert len({model.model_copy(update=same | {"memory": None}) for model in models}) == 1
        sizes = [recipe.count_parameters(recipe.build_model(model, vocabulary)) for model in models]
        assert max(sizes) - min(sizes) <= 0.04 * min(sizes)
    assert recipe.draw(0) != recipe.draw(1)


def test_it_goes_from_a_corpus_to_the_page(recipe, prepared, printed, log):
    folder, first, _ = printed
    key = sys.modules["trainings"].key
    assert len({key(record) for record in log["trainings"]}) == len(log["trainings"]) == 8 * (1 + 1)
    for record in log["trainings"]:
        assert ("nats" in record) == ("kept" in record) == ("seed" in record)  # a trial never sees the test pieces
    for row in recipe.MODELS:
        trial, seed = (recipe.of(log, row, kind)[0] for kind in ("trial", "seed"))
        assert trial["setting"] == seed["setting"] == recipe.draw(0)
    assert first.stdout == (folder / "corpus.md").read_text() + "\n"
    assert str(prepared.parent) not in (folder / "corpus.json").read_text()
    for words in (
        "| **tanh RNN** |",
        "| **IRNN** |",
        "| **GRU** |",
        "| **LSTM** |",
        "| **LSTM + memory** |",
        "n-gram, order",
        "PPM + copy, order",
    ):
        assert words in first.stdout
    rows = [line for line in first.stdout.splitlines() if line.startswith(("| loop |", "| real pieces |"))]
    assert len(rows) == 2
    assert "Undecided" in first.stdout
    assert "Not finished" not in first.stdout


def test_what_the_log_holds_is_not_done_again(printed):
    folder, first, again = printed
    assert "search 1/8" in first.stderr
    assert "seeds 8/8" in first.stderr
    assert again.stderr == ""
    assert again.stdout == first.stdout
    assert not (folder / "other").exists()


def test_the_report_lets_every_row_go_on(printed):
    folder, _, _ = printed
    text, without = ((folder / name).read_text() for name in ("page.html", "without-models.html"))
    assert len(text) < 3_000_000
    networks = [f"{cell}{memory}" for cell in ("tanh RNN", "IRNN", "GRU", "LSTM") for memory in ("", " + memory")]
    for name in (*networks, "n-gram", "PPM", "PPM + copy", "loop"):
        assert f"{name} goes on" in text
        assert (f"{name} goes on" in without) == (name not in networks)
    for words in (
        "The real piece",
        "Which comes back to its primer?",
        "What continuations keep",
        "By bar of the piece",
    ):
        assert words in text
    assert "All differences" not in text  # the longest table stays in the Markdown


def test_the_report_says_what_was_measured_and_warns(recipe, page, log):
    pages = sys.modules["rnn_vs_lstm_page"]
    early = copy.deepcopy(log) | {"quick": True, "seeds": 2}
    early["plan"]["epochs"] = 9
    text = page.table(early)
    words = [" ".join(block.replace("**", "").split()) for block in text.split("\n\n")]
    opening, *rest = pages.summary_of(text)
    assert opening == words[1]
    assert rest[0] == page.UNFINISHED.replace("**", "")
    assert rest[1].startswith("The clock stopped tanh RNN, IRNN,")
    assert rest[2].startswith("Shown: the interval")
    assert rest[3:] == [
        line.removeprefix("- ").replace("**", "") for line in text.splitlines() if line.startswith("- ")
    ]
    notes = {table.title: table.note for table in pages.tables_of(text)}
    assert notes["Likelihood"] == f"Nats per token on the test pieces, less is likelier. {rest[1]}"
    assert notes["What continuations keep"].startswith("Of primer and continuation together;")
    assert "Temperature of the gate of each seed" in notes["What continuations keep"]
    assert notes["By bar of the piece"] == ""


def test_the_report_plays_what_was_measured(recipe, measures, prepared, printed, log):
    setting = recipe.Setting(**log["plan"]["setting"])
    material = measures.Material.open(str(prepared), setting)
    for row in ("gru", "gru+memory"):
        record = recipe.of(log, row, "seed")[0]
        model = recipe.load_engine(printed[0] / "runs" / "corpus" / "full" / f"{row}-seed-0")
        sampling = setting.sampling(record["gate_temperature"])
        again = material.kept([material.continue_one(i, model, 0, sampling) for i in range(3)])
        assert again == record["kept"]


def test_counts_are_those_of_the_same_training_pieces(recipe, measures, prepared, log):
    setting = recipe.Setting(**log["plan"]["setting"])
    corpus = measures.open_corpus(str(prepared), setting)
    train, test = corpus.split("train"), corpus.split("test")
    assert (len(train), log["pieces"]["train"]) == (20, 20)
    row = log["rows"]["ppm"]
    model = PPM(row["order"], vocabulary_size=len(corpus.tokenizer.vocabulary)).fit(train)
    np.testing.assert_allclose(row["nats"]["tokens"], [model.nats(piece)[1:].sum() for piece in test], atol=1e-3)
    assert row["order"] in recipe.ORDERS


def test_a_loop_is_degenerate_and_real_music_is_not(log):
    loop, real = (log["rows"][row]["kept"][0] for row in ("loop", "real"))
    assert loop["measures"]["degenerate"] == [1, 1, 1]
    assert loop["warnings"] == {"loop": 3}
    assert loop["measures"]["primer_recall"] == [1, 1, 1]
    assert real["measures"]["degenerate"] == [0, 0, 0]
    assert 0 < np.mean(real["measures"]["primer_recall"]) < 1
    assert np.mean(real["measures"]["far_repeat_rate"]) < np.mean(loop["measures"]["far_repeat_rate"])


def test_a_run_that_diverges_is_no_choice(recipe, prepared, monkeypatch, tmp_path):
    def runs_away(*arguments):
        raise DivergedError("step 3: the loss is nan")

    monkeypatch.setattr(recipe, "trained", runs_away)
    plan = recipe.Plan(units=40, epochs=1, trials=1, trial_epochs=1)
    asked = recipe.experiment(PreparedCorpus.open(prepared), "irnn", recipe.draw(0), plan, 1)
    record = recipe.train({"trial": 0, **asked}, str(prepared), str(tmp_path), plan.setting, None)
    assert record["valid"] is None
    assert recipe.said(record) == "irnn trial 0: the numbers ran away"
    other = {"row": "irnn", "trial": 1, "valid": 3.0, "setting": {"layers": 1}}
    assert recipe.best_setting({"trainings": [record, other]}, "irnn") == {"layers": 1}
    assert recipe.best_setting({"trainings": [record]}, "irnn")["learning_rate"] == recipe.PLAIN_RATES["irnn"]
    seed = recipe.train({"seed": 0, **asked}, str(prepared), str(tmp_path), plan.setting, None)
    assert (seed["valid"], seed["diverged"], "nats" in seed) == (None, True, False)
    assert recipe.said(seed) == "irnn seed 0: the numbers ran away"


def with_seeds(log, runaways):
    """The log with a second seed of every row, equal to the first, but for those that ran away, (row, seed)."""
    made = copy.deepcopy(log) | {"seeds": 2}
    made["trainings"] += [record | {"seed": 1} for record in log["trainings"] if "seed" in record]
    for record in made["trainings"]:
        if (record["row"], record.get("seed")) in runaways:
            for name in ("nats", "kept", "gate_temperature"):
                del record[name]
            record |= {"valid": None, "diverged": True, "epochs": 0, "parameters": 0, "best_epoch": 0}
    return made


def test_a_seed_that_ran_away_is_said_and_the_others_count(recipe, page, answers, log, tmp_path):
    one = with_seeds(log, {("irnn", 0)})
    path = tmp_path / "log.json"
    path.write_text(json.dumps(one))
    text = " ".join(page.table(answers.read_log(path)).split())
    assert "The numbers ran away before the first validation: IRNN seed 0. These have no model." in text
    assert "All rows have 1 seed, as the one with the fewest" in text
    assert "seeds: 1. The test" in text
    assert "| **IRNN** |" in text
    assert "Not finished" not in text
    assert answers.Found(one).models["irnn"][0]["seed"] == 1
    later = copy.deepcopy(log)
    next(r for r in later["trainings"] if r["row"] == "gru" and "seed" in r)["diverged"] = True
    assert "**They ran away later: GRU seed 0. The best model of before counts.**" in " ".join(
        page.table(later).split()
    )


@pytest.mark.parametrize("row", ["irnn", "rnn", "lstm+memory"])
def test_a_row_that_always_ran_away_is_left_out_and_the_rest_answered(recipe, page, answers, log, tmp_path, row):
    path = tmp_path / "log.json"
    path.write_text(json.dumps(with_seeds(log, {(row, 0), (row, 1)})))
    text = page.table(answers.read_log(path))
    name = answers.NAMES[row]
    assert f"Without a model, and left out: {name}." in " ".join(text.split())
    assert f"| **{name}** |" not in text
    assert sum(line.startswith("| **") for line in text.splitlines()) == 2 * 7  # of likelihood, of what is kept
    assert "seeds: 2." in " ".join(text.split())
    assert "Not finished" not in text
    questions = [line for line in text.splitlines() if line.startswith("- ")]
    assert 0 < len(questions) <= len(answers.QUESTIONS) * 3 + 4 * len(answers.ASKED_TOO)
    assert all(f"{name} " not in line for line in questions if row == "irnn")


def test_without_a_search_every_row_has_a_rate_of_its_own(recipe):
    rates = {row: recipe.best_setting({"trainings": []}, row)["learning_rate"] for row in recipe.MODELS}
    assert rates["irnn+memory"] < rates["irnn"]  # at which its numbers run away
    for cell in ("rnn", "gru", "lstm"):
        assert rates[f"{cell}+memory"] == rates[cell]


def test_what_cannot_be_is_told_before_anything_is_trained(recipe, prepared, tmp_path):
    short = recipe.Plan(units=40, epochs=1, trials=0, trial_epochs=0, setting=recipe.Setting(bars=40))
    with pytest.raises(NoNotesError, match="0 test pieces of 48 bars or more"):
        recipe.Bench(short, "tunes", str(prepared), tmp_path / "log.json", tmp_path / "runs")
    write_midi(tune("ABA"), tmp_path / "a.mid")
    recipe.prepare([str(tmp_path / "a.mid")], tmp_path / "corpus", recipe.PrepareOptions(tokenizer="performance"))
    with pytest.raises(OptionError, match="performance tokens, which know no bars; make one by seqaudio prepare"):
        recipe.Bench(recipe.FULL, "a", str(tmp_path / "corpus"), tmp_path / "log.json", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


# ---- measures --------------------------------------------------------------------------------------------------------


def slow_match(ids, step):
    """The longest suffix of ``ids[:step]`` that also ends before ``step``, at most 64 ids."""
    longest = 0
    for end in range(1, step):
        length = 0
        while length < min(end, 64) and ids[end - 1 - length] == ids[step - 1 - length]:
            length += 1
        longest = max(longest, length)
    return longest


def test_strata_are_those_of_a_slow_count(measures):
    ids = MELODY.encode(tune("AAB", seed=5, part_bars=4))
    edges = [*measures.STRATA, 65]
    expected = [next(k for k in range(4) if edges[k] <= slow_match(ids, t) < edges[k + 1]) for t in range(len(ids))]
    assert measures.strata_of_tokens(ids).tolist() == expected
    assert set(expected) == {0, 1, 2, 3}


def test_parts_add_up_and_cuts_are_those_of_a_slow_count(recipe, measures, prepared):
    setting = recipe.Setting(bars=16, primers=2, targets=2)
    corpus = measures.open_corpus(str(prepared), setting)
    material = measures.Material(corpus, setting)
    model = PPM(2, vocabulary_size=len(MELODY.vocabulary)).fit(corpus.split("train"))
    engine = CountingEngine(model, CountedModel(MELODY, (0, 127)))

    def adapting(pieces):  # what comes before changes what it thinks, however far back
        return [model.nats(piece, adapt=True)[1:] for piece in pieces]

    found, counts = material.nats(adapting), material.counts()
    for name in ("bars", "strata"):
        np.testing.assert_allclose(np.sum(found[name], axis=0), found["tokens"], atol=0.01)
        assert np.sum(counts[name], axis=0).tolist() == counts["tokens"]
    assert counts["tokens"] == [len(piece) - 1 for piece in corpus.split("test")]
    np.testing.assert_allclose(material.nats(lambda p: [token_nats(engine, each) for each in p])["tokens"],
                               [model.nats(piece)[1:].sum() for piece in corpus.split("test")], atol=1e-2)  # fmt: skip

    ids = np.asarray(corpus.split("test")[0], np.int64)
    score, bar = MELODY.decode(ids), int((ids == MELODY.vocabulary.id("Bar_None")).sum())
    targets = sorted({round(x) for x in np.linspace(16, bar - 1, 2)})
    whole = np.split(ids, np.flatnonzero(ids == MELODY.vocabulary.id("Bar_None")))[1:]
    lengths = [len(tokens) for tokens in whole[:-1]] + [len(whole[-1]) - 1]  # without EOS
    assert counts["cut"][0] == sum(lengths[target] for target in targets)
    for number, cut in enumerate([*measures.CUTS, 10_000]):
        slow = 0.0
        for target in targets:
            heard = MELODY.encode(from_bar(score, max(0, target - cut), target + 1))[:-1]
            slow += adapting([heard])[0][-lengths[target] :].sum()
        assert found["cuts"][number][0] == pytest.approx(slow, abs=0.01), cut


def test_a_loop_goes_round_the_last_bars_of_the_primer(measures):
    score = tune("AB", seed=1)
    looped = measures.loop(score, 6, 10)
    assert len(looped.bars()) - 1 == 16
    assert degeneracy(looped).loop_bars == 4
    assert degeneracy(looped).longest_loop == 3
    for bar in range(16):
        source = bar if bar < 6 else 2 + (bar - 6) % 4
        one, other = measures.part(looped, bar, bar + 1), measures.part(score, source, source + 1)
        for name in ("onset", "duration", "pitch"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


# ---- the page --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "p", "seeds", "says"),
    [
        (0.01, 0.3, 0.01, 3, "shown"),
        (-0.3, -0.01, 0.01, 3, "shown"),
        (0.01, 0.3, 0.06, 3, "undecided"),  # the test does not agree
        (-0.01, 0.3, 0.01, 3, "undecided"),
        (-0.04, 0.05, 0.5, 3, "not shown"),
        (-0.06, 0.05, 0.5, 3, "undecided"),  # a difference worth speaking of may be there
        (0.01, 0.3, 0.01, 2, "undecided"),
        (-0.04, 0.05, 0.5, 2, "undecided"),
    ],
)
def test_the_rule(answers, low, high, p, seeds, says):
    assert answers.verdict(low, high, p, 0.05, seeds) == says


def three_seeds(log, better=0.0):
    """A log whose models have the RNN's figures in three seeds; the LSTM's nats are so much less for each token."""
    made = copy.deepcopy(log)
    rnn = next(record for record in log["trainings"] if "seed" in record and record["row"] == "rnn")
    made["trainings"] = [
        copy.deepcopy(rnn) | {"row": f"{cell}{memory}", "seed": seed}
        for cell in ("rnn", "irnn", "gru", "lstm")
        for memory in ("", "+memory")
        for seed in range(3)
    ]
    for record in made["trainings"]:
        if record["row"] == "lstm":
            tokens = zip(record["nats"]["tokens"], made["test"]["tokens"], strict=True)
            record["nats"]["tokens"] = [nats - better * count for nats, count in tokens]
    return made


def test_sentences_follow_the_rule(answers, log):
    question = answers.QUESTIONS[0]
    same = answers.sentence(answers.Found(three_seeds(log)), question, "lstm", "rnn")
    assert same.startswith("**Not shown:** LSTM and tanh RNN differ by less than 0.005 (")
    apart = answers.Found(three_seeds(log, better=0.3))
    each, p = apart.differences["nats", "lstm", "rnn"]
    assert each.interval.mean == pytest.approx(-0.3, abs=1e-6)
    assert p == 1  # too few pieces for so many tests
    assert answers.sentence(apart, question, "lstm", "rnn").startswith("**Undecided:** pieces and seeds do not tell; ")
    apart.differences["nats", "lstm", "rnn"] = (each, 0.01)
    apart.differences["nats", "rnn", "lstm"] = (Difference(Interval(0.3, 0.2, 0.4), 0.0), 0.01)
    assert "**Shown:** LSTM finds them likelier than tanh RNN (" in answers.sentence(apart, question, "lstm", "rnn")
    assert "**Shown:** tanh RNN finds them less likely than LSTM" in answers.sentence(apart, question, "rnn", "lstm")
    one = answers.sentence(answers.Found(log), question, "lstm", "rnn")
    assert one.startswith("**Undecided:** 1 seed cannot tell; here ")


def test_nearer_is_read_on_both_sides(answers):
    assert answers.nearer(0.1, 0.2, 0.4, "lstm", "rnn") == "tanh RNN nearer to them"
    assert answers.nearer(0.9, 0.5, 0.4, "lstm", "rnn") == "tanh RNN nearer to them"
    assert answers.nearer(0.3, 0.9, 0.4, "lstm", "rnn") == "LSTM nearer to them, the other on their other side"


def test_gain_and_far_are_differences_of_means(answers, log):
    found = answers.Found(log)
    nats, counts = found.nats_of("copy")[0], log["test"]
    new, heard = (np.sum(counts["strata"][part], axis=0) for part in (slice(0, 2), slice(2, 4)))
    of_new, of_heard = (np.sum(nats["strata"][part], axis=0) for part in (slice(0, 2), slice(2, 4)))
    apart = [n / a - h / b for n, a, h, b in zip(of_new, new, of_heard, heard, strict=True)]
    assert found.mean("copy", "gain") == pytest.approx(np.average(apart, weights=heard))
    assert found.mean("copy", "gain") > found.mean("ppm", "gain")
    far = (np.sum(nats["cuts"][2]) - np.sum(nats["cuts"][-1])) / np.sum(counts["cut"])
    assert found.mean("copy", "far") == pytest.approx(far)
    assert abs(found.mean("ppm", "far")) < 1e-3 < far


def test_an_unfinished_log_says_so(page, log):
    part = copy.deepcopy(log)
    del part["rows"]["real"]
    part["trainings"] = [record for record in part["trainings"] if record["row"] != "lstm"]
    assert page.UNFINISHED in page.table(part)
    assert log["seeds"] == 1
    assert page.UNFINISHED not in page.table(log)
    assert page.UNFINISHED in page.table(log | {"seeds": 2})


@pytest.mark.parametrize("missing", ["ngram", "ppm", "copy", "loop", "real"])
def test_a_row_that_is_still_to_be_measured_is_no_error(page, log, missing):
    rows = {row: found for row, found in log["rows"].items() if row != missing}
    text = page.table(log | {"rows": rows})
    assert page.UNFINISHED in text
    assert ("## What it says" in text) == (missing in ("ngram", "loop"))


def cut_off(text, log):
    return text[: len(text) // 2]


def without_a_piece(text, log):
    next(record for record in log["trainings"] if "seed" in record)["nats"]["tokens"].pop()


def not_finite(text, log):
    log["trainings"][0]["valid"] = float("nan")


def another_cell(text, log):
    log["trainings"][0]["row"] = "transformer"


def no_row(text, log):
    log["rows"]["ppm"] = 5


def without_a_setting(text, log):
    del log["plan"]["setting"]["top_p"]


def without_versions(text, log):
    del log["versions"]


def no_order(text, log):
    del log["rows"]["ppm"]["order"]


def no_continuations(text, log):
    log["rows"]["loop"]["kept"] = []


def no_curve(text, log):
    log["rows"]["real"]["kept"][0]["curve"][0] = "x"


def a_half(text, log):
    log["rows"]["real"]["kept"][0]["halves"].pop()


def no_counts(text, log):
    log["rows"]["ngram"]["kept"][0]["warnings"] = []


DAMAGES = [cut_off, without_a_piece, not_finite, another_cell, no_row, without_a_setting, without_versions, no_order]
DAMAGES += [no_continuations, no_curve, a_half, no_counts]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_log_is_refused(answers, log, tmp_path, damage):
    changed = copy.deepcopy(log)
    (tmp_path / "log.json").write_text(damage(json.dumps(log), changed) or json.dumps(changed))
    with pytest.raises(CheckpointError, match=r"log.json: damaged, not a log of rnn_vs_lstm.py .*; move it away"):
        answers.read_log(tmp_path / "log.json")


RESULTS = sorted((ROOT / "docs" / "results" / "rnn_vs_lstm").glob("*.json"))


@pytest.mark.slow  # intervals of 10,000 samples for every figure
@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_the_committed_page_is_what_its_log_says(answers, page, path):
    assert page.table(answers.read_log(path)) == path.with_suffix(".md").read_text(encoding="utf-8")
