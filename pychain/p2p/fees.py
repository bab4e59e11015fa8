"""Fee filters: telling peers which transactions our mempool would reject anyway."""

from __future__ import annotations

from pychain.base.time import Now
from pychain.p2p.limits import FEE_FILTER_INTERVAL_NS
from pychain.p2p.manager import Manager
from pychain.p2p.messages import FeeFilter
from pychain.p2p.peer import Peer
from pychain.p2p.timers import Timers
from pychain.p2p.wire import Wire


class FeeFilterManager(Manager):
    """Sends each peer our minimum fee when it changes, at most once per `FEE_FILTER_INTERVAL_NS`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._floor = 0
        self._told: dict[int, int] = {}
        """The last value sent to each peer; 0 at first."""
        self._timers: Timers[int] = Timers()
        """Runs for a peer while it must not be sent another one."""

    def peer_ready(self, peer: Peer, now: Now) -> None:
        self._told[peer.peer_id] = 0
        self._tell(peer.peer_id, now)

    def peer_closed(self, peer: Peer, now: Now) -> None:
        self._told.pop(peer.peer_id, None)
        self._timers.cancel(peer.peer_id)

    def set_floor(self, fee_per_kb: int, now: Now) -> None:
        """Set the fee below which our mempool accepts nothing, in base units per 1,000 bytes."""
        self._floor = fee_per_kb
        for peer_id in self._told:
            if peer_id not in self._timers:
                self._tell(peer_id, now)

    def poll(self, now: Now) -> None:
        for peer_id in self._timers.due(now.mono_ns):
            self._tell(peer_id, now)

    def deadline(self) -> int | None:
        return self._timers.deadline()

    def _tell(self, peer_id: int, now: Now) -> None:
        if self._told[peer_id] == self._floor:
            return
        self._told[peer_id] = self._floor
        self._timers.set(peer_id, now.mono_ns + FEE_FILTER_INTERVAL_NS)
        self.wake(now.mono_ns + FEE_FILTER_INTERVAL_NS)
        self._wire.send(peer_id, FeeFilter(self._floor))
