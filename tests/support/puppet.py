"""A node on a stage with scripted peers, which send any bytes.

The peers' frames and messages are encoded and decoded here from docs/wire.md with only a MessagePack library, so node
and puppets agree only on what the document says. The stage carries the bytes between them, keeps virtual time, and can
hold back results for the node: verified blocks, finished commits, bodies from the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NamedTuple, TypeVar

import msgspec

from pychain.base.time import NS, Now
from pychain.consensus.rulebook import Rulebook
from pychain.ledger.memory_store import MemoryStore
from pychain.node.config import NodeConfig
from pychain.node.effects import Effect, HangUp, Send
from pychain.node.inputs import Asked, BytesDrained, BytesReceived, Input, PeerClosed, PeerOpened, Tick
from pychain.node.requests import Request
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress
from tests.support import wire
from tests.support.builder import spec_of
from tests.support.forge import Forged, forge, genesis
from tests.support.network import Network
from tests.support.node_driver import LoneNode

TYPES = {
    "hello": 1,
    "ping": 2,
    "pong": 3,
    "get_addrs": 4,
    "addrs": 5,
    "inv": 6,
    "want": 7,
    "missing": 8,
    "txs": 9,
    "block": 10,
    "get_headers": 11,
    "headers": 12,
    "fee_filter": 16,
    "goodbye": 17,
}
NAMES = {number: name for name, number in TYPES.items()}
TRANSACTION, BLOCK = 1, 2
NO_STOP = bytes(32)
MAX_HEADERS = 2000
MOST_WORK = 2**256 - 1


def grow(network: Network, parent: Forged, count: int, name: str = "main") -> list[Forged]:
    """A chain of `count` empty blocks; the name makes the branch unique."""
    blocks: list[Forged] = []
    for number in range(count):
        blocks.append(forge(network, f"{name} {number}", blocks[-1] if blocks else parent))
    return blocks


def chain_work(blocks: Sequence[Forged]) -> int:
    """Work of these blocks together."""
    return sum(2**256 // (wire.target_of(block.bits) + 1) for block in blocks)


def frame(payload: bytes) -> bytes:
    """A payload as it goes on the stream."""
    return len(payload).to_bytes(4, "big") + payload


def message(name: str, *fields: object) -> bytes:
    """A message as it goes on the stream."""
    return frame(bytes([TYPES[name]]) + msgspec.msgpack.encode(fields))


def hello(
    genesis_hash: bytes,
    *,
    work: int = 0,
    height: int = 0,
    nonce: int = 1,
    protocol: int = 1,
    listen_port: int = 0,
    time: int = 0,
) -> bytes:
    """A hello frame."""
    fields = (protocol, "/puppet/", genesis_hash, time, height, work.to_bytes(32, "big"), listen_port, 0, nonce)
    return message("hello", *fields)


class Said(NamedTuple):
    """A message from the node."""

    name: str
    fields: list[Any]


_P = TypeVar("_P", bound="Puppet")


class Puppet:
    """One scripted peer. It says only what it is told to, but answers pings while it is `polite`.

    said: everything that the node has said, oldest first. farewell: code and text of its goodbye. closed: why the
    connection is gone, None while it stands.
    """

    def __init__(self, stage: Stage, peer: int, address: NetAddress, inbound: bool) -> None:
        self.stage = stage
        self.peer = peer
        self.address = address
        self.inbound = inbound
        self.said: list[Said] = []
        self.farewell: tuple[str, str] | None = None
        self.closed: str | None = None
        self.polite = True
        self.reads = True
        """Whether it takes the node's bytes off the wire; what it does not take stays in `unread`."""
        self.unread = 0
        self._stream = b""
        self._taken: dict[str, int] = {}

    # --- to the node

    def send(self, data: bytes) -> None:
        """Put bytes on the stream, whatever they are."""
        if self.closed is None:
            self.stage.deliver(BytesReceived(self.peer, data))

    def say(self, name: str, *fields: object) -> None:
        self.send(message(name, *fields))

    def greet(self, **fields: int) -> None:
        """Say hello; the keywords are those of `hello`."""
        fields.setdefault("nonce", 1000 + self.peer)
        self.send(hello(self.stage.network.genesis_hash, **fields))

    def announce(self, *blocks: Forged) -> None:
        """Tell of new blocks by their headers."""
        self.say("headers", [block.header for block in blocks])

    def leave(self) -> None:
        """Break the connection."""
        self.stage.closed(self, "reset by peer")

    def read(self) -> None:
        """Take what waits off the wire, and go on reading."""
        self.reads = True
        self.drain(self.unread)

    def drain(self, count: int) -> None:
        """Take so many bytes off the wire."""
        self.unread -= count
        if count and self.closed is None:
            self.stage.deliver(BytesDrained(self.peer, count))

    # --- from the node

    def receive(self, data: bytes) -> None:
        """The node's bytes; each of its messages must be one that the document allows."""
        if self.reads:
            self.stage.deliver(BytesDrained(self.peer, len(data)))
        else:
            self.unread += len(data)
        self._stream += data
        while len(self._stream) >= 4:
            end = 4 + int.from_bytes(self._stream[:4], "big")
            assert 4 < end <= 4 + self.stage.frame_limit
            if len(self._stream) < end:
                return
            payload, self._stream = self._stream[4:end], self._stream[end:]
            said = Said(NAMES[payload[0]], msgspec.msgpack.decode(payload[1:]))
            self.said.append(said)
            self._hear(said)

    def _hear(self, said: Said) -> None:
        if said.name == "goodbye":
            self.farewell = (said.fields[0], said.fields[1])
        elif said.name == "ping" and self.polite:
            self.say("pong", *said.fields)
        else:
            self.on_message(said)

    def on_message(self, said: Said) -> None:
        """What a puppet with a mind of its own does about a message."""

    def take(self, name: str) -> list[list[Any]]:
        """The fields of each message of this kind since the last call for it."""
        everything = self.all(name)
        start, self._taken[name] = self._taken.get(name, 0), len(everything)
        return everything[start:]

    def all(self, name: str) -> list[list[Any]]:
        """The fields of each message of this kind that ever came."""
        return [said.fields for said in self.said if said.name == name]

    def wanted(self, kind: int) -> list[bytes]:
        """Everything that the node ever asked for, of this kind, in order."""
        return [wanted for fields in self.all("want") if fields[0] == kind for wanted in fields[1]]


