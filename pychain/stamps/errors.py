"""The error of this room."""

from __future__ import annotations

from pychain.base.errors import PychainError


class StampError(PychainError):
    """A proof does not hold, or none can be made; one line says why."""
