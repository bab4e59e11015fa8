"""`pychain devnet load`: transfers between the nodes' keys, and their outcome."""

from __future__ import annotations

import click

from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.devnet.common import directory_option, on_devnet
from pychain.cli.output import print_facts, print_json, progress
from pychain.devnet.errors import DevnetError
from pychain.devnet.load import MAX_RATE, Latency, Load, Report
from pychain.devnet.network import Devnet


@click.command()
@click.option(
    "--rate",
    type=click.FloatRange(0.1, MAX_RATE),
    default=10.0,
    show_default=True,
    metavar="N",
    help="Transfers per second, of all nodes together.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 86_400),
    default=10.0,
    show_default=True,
    metavar="S",
    help="Duration of the load.",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 3600),
    default=15.0,
    show_default=True,
    metavar="S",
    help="Time to wait for the last blocks.",
)
@directory_option
@common_options
@pass_context
def load(context: Context, rate: float, seconds: float, wait_s: float, chosen: str | None) -> None:
    """Send transfers between the nodes' keys, and report how many were mined and how fast.

    \b
        pychain devnet load
        pychain devnet load --rate 100 --seconds 60 --json
    Each key pays through its own node, and may have 64 pending transfers. On `dev` the keys are funded; on other
    networks they spend what their nodes have mined, once the first rewards are mature.
    """

    async def act(devnet: Devnet) -> Report:
        with progress("transfers", "submitted") as tell:
            return await Load(devnet).run(rate, seconds, wait_s, tell)

    report = on_devnet(context, chosen, act)
    if context.json:
        print_json(report)
    else:
        _print(report)
    if not report.accepted:
        raise DevnetError(f"no transfer was accepted: {_most_common(report) or 'no node answered'}")


def _print(report: Report) -> None:
    facts: list[tuple[str, object]] = [
        ("submitted", f"{report.submitted:,} in {report.seconds:.1f} s"),
        ("accepted", f"{report.accepted:,}{_latency(report.accepted_in_ms)}"),
        ("confirmed", f"{report.confirmed:,}{_latency(report.confirmed_in_ms)}"),
    ]
    if report.refused:
        facts.append(("refused", f"{report.refused:,}, most often: {_most_common(report)}"))
    if report.unanswered:
        facts.append(("unanswered", f"{report.unanswered:,}"))
    print_facts(facts)


def _latency(latency: Latency | None) -> str:
    if latency is None:
        return ""
    return f", in ms: half {latency.p50:,.0f}, 90% {latency.p90:,.0f}, 99% {latency.p99:,.0f}, all {latency.max:,.0f}"


def _most_common(report: Report) -> str:
    return max(report.refusals, key=lambda reason: report.refusals[reason], default="")
