"""Snapshots of a node on a development network (tip, pending transfers, clock), and reverting to one.

A revert is local: the blocks since then are invalidated, as by `invalidateblock`, and networking is switched off,
since peers would not follow and would send them again.
"""

from __future__ import annotations

from dataclasses import dataclass

from pychain.api.backend import Backend
from pychain.base.errors import PychainError
from pychain.ledger.tree import Entry
from pychain.node.requests import (
    DropTransfers,
    InvalidateBlock,
    ReconsiderBlock,
    SetNetworking,
    SubmitTransfer,
)

MAX_SNAPSHOTS = 1_000
"""At the limit the oldest is dropped; each holds references to the transfers that were pending."""
MAX_STEPS = 10_000
"""Branches to leave on the way back; a miner that never stops could keep us busy for ever."""
_ACCOUNTS_A_TURN = 500


class RevertError(PychainError):
    """The node cannot revert to a snapshot."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A node at one moment. `pending`: raw transfers in the order of arrival; `mocked_s`: see the clock."""

    tip: Entry
    pending: tuple[bytes, ...]
    mocked_s: int | None


class Snapshots:
    """One per node."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._ask = backend.ask
        self._queries = backend.queries
        self._kept: dict[int, Snapshot] = {}
        self._last = 0
        self._reverting = False
        self._free = backend.signal()

    def take(self) -> int:
        """Store the current state and return its number."""
        pending = tuple(each.transfer.raw for each in self._queries.mempool.entries())
        self._last += 1
        self._kept[self._last] = Snapshot(self._queries.tip, pending, self._backend.mocked_s)
        if len(self._kept) > MAX_SNAPSHOTS:
            del self._kept[next(iter(self._kept))]
        return self._last

    async def revert(self, number: int) -> bool:
        """Revert to a snapshot, and drop it and all later ones. False if there is none with that number; RevertError if
        the node does not end up there."""
        while self._reverting:
            await self._free.wait()
        self._reverting = True
        self._free.clear()
        try:
            return await self._revert(number)
        finally:
            self._reverting = False
            self._free.set()

    async def _revert(self, number: int) -> bool:
        snapshot = self._kept.get(number)
        if snapshot is None:
            return False
        await self._ask(SetNetworking(False))
        await self._go_back(snapshot.tip)
        await self._ask(DropTransfers(_ACCOUNTS_A_TURN))
        while len(self._queries.mempool):
            await self._ask(DropTransfers(_ACCOUNTS_A_TURN))
        self._backend.mock_time(snapshot.mocked_s)
        for raw in snapshot.pending:
            await self._ask(SubmitTransfer(raw))
        self._kept = {each: kept for each, kept in self._kept.items() if each < number}
        return True

    async def _go_back(self, goal: Entry) -> None:
        """Invalidate branches until the goal is the tip."""
        if goal.invalid:
            await self._ask(ReconsiderBlock(goal.hash))
        for _ in range(MAX_STEPS):
            tip = self._queries.tip
            if tip is goal:
                return
            fork = self._queries.fork_point(tip, goal)
            if fork is tip:
                raise RevertError("the blocks on the way back are no longer stored")
            await self._ask(InvalidateBlock(tip.ancestor(fork.height + 1).hash))
        raise RevertError("new blocks keep coming: stop mining first")
