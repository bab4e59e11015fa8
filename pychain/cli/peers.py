"""`pychain peers`: the node's connections."""

from __future__ import annotations

import click

from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import moment, print_json, print_table


@click.group("peers")
def command() -> None:
    """Connections with other nodes.

    \b
        pychain peers list
        pychain peers add 192.0.2.1:30700
    """


@command.command("list")
@common_options
@pass_context
def list_(context: Context) -> None:
    """All connections.

    \b
        pychain peers list
    """
    if context.json:
        print_json(context.ask(lambda node: node.call("getpeerinfo")))
        return
    peers = context.ask(lambda node: node.peers())
    if not peers:
        click.echo("There are no connections; `pychain peers add HOST:PORT` makes one.")
        return
    rows = [
        (
            peer.id,
            peer.addr,
            peer.connection_type,
            "" if peer.pingtime is None else f"{peer.pingtime * 1000:.1f}",
            f"{peer.bytesrecv:,}",
            f"{peer.bytessent:,}",
            moment(peer.conntime),
            peer.subver or peer.state,
        )
        for peer in peers
    ]
    numbers = ["id", "ping ms", "received", "sent"]
    columns = ["id", "address", "kind", "ping ms", "received", "sent", "since", "agent"]
    print_table(columns, rows, right=numbers)


@command.command()
@click.argument("address", metavar="HOST:PORT")
@click.option("--once", is_flag=True, help="Try to connect once, instead of staying connected for good.")
@common_options
@pass_context
def add(context: Context, address: str, once: bool) -> None:
    """Stay connected to a peer. The node forgets it when it ends: `connect` in pychain.toml is for ever.

    \b
        pychain peers add 192.0.2.1:31700
    """
    context.ask(lambda node: node.call("addnode", address, "onetry" if once else "add"))
    if context.json:
        print_json({"added": address})
    else:
        click.echo(f"{address} is being dialled; `pychain peers list` shows it once it answers")
