"""`pychain wallet export`, `password`, `unlock` and `lock`: protecting the secrets."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import moment, print_facts, print_json
from pychain.cli.secret import get_new_password, get_password, new_password_option, password_option
from pychain.cli.wallet.common import address_of, complete_wallets, wallet_option
from pychain.keystore import COSTS, DEFAULT_WALLET
from pychain.wallet.errors import WalletError

DEFAULT_UNLOCK_S = 300


@click.command()
@wallet_option
@click.option("--account", "label", metavar="LABEL", help="Export this account's private key instead.")
@click.option(
    "--output",
    type=click.Path(),
    metavar="FILE",
    help="Write it to a new FILE that only you can read, instead of printing it.",
)
@password_option
@common_options
@pass_context
def export(context: Context, name: str, label: str | None, output: str | None, password_file: str | None) -> None:
    """Show a wallet's mnemonic, or one account's private key.

    \b
        pychain wallet export
        pychain wallet export --account rent --output rent.key
    Anyone who sees it can take the coins.
    """
    wallet = context.keystore.load(name)
    account = None if label is None else wallet.account(label)
    opened = wallet.unlock("" if wallet.box is None else get_password(password_file))
    facts: dict[str, str] = {"wallet": name}
    if account is not None:
        key = opened.keys().get(account.label)
        if key is None:
            raise WalletError(f"account '{account.label}' is watch-only: its key is not here")
        secret = key.seed.hex()
        facts |= {"account": account.label, "address": address_of(context, account), "private_key": secret}
    else:
        if opened.mnemonic is None:
            raise WalletError(f"wallet '{name}' has no mnemonic; --account exports one account's key")
        secret = opened.mnemonic
        facts |= {"mnemonic": secret}
        if opened.passphrase:
            facts |= {"passphrase": opened.passphrase}
    if output is not None:
        _write_new(Path(output), secret)
    elif context.json:
        print_json(facts)
    else:
        print_facts(facts.items())


@click.command()
@click.argument("name", default=DEFAULT_WALLET, shell_complete=complete_wallets)
@click.option("--kdf", "cost", type=click.Choice(list(COSTS)), help="Also change the cost of guessing the password.")
@password_option
@new_password_option
@common_options
@pass_context
def password(
    context: Context, name: str, cost: str | None, password_file: str | None, new_password_file: str | None
) -> None:
    """Change a wallet's password.

    \b
        pychain wallet password
        pychain wallet password savings --password-file old.txt --new-password-file new.txt
    Old copies of the file still open with the old password.
    """
    from pychain.keystore.unlocked import lock as end_agent

    keystore = context.keystore
    keystore.load(name)
    old = get_password(password_file)
    keystore.load(name).unlock(old)  # report a wrong one before asking for a new one
    keystore.change_password(name, old, get_new_password(new_password_file), COSTS[cost] if cost else None)
    end_agent(keystore.directory, name)
    if context.json:
        print_json({"wallet": name})
    else:
        click.echo(f"The password of wallet '{name}' is changed.")


@click.command()
@click.argument("name", default=DEFAULT_WALLET, shell_complete=complete_wallets)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.IntRange(1, 24 * 3600),
    default=DEFAULT_UNLOCK_S,
    show_default=True,
    metavar="SECONDS",
    help="Time until the wallet is locked again.",
)
@password_option
@common_options
@pass_context
def unlock(context: Context, name: str, timeout_s: int, password_file: str | None) -> None:
    """Pay from a wallet without its password for a while.

    \b
        pychain wallet unlock
        pychain wallet unlock savings --timeout 3600
    A separate process keeps the keys in memory and signs transfers for you; it ends when the time is up, or at
    `pychain wallet lock`. Everything else that needs the password still asks for it.
    """
    from pychain.keystore.unlocked import unlock as start_agent

    keystore = context.keystore
    wallet = keystore.load(name)
    if wallet.box is None:
        raise WalletError(f"wallet '{name}' is watch-only: it has no keys to unlock")
    keys = wallet.unlock(get_password(password_file)).keys()
    with keystore.locked(name):
        until = start_agent(keystore.directory, name, keys.values(), timeout_s)
    if context.json:
        print_json({"wallet": name, "unlocked_until": until})
    else:
        click.echo(f"Wallet '{name}' is unlocked until {moment(until)}.")


@click.command()
@click.argument("name", default=DEFAULT_WALLET, shell_complete=complete_wallets)
@common_options
@pass_context
def lock(context: Context, name: str) -> None:
    """Forget the keys of an unlocked wallet.

    \b
        pychain wallet lock
    """
    from pychain.keystore.unlocked import lock as end_agent

    keystore = context.keystore
    keystore.load(name)
    was_unlocked = end_agent(keystore.directory, name)
    if context.json:
        print_json({"wallet": name, "was_unlocked": was_unlocked})
    else:
        click.echo(f"Wallet '{name}' is locked." if was_unlocked else f"Wallet '{name}' was not unlocked.")


def _write_new(path: Path, secret: str) -> None:
    with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(secret + "\n")
