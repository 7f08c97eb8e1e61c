"""Does the walk forward look ahead, are marks and forecasts those of a slow count, and does the page tell them?"""

import csv
import io
import json
import math
import sys
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from seqaudio.errors import BadFileError, CheckpointError, MissingDependencyError, OptionError
from seqaudio.models.config import ModelConfig
from seqaudio.training.evaluate import piece_nats
from tests.recipes.loading import loaded
from tests.samples import random_model

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def recipe():
    with loaded("beyond_music") as module:
        yield module


@pytest.fixture(scope="module")
def text(recipe):
    return sys.modules["beyond_text"]


@pytest.fixture(scope="module")
def series(recipe):
    return sys.modules["beyond_series"]


@pytest.fixture(scope="module")
def page(recipe):
    return sys.modules["beyond_page"]


# ---- text


SENTENCES = 26
CHAPTER = "Uno.\nDos tres.\n\n" + "Una frase que es larga y sigue.\n\n" * SENTENCES


@pytest.fixture
def book_path(tmp_path):
    chapters = [f"Capítulo {n}\n\n{CHAPTER}" for n in range(4)]
    chapters[2] += "¡Ay!\n\n"
    chapters[3] += "zzz ¿qué?\n"
    path = tmp_path / "book.txt"
    path.write_text("\n\n\n".join(chapters), encoding="utf-8")
    return path


def test_the_book_that_is_shipped(text):
    book = text.open_book(text.BOOK)
    said = [book.text(passage) for passage in (*book.train, *book.valid, *book.test)]
    assert said[0].startswith(
        "\nCapítulo primero. Que trata de la condición y ejercicio del famoso hidalgo don Quijote"
    )
    assert "\nEn un lugar de la Mancha, de cuyo nombre no quiero acordarme, no ha mucho tiempo que vivía" in said[0]
    assert said[-1].endswith("le halló del modo que se contará en la segunda parte.\n")
    assert sum("Capítulo" in each for each in said) == 8
    assert book.text(book.test[0]).startswith("\nCapítulo VIII. ")
    assert all(text.OTHER not in each for each in said[: len(book.train)])


def test_a_book_is_chapters_apart_and_what_is_unknown_is_one_symbol(text, book_path):
    book = text.open_book(book_path)
    assert "¿" not in book.symbols  # of the test chapter alone
    assert "z" not in book.symbols
    assert book.vocabulary == len(book.symbols) + 1
    last = book.text(book.test[-1])
    assert last.endswith(f"{text.OTHER * 3} {text.OTHER}qu{text.OTHER}{text.OTHER}\n")
    whole = "".join(book.text(passage)[1:] for passage in book.train)
    expected = "".join(
        f"Capítulo {n}\nUno. Dos tres.\n" + "Una frase que es larga y sigue.\n" * SENTENCES for n in range(2)
    )
    assert whole == expected
    for passage in (*book.train, *book.valid, *book.test):
        assert book.text(passage)[0] == book.text(passage)[-1] == "\n"
        assert text.PASSAGE <= len(passage) < 2 * text.PASSAGE + 40


def test_a_book_needs_three_chapters(text, tmp_path):
    path = tmp_path / "short.txt"
    path.write_text(f"{CHAPTER}\n\n\n{CHAPTER}")
    with pytest.raises(OptionError, match="it needs three"):
        text.open_book(path)
    path.write_text("\n\n\n\n".join([CHAPTER, CHAPTER, "short"]))
    with pytest.raises(OptionError, match="last chapter needs 200 characters"):
        text.open_book(path.rename(tmp_path / "end.txt"))


