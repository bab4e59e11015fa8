"""The accounts that the transactions of a connected block name, packed: a few hundred kilobytes per block."""

from __future__ import annotations

from array import array
from operator import itemgetter
from typing import NamedTuple

from pychain import native
from pychain.chain.block import Block
from pychain.chain.transaction import KEY_BYTES
from pychain.store.records import entry_of

_COINBASE_ALONE = array("I", (0,))


class Members(NamedTuple):
    """The accounts of a block, with the number of its connection.

    keys: the accounts named, each once, concatenated. senders, recipients: for each transaction, by position, an index
    into them; the coinbase has its recipient as both.
    """

    number: int
    keys: bytes
    senders: array[int]
    recipients: array[int]

    @property
    def transactions(self) -> int:
        """The number of transactions."""
        return len(self.senders)

    @property
    def size(self) -> int:
        """Size in bytes: the keys, and two u32 per transaction."""
        return len(self.keys) + 8 * len(self.senders)

    def positions(self, key: bytes) -> list[int]:
        """The positions of the transactions that name an account, in descending order."""
        at = self.keys.find(key)
        while at >= 0 and at % KEY_BYTES:
            at = self.keys.find(key, at + 1)
        if at < 0:
            return []
        index = at // KEY_BYTES
        return sorted({*_positions(self.senders, index), *_positions(self.recipients, index)}, reverse=True)

    def touches(self) -> bytes:
        """For each transaction and account that it names: the account's key and the entry, concatenated (see
        `history`).
        """
        first = entry_of(self.number, 0)
        if len(self.senders) == 1:
            return self.keys + first.to_bytes(8, "big")
        return native.touches(self.keys, self.senders, self.recipients, first)


def _positions(indexes: array[int], wanted: int) -> list[int]:
    found: list[int] = []
    try:
        while True:
            found.append(indexes.index(wanted, found[-1] + 1 if found else 0))
    except ValueError:
        return found


def members_of(number: int, block: Block) -> Members:
    """The accounts of a block that connects as `number`."""
    assert block.coinbase is not None
    keys, paid = block.accounts, block.coinbase.recipient
    if block.count == 1:
        return Members(number, paid, _COINBASE_ALONE, _COINBASE_ALONE)
    coinbase = keys.index(paid) if paid in keys else len(keys)
    senders, recipients = array("I", (coinbase,)), array("I", (coinbase,))
    senders.extend(map(itemgetter(0), block.moves))
    recipients.extend(map(itemgetter(1), block.moves))
    return Members(number, b"".join([*keys, paid] if coinbase == len(keys) else keys), senders, recipients)
