"""What every sub-protocol is to the node: a manager in a list.

A new sub-protocol is one class, with its messages, and one line where the list is made (`node.assembly`, or
`NodeConfig.managers` for one from outside the package). It writes on the `Wire` that it is given, and nothing that it
calls there leads back into it before it returns.
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
"""Takes one message of a peer that is ready."""


class Manager:
    """One sub-protocol. Each method does nothing here; a manager overrides those that it needs."""

    messages: ClassVar[Mapping[int, type[Fields]]] = MappingProxyType({})
    """The messages that it brings along, by type byte: what `p2p.messages` does not list. A peer that does not know
    them ignores them. Numbers from 128 on are free for private use."""

    _wake: Wake | None = None

    def handlers(self) -> Mapping[type[Fields], Handler]:
        """The messages that it handles. A message has one handler in the node."""
        return {}

    def peer_ready(self, peer: Peer, now: Now) -> None:
        """The hellos are exchanged: the peer can be sent messages."""

    def peer_closed(self, peer: Peer, now: Now) -> None:
        """The connection is gone, whether the peer was ever ready or not."""

    def poll(self, now: Now) -> None:
        """Do what is due; a call that comes too early does nothing."""

    def deadline(self) -> int | None:
        """When `poll` wants to be called next, monotonic ns; None for never."""
        return None

    def wakes_by(self, wake: Wake) -> None:
        """The node tells how to ask for a poll (`base.deadlines`)."""
        self._wake = wake
        deadline = self.deadline()
        if deadline is not None:
            wake(deadline)

    def wake(self, at_ns: int) -> None:
        """Ask to be polled at this time, or earlier; 0 means at the end of this turn."""
        if self._wake is not None:
            self._wake(at_ns)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a manager from outside is made with."""

    wire: Wire
    entropy: Entropy
    random: Random


ManagerFactory = Callable[[Surroundings], Manager]