def test_what_is_no_text_is_refused(text, tmp_path):
    path = tmp_path / "music.mid"
    path.write_bytes(b"MThd\0\xe0music")
    with pytest.raises(BadFileError, match=r"music.mid: no text in UTF-8, from byte 5 on; save it as UTF-8"):
        text.open_book(path)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("¿Qué es esto? ¡Nada!\n", (2, 2)),
        ("¿Qué es esto. ¡Nada!\n", (2, 1)),
        ("¿Qué es esto.\n¿Y eso?\n", (2, 1)),  # the other paragraph closes nothing
        ("¿Qué ¿y eso?\n", (2, 1)),  # one end for one beginning
        ("— Sí —dijo el cura—, y no.\n", (1, 1)),  # the dash of one who speaks opens nothing
        ("— Sí —dijo el cura.\n", (1, 0)),
        ("Uno —que así (se llama)— y «otro».\n", (3, 3)),
        ("Uno ¿que queda\n¿a medias", (1, 0)),  # what is behind the last line break is no whole paragraph
        ("", (0, 0)),
    ],
)
def test_marks_are_counted(text, written, expected):
    assert text.closings(written) == expected


def test_words_are_known_or_not(text, book_path):
    assert text.words_of("El ingenioso HIDALGO, de 1605") == ["ingenioso", "hidalgo"]
    book = text.open_book(book_path)
    number = {symbol: place + 1 for place, symbol in enumerate(book.symbols)}
    texts = [[number[symbol] for symbol in said] for said in ("una frase larga", "Capítulo sigue siega", "una")]
    found = text.measured_texts(book, texts)
    assert (found["words"], found["known"]) == ([2, 3, 0], [2, 2, 0])
    assert found["sample"] == "una frase larga"


def test_a_cut_past_is_heard_from_a_state_of_zeros(text):
    model = random_model(ModelConfig(cell="gru", hidden_size=6, layers=1), 9, scale=3.0)
    pieces = [np.random.default_rng(seed).integers(9, size=140) for seed in range(2)]
    whole, cut = text.whole_nats(model, pieces), text.cut_nats(model, pieces, 4)
    places = [(piece, place) for piece in pieces for place in range(129, 140, text.EVERY)]
    assert len(places) == len(whole) == len(cut) > 6
    for (piece, place), all_of_it, few in zip(places, whole, cut, strict=True):
        assert all_of_it == pytest.approx(piece_nats(model, [piece[: place + 1]])[0][-1], abs=1e-5)
        assert few == pytest.approx(piece_nats(model, [piece[place - 4 : place + 1]])[0][-1], abs=1e-5)
    assert np.abs(whole - cut).max() > 1e-4


def test_networks_and_counts_go_on_with_their_prompt(text):
    prompts = np.array([[1, 2, 3, 4] * 10, [2, 1, 2, 1] * 10])
    counts = text.ppm(6, 3).fit([np.tile([1, 2, 3, 4], 50), np.tile([1, 2], 50)])
    written = text.counted_texts(counts, prompts, 12, 0.1, 0)  # nearly cold
    assert written[0].tolist() == [1, 2, 3, 4] * 3
    model = random_model(ModelConfig(cell="lstm", hidden_size=6, layers=1), 6, scale=3.0)
    one, same, other = (text.network_texts(model, prompts, 12, 1.0, seed) for seed in (1, 1, 2))
    assert one.shape == (2, 12)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


# ---- series


def weather_bytes(days=1000, after=0.0, changed_from=None):
    """Season and an autoregression; from a day on, if asked for, something else."""
    generator, file = np.random.default_rng(0), io.StringIO()
    rows = csv.writer(file)
    rows.writerow(["date", "precipitation", "temp_max", "temp_min", "wind", "weather"])
    apart = 0.0
    for day in range(days):
        apart = 0.7 * apart + generator.normal()
        high = 15 + 8 * math.sin(2 * math.pi * day / 365.25) + apart
        if changed_from is not None and day >= changed_from:
            high += after
        now = date(2012, 1, 1) + timedelta(day)
        rows.writerow(
            [now.strftime("%Y/%m/%d"), 0, f"{high:.4f}", f"{high - 7:.4f}", f"{generator.uniform(1, 5):.2f}", ""]
        )
    return file.getvalue().encode()


