"""Frames: a 4-byte big-endian length, then the payload. The whole byte stream is a sequence of frames."""

from __future__ import annotations

from collections.abc import Iterator

from pychain.base.errors import DecodeError
from pychain.p2p.limits import LENGTH_BYTES


class FrameError(DecodeError):
    """The byte stream is not a sequence of frames within the limit; nothing more can be read from it."""


def frame(payload: bytes) -> bytes:
    """Frame a payload, which holds at least the type byte."""
    assert payload, "a frame holds at least a type byte"
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


class FrameReader:
    """Assembles frames from a stream that may be cut anywhere.

    A length over `limit` is rejected as soon as its four bytes are in. Memory grows with the bytes received, never
    with the claimed length, and each byte is copied at most twice.
    """

    __slots__ = ("_body", "_failure", "_head", "_length", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """The largest payload, in bytes; a change applies from the next length on."""
        self._head = bytearray()
        self._length: int | None = None
        self._body = bytearray()
        self._failure: str | None = None

    @property
    def pending(self) -> int:
        """Bytes held of an incomplete frame."""
        return len(self._head) + len(self._body)

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Yield the payloads that `data` completes, in order.

        The iterator must be exhausted before the next call. It is lazy, so that a limit set after one frame (the hello)
        applies to the next frame in the same read. Raises `FrameError` at a bad length, after all frames before it;
        every later call raises the same error.
        """
        if self._failure is not None:
            raise FrameError(self._failure)
        position = 0
        with memoryview(data) as view:
            while position < len(view):
                if self._length is None:
                    part = view[position : position + LENGTH_BYTES - len(self._head)]
                    self._head += part
                    position += len(part)
                    if len(self._head) < LENGTH_BYTES:
                        return
                    self._length = self._checked_length()
                missing = self._length - len(self._body)
                part = view[position : position + missing]
                position += len(part)
                if len(part) == self._length:  # all of it is in this read: bypass the buffer
                    payload = bytes(part)
                elif len(part) < missing:
                    self._body += part
                    return
                else:
                    self._body += part
                    payload = bytes(self._body)
                self._head.clear()
                self._body = bytearray()
                self._length = None
                yield payload

    def _checked_length(self) -> int:
        length = int.from_bytes(self._head, "big")
        if 0 < length <= self.limit:
            return length
        self._failure = f"a frame of {length} bytes, 1 to {self.limit} are allowed"
        raise FrameError(self._failure)
