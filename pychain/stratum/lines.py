"""Lines from a byte stream, bounded even while incomplete."""

from __future__ import annotations

from pychain.base.errors import DecodeError


class LineFramer:
    """Cuts a stream into lines. It buffers at most one unfinished line of `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends (LF or CR LF) and without blank lines.

        DecodeError if a line, complete or not, is longer than `max_bytes`: the stream ends there."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self._max_bytes or any(len(line) > self._max_bytes for line in whole):
            raise DecodeError(f"a line has more than {self._max_bytes} bytes")
        return [stripped for line in whole if (stripped := line.strip())]
