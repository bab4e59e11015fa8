"""The node and the specification side by side: whatever is put to one is put to the other, and they must agree."""

from __future__ import annotations

from tests.support.driver import Verdict
from tests.support.node_driver import NodeDriver
from tests.support.reference_chain import ReferenceChain


class Twin:
    """A `ChainDriver` that answers as the specification does. AssertionError where the node answers otherwise, or where
    its tip or any account is another.
    """

    def __init__(self, spec_toml: str, wall_s: int) -> None:
        self.reference = ReferenceChain(spec_toml, wall_s)
        self.node = NodeDriver(spec_toml, wall_s)
        self._waiting: list[bytes] = []
        """Raw blocks that the specification keeps until they can be judged, and the node wants to be offered again."""
        self._compare()

    def submit(self, raw: bytes) -> Verdict:
        expected, verdict = self.reference.submit(raw), self.node.submit(raw)
        assert verdict == expected
        if verdict.state == "pending":
            self._waiting.append(raw)
        self._offer_waiting()
        self._compare()
        return expected

    def submit_transaction(self, raw: bytes) -> Verdict:
        expected = self.reference.submit_transaction(raw)
        assert self.node.submit_transaction(raw) == expected
        return expected

    def tip(self) -> bytes:
        return self.reference.tip()

    def account(self, key: bytes) -> tuple[int, int]:
        return self.reference.account(key)

    def set_clock(self, wall_s: int) -> None:
        self.reference.set_clock(wall_s)
        self.node.set_clock(wall_s)
        self._offer_waiting()
        self._compare()

    def invalidate(self, block_hash: bytes) -> None:
        self.reference.invalidate(block_hash)
        self.node.invalidate(block_hash)
        self._compare()

    def reconsider(self, block_hash: bytes) -> None:
        self.reference.reconsider(block_hash)
        self.node.reconsider(block_hash)
        self._compare()

    def _offer_waiting(self) -> None:
        """To the node, until nothing more comes of it."""
        before = None
        while self._waiting != before:
            before = self._waiting
            self._waiting = [raw for raw in before if self.node.submit(raw).state == "pending"]

    def _compare(self) -> None:
        assert self.node.tip() == self.reference.tip()
        assert self.node.accounts() == self.reference.accounts()
