"""Lines out of a byte stream, bounded before they are whole."""

from __future__ import annotations

from pychain.base.errors import DecodeError


class LineFramer:
    """Cuts a stream into lines. Never more than one unfinished line of `max_bytes` waits in it."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends (LF or CR LF) and without the blank ones.

        DecodeError where one, whole or not, is longer than `max_bytes`: the stream ends there."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self._max_bytes or any(len(line) > self._max_bytes for line in whole):
            raise DecodeError(f"a line has more than {self._max_bytes} bytes")
        return [stripped for line in whole if (stripped := line.strip())]
