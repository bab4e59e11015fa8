"""The address table: what it accepts, sends, draws and keeps, and what an attacker can do to it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pychain.base.entropy import Random
from pychain.base.errors import DecodeError
from pychain.base.time import Now
from pychain.p2p import limits, saved
from pychain.p2p.addresses import AddressManager
from pychain.p2p.messages import AddressEntry, Addrs, GetAddrs
from pychain.p2p.netaddress import NetAddress
from pychain.p2p.peer import Peer
from tests.p2p.recording import START_S, RecordingWire, at, make_hello, make_peer
from tests.p2p.strategies import damaged, ipv4_hosts, ipv6_hosts, ports

DAY = 86_400


def public(number: int, port: int = 30700) -> NetAddress:
    """An address in a separate network group (16 bits), from the groups that are neither private nor special."""
    return NetAddress(f"{20 + number // 256}.{number % 256}.0.1", port)


def entries(addresses: Iterable[NetAddress], last_seen: int = START_S) -> Addrs:
    return Addrs(tuple(AddressEntry(str(address), last_seen, 0) for address in addresses))


def setup(seed: int = 1) -> tuple[RecordingWire, AddressManager]:
    wire = RecordingWire()
    return wire, AddressManager(wire, Random(seed))


def ready(manager: AddressManager, peer_id: int, host: str = "198.51.100.7", *, inbound: bool = False) -> Peer:
    peer = make_peer(peer_id, host, inbound=inbound, hello=make_hello())
    manager.peer_ready(peer, at(0))
    return peer


def table(manager: AddressManager) -> list[NetAddress]:
    return sorted((known.address for known in manager.known()), key=str)


def accept_all(address: NetAddress) -> bool:
    return False


# --- learning


def test_peers_are_noted_where_they_listen() -> None:
    _, manager = setup()
    ready(manager, 1, "198.51.100.7")
    ready(manager, 2, "203.0.113.9", inbound=True)
    manager.peer_ready(make_peer(3, "203.0.113.10", inbound=True, hello=make_hello(listen_port=0)), at(0))
    assert table(manager) == [NetAddress("198.51.100.7", 30700), NetAddress("203.0.113.9", 30700)]


def test_an_address_was_alive_as_long_as_we_were_connected() -> None:
    _, manager = setup()
    peer = ready(manager, 1)
    manager.peer_closed(peer, at(500))
    assert [known.last_seen for known in manager.known()] == [START_S + 500]


def test_only_those_we_dialled_are_asked() -> None:
    wire, manager = setup()
    ready(manager, 1)
    ready(manager, 2, inbound=True)
    assert wire.sent == [(1, GetAddrs())]


def test_one_full_answer_is_taken_from_who_was_asked_and_little_from_who_was_not() -> None:
    _, manager = setup()
    asked, unasked = ready(manager, 1, "198.51.100.7"), ready(manager, 2, "203.0.113.9", inbound=True)
    before = len(manager)
    manager.on_addrs(unasked, entries(map(public, range(50))), at(0))
    assert len(manager) == before + 1
    manager.on_addrs(unasked, entries(map(public, range(50))), at(30))
    assert len(manager) == before + 3, "one in ten seconds; the known first one takes a token, too"
    manager.on_addrs(asked, entries(map(public, range(100, 400))), at(30))
    assert len(manager) == before + 303


def test_what_one_group_says_fills_a_part_of_the_table_only() -> None:
    _, manager = setup()
    for peer_id in range(1, 4):
        peer = ready(manager, peer_id, f"198.51.100.{peer_id}")
        manager.on_addrs(peer, entries(public(number) for number in range(peer_id * 400, peer_id * 400 + 400)), at(0))
    assert len(manager) == 3 + 512
    other = ready(manager, 9, "203.0.113.9")
    manager.on_addrs(other, entries(map(public, range(5000, 5010))), at(0))
    assert len(manager) == 4 + 512 + 10


@pytest.mark.parametrize(
    ("teller", "address", "taken"),
    [
        ("198.51.100.7", "/ip4/203.0.113.1/tcp/1", True),
        ("198.51.100.7", "/ip4/127.0.0.1/tcp/1", False),
        ("127.0.0.1", "/ip4/127.0.0.1/tcp/1", True),
        ("198.51.100.7", "/ip4/192.168.1.1/tcp/1", False),
        ("192.168.1.5", "/ip4/192.168.1.1/tcp/1", True),
        ("127.0.0.1", "/ip4/192.168.1.1/tcp/1", True),
        ("192.168.1.5", "/ip4/127.0.0.1/tcp/1", False),
        ("198.51.100.7", "/dns/node.example/tcp/1", False),
        ("198.51.100.7", "/ip4/224.0.0.1/tcp/1", False),
        ("198.51.100.7", "/ip4/0.0.0.0/tcp/1", False),
        ("198.51.100.7", "/onion3/abc/tcp/1", False),
        ("198.51.100.7", "nonsense", False),
    ],
)
def test_only_addresses_that_mean_something_here_are_taken(teller: str, address: str, taken: bool) -> None:
    _, manager = setup()
    peer = ready(manager, 1, teller)
    before = len(manager)
    manager.on_addrs(peer, Addrs((AddressEntry(address, START_S, 0),)), at(0))
    assert len(manager) - before == taken


@pytest.mark.parametrize(
    ("claimed", "kept"),
    [
        (START_S, START_S - 7200),
        (START_S + 601, START_S - 5 * DAY - 7200),
        (2**64 - 1, START_S - 5 * DAY - 7200),
        (5, 0),
    ],
)
def test_hearsay_is_aged_and_the_future_is_not_believed(claimed: int, kept: int) -> None:
    _, manager = setup()
    peer = ready(manager, 1)
    manager.on_addrs(peer, entries([public(1)], claimed), at(0))
    assert [known.last_seen for known in manager.known() if known.address == public(1)] == [kept]


def test_a_known_address_is_freshened_by_clearly_newer_reports_only() -> None:
    _, manager = setup()
    assert manager.add(public(1), at(0), last_seen=1000)
    assert not manager.add(public(1), at(0), last_seen=1000 + 1200)
    assert not manager.add(public(1), at(0), last_seen=900)
    (known,) = manager.known()
    assert known.last_seen == 1000
    manager.add(public(1), at(0), last_seen=1000 + 1201, services=3)
    assert (known.last_seen, known.services) == (2201, 3)


def test_a_full_table_gives_up_the_failing_and_old_but_never_what_works() -> None:
    _, manager = setup()
    for number in range(limits.MAX_ADDRESS_TABLE):
        manager.add(public(number), at(0))
    for peer_id in range(100):
        manager.peer_ready(make_peer(peer_id, public(peer_id).host, hello=make_hello()), at(0))
    for number in range(5000, 7000):
        manager.add(public(number), at(1), source="somebody" if number % 2 else "")
    kept = set(table(manager))
    assert len(kept) == len(manager) == limits.MAX_ADDRESS_TABLE
    assert all(public(number) in kept for number in range(100))
    assert sum(public(number) in kept for number in range(5000, 7000)) > 1000


# --- answering


def answer(wire: RecordingWire, peer_id: int) -> list[NetAddress]:
    (addrs,) = wire.sent_to(peer_id, Addrs)
    return [NetAddress.parse(entry.multiaddr) for entry in addrs.entries]


def test_a_small_table_is_told_whole_except_the_asker() -> None:
    wire, manager = setup()
    for number in range(60):
        manager.add(public(number), at(0))
    peer = ready(manager, 1, inbound=True)
    manager.on_get_addrs(peer, GetAddrs(), at(0))
    assert sorted(answer(wire, 1), key=str) == sorted(map(public, range(60)), key=str)


def test_a_large_table_is_told_in_part() -> None:
    wire, manager = setup()
    for number in range(1000):
        manager.add(public(number), at(0))
    peer = make_peer(1, inbound=True, hello=make_hello(listen_port=0))
    manager.peer_ready(peer, at(0))
    manager.on_get_addrs(peer, GetAddrs(), at(0))
    told = answer(wire, 1)
    assert len(told) == len(set(told)) == 230


def test_an_answer_is_given_once_and_to_inbound_peers_alone() -> None:
    wire, manager = setup()
    inbound, outbound = ready(manager, 1, inbound=True), ready(manager, 2, "203.0.113.9")
    for _ in range(3):
        manager.on_get_addrs(inbound, GetAddrs(), at(0))
        manager.on_get_addrs(outbound, GetAddrs(), at(0))
    assert len(wire.sent_to(1, Addrs)) == 1
    assert wire.sent_to(2, Addrs) == []


def test_stale_and_foreign_addresses_are_not_told() -> None:
    wire, manager = setup()
    manager.add(NetAddress("127.0.0.1", 1), at(0))
    manager.add(NetAddress("10.0.0.1", 1), at(0))
    manager.add(public(1), at(0), last_seen=START_S - 31 * DAY)
    manager.add(public(2), at(0))
    for _ in range(3):
        manager.tried(public(2), at(0))
    manager.add(public(3), at(0))
    manager.on_get_addrs(ready(manager, 1, inbound=True), GetAddrs(), at(0))
    assert answer(wire, 1) == [public(3)]


# --- relaying


def passed_on(wire: RecordingWire, manager: AddressManager, seconds: float) -> dict[int, list[NetAddress]]:
    """The addresses that each peer has been sent by a time."""
    manager.poll(at(seconds))
    told: dict[int, list[NetAddress]] = {}
    for peer_id, message in wire.sent:
        if isinstance(message, Addrs):
            told.setdefault(peer_id, []).extend(NetAddress.parse(entry.multiaddr) for entry in message.entries)
    return told


def crowd(manager: AddressManager, count: int) -> list[Peer]:
    """Outbound peers whose answers are here; each is new to us in turn."""
    peers = [ready(manager, number, public(number).host) for number in range(1, count + 1)]
    for peer in peers:
        manager.on_addrs(peer, Addrs(()), at(0))
    return peers


def test_an_address_that_is_new_is_passed_on_to_two_others_in_a_while() -> None:
    wire, manager = setup()
    crowd(manager, 9)
    before = passed_on(wire, manager, 60)
    newcomer = make_peer(20, public(20).host, inbound=True, hello=make_hello())
    manager.peer_ready(newcomer, at(60))
    deadline = manager.deadline()
    assert deadline is not None
    assert at(65).mono_ns <= deadline <= at(75).mono_ns
    assert passed_on(wire, manager, 64.9) == before
    after = passed_on(wire, manager, 75)
    assert public(20) not in after.get(newcomer.peer_id, [])
    assert sum(addresses.count(public(20)) for addresses in after.values()) == 2
    assert manager.deadline() is None


def test_one_that_is_told_goes_on_once_and_not_back() -> None:
    wire, manager = setup()
    teller, other = crowd(manager, 2)
    passed_on(wire, manager, 60)
    wire.sent.clear()
    manager.on_addrs(teller, entries([public(20)]), at(60))
    manager.on_addrs(other, entries([public(20)]), at(60))
    assert passed_on(wire, manager, 100) == {other.peer_id: [public(20)]}


@pytest.mark.parametrize(
    ("addrs", "goes_on"),
    [
        (entries(map(public, range(20, 30))), True),
        (entries(map(public, range(20, 31))), False),  # an answer
        (entries([public(20)], START_S - 600), True),
        (entries([public(20)], START_S - 601), False),  # old
        (entries([public(20)], START_S + 601), False),  # from the future
    ],
)
def test_only_news_goes_on(addrs: Addrs, goes_on: bool) -> None:
    wire, manager = setup()
    teller, _ = crowd(manager, 2)
    passed_on(wire, manager, 60)
    wire.sent.clear()
    manager.on_addrs(teller, addrs, at(0))
    expected = [NetAddress.parse(entry.multiaddr) for entry in addrs.entries]
    assert passed_on(wire, manager, 100) == ({2: expected} if goes_on else {})


def test_an_answer_does_not_go_on_however_short() -> None:
    wire, manager = setup()
    crowd(manager, 2)
    passed_on(wire, manager, 60)
    wire.sent.clear()
    asked = make_peer(20, public(1).host, hello=make_hello())  # known, so nothing is told of it
    manager.peer_ready(asked, at(60))
    manager.on_addrs(asked, entries([public(30)], START_S + 60), at(60))
    assert passed_on(wire, manager, 100) == {}
    manager.on_addrs(asked, entries([public(31)], START_S + 100), at(100))
    assert list(passed_on(wire, manager, 200).values()) == [[public(31)]] * 2


def test_a_private_address_goes_to_private_peers_alone() -> None:
    wire, manager = setup()
    for number, host in enumerate(["198.51.100.7", "10.0.0.1", "127.0.0.1", "203.0.113.9"]):
        ready(manager, number, host)
    passed_on(wire, manager, 60)
    wire.sent.clear()
    manager.peer_ready(make_peer(20, "10.0.0.2", inbound=True, hello=make_hello()), at(60))
    manager.peer_ready(make_peer(21, "127.0.0.2", inbound=True, hello=make_hello()), at(60))
    told = passed_on(wire, manager, 100)
    assert sorted(told) == [1, 2]
    assert NetAddress("127.0.0.2", 30700) not in told[1]


def test_however_many_nodes_come_a_peer_is_told_little() -> None:
    """Otherwise the peer would penalise us for flooding."""
    wire, manager = setup()
    crowd(manager, 2)
    passed_on(wire, manager, 60)
    wire.sent.clear()
    for number in range(1000):
        second = 60 + number / 100
        newcomer = make_peer(100 + number, public(100 + number).host, inbound=True, hello=make_hello(listen_port=1))
        manager.peer_ready(newcomer, at(second))
        manager.peer_closed(newcomer, at(second))
        manager.poll(at(second))
    manager.poll(at(100))
    for peer_id in (1, 2):
        messages = wire.sent_to(peer_id, Addrs)
        assert 1 <= len(messages) <= 4
        assert all(len(message.entries) <= limits.MAX_RELAYED_ADDRS for message in messages)


def test_who_is_gone_is_told_nothing() -> None:
    wire, manager = setup()
    peers = crowd(manager, 2)
    for peer in peers:
        manager.peer_closed(peer, at(1))
    assert passed_on(wire, manager, 100) == {}
    assert manager.deadline() is None


# --- dialling


def test_the_wait_doubles_with_failures_and_the_address_is_forgotten_in_the_end() -> None:
    _, manager = setup()
    manager.add(public(1), at(0))
    moment = 0
    waits = []
    while len(manager):
        assert manager.select(at(moment), accept_all) == public(1)
        manager.tried(public(1), at(moment))
        tried_at = moment
        while len(manager) and manager.select(at(moment), accept_all) is None:
            moment += 1
        waits.append(moment - tried_at)
    assert waits == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 0]


def test_a_success_ends_the_backoff_but_not_the_pause() -> None:
    _, manager = setup()
    manager.add(public(1), at(0))
    for second in (0, 100, 200):
        manager.tried(public(1), at(second))
    manager.peer_ready(make_peer(1, public(1).host, hello=make_hello()), at(200))
    assert manager.select(at(209), accept_all) is None
    assert manager.select(at(210), accept_all) == public(1)


def test_a_clock_set_back_does_not_lock_an_address() -> None:
    _, manager = setup()
    manager.add(public(1), at(0))
    manager.tried(public(1), at(0))
    assert manager.select(Now(at(1).mono_ns, START_S - 400 * DAY), accept_all) == public(1)


def test_refused_addresses_are_not_selected_and_all_others_are() -> None:
    _, manager = setup()
    for number in range(20):
        manager.add(public(number), at(0))
    assert manager.select(at(0), lambda address: True) is None
    odd = {public(number) for number in range(1, 20, 2)}
    seen = {manager.select(at(0), lambda address: address not in odd) for _ in range(300)}
    assert seen == odd


def test_about_half_of_the_dials_prefer_proven_addresses() -> None:
    _, manager = setup()
    for number in range(40):
        manager.add(public(number), at(0))
    manager.peer_ready(make_peer(1, public(0).host, hello=make_hello()), at(0))
    proven = sum(manager.select(at(100), accept_all) == public(0) for _ in range(2000))
    assert 900 < proven < 1150  # half, and one in forty of the rest; six standard errors


# --- persistence


addresses = st.builds(NetAddress, st.one_of(ipv4_hosts, ipv6_hosts), ports)


@given(st.lists(addresses, max_size=20), st.integers(0, 2**64 - 1))
def test_the_table_survives_a_restart(given_addresses: list[NetAddress], seed: int) -> None:
    _, manager = setup(seed)
    for number, address in enumerate(given_addresses):
        manager.add(address, at(number), services=number, source="group" if number % 2 else "")
        for _ in range(number % 4):
            manager.tried(address, at(number))
    _, restarted = setup(seed)
    restarted.load(manager.dump())
    assert restarted.dump() == manager.dump()
    assert table(restarted) == table(manager)


def sample_dump() -> bytes:
    _, manager = setup()
    for number in range(3):
        manager.add(public(number), at(0))
    return manager.dump()


@given(st.one_of(st.binary(max_size=100), damaged(st.just(sample_dump()))))
def test_a_damaged_dump_raises_decode_error_and_changes_nothing(data: bytes) -> None:
    if data != sample_dump():
        _, manager = setup()
        manager.add(public(7), at(0))
        with pytest.raises(DecodeError):
            manager.load(data)
        assert table(manager) == [public(7)]


ROW = ["/ip4/192.0.2.1/tcp/1", 0, 0, "", 0, 0, 0]


@pytest.mark.parametrize(
    "rows",
    [
        [["nonsense", *ROW[1:]]],
        [[*ROW[:4], 2**31, 0, 0]],
        [[ROW[0], -1, *ROW[2:]]],
        [["x" * 1000, *ROW[1:]]],
        [ROW] * 4097,
    ],
)
def test_a_dump_with_impossible_rows_raises_decode_error(rows: object) -> None:
    _, manager = setup()
    with pytest.raises(DecodeError):
        manager.load(saved.dump(b"pychain addresses 1\n", rows))


def test_a_dump_that_names_an_address_twice_counts_it_once() -> None:
    _, manager = setup()
    manager.load(saved.dump(b"pychain addresses 1\n", [ROW, [*ROW[:2], 9, *ROW[3:]]]))
    assert len(manager) == len(list(manager.known())) == 1


# --- any order of events


class Table(RuleBasedStateMachine):
    """The two views of the table and the counts by source agree, and the same calls give the same table."""

    def __init__(self) -> None:
        super().__init__()
        self.twins = [AddressManager(RecordingWire(), Random(7)) for _ in range(2)]
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(limits, "MAX_ADDRESS_TABLE", 12)
        self.patch.setattr(limits, "MAX_ADDRESSES_BY_SOURCE", 4)

    def teardown(self) -> None:
        self.patch.undo()

    @rule(number=st.integers(0, 40), source=st.sampled_from(("", "a", "b", "c")), second=st.integers(0, 99))
    def add(self, number: int, source: str, second: int) -> None:
        results = [twin.add(public(number), at(second), source=source) for twin in self.twins]
        assert results[0] == results[1]

    @rule(number=st.integers(0, 40))
    def forget(self, number: int) -> None:
        for twin in self.twins:
            twin.forget(public(number))
            assert public(number) not in twin

    @rule(number=st.integers(0, 40), times=st.integers(1, 12))
    def fail(self, number: int, times: int) -> None:
        for twin in self.twins:
            for _ in range(times):
                twin.tried(public(number), at(0))

    @rule(second=st.integers(0, 10_000))
    def select(self, second: int) -> None:
        chosen = [twin.select(at(second), accept_all) for twin in self.twins]
        assert chosen[0] == chosen[1]
        assert chosen[0] is None or chosen[0] in self.twins[0]

    @invariant()
    def agrees(self) -> None:
        twin = self.twins[0]
        rows = list(twin.known())
        assert len({known.address for known in rows}) == len(rows) == len(twin) <= 12
        assert all(known.address in twin and rows[known.row] is known for known in rows)
        by_source = {source: sum(known.source == source for known in rows) for source in ("a", "b", "c")}
        assert all(count <= 4 for count in by_source.values())
        assert {source: count for source, count in twin._by_source.items() if source} == {
            source: count for source, count in by_source.items() if count
        }
        assert twin.dump() == self.twins[1].dump()


TestTable = Table.TestCase
