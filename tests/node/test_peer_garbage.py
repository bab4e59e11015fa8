"""Garbage at every stage of a connection: on any bytes the node keeps running, serves others, and leaks nothing."""

from __future__ import annotations

import gc
from itertools import pairwise
from types import FunctionType, ModuleType

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pychain.chain.spec import ChainSpec
from pychain.consensus.rulebook import Rulebook
from pychain.ledger.memory_store import MemoryStore
from tests.support import wire
from tests.support.forge import forge, genesis
from tests.support.keys import signer
from tests.support.network import Network
from tests.support.networks import audit_books
from tests.support.puppet import (
    BLOCK,
    MOST_WORK,
    NO_STOP,
    TRANSACTION,
    TYPES,
    Stage,
    frame,
    grow,
    hello,
    message,
)
from tests.support.strategies import mutants

ALICE = signer("alice")
NETWORK = Network(allocations=((ALICE.key, 10_000_000),))
ROOT = genesis(NETWORK)
CHAIN = grow(NETWORK, ROOT, 6)
PAYMENT = ALICE.transfer(NETWORK.genesis_hash, 0, ALICE.key, 1, 1000)
FULL = forge(NETWORK, "full", CHAIN[2], [PAYMENT])
HASHES = [block.hash for block in CHAIN] + [wire.sha256d(PAYMENT), bytes(32)]
HELLO = hello(NETWORK.genesis_hash, work=MOST_WORK, nonce=5)

# --- strategies

SESSION = [
    message("ping", 1),
    message("get_addrs"),
    message("addrs", [["/ip4/192.0.2.9/tcp/30700", 1_700_000_000, 0]]),
    message("fee_filter", 500),
    message("inv", TRANSACTION, [wire.sha256d(PAYMENT)]),
    message("txs", [PAYMENT]),
    message("want", TRANSACTION, [wire.sha256d(PAYMENT)]),
    message("get_headers", [ROOT.hash], NO_STOP),
    message("headers", [block.header for block in CHAIN]),
    message("block", CHAIN[3].raw),
    message("block", CHAIN[4].raw),
    message("want", BLOCK, [CHAIN[3].hash, bytes(32)]),
    message("missing", BLOCK, [CHAIN[5].hash]),
    message("inv", BLOCK, [bytes(32)]),
    message("pong", 1),
    message("goodbye", "bye", ""),
]
"""A valid session, from the hello on."""