def stocks_bytes(months=84, after=1.0, changed_from=None):
    generator, file = np.random.default_rng(1), io.StringIO()
    rows = csv.writer(file)
    rows.writerow(["symbol", "date", "price"])
    for symbol, first in (("AAA", 0), ("BBB", 0), ("YNG", 55)):
        price = 100.0
        for month in range(first, months):
            price *= math.exp(0.08 * generator.normal())
            shown = price * (after if changed_from is not None and month >= changed_from else 1)
            rows.writerow([symbol, date(2000 + month // 12, month % 12 + 1, 1).strftime("%b 1 %Y"), f"{shown:.4f}"])
    return file.getvalue().encode()


@pytest.fixture(params=["weather", "stocks"])
def pair(request, series):
    """A problem and, for a fold, the same with another future."""
    if request.param == "weather":
        first = series.Weather(weather_bytes(), 3)
        return first, lambda fold: series.Weather(weather_bytes(after=30, changed_from=first.begins[fold]), 3)
    first = series.Stocks(stocks_bytes())
    return first, lambda fold: series.Stocks(stocks_bytes(after=3, changed_from=first.months[fold]))


def test_what_is_learnt_before_a_fold_knows_nothing_of_it(pair):
    first, changed = pair
    assert first.folds() >= 2
    for number in range(first.folds()):
        other = changed(number)
        for one, same in zip(
            first.fold(number).learnt(first.validation, first.window),
            other.fold(number).learnt(first.validation, first.window),
            strict=True,
        ):
            assert len(one) == len(same) > 0
            assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
        assert np.array_equal(first.scale(number), other.scale(number))
        assert not np.allclose(first.truth(number), other.truth(number), equal_nan=True), "the future is the same"
        origins = np.concatenate(first.fold(number).origins)
        begins = np.array(first.fold(number).begins).repeat([len(each) for each in first.fold(number).origins])
        known = origins < begins  # forecasts whose origin lies before the fold
        assert known.any()
        for row in first.rows:
            for one, same in zip(first.naive(row, number), other.naive(row, number), strict=True):
                assert np.array_equal(one[known], same[known]), row


def test_pieces_end_before_the_fold_and_validation_is_not_learnt_from(pair):
    first, _ = pair
    for number in range(first.folds()):
        fold = first.fold(number)
        train, valid = fold.learnt(first.validation, first.window)
        old = [
            (series, begin)
            for series, begin in zip(fold.series, fold.begins, strict=True)
            if begin - first.validation >= first.window // 2
        ]
        assert len(valid) == len(old)
        for (series, begin), piece in zip(old, valid, strict=True):
            assert np.array_equal(piece, series[begin - first.validation : begin])
            assert not any((learnt == step).all(axis=1).any() for learnt in train for step in piece)
        assert all(len(piece) <= first.window for piece in train)


def test_forecasts_of_the_weather_are_those_of_a_slow_loop(series):
    weather = series.Weather(weather_bytes(), 3)
    value, number = weather.values[:, 0], 1
    begin = weather.begins[number]
    truth, season = weather.truth(number), weather._climate(number)[0][:, 0]
    for place, origin in enumerate(weather.origins(number)):
        for column, horizon in enumerate(weather.horizons):
            day = origin + horizon
            assert truth[place, column] == value[day] if day < len(value) else np.isnan(truth[place, column])
            assert weather.naive("persistence", number)[0][place, column] == value[origin]
            assert weather.naive("seasonal naive", number)[0][place, column] == value[day - 365]
    for column, horizon in enumerate(weather.horizons):
        before = np.array([value[day] - season[day] for day in range(begin - horizon)])
        after = np.array([value[day + horizon] - season[day + horizon] for day in range(begin - horizon)])
        share = np.sum(before * after) / np.sum(before**2)
        middle, deviation = weather.naive("damped persistence", number)
        origin = weather.origins(number)[0]
        expected = season[origin + horizon] + share * (value[origin] - season[origin])
        assert middle[0, column] == pytest.approx(expected)
        assert deviation[0, column] == pytest.approx(np.sqrt(np.mean((after - share * before) ** 2)))
    assert series.Weather(weather_bytes(), 3).naive("damped persistence", 0)[1][0, 0] == pytest.approx(1, abs=0.15)


def test_prices_come_back_from_returns(series):
    stocks = series.Stocks(stocks_bytes())
    number = 0
    fold, truth, place = stocks.fold(number), stocks.truth(number), 0
    longest = max(stocks.horizons)
    paths = np.full((len(truth), 1, longest, 1), np.nan)
    for share, origins in enumerate(fold.origins):
        log = stocks.logs[share]
        for origin in origins:
            real = fold.series[share][origin + 1 : origin + 1 + longest]
            paths[place, 0, : len(real)] = real
            for column, horizon in enumerate(stocks.horizons):
                if origin + 1 + horizon < len(log):
                    assert truth[place, column] == pytest.approx(log[origin + 1 + horizon] - log[origin + 1])
                else:
                    assert np.isnan(truth[place, column])
            place += 1
    said = stocks.back(number, paths)[:, 0, np.array(stocks.horizons) - 1]
    np.testing.assert_allclose(said, truth, atol=1e-3)
    assert len(stocks.blocks(number)) == len(truth)
    assert stocks._deviations(0)[2] == pytest.approx(
        np.concatenate([r[:b] for r, (b, _) in zip(stocks.returns, stocks._spans(0), strict=True)]).std()
    ), "a young share has the deviation of all"


def test_a_network_is_asked_with_what_was_known_at_the_origin(series):
    """Each forecast by itself, step by step; and its nats are those of the next number alone."""
    weather = series.Weather(weather_bytes(), 30)
    config = ModelConfig(cell="lstm", hidden_size=5, layers=1, head="mixture", components=2)
    model = random_model(config, keys=3, scale=2.0)
    found = series.measure_network(model, weather, 0, 400, 3)
    fold, nats, errors = weather.fold(0), [], []
    for place, origin in enumerate(fold.origins[0]):
        heard = torch.from_numpy(fold.series[0][origin + 1 - weather.window : origin + 1])[None]
        assert heard.shape[1] == weather.window
        with torch.no_grad():
            outputs, _ = model(heard)
            following = torch.full((1, 1, 3), torch.nan)
            following[0, 0, 0] = float(fold.series[0][origin + 1, 0])
            nats.append(model.nats(outputs[:, -1:], following).item() + math.log(weather.scale(0)[place]))
            drawn = model.sample(outputs[:, -1:].expand(1, 4000, -1), torch.Generator().manual_seed(0))
        season, deviation = weather._climate(0)
        middle = np.median(season[origin + 1, 0] + deviation[0] * drawn[0, :, 0].numpy())
        errors.append(abs(middle - weather.values[origin + 1, 0]))
    blocks = np.unique(weather.blocks(0), return_inverse=True)[1]
    np.testing.assert_allclose(found["nats"], np.bincount(blocks, nats), atol=1e-3)
    np.testing.assert_allclose(found["error"][0], np.bincount(blocks, errors), atol=0.8)


def test_sums_over_blocks_are_what_a_bootstrap_of_blocks_draws(series, page):
    from seqaudio.report.statistics import interval

    generator = np.random.default_rng(0)
    labels = np.sort(generator.integers(0, 9, 80)).tolist()
    values = np.round(generator.normal(size=(2, 80)), 3)
    sums = np.array([series.by_block(row, labels) for row in values])
    counts = np.array(series.by_block(np.ones(80), labels))
    direct = interval(values, np.ones(80), groups=labels, resamples=200)
    by_sums = interval(sums, counts, groups=sorted(set(labels)), resamples=200)
    np.testing.assert_allclose(by_sums, direct, atol=1e-5)


def test_the_series_that_the_package_ships(series):
    pytest.importorskip("vega_datasets")
    weather, stocks = series.problem("weather", 3), series.problem("stocks", 3)
    assert weather.values.shape == (1461, 3)
    assert weather.begins == [731, 912, 1096, 1277]  # the first days of 2014 and 2015, and of July
    assert stocks.symbols == ["AAPL", "AMZN", "GOOG", "IBM", "MSFT"]
    assert [len(each) for each in stocks.logs] == [123, 123, 68, 123, 123]
    assert stocks.folds() == 5


def test_without_the_package_the_series_say_what_to_install(series, monkeypatch):
    monkeypatch.setitem(sys.modules, "vega_datasets", None)
    series.problem.cache_clear()
    with pytest.raises(MissingDependencyError, match=r"pip install '.\[series\]'"):
        series.problem("weather", 3)


# ---- all of it


class AtOnce:
    """A pool that works in this process."""

    def submit(self, task, *arguments):
        done = Future()
        done.set_result(task(*arguments))
        return done


@pytest.fixture
def small(recipe, series, monkeypatch):
    """A plan of seconds, on series that are made here."""
    problems = {"weather": series.Weather(weather_bytes(), 15), "stocks": series.Stocks(stocks_bytes())}
    problems["stocks"].horizons = (1, 3)  # two years are few blocks: at 12 months a draw of them may hold nothing
    monkeypatch.setattr(series, "problem", lambda name, stride: problems[name])

    @contextmanager
    def at_once(jobs):
        yield AtOnce()

    monkeypatch.setattr(recipe, "workers", at_once)
    plan = recipe.Plan(
        text_units=32, text_epochs=1, text_trials=1, text_trial_epochs=1, texts=2, length=60,
        series_epochs=1, series_trials=1, paths=8, resamples=50,
    )  # fmt: skip
    monkeypatch.setattr(recipe, "QUICK", plan)


def test_the_whole_recipe(recipe, page, small, book_path, tmp_path, monkeypatch):
    arguments = ["--quick", "--seeds", "1", "--text", str(book_path), "--out", str(tmp_path / "out")]
    asked = [*arguments, "--report", str(tmp_path / "page.html")]
    result = CliRunner().invoke(recipe.main, asked, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    said = (tmp_path / "out" / "beyond_music.md").read_text(encoding="utf-8")
    assert said.strip() in result.output
    log = page.read_log(tmp_path / "out" / "beyond_music.json")
    folds = len(log["series"]["weather"]["blocks"]) + len(log["series"]["stocks"]["blocks"])
    trials, finals = 3 * 3, 3 * (1 + folds)
    assert len(log["trainings"]) == trials + finals
    for table in ("A text: nats per character", "The weather of Seattle: mean absolute error", "Five shares: how sure"):
        assert f"### {table}" in said
    assert "Not finished" not in said
    unknown = "\N{REPLACEMENT CHARACTER}"  # the 3 is of the test chapter alone
    assert f"| the real chapter, before it | Capítulo {unknown} Uno. Dos tres. Una frase" in said
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Beyond music" in html
    assert "damped persistence" in html
    parameters = {}
    for record in log["trainings"]:
        parameters.setdefault(record["on"].split()[0], set()).add(record["parameters"])
    assert all(max(each) <= 1.06 * min(each) for each in parameters.values())
    # figures of the page are those of the log
    sums = sum(sum(r["nats"]) for r in log["trainings"] if r["on"] == "text" and r["cell"] == "lstm" and "seed" in r)
    mean = sums / sum(log["text"]["predicted"])
    assert f" | {mean:.3f} [" in said
    # what stands in the log is not trained again
    monkeypatch.setattr(recipe, "train", lambda *asked: pytest.fail("trained again"))
    again = CliRunner().invoke(recipe.main, arguments, catch_exceptions=False)
    assert again.exit_code == 0


def test_a_damaged_log_is_refused(page, tmp_path):
    path = tmp_path / "beyond_music.json"
    path.write_text(json.dumps({"trainings": [{"on": "text"}]}))
    with pytest.raises(CheckpointError, match="not a log of beyond_music"):
        page.read_log(path)


def test_the_rule_of_the_sentences(page):
    log = {"plan": {"resamples": 500}}
    units = page.Shown(log, np.ones(40))
    generator = np.random.default_rng(0)
    one = generator.normal(size=(3, 40))
    assert units.verdict(one, one + 1)[0] == "better"
    assert units.verdict(one + 1, one)[0] == "worse"
    assert units.verdict(one, one + generator.normal(size=(3, 40)))[0] == "no difference to be seen"
    assert units.verdict(one[:2], one[:2] + 1)[0] == "undecided"


def test_the_committed_page_is_what_its_log_says(page):
    folder = ROOT / "docs" / "results" / "beyond_music"
    text = (folder / "beyond_music.md").read_text(encoding="utf-8")
    assert page.markdown(page.read_log(folder / "beyond_music.json")) == text
