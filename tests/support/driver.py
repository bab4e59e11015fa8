"""The interface that a chain must implement for the executable chain specification to run on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Verdict:
    """accepted: kept, and not known to be invalid (a block of a losing branch may still prove so). rejected: for good,
    or these bytes are. pending: not wrong, only too early. The code is the rule's, empty where all is well."""

    state: str
    code: str = ""


ACCEPTED = Verdict("accepted")


def rejected(code: str) -> Verdict:
    return Verdict("rejected", code)


def pending(code: str) -> Verdict:
    return Verdict("pending", code)


class ChainDriver(Protocol):
    """A chain under test, made from a spec's TOML and a clock."""

    def submit(self, raw: bytes) -> Verdict:
        """Check a raw block at all levels and choose the tip again. A known block gets the same result as before."""
        ...

    def submit_transaction(self, raw: bytes) -> Verdict:
        """Check a single transaction at levels 1 and 2, without its funds."""
        ...

    def tip(self) -> bytes:
        """Hash of the active tip."""
        ...

    def account(self, key: bytes) -> tuple[int, int]:
        """(balance, next sequence) at the tip."""
        ...

    def set_clock(self, wall_s: int) -> None:
        """Move the node's clock. The driver may retry pending blocks, or wait until they are submitted again."""
        ...

    def invalidate(self, block_hash: bytes) -> None: ...

    def reconsider(self, block_hash: bytes) -> None: ...


DriverFactory = Callable[[str, int], ChainDriver]
"""(chain spec as TOML, wall clock in Unix seconds) -> a fresh chain at genesis."""
