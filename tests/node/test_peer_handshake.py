"""The handshake with a node: which peers are accepted, why others are refused, and what may be sent before hello."""

from __future__ import annotations

import pytest

from pychain.node.config import NodeConfig
from pychain.node.effects import Dial
from pychain.node.events import PeerDown, PeerUp
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress
from tests.support import puppet, wire
from tests.support.forge import genesis
from tests.support.memory import peak_of
from tests.support.network import Network
from tests.support.puppet import Puppet, Stage

NETWORK = Network()
ROOT = genesis(NETWORK)
HERE = NETWORK.genesis_hash
BIG = 4096
"""Payload bytes allowed before hello (docs/wire.md)."""


@pytest.fixture
def stage() -> Stage:
    return Stage(NETWORK)


def own_nonce(peer: Puppet) -> int:
    """The nonce in the node's hello."""
    return int(peer.all("hello")[0][8])


def ups(stage: Stage) -> int:
    return sum(isinstance(event, PeerUp) for event in stage.events)


def test_both_sides_say_hello_unasked(stage: Stage) -> None:
    peer = stage.puppet(ready=False)
    [fields] = peer.all("hello")
    assert fields[:1] == [1]
    assert fields[2:6] == [HERE, stage.wall_s, 0, puppet.chain_work([ROOT]).to_bytes(32, "big")]
    assert ups(stage) == 0
    peer.greet()
    assert ups(stage) == 1
    assert peer.all("ping")


def test_hello_tells_the_durable_tip(stage: Stage) -> None:
    blocks = puppet.grow(NETWORK, ROOT, 3)
    stage.chain_puppet(blocks)
    [fields] = stage.puppet(ready=False).all("hello")
    assert fields[4] == 3
    assert int.from_bytes(fields[5], "big") == puppet.chain_work([ROOT, *blocks])


def test_another_chain_is_refused_and_both_names_are_told(stage: Stage) -> None:
    there = Network(genesis_message="another chain").genesis_hash
    peer = stage.puppet(ready=False)
    peer.send(puppet.hello(there))
    assert peer.farewell is not None
    code, text = peer.farewell
    assert code == "wrong_network"
    assert wire.shown(HERE) in text
    assert wire.shown(there) in text
    assert peer.closed
    assert ups(stage) == 0


def test_another_chain_is_named_before_an_old_protocol(stage: Stage) -> None:
    peer = stage.puppet(ready=False)
    peer.send(puppet.hello(bytes(32), protocol=0))
    assert peer.farewell is not None
    assert peer.farewell[0] == "wrong_network"


def test_an_old_protocol_is_refused_and_a_newer_one_is_not(stage: Stage) -> None:
    old, new = stage.puppet(ready=False), stage.puppet(ready=False)
    old.greet(protocol=0)
    assert old.farewell == ("old_protocol", "protocol version 0 is too old, 1 or newer is needed")
    new.greet(protocol=7)
    assert new.closed is None
    assert ups(stage) == 1


def test_a_connection_to_oneself_is_refused_and_its_address_not_dialled_again() -> None:
    own = Endpoint(NetAddress("203.0.113.1", 30700))
    stage = Stage(NETWORK, config=lambda rulebook: NodeConfig(rulebook, connect=(own,)))
    peer = stage.puppet(own.address.host, inbound=False, ready=False)
    peer.greet(nonce=own_nonce(peer))
    assert peer.farewell is not None
    assert peer.farewell[0] == "self_connection"
    dials = stage.effects.count(Dial(own))
    stage.wait(600)
    assert stage.effects.count(Dial(own)) == dials


def test_one_node_dialled_twice_keeps_the_first_connection(stage: Stage) -> None:
    first = stage.puppet("203.0.113.9", inbound=False, ready=False)
    first.greet(nonce=77)
    second = stage.puppet("203.0.113.9", inbound=False, ready=False)
    second.greet(nonce=77)
    assert second.farewell is not None
    assert second.farewell[0] == "duplicate"
    assert first.closed is None


@pytest.mark.parametrize("theirs_is_greater", [False, True])
def test_two_nodes_who_dial_each_other_agree_on_one_connection(stage: Stage, theirs_is_greater: bool) -> None:
    """The connection dialled by the greater nonce ends, whichever came first."""
    dialled = stage.puppet("203.0.113.9", inbound=False, ready=False)
    nonce = own_nonce(dialled) + (1 if theirs_is_greater else -1)
    dialled.greet(nonce=nonce)
    accepted = stage.puppet("203.0.113.9", inbound=True, ready=False)
    accepted.greet(nonce=nonce)
    loser, winner = (accepted, dialled) if theirs_is_greater else (dialled, accepted)
    assert loser.farewell is not None
    assert loser.farewell[0] == "duplicate"
    assert winner.closed is None


def test_a_nonce_repeated_from_another_host_refuses_nobody(stage: Stage) -> None:
    first = stage.puppet("203.0.113.9", ready=False)
    first.greet(nonce=77)
    mimic = stage.puppet("203.0.113.10", ready=False)
    mimic.greet(nonce=77)
    assert first.closed is None
    assert mimic.closed is None