class ChainPuppet(Puppet):
    """A peer that serves a chain.

    silent: the kinds of messages that it does not answer. lacks: blocks that it says are missing. swaps: bodies that it
    sends for a block instead of the right one.
    """

    def __init__(self, stage: Stage, peer: int, address: NetAddress, inbound: bool) -> None:
        super().__init__(stage, peer, address, inbound)
        self.chain: list[Forged] = []
        self._heights: dict[bytes, int] = {}
        self.follow(())
        self.silent: set[str] = set()
        self.lacks: set[bytes] = set()
        self.swaps: dict[bytes, bytes] = {}
        self.served: list[bytes] = []
        """Hashes of the blocks that it has delivered, in order."""

    @property
    def work(self) -> int:
        """Work of its chain."""
        return chain_work(self.chain)

    def follow(self, blocks: Sequence[Forged]) -> None:
        """Take the chain that consists of these blocks on genesis."""
        self.chain = [genesis(self.stage.network), *blocks]
        self._heights = {block.hash: height for height, block in enumerate(self.chain)}

    def greet(self, **fields: int) -> None:
        super().greet(**{"work": self.work, "height": len(self.chain) - 1, **fields})

    def on_message(self, said: Said) -> None:
        if said.name in self.silent:
            return
        if said.name == "get_headers":
            self.say("headers", [block.header for block in self._after(said.fields[0])][:MAX_HEADERS])
        elif said.name == "want" and said.fields[0] == BLOCK:
            for block_hash in said.fields[1]:
                self.serve(block_hash)

    def _after(self, locator: list[bytes]) -> list[Forged]:
        fork = next((self._heights[block_hash] for block_hash in locator if block_hash in self._heights), 0)
        return self.chain[fork + 1 :]

    def serve(self, block_hash: bytes) -> None:
        """Answer a want for one block."""
        height = self._heights.get(block_hash)
        if height is None or block_hash in self.lacks:
            self.say("missing", BLOCK, [block_hash])
        else:
            self.served.append(block_hash)
            self.say("block", self.swaps.get(block_hash, self.chain[height].raw))


