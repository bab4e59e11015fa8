"""Places of transactions in memory: one table in several dictionaries of bounded size.

A dictionary that grows is rebuilt in one go, with the interpreter's lock held: 30 ms for the hundreds of thousands of
transactions that wait between two sweeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

SEGMENT = 32_768
"""Places in a dictionary: its last rebuilding takes some 2 ms."""


class Places:
    """txid -> entry (see `entry_of`), of two for one txid the later. One thread writes, and alone asks for the length
    and all items; any may look up.
    """

    __slots__ = ("_segments",)

    def __init__(self) -> None:
        self._segments: list[dict[bytes, int]] = [{}]

    def __len__(self) -> int:
        return sum(map(len, self._segments))

    def get(self, txid: bytes) -> int | None:
        for segment in reversed(self._segments):
            entry = segment.get(txid)
            if entry is not None:
                return entry
        return None

    def items(self) -> Iterator[tuple[bytes, int]]:
        """A txid may come more than once, with an entry that rises."""
        return chain.from_iterable([segment.items() for segment in self._segments])

    def update(self, places: Mapping[bytes, int]) -> None:
        """Take in up to `SEGMENT` places that followed."""
        if len(self._segments[-1]) + len(places) > SEGMENT:
            self._segments.append({})
        self._segments[-1].update(places)

    def absorb(self, newer: Places) -> None:
        """Take in those that followed."""
        for segment in newer._segments:
            self.update(segment)
