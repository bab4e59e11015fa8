"""`pychain mempool`: pending transfers."""

from __future__ import annotations

import click

from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import coins, moment, print_facts, print_json, print_table
from pychain.client import Client
from pychain.client.results import MempoolEntry, MempoolInfo


@click.command("mempool")
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="Show the N best-paying.")
@common_options
@pass_context
def command(context: Context, limit: int) -> None:
    """Pending transfers, by fee rate, highest first.

    \b
        pychain mempool
        pychain mempool --limit 0
        pychain mempool --json
    """

    async def ask(node: Client) -> tuple[MempoolInfo, dict[str, MempoolEntry]]:
        return await node.mempool_info(), await node.mempool()

    info, entries = context.ask(ask)
    if context.json:
        print_json({"info": info, "transactions": entries})
        return
    print_facts(
        [
            ("transfers", f"{info.size:,}"),
            ("bytes", f"{info.bytes:,} of {info.maxmempool:,}"),
            ("least fee", f"{coins(info.minrelaytxfee)} coins a kilobyte"),
        ]
    )
    best = sorted(entries.items(), key=lambda item: -item[1].feerate)[:limit]
    if best:
        click.echo()
        rows = [
            (txid, entry.feerate, coins(entry.fee), entry.size, entry.sequence, moment(entry.time))
            for txid, entry in best
        ]
        numbers = ["units/kB", "fee", "bytes", "sequence"]
        print_table(["txid", *numbers, "since"], rows, right=numbers)
