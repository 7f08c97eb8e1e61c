"""Do the sentences ask for what only the subject tells; is nothing done twice; does the page say what the log holds?"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from seqaudio.errors import CheckpointError, OptionError
from seqaudio.memory.recall import Practice, judged, network_configs, practise, recall
from seqaudio.memory.tasks import Adding, Copy, Motif
from tests.recipes.loading import loaded, work_here
from tests.samples import ROOT


@pytest.fixture(scope="module")
def recipe():
    with loaded("forgetting") as module:
        yield module


@pytest.fixture(scope="module")
def words(recipe):
    return sys.modules["forgetting_words"]


@pytest.fixture(scope="module")
def page(recipe):
    return sys.modules["forgetting_page"]


@pytest.fixture
def short(recipe, words, monkeypatch):
    """The recipe with short distances and next to no practice."""
    practice = Practice(steps=2, rows=4)
    tasks = {
        "words": words.LastWord((0, 1, 3)),
        "motif": Motif((0, 2)),
        "copy": Copy((4,)),
        "adding": Adding((6, 8)),
    }
    monkeypatch.setattr(recipe, "TASKS", {name: (task, practice) for name, task in tasks.items()})
    monkeypatch.setattr(recipe, "LAGS", 12)
    work_here(monkeypatch, recipe)
    return recipe


def test_the_last_word_agrees_with_the_first_noun_and_the_verb_with_its_number(words) -> None:
    task = words.LastWord()
    nouns = {
        noun: (meaning, form)
        for meaning, (line, _) in enumerate(words.PEOPLE)
        for form, noun in enumerate(line.split())
    }
    adjectives = {
        word: (meaning, form)
        for meaning, (_, line) in enumerate(words.PEOPLE)
        for form, word in enumerate(line.split())
    }
    for distance in (0, 1, 7):
        batch = task.draw(60, distance, np.random.default_rng(distance))
        said = task.said(batch)
        assert batch.inputs.shape == (60, task.steps(distance) + 2)  # from the noun, at place 2, to the last word
        assert np.flatnonzero(batch.asked).tolist() == [batch.inputs.shape[1] - 1]
        for row in range(60):
            text = task.text(batch.inputs[row])
            meaning, form = nouns[text[2]]
            assert (
                adjectives[task.text(batch.targets[row, -1:])[0]]
                == (meaning, form)
                == (said.meaning[row], said.form[row])
            )
            assert text[1] == ["el", "la", "los", "las"][form]
            assert text[4] == ("vivían" if form >= 2 else "vivía")
            assert text[-3:] == ["siempre", "fueron" if form >= 2 else "fue", "muy"]
            others = text[12:-3]
            assert len(others) == 3 * distance
            for owner, noun in zip(others[::3], others[1::3], strict=True):
                assert owner == ("sus" if noun[-1] == "s" and noun != "paraguas" else "su")


def test_other_people_are_named_as_often_as_they_should_and_tell_nothing(words) -> None:
    task = words.LastWord()
    batch = task.draw(3000, 2, np.random.default_rng(1))
    people = {noun for line, _ in words.PEOPLE for noun in line.split()}
    last_noun = np.array([task.words[place] in people for place in batch.inputs[:, -5]])
    assert abs(last_noun.mean() - words.PEOPLE_SHARE) < 0.03
    form, meaning = task.agrees(batch.targets[:, -1], task.said(batch))
    assert form.all()
    assert meaning.all()
    shuffled = np.random.default_rng(2).permutation(batch.targets[:, -1])
    form, meaning = task.agrees(shuffled, task.said(batch))
    assert abs(form.mean() - 1 / 4) < 0.03
    assert abs(meaning.mean() - 1 / 8) < 0.03
    assert not task.agrees(batch.inputs[:, 2], task.said(batch))[0].any()  # a noun is no adjective


def test_knowing_the_verb_alone_gives_one_in_sixteen(words) -> None:
    task = words.LastWord()
    batch = task.draw(4000, 1, np.random.default_rng(3))
    several = np.array([task.words[place] == "fueron" for place in batch.inputs[:, -2]])
    guesses = np.where(several, task._adjectives[2], task._adjectives[0])
    assert abs((guesses == batch.targets[:, -1]).mean() - task.chance) < 0.015


def small_network(words, cell="lstm"):
    task = words.LastWord((0, 2))
    config = network_configs([cell], task, 9000)[cell]
    return task, config, practise(config, task, Practice(steps=60, rows=16, rate=1e-2))


def test_form_and_meaning_are_of_the_sentences_that_recall_is_judged_by(recipe, words) -> None:
    task, _, model = small_network(words)
    parts = recipe.parts_right(model, task, 5)
    found = recall(model, task, seed=5)
    for place, distance in enumerate(task.distances):
        forms, meanings, both = [], [], []
        for batch in judged(task, distance, 5):
            said = model(torch.from_numpy(batch.inputs))[0][:, -1].argmax(dim=-1)
            for word, right in zip(task.text(said.numpy()), task.text(batch.targets[:, -1]), strict=True):
                is_adjective = any(word in line.split() for _, line in words.PEOPLE)
                forms.append(
                    is_adjective
                    and (word[-2:] in ("os", "as"), word.rstrip("s")[-1])
                    == (right[-2:] in ("os", "as"), right.rstrip("s")[-1])
                )
                meanings.append(is_adjective and word.rstrip("s")[:-1] == right.rstrip("s")[:-1])
                both.append(word == right)
        assert parts["form"][place] == pytest.approx(np.mean(forms))
        assert parts["meaning"][place] == pytest.approx(np.mean(meanings))
        assert found.recall[place] == pytest.approx(np.mean(both))
    assert parts["form"] != parts["meaning"]


def test_the_gradient_is_that_of_the_last_word_before_and_after_practice(recipe, words, monkeypatch) -> None:
    task, config, model = small_network(words)
    monkeypatch.setattr(recipe, "LAGS", 12)
    job = recipe.Job("words/lstm/0", "words", "lstm", config, Practice(steps=60, rows=16, rate=1e-2))
    found = recipe.fading_of(model, job, task)
    batch = task.draw(recipe.SENTENCES, 2, np.random.default_rng(recipe.SEARCHED))
    fresh = practise(config, task, Practice(steps=0))
    for name, network in (("trained", model), ("untrained", fresh)):
        ratios = []
        for inputs, target in zip(batch.inputs, batch.targets[:, -1], strict=True):
            norms = []
            for lag in (1, 12):
                state = network.advance(torch.from_numpy(inputs[None, :-lag]), network.initial_state(1))
                state = tuple(part.detach().requires_grad_() for part in state)
                outputs, _ = network(torch.from_numpy(inputs[None, -lag:]), state)
                loss = network.nats(outputs[:, -1:], torch.tensor([[target]])).sum()
                norms.append(sum(part.square().sum() for part in torch.autograd.grad(loss, state)).sqrt().item())
            ratios.append(norms[1] / norms[0])
        assert found[name][11] == pytest.approx(np.exp(np.log(ratios).mean()), rel=1e-3)
        assert found[name][0] == pytest.approx(1)
    assert found["trained"][11] != pytest.approx(found["untrained"][11], rel=0.05)


def test_the_unit_shown_is_the_one_that_was_made_to_hold_the_subject(recipe, words) -> None:
    """All units shut but one, which adds up what an article tells and never wipes it."""
    task = words.LastWord((0, 2))
    config = network_configs(["lstm"], task, 9000, chrono=False)["lstm"]
    model, size, held = practise(config, task, Practice(steps=0)), config.hidden_size, 4
    layer = model.stack.layers[0]
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        bias = layer.bias_ih_l0
        bias[size : 2 * size] = -9.0  # wiped at each step
        bias[size + held] = 30.0  # but for one
        bias[held] = -30.0  # which hears nothing
        direction = torch.zeros(model.encoder.embedding_dim)
        direction[0] = 1.0
        model.encoder.weight[:, 0] = 0.0
        for number, noun in enumerate(task._nouns.tolist()):
            model.encoder.weight[noun, 0] = 0.02 * (number + 1)
        bias[held] = 0.0
        layer.weight_ih_l0[2 * size + held] = direction  # what is new is the noun's own number
    found = recipe.unit_of(model, config, task)
    assert found["unit"] == held + 1
    assert found["stays"] > 0.3
    assert set(found["gates"]) == {"input", "forget", "output"}
    assert min(found["gates"]["forget"]) > 0.99


def test_closeness_is_the_share_of_spread_that_the_subject_explains(recipe, words) -> None:
    draws = np.random.default_rng(4)
    sentence = words.Sentence(draws.integers(0, 8, 400), draws.integers(0, 4, 400))
    subject = 4 * sentence.meaning + sentence.form
    noise = draws.normal(size=400)
    level = draws.normal(size=32)[subject]
    close = recipe.closeness(np.stack([level, noise, level + noise], axis=1), sentence)
    assert close[0] == pytest.approx(1)
    assert close[1] < 0.4
    mixed = level + noise
    means = np.array([mixed[subject == each].mean() for each in subject])
    assert close[2] == pytest.approx(np.sqrt(means.var() / mixed.var()))


def test_a_unit_stays_where_its_state_at_the_end_is_that_of_the_opening(recipe) -> None:
    opening = np.random.default_rng(5).normal(size=(300, 1))
    end = opening * np.array([[1.0, 0.5, 4.0, -1.0, 0.0]]) + 3
    assert recipe.stays(np.repeat(opening, 5, axis=1), end) == pytest.approx([1, 0.5, 0.25, 0, 0], abs=1e-9)


def test_what_the_log_holds_is_not_done_again_and_the_page_says_it(short, page, tmp_path: Path, monkeypatch) -> None:
    def run(*arguments):
        return CliRunner().invoke(
            short.main, ["--out", str(tmp_path), "--seeds", "2", *arguments], catch_exceptions=False
        )

    monkeypatch.setattr(page, "SHOWN_LAGS", (2, 12))
    shown = run("--report", str(tmp_path / "page.html"))
    log = page.read_log(tmp_path / "forgetting.json")
    assert len(log["networks"]) == 2 * 2 * 4
    again = page.page_of(tmp_path / "forgetting.json")
    assert (tmp_path / "forgetting.md").read_text() == again
    assert again in shown.output
    monkeypatch.setattr(short, "learnt", None)
    assert again in run().output
    html = (tmp_path / "page.html").read_text()
    assert html.count("<img ") == 5 - 1
    for name in re.findall(r"!\[[^]]+\]\((\S+)\)", again):
        assert (tmp_path / name).read_bytes()[1:4] == b"PNG"
    assert again.count("![") == 4
    right = np.array([log["networks"][f"words/lstm/{seed}"]["recall"] for seed in (0, 1)]).mean(axis=0)
    assert f"| LSTM, the word | {' | '.join(f'{100 * share:.0f} %' for share in right)} |" in again
    unit = log["networks"]["words/lstm/0"]["unit"]
    assert len(unit["words"]) == len(unit["state"]) == len(unit["gates"]["forget"])
    assert "unit" not in log["networks"]["words/rnn/0"]


def test_another_plan_is_another_network(short, tmp_path: Path) -> None:
    path = tmp_path / "forgetting.json"
    first = short.practised(["rnn"], 1, path, 1)
    assert len(first["networks"]) == 4
    task, _ = short.TASKS["motif"]
    short.TASKS["motif"] = (task, Practice(steps=3, rows=4))
    second = short.practised(["rnn"], 1, path, 1)
    changed = [
        name for name in first["networks"] if first["networks"][name]["plan"] != second["networks"][name]["plan"]
    ]
    assert changed == ["motif/rnn/0"]
    assert second["tasks"]["motif"]["steps"] == 3


def test_a_search_prints_every_rate_and_marks_the_one_in_use(short, tmp_path: Path) -> None:
    text = short.searched(["rnn", "lstm"], tmp_path / "rates.json", 1)
    rows = [line for line in text.splitlines() if line.startswith("| ") and "task" not in line]
    assert len(rows) == 2 * 4
    assert all(row.count("**") == 2 and row.count("|") == 3 + len(short.GRID) for row in rows)
    kept = json.loads((tmp_path / "rates.json").read_text())
    less = short.searched(["rnn"], tmp_path / "rates.json", 1)
    assert json.loads((tmp_path / "rates.json").read_text()) == kept  # those of the LSTM are not lost
    assert less.splitlines()[6:] == [line for line in text.splitlines()[6:] if "| lstm |" not in line]
    for wrong in ("", "[]", '{"a": {"plan": []}}'):
        (tmp_path / "rates.json").write_text(wrong)
        with pytest.raises(CheckpointError, match=r"damaged, not a log of forgetting.py --search .*done anew"):
            short.searched(["rnn"], tmp_path / "rates.json", 1)


def test_what_is_no_cell_or_no_log_is_refused(recipe, page, tmp_path: Path) -> None:
    assert recipe.parsed_cells("lstm,rnn,lstm") == ["rnn", "lstm"]
    with pytest.raises(OptionError, match="there is no 'elman'"):
        recipe.parsed_cells("lstm,elman")
    for text in ("", "{}", json.dumps({"cells": [], "seeds": 1})):
        path = tmp_path / "forgetting.json"
        path.write_text(text)
        with pytest.raises(CheckpointError, match="damaged, not a log of"):
            page.read_log(path)


@pytest.mark.parametrize(
    ("log", "made_by"),
    [
        ("rnn_vs_lstm/oneills", "rnn_vs_lstm.py"),
        ("beyond_music/beyond_music", "beyond_music.py"),
        ("polyphonic/JSB_Chorales", "polyphonic_benchmark.py"),
        ("shipped/folk", "train_shipped.py"),
    ],
)
def test_the_log_of_another_recipe_is_not_called_damaged(page, log: str, made_by: str) -> None:
    path = ROOT / "docs" / "results" / f"{log}.json"
    with pytest.raises(CheckpointError, match=f"the log of {made_by}, not of forgetting.py; name another") as refused:
        page.read_log(path)
    assert "damaged" not in str(refused.value)
