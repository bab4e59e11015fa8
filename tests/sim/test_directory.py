"""Addresses and names of a world."""

from __future__ import annotations

from collections import Counter

import pytest

from pychain.consensus.rulebook import Rulebook
from pychain.node.events import PeerDown
from pychain.p2p.netaddress import NetAddress
from pychain.sim.directory import Directory
from pychain.sim.network import LinkModel
from pychain.sim.world import FIRST_EPHEMERAL_PORT, PORT, World
from tests.support.networks import quick_spec

HOSTS = 10_000


def test_ten_thousand_hosts_have_ten_thousand_public_addresses() -> None:
    directory = Directory(PORT)
    addresses = [directory.address_of(f"n{i}") for i in range(HOSTS)]
    assert len({address.host for address in addresses}) == HOSTS
    assert all(address.is_usable and not address.is_local for address in addresses)


def test_hosts_are_spread_over_network_groups() -> None:
    directory = Directory(PORT)
    groups = Counter(directory.address_of(f"n{i}").netgroup for i in range(HOSTS))
    assert len(groups) > HOSTS * 8 // 10
    assert max(groups.values()) < 10


def test_an_address_follows_from_the_name() -> None:
    one, other = Directory(PORT), Directory(PORT)
    names = [f"n{i}" for i in range(100)]
    assert [one.address_of(name) for name in names] == [other.address_of(name) for name in reversed(names)][::-1]
    assert one.address_of("n7") == one.address_of("n7") != one.address_of("n8")


def test_of_two_hosts_that_draw_one_address_the_later_one_draws_again(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = {
        b"a/0": b"\x01\x02\x03\x04",
        b"b/0": b"\x01\x02\x03\x04",
        b"b/1": b"\x0a\x00\x00\x01",
        b"b/2": b"\x05\x06\x07\x08",
    }
    monkeypatch.setattr("pychain.sim.directory.native.sha256d", draws.__getitem__)
    directory = Directory(PORT)
    assert directory.address_of("a") == NetAddress("1.2.3.4", PORT)
    assert directory.address_of("b") == NetAddress("5.6.7.8", PORT), "10.0.0.1 is private"


def test_a_name_leads_to_hosts_at_the_port_that_was_asked_for() -> None:
    directory = Directory(PORT)
    directory.name("seed.test", ["a", "b"])
    expected = tuple(NetAddress(directory.address_of(host).host, 1234) for host in ("a", "b"))
    assert directory.resolve("seed.test", 1234) == expected
    assert directory.resolve("SEED.test.", 1234) == expected
    directory.name("seed.test", ["b"])
    assert directory.resolve("seed.test", 1234) == expected[1:]


def test_an_unknown_name_leads_nowhere_and_an_address_to_itself() -> None:
    directory = Directory(PORT)
    assert directory.resolve("nowhere.test", PORT) == ()
    assert directory.resolve("2001:db8::1", 1234) == (NetAddress("2001:db8::1", 1234),)


def test_a_name_can_be_without_an_answer() -> None:
    directory = Directory(PORT)
    directory.name("seed.test", None)
    assert directory.resolve("seed.test", PORT) is None


def test_no_two_hosts_have_one_name() -> None:
    world = World(Rulebook(quick_spec()), seed=1)
    world.add("a")
    with pytest.raises(ValueError, match="'a'"):
        world.add("a")


def test_the_dialled_see_the_diallers_host_and_an_ephemeral_port() -> None:
    world = World(Rulebook(quick_spec()), seed=1)
    b, a = world.add("b"), world.add("a", ["b"])
    world.start()
    world.run_for(5)
    (peer,) = b.node.queries.peers()
    assert peer.address.host == a.address.host
    assert peer.address.port >= FIRST_EPHEMERAL_PORT > PORT


def test_a_link_may_be_laid_before_its_hosts_are_added() -> None:
    world = World(Rulebook(quick_spec()), seed=1)
    world.network.set_link("a", "c", LinkModel(latency_ns=1_000_000_000))
    a, near, far = world.add("a", ["b", "c"]), world.add("b"), world.add("c")
    world.start()
    world.run_for(1)
    assert [len(list(host.node.queries.peers())) for host in (a, near, far)] == [1, 1, 0]
    world.run_for(10)
    assert [len(list(host.node.queries.peers())) for host in (a, near, far)] == [2, 1, 1]


def test_a_dial_of_an_earlier_life_ends_with_it() -> None:
    """Otherwise the node would hear of two connections where it dialled one."""
    world = World(Rulebook(quick_spec()), seed=1)
    b, a = world.add("b"), world.add("a", ["b"])
    world.start()
    a.crash()
    a.start()
    world.run_for(5)
    assert len(list(b.node.queries.peers())) == 1
    assert [event for event in b.events if isinstance(event, PeerDown)] == []
