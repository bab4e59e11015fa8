"""Asking the network's seeds for addresses of nodes, as long as no peer is to be had without them."""

from __future__ import annotations

from pychain.base.deadlines import Deadlines
from pychain.base.time import NS, Now
from pychain.node.config import NodeConfig
from pychain.node.effects import Resolve
from pychain.node.outbox import Outbox
from pychain.node.peers import Peers
from pychain.p2p.addresses import AddressManager
from pychain.p2p.slots import SlotManager

SEED_INTERVAL_NS = 60 * NS
"""A node without a peer asks again so often: a lookup may come before the network is there, and what was saved long ago
may lead nowhere. Core waits as long before it turns from its table to the seeds."""


class Seeds:
    """Looks the seeds' names up: at once where the table of addresses is empty, and then whenever no peer is there."""

    def __init__(
        self,
        config: NodeConfig,
        addresses: AddressManager,
        slots: SlotManager,
        peers: Peers,
        outbox: Outbox,
        deadlines: Deadlines,
    ) -> None:
        """Where the operator has named peers to connect to, the seeds are left alone."""
        self._seeds = () if config.connect or config.connect_only else config.seeds
        self._addresses = addresses
        self._slots = slots
        self._peers = peers
        self._outbox = outbox
        self._next_ns: int | None = None
        self._wake = deadlines.add(self)

    def start(self, now: Now) -> None:
        """The table of addresses is loaded."""
        if self._seeds:
            self._next_ns = now.mono_ns + (SEED_INTERVAL_NS if len(self._addresses) else 0)
            self._wake(self._next_ns)

    def poll(self, now: Now) -> None:
        """Look the seeds up if it is time, and nobody is there."""
        if self._next_ns is None or now.mono_ns < self._next_ns:
            return
        self._next_ns = now.mono_ns + SEED_INTERVAL_NS
        if self._slots.is_active and not any(peer.hello is not None for peer in self._peers.all()):
            for seed in self._seeds:
                self._outbox.emit(Resolve(seed.host, seed.port))

    def deadline(self) -> int | None:
        return self._next_ns
