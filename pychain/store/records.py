"""Rows of the store as bytes: fixed-width structs, little-endian except for keys that must sort.

| table | key | row |
|---|---|---|
| headers | u32 height, big-endian; 32 hash | 80 header, u8 status |
| accounts | 32 public key | u64 balance, u64 sequence |
| undo | 32 block hash | sealed undo record |
| rewards | 32 block hash | 32 recipient, u64 amount |
| connections | u32 number, big-endian | 32 block hash: the active chain, each block under the number it connected as |
| transactions | 32 txid | u64 entry, big-endian (see `entry_of`) |
| history | 32 public key; u64 entry, big-endian | the entries after that one, likewise (see `history`) |
| journal | u64 number, big-endian | sealed changes of the last commits (see `journal`) |
| bodies | 32 block hash | u32 file, u64 offset, u32 length, u32 crc32 |
| tables | name, UTF-8 | sealed bytes |

A transaction's row names its block by a number of 4 bytes instead of a hash of 32, since these rows are the most
numerous. Numbers are never reused, so rows of `transactions` and `history` that name a block which left the chain can
stay: that connection no longer exists. `sealed` is a crc32 and the bytes, since LMDB's pages have no checksum.
Decoders raise only DamagedStoreError. `sequence` is the account's nonce.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Literal

from pychain import native
from pychain.chain.hashes import HASH_BYTES
from pychain.chain.header import HEADER_BYTES
from pychain.chain.transaction import KEY_BYTES
from pychain.consensus.state import Account, Reward
from pychain.ledger.store import DamagedStoreError, IndexRecord, IndexSlice, Status
from pychain.store.block_files import Place, Position

_INDEX_KEY = struct.Struct(">I32s")
_ACCOUNT = struct.Struct("<QQ")
_REWARD = struct.Struct("<32sQ")
_NUMBER = struct.Struct(">I")
_ENTRY = struct.Struct(">Q")
_HISTORY_KEY = struct.Struct(">32sQ")
_PLACE = struct.Struct("<IQII")
_END = struct.Struct("<IQ")
_CRC = struct.Struct("<I")

GONE = _ACCOUNT.pack(0, 0)
"""The row of a removed account: no existing account is empty."""
ACCOUNT_RECORD_BYTES = KEY_BYTES + _ACCOUNT.size
PLACE_RECORD_BYTES = HASH_BYTES + _ENTRY.size

_RECORDS_PER_CALL = 1_024
"""Packing these holds the interpreter's lock for a tenth of a millisecond."""

_HEIGHT_BYTES = 4
_STATUS_MAX = 2 * max(Status) - 1
_STATUS_BYTES = tuple(bytes((status,)) for status in range(_STATUS_MAX + 1))


def index_rows(records: Iterable[IndexRecord]) -> list[tuple[bytes, bytes]]:
    """Rows (key, value) sorted by key."""
    return [
        (_INDEX_KEY.pack(height, block_hash), raw + _STATUS_BYTES[status])
        for height, block_hash, raw, status in sorted(records)
    ]


def decode_index(rows: Sequence[tuple[bytes, bytes]]) -> IndexSlice:
    """Decode many rows (key, value); their headers are hashed in one call and compared with the keys."""
    keys = b"".join([key[_HEIGHT_BYTES:] for key, _ in rows])
    raw = b"".join([row[:HEADER_BYTES] for _, row in rows])
    statuses = b"".join([row[HEADER_BYTES:] for _, row in rows])
    if len(raw) != HEADER_BYTES * len(rows) or len(statuses) != len(rows) or max(statuses) > _STATUS_MAX:
        raise DamagedStoreError("a row of the header index is damaged")
    hashes = native.sha256d_records(raw, HEADER_BYTES)
    if hashes != keys:
        pairs = zip(rows, range(0, len(hashes), HASH_BYTES), strict=True)
        first = next(key for (key, _), at in pairs if key[_HEIGHT_BYTES:] != hashes[at : at + HASH_BYTES])
        height = int.from_bytes(first[:_HEIGHT_BYTES], "big")
        raise DamagedStoreError(f"the header index is damaged at height {height}: a header and its hash differ")
    return IndexSlice(raw, hashes, statuses)


