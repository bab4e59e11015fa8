"""The errors of this room."""

from __future__ import annotations

from pychain.base.errors import ConfigError, PychainError


class DevnetError(PychainError):
    """The network cannot be started, found, or brought to agree; one line says why."""


class WrongNodesError(DevnetError, ConfigError):
    """A node that is not there, groups that overlap, or a lag that no link can have."""
