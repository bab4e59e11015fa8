"""Nodes that consist of the managers alone talk over real bytes, cut anywhere: they find each other, and runs repeat
exactly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from hashlib import sha256
from heapq import heappop, heappush
from itertools import count

import pytest

from pychain.base.deadlines import Deadlines
from pychain.base.entropy import Random
from pychain.base.time import NS, Now
from pychain.p2p import messages
from pychain.p2p.addresses import AddressManager
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.handshake import Handshake, OurSide
from pychain.p2p.manager import Handler, Manager
from pychain.p2p.messages import Fields, GoodbyeCode, Inv, Kind
from pychain.p2p.misbehaviour import Misbehaviour
from pychain.p2p.netaddress import NetAddress
from pychain.p2p.peer import Peer
from pychain.p2p.ping import PingManager
from pychain.p2p.relay import RelayManager
from pychain.p2p.requests import RequestTracker
from pychain.p2p.slots import SlotManager
from tests.p2p.recording import FRAME_LIMIT, GENESIS, START_S, CountedEntropy, digest


class Talker:
    """The managers of one node, joined; it holds transactions by hash alone."""

    def __init__(self, world: World, number: int, bootstrap: NetAddress | None, seed: int) -> None:
        entropy, random = CountedEntropy(f"{seed}/{number}"), Random(seed * 1000 + number)
        self.world = world
        self.number = number
        self.address = NetAddress("127.0.0.1", 30_000 + number)
        self.peers: dict[int, Peer] = {}
        self.held: dict[bytes, None] = {}
        self.now = Now(0, START_S)
        self.addresses = AddressManager(self, random)
        self.misbehaviour = Misbehaviour(self)
        self.handshake = Handshake(self, entropy, OurSide(GENESIS, "talker", self.address.port))
        self.ping = PingManager(self, entropy, random)
        self.relay = RelayManager(self, random, self)
        self.requests = RequestTracker(self, 5 * NS)
        nonce = self.handshake.nonce
        self.slots = SlotManager(self, random, self.addresses, self.misbehaviour, nonce=nonce)
        self.managers: tuple[Manager, ...] = (
            self.handshake,
            self.ping,
            self.relay,
            self.requests,
            self.addresses,
            self.slots,
        )
        self.handlers: dict[type[Fields], Handler] = {
            messages.Hello: self.on_hello,
            Inv: self.on_inv,
            messages.Want: self.on_want,
            messages.Txs: self.on_txs,
        }
        self.deadlines = Deadlines()
        for manager in self.managers:
            self.handlers.update(manager.handlers())
            manager.wakes_by(self.deadlines.add(manager))
        if bootstrap is not None:
            self.addresses.add(bootstrap, self.now)

    # --- `Inventory` and `Wire`

    def lacking(self, kind: Kind, hashes: Iterable[bytes]) -> list[bytes]:
        return [object_hash for object_hash in hashes if object_hash not in self.held]

    def send(self, peer_id: int, message: Fields) -> None:
        peer = self.peers.get(peer_id)
        if peer is not None and peer.is_open:
            self.world.carry(self, peer_id, peer.pack(message))

    def hang_up(self, peer_id: int, code: GoodbyeCode, text: str) -> None:
        peer = self.peers.get(peer_id)
        if peer is not None and peer.is_open:
            self.world.carry(self, peer_id, peer.hang_up(code, text))
            self.world.end(self, peer_id)

    def dial(self, endpoint: Endpoint) -> None:
        self.world.connect(self, endpoint)

    # --- events

    def opened(self, peer_id: int, endpoint: Endpoint, inbound: bool) -> None:
        peer = Peer(peer_id, endpoint, self.now, inbound=inbound, frame_limit=FRAME_LIMIT)
        self.peers[peer_id] = peer
        self.handshake.peer_opened(peer, self.now)
        peer.secured()
        if self.slots.peer_opened(peer, self.now):
            self.handshake.peer_secured(peer, self.now)

    def received(self, peer_id: int, data: bytes) -> None:
        peer = self.peers.get(peer_id)
        if peer is not None:
            for message in peer.receive(peer.unseal(data)):
                handler = self.handlers.get(type(message)) if message is not None else None
                if handler is not None:
                    handler(peer, message, self.now)

    def on_hello(self, peer: Peer, hello: messages.Hello, now: Now) -> None:
        if self.handshake.on_hello(peer, hello) and self.slots.admits(peer):
            for manager in self.managers:
                manager.peer_ready(peer, now)

    def on_inv(self, peer: Peer, inv: Inv, now: Now) -> None:
        self.requests.announced(peer.peer_id, self.relay.on_inv(peer.peer_id, inv), now)

    def on_want(self, peer: Peer, want: messages.Want, now: Now) -> None:
        self.send(peer.peer_id, messages.Txs(want.hashes))

    def on_txs(self, peer: Peer, txs: messages.Txs, now: Now) -> None:
        self.requests.received(txs.transactions, now)
        for txid in txs.transactions:
            self.take(txid)

    def take(self, txid: bytes) -> None:
        if txid not in self.held:
            self.held[txid] = None
            self.relay.announce_transactions([(txid, 1000)], self.now)

    def closed(self, peer_id: int) -> None:
        peer = self.peers.pop(peer_id, None)
        if peer is None:
            return
        peer.closed()
        for manager in self.managers:
            manager.peer_closed(peer, self.now)

    def poll(self) -> int | None:
        """Serve what is due; returns the next deadline."""
        self.deadlines.poll(self.now)
        return self.deadlines.next()


class World:
    """A heap of timed events, 50 ms of delay on each link, streams cut at random places."""

    def __init__(self, size: int, seed: int) -> None:
        self.random = Random(seed)
        self.serial = count(1)
        self.heap: list[tuple[int, int, Talker, str, tuple[object, ...]]] = []
        self.links: dict[int, tuple[Talker, int]] = {}
        """One end of a connection -> the node at the other end, and its id there."""
        self.trace = sha256()
        self.mono_ns = 0
        first = NetAddress("127.0.0.1", 30_000)
        self.nodes = [Talker(self, number, first if number else None, seed) for number in range(size)]
        self.by_address = {node.address: node for node in self.nodes}
        for node in self.nodes:
            self.push(0, node, "poll")

    def push(self, delay_ns: int, node: Talker, what: str, *arguments: object) -> None:
        heappush(self.heap, (self.mono_ns + delay_ns, next(self.serial), node, what, arguments))

    def connect(self, node: Talker, endpoint: Endpoint) -> None:
        there = self.by_address[endpoint.address]
        mine, theirs = next(self.serial), next(self.serial)
        self.links[mine], self.links[theirs] = (there, theirs), (node, mine)
        here = Endpoint(NetAddress("127.0.0.1", 50_000 + node.number))
        self.push(NS // 20, node, "opened", mine, endpoint, False)
        self.push(NS // 20, there, "opened", theirs, here, True)

    def carry(self, node: Talker, peer_id: int, data: bytes) -> None:
        node.peers[peer_id].drained(len(data))
        there, theirs = self.links[peer_id]
        while data:
            cut = 1 + self.random.below(len(data))
            self.push(NS // 20, there, "received", theirs, data[:cut])
            data = data[cut:]

    def end(self, node: Talker, peer_id: int) -> None:
        there, theirs = self.links[peer_id]
        self.push(NS // 20, there, "closed", theirs)
        self.push(NS // 20, node, "closed", peer_id)

    def run(self, until_s: float) -> None:
        while self.heap and self.heap[0][0] <= until_s * NS:
            self.mono_ns, _, node, what, arguments = heappop(self.heap)
            self.trace.update(repr((self.mono_ns, node.number, what, arguments)).encode())
            node.now = Now(self.mono_ns, START_S + self.mono_ns // NS)
            if what != "poll":
                getattr(node, what)(*arguments)
            deadline = node.poll()
            if deadline is not None:
                self.push(max(deadline - self.mono_ns, 0), node, "poll")


def meeting(size: int, seed: int) -> World:
    """All nodes know the first one; after they met, one of them gets twenty transactions."""
    world = World(size, seed)
    world.run(20)
    for number in range(20):
        world.nodes[-1].take(digest(number))
    world.push(0, world.nodes[-1], "poll")
    world.run(40)
    return world


@pytest.mark.parametrize("seed", range(5))
def test_nodes_find_each_other_and_share(seed: int) -> None:
    world = meeting(6, seed)
    for node in world.nodes:
        assert len(node.held) == 20
        met = [peer.listen_address for peer in node.peers.values() if peer.hello is not None]
        others = [other.address for other in world.nodes if other is not node]
        assert sorted((address for address in met if address), key=str) == others, (
            "each other node once: none twice, no self"
        )
        assert all(peer.round_trip.last_ns == NS // 10 for peer in node.peers.values())


def test_one_seed_one_trace() -> None:
    digests = [meeting(5, seed).trace.hexdigest() for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


def test_the_trace_does_not_hang_on_the_order_of_sets() -> None:
    program = "from tests.p2p.test_conversation import meeting; print(meeting(5, 3).trace.hexdigest())"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert digests == {f"{meeting(5, 3).trace.hexdigest()}\n"}
