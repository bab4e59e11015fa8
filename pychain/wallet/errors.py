"""The error of this package."""

from __future__ import annotations

from pychain.base.errors import PychainError


class WalletError(PychainError):
    """A key cannot be made, or a payment would be invalid or lost; one line says why."""
