"""Misbehaviour: points, discouragement that expires, bans that survive a restart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import DecodeError
from pychain.p2p import limits, saved
from pychain.p2p.messages import GoodbyeCode
from pychain.p2p.misbehaviour import POINTS, Misbehaviour, Offence, parse_network
from pychain.p2p.netaddress import AddressError, NetAddress
from tests.p2p.recording import START_S, RecordingWire, at, make_hello, make_peer
from tests.p2p.strategies import damaged

HOST = "198.51.100.7"
HOUR = 3600


@pytest.fixture
def wire() -> RecordingWire:
    return RecordingWire()


@pytest.fixture
def judge(wire: RecordingWire) -> Misbehaviour:
    return Misbehaviour(wire)


def test_every_offence_has_its_points() -> None:
    assert list(POINTS) == list(Offence)
    assert all(0 < points <= 100 for points in POINTS.values())


@pytest.mark.parametrize("offence", [offence for offence in Offence if POINTS[offence] >= 100])
def test_a_grave_offence_ends_the_connection_and_discourages_the_host(
    wire: RecordingWire, judge: Misbehaviour, offence: Offence
) -> None:
    peer = make_peer(1, HOST, inbound=True, hello=make_hello(), wire=wire)
    judge.offend(peer, offence, "what it was", at(0))
    code = GoodbyeCode.PROTOCOL_ERROR if offence is Offence.PROTOCOL_ERROR else GoodbyeCode.MISBEHAVIOUR
    assert wire.hung_up == [(1, code, f"{offence.value}: what it was")]
    assert judge.is_discouraged(NetAddress(HOST, 5), at(HOUR - 1))
    assert not judge.is_discouraged(NetAddress("198.51.100.8", 5), at(1))
    assert not judge.is_discouraged(NetAddress(HOST, 5), at(HOUR))


def test_small_offences_add_up_within_a_short_time(wire: RecordingWire, judge: Misbehaviour) -> None:
    peer = make_peer(1, HOST, hello=make_hello(), wire=wire)
    for count in range(5):
        assert wire.ended() == []
        judge.offend(peer, Offence.WRONG_ANSWER, "", at(count))
    assert wire.ended() == [(1, GoodbyeCode.MISBEHAVIOUR)]


def test_small_offences_are_forgiven_in_time(wire: RecordingWire, judge: Misbehaviour) -> None:
    peer = make_peer(1, HOST, hello=make_hello(), wire=wire)
    for count in range(1000):
        judge.offend(peer, Offence.FLOODING, "", at(20 * count))
    assert wire.ended() == []
    assert judge.points(1, at(20 * 999)) == 2
    assert judge.points(1, at(20 * 999 + 10)) == 1
    assert judge.points(1, at(20 * 1001)) == 0


@given(st.lists(st.integers(0, 25), min_size=1, max_size=30))
def test_forgiveness_is_the_same_however_often_one_looks(gaps: list[int]) -> None:
    looked, unlooked = Misbehaviour(RecordingWire()), Misbehaviour(RecordingWire())
    peer = make_peer(1, HOST, hello=make_hello())
    for judge in (looked, unlooked):
        judge.offend(peer, Offence.WRONG_ANSWER, "", at(0))
    moment = 0
    for gap in gaps:
        moment += gap
        looked.points(1, at(moment))
    assert looked.points(1, at(moment)) == unlooked.points(1, at(moment)) == max(20 - moment // 10, 0)


def test_loopback_is_disconnected_and_not_discouraged(wire: RecordingWire, judge: Misbehaviour) -> None:
    judge.offend(make_peer(1, "127.0.0.1", hello=make_hello(), wire=wire), Offence.INVALID_BLOCK, "", at(0))
    assert wire.ended() == [(1, GoodbyeCode.MISBEHAVIOUR)]
    assert not judge.is_discouraged(NetAddress("127.0.0.1", 1), at(0))


def test_whom_the_operator_asked_for_is_not_punished_unless_the_stream_is_broken(
    wire: RecordingWire, judge: Misbehaviour
) -> None:
    peer = make_peer(1, HOST, manual=True, hello=make_hello(), wire=wire)
    judge.offend(peer, Offence.INVALID_BLOCK, "", at(0))
    assert wire.ended() == []
    judge.offend(peer, Offence.PROTOCOL_ERROR, "", at(0))
    assert wire.ended() == [(1, GoodbyeCode.PROTOCOL_ERROR)]
    assert not judge.is_discouraged(peer.address, at(0))


def test_one_ipv6_customer_is_one_host(wire: RecordingWire, judge: Misbehaviour) -> None:
    judge.offend(make_peer(1, "2001:db8:1:2::1", hello=make_hello()), Offence.INVALID_BLOCK, "", at(0))
    assert judge.is_discouraged(NetAddress("2001:db8:1:2:ffff::9", 1), at(0))
    assert not judge.is_discouraged(NetAddress("2001:db8:1:3::1", 1), at(0))


def test_the_table_of_discouraged_hosts_is_bounded_oldest_first(
    judge: Misbehaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_DISCOURAGED", 3)
    hosts = [NetAddress(f"198.51.100.{number}", 1) for number in range(5)]
    after = {}
    for peer_id, number in enumerate((1, 2, 3, 3, 1, 4)):
        judge.offend(make_peer(peer_id, hosts[number].host, hello=make_hello()), Offence.INVALID_BLOCK, "", at(0))
        after[peer_id] = [number for number, host in enumerate(hosts) if judge.is_discouraged(host, at(0))]
    assert after[3] == [1, 2, 3]
    assert after[5] == [1, 3, 4]


def test_points_go_with_the_connection(judge: Misbehaviour) -> None:
    peer = make_peer(1, HOST, hello=make_hello())
    judge.offend(peer, Offence.WRONG_ANSWER, "", at(0))
    judge.peer_closed(peer, at(0))
    assert judge.points(1, at(0)) == 0


# --- bans


def test_a_ban_covers_its_network_until_its_time(judge: Misbehaviour) -> None:
    judge.ban(parse_network("198.51.100.0/24"), START_S + 100, at(0))
    assert judge.is_banned(NetAddress(HOST, 1), at(99))
    assert not judge.is_banned(NetAddress("198.51.101.7", 1), at(0))
    assert not judge.is_banned(NetAddress("2001:db8::1", 1), at(0))
    assert not judge.is_banned(NetAddress("node.example", 1), at(0))
    assert not judge.is_banned(NetAddress(HOST, 1), at(100))
    assert len(judge.bans(at(99))) == 1
    assert judge.bans(at(100)) == []


def test_a_ban_is_lifted_by_its_exact_name(judge: Misbehaviour) -> None:
    judge.ban(parse_network(HOST), START_S + 100, at(0))
    assert not judge.unban(parse_network("198.51.100.0/24"))
    assert judge.unban(parse_network(f"{HOST}/32"))
    assert not judge.is_banned(NetAddress(HOST, 1), at(0))


def test_bans_are_bounded_and_expired_ones_make_room(judge: Misbehaviour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BANS", 2)
    for number in (1, 2):
        judge.ban(parse_network(f"192.0.2.{number}"), START_S + 10 * number, at(0))
    with pytest.raises(AddressError, match="2 bans already"):
        judge.ban(parse_network("192.0.2.3"), START_S + 100, at(0))
    judge.ban(parse_network("192.0.2.2"), START_S + 50, at(0))
    judge.ban(parse_network("192.0.2.3"), START_S + 100, at(10))
    assert [str(ban.network) for ban in judge.bans(at(10))] == ["192.0.2.2/32", "192.0.2.3/32"]


@pytest.mark.parametrize("text", ["", "node.example", "192.0.2.1/33", "192.0.2.1:5", "x" * 500])
def test_what_cannot_be_banned_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_network(text)
    assert len(str(caught.value)) < 200


networks = st.one_of(
    st.ip_addresses().map(lambda ip: parse_network(str(ip))),
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)).map(lambda pair: parse_network(f"{pair[0]}/{pair[1]}")),
)


@given(st.lists(st.tuples(networks, st.integers(START_S + 1, 2**40)), max_size=8))
def test_bans_survive_a_restart(bans: list[tuple[object, int]]) -> None:
    judge, restarted = Misbehaviour(RecordingWire()), Misbehaviour(RecordingWire())
    for network, until in bans:
        judge.ban(parse_network(str(network)), until, at(0))
    restarted.load(judge.dump())
    assert restarted.bans(at(0)) == judge.bans(at(0))


def sample_dump() -> bytes:
    judge = Misbehaviour(RecordingWire())
    judge.ban(parse_network("192.0.2.0/24"), START_S + 100, at(0))
    return judge.dump()


@given(st.one_of(st.binary(max_size=100), damaged(st.just(sample_dump()))))
def test_a_damaged_dump_raises_decode_error_and_changes_nothing(data: bytes) -> None:
    if data != sample_dump():
        judge = Misbehaviour(RecordingWire())
        judge.ban(parse_network("203.0.113.1"), START_S + 100, at(0))
        with pytest.raises(DecodeError):
            judge.load(data)
        assert len(judge.bans(at(0))) == 1


@pytest.mark.parametrize("rows", [[["nonsense", 0, 0]], [["192.0.2.1", -1, 0]], [["192.0.2.1", 0, 0]] * 1025])
def test_a_dump_with_impossible_rows_raises_decode_error(judge: Misbehaviour, rows: object) -> None:
    with pytest.raises(DecodeError):
        judge.load(saved.dump(b"pychain bans 1\n", rows))
