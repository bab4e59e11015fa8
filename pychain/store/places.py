"""Places of transactions in memory: one mapping in several dictionaries of bounded size.

A growing dictionary is rebuilt at once, with the interpreter's lock held: 30 ms for the hundreds of thousands of
transactions between two sweeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

SEGMENT = 32_768
"""Places per dictionary: its last rebuild takes about 2 ms."""


class Places:
    """txid -> entry (see `entry_of`); the later of two entries for one txid counts. One thread writes, and only it may
    use the length and the items; any thread may look up.
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
        """All items. A txid may come more than once, with increasing entries."""
        return chain.from_iterable([segment.items() for segment in self._segments])

    def update(self, places: Mapping[bytes, int]) -> None:
        """Add up to `SEGMENT` newer places."""
        if len(self._segments[-1]) + len(places) > SEGMENT:
            self._segments.append({})
        self._segments[-1].update(places)

    def absorb(self, newer: Places) -> None:
        """Add all newer places."""
        for segment in newer._segments:
            self.update(segment)