def test_silence_ends_after_ten_seconds(stage: Stage) -> None:
    peer = stage.puppet(ready=False)
    stage.wait(9.9)
    assert peer.closed is None
    stage.wait(0.2)
    assert peer.farewell == ("timeout", "no hello within 10 s")
    assert any(isinstance(event, PeerDown) and event.peer == peer.peer for event in stage.events)


def test_a_hello_in_drops_has_ten_seconds_as_well(stage: Stage) -> None:
    peer = stage.puppet(ready=False)
    for byte in puppet.hello(HERE)[:-1]:
        peer.send(bytes([byte]))
        stage.wait(0.12)
    assert peer.farewell is not None
    assert peer.farewell[0] == "timeout"


def test_no_pong_ends_the_connection_and_pongs_keep_it(stage: Stage) -> None:
    deaf = stage.puppet(ready=False)
    deaf.polite = False
    deaf.greet()
    polite = stage.puppet()
    stage.wait(44)
    assert deaf.closed is None
    stage.wait(2)
    assert deaf.farewell == ("timeout", "no pong within 45 s")
    stage.wait(300)
    assert polite.closed is None
    assert len(polite.all("ping")) > 10


@pytest.mark.parametrize("length", [BIG + 1, 2**31, 2**32 - 1])
def test_an_oversize_frame_before_hello_ends_the_connection_at_its_length(stage: Stage, length: int) -> None:
    peer = stage.puppet(ready=False)
    assert peak_of(lambda: peer.send(length.to_bytes(4, "big"))) < 100_000
    assert peer.farewell is not None
    assert peer.farewell[0] == "protocol_error"
    assert peer.closed


@pytest.mark.parametrize("excess", [1, 2**31])
def test_an_oversize_frame_after_hello_ends_the_connection_at_its_length(stage: Stage, excess: int) -> None:
    peer = stage.puppet()
    assert peak_of(lambda: peer.send((stage.frame_limit + excess).to_bytes(4, "big"))) < 100_000
    assert peer.farewell is not None
    assert peer.farewell[0] == "protocol_error"
    assert peer.closed


def test_the_largest_frame_is_only_held_as_far_as_it_came(stage: Stage) -> None:
    peer = stage.puppet()
    peer.send(stage.frame_limit.to_bytes(4, "big"))
    assert peak_of(lambda: peer.send(bytes([99]) * 1000)) < 100_000
    assert peer.closed is None


def test_a_large_frame_may_stand_directly_behind_the_hello(stage: Stage) -> None:
    peer = stage.puppet(ready=False)
    hashes = [wire.sha256d(bytes([n])) for n in range(200)]
    peer.send(puppet.hello(HERE) + puppet.message("inv", puppet.TRANSACTION, hashes))
    assert peer.closed is None
    assert peer.wanted(puppet.TRANSACTION) == hashes


@pytest.mark.parametrize("name", sorted(puppet.TYPES.keys() - {"hello", "goodbye"}))
def test_nothing_else_may_come_before_hello(stage: Stage, name: str) -> None:
    peer = stage.puppet(ready=False)
    peer.send(WELL_FORMED[name])
    assert peer.farewell is not None
    assert peer.farewell[0] == "protocol_error"


def test_an_unknown_message_is_an_error_before_hello_and_passed_over_after_it(stage: Stage) -> None:
    early, late = stage.puppet(ready=False), stage.puppet()
    early.send(puppet.frame(bytes([200])))
    assert early.farewell is not None
    assert early.farewell[0] == "protocol_error"
    late.send(puppet.frame(bytes([200])))
    assert late.closed is None


def test_a_second_hello_is_an_error(stage: Stage) -> None:
    peer = stage.puppet()
    peer.greet()
    assert peer.farewell is not None
    assert peer.farewell[0] == "protocol_error"


@pytest.mark.parametrize("ready", [False, True])
def test_a_goodbye_ends_the_connection_and_is_repeated_to_the_operator(stage: Stage, ready: bool) -> None:
    peer = stage.puppet(ready=ready)
    peer.say("goodbye", "tea_time", "it is five\no'clock")
    assert peer.closed
    assert peer.farewell is None
    [down] = [event for event in stage.events if isinstance(event, PeerDown)]
    assert "tea_time" in down.reason
    assert down.reason.isprintable()


def test_nothing_is_read_after_the_end(stage: Stage) -> None:
    peer = stage.puppet(ready=False)
    said = puppet.hello(HERE, protocol=0)
    peer.send(said + puppet.hello(HERE) + puppet.message("ping", 5))
    assert not peer.all("pong")
    assert ups(stage) == 0


WELL_FORMED: dict[str, bytes] = {
    "ping": puppet.message("ping", 1),
    "pong": puppet.message("pong", 1),
    "get_addrs": puppet.message("get_addrs"),
    "addrs": puppet.message("addrs", []),
    "inv": puppet.message("inv", puppet.BLOCK, []),
    "want": puppet.message("want", puppet.BLOCK, []),
    "missing": puppet.message("missing", puppet.BLOCK, []),
    "txs": puppet.message("txs", []),
    "block": puppet.message("block", NETWORK.genesis),
    "get_headers": puppet.message("get_headers", [], puppet.NO_STOP),
    "headers": puppet.message("headers", []),
    "fee_filter": puppet.message("fee_filter", 0),
}
