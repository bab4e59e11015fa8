"""`pychain sim`: scenarios of many real nodes in one process, in virtual time."""

from pychain.cli.sim.command import command

__all__ = ["command"]
