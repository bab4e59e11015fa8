"""The last events, kept for listeners that reconnect, and rendered once for all of them."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from pychain.api.events.views import KINDS, EventView, Kind

KEPT: dict[Kind, int] = {"tip": 1024, "reorg": 64, "tx": 4096, "peer": 256}
"""Events of each kind kept for replay, a few megabytes. A flood of one kind does not push out the others."""
CHUNK_EVENTS = 256
"""Events sent to one listener at a time: about 80 KB."""


class Chunk(NamedTuple):
    """Rendered events, and the number of the last event covered."""

    data: bytes
    last: int


class _Kept:
    """An event and, once it was first sent, its text."""

    __slots__ = ("make", "number", "text")

    def __init__(self, number: int, make: Callable[[], EventView]) -> None:
        self.number = number
        self.make: Callable[[], EventView] | None = make
        self.text = b""


class Ring:
    """Numbers events from 1 on, and keeps the last ones of each kind."""

    def __init__(self, name: str) -> None:
        """`name` precedes the numbers in ids, so that ids of another run are recognised."""
        self.name = name
        self.last = 0
        self._kept: dict[Kind, deque[_Kept]] = {kind: deque() for kind in KINDS}
        self._forgotten: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._chunks: dict[tuple[int, tuple[Kind, ...]], Chunk] = {}

    def add(self, kind: Kind, make: Callable[[], EventView]) -> None:
        """Add an event; `make` is called when it is first sent."""
        self.last += 1
        kept = self._kept[kind]
        kept.append(_Kept(self.last, make))
        if len(kept) > KEPT[kind]:
            self._forgotten[kind] = kept.popleft().number
        self._chunks.clear()

    def parse(self, event_id: str) -> int | None:
        """The number in an id of this run; None for any other text."""
        name, dash, number = event_id.partition("-")
        if name != self.name or not dash or not number.isascii() or not number.isdecimal() or len(number) > 18:
            return None
        return int(number) if int(number) <= self.last else None

    def covers(self, since: int, kinds: tuple[Kind, ...]) -> bool:
        """Whether all events of these kinds after a number are still kept."""
        return all(self._forgotten[kind] <= since for kind in kinds)

    def chunk(self, since: int, kinds: tuple[Kind, ...]) -> Chunk:
        """The next events of these kinds after a number, up to the chunk size."""
        known = self._chunks.get((since, kinds))
        if known is None:
            known = self._chunks[since, kinds] = self._render(since, kinds)
        return known

    def _render(self, since: int, kinds: tuple[Kind, ...]) -> Chunk:
        found = list(heapq.merge(*(self._after(since, kind) for kind in kinds)))
        told = found[:CHUNK_EVENTS]
        last = told[-1][0] if len(told) < len(found) else self.last
        return Chunk(b"".join(self._text(kept, kind) for _, kind, kept in told), last)

    def _after(self, since: int, kind: Kind) -> list[tuple[int, Kind, _Kept]]:
        newest_first = []
        for kept in reversed(self._kept[kind]):
            if kept.number <= since:
                break
            newest_first.append((kept.number, kind, kept))
        return newest_first[::-1]

    def _text(self, kept: _Kept, kind: Kind) -> bytes:
        if kept.make is not None:
            kept.text = render(f"{self.name}-{kept.number}", kind, kept.make())
            kept.make = None
        return kept.text


def render(event_id: str, kind: str, data: object) -> bytes:
    """One event as it is sent; JSON text has no line ends, so its data is one line."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event_id.encode(), kind.encode(), msgspec.json.encode(data))
