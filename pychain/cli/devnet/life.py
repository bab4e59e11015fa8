"""`pychain devnet up|status|down`: start, inspect and stop a devnet."""

from __future__ import annotations

import asyncio
import os
from itertools import chain
from pathlib import Path

import click

from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.devnet.common import directory_of, directory_option, on_devnet, say
from pychain.cli.output import print_json, print_table
from pychain.devnet import links as wiring
from pychain.devnet.directory import clear, is_up, take_down
from pychain.devnet.errors import DevnetError
from pychain.devnet.network import Devnet, Plan
from pychain.devnet.record import read_record
from pychain.devnet.session import Session
from pychain.devnet.status import NodeStatus, look_at
from pychain.devnet.topology import TOPOLOGIES

DEFAULT_NETWORK = "race"
SHORT_HASH = 16


@click.command()
@click.option("-n", "--nodes", "count", type=int, default=3, show_default=True, help="Number of nodes.")
@click.option(
    "--topology", type=click.Choice(list(TOPOLOGIES)), default="full", show_default=True, help="Which nodes connect."
)
@click.option("--mine/--no-mine", default=True, show_default=True, help="Let all nodes mine.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Mining threads per node.")
@click.option(
    "--transfers",
    type=click.FloatRange(0, 1000),
    default=2.0,
    show_default=True,
    metavar="RATE",
    help="Transfers per second between the nodes' keys.",
)
@click.option("--for", "seconds", type=click.FloatRange(0), metavar="SECONDS", help="Stop after this time.")
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
    """Start nodes, connect them, let them mine, and show their state.

    \b
        pychain devnet up -n 3
        pychain devnet up -n 5 --topology line --for 120
        pychain devnet up -n 2 --network dev --no-mine --detach
    Ends with Ctrl-C or after --for: mining stops, all nodes must then agree on one tip, and on each of them the
    accounts must hold exactly what was issued.
    """
    network = lasting(context.options.setdefault("network", DEFAULT_NETWORK))
    directory = directory_of(chosen)
    fresh = chosen is None or read_record(directory) is None
    if chosen is None:
        clear(directory)
    elif is_up(directory):
        raise DevnetError(f"a devnet runs in {directory}; `pychain devnet down --dir {directory}` stops it")
    devnet = Devnet(Plan(directory, network, context.spec, count, topology, threads, _plugin_options(context)))
    if detach:
        asyncio.run(_leave_running(devnet, mine=mine))
        rows = [
            {
                "node": f"node{node.index}",
                "pid": node.process.identity.pid,
                "p2p": node.p2p,
                "api": node.api,
                "datadir": str(node.process.datadir),
            }
            for node in devnet.nodes
        ]
        if context.json:
            print_json(rows)
        else:
            print_table(list(rows[0]), [list(row.values()) for row in rows], right=["pid"])
        return
    session = Session(devnet, mine=mine, transfers=transfers, audited=fresh, json=context.json)
    asyncio.run(session.run(seconds))


def _plugin_options(context: Context) -> tuple[str, ...]:
    """The nodes' options for the user's rules, wherever they are restarted from."""
    return tuple(chain.from_iterable(("--plugin", os.path.abspath(each)) for each in context.plugins))


@click.command()
@directory_option
@common_options
@pass_context
def status(context: Context, chosen: str | None) -> None:
    """Show which nodes run, are paused or dead, the tips of their chains, and which links are cut or slow.

    \b
        pychain devnet status
        pychain devnet status --json
    """

    async def act(devnet: Devnet) -> tuple[list[NodeStatus], list[str]]:
        try:
            links = await devnet.links()
            faults = wiring.describe(links, devnet.plan.count)
        except DevnetError:
            links, faults = [], ["the relay is gone; `pychain devnet heal` starts a new one"]
        return await look_at(devnet, links), faults

    nodes, faults = on_devnet(context, chosen, act)
    if context.json:
        print_json(nodes)
        return
    rows = [
        (
            node.node,
            node.state,
            node.pid,
            "" if node.height is None else f"{node.height:,}",
            (node.tip or "")[:SHORT_HASH],
            "" if node.peers is None else node.peers,
            node.datadir,
        )
        for node in nodes
    ]
    columns = ["node", "state", "pid", "height", "tip", "peers", "datadir"]
    print_table(columns, rows, right=["pid", "height", "peers"])
    for line in faults:
        click.echo(line)


@click.command()
@directory_option
@common_options
@pass_context
def down(context: Context, chosen: str | None) -> None:
    """Stop the nodes of a detached devnet, and no other process.

    \b
        pychain devnet down
    """
    stopped = asyncio.run(take_down(directory_of(chosen)))
    say(context, {"stopped": stopped}, f"{stopped} nodes stopped")


async def _leave_running(devnet: Devnet, *, mine: bool) -> None:
    await devnet.start()
    if mine:
        await devnet.mine()
    await devnet.leave()


def lasting(network: str) -> str:
    """A network's name, or an absolute path to its file: nodes may be restarted from another directory."""
    return str(Path(network).expanduser().absolute()) if "/" in network or network.endswith(".toml") else network
