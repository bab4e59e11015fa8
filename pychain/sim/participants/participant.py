"""The base of all participants, which drive simulated machines. The one here is honest; others override its choices."""

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
    """The template that a miner searches on, and whom it pays.

    The block's time is the machine's when it is found, within the template's `time` and `max_time`. extra: 32 to 100
    bytes for the coinbase; None has the host choose, so that each block is another.
    """

    template: BlockTemplate
    recipient: bytes
    extra: bytes | None = None


@dataclass(frozen=True, slots=True)
class Delayed:
    """A message to be sent later; what is sent meanwhile overtakes it."""

    message: Fields
    delay_s: float


class DrivenMachine(Protocol):
    """What a participant can do with the machine that it drives. Actions take place after the present one."""

    name: str
    random: Random
    """For the participant's choices."""

    @property
    def node(self) -> Node:
        """The machine's node, for its `queries`."""
        ...

    @property
    def peers(self) -> list[str]:
        """The names of the hosts that it is connected to."""
        ...

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run an action after a while."""
        ...

    def submit(self, block: Block) -> None:
        """Hand a block to the node, which tells its peers."""
        ...

    def request(self, request: Request) -> None:
        """Put a request to the node."""
        ...

    def send(self, peer: str, message: Fields) -> None:
        """Send a message of one's own to a peer."""
        ...

    def mine(self) -> None:
        """Ask `Participant.work` again what to search on."""
        ...

    def work_on(self, parent: Entry, recipient: bytes) -> Work:
        """Work on any known block."""
        ...


class Participant:
    """Drives a machine: derive a class from this, and override what the machine is to do differently.

    Below it runs a real node, which follows the chain, answers peers and makes templates; `host` is the way to it. Each
    participant drives one host, for all its lives, and must follow from its inputs and `host.random` alone, so that a
    seed stays one run. Peers go by the names of their hosts.
    """

    name = "honest"
    """The name that it is registered by: 1 to 64 of a-z, 0-9, '.', '_' and '-'."""
    host: DrivenMachine
    """Set when the host is made."""

    def started(self) -> None:
        """The host's node begins a life, its first one or after a crash. `host.after` sets timers."""

    def work(self, work: Work) -> Work | None:
        """The work to search on, where the node would on `work`; None for none. `host.work_on` makes work on any known
        block, `host.mine` asks again."""
        return work

    def found(self, block: Block) -> bool:
        """The host found a block. True hands it to the node, which tells its peers; `host.submit` may do that later.
        The search goes on either way."""
        return True

    def outgoing(self, peer: str, message: Fields) -> Fields | Delayed | None:
        """The message that goes to a peer where the node sends this one: the same, another, `Delayed`, or None to drop
        it. `host.send` sends more."""
        return message

    def received(self, peer: str, message: Fields) -> None:
        """A peer sent a message. The node takes it next; `host.after(0, ...)` acts when it has."""

    def heard(self, event: Event) -> None:
        """The node published an event, such as a new tip."""
