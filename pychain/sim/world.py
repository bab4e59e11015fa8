"""A simulation: hosts, the network between them, and virtual time. Everything follows from the seed.

world = World(rulebook, seed=7)
a, b = world.add("a"), world.add("b", connect=["a"])
world.start()
world.run_until(lambda: world.agree(), limit_s=60)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from pychain import native
from pychain.base.entropy import Random
from pychain.base.time import seconds
from pychain.chain.block import Block
from pychain.chain.transaction import Transfer, signed_message
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.rules import RuleError
from pychain.consensus.semantic import verify_blocks
from pychain.node.config import NodeConfig
from pychain.node.events import Event
from pychain.node.inputs import BytesDrained, BytesReceived, DialFailed, NameResolved, PeerClosed, PeerOpened
from pychain.p2p.draws import spread
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress
from pychain.sim.directory import Directory
from pychain.sim.driven import DrivenHost
from pychain.sim.events import EventHeap, Trace
from pychain.sim.host import Host
from pychain.sim.network import DIAL_TIMEOUT_NS, RESOLVE_NS, RESOLVE_TIMEOUT_NS, LinkModel, Network, Stream
from pychain.sim.participants.participant import Participant

PORT = 30700
FIRST_EPHEMERAL_PORT = 49152
MAX_SHARED_RESULTS = 4096
"""Verified blocks and signatures kept for other hosts: verification is a pure function, so one answer serves all."""


class NotReachedError(AssertionError):
    """A condition did not hold in time. The message names the seed."""


class Watcher(Protocol):
    """Observes a simulation. It may plan actions; it must not feed a host while another carries out its effects."""

    def published(self, host: Host, event: Event) -> None:
        """A node published an event."""
        ...

    def found(self, host: Host, block: Block) -> None:
        """A host's miner found a block; its node is told next."""
        ...


@dataclass(slots=True)
class _Connection:
    """One end of a connection, with the stream to the other end."""

    host: Host
    peer: int
    other: Host
    other_peer: int
    stream: Stream
    open: bool = True


