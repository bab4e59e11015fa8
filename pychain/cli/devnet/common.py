"""Common parts of the devnet commands: the directory option, and how to attach."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import click
import platformdirs

from pychain.cli.context import Context
from pychain.cli.output import print_json
from pychain.devnet.directory import is_up
from pychain.devnet.errors import DevnetError
from pychain.devnet.network import Devnet
from pychain.devnet.record import the_record

T = TypeVar("T")

directory_option = click.option(
    "--dir",
    "chosen",
    metavar="DIR",
    help="Directory of the devnet (default: `devnet` in the user's data, replaced by each `up`).",
)
node_argument = click.argument("nodes", metavar="NODE...", type=click.IntRange(0), nargs=-1, required=True)


def directory_of(chosen: str | None) -> Path:
    """The directory of a command line's devnet."""
    if chosen is not None:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_data_path("pychain", appauthor=False) / "devnet"


def on_devnet(context: Context, chosen: str | None, action: Callable[[Devnet], Awaitable[T]]) -> T:
    """Do something to the devnet that runs in a directory. DevnetError if none does."""
    directory = directory_of(chosen)
    if not is_up(directory):
        raise DevnetError(f"no devnet runs in {directory}; `pychain devnet up --detach` starts one")
    context.options["network"] = the_record(directory).network

    async def act() -> T:
        devnet = Devnet.attach(directory, context.spec)
        try:
            return await action(devnet)
        finally:
            await devnet.leave()

    return asyncio.run(act())


def say(context: Context, result: Mapping[str, object], line: str) -> None:
    """Report what was done: as JSON, or in words."""
    if context.json:
        print_json(result)
    else:
        click.echo(line)
