"""Accounts in a dictionary: the minimum that the package's state transition reads."""

from __future__ import annotations

from collections.abc import Sequence

from pychain.consensus.state import ABSENT, Account


class Accounts:
    """A state: the accounts that are not absent."""

    def __init__(self, accounts: dict[bytes, Account]) -> None:
        self.held = accounts

    def account(self, key: bytes) -> Account:
        return self.held.get(key, ABSENT)

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        return [self.account(key) for key in keys]

    def write(self, changes: dict[bytes, Account]) -> None:
        for key, account in changes.items():
            if account == ABSENT:
                self.held.pop(key, None)
            else:
                self.held[key] = account
