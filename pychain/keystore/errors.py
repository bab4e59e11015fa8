"""The errors of wallet files."""

from __future__ import annotations

from pychain.base.errors import DecodeError


class KeystoreError(DecodeError):
    """A wallet cannot be read, opened or written; one line says why."""


class WrongPasswordError(KeystoreError):
    """The password is wrong."""

    def __init__(self) -> None:
        super().__init__("wrong password")
