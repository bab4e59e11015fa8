"""Bounded reading and writing of little-endian, fixed-width data (the only encoding that is ever hashed).

A `Reader` never allocates more than the bytes it was given: every length is compared with what is left
before it is used. CompactSize is Bitcoin's variable-length count, here in its minimal form only.
"""

from __future__ import annotations

import struct

from pychain.base.errors import DecodeError

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
_U64 = struct.Struct("<Q")

U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1


class Reader:
    """A cursor over immutable bytes. Every method raises `DecodeError` when the data end too early."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self._position = position

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._position

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._position

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self._position + count
        if count < 0 or end > len(self._data):
            raise DecodeError(f"{count} bytes expected at offset {self._position}, {self.remaining} left")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def i32(self) -> int:
        return int.from_bytes(self.take(4), "little", signed=True)

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def compact_size(self) -> int:
        """A CompactSize count; a longer form than needed is an error, so each value has one encoding."""
        first = self.u8()
        if first < 0xFD:
            return first
        width, least = {0xFD: (2, 0xFD), 0xFE: (4, 0x10000), 0xFF: (8, 0x100000000)}[first]
        value = int.from_bytes(self.take(width), "little")
        if value < least:
            raise DecodeError(f"count {value} is not in its shortest form")
        return value

    def finish(self) -> None:
        """Fail unless all bytes have been read."""
        if self.remaining:
            raise DecodeError(f"{self.remaining} trailing bytes after offset {self._position}")


def u16(value: int) -> bytes:
    return _U16.pack(value)


def u32(value: int) -> bytes:
    return _U32.pack(value)


def i32(value: int) -> bytes:
    return _I32.pack(value)


def u64(value: int) -> bytes:
    return _U64.pack(value)


def compact_size(value: int) -> bytes:
    """The shortest CompactSize encoding of `value` (0 to 2^64 - 1)."""
    if value < 0xFD:
        return bytes((value,))
    if value <= 0xFFFF:
        return b"\xfd" + _U16.pack(value)
    if value <= U32_MAX:
        return b"\xfe" + _U32.pack(value)
    return b"\xff" + _U64.pack(value)
