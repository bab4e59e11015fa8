"""Common parts of the wallet commands: their options, and how accounts are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from pychain.base.errors import DecodeError
from pychain.chain.address import decode_address, encode_address
from pychain.cli.context import Context
from pychain.cli.output import print_facts, print_json
from pychain.keystore import COSTS, DEFAULT_LABEL, DEFAULT_WALLET, AccountName, KeystoreError

Command = TypeVar("Command", bound=Callable[..., Any])


def complete_wallets(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """For completion in the shell: the names of all wallets."""
    names = ctx.find_root().ensure_object(Context).keystore.names()
    return [name for name in names if name.startswith(incomplete)]


def complete_accounts(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """For completion in the shell: the accounts of the wallet named on the line."""
    try:
        wallet = ctx.find_root().ensure_object(Context).keystore.load(ctx.params.get("name") or DEFAULT_WALLET)
    except KeystoreError:  # a mistyped name is reported when the command runs
        return []
    return [account.label for account in wallet.accounts if account.label.startswith(incomplete)]


wallet_option: Callable[[Command], Command] = click.option(
    "--wallet",
    "name",
    default=DEFAULT_WALLET,
    show_default=True,
    metavar="NAME",
    help="The wallet to use.",
    shell_complete=complete_wallets,
)
account_option: Callable[[Command], Command] = click.option(
    "--account",
    "label",
    default=DEFAULT_LABEL,
    show_default=True,
    metavar="LABEL",
    help="The account to use.",
    shell_complete=complete_accounts,
)
cost_option: Callable[[Command], Command] = click.option(
    "--kdf",
    "cost",
    type=click.Choice(list(COSTS)),
    default="moderate",
    show_default=True,
    help="Cost of guessing the password: 64, 256 or 1024 MiB of memory per guess.",
)


def address_of(context: Context, account: AccountName) -> str:
    """An account's address on the network."""
    return encode_address(context.spec.hrp, account.public_key)


def parse_recipient(context: Context, text: str, parameter: str = "ADDRESS") -> bytes:
    """The public key behind an address on the command line; a mistake is wrong usage."""
    try:
        return decode_address(context.spec.hrp, text)
    except DecodeError as error:
        raise click.BadParameter(str(error), param_hint=parameter) from None


def described(context: Context, name: str, account: AccountName) -> dict[str, Any]:
    """An account for programs."""
    row = {"wallet": name, "account": account.label, "address": address_of(context, account), "kind": account.kind}
    return row if account.path is None else {**row, "path": account.path}


def show_account(context: Context, name: str, account: AccountName, **more: str) -> None:
    """One account, as the result of a command."""
    row = described(context, name, account) | more
    if context.json:
        print_json(row)
    else:
        print_facts(row.items())


def show_accounts(context: Context, name: str, accounts: Sequence[AccountName]) -> None:
    """Several accounts, as the result of a command: one as `show_account`, more as a list."""
    if len(accounts) == 1:
        show_account(context, name, accounts[0])
    elif context.json:
        print_json([described(context, name, account) for account in accounts])
    else:
        for account in accounts:
            print_facts(described(context, name, account).items())
            click.echo()
