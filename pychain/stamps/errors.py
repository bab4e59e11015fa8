"""The error of this package."""

from __future__ import annotations

from pychain.base.errors import PychainError


class StampError(PychainError):
    """A proof is not valid, or none can be made; one line says why."""
