"""`pychain wallet`: wallets of the data directory, and payments from them through its node.

`making` creates wallets and accounts, `accounts` shows them, `paying` moves coins, `keeping` protects the secrets.
"""

from __future__ import annotations

import click

from pychain.cli.wallet.accounts import address, balance, history, list_
from pychain.cli.wallet.keeping import export, lock, password, unlock
from pychain.cli.wallet.making import create, import_, restore, watch
from pychain.cli.wallet.paying import broadcast, bump, send, sign


class _InOrder(click.Group):
    """Lists its commands in the order in which they are added, the order of typical use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group("wallet", cls=_InOrder)
def command() -> None:
    """Keys, balances, payments.

    \b
    Make a wallet, show its address, and pay from it:
        pychain wallet create
        pychain wallet address
        pychain wallet send tpyc1... 2.5 --memo 'invoice 17'
        pychain wallet history
    Restore one from its words:
        pychain wallet restore
    Wallets are files in the data directory, encrypted with a password; only paying needs it.
    """


for _command in (
    create,
    restore,
    list_,
    address,
    balance,
    history,
    send,
    bump,
    sign,
    broadcast,
    import_,
    watch,
    export,
    password,
    unlock,
    lock,
):
    command.add_command(_command)
