"""The directory of wallet files: names, locks between processes, and atomic writes."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from pychain.keystore.accounts import OpenWallet
from pychain.keystore.errors import KeystoreError
from pychain.keystore.format import MAX_FILE_BYTES, decode, encode
from pychain.keystore.kdf import DEFAULT_COST, KdfCost
from pychain.keystore.locks import exclusive
from pychain.keystore.sealed import SealedWallet, seal
from pychain.system.files import write_whole

DEFAULT_WALLET = "default"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_SUFFIX = ".json"


class Keystore:
    """The wallets of one data directory, by name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def names(self) -> list[str]:
        """The names of all wallets, sorted."""
        if not self.directory.is_dir():
            return []
        stems = (path.stem for path in self.directory.glob(f"*{_SUFFIX}"))
        return sorted(stem for stem in stems if _NAME.fullmatch(stem))

    def load(self, name: str) -> SealedWallet:
        """The wallet as it is on disk."""
        path = self.path(name)
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

    def create(self, name: str, password: str, wallet: OpenWallet, cost: KdfCost = DEFAULT_COST) -> SealedWallet:
        """Write a new wallet; never over an existing one."""
        path = self.path(name)
        with self.locked(name):
            if path.exists():
                raise KeystoreError(f"wallet '{name}' already exists")
            sealed = seal(wallet, password, cost)
            write_whole(path, encode(sealed))
        return sealed

    def change(self, name: str, password: str, change: Callable[[OpenWallet], OpenWallet]) -> SealedWallet:
        """Rewrite an existing wallet with the same password."""
        with self.locked(name):
            before = self.load(name)
            sealed = seal(change(before.unlock(password)), password, before.cost)
            write_whole(self.path(name), encode(sealed))
        return sealed

    def change_password(self, name: str, old: str, new: str, cost: KdfCost | None = None) -> SealedWallet:
        """Seal a wallet with another password; the cost of a guess stays unless one is given."""
        with self.locked(name):
            before = self.load(name)
            if before.box is None:
                raise KeystoreError(f"wallet '{name}' is watch-only: there is nothing for a password to protect")
            sealed = seal(before.unlock(old), new, cost or before.cost)
            write_whole(self.path(name), encode(sealed))
        return sealed

    def locked(self, name: str) -> AbstractContextManager[None]:
        """Lock a wallet's file against other processes."""
        return exclusive(self.path(name).with_suffix(".lock"), f"wallet '{name}'")

    def sequence_locked(self, public_key: bytes) -> AbstractContextManager[None]:
        """Lock an account while its next sequence is chosen and used, whatever wallets it is in."""
        return exclusive(self.directory / f"account-{public_key.hex()}.lock", "this account")

    def path(self, name: str) -> Path:
        """The path of a wallet of that name, existing or not."""
        if not _NAME.fullmatch(name):
            raise KeystoreError(f"'{name}' is not a wallet name: letters, digits, '-', '_' and '.', at most 64")
        return self.directory / f"{name}{_SUFFIX}"
