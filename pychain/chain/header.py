"""The block header: Bitcoin's 80 bytes, so that every SHA-256d miner and years of public test data fit."""

from __future__ import annotations

import struct

import msgspec

from pychain import native
from pychain.base.errors import DecodeError
from pychain.chain.hashes import HASH_BYTES

HEADER_BYTES = 80
_FIELDS = struct.Struct("<i32s32sIII")


class Header(msgspec.Struct, frozen=True, gc=False):
    """One header, its bytes and its hash. Make it with `new_header`, `decode_header` or `decode_headers`."""

    raw: bytes
    hash: bytes
    version: int
    prev_hash: bytes
    merkle_root: bytes
    time: int
    bits: int
    nonce: int


def new_header(version: int, prev_hash: bytes, merkle_root: bytes, time: int, bits: int, nonce: int) -> Header:
    """A header from its fields (int32, 32 bytes, 32 bytes, uint32 each)."""
    assert len(prev_hash) == len(merkle_root) == HASH_BYTES  # struct would silently cut or pad other lengths
    raw = _FIELDS.pack(version, prev_hash, merkle_root, time, bits, nonce)
    return Header(raw, native.header_hash(raw), version, prev_hash, merkle_root, time, bits, nonce)


def decode_header(raw: bytes) -> Header:
    """The header in exactly 80 bytes."""
    if len(raw) != HEADER_BYTES:
        raise DecodeError(f"a header has {HEADER_BYTES} bytes, not {len(raw)}")
    return Header(raw, native.header_hash(raw), *_FIELDS.unpack(raw))


def known_header(raw: bytes, block_hash: bytes) -> Header:
    """The header in 80 bytes whose hash is already known."""
    return Header(raw, block_hash, *_FIELDS.unpack(raw))


def decode_headers(raws: list[bytes]) -> list[Header]:
    """Many headers, hashed in one call."""
    if any(len(raw) != HEADER_BYTES for raw in raws):
        raise DecodeError(f"a header has {HEADER_BYTES} bytes")
    hashes = native.sha256d_records(b"".join(raws), HEADER_BYTES)
    return [Header(raw, hashes[32 * i : 32 * i + 32], *_FIELDS.unpack(raw)) for i, raw in enumerate(raws)]
