"""Is every mistake in settings told in one line of ours, wherever they are made, and pydantic still as it is?"""

import copy
import pickle

import pytest
from pydantic import BaseModel, ValidationError

from seqaudio.corpus.feature_options import FeatureOptions
from seqaudio.corpus.options import PrepareOptions
from seqaudio.errors import OptionError
from seqaudio.models.config import MemoryConfig, ModelConfig
from seqaudio.settings import Settings
from seqaudio.training.config import CorpusConfig, Experiment, FramesConfig, TrainingConfig, check_experiment

KINDS = (
    PrepareOptions,
    FeatureOptions,
    MemoryConfig,
    ModelConfig,
    TrainingConfig,
    CorpusConfig,
    FramesConfig,
    Experiment,
)


def refused(kind, **settings: object) -> str:
    with pytest.raises(OptionError) as error:
        kind(**settings)
    assert error.value.__suppress_context__
    assert "\n" not in str(error.value)
    assert "https" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_frozen_and_knows_its_names(kind: type[Settings]) -> None:
    assert issubclass(kind, Settings)
    assert (kind.model_config["frozen"], kind.model_config["extra"]) == (True, "forbid")
    name = next(iter(kind.model_fields))
    assert f"{name}x: no such setting here; did you mean {name}?" in refused(kind, **{f"{name}x": 1})


@pytest.mark.parametrize(
    ("kind", "settings", "text"),
    [
        (ModelConfig, {"cell": "lsmt"}, "1 mistake: cell: Input should be .*'lstm' or 'lnlstm' \\(got 'lsmt'\\)$"),
        (ModelConfig, {"cell": "a\nb"}, r"\(got 'a\\nb'\)$"),
        (ModelConfig, {"escape": "notes"}, "1 mistake: escape goes with the head joint, not with categorical; leave"),
        (
            ModelConfig,
            {"layers": 0, "residuals": True},
            "2 mistakes: layers: .* 1 .got 0.; residuals: .*mean residual?",
        ),
        (ModelConfig, {"memory": {"lag": [1]}}, "1 mistake: memory.lag: no such setting here; did you mean lags?"),
        (PrepareOptions, {"min_note": 3}, "1 mistake: min_note: no such setting here; did you mean min_notes?"),
        (FeatureOptions, {"kinds": ("rmz",)}, "1 mistake: kinds: 'rmz' is no feature; there are stft, "),
    ],
)
def test_mistakes_are_one_line(kind: type[Settings], settings: dict[str, object], text: str) -> None:
    with pytest.raises(OptionError, match=f"^{kind.__name__}: .*{text}"):
        kind(**settings)
    assert refused(kind, **settings)


def test_settings_inside_others_keep_their_places() -> None:
    wrong = {"corpus": {"prepared": "x", "options": {"min_note": 3}}, "model": {"cel": "x"}, "training": {"epochs": 0}}
    told = refused(Experiment, **wrong)
    assert told.startswith("Experiment: 3 mistakes: ")
    for place in ("corpus.options.min_note: ", "model.cel: ", "training.epochs: "):
        assert place in told
    with pytest.raises(OptionError) as error:
        check_experiment(wrong, "file.yaml")
    assert str(error.value) == told.replace("Experiment", "file.yaml", 1)

    class Other(BaseModel):
        model: ModelConfig

    with pytest.raises(ValidationError) as plain:
        Other(model={"cell": "lsmt"})
    assert [found["loc"] for found in plain.value.errors()] == [("model", "cell")]


def test_what_is_stored_is_read_as_before() -> None:
    config = ModelConfig(cell="gru", memory=MemoryConfig(lags=(1, 2)))
    for again in (
        ModelConfig.model_validate(config.model_dump(exclude_unset=True)),
        ModelConfig.model_validate_json(config.model_dump_json(exclude_unset=True)),
        pickle.loads(pickle.dumps(config)),
        copy.deepcopy(config),
    ):
        assert again == config
        assert again.model_fields_set == {"cell", "memory"}
    with pytest.raises(ValidationError):
        ModelConfig.model_validate({"cell": "lsmt"})
    with pytest.raises(ValidationError):
        ModelConfig.model_validate_json('{"cell": "lsmt"}')


def test_a_name_with_line_breaks_is_told_in_one_line() -> None:
    with pytest.raises(OptionError) as problem:
        ModelConfig(**{"a\nb\x1b": 1})
    assert "a\\nb\\x1b: no such setting here" in str(problem.value)
    assert str(problem.value).isprintable()


def test_a_name_that_is_right_elsewhere_is_not_corrected_to_itself() -> None:
    with pytest.raises(OptionError) as problem:
        check_experiment({"training": {"hidden_size": 3}})
    assert str(problem.value).endswith("training.hidden_size: no such setting here")
