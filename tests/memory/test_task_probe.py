"""Does the report of a task hold what its networks found, each by itself?"""

import json

import numpy as np
import pytest

from seqaudio.errors import OptionError
from seqaudio.memory.recall import RATES, Practice, network_configs, practised_recall
from seqaudio.memory.task_probe import practices, probe_task
from seqaudio.memory.tasks import Adding, Motif


def test_a_report_is_of_networks_practised_by_themselves() -> None:
    task, steps = Motif((0, 2)), []
    practice = Practice(steps=3, rows=4, seed=7)
    report = probe_task(
        task, ["lstm", "rnn"], parameters=6000, seeds=2, practice=practice, on_step=lambda: steps.append(1)
    )
    assert len(steps) == 2 * 2 * 3
    configs = network_configs(["lstm", "rnn"], task, 6000)
    for networks, (cell, config) in zip(report.networks, configs.items(), strict=True):
        assert networks.config == config
        found = [
            practised_recall(config, task, Practice(steps=3, rows=4, rate=RATES[cell], seed=seed)) for seed in (7, 8)
        ]
        assert [each.recall.tolist() for each in networks.found] == [each.recall.tolist() for each in found]
        assert networks.shares == np.mean([each.recall for each in found], axis=0).tolist()
        assert networks.losses == np.mean([each.loss for each in found], axis=0).tolist()
    assert [each.name for each in report.networks] == ["lstm, chrono", "rnn"]
    facts = json.loads(json.dumps(report.facts(), allow_nan=False))
    assert facts["distances"] == [0, 2]
    assert [each["name"] for each in facts["networks"]] == ["lstm, chrono", "rnn"]
    assert len(facts["networks"][0]["right"]) == 2


def test_chrono_can_be_left_out_and_seeds_follow_one_another() -> None:
    report = probe_task(
        Adding((6,)), ["lstm"], parameters=2500, chrono=False, seeds=1, practice=Practice(steps=1, rows=2)
    )
    assert report.networks[0].config.chrono is None
    assert report.networks[0].name == "lstm"
    assert [each.seed for each in practices(Practice(seed=4), "gru", 3)] == [4, 5, 6]
    assert {each.rate for each in practices(Practice(), "rnn", 3)} == {RATES["rnn"]}


def test_wrong_cells_and_numbers_are_refused():
    for cells, numbers, reason in (
        (["elman"], {}, "cells are .*; name some of rnn, irnn"),
        ([], {}, "cells are"),
        (["rnn"], {"seeds": 0}, "1 layers and 0 seeds"),
        (["rnn"], {"layers": 0}, "0 layers and 3 seeds"),
    ):
        with pytest.raises(OptionError, match=reason):
            probe_task(Motif((0,)), cells, **numbers)
