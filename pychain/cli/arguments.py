"""Arguments that several commands take, checked while the line is parsed, so that a mistake is wrong usage."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import click

from pychain.base.errors import DecodeError
from pychain.base.units import parse_coins


def to_base_units(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """A callback: an amount of coins as people write it."""
    try:
        return None if value is None else parse_coins(value)
    except DecodeError as error:
        raise click.BadParameter(str(error), ctx, parameter) from None


def to_bytes(ctx: click.Context, parameter: click.Parameter, value: str | None) -> bytes | None:
    """A callback: bytes in hex."""
    try:
        return None if value is None else bytes.fromhex(value)
    except ValueError:
        raise click.BadParameter(f"'{value}' is not hex", ctx, parameter) from None


def check_directory(option: str, path: Path) -> None:
    """UsageError if a file could not be written because its directory does not exist."""
    if not path.absolute().parent.is_dir():
        raise click.UsageError(f"{option} {path}: there is no such directory")


def check_picture(option: str, path: Path, endings: Container[str]) -> None:
    """UsageError if nothing could be drawn into a file."""
    if path.suffix.removeprefix(".") not in endings:
        raise click.UsageError(f"{option} {path}: the file name must end in .png, .svg or .pdf")
    check_directory(option, path)
