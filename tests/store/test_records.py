"""Rows: their documented bytes, and that damaged ones raise DamagedStoreError alone."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.chain.header import new_header
from pychain.consensus.state import ABSENT, Account, Reward
from pychain.ledger.store import DamagedStoreError, IndexRecord, Status
from pychain.store import records
from pychain.store.block_files import Place, Position
from tests.support.index import unpacked

KEY = bytes(range(32))
HEADER = new_header(1, KEY, KEY[::-1], 5, 0x207FFFFF, 6)

u16, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (16, 32, 64))


def test_rows_have_the_documented_bytes() -> None:
    record = IndexRecord.of(HEADER, 258, Status.BODY | Status.INVALID)
    assert records.index_rows([record]) == [(b"\0\0\1\2" + HEADER.hash, HEADER.raw + b"\x09")]
    accounts = {KEY: Account(1, 2), KEY[::-1]: ABSENT}
    assert (
        b"".join(records.account_records(accounts.items())) == KEY + struct.pack("<QQ", 1, 2) + KEY[::-1] + records.GONE
    )
    assert records.encode_reward(Reward(KEY, 3)) == KEY + struct.pack("<Q", 3)
    assert records.number_key(258) == b"\0\0\1\2"
    places = {KEY: records.entry_of(7, 5), KEY[::-1]: 9}
    assert b"".join(records.place_records(places.items())) == KEY + struct.pack(">II", 7, 5) + KEY[::-1] + struct.pack(
        ">II", 0, 9
    )
    assert records.history_key(KEY, 7 << 32 | 5) == KEY + bytes((0, 0, 0, 7, 0, 0, 0, 5))
    assert records.encode_place(Place(1, 2, 3, 4)) == struct.pack("<IQII", 1, 2, 3, 4)
    assert records.encode_end(Position(1, 2), [KEY]) == struct.pack("<IQ", 1, 2) + KEY
    assert records.seal(b"data") == struct.pack("<I", zlib.crc32(b"data")) + b"data"


@given(balance=u64, sequence=u64, height=u32, status=st.integers(0, 15), number=u32, position=u32)
def test_rows_are_read_back(balance: int, sequence: int, height: int, status: int, number: int, position: int) -> None:
    account, reward = Account(balance, sequence), Reward(KEY, balance)
    assert records.decode_account(b"".join(records.account_records([(KEY, account)]))[32:]) == account
    assert records.decode_reward(records.encode_reward(reward)) == reward
    record = IndexRecord.of(HEADER, height, Status(status))
    part = records.decode_index(records.index_rows([record]))
    assert unpacked(part) == [(HEADER, Status(status))]
    assert records.decode_number_key(records.number_key(number)) == number
    entry = records.entry_of(number, position)
    assert records.decode_entry(b"".join(records.place_records([(KEY, entry)]))[32:]) == entry
    entries = [number, balance, sequence]
    others = struct.pack(">QQ", *entries[1:])
    assert records.decode_history(records.history_key(KEY, number), others) == entries
    place, end = Place(number, balance, position, height), Position(number, balance)
    assert records.decode_place(records.encode_place(place)) == place
    assert records.decode_end(records.encode_end(end, [KEY, KEY[::-1]])) == (end, [KEY, KEY[::-1]])


@given(data=st.binary(max_size=200))
def test_sealed_bytes_are_read_back(data: bytes) -> None:
    assert records.unseal(records.seal(data), "it") == data


@given(data=st.binary(max_size=60), bit=st.integers(0, 8 * 64 - 1))
def test_a_flipped_bit_of_sealed_bytes_is_found(data: bytes, bit: int) -> None:
    sealed = bytearray(records.seal(data))
    sealed[bit // 8 % len(sealed)] ^= 1 << bit % 8
    with pytest.raises(DamagedStoreError, match="the thing is damaged"):
        records.unseal(bytes(sealed), "the thing")


@given(st.lists(st.none() | st.tuples(u64, u64), max_size=9))
def test_accounts_are_read_back_together(accounts: list[tuple[int, int] | None]) -> None:
    rows = [None if values is None else struct.pack("<QQ", *values) for values in accounts]
    expected = [ABSENT if values is None else Account(*values) for values in accounts]
    assert records.decode_accounts(rows) == expected


def test_one_damaged_account_among_many_is_found() -> None:
    rows = [bytes(16)] * 9 + [bytes(15), None, bytes(17)]
    with pytest.raises(DamagedStoreError, match="its row has 15 bytes"):
        records.decode_accounts(rows)
    with pytest.raises(DamagedStoreError, match="its row has 0 bytes"):
        records.decode_accounts([b""])


DECODERS: list[Callable[[bytes], object]] = [
    records.decode_account,
    records.decode_reward,
    records.decode_number_key,
    records.decode_entry,
    lambda row: records.decode_history(row[:40], row[40:]),
    records.decode_place,
    records.decode_end,
    lambda row: records.unseal(row, "it"),
    lambda row: records.decode_index([(row[:36], row[36:])]),
]


@given(row=st.one_of(st.binary(max_size=130), st.binary(min_size=117, max_size=117)), which=st.sampled_from(DECODERS))
def test_garbage_raises_the_documented_error_alone(row: bytes, which: Callable[[bytes], object]) -> None:
    with suppress(DamagedStoreError):
        which(row)


def test_a_header_under_another_hash_is_damage() -> None:
    record = IndexRecord.of(HEADER, 3, Status.HEADER)
    ((key, row),) = records.index_rows([record])
    damaged = bytearray(row)
    damaged[10] ^= 1
    with pytest.raises(DamagedStoreError, match="height 3"):
        records.decode_index([(key, bytes(damaged))])


def test_an_unknown_status_is_damage() -> None:
    record = IndexRecord.of(HEADER, 3, Status.HEADER)
    ((key, _),) = records.index_rows([record])
    with pytest.raises(DamagedStoreError):
        records.decode_index([(key, HEADER.raw + b"\x10")])
