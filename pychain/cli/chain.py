"""`pychain chain`: the node's view of the chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pychain.base.errors import PychainError
from pychain.base.text import format_span
from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import coins, memo_text, moment, print_facts, print_json, print_table, progress
from pychain.client import Client
from pychain.client.results import ChainInfo

VERIFY_LEVELS = "0 reads, 1 rules and signatures, 2 undo records, 3 disconnects blocks, 4 connects them again"


@click.group("chain")
def command() -> None:
    """Blocks, transactions, branches.

    \b
        pychain chain info
        pychain chain block 1000
        pychain chain tips
    """


@command.command()
@common_options
@pass_context
def info(context: Context) -> None:
    """The tip, the difficulty, and the sync progress.

    \b
        pychain chain info
        pychain chain info --json --network test
    """
    if context.json:
        print_json(context.ask(lambda node: node.call("getblockchaininfo")))
        return
    chain = context.ask(lambda node: node.chain_info())
    print_facts(
        [
            ("network", chain.chain),
            ("genesis", chain.genesis),
            ("height", f"{chain.blocks:,}"),
            ("headers", f"{chain.headers:,}"),
            ("tip", chain.bestblockhash),
            ("time", moment(chain.time)),
            ("difficulty", f"{chain.difficulty:.6g}"),
            ("chain work", f"{int(chain.chainwork, 16):.4g} hashes"),
            ("synced", f"{chain.verificationprogress:.2%}" + _remaining(chain)),
        ]
    )


def _remaining(chain: ChainInfo) -> str:
    if not chain.initialblockdownload:
        return ""
    return ", syncing" if chain.secondsleft is None else f", {format_span(chain.secondsleft)} left"


@command.command()
@click.argument("which", metavar="HASH|HEIGHT")
@click.option("--transactions", is_flag=True, help="Include the transactions.")
@click.option("--raw", is_flag=True, help="Print the serialized bytes in hex.")
@common_options
@pass_context
def block(context: Context, which: str, transactions: bool, raw: bool) -> None:
    """A block, by its height on the active chain or by its hash on any branch.

    \b
        pychain chain block 1000
        pychain chain block 0 --json
    """

    async def ask(node: Client) -> Any:
        block_hash = await node.call("getblockhash", int(which)) if _is_height(which) else which
        return await node.call("getblock", block_hash, 0 if raw else 2 if transactions else 1)

    found = context.ask(ask)
    if raw or context.json:
        click.echo(found) if raw else print_json(found)
        return
    listed = found.pop("tx")
    found["time"] = moment(found["time"])
    found["mediantime"] = moment(found["mediantime"])
    print_facts(found.items())
    click.echo()
    if transactions:
        rows = [(_kind(tx), tx.get("sender", ""), tx["recipient"], coins(tx["amount"]), tx["txid"]) for tx in listed]
        print_table(["", "from", "to", "coins", "txid"], rows, right=["coins"])
    else:
        for txid in listed:
            click.echo(txid)


@command.command()
@click.argument("txid", metavar="TXID")
@click.option("--raw", is_flag=True, help="Print the serialized bytes in hex.")
@common_options
@pass_context
def tx(context: Context, txid: str, raw: bool) -> None:
    """A transaction in the active chain or in the mempool.

    \b
        pychain chain tx 5f1c...
        pychain chain tx 5f1c... --raw
    """
    found = context.ask(lambda node: node.call("getrawtransaction", txid, not raw))
    if raw:
        click.echo(found)
    elif context.json:
        print_json(found)
    else:
        for name in ("amount", "fee"):
            if name in found:
                found[name] = f"{coins(found[name])} coins"
        if "blocktime" in found:
            found["blocktime"] = moment(found["blocktime"])
        if found.get("memo"):
            found["memo"] = memo_text(found["memo"])
        del found["hex"]
        print_facts(found.items())


@command.command()
@common_options
@pass_context
def tips(context: Context) -> None:
    """The tips of all branches that the node knows, the active one first.

    \b
        pychain chain tips
    """
    if context.json:
        print_json(context.ask(lambda node: node.call("getchaintips")))
        return
    rows = [(tip.height, tip.hash, tip.branchlen, tip.status) for tip in context.ask(lambda node: node.chain_tips())]
    print_table(["height", "hash", "branch", "status"], rows, right=["height", "branch"])


@command.command()
@click.option("--level", type=click.IntRange(0, 4), default=3, show_default=True, help=f"{VERIFY_LEVELS}.")
@click.option("--blocks", type=click.IntRange(0), default=6, show_default=True, help="The last N blocks; 0 for all.")
@common_options
@pass_context
def verify(context: Context, level: int, blocks: int) -> None:
    """Check the blocks on the node's disk against the rules.

    \b
        pychain chain verify --level 4 --blocks 0
    """
    if not context.ask(lambda node: node.call("verifychain", level, blocks, timeout_s=None, result=bool)):
        raise PychainError("the chain on disk does not verify; the node's log says which block and why")
    if context.json:
        print_json({"valid": True})
    else:
        click.echo("valid")


@command.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@common_options
@pass_context
def export_(context: Context, file: Path) -> None:
    """Write the active chain to FILE: blocks from height 1 to the tip, in Bitcoin's format. A node may be running.

    \b
        pychain chain export chain.dat
    """
    from pychain.daemon.chain_export import export_chain

    with progress("writing", "blocks") as bar:
        height = export_chain(context.settings, file, bar)
    if context.json:
        print_json({"height": height, "bytes": file.stat().st_size, "file": str(file)})
    else:
        click.echo(f"wrote {height:,} blocks to {file}")


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@common_options
@pass_context
def import_(context: Context, file: Path) -> None:
    """Import the chain in FILE into the data directory, checking every rule. No node may be running on it.

    Blocks that are already there are skipped, so an interrupted import can simply be run again.

    \b
        pychain chain import chain.dat --datadir copy
    """
    from pychain.daemon.chain_import import import_chain

    with progress("loading", "bytes") as bar:
        done = import_chain(context.settings, file, lambda at: bar(at.read_bytes, at.file_bytes))
    if context.json:
        print_json({"height": done.height, "best": done.is_best})
    elif done.is_best:
        click.echo(f"the chain ends at height {done.height:,} now")
    else:
        click.echo(
            f"the file's chain has no more work than the one here: it is kept as a branch, height {done.height:,}"
        )


def _is_height(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20


def _kind(transaction: dict[str, Any]) -> str:
    return str(transaction["type"])
