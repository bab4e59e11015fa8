"""Liveness: a ping now and then, its round-trip time, and an end to connections that no longer answer."""

from __future__ import annotations

from dataclasses import dataclass

from pychain.base.entropy import Entropy, Random
from pychain.base.time import Now
from pychain.p2p.draws import spread
from pychain.p2p.limits import PING_INTERVAL_NS, PING_TIMEOUT_NS
from pychain.p2p.messages import GoodbyeCode, Ping, Pong
from pychain.p2p.peer import Peer
from pychain.p2p.timers import Timers
from pychain.p2p.wire import Wire


@dataclass(slots=True)
class _Pinged:
    peer: Peer
    nonce: int | None = None
    """Of the ping that is under way."""
    sent_ns: int = 0


class PingManager:
    """One timer a peer: it means "send the next ping", or "too late" while one is under way."""

    def __init__(self, wire: Wire, entropy: Entropy, random: Random) -> None:
        self._wire = wire
        self._entropy = entropy
        self._random = random
        self._peers: dict[int, _Pinged] = {}
        self._timers: Timers[int] = Timers()

    def peer_ready(self, peer: Peer, now: Now) -> None:
        """Measure a new peer at once."""
        self._peers[peer.peer_id] = _Pinged(peer)
        self._ping(self._peers[peer.peer_id], now)

    def peer_closed(self, peer_id: int) -> None:
        self._peers.pop(peer_id, None)
        self._timers.cancel(peer_id)

    def on_ping(self, peer: Peer, ping: Ping) -> None:
        self._wire.send(peer.peer_id, Pong(ping.nonce))

    def on_pong(self, peer: Peer, pong: Pong, now: Now) -> None:
        """Take the time of the pong we wait for; any other is ignored (it cannot be told from a late one)."""
        pinged = self._peers.get(peer.peer_id)
        if pinged is None or pinged.nonce != pong.nonce:
            return
        pinged.nonce = None
        peer.round_trip.measured(now.mono_ns - pinged.sent_ns)
        self._timers.set(peer.peer_id, now.mono_ns + spread(self._random, PING_INTERVAL_NS))

    def poll(self, now: Now) -> None:
        """Send the pings that are due and hang up on peers whose pong is overdue."""
        for peer_id in self._timers.due(now.mono_ns):
            pinged = self._peers[peer_id]
            if pinged.nonce is None:
                self._ping(pinged, now)
            else:
                self._wire.hang_up(peer_id, GoodbyeCode.TIMEOUT, f"no pong within {PING_TIMEOUT_NS // 10**9} s")

    def deadline(self) -> int | None:
        return self._timers.deadline()

    def _ping(self, pinged: _Pinged, now: Now) -> None:
        pinged.nonce = int.from_bytes(self._entropy.bytes(8), "big")
        pinged.sent_ns = now.mono_ns
        self._timers.set(pinged.peer.peer_id, now.mono_ns + PING_TIMEOUT_NS)
        self._wire.send(pinged.peer.peer_id, Ping(pinged.nonce))
