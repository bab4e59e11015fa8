"""`pychain devnet`: a network of several real nodes on this machine, with real faults.

`life` starts, shows and stops it, `faults` breaks it, `load` gives it something to do.
"""

from __future__ import annotations

import click

from pychain.cli.devnet.faults import heal, kill, lag, partition, pause, restart
from pychain.cli.devnet.life import down, status, up
from pychain.cli.devnet.load import load


class _InOrder(click.Group):
    """Lists its commands in the order in which they are added, the order of typical use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group("devnet", cls=_InOrder)
def command() -> None:
    """A network of several real nodes on this machine, with faults on demand.

    \b
    Let three miners race, and watch them fork and agree:
        pychain devnet up -n 3
    Run four in the background, partition them, and heal the partition:
        pychain devnet up -n 4 --detach
        pychain devnet partition 0,1 2,3
        pychain devnet status
        pychain devnet heal
        pychain devnet down
    Faults work from any shell, also on a devnet in the foreground of another shell.
    """


for _command in (up, status, partition, heal, lag, kill, pause, restart, load, down):
    command.add_command(_command)
