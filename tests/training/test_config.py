"""A mistake in a config is told before work starts: all mistakes at once, each with its place, in one line."""

from pathlib import Path

import pytest

from seqaudio.errors import BadFileError, OptionError
from seqaudio.training.config import Experiment, load_experiment

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "run.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refused(path, changes=(), kind=OptionError):
    with pytest.raises(kind) as caught:
        load_experiment(path, changes)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_there_are_configs():
    assert CONFIGS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_of_the_project_loads(path):
    experiment = load_experiment(path)
    assert isinstance(experiment, Experiment)
    assert Experiment.model_validate_json(experiment.model_dump_json()) == experiment


def test_defaults_fill_what_is_left_out(write):
    experiment = load_experiment(write("corpus: {prepared: x}"))
    assert experiment.training.epochs == 20
    assert experiment.model.cell == "lstm"


def test_numbers_in_scientific_notation_are_numbers(write):
    """YAML 1.1 reads 2e-3 as text; it means the number."""
    assert (
        load_experiment(write("corpus: {prepared: x}\ntraining: {learning_rate: 2e-3}")).training.learning_rate == 0.002
    )


class TestMistakes:
    def test_all_at_once_with_their_places(self, write):
        text = refused(
            write(
                """
                corpus: {sources: [a], optoins: {}}
                model: {cell: transformer, hidden_size: 0, dropuot: 0.1}
                training: {epochs: many, precision: fp8, clip: -1}
                extra: 1
                """
            )
        )
        places = (
            "corpus.prepared",
            "corpus.optoins",
            "model.cell",
            "model.hidden_size",
            "model.dropuot",
            "training.epochs",
            "training.precision",
            "training.clip",
            "extra",
        )
        for place in places:
            assert f"{place}: " in text
        assert f"{len(places)} mistakes" in text
        for wrong, right in (("corpus.optoins", "options"), ("model.dropuot", "dropout")):
            assert f"{wrong}: no such setting here; did you mean {right}?" in text
        assert text.startswith(str(write("").parent))

    @pytest.mark.parametrize(
        "line",
        [
            "training: {seed: -1}",
            "training: {seed: 99999999999999999999}",
            "training: {learning_rate: 0}",
            "training: {learning_rate: .nan}",
            "training: {transpose: 12}",
            "training: {transpose: 0, transpose_share: 0.5}",
            "training: {transpose_share: 0}",
            "training: {chunk: 1}",
            "training: {final_rate: 1.5}",
            "training: {save_minutes: 0}",
            "training: {save_minutes: .inf}",
            "training: {learning_rate: 1.0e+400}",
            "training: {epochs: 99999999999999}",
            "training: {batch_size: 99999999999999999999}",
            "training: {chunk: 99999999999999999999}",
            "model: {chrono: 99999999999999999999}",
            "model: {dropout: 1}",
            "model: {layers: 0}",
            "model: [1]",
            "1: 2",
        ],
    )
    def test_values_out_of_range(self, write, line):
        refused(write(f"corpus: {{prepared: x}}\n{line}\n"))

    def test_what_came_is_named(self, write):
        text = refused(write("corpus: {prepared: x}"), ["training.learning_rate=-1", "model.sizze=3"])
        assert "training.learning_rate: Input should be greater than 0 (got -1)" in text
        assert "model.sizze: no such setting here" in text

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("{decay: 0.9}", "decay goes with averaging: ema, not with none"),
            ("{averaging: ema, mean_from: 0.1}", "mean_from goes with averaging: mean"),
            ("{schedule: constant, final_rate: 0.1}", "final_rate goes with the schedules"),
            ("{batch_size: 4, accumulate: 5}", "accumulate 5 is more than the 4 pieces"),
        ],
    )
    def test_settings_that_would_be_idle(self, write, line, reason):
        assert reason in refused(write(f"corpus: {{prepared: x}}\ntraining: {line}\n"))

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("corpus: {frames: x, prepared: y}\nmodel: {head: joint}", "corpus.prepared: no such setting here"),
            ("corpus: {frames: 3}\nmodel: {head: joint}", "corpus.frames: "),
            ("corpus: {}", "corpus.prepared: Field required"),
            ("corpus: {frames: x}", "model.head categorical does not fit the corpus"),
            ("corpus: {prepared: x}\nmodel: {head: notes}", "model.head notes does not fit the corpus"),
        ],
    )
    def test_tokens_or_frames(self, write, text, place):
        assert f": 1 mistake: {place}" in refused(write(text))

    @pytest.mark.parametrize("text", ["", "[]", "just words", "3"])
    def test_no_settings_at_all(self, write, text):
        assert "no settings" in refused(write(text))

    @pytest.mark.parametrize(
        "text", ["a: [", "a: b: c", "\tx: 1", b"a: \x00", "a: !!python/object:os.system x", "a: 2020-99-99"]
    )
    def test_bad_yaml(self, write, text):
        assert "YAML" in refused(write(text), kind=BadFileError)

    def test_not_text(self, write):
        assert "not a text file" in refused(write(b"\xff\xfe\x00\x01"), kind=BadFileError)

    def test_missing(self, tmp_path):
        assert "cannot be read" in refused(tmp_path / "none.yaml", kind=BadFileError)
        refused(tmp_path, kind=BadFileError)


class TestChanges:
    def test_they_win_over_the_file(self, write):
        path = write("corpus: {prepared: x}\nmodel: {hidden_size: 8, layers: 3}")
        experiment = load_experiment(
            path,
            [
                "model.hidden_size=256",
                "training.learning_rate=1e-3",
                "corpus.options.melody=true",
                "corpus.sources=[a, b]",
            ],
        )
        assert (experiment.model.hidden_size, experiment.model.layers) == (256, 3)
        assert experiment.training.learning_rate == 0.001
        assert experiment.corpus.options.melody is True
        assert experiment.corpus.sources == ("a", "b")

    def test_the_last_of_several_wins(self, write):
        path = write("corpus: {prepared: x}")
        assert load_experiment(path, ["training.seed=1", "training.seed=2"]).training.seed == 2

    def test_null_takes_a_value_away(self, write):
        path = write("corpus: {prepared: x}\nmodel: {embedding_size: 8}")
        assert load_experiment(path, ["model.embedding_size=null"]).model.embedding_size is None

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ("hidden_size", "key=value"),
            ("=3", "key=value"),
            ("model.hidden_size.x=3", "not a group"),
            ("model.hidden_sise=3", "hidden_sise"),
            ("model.layers=few", "model.layers"),
            ("model.layers=[", "not YAML"),
            ("model.layers=2020-99-99", "not YAML"),
        ],
    )
    def test_mistakes(self, write, change, match):
        path = write("corpus: {prepared: x}\nmodel: {hidden_size: 8}")
        assert match in refused(path, [change])
