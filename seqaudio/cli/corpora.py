"""``seqaudio corpora``: what can be prepared by name."""

from __future__ import annotations

import click


@click.command("corpora")
def command() -> None:
    """List the corpora known by name, with their licences and whether they are here."""
    from seqaudio.corpus.named import CORPORA, corpus_folder
    from seqaudio.errors import MissingDependencyError

    for name, corpus in CORPORA.items():
        try:
            here = "here" if corpus_folder(name).is_dir() else "not in this music21"
        except MissingDependencyError:
            here = "needs: pip install 'seqaudio[corpora]'"
        click.echo(f"{name}: {corpus.title}, {corpus.pieces} pieces; {here}\n  {corpus.licence}")
