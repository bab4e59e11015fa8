"""What a manager can do to the outside: send a message, end a connection, ask for a new one. Nothing else."""

from __future__ import annotations

from typing import Protocol

from pychain.p2p.endpoint import Endpoint
from pychain.p2p.messages import Fields, GoodbyeCode


class Wire(Protocol):
    """Given to each manager; the node implements it.

    A peer id that is gone or closing is silently ignored. No call may lead back into a manager before it returns:
    the node keeps a list of what happened and tells the managers afterwards.
    """

    def send(self, peer_id: int, message: Fields) -> None:
        """Queue `message` for a peer."""
        ...

    def hang_up(self, peer_id: int, code: GoodbyeCode, text: str) -> None:
        """Say goodbye with a reason a person understands, then close. A second call for the same peer does nothing."""
        ...

    def dial(self, endpoint: Endpoint) -> None:
        """Ask for a connection; the runtime answers once, with an opened peer or a failure."""
        ...
