"""`pychain devnet`: a network of several real nodes on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click
import platformdirs

from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import print_json, print_table
from pychain.client.results import ChainInfo
from pychain.devnet.errors import DevnetError
from pychain.devnet.network import Devnet, Plan, clear, running_nodes, take_down
from pychain.devnet.processes import NodeProcess
from pychain.devnet.record import read_record
from pychain.devnet.session import Session
from pychain.devnet.topology import TOPOLOGIES

DEFAULT_NETWORK = "race"

directory_option = click.option(
    "--dir",
    "chosen",
    metavar="DIR",
    help="Where the nodes live (default: `devnet` in the user's data, made anew by each `up`).",
)


@click.group("devnet")
def command() -> None:
    """A network of several real nodes on this machine.

    \b
    Three miners race each other, and one watches them fork and agree:
        pychain devnet up -n 3
    The same in the background:
        pychain devnet up -n 3 --detach
        pychain chain info --datadir DIR/node0
        pychain devnet down
    """


@command.command()
@click.option("-n", "--nodes", "count", type=int, default=3, show_default=True, help="How many nodes.")
@click.option(
    "--topology", type=click.Choice(list(TOPOLOGIES)), default="full", show_default=True, help="Who connects."
)
@click.option("--mine/--no-mine", default=True, show_default=True, help="Let all nodes mine.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Mining threads a node.")
@click.option(
    "--transfers",
    type=click.FloatRange(0, 1000),
    default=2.0,
    show_default=True,
    metavar="RATE",
    help="Transfers between the nodes' keys, a second.",
)
@click.option("--for", "seconds", type=click.FloatRange(0), metavar="SECONDS", help="End by itself after so long.")
@click.option("--detach", is_flag=True, help="Leave the nodes running; `down` stops them.")
@directory_option
@common_options
@pass_context
def up(
    context: Context,
    count: int,
    topology: str,
    mine: bool,
    threads: int,
    transfers: float,
    seconds: float | None,
    detach: bool,
    chosen: str | None,
) -> None:
    """Start nodes, connect them, let them mine, and show what they do.

    \b
        pychain devnet up -n 3
        pychain devnet up -n 5 --topology line --for 120
        pychain devnet up -n 2 --network dev --no-mine --detach
    Ends with Ctrl-C or after --for: the miners rest, all nodes must then agree on one tip, and on each of them the
    accounts must hold exactly what was issued.
    """
    network = context.options.setdefault("network", DEFAULT_NETWORK)
    directory = _directory(chosen)
    fresh = chosen is None or read_record(directory) is None
    if chosen is None:
        clear(directory)
    elif running_nodes(directory):
        raise DevnetError(f"a devnet runs in {directory}; `pychain devnet down --dir {directory}` stops it")
    devnet = Devnet(Plan(directory, network, context.spec, count, topology, threads))
    if detach:
        asyncio.run(_leave_running(devnet, mine=mine))
        rows = [
            {
                "node": f"node{node.index}",
                "pid": node.process.identity.pid,
                "p2p": node.ready.p2p,
                "api": node.ready.api,
                "datadir": str(node.process.datadir),
            }
            for node in devnet.nodes
        ]
        _print_rows(context, rows)
        return
    session = Session(devnet, mine=mine, transfers=transfers, audited=fresh, json=context.json)
    asyncio.run(session.run(seconds))


@command.command()
@directory_option
@common_options
@pass_context
def status(context: Context, chosen: str | None) -> None:
    """What the nodes of a detached devnet do.

    \b
        pychain devnet status
    """
    processes = running_nodes(_directory(chosen))
    if not processes:
        raise DevnetError(f"no devnet runs in {_directory(chosen)}")
    chains = asyncio.run(_chains(processes))
    rows = [
        {
            "node": process.datadir.name,
            "pid": process.identity.pid,
            "height": chain.blocks,
            "tip": chain.bestblockhash,
            "datadir": str(process.datadir),
        }
        for process, chain in zip(processes, chains, strict=True)
    ]
    _print_rows(context, rows)


@command.command()
@directory_option
@common_options
@pass_context
def down(context: Context, chosen: str | None) -> None:
    """Stop the nodes of a detached devnet, and no other process.

    \b
        pychain devnet down
    """
    stopped = asyncio.run(take_down(_directory(chosen)))
    if context.json:
        print_json({"stopped": stopped})
    else:
        click.echo(f"{stopped} nodes stopped")


def _directory(chosen: str | None) -> Path:
    if chosen is not None:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_data_path("pychain", appauthor=False) / "devnet"


async def _leave_running(devnet: Devnet, *, mine: bool) -> None:
    await devnet.start()
    if mine:
        await devnet.mine()
    devnet.abandon()


async def _chains(processes: Sequence[NodeProcess]) -> list[ChainInfo]:
    chains = []
    for process in processes:
        async with process.client() as client:
            chains.append(await client.chain_info())
    return chains


def _print_rows(context: Context, rows: Sequence[dict[str, object]]) -> None:
    if context.json:
        print_json(rows)
    else:
        print_table(list(rows[0]), [list(row.values()) for row in rows], right=["pid", "height"])
