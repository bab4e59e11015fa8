"""The wire: all that a manager can do to the outside is send a message, end a connection, or ask for a new one."""

from __future__ import annotations

from typing import Protocol

from pychain.p2p.endpoint import Endpoint
from pychain.p2p.messages import Fields, GoodbyeCode


class Wire(Protocol):
    """Passed to each manager, implemented by the node.

    Calls for a peer that is gone or closing are silently ignored. No call re-enters a manager before it returns: the
    node notes what happened and tells the managers afterwards.
    """

    def send(self, peer_id: int, message: Fields) -> None:
        """Queue a message for a peer."""
        ...

    def hang_up(self, peer_id: int, code: GoodbyeCode, text: str) -> None:
        """Send goodbye with a reason for people, then close. A second call for the same peer does nothing."""
        ...

    def dial(self, endpoint: Endpoint) -> None:
        """Ask for a connection; the runtime reports an opened peer or a failure, once."""
        ...
