"""The base of all participants, which drive simulated machines. The one here is honest; others override its choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pychain.chain.block import Block
from pychain.ledger.template import BlockTemplate
from pychain.node.events import Event
from pychain.p2p.messages import Fields

if TYPE_CHECKING:
    from pychain.sim.driven import DrivenHost


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


class Participant:
    """Drives a machine: derive a class from this, and override what the machine is to do differently.

    Below it runs a real node, which follows the chain, answers peers and makes templates; `host` is the way to it. Each
    participant drives one host, for all its lives, and must follow from its inputs and `host.random` alone, so that a
    seed stays one run. Peers go by the names of their hosts.
    """

    name = "honest"
    """The name that it is registered by: 1 to 64 of a-z, 0-9, '.', '_' and '-'."""
    host: DrivenHost
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
