"""The output of commands: tables for people, JSON for programs, one line for an error.

The library that draws tables is imported where it is used: a node starts, and JSON is printed, without it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click
import msgspec

from pychain.base.text import printable
from pychain.base.units import format_coins

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 10_000
"""Width of tables in a pipe: programs read a row as one line, however long."""


def complain(line: str) -> None:
    """Report an error as one line on standard error. Text from outside cannot control the terminal."""
    click.echo(f"pychain: {printable(line)}", err=True)


def print_json(value: object) -> None:
    """Indented JSON, whole and uncoloured."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def console() -> Console:
    """The console for tables: with colours on a terminal only, and with rows of any length into a pipe."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


@contextmanager
def progress(what: str, unit: str) -> Iterator[Callable[[float, float], None]]:
    """A progress bar on standard error, on a terminal only. Yields a function to call with the progress: done, of how
    many."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} " + unit),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=0, visible=False)  # until the total is known
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and values, one per line."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(name, Text(printable(str(value))))
    console().print(grid)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """A table with a heading; the columns in `right` hold numbers."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(str(value))) for value in row))
    console().print(table)


def coins(amount: int) -> str:
    """An amount for people."""
    return format_coins(amount)


def moment(unix_s: int) -> str:
    """A Unix time in the local zone."""
    return datetime.fromtimestamp(unix_s).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def memo_text(memo_hex: str) -> str:
    """A memo as text if it is printable text, otherwise in hex."""
    try:
        decoded = bytes.fromhex(memo_hex).decode("utf-8")
    except UnicodeDecodeError:
        return memo_hex
    return decoded if decoded.isprintable() else memo_hex
