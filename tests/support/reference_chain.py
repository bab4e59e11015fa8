"""The specification (tests/specification) as a `ChainDriver`, with which every other chain is compared."""

from __future__ import annotations

from tests.specification.chain import Chain
from tests.specification.rules import RULES
from tests.specification.state import State
from tests.support.driver import ACCEPTED, Verdict, pending, rejected

TOO_EARLY = {code for code, rule in RULES.items() if rule.blame == "nobody"}


class ReferenceChain:
    """A `ChainDriver` over the specification's chain."""

    def __init__(self, spec_toml: str, wall_s: int) -> None:
        self.specification = Chain(spec_toml, wall_s)

    def submit(self, raw: bytes) -> Verdict:
        return _verdict(self.specification.submit(raw))

    def submit_transaction(self, raw: bytes) -> Verdict:
        return _verdict(self.specification.submit_transaction(raw))

    def tip(self) -> bytes:
        return self.specification.tip.header.hash

    def account(self, key: bytes) -> tuple[int, int]:
        account = self.state().account(key)
        return account.balance, account.sequence

    def set_clock(self, wall_s: int) -> None:
        self.specification.set_clock(wall_s)

    def invalidate(self, block_hash: bytes) -> None:
        self.specification.invalidate(block_hash)

    def reconsider(self, block_hash: bytes) -> None:
        self.specification.reconsider(block_hash)

    # --- beyond a driver

    def accounts(self) -> dict[bytes, tuple[int, int]]:
        """All accounts that are not absent, as `account` tells each."""
        return {key: (account.balance, account.sequence) for key, account in self.state().accounts.items()}

    def state(self) -> State:
        """All accounts and rewards at the tip."""
        return self.specification.state()


def _verdict(code: str | None) -> Verdict:
    if code is None:
        return ACCEPTED
    return pending(code) if code in TOO_EARLY else rejected(code)
