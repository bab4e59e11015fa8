"""`pychain wallet`: wallets of the data directory, and payments from them through its node."""

from __future__ import annotations

import click

from pychain.base.errors import DecodeError
from pychain.base.units import format_coins
from pychain.chain.address import decode_address, encode_address
from pychain.chain.hashes import hash_hex
from pychain.cli.arguments import to_base_units, to_bytes
from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import coins, print_facts, print_json, print_table
from pychain.cli.secret import get_password, password_option
from pychain.client import Client
from pychain.client.results import Account
from pychain.daemon.entropy import SystemEntropy
from pychain.daemon.keystore import COSTS, DEFAULT_LABEL, DEFAULT_WALLET, AccountName
from pychain.wallet.errors import WalletError
from pychain.wallet.keys import PrivateKey
from pychain.wallet.payment import Payment, fee_for, sign_transfer

wallet_option = click.option(
    "--wallet", "name", default=DEFAULT_WALLET, show_default=True, metavar="NAME", help="Which wallet."
)
account_option = click.option(
    "--account", "label", default=DEFAULT_LABEL, show_default=True, metavar="LABEL", help="Which of its accounts."
)


@click.group("wallet")
def command() -> None:
    """Keys, balances, payments.

    \b
    Make a wallet, see where coins for it go, and pay from it:
        pychain wallet create
        pychain wallet address
        pychain wallet send tpyc1... 2.5 --memo 'invoice 17'
    Wallets are files in the data directory, encrypted with a password; only paying needs it.
    """


@command.command()
@click.argument("name", default=DEFAULT_WALLET)
@click.option(
    "--account", "label", default=DEFAULT_LABEL, show_default=True, metavar="LABEL", help="Its first account."
)
@click.option(
    "--kdf",
    "cost",
    type=click.Choice(list(COSTS)),
    default="moderate",
    show_default=True,
    help="How dear guessing the password is: 64, 256 or 1024 MiB of memory a guess.",
)
@password_option
@common_options
@pass_context
def create(context: Context, name: str, label: str, cost: str, password_file: str | None) -> None:
    """Make a new wallet with one account.

    \b
        pychain wallet create
        pychain wallet create savings --network test
    There is no way back into a wallet whose password is lost.
    """
    keystore = context.keystore
    if name in keystore.names():  # before a password is asked for
        raise WalletError(f"wallet '{name}' exists already")
    key = PrivateKey.generate(SystemEntropy())
    wallet = keystore.create(name, get_password(password_file, new=True), key, label, COSTS[cost])
    _show_accounts(context, name, wallet.accounts)


@command.command("list")
@common_options
@pass_context
def list_(context: Context) -> None:
    """All wallets and their accounts."""
    rows = [
        {"wallet": name, "account": account.label, "address": _address(context, account)}
        for name in context.keystore.names()
        for account in context.keystore.load(name).accounts
    ]
    if context.json:
        print_json(rows)
    elif rows:
        print_table(["wallet", "account", "address"], [list(row.values()) for row in rows])
    else:
        click.echo("There are no wallets yet; `pychain wallet create` makes one.")


@command.command()
@wallet_option
@account_option
@click.option("--new", "new_label", metavar="LABEL", help="Make a new account with this label.")
@password_option
@common_options
@pass_context
def address(context: Context, name: str, label: str, new_label: str | None, password_file: str | None) -> None:
    """An account's address, for others to pay to.

    \b
        pychain wallet address
        pychain wallet address --new rent
    """
    keystore = context.keystore
    if new_label is None:
        account = keystore.load(name).account(label)
    else:
        keystore.load(name)  # a mistyped name is told before a password is asked for
        key = PrivateKey.generate(SystemEntropy())
        account = keystore.add_account(name, get_password(password_file), new_label, key)
    if context.json:
        _show_accounts(context, name, (account,))
    else:
        click.echo(_address(context, account))


@command.command()
@wallet_option
@common_options
@pass_context
def balance(context: Context, name: str) -> None:
    """What a wallet's accounts have.

    Available is the balance less what pending payments spend. Immature are mining rewards that are not credited yet.
    """
    names = context.keystore.load(name).accounts

    async def ask(node: Client) -> list[Account]:
        return [await node.account(_address(context, each)) for each in names]

    accounts = context.ask(ask)
    if context.json:
        print_json([{"label": each.label, **_amounts(account)} for each, account in zip(names, accounts, strict=True)])
        return
    rows = [
        (each.label, coins(account.balance), coins(account.available), coins(account.immature), account.pending)
        for each, account in zip(names, accounts, strict=True)
    ]
    if len(rows) > 1:
        rows.append(
            (
                "all",
                coins(sum(account.balance for account in accounts)),
                coins(sum(account.available for account in accounts)),
                coins(sum(account.immature for account in accounts)),
                sum(account.pending for account in accounts),
            )
        )
    numbers = ["balance", "available", "immature", "pending"]
    print_table(["account", *numbers], rows, right=numbers)


