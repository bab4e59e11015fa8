"""A stamp in the memo of a transfer: `"pychain/stamp/v1" | u8 kind | 32 digest`, 49 bytes.

Kind 0: the digest is the SHA-256 of one file, so anyone can compare it directly. Kind 1: it is the root of a tree over
many files' digests (see `tree`). The kinds keep a root from passing as the digest of a file that consists of the two
nodes below it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from pychain.base.codec import Reader
from pychain.base.errors import DecodeError
from pychain.stamps.errors import StampError

TAG = b"pychain/stamp/v1"
DIGEST_BYTES = 32


class Kind(IntEnum):
    """The meaning of a stamp's digest."""

    FILE = 0
    TREE = 1


class Stamp(NamedTuple):
    """A stamp as decoded from a memo."""

    kind: Kind
    digest: bytes


def encode_memo(stamp: Stamp) -> bytes:
    """The memo that carries a stamp."""
    assert len(stamp.digest) == DIGEST_BYTES
    return TAG + bytes((stamp.kind,)) + stamp.digest


def decode_memo(memo: bytes) -> Stamp:
    """The stamp in a memo; StampError if it carries none."""
    if not memo.startswith(TAG):
        raise StampError("the transfer's memo is no stamp")
    try:
        reader = Reader(memo, len(TAG))
        stamp = Stamp(Kind(reader.u8()), reader.take(DIGEST_BYTES))
        reader.finish()
    except (DecodeError, ValueError):
        raise StampError("the transfer's memo is a stamp of an unknown kind") from None
    return stamp
