"""The directory of wallet files: names, locks between processes, and writes that are whole or not at all."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pychain.daemon.keystore.sealed import (
    DEFAULT_COST,
    DEFAULT_LABEL,
    MAX_FILE_BYTES,
    AccountName,
    KdfCost,
    KeystoreError,
    SealedWallet,
    decode,
    seal,
)
from pychain.wallet.keys import PrivateKey

DEFAULT_WALLET = "default"
LOCK_WAIT_S = 30.0
"""How long a process waits for another that uses the same wallet: opening it may take the other a second or two."""
_LOCK_POLL_S = 0.05
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_SUFFIX = ".json"


class Keystore:
    """The wallets of one data directory, by name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def names(self) -> list[str]:
        """All wallets there are, sorted."""
        if not self.directory.is_dir():
            return []
        stems = (path.stem for path in self.directory.glob(f"*{_SUFFIX}"))
        return sorted(stem for stem in stems if _NAME.fullmatch(stem))

    def load(self, name: str) -> SealedWallet:
        """The wallet as it is on disk."""
        path = self._path(name)
        try:
            with path.open("rb") as file:
                return decode(file.read(MAX_FILE_BYTES + 1))
        except FileNotFoundError:
            there_are = f"there are {', '.join(self.names())}" if self.names() else "there is none yet"
            raise KeystoreError(
                f"there is no wallet '{name}' ({there_are}); make it with: wallet create {name}"
            ) from None
        except KeystoreError as error:
            raise KeystoreError(f"{path}: {error}") from None

    def create(
        self, name: str, password: str, key: PrivateKey, label: str = DEFAULT_LABEL, cost: KdfCost = DEFAULT_COST
    ) -> SealedWallet:
        """A new wallet of one account; never over one that exists."""
        path = self._path(name)
        with self.locked(name):
            if path.exists():
                raise KeystoreError(f"wallet '{name}' exists already")
            wallet = seal({label: key}, password, cost)
            _write(path, wallet.encode())
        return wallet

    def add_account(self, name: str, password: str, label: str, key: PrivateKey) -> AccountName:
        """One more account in a wallet that exists."""
        with self.locked(name):
            wallet = self.load(name)
            keys = wallet.unlock(password)
            if label in keys:
                raise KeystoreError(f"wallet '{name}' has an account '{label}' already")
            wallet = seal({**keys, label: key}, password, wallet.cost)
            _write(self._path(name), wallet.encode())
        return wallet.account(label)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold a wallet for oneself, among processes: to write it, or to choose its accounts' next sequence."""
        path = self._path(name).with_suffix(".lock")
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _wait_for_lock(descriptor, name)
            yield
        finally:
            os.close(descriptor)  # which gives the lock back

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise KeystoreError(f"'{name}' is no wallet name: letters, digits, '-', '_' and '.', at most 64")
        return self.directory / f"{name}{_SUFFIX}"


def _wait_for_lock(descriptor: int, name: str) -> None:
    give_up = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise KeystoreError(f"another process holds wallet '{name}'") from None
            time.sleep(_LOCK_POLL_S)
        else:
            return


def _write(path: Path, data: bytes) -> None:
    """Replace a file, readable for its owner alone, so that a crash leaves the old one or the new one."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
