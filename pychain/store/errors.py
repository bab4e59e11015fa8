"""Errors of a store on disk, in addition to those of every store (`pychain.ledger.store`)."""

from __future__ import annotations

import errno

from pychain.base.errors import ConfigError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The system's codes for a write that found no room: disk, quota, file size limit."""


class StoreRefusedError(ConfigError):
    """The directory has another chain, another format, or only a part of a store."""
