"""Requests and the end of a node: each request is answered exactly once, whatever happens in whatever order."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from pychain.node.effects import Commit, ReadBlocks, Stopped, VerifyBlocks, VerifyTransfers
from pychain.node.inputs import BlockMined, CommitFailed, Stop
from pychain.node.requests import (
    AddPeer,
    Ban,
    DisconnectPeer,
    GetTemplate,
    InvalidateBlock,
    ReconsiderBlock,
    RemovePeer,
    Request,
    SetMining,
    SubmitBlock,
    SubmitTransfer,
    TestTransfer,
    TryPeer,
)
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress
from tests.support.forge import MINER, forge, genesis
from tests.support.keys import signer
from tests.support.network import Network
from tests.support.networks import audit_books
from tests.support.puppet import Stage, grow

ALICE, BOB = signer("alice"), signer("bob")
NETWORK = Network(allocations=((ALICE.key, 10_000_000),))
ROOT = genesis(NETWORK)
JOBS = (Commit, VerifyBlocks, VerifyTransfers, ReadBlocks)


def pay(sequence: int, fee: int = 1000) -> bytes:
    return ALICE.transfer(NETWORK.genesis_hash, sequence, BOB.key, 1, fee)


MAIN = grow(NETWORK, ROOT, 6)
FORK = grow(NETWORK, MAIN[2], 5, "fork")
INVALID = forge(NETWORK, "greedy", MAIN[-1], claim=1)
UNSOLVED = forge(NETWORK, "unsolved", MAIN[-1], solved=False)
EARLY = forge(NETWORK, "early", MAIN[-1], time=NETWORK.genesis_time + 1_000_000 + NETWORK.max_future_s + 60)
ORPHAN = forge(NETWORK, "orphan", forge(NETWORK, "unknown", ROOT))
BLOCKS = [*MAIN, *FORK, INVALID, UNSOLVED, EARLY, ORPHAN]
ADDRESS = NetAddress("203.0.113.77", 30700)
UNKNOWN = bytes(32)

requests: st.SearchStrategy[Request] = st.one_of(
    st.sampled_from([block.raw for block in BLOCKS]).map(SubmitBlock),
    st.sampled_from([MAIN[0].with_body(FORK[0].transactions), b"", bytes(80), MAIN[0].raw + b"\0"]).map(SubmitBlock),
    st.integers(0, 4).map(lambda sequence: SubmitTransfer(pay(sequence))),
    st.sampled_from([b"", pay(0)[:-64] + bytes(64), pay(0, 2000), pay(0, 2001)]).map(SubmitTransfer),
    st.integers(0, 2).map(lambda sequence: TestTransfer(pay(sequence))),
    st.just(GetTemplate()),
    st.sampled_from([None, MINER]).map(SetMining),
    st.sampled_from([*(block.hash for block in BLOCKS), ROOT.hash, UNKNOWN]).map(InvalidateBlock),
    st.sampled_from([*(block.hash for block in BLOCKS), ROOT.hash, UNKNOWN]).map(ReconsiderBlock),
    st.just(AddPeer(Endpoint(ADDRESS))),
    st.just(RemovePeer(ADDRESS)),
    st.just(TryPeer(Endpoint(ADDRESS))),
    st.integers(1, 3).map(DisconnectPeer),
    st.tuples(st.sampled_from(["203.0.113.0/24", "nonsense"]), st.sampled_from([0, 60])).map(lambda ban: Ban(*ban)),
)

Step = Callable[[Stage], object]


def ask(request: Request) -> Step:
    return lambda stage: stage.ask_later(request)


def hold_back(stage: Stage) -> None:
    stage.held_back = JOBS


steps: st.SearchStrategy[Step] = st.one_of(
    requests.map(ask),
    requests.map(ask),
    requests.map(ask),
    st.just(hold_back),
    st.sampled_from(JOBS).map(lambda kind: lambda stage: stage.release(kind)),
    st.just(lambda stage: stage.release(newest_first=True)),
    st.just(lambda stage: stage.wait(1)),
    st.just(lambda stage: stage.puppet().say("txs", [pay(0), pay(1)])),
    st.just(lambda stage: stage.chain_puppet(MAIN)),
    st.just(lambda stage: stage.chain_puppet([*MAIN[:3], *FORK])),
    st.sampled_from(BLOCKS).map(lambda block: lambda stage: stage.deliver(BlockMined(block.raw))),
)


def all_are_answered(stage: Stage) -> bool:
    """The stage checks that none is answered twice."""
    return sorted(stage.answers) == stage.asked


def check_what_is_left(stage: Stage) -> None:
    """The store of a stopped node holds the last tip that it announced; a new node continues from there, with the right
    balances.
    """
    told = stage.node.queries.tip
    assert stage.store.tip() == told.hash
    again = Stage(NETWORK, store=stage.store)
    assert again.node.queries.tip.work >= told.work
    audit_books(again.node.queries, stage.store)


@given(st.lists(steps, min_size=3, max_size=25))
@settings(max_examples=100)
def test_every_request_is_answered_once_at_rest(story: list[Step]) -> None:
    stage = Stage(NETWORK)
    for step in story:
        step(stage)
    stage.release()
    stage.wait(0)
    assert all_are_answered(stage)


@given(st.lists(steps, min_size=3, max_size=25), st.lists(requests, max_size=3), st.booleans(), st.booleans())
@settings(max_examples=100)
def test_every_request_is_answered_once_at_a_stop_in_the_middle(
    story: list[Step], late: list[Request], newest_first: bool, busy: bool
) -> None:
    stage = Stage(NETWORK, held_back=JOBS if busy else ())
    for step in story:
        step(stage)
    stage.deliver(Stop())
    for request in late:
        stage.ask_later(request)
    stage.release(newest_first=newest_first)
    assert stage.stopped == Stopped(None)
    assert all_are_answered(stage)
    for request in late:
        stage.ask_later(request)
    assert all_are_answered(stage)
    assert all(puppet.closed for puppet in stage.puppets.values())
    check_what_is_left(stage)


@given(st.lists(steps, min_size=3, max_size=25), st.lists(requests, max_size=3))
@settings(max_examples=100)
def test_every_request_is_answered_once_where_the_disk_is_full(story: list[Step], late: list[Request]) -> None:
    stage = Stage(NETWORK, held_back=JOBS)
    for step in story:
        step(stage)
    commits = [effect for effect in stage.held if isinstance(effect, Commit)]
    if not commits:
        hold_back(stage)
        stage.ask_later(SubmitBlock(forge(NETWORK, "one more", ROOT).raw))
        while not commits:
            stage.release(VerifyBlocks)
            commits = [effect for effect in stage.held if isinstance(effect, Commit)]
    before = stage.node.queries.tip.hash
    stage.held.clear()
    stage.deliver(CommitFailed(commits[0].job, "no space left on device"))
    assert stage.stopped == Stopped("no space left on device")
    for request in late:
        stage.ask_later(request)
    assert all_are_answered(stage)
    assert stage.node.queries.tip.hash == before
    assert stage.node.deadline() is None
