"""All managers with timers: the wake that one asks for is never later than its deadline, so no deadline is missed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.entropy import Random
from pychain.base.time import NS, Now
from pychain.p2p.addresses import AddressManager
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.fees import FeeFilterManager
from pychain.p2p.handshake import Handshake, OurSide
from pychain.p2p.manager import Manager
from pychain.p2p.messages import FeeFilter, GoodbyeCode, Inv, Kind, Ping, Pong
from pychain.p2p.misbehaviour import Misbehaviour
from pychain.p2p.netaddress import NetAddress
from pychain.p2p.peer import Peer
from pychain.p2p.ping import PingManager
from pychain.p2p.relay import NewBlock, RelayManager
from pychain.p2p.requests import RequestTracker
from pychain.p2p.slots import SlotManager
from tests.p2p.recording import GENESIS, START_S, CountedEntropy, RecordingWire, digest, make_hello, make_peer

OUR_NONCE = 1000


class Watched:
    """A manager with some peers, and when it would be polled by its own wakes."""

    def __init__(self) -> None:
        self.wire = RecordingWire()
        self.now = Now(0, START_S)
        self.opened = 0
        self.armed: int | None = None
        """The deadline after the last poll, or the earliest wake since."""
        self.manager = self.make()
        self.manager.wakes_by(self.wake)
        self.actions: tuple[Callable[[int], None], ...] = (self.join, self.leave, *self.further())
        """All events that may happen to it; each takes a number that selects a variant."""

    def make(self) -> Manager:
        raise NotImplementedError

    def further(self) -> Iterable[Callable[[int], None]]:
        raise NotImplementedError

    def wake(self, at_ns: int) -> None:
        self.armed = at_ns if self.armed is None else min(self.armed, at_ns)

    def wait(self, span_ns: int) -> None:
        """Time passes, and a poll comes only if one was asked for."""
        self.now = Now(self.now.mono_ns + span_ns, self.now.wall_s + span_ns // NS)
        if self.armed is not None and self.armed <= self.now.mono_ns:
            self.poll()

    def poll(self) -> None:
        self.armed = None
        self.manager.poll(self.now)
        deadline = self.manager.deadline()
        if deadline is not None:
            self.wake(deadline)

    def poll_too_early(self) -> None:
        """A poll before the deadline does nothing."""
        deadline = self.manager.deadline()
        if deadline is not None and deadline <= self.now.mono_ns:
            return
        before = len(self.wire.sent), len(self.wire.hung_up), len(self.wire.dialled)
        self.poll()
        assert (len(self.wire.sent), len(self.wire.hung_up), len(self.wire.dialled)) == before

    def check(self) -> None:
        deadline = self.manager.deadline()
        if deadline is not None:
            assert self.armed is not None, "it has a deadline that it told nobody"
            assert self.armed <= max(deadline, self.now.mono_ns), "what is overdue is due now"

    # --- peers

    def peer(self, number: int) -> Peer | None:
        """One of those that are connected."""
        peers = list(self.wire.peers.values())
        return peers[number % len(peers)] if peers else None

    def open(self, *, inbound: bool, secured: bool = True) -> Peer:
        self.opened += 1
        return make_peer(self.opened, inbound=inbound, secured=secured, now=self.now, wire=self.wire)

    def join(self, number: int) -> None:
        peer = self.open(inbound=number % 2 == 0)
        peer.accept_hello(make_hello())
        self.manager.peer_ready(peer, self.now)

    def leave(self, number: int) -> None:
        peer = self.peer(number)
        if peer is not None:
            self.close(peer)

    def close(self, peer: Peer) -> None:
        del self.wire.peers[peer.peer_id]
        peer.closed()
        self.manager.peer_closed(peer, self.now)


class WatchedPing(Watched):
    def make(self) -> PingManager:
        self.ping = PingManager(self.wire, CountedEntropy(), Random(1))
        return self.ping

    def further(self) -> Iterable[Callable[[int], None]]:
        return (self.on_ping, self.on_pong)

    def on_ping(self, number: int) -> None:
        peer = self.peer(number)
        if peer is not None:
            self.ping.on_ping(peer, Ping(number), self.now)

    def on_pong(self, number: int) -> None:
        peer = self.peer(number)
        if peer is not None:
            nonce = self.wire.sent_to(peer.peer_id, Ping)[-1].nonce
            self.ping.on_pong(peer, Pong(nonce + number % 2), self.now)


class WatchedFees(Watched):
    def make(self) -> FeeFilterManager:
        self.fees = FeeFilterManager(self.wire)
        return self.fees

    def further(self) -> Iterable[Callable[[int], None]]:
        return (lambda number: self.fees.set_floor(number % 4, self.now),)


class WatchedRelay(Watched):
    def make(self) -> RelayManager:
        self.relay = RelayManager(self.wire, Random(1), self)
        return self.relay

    def lacking(self, kind: Kind, hashes: Iterable[bytes]) -> list[bytes]:
        return []

    def further(self) -> Iterable[Callable[[int], None]]:
        return (self.announce, self.flood, self.announce_block, self.on_inv, self.on_fee_filter)

    def announce(self, number: int) -> None:
        self.relay.announce_transactions([(digest(number), number)], self.now)

    def flood(self, number: int) -> None:
        """Slightly more or less than fits in one message."""
        self.relay.announce_transactions([(digest(other), 1000) for other in range(990 + number)], self.now)

    def announce_block(self, number: int) -> None:
        self.relay.announce_blocks([NewBlock(digest(number), bytes(80))])

    def on_inv(self, number: int) -> None:
        peer = self.peer(number)
        if peer is not None:
            self.relay.on_inv(peer.peer_id, Inv(Kind.TRANSACTION, (digest(number),)))
            self.relay.learned(peer.peer_id, Kind.TRANSACTION, [digest(number + 1)])

    def on_fee_filter(self, number: int) -> None:
        peer = self.peer(number)
        if peer is not None:
            self.relay.on_fee_filter(peer, FeeFilter(number), self.now)


class WatchedRequests(Watched):
    def make(self) -> RequestTracker:
        self.tracker = RequestTracker(self.wire, 5 * NS)
        return self.tracker

    def further(self) -> Iterable[Callable[[int], None]]:
        return (self.announced, self.announced, self.received, self.missing)

    def announced(self, number: int) -> None:
        peer = self.peer(number)
        if peer is not None:
            self.tracker.announced(peer.peer_id, map(digest, range(number, number + 3)), self.now)

    def received(self, number: int) -> None:
        self.tracker.received(map(digest, range(number, number + 2)), self.now)

    def missing(self, number: int) -> None:
        peer = self.peer(number)
        if peer is not None:
            self.tracker.missing(peer.peer_id, map(digest, range(20)), self.now)


class WatchedHandshake(Watched):
    def make(self) -> Handshake:
        self.handshake = Handshake(self.wire, CountedEntropy(), OurSide(GENESIS, ""))
        return self.handshake

    def join(self, number: int) -> None:
        self.handshake.peer_opened(self.open(inbound=number % 2 == 0, secured=False), self.now)

    def further(self) -> Iterable[Callable[[int], None]]:
        return (self.secure, self.secure, self.on_hello)

    def secure(self, number: int) -> None:
        peer = self.peer(number)
        if peer is not None and peer.is_open and not peer.can_be_sent_to:
            peer.secured()
            self.handshake.peer_secured(peer, self.now)

    def on_hello(self, number: int) -> None:
        peer = self.peer(number)
        if peer is not None and peer.can_be_sent_to and peer.hello is None:
            self.handshake.on_hello(peer, make_hello(protocol=number % 2))


class WatchedSlots(Watched):
    def make(self) -> SlotManager:
        self.addresses = AddressManager(self.wire, Random(1))
        self.slots = SlotManager(
            self.wire,
            Random(1),
            self.addresses,
            Misbehaviour(self.wire),
            nonce=OUR_NONCE,
            manual=[Endpoint(self.address(0))],
            max_outbound=2,
            max_inbound=2,
        )
        return self.slots

    def further(self) -> Iterable[Callable[[int], None]]:
        return (
            lambda number: void(self.addresses.add(self.address(number), self.now)),
            lambda number: self.addresses.forget(self.address(number)),
            lambda number: self.slots.add_manual(Endpoint(self.address(number)), self.now),
            lambda number: void(self.slots.remove_manual(self.address(number))),
            lambda number: self.slots.dial_once(Endpoint(self.address(number))),
            lambda number: self.slots.set_active(number % 4 != 0),
            self.answered,
            self.answered,
            self.unanswered,
            self.greet,
        )

    def address(self, number: int) -> NetAddress:
        return NetAddress(f"20.{number % 4}.0.1", 30700)

    def join(self, number: int) -> None:
        """An inbound connection."""
        self.take_in(NetAddress(self.address(number).host, 50_000 + self.opened), inbound=True)

    def answered(self, number: int) -> None:
        """A dial of ours succeeds."""
        if self.wire.dialled:
            self.take_in(self.wire.dialled.pop(number % len(self.wire.dialled)).address, inbound=False)

    def unanswered(self, number: int) -> None:
        if self.wire.dialled:
            self.slots.dial_failed(self.wire.dialled.pop(number % len(self.wire.dialled)).address, self.now)

    def take_in(self, address: NetAddress, *, inbound: bool) -> None:
        self.opened += 1
        peer = make_peer(self.opened, address.host, address.port, inbound=inbound, now=self.now, wire=self.wire)
        self.slots.peer_opened(peer, self.now)

    def greet(self, number: int) -> None:
        """A hello comes from a node at the host that we dialled, or from ourselves."""
        peer = self.peer(number)
        if peer is None or not peer.is_open or peer.hello is not None:
            return
        if number == 0:
            self.wire.hang_up(peer.peer_id, GoodbyeCode.SELF_CONNECTION, "")
            self.close(peer)
            return
        peer.accept_hello(make_hello(nonce=OUR_NONCE + 1 if number % 2 else 1))
        if self.slots.admits(peer):
            self.addresses.peer_ready(peer, self.now)


def void(result: object) -> None:
    """Ignore a result."""


@pytest.mark.parametrize(
    "kind",
    [WatchedPing, WatchedFees, WatchedRelay, WatchedRequests, WatchedHandshake, WatchedSlots],
    ids=lambda kind: kind.__name__.removeprefix("Watched").lower(),
)
@given(
    steps=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 12), st.sampled_from((0, 0, 1, 3, 40))), max_size=60)
)
def test_a_manager_asks_to_be_polled_in_time(kind: type[Watched], steps: list[tuple[int, int, int]]) -> None:
    watched = kind()
    watched.check()
    for action, number, quarters in steps:
        watched.wait(quarters * NS // 4)
        watched.check()
        watched.actions[action % len(watched.actions)](number)
        watched.check()
        if number == 12:
            watched.poll_too_early()
            watched.check()
