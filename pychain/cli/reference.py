"""The page docs/commands.md, generated from the commands' help.

Regenerate it after a change with `python -m pychain.cli > docs/commands.md`.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from pychain.cli.main import cli

PAGE_WIDTH = 100
_INTRODUCTION = """# Commands

<!-- Written by `python -m pychain.cli > docs/commands.md` from the commands' help; a test compares. -->

Every command takes `--network`, `--datadir`, `--config` and `--json`, before or after its name. Settings
come from flags, then from the environment (`PYCHAIN_NETWORK`, `PYCHAIN_DATADIR`, ...), then from `pychain.toml` in the
data directory, then from the network's defaults.

Commands that query a node find it by its data directory: a running node keeps `ready.json` and `.cookie` there.

| exit code | |
|---|---|
| 0 | done |
| 1 | failed; one line on standard error says why |
| 2 | wrong usage: the command line, a setting, or the configuration |
| 3 | the node could not be reached |

A wallet's password is asked for on the terminal, read from `--password-file FILE`, or taken from `PYCHAIN_PASSWORD`."""


def page() -> str:
    """The whole page."""
    sections = [f"## {name}\n\n```text\n{text}\n```" for name, text in _helps(cli, "pychain", None)]
    return "\n\n".join([_INTRODUCTION, *sections]) + "\n"


def _helps(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    """The help of a command, then of its subcommands."""
    ctx = click.Context(command, parent, name.rpartition(" ")[2], terminal_width=PAGE_WIDTH, **command.context_settings)
    yield name, command.get_help(ctx)
    if isinstance(command, click.Group):
        for each in command.list_commands(ctx):
            below = command.get_command(ctx, each)
            assert below is not None
            yield from _helps(below, f"{name} {each}", ctx)
