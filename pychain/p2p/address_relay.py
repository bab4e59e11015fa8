"""Address relay: passing on addresses that are new to us, so that old nodes hear of new ones.

As in Bitcoin Core, each address goes to two peers, which do the same if it is new to them. It is first held back for a
random time and batched with others, so that a receiver learns little about who met the node, and no peer gets more
messages than it accepts, however many nodes join.
"""

from __future__ import annotations

from pychain.base.deadlines import Wake
from pychain.base.entropy import Random
from pychain.base.time import Now
from pychain.p2p import limits
from pychain.p2p.draws import spread
from pychain.p2p.messages import AddressEntry, Addrs
from pychain.p2p.netaddress import NetAddress
from pychain.p2p.peer import Peer
from pychain.p2p.timers import Timers
from pychain.p2p.wire import Wire


class AddressRelay:
    """Queues addresses for each peer."""

    def __init__(self, wire: Wire, random: Random, wake: Wake) -> None:
        """`wake`: how to ask for a poll."""
        self._wire = wire
        self._wake = wake
        self._random = random
        self._peers: dict[int, Peer] = {}
        self._waiting: dict[int, list[AddressEntry]] = {}
        self._timers: Timers[int] = Timers()

    def peer_ready(self, peer: Peer) -> None:
        self._peers[peer.peer_id] = peer

    def peer_closed(self, peer_id: int) -> None:
        self._peers.pop(peer_id, None)
        self._waiting.pop(peer_id, None)
        self._timers.cancel(peer_id)

    def pass_on(self, address: NetAddress, last_seen: int, services: int, source: Peer, now: Now) -> None:
        """Queue an address that came from `source` for two peers. A peer whose queue is full is skipped."""
        peers = [
            peer
            for peer in self._peers.values()
            if peer is not source and peer.listen_address != address and address.concerns(peer.address)
        ]
        for peer in self._random.shuffled(peers)[: limits.ADDRESS_RELAY_PEERS]:
            waiting = self._waiting.setdefault(peer.peer_id, [])
            if not waiting:
                due_ns = now.mono_ns + spread(self._random, limits.ADDRESS_RELAY_DELAY_NS)
                self._timers.set(peer.peer_id, due_ns)
                self._wake(due_ns)
            if len(waiting) < limits.MAX_RELAYED_ADDRS:
                waiting.append(AddressEntry(str(address), last_seen, services))

    def poll(self, now: Now) -> None:
        """Send the batches that are due."""
        for peer_id in self._timers.due(now.mono_ns):
            self._wire.send(peer_id, Addrs(tuple(self._waiting.pop(peer_id))))

    def deadline(self) -> int | None:
        return self._timers.deadline()
