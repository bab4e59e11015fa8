"""The `pychain` command: its groups, loaded on demand, and its handling of errors.

Exit codes: 0 done, 1 failed (one line says why), 2 wrong usage, 3 the node could not be reached.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from pychain import __version__
from pychain.base.errors import ConfigError, PychainError
from pychain.cli.context import common_options
from pychain.cli.output import complain

FAILED, WRONG_USAGE, UNREACHABLE = 1, 2, 3

_COMMANDS = {
    "node": "run a node",
    "wallet": "keys, balances, payments",
    "stamp": "anchor digests of files in the chain",
    "verify": "check a stamp's proof",
    "chain": "blocks, transactions, branches",
    "peers": "connections with other nodes",
    "mempool": "pending transfers",
    "rpc": "any call of the node's API",
    "rpc-auth": "a user of the node's API",
    "miner": "mine for a Stratum server",
    "devnet": "a network of several nodes on this machine",
    "sim": "networks of real nodes in virtual time",
    "bench": "measure how fast this machine hashes and verifies",
    "completion": "shell completion",
}
"""Each command is `command` in the module of its name, with underscores for hyphens; listed here, so that help and
start need not import them all."""


class _Commands(click.Group):
    """The commands of `_COMMANDS`, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"pychain.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s")
@common_options
def cli() -> None:
    """A proof-of-work blockchain node.

    \b
    To begin, let three miners race on this machine:
        pychain devnet up -n 3
    Or run your own node:
        pychain node --network test
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and exit."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns its exit code."""
    try:
        code = cli.main(args=arguments, prog_name="pychain", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted")
        return FAILED
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except PychainError as error:
        complain(str(error))
        return _exit_code(error)
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error))
        return FAILED


def _exit_code(error: PychainError) -> int:
    """The client is imported here, as a node starts without it."""
    from pychain.client.errors import UnreachableError

    if isinstance(error, UnreachableError):
        return UNREACHABLE
    return WRONG_USAGE if isinstance(error, ConfigError) else FAILED
