"""For development: what only a network whose spec says `dev = true` allows."""

from __future__ import annotations

from pychain.daemon.api.method import Group
from pychain.daemon.api.types import UnixTime
from pychain.daemon.services import Services
from pychain.node.inputs import Tick

group = Group("dev", "Development networks alone", dev_only=True)


@group.method(example=(1795132800,))
def setmocktime(services: Services, timestamp: UnixTime) -> None:
    """Let the node's clock stand still at a time, or (0) go with the machine's again."""
    services.clock.mock(timestamp or None)
    services.driver.feed(Tick())  # what waited for that time is looked at now
