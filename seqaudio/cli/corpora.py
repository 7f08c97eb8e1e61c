"""``seqaudio corpora``: what can be prepared by name, under which licence, and is it here?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqaudio.cli.options import json_option

if TYPE_CHECKING:
    from seqaudio.corpus.named import NamedCorpus


@click.command("corpora")
@click.option("--fetch", metavar="NAME", help="Download, verify and unpack this corpus, and print its folder.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for downloads.  [default: SEQAUDIO_DATA, else ~/.cache/seqaudio]",
)
@json_option
def command(fetch: str | None, data: Path | None, as_json: bool) -> None:
    """List the corpora known by name, with their licences and whether they are here.

    `seqaudio prepare NAME OUT` fetches what is missing. Write ./NAME for a folder of your own of that name.
    """
    from seqaudio.corpus.named import CORPORA

    if fetch is not None:
        folder = _fetch(fetch, data)
        click.echo(json.dumps({"name": fetch, "folder": str(folder)}) if as_json else shown(folder))
        return
    rows = [_row(corpus, data) for corpus in CORPORA.values()]
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for row in rows:
        click.echo(_text(row))


def shown(path: Path | str) -> str:
    """A path on one line."""
    from seqaudio.files.atomic import shown as shown_path

    return shown_path(path)


def _fetch(name: str, data: Path | None) -> Path:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from seqaudio.cli.terminal import console
    from seqaudio.corpus.named import corpus_folder

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console()) as bar:
        task = bar.add_task(name, total=None)

        def show(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        return corpus_folder(name, data, show)


def _row(corpus: NamedCorpus, data: Path | None) -> dict[str, Any]:
    from seqaudio.corpus.named import standing_corpus

    here = standing_corpus(corpus.name, data)
    remote = corpus.remote
    return {
        "name": corpus.name,
        "title": corpus.title,
        "pieces": corpus.pieces,
        "licence": corpus.licence,
        "weights_may_ship": corpus.weights,
        "folder": str(here) if here else None,
        "url": remote.url if remote else None,
        "file": remote.file if remote else None,
        "download_bytes": remote.size_bytes if remote else None,
        "archive_sha256": (remote.archive_sha256 or None) if remote else None,
        "contents_sha256": (remote.contents_sha256 or None) if remote else None,
    }


def _text(row: dict[str, Any]) -> str:
    lines = [f"{row['name']}: {row['title']}; {row['pieces']:,} pieces"]
    if row["folder"]:
        lines.append(f"here: {shown(row['folder'])}")
    elif row["url"]:
        megabytes = row["download_bytes"] / 1e6
        lines.append(f"not here: seqaudio corpora --fetch {row['name']} (about {megabytes:,.1f} MB)")
    else:
        lines.append("not here: pip install 'seqaudio[corpora]'")
    lines.append(f"licence: {row['licence']}")
    lines.append(f"may weights trained on it be given away: {row['weights_may_ship']}")
    if row["url"]:
        kind = "SHA-256" if row["archive_sha256"] else "contents hash"
        lines.append(f"from: {row['url']}")
        lines.append(f"{kind}: {row['archive_sha256'] or row['contents_sha256']}")
    return "\n  ".join(lines)
