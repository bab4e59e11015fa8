"""Checking the disk: the last blocks are read, verified, disconnected and connected again, all in memory.

Bodies are read and verified on threads. The state is processed in slices on the node's own thread, where the store is
read; if the tip changes meanwhile, the check ends, since its layers would no longer fit.
"""

from __future__ import annotations

import logging

from pychain.api.backend import Backend
from pychain.api.errors import Code, RpcError
from pychain.base.errors import PychainError
from pychain.chain.block import Block
from pychain.chain.hashes import hash_hex
from pychain.chain.transaction import Transfer
from pychain.consensus.rules import RuleError
from pychain.consensus.semantic import verify_block
from pychain.consensus.state import Account, BlockConnection, Reward, Undo, decode_undo, maturing_height
from pychain.ledger.overlay import AccountLayer
from pychain.ledger.tree import Entry

_log = logging.getLogger(__name__)

MAX_LEVEL = 4
_SLICE = 500
"""Accounts or transfers processed between two yields: a millisecond or two."""


class DamageError(PychainError):
    """The data on disk is not what was written."""


class ChainCheck:
    """One check of the chain from the current tip down, newest block first."""

    def __init__(self, backend: Backend, level: int) -> None:
        self._backend = backend
        self._spec = backend.queries.spec
        self._level = level
        self._tip = backend.queries.tip
        self._state = AccountLayer(backend.store)

    async def run(self, blocks: int) -> bool:
        """Check that many blocks, all of them for 0. False, and a line in the log, at the first bad one."""
        entry = self._tip
        lowest = max(1, entry.height - blocks + 1) if blocks else 1
        while entry.height >= lowest:
            try:
                await self._check(entry)
            except (DamageError, RuleError, OSError) as error:
                _log.error("block %d (%s) does not verify: %s", entry.height, hash_hex(entry.hash), error)
                return False
            assert entry.parent is not None
            entry = entry.parent
        return True

    async def _check(self, entry: Entry) -> None:
        raw = await self._backend.body(entry.hash)
        if raw is None:
            raise DamageError("its body is missing")
        if self._level == 0:
            return
        block = await self._backend.aside(lambda: verify_block(self._spec, raw))
        if block.hash != entry.hash:
            raise DamageError(f"it is another block: {hash_hex(block.hash)}")
        if self._level == 1:
            return
        undo = await self._undo(entry)
        if self._level >= 3:
            self._require_same_tip()
            await self._take_back(entry, block, undo)

    async def _undo(self, entry: Entry) -> Undo:
        encoded = self._backend.store.undo(entry.hash)
        if encoded is None:
            raise DamageError("its undo record is missing")
        try:
            return await self._backend.aside(lambda: decode_undo(encoded))
        except PychainError as error:
            raise DamageError(str(error)) from None

    async def _take_back(self, entry: Entry, block: Block, undo: Undo) -> None:
        """Disconnect the block in memory; at level 4, connect it again and compare."""
        matured = self._matured(entry)
        touched: dict[bytes, None] = {}
        for transaction in block.transactions:
            if isinstance(transaction, Transfer):
                touched[transaction.sender] = touched[transaction.recipient] = None
        if matured is not None and matured.amount:
            touched[matured.recipient] = None
        if list(touched) != [key for key, _ in undo]:
            raise DamageError("its undo record has other accounts than its transactions")
        after: dict[bytes, Account] = {}
        for position, (key, _) in enumerate(undo):
            after[key] = self._state.account(key)
            if position % _SLICE == _SLICE - 1:
                await self._turn()
        self._state.changes.update(undo)
        if self._level < MAX_LEVEL:
            return
        connection = BlockConnection(self._spec, block, entry.height, self._state, matured)
        while not connection.advance(_SLICE):
            await self._turn()
        if connection.undo != undo or connection.changes != after:
            raise DamageError("connecting it again gives another state")
        await self._turn()

    def _matured(self, entry: Entry) -> Reward | None:
        height = maturing_height(self._spec, entry.height)
        if height is None:
            return None
        reward = self._backend.store.reward(entry.ancestor(height).hash)
        if reward is None:
            raise DamageError(f"the reward of block {height} is missing")
        return reward

    async def _turn(self) -> None:
        """Yield to everything else."""
        await self._backend.clock.sleep(0)
        self._require_same_tip()

    def _require_same_tip(self) -> None:
        """The store has the state of one tip, and the blocks were disconnected from that state."""
        if self._backend.queries.tip is not self._tip:
            raise RpcError(Code.MISC_ERROR, "the tip changed during the check: try again, or with level 2")