@command.command()
@click.argument("recipient", metavar="ADDRESS")
@click.argument("amount", callback=to_base_units, metavar="COINS")
@wallet_option
@account_option
@click.option("--fee", callback=to_base_units, metavar="COINS", help="What the miner gets (default: the relay fee).")
@click.option("--memo", metavar="TEXT", help="A reference for everybody to read, at most 512 bytes.")
@click.option("--memo-hex", callback=to_bytes, metavar="HEX", help="The same as bytes.")
@password_option
@common_options
@pass_context
def send(
    context: Context,
    recipient: str,
    amount: int,
    name: str,
    label: str,
    fee: int | None,
    memo: str | None,
    memo_hex: bytes | None,
    password_file: str | None,
) -> None:
    """Pay COINS to ADDRESS.

    \b
        pychain wallet send tpyc1... 2.5
        pychain wallet send tpyc1... 0.1 --memo 'invoice 17' --fee 0.0001
    Payments may follow each other without waiting for blocks.
    """
    if memo is not None and memo_hex is not None:
        raise click.UsageError("give --memo or --memo-hex, not both")
    to_key = _recipient(context, recipient)
    memo_bytes = memo.encode() if memo is not None else memo_hex or b""
    keystore = context.keystore
    wallet = keystore.load(name)
    sender = wallet.account(label)
    draft = Payment(to_key, amount, fee or 0, memo_bytes)  # refused before a password is asked for
    context.ask(lambda node: _check(context, node, sender, draft))
    key = wallet.unlock(get_password(password_file))[label]

    async def pay(node: Client) -> dict[str, object]:
        payment = await _with_fee(node, draft, fee)
        account = await _check(context, node, sender, payment)
        transfer = sign_transfer(key, context.spec.genesis_hash, account.pending_sequence, payment)
        return {
            "txid": await node.send(transfer.raw),
            "from": account.address,
            "to": recipient,
            "amount": payment.amount,
            "fee": payment.fee,
            "sequence": account.pending_sequence,
        }

    with keystore.locked(name):  # two processes never choose one sequence
        sent = context.ask(pay)
    if context.json:
        print_json(sent)
    else:
        click.echo(sent["txid"])


async def _with_fee(node: Client, draft: Payment, fee: int | None) -> Payment:
    """The draft with the fee that was chosen, or with what the node asks for to relay it."""
    if fee is not None:
        return draft
    info = await node.mempool_info()
    return Payment(draft.recipient, draft.amount, fee_for(draft.size, info.minrelaytxfee), draft.memo)


async def _check(context: Context, node: Client, sender: AccountName, payment: Payment) -> Account:
    """The paying account. WalletError where it does not cover the payment, or where the node is on another chain."""
    info = await node.chain_info()
    if info.genesis != hash_hex(context.spec.genesis_hash):
        raise WalletError(f"the node is on the chain of genesis {info.genesis}, not on '{context.spec.name}'")
    account = await node.account(_address(context, sender))
    cost = payment.amount + payment.fee
    if cost > account.available:
        immature = f", {format_coins(account.immature)} more are immature" if account.immature else ""
        raise WalletError(
            f"{format_coins(cost)} coins are needed, account '{sender.label}' has "
            f"{format_coins(account.available)} available{immature}"
        )
    return account


def _recipient(context: Context, text: str) -> bytes:
    try:
        return decode_address(context.spec.hrp, text)
    except DecodeError as error:
        raise click.BadParameter(str(error), param_hint="ADDRESS") from None


def _address(context: Context, account: AccountName) -> str:
    return encode_address(context.spec.hrp, account.public_key)


def _amounts(account: Account) -> dict[str, object]:
    return {
        "address": account.address,
        "balance": account.balance,
        "available": account.available,
        "immature": account.immature,
        "pending": account.pending,
        "pending_sequence": account.pending_sequence,
    }


def _show_accounts(context: Context, name: str, accounts: tuple[AccountName, ...]) -> None:
    shown = [{"wallet": name, "account": each.label, "address": _address(context, each)} for each in accounts]
    if context.json:
        print_json(shown[0])
    else:
        print_facts([*shown[0].items()])
