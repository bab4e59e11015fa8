"""Peers that send too much, too little, or read nothing: each bound of docs/wire.md, at and beyond it."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import pytest

from pychain.node.effects import ReadBlocks
from tests.support import wire
from tests.support.forge import Forged, forge, genesis
from tests.support.keys import signer
from tests.support.memory import peak_of
from tests.support.network import Network
from tests.support.puppet import BLOCK, NO_STOP, TRANSACTION, Puppet, Stage, frame, grow, message

NETWORK = Network()
ROOT = genesis(NETWORK)
CHAIN = grow(NETWORK, ROOT, 300)
MANY = [sha256(number.to_bytes(4, "big")).digest() for number in range(20_000)]


@pytest.fixture(scope="module")
def store() -> Stage:
    """A node that has the whole chain."""
    stage = Stage(NETWORK)
    stage.chain_puppet(CHAIN).leave()
    return stage


@pytest.fixture
def stage(store: Stage) -> Stage:
    """A node that was just started on the chain: its bodies are on disk only."""
    return Stage(NETWORK, store=store.store)


def in_thousands(name: str, kind: int, hashes: list[bytes]) -> bytes:
    return b"".join(message(name, kind, hashes[start : start + 1000]) for start in range(0, len(hashes), 1000))


def points(stage: Stage, peer: Puppet) -> int:
    return stage.node.queries.points(peer.peer, stage.now)


# --- rates


def small(name: str, *fields: object) -> Callable[[int], bytes]:
    return lambda number: message(name, *fields)


ENDLESS: dict[str, Callable[[int], bytes]] = {
    "ping": small("ping", 1),
    "pong": small("pong", 1),
    "get_addrs": small("get_addrs"),
    "addrs": small("addrs", []),
    "inv": small("inv", TRANSACTION, []),
    "inv of a known block": small("inv", BLOCK, [ROOT.hash]),
    "want": small("want", TRANSACTION, []),
    "missing": small("missing", BLOCK, []),
    "txs": small("txs", []),
    "get_headers": small("get_headers", [], NO_STOP),
    "headers": small("headers", []),
    "a known header": small("headers", [CHAIN[0].header]),
    "a known block": small("block", CHAIN[0].raw),
    "fee_filter": small("fee_filter", 5),
    "unknown types": lambda number: frame(bytes([150 + number % 100])),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_small_messages_without_end_are_flooding(stage: Stage, name: str) -> None:
    """A peer that floods any kind of message is disconnected, and nothing of it is kept."""
    peer = stage.puppet()
    data = b"".join(ENDLESS[name](number) for number in range(2_100))
    peer.send(data)
    assert peer.farewell is not None
    assert peer.farewell[0] == "misbehaviour"
    assert "more messages than allowed" in peer.farewell[1]


@pytest.mark.parametrize("name", ["unknown types", "a known block", "a known header", "inv of a known block"])
def test_the_pace_of_an_honest_peer_is_no_flooding(stage: Stage, name: str) -> None:
    peer = stage.puppet()
    for second in range(20):
        peer.send(b"".join(ENDLESS[name](number) for number in range(90)))
        stage.wait(1)
        assert points(stage, peer) == 0, second


def test_what_is_over_the_rate_is_not_looked_at(stage: Stage) -> None:
    peer = stage.puppet()
    for _ in range(70):
        peer.say("ping", 9)
    assert len(peer.all("pong")) == 60
    assert points(stage, peer) == 2 * 10
    stage.wait(1)
    peer.say("ping", 9)
    assert len(peer.all("pong")) == 61


# --- announcements


def test_announcements_without_end_are_forgotten_beyond_a_bound(stage: Stage) -> None:
    """An inv flood: 256 objects are requested, at most 5,000 tracked, and memory stays constant."""
    peer = stage.puppet()
    peer.send(in_thousands("inv", TRANSACTION, MANY[:10_000]))
    assert peer.wanted(TRANSACTION) == MANY[:256]
    assert len(stage.node._parts.tracker) == 5_000
    more = [sha256(wanted).digest() for wanted in MANY]
    assert peak_of(lambda: peer.send(in_thousands("inv", TRANSACTION, more))) < 4_000_000
    assert len(stage.node._parts.tracker) == 5_000
    assert peer.closed is None


def test_a_flood_of_announcements_does_not_keep_others_from_being_heard(stage: Stage) -> None:
    for _ in range(12):
        stage.puppet().send(in_thousands("inv", TRANSACTION, MANY[:5_000]))
        MANY.append(MANY.pop(0))
    honest = stage.puppet()
    honest.say("inv", TRANSACTION, [wire.sha256d(b"news")])
    assert honest.wanted(TRANSACTION) == [wire.sha256d(b"news")]


def test_unknown_blocks_announced_without_end_ask_one_question_at_a_time(stage: Stage) -> None:
    peer = stage.puppet()
    for block_hash in MANY[:200]:
        peer.say("inv", BLOCK, [block_hash])
    assert len(peer.all("get_headers")) == 1
    assert peer.wanted(BLOCK) == []


# --- wants


def test_wants_for_what_is_not_here_are_answered_together(stage: Stage) -> None:
    peer = stage.puppet()
    for kind in (TRANSACTION, BLOCK):
        peer.say("want", kind, MANY[:1000])
        assert peer.take("missing") == [[kind, MANY[:1000]]]


def test_wants_without_end_are_refused_beyond_a_bound(stage: Stage) -> None:
    peer = stage.puppet()
    asked = [CHAIN[number % 300].hash for number in range(5_000)]
    stage.held_back = (ReadBlocks,)
    peer.send(in_thousands("want", BLOCK, asked))
    refused = [block_hash for fields in peer.all("missing") for block_hash in fields[1]]
    assert refused == asked[2_000:]
    stage.release()
    assert [wire.sha256d(fields[0][:80]) for fields in peer.all("block")] == asked[:2_000]
    assert peer.closed is None


def test_small_blocks_in_memory_are_served_in_portions(store: Stage) -> None:
    peer = store.puppet()
    peer.reads = False
    peer.say("want", BLOCK, [block.hash for block in CHAIN])
    served = len(peer.all("block"))
    assert 0 < served < 300
    peer.read()
    assert [fields[0] for fields in peer.all("block")] == [block.raw for block in CHAIN]


def test_missing_and_present_blocks_are_answered_in_the_order_asked(stage: Stage) -> None:
    peer = stage.puppet()
    asked = [MANY[0], CHAIN[0].hash, MANY[1], MANY[2], CHAIN[1].hash, MANY[3]]
    peer.say("want", BLOCK, asked)
    answers = [said for said in peer.said if said.name in ("block", "missing")]
    answered = [[wire.sha256d(said.fields[0][:80])] if said.name == "block" else said.fields[1] for said in answers]
    assert [block_hash for hashes in answered for block_hash in hashes] == asked


def test_more_missing_blocks_than_fit_in_one_message(stage: Stage) -> None:
    """A thousand unknown blocks, twice, queued behind one that is read from disk."""
    stage.held_back = (ReadBlocks,)
    peer = stage.puppet()
    peer.say("want", BLOCK, [CHAIN[0].hash, *MANY[:999]])
    peer.say("want", BLOCK, MANY[1000:2000])
    assert peer.all("missing") == []
    stage.release()
    assert [len(fields[1]) for fields in peer.all("missing")] == [1000, 999]


# --- peers that do not read


ALICE = signer("alice")
BULKY = Network(allocations=((ALICE.key, 10**9),))
FULL_FRAME = 262_144 + 65_536
"""Bytes of the largest frame on this network (docs/wire.md)."""


def bulky_blocks(count: int) -> list[Forged]:
    """Blocks of about 90 KB, filled with memos."""
    blocks: list[Forged] = []
    sequence = 0
    for number in range(count):
        notes = [
            ALICE.transfer(BULKY.genesis_hash, sequence + place, ALICE.key, 0, 1, bytes(512)) for place in range(135)
        ]
        sequence += len(notes)
        blocks.append(forge(BULKY, f"bulky {number}", blocks[-1] if blocks else genesis(BULKY), notes))
    return blocks


def test_blocks_wait_for_the_peer_to_read() -> None:
    """Serving stops at two full frames; then each block is sent as the peer makes room for it."""
    blocks = bulky_blocks(20)
    stage = Stage(BULKY)
    stage.chain_puppet(blocks).leave()
    peer = stage.puppet()
    peer.reads = False
    peer.say("want", BLOCK, [block.hash for block in blocks])
    assert 2 * FULL_FRAME <= peer.unread < 2 * FULL_FRAME + 100_000
    assert len(peer.all("block")) == 8
    peer.drain(90_000)
    assert len(peer.all("block")) == 9
    stage.wait(30)
    assert len(peer.all("block")) == 9
    peer.read()
    assert [fields[0] for fields in peer.all("block")] == [block.raw for block in blocks]
    assert peer.closed is None


def test_transactions_are_not_served_to_who_does_not_read() -> None:
    blocks = bulky_blocks(9)
    stage = Stage(BULKY)
    stage.chain_puppet(blocks).leave()
    raw = ALICE.transfer(BULKY.genesis_hash, 9 * 135, ALICE.key, 0, 1000)
    stage.puppet().say("txs", [raw])
    peer = stage.puppet()
    peer.reads = False
    peer.say("want", BLOCK, [block.hash for block in blocks])
    peer.say("want", TRANSACTION, [wire.sha256d(raw)])
    assert peer.all("missing") == [[TRANSACTION, [wire.sha256d(raw)]]]
    peer.read()
    peer.say("want", TRANSACTION, [wire.sha256d(raw)])
    assert peer.all("txs") == [[[raw]]]


def test_a_peer_that_requests_and_does_not_read_is_disconnected_before_it_costs_memory() -> None:
    stage = Stage(NETWORK)
    stage.chain_puppet(grow(NETWORK, ROOT, 2_000)).leave()
    peer = stage.puppet()
    peer.reads = False
    for _ in range(20):
        peer.say("get_headers", [ROOT.hash], NO_STOP)
    assert peer.farewell is not None
    assert peer.farewell[0] == "too_slow"
    assert peer.unread <= 4 * FULL_FRAME + 170_000


def test_the_same_questions_are_answered_to_who_reads() -> None:
    stage = Stage(NETWORK)
    stage.chain_puppet(grow(NETWORK, ROOT, 2_000)).leave()
    peer = stage.puppet()
    for _ in range(20):
        peer.say("get_headers", [ROOT.hash], NO_STOP)
    assert [len(fields[0]) for fields in peer.all("headers")] == [2_000] * 20


# --- addresses


def entries(count: int, net: str = "198.51") -> list[list[object]]:
    seen = NETWORK.genesis_time + 1_000_000
    return [[f"/ip4/{net}.{number // 250}.{1 + number % 250}/tcp/30700", seen, 0] for number in range(count)]


def test_a_flood_of_addresses_fills_only_a_part_of_the_table(stage: Stage) -> None:
    dialled = stage.puppet(inbound=False)
    assert dialled.all("get_addrs")
    for start in range(20):
        dialled.say("addrs", entries(1000, f"198.{start}"))
    assert 500 <= stage.node.queries.known_addresses() <= 512 + 1
    assert dialled.closed is None


def test_unasked_addresses_are_taken_one_in_ten_seconds(stage: Stage) -> None:
    peer = stage.puppet()
    peer.say("addrs", entries(1000))
    assert stage.node.queries.known_addresses() == 1
    stage.wait(20)
    peer.say("addrs", entries(1000, "198.52"))
    assert stage.node.queries.known_addresses() == 3


def test_the_address_book_is_told_once_and_only_to_who_dialled_us(stage: Stage) -> None:
    teller = stage.puppet(inbound=False)
    teller.say("addrs", entries(30))
    asker = stage.puppet()
    asker.say("get_addrs")
    assert [len(fields[0]) for fields in asker.all("addrs")] == [31]
    asker.say("get_addrs")
    assert len(asker.all("addrs")) == 1
    teller.say("get_addrs")
    assert teller.all("addrs") == []


def test_names_and_nonsense_among_addresses_are_passed_over(stage: Stage) -> None:
    teller = stage.puppet(inbound=False)
    known = stage.node.queries.known_addresses()
    nonsense = ["/dns/example.org/tcp/1", "/ip4/0.0.0.0/tcp/1", "/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1", "", "?"]
    teller.say("addrs", [[text, 1, 0] for text in nonsense])
    assert stage.node.queries.known_addresses() == known
    assert teller.closed is None
