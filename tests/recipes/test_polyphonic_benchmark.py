"""Do all cells meet the same search at the same size, is nothing trained twice, and is the table what the log says?

With a memory of the piece and without.
"""

import dataclasses
import json
import shutil
import sys
from functools import partial
from itertools import dropwhile, takewhile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from seqaudio.corpus.frames import FrameCorpus
from seqaudio.errors import CheckpointError, NoNotesError, OptionError
from seqaudio.models.baselines import MarkovKeys
from seqaudio.report import statistics
from tests.recipes.loading import loaded, work_here

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "recipes" / "polyphonic_benchmark.py"


@pytest.fixture(scope="module")
def recipe():
    with loaded("polyphonic_benchmark") as module:
        yield module


@pytest.fixture(scope="module")
def rolls(tmp_path_factory):
    """Pieces that walk through four chords."""
    generator = np.random.default_rng(1)
    chords = np.zeros((4, 88), bool)
    chords[np.arange(4)[:, None], [[39, 43, 46], [41, 44, 48], [43, 46, 50], [36, 39, 43]]] = True
    walks = {name: np.cumsum(generator.integers(0, 2, (count, 24)), axis=1) % 4 for name, count in SPLITS.items()}
    path = tmp_path_factory.mktemp("rolls") / "Walks.npz"
    np.savez(path, **{name: chords[walk] for name, walk in walks.items()})
    return path


SPLITS = {"train": 6, "valid": 2, "test": 3}


@pytest.fixture(scope="module")
def plans(recipe):
    return sys.modules["polyphonic_plans"]


@pytest.fixture(scope="module")
def tables(recipe):
    """The module that prints, from few bootstrap samples."""
    with pytest.MonkeyPatch.context() as patch:
        for module in PRINTING:
            for name in ("interval", "difference"):
                patch.setattr(sys.modules[module], name, partial(getattr(statistics, name), resamples=100))
        yield sys.modules["polyphonic_table"]


PRINTING = ("polyphonic_table", "polyphonic_kept")


@pytest.mark.parametrize("plan", ["QUICK_SMALL", "SMALL_MATCH"])
def test_all_cells_meet_the_same_draws_at_the_same_size(recipe, plans, rolls, plan):
    corpus, plan = FrameCorpus.open(rolls), getattr(plans, plan)
    for head in plan.trials:
        for number in range(3):
            setting = plans.draw(number)
            asked = [recipe.experiment(corpus, cell, head, setting, plan) for cell in recipe.CELLS]
            assert len({json.dumps(each["setting"]) for each in asked}) == 1
            training = [each["experiment"]["training"] for each in asked]
            assert training[0] == training[1] == training[2]
            models = [
                recipe.ModelConfig.model_validate(each["experiment"]["model"]).model_copy(update={"cell": "?"})
                for each in asked
            ]
            assert len({model.model_copy(update={"hidden_size": 1}) for model in models}) == 1
            assert models[0].memory == (plan.memory and recipe.ModelConfig(memory=plan.memory).memory)
    assert plans.draw(0) != plans.draw(1)


def test_a_memory_costs_no_parameters(recipe, plans, rolls):
    """Models with it are as large as the plain one-layer LSTM that all plain models are as large as."""
    corpus = FrameCorpus.open(rolls)
    known = recipe.distinct_frames(corpus.split("train"))

    def parameters(**sizes):
        config = recipe.ModelConfig(layers=1, head="joint", escape="notes", **sizes)
        return recipe.count_parameters(recipe.build_model(config, keys=corpus.keys, known_frames=known))

    wanted, grown = parameters(hidden_size=320), parameters(hidden_size=320, memory=plans.LARGE_MATCH.memory)
    assert grown > 1.1 * wanted
    for cell in recipe.CELLS:
        model = recipe.matched_model(corpus, cell, "joint", plans.PLAIN, plans.LARGE_MATCH)
        built = recipe.build_model(model, keys=corpus.keys, known_frames=known)
        assert built.gate.sources == 1 + len(plans.LARGE_MATCH.memory["lags"])
        assert recipe.count_parameters(built) == pytest.approx(wanted, rel=0.02)


