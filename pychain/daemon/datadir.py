"""The data directory: private to its owner, used by one node at a time, with files that tell programs about the node.

| file | content | present |
|---|---|---|
| `.lock` | held by `flock`, with the holder's pid for people | always |
| `ready.json` | where the node listens, see `Ready` | while the node serves |
| `.cookie` | `__cookie__:<secret>`, the password of local programs, mode 0600 | while the node runs |

The system releases the lock when the process ends in any way, so no repair by hand is ever needed.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from pychain.base.errors import ConfigError, PychainError

_LOCK = ".lock"
_READY = "ready.json"
_COOKIE = ".cookie"
_COOKIE_USER = "__cookie__"

_PID_BYTES = 20
"""More than any process id has digits."""


class DirectoryInUseError(PychainError):
    """Another process has the lock."""


class Ready(msgspec.Struct, frozen=True):
    """The content of `ready.json`. genesis is in display order; addresses are `host:port`, api a URL, libp2p a
    multiaddr.
    """

    pid: int
    version: str
    network: str
    genesis: str
    node_id: str
    p2p: str
    api: str
    stratum: str | None = None
    libp2p: str | None = None


class DataDirectory:
    """A data directory that this process locks until `close`."""

    def __init__(self, path: Path) -> None:
        """Create and lock it, and remove the files of a crashed node.

        DirectoryInUseError if another process has it, ConfigError if it cannot be used.
        """
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _take_lock(path)
        except OSError as error:
            raise ConfigError(f"{path} cannot be the data directory: {error.strerror}") from error
        self._withdraw()

    def write_cookie(self, secret: str) -> None:
        """Write the password of local programs."""
        self._write(_COOKIE, f"{_COOKIE_USER}:{secret}".encode(), 0o600)

    def announce(self, ready: Ready) -> None:
        """Tell programs where the node serves. The file is written atomically."""
        self._write(_READY, msgspec.json.encode(ready) + b"\n", 0o644)

    def close(self) -> None:
        """Remove the files of `announce` and `write_cookie`, and release the lock."""
        self._withdraw()
        os.close(self._lock)

    def _withdraw(self) -> None:
        for name in (_READY, _COOKIE):
            (self.path / name).unlink(missing_ok=True)

    def _write(self, name: str, content: bytes, mode: int) -> None:
        """Write a file atomically, with these permissions from the start."""
        temporary = self.path / f"{name}.new"
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(self.path / name)


def _take_lock(path: Path) -> int:
    """The descriptor that holds the lock. Programs that the node starts do not inherit it."""
    descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    except OSError as error:
        holder = os.pread(descriptor, _PID_BYTES, 0).strip()
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise
        who = f" (pid {int(holder)})" if holder.isdigit() else ""
        raise DirectoryInUseError(f"another node{who} is using {path}") from None
    return descriptor
