"""What commands print: tables for people, JSON for programs, one line for what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pychain.base.units import format_coins

PIPE_WIDTH = 10_000
"""Columns that programs can read: there a row is one line, however long."""
_RATES = ((1e12, "TH/s"), (1e9, "GH/s"), (1e6, "MH/s"), (1e3, "kH/s"))


def complain(line: str) -> None:
    """Say what went wrong, as one line on standard error. Text from outside cannot steer the terminal."""
    click.echo(f"pychain: {printable(line)}", err=True)


def printable(text: str) -> str:
    """`text` with whatever is not printable written as an escape."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def print_json(value: object) -> None:
    """Indented JSON, whole and uncoloured."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def console() -> Console:
    """Where tables go: colours on a terminal alone, and rows of any length into a pipe."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and values, one a line."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(name, Text(printable(str(value))))
    console().print(grid)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """A table with a heading; the columns in `right` hold numbers."""
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


def rate(hashes_per_s: float) -> str:
    """A hash rate with its unit."""
    for size, unit in _RATES:
        if hashes_per_s >= size:
            return f"{hashes_per_s / size:.2f} {unit}"
    return f"{hashes_per_s:.0f} H/s"
