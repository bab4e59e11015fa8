"""Locks between processes, by the operating system: they end with their holder, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pychain.keystore.errors import KeystoreError

LOCK_WAIT_S = 30.0
"""How long a process waits for another: opening a wallet may take a second or two."""
_POLL_S = 0.05


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock on a file, which is created if missing; `what` names it in the error when the wait is too long."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait(descriptor, what)
        yield
    finally:
        os.close(descriptor)  # which releases the lock


def _wait(descriptor: int, what: str) -> None:
    give_up = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise KeystoreError(f"another process holds {what}") from None
            time.sleep(_POLL_S)
        else:
            return
