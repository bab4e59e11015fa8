"""Asking for announced objects: one announcer at a time, the next when he does not deliver.

After Bitcoin Core's `txrequest`. For each object the announcers are kept in order; the best one is asked, and when
he lets the time pass, says `missing`, or leaves, the next one is. Announcers rank: those who did not let their last
request pass before those who did, then outbound before inbound (a stranger chose us, we chose the others), then who
announced first. So a liar delays one object by one timeout, once, and is then asked last. Unlike Core, nobody is
asked later for being inbound: on a small network that only costs time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from pychain.base.time import Now
from pychain.p2p import limits
from pychain.p2p.messages import Kind, Want
from pychain.p2p.peer import Peer
from pychain.p2p.timers import Timers
from pychain.p2p.wire import Wire

_MAX_OVERDUE_A_TURN = 250
"""Requests given up in one turn, some milliseconds if a hundred peers could be asked next for each."""


class _Key(NamedTuple):
    kind: Kind
    object_hash: bytes


class _Wanted:
    """An object that we have not: who could still be asked, who was."""

    __slots__ = ("asked", "tried", "waiting")

    def __init__(self) -> None:
        self.asked: int | None = None
        """Whom the current request went to."""
        self.waiting: dict[int, None] = {}
        """Announcers not asked yet, first announcer first."""
        self.tried: dict[int, None] = {}
        """Announcers who were asked in vain; announcing again does not help them."""


class _Announcer:
    """A peer as a source of objects."""

    __slots__ = ("announced", "idle", "in_flight", "outbound", "slow")

    def __init__(self, outbound: bool) -> None:
        self.outbound = outbound
        self.slow = False
        """Let his last request pass."""
        self.announced: dict[_Key, None] = {}
        """All objects he waits for or is asked for."""
        self.in_flight: dict[_Key, None] = {}
        self.idle: dict[_Key, None] = {}
        """Objects that he could deliver, asked of nobody because all their announcers are busy."""

    @property
    def busy(self) -> bool:
        return len(self.in_flight) >= limits.MAX_REQUESTS_IN_FLIGHT


class RequestTracker:
    """Sends `want` messages for what peers announced. The owner tells it what arrived and what did not."""

    def __init__(self, wire: Wire, timeouts_ns: Mapping[Kind, int]) -> None:
        """`timeouts_ns`: how long one announcer has to deliver an object of each kind."""
        self._wire = wire
        self._timeouts_ns = dict(timeouts_ns)
        self._wanted: dict[_Key, _Wanted] = {}
        self._announcers: dict[int, _Announcer] = {}
        self._timers: Timers[_Key] = Timers()

    def __len__(self) -> int:
        """Objects we know of and have not."""
        return len(self._wanted)

    def asked_of(self, kind: Kind, object_hash: bytes) -> int | None:
        """The peer whose delivery of this object we wait for now."""
        wanted = self._wanted.get(_Key(kind, object_hash))
        return None if wanted is None else wanted.asked

    def in_flight(self, peer_id: int) -> int:
        """Requests to this peer that are not answered."""
        announcer = self._announcers.get(peer_id)
        return 0 if announcer is None else len(announcer.in_flight)

    def peer_ready(self, peer: Peer) -> None:
        self._announcers[peer.peer_id] = _Announcer(outbound=not peer.inbound)

    def peer_closed(self, peer_id: int, now: Now) -> None:
        """Ask others for what this peer owed us."""
        announcer = self._announcers.pop(peer_id, None)
        if announcer is None:
            return
        orphaned: list[_Key] = []
        for key in announcer.announced:
            wanted = self._wanted[key]
            wanted.waiting.pop(peer_id, None)
            if wanted.asked == peer_id:
                wanted.asked = None
                self._timers.cancel(key)
            if wanted.asked is None:
                orphaned.append(key)
        self._assign(orphaned, now)

    def announced(self, peer_id: int, kind: Kind, hashes: Iterable[bytes], now: Now) -> None:
        """A peer has these objects, which we have not. What exceeds the bounds is forgotten."""
        announcer = self._announcers.get(peer_id)
        if announcer is None:
            return
        unasked: list[_Key] = []
        room = limits.MAX_REQUESTS_IN_FLIGHT - len(announcer.in_flight)
        for object_hash in hashes:
            if self._has_announced_enough(announcer):
                break
            key = _Key(kind, object_hash)
            wanted = self._wanted.get(key)
            if wanted is None:
                wanted = self._wanted[key] = _Wanted()
            if key in announcer.announced or peer_id in wanted.tried:
                continue
            wanted.waiting[peer_id] = None
            announcer.announced[key] = None
            if wanted.asked is None and len(unasked) < room:
                unasked.append(key)
            elif wanted.asked is None:  # its other announcers are busy too
                announcer.idle[key] = None
        self._assign(unasked, now)

    def received(self, kind: Kind, hashes: Iterable[bytes], now: Now) -> None:
        """These objects are here (from whomever), or are not wanted any more: nobody need be asked."""
        freed: dict[int, None] = {}
        for object_hash in hashes:
            key = _Key(kind, object_hash)
            wanted = self._wanted.get(key)
            if wanted is None:
                continue
            if wanted.asked is not None:
                self._announcers[wanted.asked].slow = False
                freed[wanted.asked] = None
            self._forget(key, wanted)
        self._refill(freed, now)

    def missing(self, peer_id: int, kind: Kind, hashes: Iterable[bytes], now: Now) -> None:
        """This peer has not these objects after all, or what he sent for them was unusable: ask the next announcer."""
        announcer = self._announcers.get(peer_id)
        if announcer is None:
            return
        unasked: list[_Key] = []
        for object_hash in hashes:
            key = _Key(kind, object_hash)
            if key not in announcer.announced:
                continue
            wanted = self._wanted[key]
            self._give_up(key, wanted, peer_id)
            if wanted.asked is None:
                unasked.append(key)
        self._assign(unasked, now)
        self._refill({peer_id: None}, now)

    def poll(self, now: Now) -> None:
        """Turn to the next announcers where the asked one let the time pass; so many at once, the rest comes next."""
        unasked: list[_Key] = []
        freed: dict[int, None] = {}
        for key in islice(self._timers.due(now.mono_ns), _MAX_OVERDUE_A_TURN):
            wanted = self._wanted[key]
            assert wanted.asked is not None, "a request timer without a request"
            freed[wanted.asked] = None
            self._announcers[wanted.asked].slow = True
            self._give_up(key, wanted, wanted.asked)
            unasked.append(key)
        self._assign(unasked, now)
        self._refill(freed, now)

    def deadline(self) -> int | None:
        return self._timers.deadline()

    def _has_announced_enough(self, announcer: _Announcer) -> bool:
        count = len(announcer.announced)
        if len(self._wanted) < limits.MAX_OBJECTS_TRACKED:
            return count >= limits.MAX_ANNOUNCED_BY_PEER
        return count >= min(limits.MAX_ANNOUNCED_BY_PEER, limits.MAX_OBJECTS_TRACKED // len(self._announcers))

    def _give_up(self, key: _Key, wanted: _Wanted, peer_id: int) -> None:
        """Never ask `peer_id` for this object again."""
        announcer = self._announcers[peer_id]
        announcer.announced.pop(key, None)
        announcer.in_flight.pop(key, None)
        announcer.idle.pop(key, None)
        wanted.waiting.pop(peer_id, None)
        wanted.tried[peer_id] = None
        if wanted.asked == peer_id:
            wanted.asked = None
            self._timers.cancel(key)

    def _forget(self, key: _Key, wanted: _Wanted) -> None:
        """Drop all trace of an object."""
        del self._wanted[key]
        self._timers.cancel(key)
        for peer_id in wanted.waiting:
            announcer = self._announcers[peer_id]
            del announcer.announced[key]
            announcer.idle.pop(key, None)
        if wanted.asked is not None:
            announcer = self._announcers[wanted.asked]
            del announcer.announced[key]
            del announcer.in_flight[key]

    def _assign(self, keys: Iterable[_Key], now: Now) -> None:
        """For objects that nobody is asked for: ask the best announcer, let them wait for one, or forget them."""
        batches: dict[tuple[int, Kind], list[bytes]] = {}
        for key in keys:
            wanted = self._wanted[key]
            if not wanted.waiting:
                self._forget(key, wanted)
                continue
            chosen = self._best_announcer(wanted)
            if chosen is None:
                for peer_id in wanted.waiting:
                    self._announcers[peer_id].idle[key] = None
            else:
                self._ask(key, wanted, chosen, now)
                batches.setdefault((chosen, key.kind), []).append(key.object_hash)
        for (peer_id, kind), hashes in batches.items():
            for start in range(0, len(hashes), limits.MAX_INV):
                self._wire.send(peer_id, Want(kind, tuple(hashes[start : start + limits.MAX_INV])))

    def _refill(self, peer_ids: Iterable[int], now: Now) -> None:
        """Peers whose requests were answered or given up can take objects that waited for them.

        They take them when they are half idle, so that wants go out in batches however the answers come in.
        """
        for peer_id in peer_ids:
            announcer = self._announcers.get(peer_id)
            if announcer is None or len(announcer.in_flight) > limits.MAX_REQUESTS_IN_FLIGHT // 2:
                continue
            while announcer.idle and not announcer.busy:
                # Some may go to a better announcer who became free as well, hence the loop; each round asks somebody.
                room = limits.MAX_REQUESTS_IN_FLIGHT - len(announcer.in_flight)
                self._assign(list(islice(announcer.idle, room)), now)

    def _best_announcer(self, wanted: _Wanted) -> int | None:
        best: tuple[bool, bool] | None = None
        chosen: int | None = None
        for peer_id in wanted.waiting:
            announcer = self._announcers[peer_id]
            rank = (announcer.slow, not announcer.outbound)
            if not announcer.busy and (best is None or rank < best):
                best, chosen = rank, peer_id
        return chosen

    def _ask(self, key: _Key, wanted: _Wanted, peer_id: int, now: Now) -> None:
        for announcing in wanted.waiting:
            self._announcers[announcing].idle.pop(key, None)
        del wanted.waiting[peer_id]
        wanted.asked = peer_id
        self._announcers[peer_id].in_flight[key] = None
        self._timers.set(key, now.mono_ns + self._timeouts_ns[key.kind])
