"""Reading bytes: little-endian integers of fixed width, and Bitcoin's CompactSize in its shortest form only."""

from __future__ import annotations

U64_MAX = 2**64 - 1

COMPACT_SIZES = {0xFD: (2, 0xFD), 0xFE: (4, 2**16), 0xFF: (8, 2**32)}
"""First byte -> the width of the integer that follows, and the least value that needs this form."""


class EncodingError(Exception):
    """The bytes do not have the expected form."""


class Reader:
    """Bytes, and the position of the next read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.position

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise EncodingError(f"{size} bytes wanted, {self.left} left")
        self.position += size
        return self.data[self.position - size : self.position]

    def unsigned(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def signed(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little", signed=True)

    def compact_size(self) -> int:
        first = self.unsigned(1)
        if first not in COMPACT_SIZES:
            return first
        width, least = COMPACT_SIZES[first]
        value = self.unsigned(width)
        if value < least:
            raise EncodingError(f"{value} is not in its shortest form")
        return value

    def finish(self) -> None:
        """Check that no bytes are left."""
        if self.left:
            raise EncodingError(f"{self.left} bytes too many")
