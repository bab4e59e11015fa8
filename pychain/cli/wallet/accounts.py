"""`pychain wallet list`, `address`, `balance` and `history`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from msgspec import structs

from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import coins, memo_text, moment, print_json, print_table
from pychain.cli.secret import get_password, password_option
from pychain.cli.wallet.common import account_option, address_of, described, show_account, wallet_option
from pychain.client import Client
from pychain.client.results import Account, HistoryEntry, PendingPayment
from pychain.keystore.unlocked import unlocked_until


@click.command("list")
@common_options
@pass_context
def list_(context: Context) -> None:
    """All wallets and their accounts.

    \b
        pychain wallet list
    """
    keystore = context.keystore
    rows = []
    for name in keystore.names():
        until = unlocked_until(keystore.directory, name)
        for account in keystore.load(name).accounts:
            rows.append(described(context, name, account) | ({} if until is None else {"unlocked_until": until}))
    if context.json:
        print_json(rows)
    elif rows:
        columns = ["wallet", "account", "kind", "address"]
        print_table(columns, [[row[column] for column in columns] for row in rows])
    else:
        click.echo("No wallets yet; `pychain wallet create` makes one.")


@click.command()
@wallet_option
@account_option
@click.option("--new", "new_label", metavar="LABEL", help="Make a new account with this label.")
@password_option
@common_options
@pass_context
def address(context: Context, name: str, label: str, new_label: str | None, password_file: str | None) -> None:
    """Show an account's address, for others to pay to.

    \b
        pychain wallet address
        pychain wallet address --new rent
    """
    keystore = context.keystore
    if new_label is None:
        account = keystore.load(name).account(label)
    else:
        keystore.load(name)  # report a mistyped name before asking for a password
        changed = keystore.change(name, get_password(password_file), lambda wallet: wallet.with_derived(new_label))
        account = changed.accounts[-1]
    if context.json:
        show_account(context, name, account)
    else:
        click.echo(address_of(context, account))


@click.command()
@wallet_option
@common_options
@pass_context
def balance(context: Context, name: str) -> None:
    """Show the balances of a wallet's accounts.

    \b
        pychain wallet balance
        pychain wallet balance --wallet savings --json
    Available is the balance less what pending payments spend. Immature are mining rewards that are not credited yet.
    """
    names = context.keystore.load(name).accounts

    async def ask(node: Client) -> list[Account]:
        return [await node.account(address_of(context, each)) for each in names]

    accounts = context.ask(ask)
    if context.json:
        print_json([{"label": each.label, **_amounts(account)} for each, account in zip(names, accounts, strict=True)])
        return
    rows = [(each.label, *_row([account])) for each, account in zip(names, accounts, strict=True)]
    if len(rows) > 1:
        rows.append(("all", *_row(accounts)))
    numbers = ["balance", "available", "immature", "pending"]
    print_table(["account", *numbers], rows, right=numbers)


@click.command()
@wallet_option
@account_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The last N entries.")
@click.option("--before", metavar="TXID", help="Show the entries before this one.")
@common_options
@pass_context
def history(context: Context, name: str, label: str, limit: int, before: str | None) -> None:
    """Show an account's payments and rewards, the newest first.

    \b
        pychain wallet history
        pychain wallet history --account rent --limit 100
        pychain wallet history --json
    Pending payments come first, with 0 confirmations.
    """
    account = context.keystore.load(name).account(label)
    own = address_of(context, account)

    async def ask(node: Client) -> tuple[list[PendingPayment], list[HistoryEntry]]:
        waiting = await node.account_pending(own) if before is None else []
        return waiting, await node.account_history(own, limit, before)

    waiting, mined = context.ask(ask)
    rows = [*(_pending_row(own, each) for each in reversed(waiting)), *map(structs.asdict, mined)][:limit]
    if context.json:
        print_json(rows)
    elif rows:
        columns = ["time", "", "coins", "fee", "with", "confirmations", "memo", "txid"]
        print_table(columns, map(_shown, rows), right=["coins", "fee", "confirmations"])
    else:
        click.echo("Nothing yet.")


def _pending_row(own: str, pending: PendingPayment) -> dict[str, Any]:
    """A pending payment, in the form of a mined one."""
    itself = pending.recipient == own
    return {
        "txid": pending.txid,
        "height": None,
        "blockhash": None,
        "time": pending.time,
        "direction": "self" if itself else "out",
        "counterparty": None if itself else pending.recipient,
        "amount": pending.amount,
        "fee": pending.fee,
        "memo": pending.memo,
        "confirmations": 0,
    }


def _shown(row: dict[str, Any]) -> tuple[object, ...]:
    paid = row["direction"] in ("out", "self")
    return (
        moment(row["time"]),
        row["direction"],
        coins(-row["amount"] if row["direction"] == "out" else row["amount"]),
        coins(row["fee"]) if paid else "",
        row["counterparty"] or "",
        row["confirmations"],
        memo_text(row["memo"]),
        row["txid"],
    )


def _row(accounts: Sequence[Account]) -> tuple[object, ...]:
    """The sums over all accounts."""
    return (
        coins(sum(account.balance for account in accounts)),
        coins(sum(account.available for account in accounts)),
        coins(sum(account.immature for account in accounts)),
        sum(account.pending for account in accounts),
    )


def _amounts(account: Account) -> dict[str, object]:
    return {
        "address": account.address,
        "balance": account.balance,
        "available": account.available,
        "immature": account.immature,
        "pending": account.pending,
        "pending_sequence": account.pending_sequence,
    }
