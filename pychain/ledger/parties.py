"""The accounts that the transactions of a block name, and whose history they belong to."""

from __future__ import annotations

from pychain.chain.block import Block
from pychain.chain.transaction import Transaction, Transfer


def parties(transaction: Transaction) -> tuple[bytes, ...]:
    """Sender and recipient, or the recipient of a coinbase; each account once."""
    if not isinstance(transaction, Transfer) or transaction.sender == transaction.recipient:
        return (transaction.recipient,)
    return transaction.sender, transaction.recipient


def touched(block: Block) -> dict[bytes, list[int]]:
    """The accounts that a block's transactions name -> the positions of those transactions, in order."""
    places: list[list[int]] = [[] for _ in block.accounts]
    for position, (sender, recipient, _, _, _) in enumerate(block.moves, 1):
        places[sender].append(position)
        if recipient != sender:
            places[recipient].append(position)
    positions = dict(zip(block.accounts, places, strict=True))
    positions.setdefault(block.transaction(0).recipient, []).insert(0, 0)
    return positions
