"""A series of batches that any process can reproduce from a number, and the comparison of two stores.

Batch k brings block k with its body, undo, reward, transactions and account changes. Every fifth block is a child of
block k - 2: its batch disconnects block k - 1 and marks it invalid, and some of the transactions that leave join block
k.

    0 - 1 - 2 - 3 - 4        (4 leaves when 5 comes)
                 `- 5 - 6 - 7 - 8 - 9
                                 `- 10 - ...
"""

from __future__ import annotations

from hashlib import sha256, shake_128

from pychain.chain.block import Block
from pychain.chain.header import Header, decode_header, new_header
from pychain.chain.transaction import Transfer
from pychain.consensus.state import ABSENT, Account, Reward
from pychain.ledger.store import Batch, IndexRecord, Status, Store, WritableStore
from tests.support.blocks import block_under, unsigned
from tests.support.index import known

GENESIS = sha256(b"the genesis of the store's tests").digest()
ACCOUNTS = tuple(sha256(b"account %d" % number).digest() for number in range(300))
COUNTER = "counter"
"""The table with the number of the store's last batch."""

_TRANSFERS = 12
_READ_HISTORIES = 4
"""Accounts whose newest transactions are compared."""
_KNOWN = Status.BODY | Status.VERIFIED | Status.CONNECTED


class Series:
    """Batches 0, 1, 2, ... and what all of them together ever touched."""

    def __init__(self) -> None:
        self.headers: list[Header] = []
        self._heights: list[int] = []

    def record(self, number: int, status: Status = _KNOWN) -> IndexRecord:
        while len(self.headers) <= number:
            this = len(self.headers)
            parent = this - 2 if _forks(this) else this - 1
            prev_hash = self.headers[parent].hash if this else bytes(32)
            self.headers.append(new_header(1, prev_hash, sha256(b"root %d" % this).digest(), this, 0x207FFFFF, this))
            self._heights.append(self._heights[parent] + 1 if this else 0)
        return IndexRecord.of(self.headers[number], self._heights[number], status)

    def number(self, block_hash: bytes) -> int:
        return next(number for number, header in enumerate(self.headers) if header.hash == block_hash)

    def body(self, number: int) -> bytes:
        """The header and 0 to 20,000 pseudorandom bytes."""
        draw = shake_128(b"body %d" % number)
        return self.record(number).raw + draw.digest(int.from_bytes(draw.digest(4), "little") % 20_000)

    def block(self, number: int) -> Block:
        """The block that connects as `number`; not the one stored as its body."""
        record = self.record(number)
        return block_under(decode_header(record.raw), record.height, ACCOUNTS[number % 7], self.transfers(number))

    def transfers(self, number: int) -> list[Transfer]:
        """The first three of a block that leaves are also in the block that comes instead."""
        draw = shake_128(b"transfers %d" % number).digest(4 * _TRANSFERS)
        own = [
            unsigned(_account(draw[4 * i : 4 * i + 2]), _account(draw[4 * i + 2 : 4 * i + 4]), number << 8 | i)
            for i in range(_TRANSFERS)
        ]
        return self.transfers(number - 1)[:3] + own if _forks(number) else own

    def txids(self, number: int) -> list[bytes]:
        return [transaction.txid for transaction in self.block(number).transactions]

    def batch(self, number: int) -> Batch:
        record = self.record(number)
        block_hash = record.hash
        draw = shake_128(b"accounts %d" % number).digest(90)
        keys = [_account(draw[i : i + 2]) for i in range(0, 80, 2)]
        accounts = {key: ABSENT if key[0] % 7 == number % 7 else Account(number * 1_000, number) for key in keys}
        index: tuple[IndexRecord, ...] = (record,)
        if _forks(number):
            index = (*index, self.record(number - 1, _KNOWN | Status.INVALID))
        return Batch(
            bodies={block_hash: self.body(number)},
            index=index,
            accounts=accounts,
            undo={block_hash: b"undo" + draw * (number % 90)},
            rewards={block_hash: Reward(keys[0], number)},
            disconnected=(self.record(number - 1).hash,) if _forks(number) else (),
            connected={block_hash: self.block(number)},
            tip=block_hash,
            tables={COUNTER: b"%d" % number, "mempool": draw * (number % 50)},
        )


def _account(drawn: bytes) -> bytes:
    return ACCOUNTS[int.from_bytes(drawn, "little") % len(ACCOUNTS)]


def _forks(number: int) -> bool:
    return number > 0 and number % 5 == 0


def counter(store: Store) -> int:
    """The number of the last batch that the store shows, -1 before the first."""
    table = store.table(COUNTER)
    return -1 if table is None else int(table)


def assert_same_after(store: WritableStore, model: WritableStore, series: Series, number: int) -> None:
    """Both take one more batch, and agree on all data."""
    for each in (store, model):
        each.commit(series.batch(number))
        each.advance()
    assert_same(store, model, series)


def assert_same(store: WritableStore, model: WritableStore, series: Series, first: int = 0) -> None:
    """Every read of data written by the batches from `first` to the one after the model's gives the same from both."""
    last = counter(model)
    assert store.tip() == model.tip()
    assert known(store) == known(model)
    for key in ACCOUNTS:
        assert store.account(key) == model.account(key)
    for number in range(first, last + 2):
        block_hash = series.record(number).hash
        assert store.undo(block_hash) == model.undo(block_hash)
        assert store.reward(block_hash) == model.reward(block_hash)
        for txid in series.txids(number):
            assert store.transaction(txid) == model.transaction(txid)
        assert store.body(block_hash) == model.body(block_hash)
    for key in ACCOUNTS[last % 7 :: len(ACCOUNTS) // _READ_HISTORIES]:
        newest = store.history(key, 20)
        assert newest == model.history(key, 20)
        for page in newest[-1:]:
            older = series.txids(series.number(page.block_hash))[page.position]
            assert store.history(key, 3, older) == model.history(key, 3, older)
    for name in (COUNTER, "mempool"):
        assert store.table(name) == model.table(name)
