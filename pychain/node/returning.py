"""Transfers of undone blocks on their way back to the mempool, so many a turn.

A reorganisation may undo hundreds of thousands of them, most of which were mined again or lost their place: what that
is shows in the blocks' bulk view, and what was mined again is never made a transfer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from pychain.chain.block import Block
from pychain.chain.transaction import Transfer
from pychain.consensus.state import BulkAccountReader


class Returning:
    """Follows undone and connected blocks, in their order, and gives back what they leave over."""

    def __init__(self) -> None:
        self._moves: deque[tuple[Block, bool]] = deque()
        """Blocks that the chain left (True) or took on, and that are not counted into the two below yet."""
        self._undone: dict[bytes, Block] = {}
        """Blocks whose transfers are to come back, the lowest first where they were undone together."""
        self._position = 1
        """Of the first transfer in the first of them that was not looked at."""
        self._mined: dict[bytes, None] = {}
        """Txids mined since the first of these blocks was undone."""

    def __bool__(self) -> bool:
        return bool(self._moves or self._undone)

    def tip_changed(self, disconnected: Sequence[Block], connected: Sequence[Block]) -> None:
        """The tip moved; `disconnected` in the order in which they were undone, the highest first."""
        if not self and not disconnected:
            return
        self._moves.extend([(block, True) for block in reversed(disconnected)])
        self._moves.extend([(block, False) for block in connected])

    def take(self, budget: int, accounts: BulkAccountReader) -> tuple[list[Transfer], list[Transfer]]:
        """Look at about `budget` transfers: those that may come back now, and those whose sequence another transfer has
        used. What was mined again is neither. `accounts` is the state after the working tip.
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
        """All that is still on its way, raw."""
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
        """Look at the next transfers of a block; returns how many."""
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