class Stage(LoneNode):
    """A lone node with puppets around it.

    held_back: kinds of effects that are not carried out but kept in `held`, until `release`. asked: ids of the requests
    that were put by `ask_later`.
    """

    def __init__(
        self,
        network: Network,
        *,
        wall_s: int | None = None,
        store: MemoryStore | None = None,
        config: Callable[[Rulebook], NodeConfig] = NodeConfig,
        held_back: tuple[type[Effect], ...] = (),
    ) -> None:
        """The clock stands a million seconds after the network's genesis unless `wall_s` says otherwise."""
        self.network = network
        self.frame_limit = max(network.max_block_bytes, 262_144) + 65_536
        self.puppets: dict[int, Puppet] = {}
        self.held_back = held_back
        self.held: list[Effect] = []
        self.asked: list[int] = []
        self._ids = count(1)
        self._running = False
        rulebook = Rulebook(spec_of(network))
        start_s = network.genesis_time + 1_000_000 if wall_s is None else wall_s
        super().__init__(rulebook, start_s, store, config(rulebook))

    @property
    def now(self) -> Now:
        return Now(self.mono_ns, self.wall_s)

    # --- peers

    def puppet(self, host: str | None = None, *, inbound: bool = True, ready: bool = True) -> Puppet:
        """A new connection with a scripted peer; `ready`: the handshake is complete."""
        return self.connect(Puppet, host, inbound=inbound, ready=ready)

    def chain_puppet(
        self, blocks: Sequence[Forged] = (), host: str | None = None, *, inbound: bool = True, ready: bool = True
    ) -> ChainPuppet:
        """A new connection with a peer that serves this chain."""
        puppet = self.connect(ChainPuppet, host, inbound=inbound, ready=False)
        puppet.follow(blocks)
        if ready:
            puppet.greet()
        return puppet

    def connect(self, kind: type[_P], host: str | None = None, *, inbound: bool = True, ready: bool = True) -> _P:
        """A new connection with a peer of some kind."""
        peer = next(self._ids)
        address = NetAddress(host or f"203.0.{peer // 256}.{peer % 256}", 40000 + peer % 20000 if inbound else 30700)
        puppet = kind(self, peer, address, inbound)
        self.puppets[peer] = puppet
        self.deliver(PeerOpened(peer, Endpoint(address), inbound))
        if ready:
            puppet.greet()
        return puppet

    def closed(self, puppet: Puppet, reason: str) -> None:
        """A connection is gone."""
        if puppet.closed is None:
            puppet.closed = reason
            self.deliver(PeerClosed(puppet.peer, reason))

    # --- the loop

    def deliver(self, incoming: Input) -> None:
        """An input for the node: at once, or after what it is just doing."""
        self._inbox.append(incoming)
        if not self._running:
            self.run()

    def feed(self, incoming: Input) -> None:
        self.deliver(incoming)

    def run(self) -> None:
        self._running = True
        try:
            super().run()
        finally:
            self._running = False

    def ask_later(self, request: Request) -> int:
        """Make a request; its answer is put into `answers` under the returned id."""
        self._requests += 1
        self.asked.append(self._requests)
        self.deliver(Asked(self._requests, request))
        return self._requests

    def watch(self, after_each: Callable[[], None]) -> None:
        """Look at the node after each input that it handled from now on."""
        handle = self.node.handle

        def watched(incoming: Input, now: Now) -> list[Effect]:
            effects = handle(incoming, now)
            after_each()
            return effects

        self.node.handle = watched  # type: ignore[method-assign]

    def wait(self, seconds: float) -> None:
        """Let time pass, from deadline to deadline."""
        until = self.mono_ns + round(seconds * NS)
        while (deadline := self.node.deadline()) is not None and deadline <= until:
            self._set_clock(max(deadline, self.mono_ns))
            self.deliver(Tick())
        self._set_clock(until)
        self.deliver(Tick())

    def _set_clock(self, mono_ns: int) -> None:
        self.wall_s += mono_ns // NS - self.mono_ns // NS
        self.mono_ns = mono_ns

    def release(self, *kinds: type[Effect], newest_first: bool = False) -> None:
        """Carry out what was held back of these kinds (of all, for none), and hold them back no more."""
        kinds = kinds or self.held_back
        self.held_back = tuple(kind for kind in self.held_back if kind not in kinds)
        ready = [effect for effect in self.held if isinstance(effect, kinds)]
        self.held = [effect for effect in self.held if not isinstance(effect, kinds)]
        for effect in reversed(ready) if newest_first else ready:
            self._carry(effect)
        self.run()

    def step(self) -> None:
        """Carry out the oldest effect that was held back; those that follow from it are held back again."""
        oldest = self.held.pop(0)
        super()._carry(oldest)
        self.run()

    def _carry(self, effect: Effect) -> None:
        if isinstance(effect, self.held_back):
            self.held.append(effect)
            return
        match effect:
            case Send():
                puppet = self.puppets[effect.peer]
                if puppet.closed is None:
                    puppet.receive(effect.data)
            case HangUp():
                self.closed(self.puppets[effect.peer], effect.reason)
            case _:
                super()._carry(effect)
