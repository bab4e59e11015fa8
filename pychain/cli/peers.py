"""`pychain peers`: the node's connections."""

from __future__ import annotations

import click
import msgspec

from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import moment, print_json, print_table


@click.group("peers")
def command() -> None:
    """Connections to other nodes.

    \b
        pychain peers list
        pychain peers add 192.0.2.1:30700
        pychain peers ban 203.0.113.0/24
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
        click.echo("No connections; `pychain peers add HOST:PORT` makes one.")
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
@click.option("--once", is_flag=True, help="Connect once, without reconnecting.")
@common_options
@pass_context
def add(context: Context, address: str, once: bool) -> None:
    """Stay connected to a peer until the node stops; `connect` in pychain.toml makes it permanent.

    \b
        pychain peers add 192.0.2.1:31700
    """
    context.ask(lambda node: node.call("addnode", address, "onetry" if once else "add"))
    if context.json:
        print_json({"added": address})
    else:
        click.echo(f"{address} is being dialled; `pychain peers list` shows it once it answers")


@command.command()
@click.argument("host", metavar="[HOST|NETWORK]", required=False)
@click.option("--hours", type=click.IntRange(1, 24 * 3650), default=24, show_default=True, help="Duration of the ban.")
@click.option("--lift", is_flag=True, help="Lift a ban instead.")
@common_options
@pass_context
def ban(context: Context, host: str | None, hours: int, lift: bool) -> None:
    """Refuse connections with an address or a network, and close existing ones. Without one, list the bans.

    \b
        pychain peers ban 203.0.113.7 --hours 48
        pychain peers ban 203.0.113.0/24
        pychain peers ban
        pychain peers ban 203.0.113.7 --lift
    """
    if host is None:
        if lift:
            raise click.UsageError("--lift needs the address or network whose ban is to end")
        _show_bans(context)
    elif lift:
        context.ask(lambda node: node.call("setban", host, "remove"))
        _tell(context, {"lifted": host}, f"{host} may connect again")
    else:
        context.ask(lambda node: node.call("setban", host, "add", hours * 3600))
        _tell(context, {"banned": host, "hours": hours}, f"{host} is banned for {hours} h")


class _Ban(msgspec.Struct):
    address: str
    banned_until: int


def _show_bans(context: Context) -> None:
    if context.json:
        print_json(context.ask(lambda node: node.call("listbanned")))
        return
    bans = context.ask(lambda node: node.call("listbanned", result=list[_Ban]))
    if not bans:
        click.echo("No bans.")
        return
    print_table(["banned", "until"], [(each.address, moment(each.banned_until)) for each in bans])


def _tell(context: Context, what: dict[str, object], text: str) -> None:
    if context.json:
        print_json(what)
    else:
        click.echo(text)
