"""Seeds: resolving the network's seed names for addresses of nodes, while there is no peer."""

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
"""A node without a peer asks again after this time: the machine may have been offline, and old saved addresses may be
dead. Core also waits this long for its address table before it asks the seeds."""


class Seeds:
    """Resolves the seeds: at once where the address table is empty, later whenever there is no peer."""

    def __init__(
        self,
        config: NodeConfig,
        addresses: AddressManager,
        slots: SlotManager,
        peers: Peers,
        outbox: Outbox,
        deadlines: Deadlines,
    ) -> None:
        """The seeds are not used where the operator has configured peers to connect to."""
        self._seeds = () if config.connect or config.connect_only else config.seeds
        self._addresses = addresses
        self._slots = slots
        self._peers = peers
        self._outbox = outbox
        self._next_ns: int | None = None
        self._wake = deadlines.add(self)

    def start(self, now: Now) -> None:
        """The address table is loaded: schedule the first lookup."""
        if self._seeds:
            self._next_ns = now.mono_ns + (SEED_INTERVAL_NS if len(self._addresses) else 0)
            self._wake(self._next_ns)

    def poll(self, now: Now) -> None:
        """Resolve the seeds if it is time and there is no peer."""
        if self._next_ns is None or now.mono_ns < self._next_ns:
            return
        self._next_ns = now.mono_ns + SEED_INTERVAL_NS
        if self._slots.is_active and not any(peer.hello is not None for peer in self._peers.all()):
            for seed in self._seeds:
                self._outbox.emit(Resolve(seed.host, seed.port))

    def deadline(self) -> int | None:
        return self._next_ns