def test_a_setting_known_to_be_good_comes_before_those_that_are_drawn(plans):
    plan = plans.SMALL_MATCH
    drawn = [plans.draw(number) for number in range(8)]
    assert plans.tried(plan, "joint") == dict(enumerate([plan.first, *drawn[:5]]))
    assert plans.tried(plans.SMALL, "joint") == dict(enumerate(drawn))
    large = {head: plans.tried(plans.LARGE, head) for head in ("independent", "joint")}
    assert large["joint"] == dict(enumerate(drawn))
    # one number is one setting, whatever the head
    assert large["independent"] == {**dict(enumerate(drawn[:6])), 8: plans.LARGE.last["independent"]}


@pytest.fixture(scope="module")
def printed(recipe, plans, tables, rolls, tmp_path_factory):
    """The recipe's output with tiny models, and its folder of results."""
    folder = tmp_path_factory.mktemp("benchmark")
    tiny = dataclasses.replace(
        plans.SMALL, units=64, steps=plans.by_head(4, 4), trials=plans.by_head(2, 1), trial_share=0.5
    )
    first, again = (ran(recipe, rolls, folder, runs, SMALL=tiny, here=False) for runs in ("runs", "other"))
    return folder, first, again


@pytest.fixture(scope="module")
def remembered(recipe, plans, rolls, printed):
    """The same with a memory of the piece, into the same folder, and the page of the plain models by then."""
    folder, _, _ = printed
    tiny = dataclasses.replace(plans.SMALL_MATCH, units=64, steps={"joint": 4}, trials={"joint": 2}, trial_share=0.5)
    before = (folder / "Walks.md").read_text()
    result = ran(recipe, rolls, folder, "runs", "--memory", "match", SMALL_MATCH=tiny)
    return folder, result, before


KEPT = {"primer": 6, "steps": 8, "bar": 2, "loop": 4, "windows": 5, "valid_windows": 3, "gate_temperatures": (1.0, 0.5)}


