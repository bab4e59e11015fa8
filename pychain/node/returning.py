"""Returning the transfers of disconnected blocks to the mempool, a bounded number per turn.

A reorganisation may disconnect hundreds of thousands of transfers, most of which were mined again or lost their place.
The blocks' bulk view shows which, so transfers that were mined again are never decoded.

A transfer's `sequence` is its account's nonce.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from pychain.chain.block import Block
from pychain.chain.transaction import Transfer
from pychain.consensus.state import BulkAccountReader


class Returning:
    """Follows disconnected and connected blocks, in order, and returns the transfers that are in no block any more."""

    def __init__(self) -> None:
        self._moves: deque[tuple[Block, bool]] = deque()
        """Blocks that were disconnected (True) or connected, and are not processed into the two below yet."""
        self._undone: dict[bytes, Block] = {}
        """Disconnected blocks whose transfers may return, those of one reorganisation lowest first."""
        self._position = 1
        """Position of the next transfer in the first of them."""
        self._mined: dict[bytes, None] = {}
        """Txids mined since the first of these blocks was disconnected."""

    def __bool__(self) -> bool:
        return bool(self._moves or self._undone)

    def tip_changed(self, disconnected: Sequence[Block], connected: Sequence[Block]) -> None:
        """The tip moved; `disconnected` in the order in which they were disconnected, highest first."""
        if not self and not disconnected:
            return
        self._moves.extend([(block, True) for block in reversed(disconnected)])
        self._moves.extend([(block, False) for block in connected])

    def take(self, budget: int, accounts: BulkAccountReader) -> tuple[list[Transfer], list[Transfer]]:
        """Process about `budget` transfers. Returns those that may return now, and those whose sequence was used by
        another transfer; those mined again are in neither list. `accounts` is the state after the working tip.
        """
        while self._moves and budget > 0:
            block, has_left = self._moves.popleft()
            budget -= block.count
            if has_left:
                self._forget_mined(block)
                self._undone[block.hash] = block
            else:
                self._mined.update(dict.fromkeys(block.txid_list()))
        returned: list[Transfer] = []
        lost: list[Transfer] = []
        while not self._moves and self._undone and budget > 0:
            budget -= self._look(next(iter(self._undone.values())), budget, accounts, returned, lost)
        if not self:
            self._mined.clear()
        return returned, lost

    def raws(self) -> Iterator[bytes]:
        """All transfers that have not been processed yet, raw."""
        undone = [*self._undone.values(), *[block for block, has_left in self._moves if has_left]]
        for number, block in enumerate(undone):
            for position in range(self._position if number == 0 and self._undone else 1, block.count):
                yield block.raw[block.offsets[position] : block.offsets[position + 1]]

    def _forget_mined(self, block: Block) -> None:
        if self._mined:
            for txid in block.txid_list():
                self._mined.pop(txid, None)

    def _look(
        self, block: Block, budget: int, accounts: BulkAccountReader, returned: list[Transfer], lost: list[Transfer]
    ) -> int:
        """Process the next transfers of a block; returns the cost."""
        start = self._position
        moves = list(islice(block.moves, start - 1, start - 1 + budget))
        senders = list({move[0]: None for move in moves})
        due = {
            sender: account.sequence
            for sender, account in zip(
                senders, accounts.accounts([block.accounts[sender] for sender in senders]), strict=True
            )
        }
        txids = block.txid_list()
        for position, (sender, _, sequence, _, _) in enumerate(moves, start):
            if txids[position] in self._mined:
                continue
            transfer = block.transaction(position)
            assert isinstance(transfer, Transfer)
            (lost if sequence < due[sender] else returned).append(transfer)
        self._position += len(moves)
        if self._position >= block.count:
            del self._undone[block.hash]
            self._position = 1
        return 1 + len(moves)
