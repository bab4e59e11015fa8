"""The context of every call: the backend, and what the API keeps between calls."""

from __future__ import annotations

from pychain.api.backend import Backend
from pychain.api.contents import BlockContents
from pychain.api.dev.automine import Automine
from pychain.api.dev.snapshots import Snapshots
from pychain.api.events.broadcast import Broadcaster
from pychain.api.events.ring import Ring
from pychain.api.fees import FeeEstimator
from pychain.api.forecast import SyncForecast
from pychain.api.meters import CallMeter, EventMeter
from pychain.api.views.stratum import StratumInfo, stratum_info

RUN_ID_BYTES = 4
"""The length of the name that tells the events of one run from those of another."""


class Context:
    """One per node, the first argument of each method and resource."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.queries = backend.queries
        self.spec = backend.queries.spec
        self.machine = backend.machine
        self.clock = backend.clock
        self.ask = backend.ask
        self.calls = CallMeter()
        self.events = EventMeter()
        self.forecast = SyncForecast(backend.queries.sync, backend.clock.mono_ns)
        self.fees = FeeEstimator(backend)
        self.contents = BlockContents(backend)
        self.snapshots = Snapshots(backend)
        self.automine = Automine(backend)
        self.broadcaster = Broadcaster(backend, Ring(backend.entropy.bytes(RUN_ID_BYTES).hex()))
        backend.listen(self.events.note)
        backend.listen(self.forecast.note)

    def uptime_ns(self) -> int:
        """Time since the node started."""
        return self.clock.mono_ns() - self.machine.started_ns

    def stratum_info(self) -> StratumInfo:
        """The Stratum miners and their shares: a snapshot, empty if there is no server."""
        return stratum_info(self.machine.stratum, self.clock.now())

    def start(self) -> None:
        """Start sending events to listeners."""
        self.broadcaster.start()

    def close(self) -> None:
        """Stop the background tasks."""
        self.automine.close()
        self.broadcaster.close()
