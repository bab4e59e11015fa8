"""The disk format of small tables: a magic with version, a checksum, a MessagePack body."""

from __future__ import annotations

from typing import Final, TypeVar
from zlib import crc32

from msgspec import MsgspecError, msgpack

from pychain.base.errors import DecodeError

_CHECKSUM_BYTES: Final = 4

T = TypeVar("T")


def dump(magic: bytes, table: object) -> bytes:
    """Encode a table (msgspec structs and plain data) as `magic | crc32 of the body, big-endian | body`."""
    body = msgpack.encode(table)
    return magic + crc32(body).to_bytes(_CHECKSUM_BYTES, "big") + body


def load(magic: bytes, data: bytes, decoder: msgpack.Decoder[T]) -> T:
    """Decode what `dump` wrote; the decoder's type bounds every count. Raises `DecodeError` on any damage."""
    if not data.startswith(magic):
        raise DecodeError(f"a saved table does not begin with {magic!r}")
    start = len(magic) + _CHECKSUM_BYTES
    if int.from_bytes(data[len(magic) : start], "big") != crc32(data[start:]):
        raise DecodeError(f"the checksum of a saved table ({magic!r}) is wrong")
    try:
        return decoder.decode(memoryview(data)[start:])
    except (MsgspecError, UnicodeError, RecursionError) as error:
        raise DecodeError(f"a saved table ({magic!r}) is malformed: {error}") from None
