"""Does the page on features say of each what its module does?"""

import re
from pathlib import Path

from seqaudio.features import FEATURES, feature
from seqaudio.features.names import IN_TORCHAUDIO
from tests.features.sounds import WITHOUT_GRADIENT

PAGE = (Path(__file__).parents[2] / "docs" / "features.md").read_text(encoding="utf-8")


def test_the_table_is_that_of_the_modules():
    rows = re.findall(r"^\| `(\w+)`.*? \| ([\dx ]+) \| (\w+)[^|]* \| ([^|]+) \| *(\w*) *\|$", PAGE, flags=re.M)
    assert [name for name, *_ in rows] == list(FEATURES)
    for name, bins, gradient, stream, torchaudio in rows:
        module = feature(name, 22050)
        assert int(bins.split()[-1]) == module.bins
        assert (gradient == "yes") == (name not in WITHOUT_GRADIENT)
        assert (stream == "yes") == (not isinstance(module.reach, str))
        assert ("top_db" in stream) == ("top_db" in str(module.reach))
        assert ("tuning" in stream) == ("tuning" in str(module.reach))
        assert (torchaudio == "yes") == (name in IN_TORCHAUDIO)
