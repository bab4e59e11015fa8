"""The network model: streams of bytes between hosts that arrive late, cut at random places, and not at all across a
partition.

A partition acts as on TCP: bytes wait on its edge and go on when it heals, unless an end gives the connection up
before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pychain.base.entropy import Random
from pychain.base.time import NS
from pychain.p2p.draws import spread
from pychain.sim.events import EventHeap

DIAL_TIMEOUT_NS = 5 * NS
RESOLVE_NS = 40_000_000
"""Mean time of a DNS lookup: a round trip to a name server as far away as other hosts."""
RESOLVE_TIMEOUT_NS = 10 * NS
"""Time after which an unanswered lookup has failed, as in the daemon."""
MAX_PIECE_BYTES = 16 * 1024
"""Writes are delivered in pieces of 1 to this many bytes, so that no decoder can rely on where they end."""


@dataclass(frozen=True, slots=True)
class LinkModel:
    """A link: its mean one-way latency (each is drawn from half to one and a half of it), and its bytes per second."""

    latency_ns: int = 20_000_000
    bytes_per_s: int = 10_000_000


class Stream:
    """One direction of a connection."""

    def __init__(self, network: Network, source: str, target: str, deliver: Callable[[bytes], None]) -> None:
        self._network = network
        self._ends = (source, target)
        self._link = network.link_between(source, target)
        self._deliver = deliver
        self._free_ns = 0
        self._held: list[tuple[Callable[[], None], int]] = []

    def send(self, data: bytes, drained: Callable[[int], None]) -> None:
        """Send bytes; `drained` is called when they have left the sender."""
        position = 0
        while position < len(data):
            piece = data[position : position + 1 + self._network.random.below(MAX_PIECE_BYTES)]
            position += len(piece)
            self._pass(lambda piece=piece: self._arrive(piece, drained), len(piece))  # type: ignore[misc]

    def close(self, action: Callable[[], None]) -> None:
        """Run `action` at the far end once everything sent before has arrived."""
        self._pass(action, 0)

    def _arrive(self, piece: bytes, drained: Callable[[int], None]) -> None:
        drained(len(piece))
        self._deliver(piece)

    def _pass(self, action: Callable[[], None], size: int) -> None:
        if self._network.is_cut(*self._ends):
            self._held.append((action, size))
            self._network.hold(self)
            return
        events, link = self._network.events, self._link
        busy_ns = size * NS // link.bytes_per_s
        arrival = events.now_ns + spread(self._network.random, link.latency_ns)
        self._free_ns = max(self._free_ns, arrival) + busy_ns
        events.at(self._free_ns, action)

    def release(self) -> None:
        """The partition has healed: send the bytes that waited."""
        held, self._held = self._held, []
        for action, size in held:
            self._pass(action, size)


class Network:
    """Which hosts can reach which, and the streams between them."""

    def __init__(self, events: EventHeap, random: Random, link: LinkModel) -> None:
        self.events = events
        self.random = random
        self.link = link
        self._links: dict[frozenset[str], LinkModel] = {}
        """Links that differ from the default."""
        self._cuts: dict[frozenset[str], None] = {}
        self._holding: dict[Stream, None] = {}

    def link_between(self, one: str, other: str) -> LinkModel:
        return self._links.get(frozenset((one, other)), self.link)

    def set_link(self, one: str, other: str, link: LinkModel) -> None:
        """Set the link of two hosts, for the connections that they open from now on."""
        self._links[frozenset((one, other))] = link

    def is_cut(self, one: str, other: str) -> bool:
        return bool(self._cuts) and frozenset((one, other)) in self._cuts

    def hold(self, stream: Stream) -> None:
        self._holding[stream] = None

    def cut(self, one: Iterable[str], other: Iterable[str]) -> None:
        """No bytes pass between the two groups until `heal`."""
        others = list(other)
        for a in one:
            for b in others:
                self._cuts[frozenset((a, b))] = None

    def heal(self) -> None:
        """All links work again."""
        self._cuts.clear()
        holding, self._holding = self._holding, {}
        for stream in holding:
            stream.release()
