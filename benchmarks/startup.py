"""How long from the shell to the result? Whole processes, start included: medians of several runs.

    python benchmarks/startup.py [PRIMER.mid] [--runs 7]

Targets: a continuation of 16 bars under 2 s, `seqaudio --help` under 0.3 s, `import seqaudio` under 0.1 s.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

EXAMPLE = Path(__file__).parents[1] / "examples" / "primer.mid"


@click.command()
@click.argument("primer", default=str(EXAMPLE), type=click.Path(exists=True))
@click.option("--runs", default=7, show_default=True)
def main(primer: str, runs: int) -> None:
    """Time each command as a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        seqaudio = [sys.executable, "-m", "seqaudio"]
        out = str(Path(folder) / "out.mid")
        commands = {
            "an empty Python": [sys.executable, "-c", "pass"],
            "import seqaudio": [sys.executable, "-c", "import seqaudio"],
            "seqaudio --help": [*seqaudio, "--help"],
            "continue by 16 bars": [*seqaudio, "continue", primer, "--bars", "16", "--seed", "1", "-o", out],
        }
        click.echo("| command | median s | least | most |\n|---|---|---|---|")
        for name, command in commands.items():
            seconds = [timed(command) for _ in range(runs + 1)][1:]  # the first fills the disk cache
            least, median, most = min(seconds), statistics.median(seconds), max(seconds)
            click.echo(f"| {name} | {median:.3f} | {least:.3f} | {most:.3f} |")


def timed(command: list[str]) -> float:
    """Wall seconds of a process that must succeed."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
