"""The consensus bytes once more, written from docs/consensus.md: the writing side of tests/specification.

Nothing of the package is imported, so whatever this encoder and the package agree on is what the document says. The
executable chain specification makes all its blocks with it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from itertools import count
from typing import Any

from tests.specification.hashing import merkle_root as merkle_root
from tests.specification.hashing import sha256d as sha256d


def shown(digest: bytes) -> str:
    """A hash as people read it."""
    return digest[::-1].hex()


def compact_size(value: int) -> bytes:
    if value < 253:
        return struct.pack("<B", value)
    if value < 2**16:
        return b"\xfd" + struct.pack("<H", value)
    if value < 2**32:
        return b"\xfe" + struct.pack("<I", value)
    return b"\xff" + struct.pack("<Q", value)


def transfer_body(sender: bytes, sequence: int, recipient: bytes, amount: int, fee: int, memo: bytes = b"") -> bytes:
    """A transfer without its signature."""
    fields = struct.pack("<Q", sequence), recipient, struct.pack("<QQH", amount, fee, len(memo))
    return b"\x01" + sender + b"".join(fields) + memo


def signing_message(genesis_hash: bytes, body: bytes) -> bytes:
    return b"pychain/transfer/v1" + genesis_hash + body


def coinbase(height: int, recipient: bytes, amount: int, extra: bytes = bytes(32)) -> bytes:
    return b"\x00" + struct.pack("<I", height) + recipient + struct.pack("<QB", amount, len(extra)) + extra


def header(version: int, prev_hash: bytes, merkle_root: bytes, time: int, bits: int, nonce: int) -> bytes:
    return struct.pack("<i", version) + prev_hash + merkle_root + struct.pack("<III", time, bits, nonce)


def block(raw_header: bytes, transactions: Sequence[bytes]) -> bytes:
    return raw_header + compact_size(len(transactions)) + b"".join(transactions)


def root_of(transactions: Sequence[bytes]) -> bytes:
    """The merkle root over the ids of raw transactions."""
    return merkle_root([sha256d(transaction) for transaction in transactions])


def target_of(bits: int) -> int:
    """The target of bits that are a valid encoding of at least three bytes."""
    return (bits & 0x7FFFFF) << 8 * ((bits >> 24) - 3)


def meets(raw_header: bytes, target: int) -> bool:
    return int.from_bytes(sha256d(raw_header), "little") <= target


def solve(version: int, prev_hash: bytes, root: bytes, time: int, bits: int, *, wanted: bool = True) -> bytes:
    """The header with the first nonce that proves work for `bits` (or the first that does not)."""
    target = target_of(bits)
    attempts = (header(version, prev_hash, root, time, bits, nonce) for nonce in count())
    return next(attempt for attempt in attempts if meets(attempt, target) is wanted)


def canonical_text(committed: dict[str, Any]) -> bytes:
    """The text of a chain spec's committed fields that genesis commits to."""
    return json.dumps(committed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def genesis_block(canonical: bytes, time: int, bits: int) -> bytes:
    reward = coinbase(0, bytes(32), 0, sha256d(canonical))
    return block(header(1, bytes(32), sha256d(reward), time, bits, 0), [reward])
