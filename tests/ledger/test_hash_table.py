"""The table of rows by hash, against a dict: growth, many rows at once, and hashes that collide."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import pytest

from pychain.ledger import hash_table
from pychain.ledger.hash_table import HashTable

HASHES = [sha256(number.to_bytes(4, "big")).digest() for number in range(3_000)]
UNKNOWN = [sha256(number.to_bytes(5, "big")).digest() for number in range(200)]


@pytest.fixture(params=["as they fall", "into eight slots", "into one slot"])
def crowding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many hashes a test may use: if they collide, every lookup takes as many steps as there are rows."""
    slots: dict[str, Callable[[bytes], int]] = {
        "into eight slots": lambda block_hash: block_hash[0] & 7,
        "into one slot": lambda block_hash: -1,  # the last one, so that places wrap around
    }
    if request.param not in slots:
        return len(HASHES)
    monkeypatch.setattr(hash_table, "hash", slots[request.param], raising=False)
    return 300


def test_rows_are_found_while_the_table_grows(crowding: int) -> None:
    table = HashTable(bytearray(b"".join(HASHES)))
    for row, block_hash in enumerate(HASHES[:crowding]):
        assert table.find(block_hash) is None
        table.add(block_hash)
        assert table.find(block_hash) == row
        assert table.find(HASHES[row // 2]) == row // 2
    assert [table.find(block_hash) for block_hash in HASHES[:crowding]] == list(range(crowding))
    assert [table.find(unknown) for unknown in UNKNOWN] == [None] * len(UNKNOWN)


@pytest.mark.parametrize("filled", [0, 1, 127, 128, 129, 255, 256, 257])
def test_rows_filled_in_at_once_and_more_after_them(crowding: int, filled: int) -> None:
    table = HashTable(bytearray(b"".join(HASHES)))
    table.fill(filled)
    for block_hash in HASHES[filled:crowding]:
        table.add(block_hash)
    assert [table.find(block_hash) for block_hash in HASHES[:crowding]] == list(range(crowding))
    assert table.find(UNKNOWN[0]) is None


def test_no_row_costs_the_growth_of_all() -> None:
    """Counts the rows that are put into a slot, for the first time or again."""
    placed = 0

    class Counted(HashTable):
        def _place(self, block_hash: bytes, row: int) -> None:
            nonlocal placed
            placed += 1
            super()._place(block_hash, row)

    table = Counted(bytearray(b"".join(HASHES)))
    for block_hash in HASHES:
        before = placed
        table.add(block_hash)
        assert placed - before <= 5
    assert placed < 3 * len(HASHES)
