"""The ways in which a call can fail."""

from __future__ import annotations

from pychain.base.errors import PychainError


class ClientError(PychainError):
    """A call failed; one line says why."""


class UnreachableError(ClientError):
    """No node was reached: none runs there, it refuses connections, or it closed the connection."""


class UnauthorizedError(ClientError):
    """The node refuses this user and password."""


class RefusedError(ClientError):
    """The node answered with an error: `code` for programs (docs/api.md), `message` for people."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
