"""Where the figures come from that nobody counts for their own sake."""

from __future__ import annotations

from dataclasses import dataclass

from pychain.api.events.broadcast import Broadcaster
from pychain.daemon.services import Services
from pychain.http.server import HttpServer


@dataclass(frozen=True, slots=True)
class Sources:
    """One node's services, and the parts of its API that serve."""

    services: Services
    server: HttpServer
    broadcaster: Broadcaster
