"""`pychain devnet partition|heal|lag|kill|pause|restart`: faults of a running devnet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import click

from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.devnet.common import directory_option, node_argument, on_devnet, say
from pychain.devnet import links as wiring
from pychain.devnet.network import Devnet


def _to_groups(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> list[list[int]]:
    """`0,1` and `2-4` as lists of nodes."""
    groups = []
    for text in value:
        group: list[int] = []
        for part in text.split(","):
            first, dash, last = part.partition("-")
            if not first.isdecimal() or (dash and not last.isdecimal()) or len(part) > 8:
                raise click.BadParameter(f"'{text}' is not a group of nodes such as 0,1 or 0-3", ctx, parameter)
            group.extend(range(int(first), int(last or first) + 1))
        groups.append(group)
    return groups


@click.command()
@click.argument("groups", metavar="GROUP...", nargs=-1, required=True, callback=_to_groups)
@directory_option
@common_options
@pass_context
def partition(context: Context, groups: list[list[int]], chosen: str | None) -> None:
    """Cut all links between groups of nodes, and restore those within each group.

    \b
    Two halves of four:
        pychain devnet partition 0,1 2,3
    One node alone (nodes that no group names form one more group):
        pychain devnet partition 0
    Five nodes, all isolated:
        pychain devnet partition 0 1 2 3 4
    Nodes lose their connections at once and cannot reconnect until `heal` or another partition.
    """
    whole = on_devnet(context, chosen, lambda devnet: devnet.partition(groups))
    text = " | ".join(" ".join(f"node{index}" for index in group) for group in whole)
    say(context, {"groups": whole}, text if len(whole) > 1 else "all nodes are in one group: no link is cut")


@click.command()
@directory_option
@common_options
@pass_context
def heal(context: Context, chosen: str | None) -> None:
    """Restore all links and remove all lag. Paused or killed nodes stay so.

    \b
        pychain devnet heal
    """
    changed = on_devnet(context, chosen, lambda devnet: devnet.heal())
    say(context, {"healed": changed}, "all links are restored" if changed else "no link was cut or slow")


@click.command()
@click.argument("lag_ms", metavar="MS", type=click.FloatRange(0, wiring.MAX_LAG_MS))
@click.option(
    "--jitter",
    "jitter_ms",
    metavar="MS",
    type=click.FloatRange(0, wiring.MAX_LAG_MS),
    default=0.0,
    help="Maximum random extra delay; the order of bytes is kept.",
)
@click.option("--between", metavar="A B", type=click.IntRange(0), nargs=2, help="Only on the link of these two nodes.")
@directory_option
@common_options
@pass_context
def lag(context: Context, lag_ms: float, jitter_ms: float, between: tuple[int, int] | None, chosen: str | None) -> None:
    """Delay bytes by MS milliseconds each way, so a ping takes twice as long; 0 removes the lag.

    \b
    Roughly a world-wide network:
        pychain devnet lag 100 --jitter 50
    One bad link:
        pychain devnet lag 800 --between 0 1
    No lag again:
        pychain devnet lag 0
    """

    async def act(devnet: Devnet) -> list[str]:
        await devnet.lag(lag_ms, jitter_ms, between)
        return wiring.describe(await devnet.links(), devnet.plan.count)

    lines = on_devnet(context, chosen, act)
    result = {"lag_ms": lag_ms, "jitter_ms": jitter_ms, "between": between and list(between)}
    say(context, result, "\n".join(line for line in lines if line.startswith("lag")) or "no link has lag")


@click.command()
@node_argument
@directory_option
@common_options
@pass_context
def kill(context: Context, nodes: tuple[int, ...], chosen: str | None) -> None:
    """Kill nodes at once, as a power cut would (SIGKILL).

    \b
        pychain devnet kill 1
        pychain devnet restart 1
    """
    _to_each(context, chosen, nodes, lambda devnet: devnet.kill, "killed")


@click.command()
@node_argument
@click.option("--resume", is_flag=True, help="Resume them.")
@directory_option
@common_options
@pass_context
def pause(context: Context, nodes: tuple[int, ...], resume: bool, chosen: str | None) -> None:
    """Pause nodes (SIGSTOP): they keep their connections and answer nothing. --resume continues them.

    \b
        pychain devnet pause 2
        pychain devnet pause 2 --resume
    """
    if resume:
        _to_each(context, chosen, nodes, lambda devnet: devnet.resume, "resumed")
    else:
        _to_each(context, chosen, nodes, lambda devnet: devnet.pause, "paused")


@click.command()
@node_argument
@directory_option
@common_options
@pass_context
def restart(context: Context, nodes: tuple[int, ...], chosen: str | None) -> None:
    """Restart nodes on their old data and ports, with their links, mining if they mined before.

    \b
        pychain devnet restart 1
    A node that is still running is stopped cleanly first.
    """
    _to_each(context, chosen, nodes, lambda devnet: devnet.restart, "restarted")


def _to_each(
    context: Context,
    chosen: str | None,
    nodes: tuple[int, ...],
    action: Callable[[Devnet], Callable[[int], Awaitable[None]]],
    done: str,
) -> None:
    """Do the same to several nodes; to none of them if one does not exist."""
    distinct = list(dict.fromkeys(nodes))

    async def act(devnet: Devnet) -> None:
        for index in distinct:
            wiring.check_index(index, devnet.plan.count)
        for index in distinct:
            await action(devnet)(index)

    on_devnet(context, chosen, act)
    say(context, {done: distinct}, ", ".join(f"node{index}" for index in distinct) + f" {done}")
