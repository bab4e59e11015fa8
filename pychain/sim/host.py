"""A simulated host: one node, its disk and its miner; it carries out the node's effects in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from pychain import native
from pychain.base.entropy import Random
from pychain.base.time import NS, Now
from pychain.chain.block import Block, decode_block
from pychain.chain.target import work_from_target
from pychain.chain.transaction import Coinbase, Transfer
from pychain.consensus.rules import RuleError
from pychain.ledger.memory_store import MemoryStore
from pychain.ledger.store import DamagedBlockError, StoreError
from pychain.ledger.template import BlockTemplate
from pychain.node.config import NodeConfig
from pychain.node.effects import (
    Commit,
    Dial,
    Effect,
    HangUp,
    Publish,
    ReadBlocks,
    Reply,
    Resolve,
    Send,
    StartMining,
    StopMining,
    Stopped,
    VerifyBlocks,
    VerifyTransfers,
)
from pychain.node.events import Event
from pychain.node.inputs import (
    Asked,
    BlockMined,
    BlocksRead,
    BlocksVerified,
    BodyDamaged,
    BytesReceived,
    CommitDone,
    CommitFailed,
    Input,
    Start,
    Stop,
    Tick,
    TransfersVerified,
)
from pychain.node.node import Node
from pychain.node.requests import Answer, Request
from pychain.p2p.draws import exponential
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress
from pychain.sim.disk import Disk
from pychain.sim.entropy import SeededEntropy
from pychain.sim.events import EventHeap, Trace

if TYPE_CHECKING:
    from pychain.sim.api import HostApi

VERIFY_BLOCK_NS = 1_000_000
VERIFY_TRANSFER_NS = 40_000
"""Modelled time of a signature check (libsodium does 25,000 a second)."""
EXTRA_BYTES = 32


class Surroundings(Protocol):
    """The simulation as a host sees it."""

    seed: int
    start_wall_s: int
    heap: EventHeap
    trace: Trace
    random: Random

    def send(self, host: Host, peer: int, data: bytes, *, counted: bool = True) -> None:
        """Send bytes on an open connection. The node hears when they have left, unless it did not write them
        (`counted`)."""
        ...

    def other_end(self, host: Host, peer: int) -> str:
        """The name of the host at the other end of an open connection."""
        ...

    def dial(self, host: Host, endpoint: Endpoint) -> None:
        """Open a connection; the host is told when it is open or has failed."""
        ...

    def resolve(self, host: Host, name: str, port: int) -> None:
        """Look up a host name; the host is told the addresses."""
        ...

    def hang_up(self, host: Host, peer: int, reason: str) -> None:
        """Close a connection once the bytes sent on it have arrived."""
        ...

    def drop_connections(self, host: Host) -> None:
        """The host is down: its peers see their connections break."""
        ...

    def verified_block(self, raw: bytes) -> Block | RuleError:
        """The result of `semantic.verify_blocks` for one block."""
        ...

    def is_signed(self, transfer: Transfer) -> bool:
        """The strict signature check."""
        ...

    def published(self, host: Host, event: Event) -> None:
        """A node published an event."""
        ...

    def found(self, host: Host, block: Block) -> None:
        """A host's miner found a block; its node is told next."""
        ...


