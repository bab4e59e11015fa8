"""What the parts around a running daemon may use: the API, the live view, the metrics. Loop thread only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pychain.api.dev.automine import Automine
from pychain.api.dev.snapshots import Snapshots
from pychain.api.fees import FeeEstimator
from pychain.api.forecast import SyncForecast
from pychain.api.hub import EventHub, Subscription
from pychain.api.metrics.meters import Meters
from pychain.api.views.stratum import StratumInfo, no_stratum
from pychain.daemon.clock import Clock
from pychain.daemon.driver import Driver
from pychain.daemon.miner import Miner
from pychain.daemon.settings import Settings
from pychain.daemon.transport import Transport
from pychain.daemon.watchdog import LoopWatchdog
from pychain.daemon.workers import Workers
from pychain.node.events import Event
from pychain.node.node import Node
from pychain.node.requests import Answer, Request
from pychain.p2p.netaddress import NetAddress
from pychain.store import LmdbStore

if TYPE_CHECKING:
    from pychain.store import LmdbStore
from pychain.daemon.stratum.server import StratumServer


@dataclass(frozen=True, slots=True)
class Services:
    """One running daemon.

    node: for its `queries`; it is driven by `driver` alone. store: for reads. bound: the addresses that peers can
    connect to, none where the node does not listen. node_id: the libp2p peer id. cookie: the secret in the data
    directory's `.cookie`. started_ns: monotonic. stratum: None where it is off. stop: begin a clean stop, and return at
    once.
    """

    settings: Settings
    node: Node
    node_id: str
    cookie: str
    bound: tuple[NetAddress, ...]
    started_ns: int
    driver: Driver
    store: LmdbStore
    workers: Workers
    transport: Transport
    miner: Miner
    stratum: StratumServer | None
    clock: Clock
    events: EventHub
    snapshots: Snapshots
    automine: Automine
    meters: Meters
    watchdog: LoopWatchdog
    stop: Callable[[], None]
    forecast: SyncForecast
    fees: FeeEstimator = field(default_factory=FeeEstimator)

    async def ask(self, request: Request) -> Answer:
        """Put a request to the node; `NodeEndedError` where it ends before it answers."""
        return await self.driver.ask(request)

    async def body(self, block_hash: bytes) -> bytes | None:
        """A raw block, read beside the loop; None where it is not stored, OSError where the disk is damaged."""
        return await self.workers.body(block_hash)

    def stratum_info(self) -> StratumInfo:
        """Who mines over Stratum, and with what success: a snapshot of now, empty where the server is off."""
        return no_stratum(self.clock.now()) if self.stratum is None else self.stratum.info()

    def subscribe(self, *kinds: type[Event]) -> Subscription:
        """The node's events from now on, of these kinds if any are named."""
        return self.events.subscribe(*kinds)
