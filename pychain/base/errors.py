"""The families of failure. A broken rule, a local fault and a bug are three different things.

`PychainError` and its children are answers to bad input: they carry one clear line for a person.
Local faults (a full disk, a refused port) stay `OSError`; bugs stay `AssertionError` and friends.
"""

from __future__ import annotations

from pychain.base.text import printable


class PychainError(Exception):
    """Something outside the program was wrong; `str(error)` is one line that says what.

    Messages quote the refused input, with line breaks and terminal escapes made harmless.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class DecodeError(PychainError):
    """Bytes or text are not in the documented form."""


class ConfigError(PychainError):
    """A setting, a chain spec or a command line value is missing, unknown or out of range."""
