"""The errors of this package."""

from __future__ import annotations

from pychain.base.errors import ConfigError, PychainError


class DevnetError(PychainError):
    """The network cannot be started, found, or brought to agree; one line says why."""


class WrongNodesError(DevnetError, ConfigError):
    """A node that does not exist, groups that overlap, or a lag out of range."""
