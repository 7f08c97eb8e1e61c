"""How does a group list its commands without importing them? By a table of modules and lines of help."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import click


class LazyGroup(click.Group):
    """A group that knows its commands' one-line help without importing them.

    Args:
        table: by name of a command its module in ``seqaudio.cli``, whose ``command`` it is, and its line of help.
    """

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in self._table:
            return None
        command: click.Command = importlib.import_module(f"seqaudio.cli.{self._table[cmd_name][0]}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Click's, which names the nearest command for one that there is not."""
        asked = args[0]
        if asked not in self._table and not asked.startswith("-"):
            near = get_close_matches(asked, self._table, n=1)
            meant = f"Did you mean {near[0]}?" if near else f"There are {', '.join(self._table)}."
            ctx.fail(f"No such command {asked!r}. {meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._table.items()])
