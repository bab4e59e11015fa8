"""What can be wrong with a store on a disk, beside the errors of every store (`pychain.ledger.store`)."""

from __future__ import annotations

import errno

from pychain.base.errors import ConfigError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The system's ways to say that a write found no room: disk, quota, size limit of a file."""


class StoreRefusedError(ConfigError):
    """The directory holds another chain, another format, or only a part of a store."""
