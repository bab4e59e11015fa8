"""Passwords: from a file, from the environment, or typed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pychain.base.errors import ConfigError

PASSWORD_VARIABLE = "PYCHAIN_PASSWORD"
MAX_PASSWORD_BYTES = 4096

Command = TypeVar("Command", bound=Callable[..., Any])

password_option: Callable[[Command], Command] = click.option(
    "--password-file",
    metavar="FILE",
    help=f"Read the wallet's password from FILE ('-': standard input) instead of asking; or set {PASSWORD_VARIABLE}.",
)


def get_password(file: str | None, *, new: bool = False) -> str:
    """The password, in this order: the file, PYCHAIN_PASSWORD, asked for on the terminal (twice for a new one)."""
    if file is not None:
        return _from_file(file)
    if password := os.environ.get(PASSWORD_VARIABLE):
        return password
    if not sys.stdin.isatty():
        raise ConfigError(f"a password is needed: give --password-file or set {PASSWORD_VARIABLE}")
    prompt = "Password of the new wallet" if new else "Password"
    answer: str = click.prompt(prompt, hide_input=True, confirmation_prompt=new, err=True)
    return answer


def _from_file(file: str) -> str:
    """The first line."""
    if file == "-":
        text = sys.stdin.readline(MAX_PASSWORD_BYTES)
    else:
        with Path(file).open(encoding="utf-8", errors="surrogateescape") as opened:
            text = opened.readline(MAX_PASSWORD_BYTES)
    password = text.rstrip("\r\n")
    if not password:
        raise ConfigError(f"the password file {file} is empty")
    return password
