"""What can go wrong with a call."""

from __future__ import annotations

from pychain.base.errors import PychainError


class ClientError(PychainError):
    """A call came to nothing; one line says why."""


class UnreachableError(ClientError):
    """No node was reached: none runs there, it cannot be connected to, or it hung up."""


class UnauthorizedError(ClientError):
    """The node does not know this user and password."""


class RefusedError(ClientError):
    """The node answered with an error: `code` for programs (docs/api.md), `message` for people."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
