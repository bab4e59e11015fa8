"""The base of all participants, which drive simulated machines. It is honest; subclasses override its choices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pychain.base.entropy import Random
from pychain.chain.block import Block
from pychain.ledger.template import BlockTemplate
from pychain.ledger.tree import Entry
from pychain.node.events import Event
from pychain.node.node import Node
from pychain.node.requests import Request
from pychain.p2p.messages import Fields


class Work(NamedTuple):
    """The template that a miner works on, and the key that it pays.

    The block's time is the machine's when it is found, within the template's `time` and `max_time`. extra: 32 to 100
    bytes for the coinbase; with None the host chooses, so that each block is unique.
    """

    template: BlockTemplate
    recipient: bytes
    extra: bytes | None = None


@dataclass(frozen=True, slots=True)
class Delayed:
    """A message to be sent later; messages sent meanwhile overtake it."""

    message: Fields
    delay_s: float


class DrivenMachine(Protocol):
    """The machine as its participant controls it. Actions take effect after the present one."""

    name: str
    random: Random
    """For the participant's choices."""

    @property
    def node(self) -> Node:
        """The machine's node, for its `queries`."""
        ...

    @property
    def peers(self) -> list[str]:
        """The names of the connected hosts."""
        ...

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Schedule an action, unless the machine crashes or stops before."""
        ...

    def submit(self, block: Block) -> None:
        """Submit a block to the node, which announces it."""
        ...

    def request(self, request: Request) -> None:
        """Send the node a request, such as `SetMining`."""
        ...

    def send(self, peer: str, message: Fields) -> None:
        """Send a peer a message that is not the node's."""
        ...

    def mine(self) -> None:
        """Ask `Participant.work` again which work to mine on."""
        ...

    def work_on(self, parent: Entry, recipient: bytes) -> Work:
        """Work for an empty block on any known block."""
        ...


class Participant:
    """Drives a machine: derive a class from this, and override what the machine should do differently.

    The machine runs a real node, which follows the chain, answers peers and makes templates; use it through `host`. A
    participant drives one host, across restarts. It must depend only on its inputs and `host.random`, so that runs are
    deterministic. Peers are named by their hosts.
    """

    name = "honest"
    """The registered name: 1 to 64 of a-z, 0-9, '.', '_' and '-'."""
    host: DrivenMachine
    """Set when the host is made."""

    def started(self) -> None:
        """The host's node has started, for the first time or after a crash. `host.after` sets timers."""

    def work(self, work: Work) -> Work | None:
        """The work to mine on when the node would mine on `work`; None for none. `host.work_on` makes work on any known
        block, `host.mine` asks again."""
        return work

    def found(self, block: Block) -> bool:
        """The host found a block. True passes it to the node, which announces it; `host.submit` may do that later.
        Mining continues either way."""
        return True

    def outgoing(self, peer: str, message: Fields) -> Fields | Delayed | None:
        """The message to send to a peer in place of the node's: the same, another, `Delayed`, or None to drop it.
        `host.send` sends more."""
        return message

    def received(self, peer: str, message: Fields) -> None:
        """A peer sent a message, before the node handles it; `host.after(0, ...)` acts after that."""

    def heard(self, event: Event) -> None:
        """The node published an event, such as a new tip."""