class Host:
    """A machine in the simulation. It can crash and start again; its disk survives its node."""

    def __init__(
        self, world: Surroundings, name: str, address: NetAddress, config: NodeConfig, hash_rate: float
    ) -> None:
        """`hash_rate` in hashes a second of virtual time, 0 for none."""
        self.name = name
        self.address = address
        self.hash_rate = hash_rate
        self.disk = Disk(world.heap, world.seed, name)
        self.events: list[Event] = []
        """Everything that the node published, oldest first."""
        self.answers: dict[int, Answer] = {}
        self.fault: str | None = None
        self.mined = 0
        self.clock_offset_s = 0
        """How far this machine's wall clock is ahead of the world's."""
        self.mocked_s: int | None = None
        """Where the node's wall clock stands still, until its next life."""
        self.started_ns = 0
        """When the present life began."""
        self.template: BlockTemplate | None = None
        """What is being mined, None while nothing is."""
        self._events_before = 0
        self._mined_ns = 0
        self._template_since_ns = 0
        self._api: HostApi | None = None
        self._replies: dict[int, Callable[[Answer], None]] = {}
        self._world = world
        self._config = config
        self._node: Node | None = None
        self._life = 0
        """Counts starts: what was planned for an earlier life does not reach the next."""
        self._search = 0
        self._requests = 0
        self._tick_ns: int | None = None
        self._carriers: dict[type[Effect], Callable[[Any], None]] = {
            Send: lambda effect: world.send(self, effect.peer, effect.data),
            Dial: lambda effect: world.dial(self, effect.endpoint),
            Resolve: lambda effect: world.resolve(self, effect.name, effect.port),
            HangUp: lambda effect: world.hang_up(self, effect.peer, effect.reason),
            Commit: self._commit,
            VerifyBlocks: self._verify_blocks,
            VerifyTransfers: self._verify_transfers,
            ReadBlocks: self._read_blocks,
            StartMining: self._start_mining,
            StopMining: self._stop_mining,
            Reply: self._take_reply,
            Publish: self._publish,
            Stopped: self._ended,
        }

    @property
    def node(self) -> Node:
        assert self._node is not None, f"{self.name} is not running"
        return self._node

    @property
    def store(self) -> MemoryStore:
        """The content of the disk."""
        return self.disk.store

    @property
    def is_running(self) -> bool:
        return self._node is not None

    @property
    def now(self) -> Now:
        return Now(self._world.heap.now_ns, self.machine_s if self.mocked_s is None else self.mocked_s)

    @property
    def machine_s(self) -> int:
        """The machine's wall clock, whatever the node's is."""
        return self._world.start_wall_s + self._world.heap.now_ns // NS + self.clock_offset_s

    @property
    def mining_ns(self) -> int:
        """How long this life has been mining."""
        now_ns = self._world.heap.now_ns
        return self._mined_ns + (0 if self.template is None else now_ns - self._template_since_ns)

    @property
    def events_of_life(self) -> list[Event]:
        """Those of `events` that the node published in its present life."""
        return self.events[self._events_before :]

    @property
    def api(self) -> HostApi:
        """The API of the node, as a daemon serves it. It serves from its first use on."""
        if self._api is None:
            from pychain.sim.api import HostApi  # a world that never asks starts sooner without

            self._api = HostApi(self, self._world)
        return self._api

    # --- life

    def start(self) -> None:
        """Start the node on what the disk holds."""
        self._life += 1
        self.started_ns = self._world.heap.now_ns
        self._events_before = len(self.events)
        self.mocked_s = None
        self._mined_ns = 0
        self.fault = None
        self.disk.mount()
        entropy = SeededEntropy(self._world.seed, f"{self.name}/{self._life}")
        self._node = Node(self._config, self.store, entropy)
        self.feed(Start())
        for damage in self.store.damaged:
            self.feed(BodyDamaged(damage.block_hash))

    def stop(self) -> None:
        """Ask the node to end in order."""
        self.feed(Stop())

    def crash(self) -> None:
        """Cut the power: data that was not durable is lost, and connections break."""
        self._node = None
        self._search += 1
        self._mine(None)
        self._replies.clear()
        if self._api is not None:
            self._api.crash()
        self.disk.crash()
        self._world.drop_connections(self)

    def ask(self, request: Request, then: Callable[[Answer], None] | None = None) -> int:
        """Put a request to the node; `then` is called with the answer. Without it the answer goes to `answers`, under
        the id returned."""
        self._requests += 1
        if then is not None:
            self._replies[self._requests] = then
        self.feed(Asked(self._requests, request))
        return self._requests

    @property
    def read_ns(self) -> int:
        """How long a read from the disk takes now."""
        return self.disk.takes_ns(self.disk.read_ns)

    def body(self, block_hash: bytes) -> bytes | None:
        """A stored block. DamagedBlockError if it is damaged, and then the node is told."""
        try:
            return self.store.body(block_hash)
        except DamagedBlockError:
            self.later(self.read_ns, lambda: self.feed(BodyDamaged(block_hash)))
            raise

    # --- the loop

    def feed(self, incoming: Input) -> None:
        """Hand the node one input, carry out its effects, and plan its next deadline."""
        node = self._node
        if node is None:
            return
        now = self.now
        self._note(now.mono_ns, incoming)
        for effect in node.handle(incoming, now):
            self._note(now.mono_ns, effect)
            self._carriers[type(effect)](effect)
        if self._node is node:
            self._plan_tick(node, now.mono_ns)

    def _note(self, now_ns: int, happening: Input | Effect) -> None:
        kind = type(happening)
        data = _TRACED[kind](happening) if kind in _TRACED else b""
        self._world.trace.note(now_ns, self.name, kind.__name__, data)

    def _plan_tick(self, node: Node, now_ns: int) -> None:
        deadline = node.deadline()
        if deadline is None:
            self._tick_ns = None
        elif self._tick_ns is None or deadline < self._tick_ns or self._tick_ns < now_ns:
            self._tick_ns = deadline
            self._later_at(deadline, lambda: self._tick(deadline))

    def _tick(self, planned_ns: int) -> None:
        if self._tick_ns == planned_ns:
            self._tick_ns = None
            self.feed(Tick())

    def later(self, delay_ns: int, action: Callable[[], None]) -> None:
        """Run an action after a delay, unless the host goes down before."""
        self._later_at(self._world.heap.now_ns + delay_ns, action)

    def _later_at(self, when_ns: int, action: Callable[[], None]) -> None:
        life = self._life
        self._world.heap.at(when_ns, lambda: action() if life == self._life and self._node is not None else None)

    # --- effects

    def _commit(self, effect: Commit) -> None:
        self.store.start(effect.batch)
        self.later(self.disk.takes_ns(self.disk.commit_ns), lambda: self._committed(effect.job))

    def _committed(self, job: int) -> None:
        try:
            self.store.finish()
        except StoreError as error:
            self.feed(CommitFailed(job, str(error)))
            return
        self.store.advance()
        self.feed(CommitDone(job))

    def _verify_blocks(self, effect: VerifyBlocks) -> None:
        results = tuple([self._world.verified_block(raw) for raw in effect.raws])
        count = sum([result.count if isinstance(result, Block) else 1 for result in results])
        cost_ns = len(results) * VERIFY_BLOCK_NS + count * VERIFY_TRANSFER_NS
        self.later(cost_ns, lambda: self.feed(BlocksVerified(effect.job, results)))

    def _verify_transfers(self, effect: VerifyTransfers) -> None:
        valid = tuple(self._world.is_signed(transfer) for transfer in effect.transfers)
        self.later(len(valid) * VERIFY_TRANSFER_NS, lambda: self.feed(TransfersVerified(effect.job, valid)))

    def _read_blocks(self, effect: ReadBlocks) -> None:
        blocks = tuple([self._block_read(block_hash, effect.decoded) for block_hash in effect.hashes])
        duration_ns = self.disk.takes_ns(len(blocks) * self.disk.read_ns)
        self.later(duration_ns, lambda: self.feed(BlocksRead(effect.job, blocks)))

    def _block_read(self, block_hash: bytes, decoded: bool) -> Block | bytes | None:
        try:
            raw = self.body(block_hash)
        except DamagedBlockError:
            return None
        return decode_block(raw) if raw is not None and decoded else raw

    def _start_mining(self, effect: StartMining) -> None:
        self._search += 1
        self._mine(effect.template)
        if not self.hash_rate:
            return
        search = self._search
        mean_ns = int(work_from_target(effect.template.target) * NS / self.hash_rate)
        self.later(
            exponential(self._world.random, mean_ns),
            lambda: self._solve(effect) if search == self._search else None,
        )

    def _solve(self, effect: StartMining) -> None:
        """The drawn time is over: find a real nonce, as the block must convince real nodes."""
        template = effect.template
        time = max(template.time, min(self.now.wall_s, template.max_time))
        coinbase = self._coinbase(effect)
        nonce, _ = native.search(template.header_prefix(coinbase, time), template.target, 0, 2**32)
        assert nonce is not None, "simulated networks have targets that 2^32 nonces meet"
        self.mined += 1
        block = template.block(coinbase, time, nonce)
        self._world.found(self, block)
        self._hand_in(block)

    def _coinbase(self, effect: StartMining) -> Coinbase:
        """Its extra makes every block of every host another one."""
        extra = self.mined.to_bytes(8, "little") + native.sha256d(self.name.encode())[: EXTRA_BYTES - 8]
        return effect.template.coinbase(effect.recipient, extra)

    def _hand_in(self, block: Block) -> None:
        self.feed(BlockMined(block.raw))

    def _stop_mining(self, _: StopMining) -> None:
        self._search += 1
        self._mine(None)

    def _mine(self, template: BlockTemplate | None) -> None:
        """This is being mined from now on."""
        self._mined_ns = self.mining_ns
        self.template, self._template_since_ns = template, self._world.heap.now_ns

    def _take_reply(self, effect: Reply) -> None:
        if then := self._replies.pop(effect.request_id, None):
            then(effect.answer)
        else:
            self.answers[effect.request_id] = effect.answer

    def _publish(self, effect: Publish) -> None:
        self.events.append(effect.event)
        self._world.published(self, effect.event)
        if self._api is not None:
            self._api.publish(effect.event)

    def _ended(self, effect: Stopped) -> None:
        self.fault = effect.fault
        self._node = None
        self._mine(None)
        self._replies.clear()
        if self._api is not None:
            self._api.end()
        self._world.drop_connections(self)


_TRACED: Mapping[type[Input] | type[Effect], Callable[[Any], bytes]] = MappingProxyType(
    {
        Send: lambda sent: sent.peer.to_bytes(8, "little") + sent.data,
        BytesReceived: lambda received: received.peer.to_bytes(8, "little") + received.data,
        Commit: lambda commit: (commit.batch.tip or b"") + len(commit.batch.accounts).to_bytes(8, "little"),
        VerifyBlocks: lambda verify: b"".join(verify.raws),
        BlockMined: lambda mined: bytes(mined.raw),
        BodyDamaged: lambda damaged: bytes(damaged.block_hash),
        Publish: lambda publish: repr(publish.event).encode(),
        StartMining: lambda start: start.template.prev_hash + start.template.coinbase_amount.to_bytes(8, "little"),
    }
)
"""The part of an input or effect that the trace covers besides its name: enough to tell two runs apart."""
