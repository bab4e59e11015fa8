"""Reading secrets: passwords, mnemonics and keys, from a file, from standard input, or typed; never from the command
line, which every process of the machine can read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pychain.base.errors import ConfigError

PASSWORD_VARIABLE = "PYCHAIN_PASSWORD"
MAX_SECRET_BYTES = 4096

Command = TypeVar("Command", bound=Callable[..., Any])

password_option: Callable[[Command], Command] = click.option(
    "--password-file",
    type=click.Path(),
    metavar="FILE",
    help=f"Read the wallet's password from FILE ('-': standard input) instead of asking; or set {PASSWORD_VARIABLE}.",
)
new_password_option: Callable[[Command], Command] = click.option(
    "--new-password-file", type=click.Path(), metavar="FILE", help="Read the new password from FILE instead of asking."
)
passphrase_option: Callable[[Command], Command] = click.option(
    "--passphrase-file",
    type=click.Path(),
    metavar="FILE",
    help="Read a BIP 39 passphrase from FILE; the same words with another passphrase are another wallet.",
)


def get_password(file: str | None, *, new: bool = False) -> str:
    """The password, in this order: the file, PYCHAIN_PASSWORD, asked for on the terminal (twice for a new one)."""
    if file is not None:
        return first_line(file, "password")
    if password := os.environ.get(PASSWORD_VARIABLE):
        return password
    if not sys.stdin.isatty():
        raise ConfigError(f"a password is needed: give --password-file or set {PASSWORD_VARIABLE}")
    return _ask("Password of the new wallet" if new else "Password", twice=new)


def get_new_password(file: str | None) -> str:
    """The new password that replaces the old one: from the file, or asked for twice. The variable holds the old one."""
    if file is not None:
        return first_line(file, "password")
    if not sys.stdin.isatty():
        raise ConfigError("a new password is needed: give --new-password-file")
    return _ask("New password", twice=True)


def get_passphrase(file: str | None) -> str:
    """A BIP 39 passphrase; empty if none is requested."""
    return "" if file is None else first_line(file, "passphrase")


def get_secret(file: str | None, what: str) -> str:
    """Another secret: from the file, from a pipe, or typed (and shown, since an unseen mnemonic is easily mistyped)."""
    if file is not None:
        return first_line(file, what)
    if not sys.stdin.isatty():
        return first_line("-", what)
    answer: str = click.prompt(what.capitalize(), err=True)
    return answer


def first_line(file: str, what: str) -> str:
    """The first line of a file, '-' for standard input."""
    if file == "-":
        text = sys.stdin.readline(MAX_SECRET_BYTES)
    else:
        with Path(file).open(encoding="utf-8", errors="surrogateescape") as opened:
            text = opened.readline(MAX_SECRET_BYTES)
    secret = text.rstrip("\r\n")
    if not secret:
        where = "standard input" if file == "-" else f"the {what} file {file}"
        raise ConfigError(f"{where} is empty")
    return secret


def _ask(prompt: str, *, twice: bool) -> str:
    answer: str = click.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True)
    return answer
