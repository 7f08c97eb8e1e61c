"""Are options what the tokenizer understands, and is every mistake in them named?"""

import pytest

from seqaudio.corpus.options import PrepareOptions
from seqaudio.errors import OptionError
from seqaudio.files import Limits
from seqaudio.tokens import BarsTokenizer, make_tokenizer


def test_text_and_values_are_one_setting() -> None:
    said = PrepareOptions(settings={"programs": "false", "velocities": "1"})
    assert said == PrepareOptions(settings={"programs": False, "velocities": True})
    assert said.settings == {"programs": False, "velocities": True}
    assert said.make_tokenizer() == BarsTokenizer(programs=False)
    assert said.make_tokenizer() is said.make_tokenizer()
    assert PrepareOptions.model_validate(said.model_dump(mode="json")) == said


def test_melody_is_a_single_line_of_bars_that_settings_can_add_to() -> None:
    melody = PrepareOptions(melody=True).make_tokenizer()
    assert isinstance(melody, BarsTokenizer)
    assert (melody.programs, melody.velocities) == (False, False)
    assert PrepareOptions(melody=True, settings={"velocities": True}).make_tokenizer().velocities  # type: ignore[attr-defined]
    with pytest.raises(OptionError, match="melody goes with the tokenizer bars"):
        PrepareOptions(melody=True, tokenizer="performance")


def test_a_lead_sheet_is_bars_with_programs_that_tell_melody_and_chords_apart() -> None:
    sheet = PrepareOptions(lead_sheet=True).make_tokenizer()
    assert sheet == BarsTokenizer(programs=True, velocities=False, tempos=False, pedals="drop")
    assert PrepareOptions(lead_sheet=True, settings={"velocities": True}).make_tokenizer().velocities  # type: ignore[attr-defined]
    with pytest.raises(OptionError, match="lead_sheet goes with the tokenizer bars, not with performance"):
        PrepareOptions(lead_sheet=True, tokenizer="performance")
    with pytest.raises(OptionError, match="lead_sheet tells melody and chords apart by programs; leave programs=false"):
        PrepareOptions(lead_sheet=True, settings={"programs": False})
    with pytest.raises(OptionError, match="melody and lead_sheet are two ways to read a piece; leave one"):
        PrepareOptions(lead_sheet=True, melody=True)


@pytest.mark.parametrize(
    ("name", "settings", "text"),
    [
        ("bar", {}, "no tokenizer is named 'bar'; there are bars"),
        ("bars", {"tempo": "x"}, "the tokenizer bars has no option 'tempo'; it has .*programs.*velocities"),
        ("bars", {"name": "x"}, "has no option 'name'"),
        ("bars", {"programs": "perhaps"}, "the tokenizer bars: programs='perhaps': .* valid boolean"),
    ],
)
def test_mistakes_are_named(name: str, settings: dict[str, object], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        make_tokenizer(name, settings)
    with pytest.raises(OptionError, match=text):
        PrepareOptions(tokenizer=name, settings=settings)


def test_limits_are_values_of_the_configuration() -> None:
    assert PrepareOptions(limits={"max_notes": 7}).limits == Limits(max_notes=7)
    dumped = PrepareOptions(limits=Limits(max_notes=7)).model_dump(mode="json")
    assert dumped["limits"]["max_notes"] == 7
    with pytest.raises(OptionError, match="no limit is named 'max_note'; there are max_bytes, max_notes"):
        PrepareOptions(limits={"max_note": 7})


def test_the_split_changes_no_token() -> None:
    assert PrepareOptions(seed=3, valid_share=0.2, test_share=0).of_tokens == PrepareOptions().of_tokens
    for changed in (
        {"min_notes": 3},
        {"melody": True},
        {"lead_sheet": True},
        {"limits": {"max_notes": 7}},
        {"settings": {"programs": "0"}},
    ):
        assert PrepareOptions(**changed).of_tokens != PrepareOptions().of_tokens


def test_numbers_as_text_are_numbers() -> None:
    for keys in ("128", 128):
        options = PrepareOptions(tokenizer="pianoroll", settings={"keys": keys, "steps_per_quarter": "2"})
        assert options.settings == {"keys": 128, "steps_per_quarter": 2}
    with pytest.raises(OptionError, match="keys=87"):
        PrepareOptions(tokenizer="pianoroll", settings={"keys": "87"})
