"""Hashes and the two ways to write them: raw bytes in memory, byte-reversed hex for people (as Bitcoin does)."""

from __future__ import annotations

from string import hexdigits

from pychain.base.errors import DecodeError

HASH_BYTES = 32
ZERO_HASH = bytes(HASH_BYTES)


def split_hashes(joined: bytes) -> list[bytes]:
    """Split back-to-back hashes of 32 bytes."""
    return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]


def hash_hex(block_or_tx_hash: bytes) -> str:
    """Display order: the 32 bytes reversed, in hex."""
    return block_or_tx_hash[::-1].hex()


def parse_hash_hex(text: str) -> bytes:
    """The raw hash behind 64 hex digits in display order."""
    if len(text) != 2 * HASH_BYTES:
        raise DecodeError(f"a hash has {2 * HASH_BYTES} hex digits, not {len(text)}")
    if any(character not in hexdigits for character in text):  # bytes.fromhex would skip spaces
        raise DecodeError(f"'{text}' is not a hash: it has characters that are not hex digits")
    return bytes.fromhex(text)[::-1]