class World:
    """A network of real nodes in virtual time."""

    def __init__(
        self, rulebook: Rulebook, seed: int, link: LinkModel | None = None, start_wall_s: int | None = None
    ) -> None:
        """`start_wall_s`: the wall clock at virtual time 0, by default a minute after the network's start time."""
        self.rulebook = rulebook
        self.seed = seed
        self.random = Random(seed)
        self.heap = EventHeap()
        self.trace = Trace()
        self.network = Network(self.heap, Random(seed ^ 0x6E6574), link or LinkModel())
        self.start_wall_s = rulebook.spec.start_time + 60 if start_wall_s is None else start_wall_s
        self.hosts: dict[str, Host] = {}
        self.watchers: list[Watcher] = []
        self._directory = Directory(PORT)
        self._by_address: dict[NetAddress, Host] = {}
        self._connections: dict[tuple[str, int], _Connection] = {}
        self._next_peer = 1
        self._blocks: dict[bytes, Block | RuleError] = {}
        self._signatures: dict[bytes, bool] = {}

    # --- building

    def add(
        self,
        name: str,
        connect: Iterable[str] = (),
        *,
        discover: bool = False,
        seeds: Iterable[str] | None = None,
        mine_to: bytes | None = None,
        hash_rate: float = 0,
        config: NodeConfig | None = None,
        participant: Participant | None = None,
    ) -> Host:
        """A host that keeps connections to the named hosts, which may be added later, and makes no others: the caller
        decides the graph.

        With `discover` it also finds peers by itself, as a daemon does. It starts from `seeds`, which are hosts here,
        or from the seeds of the chain spec if none are given. A `participant` drives the machine.
        """
        if name in self.hosts:
            raise ValueError(f"there is a host '{name}' already")
        address = self.address_of(name)
        base = config or NodeConfig(self.rulebook)
        settings = replace(
            base,
            listen_port=PORT,
            connect=tuple(Endpoint(self.address_of(other)) for other in connect),
            connect_only=not discover,
            seeds=self._spec_seeds() if seeds is None else tuple(self.address_of(seed) for seed in seeds),
            mine_to=mine_to,
        )
        if participant is None:
            host = Host(self, name, address, settings, hash_rate)
        else:
            host = DrivenHost(self, name, address, settings, hash_rate, participant)
        self.hosts[name] = host
        self._by_address[address] = host
        return host

    def address_of(self, name: str) -> NetAddress:
        """The address of a host, whether it has been added or not."""
        return self._directory.address_of(name)

    def name(self, name: str, hosts: Iterable[str] | None) -> None:
        """Make a DNS name resolve to hosts from now on; with None lookups of it time out."""
        self._directory.name(name, hosts)

    def _spec_seeds(self) -> tuple[NetAddress, ...]:
        spec = self.rulebook.spec
        return tuple(NetAddress.parse(text, spec.p2p_port) for text in spec.seeds)

    def start(self) -> None:
        """Start all hosts that are not running."""
        for host in self.hosts.values():
            if not host.is_running:
                host.start()

    # --- time

    def run_for(self, duration_s: float) -> None:
        """Let virtual time pass."""
        until = self.heap.now_ns + seconds(duration_s)
        while self.heap.step(until):
            pass

    def run_until(self, condition: Callable[[], bool], limit_s: float) -> None:
        """Run until a condition holds. NotReachedError if it does not within `limit_s` of virtual time."""
        until = self.heap.now_ns + seconds(limit_s)
        while not condition():
            if not self.heap.step(until):
                raise NotReachedError(f"seed {self.seed}: not reached within {limit_s} s of virtual time")

    # --- faults

    def cut(self, one: Iterable[Host], other: Iterable[Host]) -> None:
        """Partition two groups of hosts; bytes between them wait."""
        self.network.cut([host.name for host in one], [host.name for host in other])

    def heal(self) -> None:
        self.network.heal()

    # --- observing

    def tips(self) -> list[bytes]:
        """The durable tips of all running hosts."""
        return [host.node.queries.tip.hash for host in self.hosts.values() if host.is_running]

    def agree(self) -> bool:
        """All running hosts have one durable tip."""
        tips = self.tips()
        return all(tip == tips[0] for tip in tips)

    # --- what hosts ask of the world

    def verified_block(self, raw: bytes) -> Block | RuleError:
        """The result of `semantic.verify_blocks` for one block, computed once for all hosts."""
        result = self._blocks.get(raw)
        if result is None:
            (result,) = verify_blocks(self.rulebook.spec, [raw])
            self._blocks[raw] = result
            if len(self._blocks) > MAX_SHARED_RESULTS:
                del self._blocks[next(iter(self._blocks))]
        return result

    def is_signed(self, transfer: Transfer) -> bool:
        """The strict signature check, computed once for all hosts."""
        known = self._signatures.get(transfer.txid)
        if known is None:
            message = signed_message(self.rulebook.spec.genesis_hash, transfer)
            known = native.verify_strict(transfer.sender, message, transfer.signature)
            self._signatures[transfer.txid] = known
            if len(self._signatures) > MAX_SHARED_RESULTS:
                del self._signatures[next(iter(self._signatures))]
        return known

    def published(self, host: Host, event: Event) -> None:
        """A node published an event."""
        for watcher in self.watchers:
            watcher.published(host, event)

    def found(self, host: Host, block: Block) -> None:
        """A host's miner found a block."""
        for watcher in self.watchers:
            watcher.found(host, block)

    def dial(self, host: Host, endpoint: Endpoint) -> None:
        """Connect two hosts after a round trip; fail after a timeout if the other end does not answer."""
        target = self._by_address.get(endpoint.address)
        link = self.network.link if target is None else self.network.link_between(host.name, target.name)

        def complete() -> None:
            if target is None or not target.is_running or self.network.is_cut(host.name, target.name):
                host.later(DIAL_TIMEOUT_NS, lambda: host.feed(DialFailed(endpoint, "no answer")))
            else:
                self._connect(host, target, endpoint)

        host.later(2 * link.latency_ns, complete)

    def resolve(self, host: Host, name: str, port: int) -> None:
        """Look up a name; the host is told the addresses, or none when the lookup has timed out."""
        found = self._directory.resolve(name, port)
        delay_ns = RESOLVE_TIMEOUT_NS if found is None else spread(self.network.random, RESOLVE_NS)
        host.later(delay_ns, lambda: host.feed(NameResolved(name, found or ())))

    def send(self, host: Host, peer: int, data: bytes, *, counted: bool = True) -> None:
        """Send bytes on an open connection; `counted` if the node itself wrote them."""
        connection = self._connections.get((host.name, peer))
        if connection is not None and connection.open:
            drained = (lambda count: self._drained(connection, count)) if counted else (lambda count: None)
            connection.stream.send(data, drained)

    def other_end(self, host: Host, peer: int) -> str:
        """The name of the host at the other end of an open connection."""
        return self._connections[host.name, peer].other.name

    def hang_up(self, host: Host, peer: int, reason: str) -> None:
        """Close a connection once the bytes sent on it have arrived."""
        connection = self._connections.get((host.name, peer))
        if connection is not None and connection.open:
            connection.open = False
            connection.stream.close(lambda: self._close_end(connection.other, connection.other_peer, "closed by peer"))
            self.heap.after(0, lambda: self._close_end(host, peer, reason))

    def drop_connections(self, host: Host) -> None:
        """A host is down: its peers see their connections break, after the latency of the link."""
        for key, connection in list(self._connections.items()):
            if key[0] == host.name:
                del self._connections[key]
                connection.stream.close(
                    lambda c=connection: self._close_end(c.other, c.other_peer, "connection reset")  # type: ignore[misc]
                )

    def _connect(self, dialler: Host, listener: Host, endpoint: Endpoint) -> None:
        near, far = self._next_peer, self._next_peer + 1
        self._next_peer += 2
        out = Stream(self.network, dialler.name, listener.name, lambda data: self._deliver(listener, far, data))
        back = Stream(self.network, listener.name, dialler.name, lambda data: self._deliver(dialler, near, data))
        self._connections[dialler.name, near] = _Connection(dialler, near, listener, far, out)
        self._connections[listener.name, far] = _Connection(listener, far, dialler, near, back)
        origin = Endpoint(NetAddress(dialler.address.host, _ephemeral_port(near)))
        listener.feed(PeerOpened(far, origin, inbound=True))
        dialler.feed(PeerOpened(near, endpoint, inbound=False))

    def _deliver(self, host: Host, peer: int, data: bytes) -> None:
        if (host.name, peer) in self._connections:
            host.feed(BytesReceived(peer, data))

    def _drained(self, connection: _Connection, count: int) -> None:
        if (connection.host.name, connection.peer) in self._connections:
            connection.host.feed(BytesDrained(connection.peer, count))

    def _close_end(self, host: Host, peer: int, reason: str) -> None:
        if self._connections.pop((host.name, peer), None) is not None:
            host.feed(PeerClosed(peer, reason))


def _ephemeral_port(connection: int) -> int:
    """The local port of a dialled connection, in the range that no host listens on (RFC 6335)."""
    return FIRST_EPHEMERAL_PORT + connection % (65536 - FIRST_EPHEMERAL_PORT)
