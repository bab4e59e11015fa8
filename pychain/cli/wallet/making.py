"""`pychain wallet create`, `restore`, `import` and `watch`: creating wallets and accounts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from string import hexdigits

import click

from pychain.cli.context import Context, common_options, pass_context
from pychain.cli.output import print_facts
from pychain.cli.secret import (
    get_passphrase,
    get_password,
    get_secret,
    passphrase_option,
    password_option,
)
from pychain.cli.wallet.common import cost_option, parse_recipient, show_account, show_accounts, wallet_option
from pychain.keystore import COSTS, DEFAULT_LABEL, DEFAULT_WALLET, Keystore, OpenWallet, wallet_of
from pychain.system.entropy import SystemEntropy
from pychain.wallet.errors import WalletError
from pychain.wallet.keys import DEV_KEYS, SEED_BYTES, PrivateKey, dev_key
from pychain.wallet.mnemonic import DEFAULT_WORDS, WORD_COUNTS, new_mnemonic, parse_mnemonic
from pychain.wallet.payment import check_recipient

CONFIRMED_WORDS = 2
"""Words of a new mnemonic that have to be typed back."""
MAX_RESTORED = 100
"""Accounts that one `restore` makes; more are made by `address --new`."""

first_account_option = click.option(
    "--account", "label", default=DEFAULT_LABEL, show_default=True, metavar="LABEL", help="Name of the first account."
)


@click.command()
@click.argument("name", default=DEFAULT_WALLET)
@first_account_option
@click.option(
    "--words",
    type=click.Choice([str(count) for count in WORD_COUNTS]),
    default=str(DEFAULT_WORDS),
    show_default=True,
    help="Number of words of the mnemonic.",
)
@passphrase_option
@cost_option
@password_option
@common_options
@pass_context
def create(
    context: Context,
    name: str,
    label: str,
    words: str,
    passphrase_file: str | None,
    cost: str,
    password_file: str | None,
) -> None:
    """Make a new wallet with one account, and show its mnemonic.

    \b
        pychain wallet create
        pychain wallet create savings --network test
        pychain wallet create --json --password-file secret.txt
    Write the mnemonic down: it is enough to restore the wallet, and enough to empty it. The password protects only the
    file; if the password is lost, only the mnemonic brings the wallet back.
    """
    _refuse_existing(context.keystore, name)
    mnemonic = new_mnemonic(SystemEntropy(), int(words))
    wallet = wallet_of(mnemonic, get_passphrase(passphrase_file), [label])
    password = get_password(password_file, new=True)
    if sys.stdin.isatty() and not context.json:
        _have_it_written_down(mnemonic)
        made = context.keystore.create(name, password, wallet, COSTS[cost])
        show_account(context, name, made.accounts[0])
    else:
        made = context.keystore.create(name, password, wallet, COSTS[cost])
        show_account(context, name, made.accounts[0], mnemonic=mnemonic)


@click.command()
@click.argument("name", default=DEFAULT_WALLET)
@first_account_option
@click.option(
    "--accounts",
    type=click.IntRange(1, MAX_RESTORED),
    default=1,
    show_default=True,
    help="Number of accounts; those after the first are called account-2, account-3, ...",
)
@click.option(
    "--mnemonic-file", type=click.Path(), metavar="FILE", help="Read the mnemonic from FILE ('-': standard input)."
)
@passphrase_option
@cost_option
@password_option
@common_options
@pass_context
def restore(
    context: Context,
    name: str,
    label: str,
    accounts: int,
    mnemonic_file: str | None,
    passphrase_file: str | None,
    cost: str,
    password_file: str | None,
) -> None:
    """Restore a wallet from its mnemonic.

    \b
        pychain wallet restore
        pychain wallet restore savings --accounts 3
        pychain wallet restore --mnemonic-file words.txt --password-file secret.txt
    The words are asked for, or read as one line. The accounts are the same, in the same order, as in any earlier
    wallet of these words, on every network.
    """
    _refuse_existing(context.keystore, name)
    mnemonic = parse_mnemonic(get_secret(mnemonic_file, "mnemonic"))
    labels = [label, *(f"account-{number}" for number in range(2, accounts + 1))]
    wallet = wallet_of(mnemonic, get_passphrase(passphrase_file), labels)
    made = context.keystore.create(name, get_password(password_file, new=True), wallet, COSTS[cost])
    show_accounts(context, name, made.accounts)


@click.command("import")
@click.argument("label", metavar="LABEL")
@wallet_option
@click.option(
    "--key-file",
    type=click.Path(),
    metavar="FILE",
    help="Read the private key, 64 hex digits, from FILE ('-': standard input).",
)
@click.option(
    "--dev-key",
    "dev_number",
    type=click.IntRange(0, DEV_KEYS - 1),
    help="Use a funded key of the dev network instead.",
)
@password_option
@common_options
@pass_context
def import_(
    context: Context, label: str, name: str, key_file: str | None, dev_number: int | None, password_file: str | None
) -> None:
    """Import a private key into a wallet, as a new account.

    \b
        pychain wallet import old --key-file key.hex
        pychain wallet import faucet --dev-key 0 --network dev
    The mnemonic does not restore such an account: keep the key.
    """
    if key_file is not None and dev_number is not None:
        raise click.UsageError("give --key-file or --dev-key, not both")
    context.keystore.load(name)  # report a mistyped name before asking for a secret
    key = dev_key(dev_number) if dev_number is not None else _parse_key(get_secret(key_file, "private key"))
    _add(context, name, get_password(password_file), lambda wallet: wallet.with_imported(label, key))


@click.command()
@click.argument("label", metavar="LABEL")
@click.argument("address", metavar="ADDRESS")
@wallet_option
@password_option
@common_options
@pass_context
def watch(context: Context, label: str, address: str, name: str, password_file: str | None) -> None:
    """Add a watch-only account, whose key is elsewhere.

    \b
        pychain wallet watch cold tpyc1... --wallet watched
        pychain wallet balance --wallet watched
        pychain wallet send tpyc1... 2 --wallet watched --account cold --offline
    If there is no wallet of that name, it is created; a watch-only wallet has no password. Payments are written to a
    file, to be signed where the key is (`pychain wallet sign`).
    """
    public_key = parse_recipient(context, address)
    check_recipient(public_key)
    keystore = context.keystore
    if name not in keystore.names():
        made = keystore.create(name, "", OpenWallet().with_watched(label, public_key))
        show_account(context, name, made.accounts[0])
        return
    password = "" if keystore.load(name).box is None else get_password(password_file)
    _add(context, name, password, lambda wallet: wallet.with_watched(label, public_key))


def _add(context: Context, name: str, password: str, change: Callable[[OpenWallet], OpenWallet]) -> None:
    show_account(context, name, context.keystore.change(name, password, change).accounts[-1])


def _refuse_existing(keystore: Keystore, name: str) -> None:
    """Checked before a secret is asked for or shown."""
    keystore.path(name)
    if name in keystore.names():
        raise WalletError(f"wallet '{name}' already exists")


def _parse_key(text: str) -> PrivateKey:
    """WalletError that does not repeat the text."""
    digits = text.strip()
    if len(digits) != 2 * SEED_BYTES or any(each not in hexdigits for each in digits):
        raise WalletError(f"a private key is {2 * SEED_BYTES} hex digits")
    return PrivateKey(bytes.fromhex(digits))


def _have_it_written_down(mnemonic: str) -> None:
    """Show a mnemonic on the terminal, and continue when some of its words are typed back."""
    words = mnemonic.split()
    click.echo("The wallet's mnemonic. Write it down and show it to nobody:\n")
    print_facts((f"{place:2}", word) for place, word in enumerate(words, 1))
    click.echo()
    for place in _some_places(len(words)):
        typed = click.prompt(f"To confirm, word {place}", err=True)
        if typed.strip().lower() != words[place - 1]:
            raise WalletError(f"that is not word {place}: no wallet was made")


def _some_places(count: int) -> list[int]:
    """A few different places among so many words, ascending."""
    draws = iter(lambda: SystemEntropy().bytes(1)[0] % count + 1, 0)
    chosen: dict[int, None] = {}
    while len(chosen) < CONFIRMED_WORDS:
        chosen[next(draws)] = None
    return sorted(chosen)
