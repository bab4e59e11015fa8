"""`pychain bench`: measure how fast this machine hashes and verifies, kernel by kernel."""

from pychain.cli.bench.command import command

__all__ = ["command"]
