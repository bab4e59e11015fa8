"""Liveness: regular pings, their round-trip times, and a timeout for connections that no longer answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pychain.base.entropy import Entropy, Random
from pychain.base.time import NS, Now
from pychain.p2p.draws import spread
from pychain.p2p.limits import PING_INTERVAL_NS, PING_TIMEOUT_NS
from pychain.p2p.manager import Handler, Manager
from pychain.p2p.messages import Fields, GoodbyeCode, Ping, Pong
from pychain.p2p.peer import Peer
from pychain.p2p.timers import Timers
from pychain.p2p.wire import Wire


@dataclass(slots=True)
class _Pinged:
    peer: Peer
    nonce: int | None = None
    """The nonce of the pending ping."""
    sent_ns: int = 0


class PingManager(Manager):
    """One timer per peer: for the next ping, or the timeout of the pending one."""

    def __init__(self, wire: Wire, entropy: Entropy, random: Random, interval_ns: int = PING_INTERVAL_NS) -> None:
        """`interval_ns`: mean time between two pings of one peer."""
        self._wire = wire
        self._interval_ns = interval_ns
        self._entropy = entropy
        self._random = random
        self._peers: dict[int, _Pinged] = {}
        self._timers: Timers[int] = Timers()

    def handlers(self) -> Mapping[type[Fields], Handler]:
        return {Ping: self.on_ping, Pong: self.on_pong}

    def peer_ready(self, peer: Peer, now: Now) -> None:
        """Ping a new peer at once."""
        self._peers[peer.peer_id] = _Pinged(peer)
        self._ping(self._peers[peer.peer_id], now)

    def peer_closed(self, peer: Peer, now: Now) -> None:
        self._peers.pop(peer.peer_id, None)
        self._timers.cancel(peer.peer_id)

    def on_ping(self, peer: Peer, ping: Ping, now: Now) -> None:
        self._wire.send(peer.peer_id, Pong(ping.nonce))

    def on_pong(self, peer: Peer, pong: Pong, now: Now) -> None:
        """Measure the pong of the pending ping; any other is ignored (it cannot be told from a late one)."""
        pinged = self._peers.get(peer.peer_id)
        if pinged is None or pinged.nonce != pong.nonce:
            return
        pinged.nonce = None
        peer.round_trip.measured(now.mono_ns - pinged.sent_ns)
        self._start_timer(peer, now.mono_ns + spread(self._random, self._interval_ns))

    def poll(self, now: Now) -> None:
        """Send the pings that are due, and disconnect peers whose pong is overdue."""
        for peer_id in self._timers.due(now.mono_ns):
            pinged = self._peers[peer_id]
            if pinged.nonce is None:
                self._ping(pinged, now)
            else:
                self._wire.hang_up(peer_id, GoodbyeCode.TIMEOUT, f"no pong within {PING_TIMEOUT_NS // NS} s")

    def deadline(self) -> int | None:
        return self._timers.deadline()

    def _ping(self, pinged: _Pinged, now: Now) -> None:
        pinged.nonce = int.from_bytes(self._entropy.bytes(8), "big")
        pinged.sent_ns = now.mono_ns
        self._start_timer(pinged.peer, now.mono_ns + PING_TIMEOUT_NS)
        self._wire.send(pinged.peer.peer_id, Ping(pinged.nonce))

    def _start_timer(self, peer: Peer, at_ns: int) -> None:
        self._timers.set(peer.peer_id, at_ns)
        self.wake(at_ns)