def account_records(accounts: Iterable[tuple[bytes, Account]]) -> Iterator[bytes]:
    """Key and row of each account, hundreds concatenated at a time; `GONE` for a removed one."""
    return _records(((key, each.balance, each.sequence) for key, each in accounts), "<", "32sQQ")


def decode_account(row: bytes) -> Account:
    return Account(*_unpack(_ACCOUNT, row, "an account"))


def decode_accounts(rows: Sequence[bytes | None]) -> list[Account]:
    """Decode many rows by column; `ABSENT` where there is none."""
    present = [GONE if row is None else row for row in rows]
    if set(map(len, present)) - {_ACCOUNT.size}:
        return list(map(decode_account, present))  # to raise the right error
    values = numbers("Q", b"".join(present))
    return list(map(Account, values[::2], values[1::2]))


def encode_reward(reward: Reward) -> bytes:
    return _REWARD.pack(*reward)


def decode_reward(row: bytes) -> Reward:
    return Reward._make(_unpack(_REWARD, row, "a reward"))


def number_key(number: int) -> bytes:
    return _NUMBER.pack(number)


def decode_number_key(key: bytes) -> int:
    (number,) = _unpack(_NUMBER, key, "a block connection")
    return number


def entry_of(number: int, position: int) -> int:
    """A transaction's place as one number, increasing along the chain: connection number, position in the block."""
    return number << 32 | position


def place_records(places: Iterable[tuple[bytes, int]]) -> Iterator[bytes]:
    """Key and row of each (txid, entry), hundreds concatenated at a time. For one txid, the later entry sorts last."""
    return _records(places, ">", "32sQ")


def decode_entry(row: bytes) -> int:
    (entry,) = _unpack(_ENTRY, row, "a transaction's place")
    return entry


def history_key(key: bytes, entry: int) -> bytes:
    return _HISTORY_KEY.pack(key, entry)


def decode_history(key: bytes, row: bytes) -> list[int]:
    """All entries of a row, including the one in its key."""
    _, first = _unpack(_HISTORY_KEY, key, "an account's history")
    if len(row) % _ENTRY.size:
        raise DamagedStoreError(f"an account's history is damaged: its row has {len(row)} bytes")
    return [first, *(entry for (entry,) in _ENTRY.iter_unpack(row))]


def encode_place(place: Place) -> bytes:
    return _PLACE.pack(*place)


def decode_place(row: bytes) -> Place:
    return Place._make(_unpack(_PLACE, row, "a body's place"))


def encode_end(end: Position, newest: Sequence[bytes]) -> bytes:
    """Encode the end of the block files, and the hashes of the bodies written last."""
    return _END.pack(*end) + b"".join(newest)


def decode_end(row: bytes) -> tuple[Position, list[bytes]]:
    if len(row) % HASH_BYTES != _END.size:
        raise DamagedStoreError("the end of the block files is damaged")
    newest = [row[start : start + HASH_BYTES] for start in range(_END.size, len(row), HASH_BYTES)]
    return Position._make(_END.unpack_from(row)), newest


def seal(data: bytes) -> bytes:
    return _CRC.pack(zlib.crc32(data)) + data


def unseal(row: bytes, what: str) -> bytes:
    """The bytes that were sealed; `what` names them in the error."""
    data = row[_CRC.size :]
    if row[: _CRC.size] != _CRC.pack(zlib.crc32(data)):
        raise DamagedStoreError(f"{what} is damaged: its checksum differs")
    return data


def little_endian(values: array[int]) -> bytes:
    """Numbers of fixed width as stored bytes."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def numbers(code: Literal["I", "Q"], data: bytes) -> array[int]:
    """The inverse of `little_endian`, for u32 or u64."""
    values = array(code, data)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _records(records: Iterable[tuple[bytes | int, ...]], order: str, form: str) -> Iterator[bytes]:
    """Records packed in a form, hundreds per call, since there are very many."""
    records = iter(records)
    while some := list(islice(records, _RECORDS_PER_CALL)):
        yield struct.pack(order + form * len(some), *chain.from_iterable(some))


def _unpack(form: struct.Struct, row: bytes, what: str) -> tuple[int, ...]:
    try:
        return form.unpack(row)
    except struct.error:
        raise DamagedStoreError(f"{what} is damaged: its row has {len(row)} bytes, not {form.size}") from None