def ran(recipe, rolls, folder, runs, *options, here=True, **plan):
    """What the command says with other plans, one training at a time, in this process or in a worker."""
    with pytest.MonkeyPatch.context() as patch:
        if here:
            work_here(patch, recipe, sys.modules["trainings"])
        for name, tiny in plan.items():
            patch.setattr(sys.modules["polyphonic_plans"], name, tiny)
        retention = sys.modules["polyphonic_retention"]
        patch.setattr(retention, "FULL", retention.Setting(**KEPT))
        patch.setenv("PYTHONPATH", str(PAGE.parent), prepend=":")
        arguments = ["--data", str(rolls), "--seeds", "2", "--jobs", "1", "--out", str(folder)]
        arguments += ["--runs", str(folder / runs), *options]
        result = CliRunner().invoke(recipe.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result


def test_it_goes_from_a_set_of_rolls_to_the_table(recipe, rolls, printed):
    folder, first, _ = printed
    log = json.loads((folder / "Walks.json").read_text())
    assert len(log["trainings"]) == 3 * (2 + 1) + 2 * 3 * 2  # trials, then two seeds of each cell and head
    assert len({sys.modules["trainings"].key(record) for record in log["trainings"]}) == len(log["trainings"])
    for head in ("independent", "joint"):
        sizes = [record["parameters"] for record in log["trainings"] if record["head"] == head]
        assert max(sizes) - min(sizes) <= 0.04 * min(sizes)
    for record in log["trainings"]:
        assert ("test_nats" in record) == ("seed" in record)  # a trial never sees the test pieces
    for cell in recipe.CELLS:  # what validation liked best is what was trained again
        tried = [r for r in log["trainings"] if "trial" in r and recipe.of(r, cell, "independent")]
        chosen = min(tried, key=lambda record: record["valid"])["setting"]
        final = [r for r in log["trainings"] if "seed" in r and recipe.of(r, cell, "independent")]
        assert len(final) == 2
        assert all(record["setting"] == chosen for record in final)
    assert str(rolls.parent) not in (folder / "Walks.json").read_text()

    corpus = FrameCorpus.open(rolls)
    nats = [MarkovKeys(order=0).fit(corpus.split("train")).nats(piece).sum() for piece in corpus.split("test")]
    row = next(line for line in first.stdout.splitlines() if line.startswith("| per-key unigram |"))
    assert f"{sum(nats) / (3 * 23):.3f}" in row
    for words in ("**LSTM, marginal**", "**GRU, joint**", "| RNN, joint | RNN, independent |", "frame PPM"):
        assert words in first.stdout


def test_a_log_of_something_else_is_kept(recipe, plans, rolls, printed):
    folder, _, _ = printed
    before = (folder / "Walks.json").read_bytes()
    with pytest.raises(OptionError, match=r"Walks\.json: of another plan; name another folder with --out"):
        recipe.Bench(plans.LARGE, str(rolls), FrameCorpus.open(rolls), folder / "Walks.json", folder / "runs")
    assert (folder / "Walks.json").read_bytes() == before


def test_what_the_log_holds_is_not_trained_again(printed):
    folder, first, again = printed
    assert "seeds" in first.stderr
    assert again.stderr == ""
    assert not (folder / "other").exists()
    assert again.stdout == first.stdout == (folder / "Walks.md").read_text() + "\n"


def test_a_setting_of_later_does_not_make_old_trainings_new(printed):
    key = sys.modules["trainings"].key
    record = json.loads((printed[0] / "Walks.json").read_text())["trainings"][0]
    older, other = json.loads(json.dumps([record, record]))
    del older["experiment"]["model"]["memory"], older["experiment"]["training"]["transpose_share"]
    assert older["experiment"] != record["experiment"]
    assert key(older) == key(record)
    other["experiment"]["model"]["memory"] = {"lags": [4]}
    assert key(other) != key(record)
    of_later = json.loads(json.dumps(other))
    of_later["experiment"]["model"]["memory"] |= {"match": True, "match_velocities": True}  # as they are unless told
    assert key(of_later) == key(other)


@pytest.mark.parametrize("name", ["Walks", "Walks-match"])
def test_a_table_says_that_seeds_are_missing(tables, remembered, name):
    log, plain = (json.loads((remembered[0] / f"{each}.json").read_text()) for each in (name, "Walks"))
    assert "Not finished" not in tables.table(name, log, plain)
    assert "Not finished" in tables.table(name, log | {"seeds": 3}, plain)
    for count in range(len(log["trainings"])):  # a run may be looked at any time
        begun = tables.table(name, log | {"trainings": log["trainings"][:count]}, plain)
        assert ("No search." in begun) == (count == 0)


def cut(text, log):
    return text[: len(text) // 2]


def without_a_piece(text, log):
    next(record for record in log["trainings"] if "seed" in record)["test_nats"].pop()


def not_finite(text, log):
    log["trainings"][0]["valid"] = float("nan")


def another_cell(text, log):
    log["trainings"][0]["cell"] = "transformer"


def no_baseline(text, log):
    log["baselines"]["per-key Markov"] = 5


def strata_of_a_piece_less(text, log):
    for sums in log["baselines"]["per-key Markov"]["test_strata"]:
        sums.pop()


def a_stratum_less(text, log):
    log["frames"]["test_strata"].pop()


def continuations_of_a_piece_less(text, log):
    log["retention"]["rows"]["loop of the primer"][0]["measures"]["primer_recall"].pop()


def continuations_without_a_curve(text, log):
    log["retention"]["models"][0]["curve"][0] = float("nan")


def continuations_of_no_row(text, log):
    log["retention"]["models"][0]["cell"] = "transformer"


def half_of_the_real_pieces(text, log):
    log["retention"]["rows"]["real pieces"][0]["halves"].pop()


DAMAGES = [cut, without_a_piece, not_finite, another_cell, no_baseline, strata_of_a_piece_less, a_stratum_less]
DAMAGES += [continuations_of_a_piece_less, continuations_without_a_curve, continuations_of_no_row]
DAMAGES += [half_of_the_real_pieces]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_log_is_refused(recipe, printed, tmp_path, damage):
    text = (printed[0] / "Walks.json").read_text()
    log = json.loads(text)
    (tmp_path / "log.json").write_text(damage(text, log) or json.dumps(log))
    with pytest.raises(CheckpointError, match=r"log.json: damaged, not a log of polyphonic_benchmark.py .*; move"):
        recipe.read_log(tmp_path / "log.json")


def test_what_cannot_be_is_told_before_anything_is_trained(recipe, rolls, tmp_path):
    (tmp_path / "file").touch()
    with np.load(rolls) as stored:
        arrays = dict(stored)
    np.savez(tmp_path / "Cut.npz", train=arrays["train"], valid=arrays["valid"], test=arrays["test"][:, :1])
    for data, out, kind in ((rolls, "file", FileExistsError), (tmp_path / "Cut.npz", "new", NoNotesError)):
        arguments = ["--data", str(data), "--out", str(tmp_path / out), "--runs", str(tmp_path / "runs")]
        assert isinstance(CliRunner().invoke(recipe.main, arguments).exception, kind)
    assert CliRunner().invoke(recipe.main, ["--data", str(rolls), "--jobs", "0"]).exit_code == 2
    assert not (tmp_path / "runs").exists()


def test_a_model_is_had_however_short_the_time(recipe, plans, rolls, tmp_path):
    plan = dataclasses.replace(plans.SMALL, units=64, steps=plans.by_head(4, 4))
    asked = recipe.experiment(FrameCorpus.open(rolls), "lstm", "independent", plans.PLAIN, plan)
    record = recipe.train({"seed": 0, **asked}, str(rolls), str(tmp_path), 1e-9)
    assert record["best_epoch"] == 1
    assert len(record["test_nats"]) == 3


def test_baselines_of_any_number_of_keys(recipe):
    frames = np.random.default_rng(0).random((2, 9, 12)) < 0.3
    for make in recipe.BASELINES.values():
        assert np.isfinite(make(12).fit(frames).nats(frames[0])).all()


RESULTS = sorted((ROOT / "docs" / "results" / "polyphonic").glob("*.json"))


@pytest.mark.parametrize("log", RESULTS, ids=lambda path: path.stem)
def test_the_committed_table_is_what_its_log_says(tables, monkeypatch, log):
    for module in PRINTING:
        for name in ("interval", "difference"):
            monkeypatch.setattr(sys.modules[module], name, getattr(statistics, name))
    assert tables.page(log) == log.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("log", RESULTS, ids=lambda path: path.stem)
def test_a_committed_log_is_of_a_plan_that_is_still_followed(plans, log):
    with_match = plans.SMALL_MATCH, plans.LARGE_MATCH
    followed = (plans.SMALL, plans.LARGE, *with_match, *map(plans.lookback, with_match))
    assert json.loads(log.read_text(encoding="utf-8"))["plan"] in [plan.as_record() for plan in followed]


# ---- by what was heard before ----------------------------------------------------------------------------------------


def slow_stratum(piece, t):
    """Of frame t: the longest run of frames before it that also ended earlier, by looking at all of them."""
    longest = 0
    for end in range(1, t):
        same = 0
        while same < min(end, 64) and (piece[end - 1 - same] == piece[t - 1 - same]).all():
            same += 1
        longest = max(longest, same)
    return sum(longest >= edge for edge in (4, 8, 32))


def test_strata_are_those_of_a_slow_search(recipe):
    strata = sys.modules["polyphonic_strata"]
    generator = np.random.default_rng(3)
    phrase = generator.random((40, 12)) < 0.3
    pieces = [
        np.concatenate([phrase, generator.random((2, 12)) < 0.5, phrase[:13], phrase]),
        generator.random((60, 12)) < 0.02,
        phrase[:1],
    ]
    numbers = [[slow_stratum(piece, t) for t in range(1, len(piece))] for piece in pieces]
    assert set(numbers[0]) == {0, 1, 2, 3}
    assert [strata.strata(piece).tolist() for piece in pieces] == numbers
    nats = [generator.random(len(piece) - 1) for piece in pieces]
    for which, sums in enumerate(strata.by_stratum(pieces, nats)):
        expected = [row[np.array(number, int) == which].sum() for row, number in zip(nats, numbers, strict=True)]
        assert sums == pytest.approx(expected, abs=1e-3)


def test_strata_add_up_to_the_whole(remembered):
    for name in ("Walks", "Walks-match"):
        log = json.loads((remembered[0] / f"{name}.json").read_text())
        assert np.sum(log["frames"]["test_strata"], axis=0).tolist() == log["frames"]["test"]
        rows = [*log["baselines"].values(), *(record for record in log["trainings"] if "seed" in record)]
        assert len(rows) > 6
        for row in rows:
            assert np.sum(row["test_strata"], axis=0) == pytest.approx(row["test_nats"], abs=1e-2)
        assert not any("test_strata" in record for record in log["trainings"] if "trial" in record)


def rows_of(text, title):
    """The lines of the first table behind a title, as cells."""
    lines = dropwhile(lambda line: not line.startswith("|"), text[text.index(title) :].splitlines())
    return [line.strip("| ").split(" | ") for line in takewhile(lambda line: line.startswith("|"), lines)]


def test_the_table_of_strata_is_what_the_log_says(remembered):
    _, result, _ = remembered
    log = json.loads((remembered[0] / "Walks-match.json").read_text())
    names, _, frames, *rows = rows_of(result.stdout, "Test nats per frame by")
    counts = np.sum(log["frames"]["test_strata"], axis=1)
    assert names == ["model", "0 to 3", "4 to 7", "8 to 31", "32 on"]
    assert [int(cell.split()[0]) for cell in frames[1:]] == counts.tolist()
    assert len(rows) == 6 + 3 + 3
    row = next(cells for cells in rows if cells[0] == "**GRU, joint, match memory**")
    trained = [r["test_strata"] for r in log["trainings"] if r["cell"] == "gru" and "seed" in r]
    expected = np.mean(trained, axis=0).sum(axis=1)[:3] / counts[:3]
    assert [float(cell) for cell in row[1:4]] == pytest.approx(expected, abs=6e-4)


def test_a_log_of_before_there_were_strata_is_printed_and_goes_on(recipe, tables, rolls, printed, tmp_path):
    log = json.loads((printed[0] / "Walks.json").read_text())
    finals = [record for record in log["trainings"] if "seed" in record]
    older = json.loads(json.dumps(log))
    del older["frames"]["test_strata"]
    for row in (*older["baselines"].values(), *older["trainings"]):
        row.pop("test_strata", None)
    without = tables.table("Walks", older)
    assert "by how many frames" not in without
    begin, end = (printed[1].stdout.index(words) for words in ("\nTest nats per frame by", "\nDifferences on"))
    assert without == printed[1].stdout[:begin] + printed[1].stdout[end:-1]  # all else is as it is with them

    there = printed[0] / "runs" / "Walks" / "full"
    assert recipe.measured_again(finals[0], str(rolls), str(there))["test_strata"] == finals[0]["test_strata"]
    another = {**finals[0], "test_nats": finals[-1]["test_nats"]}
    assert recipe.measured_again(another, str(rolls), str(there)) == {}

    for record in finals[1:]:  # one training has strata, and the folder of one more is still there
        record.pop("test_strata")
    kept, runs = tmp_path / "Walks.json", tmp_path / "runs" / "Walks" / "full"
    kept.write_text(json.dumps(log))
    runs.mkdir(parents=True)
    shutil.copytree(recipe.folder_of(finals[1], str(there)), recipe.folder_of(finals[1], str(runs)))
    tiny = recipe.Plan(**log["plan"])
    result = ran(recipe, rolls, tmp_path, "runs", SMALL=tiny)
    assert result.stderr == ""  # nothing was trained
    assert len(list(runs.iterdir())) == 1
    has = [record for record in json.loads(kept.read_text())["trainings"] if "test_strata" in record]
    assert [(record["cell"], record["seed"]) for record in has] == [(r["cell"], r["seed"]) for r in finals[:2]]
    some = [cells[0] for cells in rows_of(result.stdout, "Test nats per frame by") if "of 2 seeds" in cells[0]]
    assert len(some) == 2
    assert result.stdout.count("Without strata, as they were measured before these were kept: ") == 1


# ---- what continuations keep -----------------------------------------------------------------------------------------

ROWS = ["real pieces", "loop of the primer", "Markov over frames, order 4"]


def test_continuations_of_every_joint_model_are_measured_once(remembered):
    folder, result, _ = remembered
    for name in ("Walks", "Walks-match"):
        log = json.loads((folder / f"{name}.json").read_text())
        kept = log["retention"]
        assert kept["windows"] == [2, 2, 1]  # five of six, evenly spread
        assert {row: len(seeds) for row, seeds in kept["rows"].items()} == dict(zip(ROWS, (1, 1, 2), strict=True))
        measured = sorted((each["cell"], each["seed"]) for each in kept["models"])
        assert measured == [(cell, seed) for cell in ("gru", "lstm", "rnn") for seed in range(2)]
        for each in kept["models"]:
            assert each.get("gate_temperature") in ((1.0, 0.5) if "match" in name else (None,))
    assert result.stderr.count("continuations ") == 3 + 6


def test_the_table_of_continuations_is_what_the_log_says(remembered):
    folder, result, _ = remembered
    logs = [json.loads((folder / f"{name}.json").read_text())["retention"] for name in ("Walks", "Walks-match")]
    _, _, *rows = rows_of(result.stdout, "## What continuations keep")
    cells, kinds = ("RNN", "GRU", "LSTM"), ("plain", "match memory")
    assert [row[0] for row in rows] == ROWS + [f"**{cell}, {kind}**" for kind in kinds for cell in cells]
    for cell, line in zip(cells * 2, rows[3:], strict=True):
        log = logs[rows.index(line) > 5]
        sums = [each["measures"]["shared_run"] for each in log["models"] if each["cell"] == cell.lower()]
        assert float(line[4].split()[0]) == pytest.approx(np.sum(sums) / 2 / 5, abs=0.051)
        error = np.mean([each["curve"] for each in log["models"] if each["cell"] == cell.lower()], axis=0)
        error = np.abs(error - log["rows"]["real pieces"][0]["curve"]).mean()
        assert float(line[3].split()[0]) == pytest.approx(error, abs=6e-4)
    text = result.stdout[result.stdout.index("## What continuations keep") :]
    pairs = [row[:3] for row in rows_of(text, "First row minus second")[2:]]
    others = ("RNN, match memory", "GRU, match memory", "LSTM, plain", "real pieces")
    assert pairs == [
        [what, "LSTM, match memory", other] for what in ("far repeats", "primer recall") for other in others
    ]
    lstm = [str(each["gate_temperature"]) for each in logs[1]["models"] if each["cell"] == "lstm"]
    assert f"LSTM, match memory {', '.join(value.removesuffix('.0') for value in lstm)} (" in " ".join(text.split())


def test_continuations_of_before_and_of_other_windows(tables, remembered):
    log, plain = (json.loads((remembered[0] / f"{name}.json").read_text()) for name in ("Walks-match", "Walks"))
    older = {name: value for name, value in log.items() if name != "retention"}
    text = tables.table("Walks-match", log, plain)
    begin, end = (text.index(words) for words in ("\n## What continuations keep", "\nThe search:"))
    assert tables.table("Walks-match", older, plain) == text[:begin] + text[end:]
    other = plain | {"retention": plain["retention"] | {"windows": [2, 2, 2]}}
    for beside in (other, {name: value for name, value in plain.items() if name != "retention"}):
        assert "No plain rows: no log of plain models beside this one has continuations" in tables.table(
            "Walks-match", log, beside
        )
    unmeasured = log | {"retention": log["retention"] | {"models": []}}
    assert "The gate has temperature" not in tables.table("Walks-match", unmeasured, plain)
    chosen = ("gate_temperature", "valid")
    free = [{name: each[name] for name in each if name not in chosen} for each in log["retention"]["models"]]
    text = tables.table("Walks-match", log | {"retention": log["retention"] | {"models": free}}, plain)
    assert "The gate has temperature 1: there are no validation windows to choose by." in text
    short = log | {"retention": log["retention"] | {"windows": [], "rows": {}, "models": []}}
    text = tables.table("Walks-match", short, plain)
    assert "not measured: fewer than two test pieces have 6 frames and 8 behind them." in text
    assert "## What continuations keep" not in text


def test_missing_continuations_are_told_and_measured_where_the_model_is(recipe, tables, rolls, printed, tmp_path):
    log = json.loads((printed[0] / "Walks.json").read_text())
    finals = [record for record in log["trainings"] if "seed" in record and record["head"] == "joint"]
    there = printed[0] / "runs" / "Walks" / "full"
    setting = sys.modules["polyphonic_retention"].Setting(**KEPT)
    kept = recipe.retained(finals[0], str(rolls), str(there), setting)
    assert [
        each for each in log["retention"]["models"] if each["cell"] == kept[0]["cell"] and each["seed"] == 0
    ] == kept
    another = {**finals[0], "test_nats": finals[-1]["test_nats"]}
    assert recipe.retained(another, str(rolls), str(there), setting) == []

    gone, missing = log["retention"]["models"][-2:]
    log["retention"]["models"] = log["retention"]["models"][:-2]
    (tmp_path / "Walks.json").write_text(json.dumps(log))
    name = f"{missing['cell']} joint seed {missing['seed']}"
    folder = name.replace(" ", "-")
    shutil.copytree(there / folder, tmp_path / "runs" / "Walks" / "full" / folder)
    result = ran(recipe, rolls, tmp_path, "runs", SMALL=recipe.Plan(**log["plan"]))
    assert result.stderr == f"continuations 1/1: {name}\n"
    measured = json.loads((tmp_path / "Walks.json").read_text())
    assert measured["retention"]["models"] == [*log["retention"]["models"], missing]
    seeds = {cell: sum(each["cell"] == cell for each in measured["retention"]["models"]) for cell in recipe.CELLS}
    assert seeds[gone["cell"]] == 1
    shown = [row[0] for row in rows_of(result.stdout, "## What continuations keep")[5:]]
    some = {1: " (1 of 2 seeds)", 2: ""}
    assert shown == [f"**{cell.upper()}, plain**{some[seeds[cell]]}" for cell in recipe.CELLS]


def test_with_another_setting_continuations_are_begun_anew(recipe, rolls, printed):
    log = json.loads((printed[0] / "Walks.json").read_text())
    bench = recipe.Bench(
        recipe.Plan(**log["plan"]), str(rolls), FrameCorpus.open(rolls), printed[0] / "Walks.json", printed[0] / "runs"
    )
    assert bench.log["retention"]["setting"]["primer"] == 64
    assert bench.log["retention"]["models"] == []
    assert bench.log["trainings"] == log["trainings"]


# ---- with a memory of the piece --------------------------------------------------------------------------------------


def test_with_a_memory_every_cell_has_one_in_a_log_of_its_own(recipe, remembered):
    folder, result, before = remembered
    log, plain = (json.loads((folder / f"{name}.json").read_text()) for name in ("Walks-match", "Walks"))
    assert len(log["trainings"]) == 3 * 2 + 2 * 3
    for record in log["trainings"]:
        model = record["experiment"]["model"]
        asked = {"match": True, "lags": [4, 8, 16], "counters": [4, 16], "features": 8, "match_velocities": True}
        assert model["memory"] == asked
        assert record["head"] == model["head"] == "joint"
    plain_joint = [r["parameters"] for r in plain["trainings"] if r["head"] == "joint"]
    sizes = [record["parameters"] for record in log["trainings"]]
    assert max(sizes + plain_joint) - min(sizes + plain_joint) <= 0.04 * min(sizes)
    assert result.stdout == (folder / "Walks-match.md").read_text() + "\n"
    assert (folder / "Walks.md").read_text() == before
    assert "--data Walks.mat --memory match`" in result.stdout


def test_models_with_and_without_a_memory_stand_in_one_table(remembered):
    folder, result, _ = remembered
    log, plain = (json.loads((folder / f"{name}.json").read_text()) for name in ("Walks-match", "Walks"))
    kinds = {
        head: np.mean([r["valid"] for r in plain["trainings"] if "seed" in r and r["head"] == head])
        for head in ("independent", "joint")
    }
    best = min(kinds, key=kinds.get)
    shown = [cells[0] for cells in rows_of(result.stdout, "Next-frame nats")[2:]]
    head = {"independent": "marginal", "joint": "joint"}[best]
    cells = ("RNN", "GRU", "LSTM")
    assert shown[6:] == [f"**{c}, {head}**" for c in cells] + [f"**{c}, joint, match memory**" for c in cells]
    steps = plain["plan"]["steps"][best], log["plan"]["steps"]["joint"]
    said = " ".join(result.stdout.split())
    assert f"trained for {steps[0]:,} steps, those with it for {steps[1]:,}." in said

    def nats(cell, memory):
        found = [r for r in (log if memory else plain)["trainings"] if "seed" in r and r["cell"] == cell.lower()]
        return np.array([r["test_nats"] for r in found if memory or r["head"] == best])

    with_it, without = ({cell: nats(cell, memory) for cell in cells} for memory in (True, False))
    likeliest = min(log["baselines"], key=lambda row: sum(log["baselines"][row]["valid_nats"]))
    expected = {("LSTM, match memory", f"{c}, match memory"): with_it["LSTM"] - with_it[c] for c in ("RNN", "GRU")}
    expected |= {("LSTM, match memory", f"{c}, plain"): with_it["LSTM"] - without[c] for c in cells}
    expected |= {("LSTM, match memory", likeliest): with_it["LSTM"] - log["baselines"][likeliest]["test_nats"]}
    expected |= {(f"{c}, match memory", f"{c}, plain"): with_it[c] - without[c] for c in ("RNN", "GRU")}
    gained = {c: with_it[c] - without[c] for c in cells}
    less = "match memory less plain"
    expected |= {(f"LSTM, {less}", f"{c}, {less}"): gained["LSTM"] - gained[c] for c in ("RNN", "GRU")}
    frames = sum(log["frames"]["test"])
    found = {(one, other): figures for one, other, figures, _ in rows_of(result.stdout, "Differences on")[2:]}
    assert found.keys() == expected.keys()
    for pair, apart in expected.items():
        assert float(found[pair].split()[0]) == pytest.approx(apart.mean(axis=0).sum() / frames, abs=6e-4)


def test_what_looks_back_stands_in_the_table_of_the_match_memory(recipe, plans, tables, rolls, remembered, tmp_path):
    """Models with fixed lags alone: no source is the longest match, and they stand beside both other kinds."""
    for name in ("Walks", "Walks-match"):
        shutil.copy(remembered[0] / f"{name}.json", tmp_path)
    tables.write_pages(tmp_path / "Walks-match.json")
    without = (tmp_path / "Walks-match.md").read_text()
    tiny = dataclasses.replace(plans.SMALL_MATCH, units=64, steps={"joint": 4}, trials={"joint": 1}, trial_share=0.5)
    ran(recipe, rolls, tmp_path, "runs", "--memory", "lookback", SMALL_MATCH=tiny)
    log = json.loads((tmp_path / "Walks-lookback.json").read_text())
    assert {record["experiment"]["model"]["memory"]["match"] for record in log["trainings"]} == {False}
    alone, together = ((tmp_path / f"Walks-{name}.md").read_text() for name in ("lookback", "match"))
    assert "Lookback: what stood 4, 8, 16 frames ago" in alone
    assert "--data Walks.mat --memory lookback`" in alone
    assert "match memory" not in alone
    for cell in ("RNN", "GRU", "LSTM"):
        (row,) = (line for line in alone.splitlines() if line.startswith(f"| **{cell}, joint, lookback** | joint"))
        assert row in together
        assert row not in without
        assert f"| {cell}, match memory | {cell}, lookback |" in together
        assert f"| {cell}, lookback | {cell}, plain |" in alone
    assert "| far repeats | LSTM, match memory | LSTM, lookback |" in together


def test_a_page_with_a_memory_follows_the_plain_log(tables, remembered, tmp_path):
    for name in ("Walks", "Walks-match"):
        shutil.copy(remembered[0] / f"{name}.json", tmp_path)
    match, plain = tmp_path / "Walks-match.json", tmp_path / "Walks.json"
    text, log = tables.page(match), json.loads(plain.read_text())
    assert text == (remembered[0] / "Walks-match.md").read_text()
    for record in log["trainings"]:
        record["valid"] += 1.0
    plain.write_text(json.dumps(log))
    tables.write_pages(plain)
    assert match.with_suffix(".md").read_text() == tables.page(match) != text
    for other in ({"sha256": "0"}, {"quick": True}, {"plan": log["plan"] | {"units": 65}}):
        plain.write_text(json.dumps(log | other))
        assert "No plain rows" in tables.page(match)
    plain.unlink()
    alone = tables.page(match)
    assert "No plain rows" in alone
    assert "less plain" not in alone
    assert "| LSTM, match memory | RNN, match memory |" in alone


def test_the_plain_log_is_looked_at_before_anything_is_trained(recipe, rolls, printed, tmp_path):
    (tmp_path / "Walks.json").write_text("{")
    arguments = ["--data", str(rolls), "--memory", "match", "--out", str(tmp_path), "--runs", str(tmp_path / "runs")]
    with pytest.raises(CheckpointError, match=r"Walks\.json: damaged"):
        CliRunner().invoke(recipe.main, arguments, catch_exceptions=False)
    assert not (tmp_path / "runs").exists()
