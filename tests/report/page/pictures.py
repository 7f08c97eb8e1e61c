"""The pictures of the report in docs/img, taken of the page that the README's command writes: `make pictures`."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from seqaudio.cli.main import main
from tests.browser import DARK, DESK, LIGHT, PHONE, Chromium

ROOT = Path(__file__).parents[3]
COMMAND = "seqaudio continue examples/tune.abc --primer-bars 8 --bars 24 --seed 1 --report report.html"
PICTURES = {"light": (DESK, LIGHT, 1695), "dark": (DESK, DARK, 1060), "phone": (PHONE, LIGHT, 1290)}


def take(page: Path, folder: Path) -> None:
    """A picture of the page's upper part on each screen."""
    with Chromium() as chromium:
        for name, (size, theme, height) in PICTURES.items():
            chromium.open(page, size, theme)
            (folder / f"report-{name}.png").write_bytes(chromium.screenshot(height=height))


if __name__ == "__main__":
    assert COMMAND in (ROOT / "README.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "examples", Path(folder) / "examples")
        os.chdir(folder)
        sys.argv = COMMAND.split()
        main.main(sys.argv[1:], standalone_mode=False)
        take(Path("report.html"), ROOT / "docs" / "img")
        os.chdir(ROOT)
