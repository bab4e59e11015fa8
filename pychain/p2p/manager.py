"""Managers: each sub-protocol is a manager in the node's list.

A new sub-protocol is one class with its messages, and one line where the list is made (`node.assembly`, or
`NodeConfig.managers` for one from outside the package). It sends through the `Wire` that it is given, and no call there
re-enters the manager before it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from pychain.base.deadlines import Wake
from pychain.base.entropy import Entropy, Random
from pychain.base.time import Now
from pychain.p2p.messages import Fields
from pychain.p2p.peer import Peer
from pychain.p2p.wire import Wire

Handler = Callable[[Peer, Any, Now], None]
"""Handles one message of a peer that is ready."""


class Manager:
    """One sub-protocol. All methods do nothing here; a manager overrides those that it needs."""

    messages: ClassVar[Mapping[int, type[Fields]]] = MappingProxyType({})
    """Messages that it adds to those of `p2p.messages`, by type byte. A peer that does not know them ignores them.
    Numbers from 128 on are free for private use."""

    _wake: Wake | None = None

    def handlers(self) -> Mapping[type[Fields], Handler]:
        """The messages that it handles. Each message has one handler in the node."""
        return {}

    def peer_ready(self, peer: Peer, now: Now) -> None:
        """The hellos are exchanged: messages can be sent to the peer."""

    def peer_closed(self, peer: Peer, now: Now) -> None:
        """The connection is gone, whether the peer was ever ready or not."""

    def poll(self, now: Now) -> None:
        """Do what is due; an early call does nothing."""

    def deadline(self) -> int | None:
        """When `poll` should be called next, monotonic ns; None for never."""
        return None

    def wakes_by(self, wake: Wake) -> None:
        """Set how to ask the node for a poll (`base.deadlines`)."""
        self._wake = wake
        deadline = self.deadline()
        if deadline is not None:
            wake(deadline)

    def wake(self, at_ns: int) -> None:
        """Ask for a poll at this time, or earlier; 0 means at the end of this turn."""
        if self._wake is not None:
            self._wake(at_ns)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The arguments with which a manager from outside is made."""

    wire: Wire
    entropy: Entropy
    random: Random


ManagerFactory = Callable[[Surroundings], Manager]