packed = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=100)
    | st.sampled_from([*HASHES, *(block.header for block in CHAIN), FULL.raw, PAYMENT]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
"""Anything that MessagePack can encode, including objects of this chain."""
hashes = st.lists(st.sampled_from(HASHES) | st.binary(min_size=32, max_size=32), max_size=20)
headers = st.lists(
    st.sampled_from([*(block.header for block in CHAIN), FULL.header]) | st.binary(min_size=80, max_size=80), max_size=8
)
kinds = st.sampled_from([TRANSACTION, BLOCK])
bodies = st.sampled_from([*(block.raw for block in CHAIN), FULL.raw, FULL.with_body(FULL.transactions[:1])])
plausible = st.one_of(
    st.builds(message, st.sampled_from(["inv", "want", "missing"]), kinds, hashes),
    st.builds(message, st.just("get_headers"), hashes, st.sampled_from(HASHES)),
    st.builds(message, st.just("headers"), headers),
    st.builds(message, st.just("block"), bodies | mutants(bodies) | st.binary(max_size=200)),
    st.builds(message, st.just("txs"), st.lists(st.just(PAYMENT) | mutants(st.just(PAYMENT)), min_size=1, max_size=3)),
    st.builds(message, st.sampled_from(["ping", "pong", "fee_filter"]), st.integers(0, 2**64 - 1)),
    st.builds(
        message,
        st.just("addrs"),
        st.lists(st.tuples(st.text(max_size=40), st.integers(0, 2**64 - 1), st.just(0)), max_size=5),
    ),
)
"""Well-formed messages about objects that fit this chain, or nearly."""
malformed = st.builds(
    lambda number, fields: frame(bytes([number]) + fields),
    st.sampled_from([*TYPES.values(), 0, 13, 14, 15, 99, 255]),
    packed.map(msgspec.msgpack.encode) | st.binary(max_size=60),
)
"""Frames of known and unknown types that hold anything."""
anything = st.one_of(plausible, plausible, malformed, st.sampled_from(SESSION), st.binary(max_size=80))


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The same bytes, cut at these places."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


cuts = st.lists(st.integers(0, 2**16), max_size=5)


@pytest.fixture(scope="module")
def start() -> Stage:
    """A node at height 3, for its store."""
    stage = Stage(NETWORK)
    stage.chain_puppet(CHAIN[:3]).leave()
    return stage


def goes_on(stage: Stage) -> None:
    """The node still serves an honest peer and follows the chain."""
    longer = [*CHAIN, *grow(NETWORK, CHAIN[-1], 3, "longer")]
    honest = stage.chain_puppet(longer, "198.51.100.7", inbound=False)
    stage.wait(30)
    assert stage.stopped is None
    assert honest.closed is None
    assert stage.node.queries.tip.hash == longer[-1].hash
    honest.say("get_headers", [ROOT.hash], NO_STOP)
    assert honest.all("headers")[-1] == [[block.header for block in longer]]
    audit_books(stage.node.queries, stage.store)


def fresh(start: Stage) -> Stage:
    return Stage(NETWORK, store=start.store.copy())


@given(st.lists(st.binary(max_size=300) | malformed | mutants(st.just(HELLO)), max_size=6))
@settings(max_examples=150)
def test_garbage_before_hello(start: Stage, garbage: list[bytes]) -> None:
    stage = fresh(start)
    peer = stage.puppet(ready=False)
    for data in garbage:
        peer.send(data)
    stage.wait(11)
    goes_on(stage)


@given(st.lists(anything, max_size=12), cuts, st.booleans())
@settings(max_examples=300)
def test_garbage_after_hello(start: Stage, garbage: list[bytes], places: list[int], inbound: bool) -> None:
    stage = fresh(start)
    peer = stage.puppet(inbound=inbound, ready=False)
    peer.send(HELLO)
    for data in pieces(b"".join(garbage), places):
        peer.send(data)
    goes_on(stage)


@given(mutants(st.permutations(SESSION[:-1]).map(lambda order: HELLO + b"".join(order))), cuts)
@settings(max_examples=200)
def test_a_session_that_was_damaged_on_the_way(start: Stage, session: bytes, places: list[int]) -> None:
    stage = fresh(start)
    peer = stage.puppet(ready=False)
    for data in pieces(session, places):
        peer.send(data)
    goes_on(stage)


@given(st.lists(st.tuples(st.integers(0, 2), anything), max_size=20), st.lists(st.booleans(), min_size=20, max_size=20))
@settings(max_examples=150)
def test_garbage_from_several_peers_in_turn_with_pauses(
    start: Stage, garbage: list[tuple[int, bytes]], pauses: list[bool]
) -> None:
    stage = fresh(start)
    peers = [stage.puppet(inbound=number > 0) for number in range(3)]
    for (number, data), pause in zip(garbage, pauses, strict=False):
        peers[number].send(data)
        if pause:
            stage.wait(7)
    goes_on(stage)


def reachable(stage: Stage) -> int:
    """Number of objects that the node keeps."""
    seen: set[int] = set()
    waiting: list[object] = [stage.node]
    shared = (type, ModuleType, FunctionType, ChainSpec, Rulebook, MemoryStore)
    while waiting:
        found = waiting.pop()
        if id(found) not in seen and not isinstance(found, shared):
            seen.add(id(found))
            waiting.extend(gc.get_referents(found))
    return len(seen)


@given(st.lists(anything, max_size=12))
@settings(max_examples=60)
def test_nothing_is_kept_of_a_peer_that_repeats_itself(start: Stage, garbage: list[bytes]) -> None:
    """Repeating the same garbage, on a new connection each time, does not grow the node."""
    stage = fresh(start)

    def visit() -> None:
        peer = stage.puppet("203.0.113.5", ready=False)
        peer.send(HELLO + b"".join(garbage))
        peer.leave()
        stage.wait(25)

    for _ in range(3):
        visit()
    before = reachable(stage)
    for _ in range(6):
        visit()
    assert reachable(stage) <= before + 20
