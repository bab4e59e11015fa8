"""The error of this room."""

from __future__ import annotations

from pychain.base.errors import PychainError


class DevnetError(PychainError):
    """The network cannot be started, found, or brought to agree; one line says why."""
