"""Syncing from several peers at once: all share the work, and a peer that stalls, lies or leaves costs little time."""

from __future__ import annotations

import pytest

from pychain.node.effects import Commit, ReadBlocks, VerifyBlocks
from pychain.node.requests import InvalidateBlock, ReconsiderBlock
from tests.support import puppet, wire
from tests.support.forge import Forged, forge, genesis
from tests.support.network import Network
from tests.support.puppet import BLOCK, ChainPuppet, Stage, grow

NETWORK = Network()
ROOT = genesis(NETWORK)
CHAIN = grow(NETWORK, ROOT, 600)
TIMEOUT_S = 20
"""The time that one peer has to deliver a block, at a spacing of ten seconds."""


@pytest.fixture
def stage() -> Stage:
    return Stage(NETWORK)


def tip(stage: Stage) -> bytes:
    return stage.node.queries.tip.hash


def height(stage: Stage) -> int:
    return stage.node.queries.tip.height


def mute(stage: Stage, chain: list[Forged], *, inbound: bool = True) -> ChainPuppet:
    """A peer that serves headers but no blocks."""
    peer = stage.chain_puppet(chain, inbound=inbound, ready=False)
    peer.silent = {"want"}
    peer.greet()
    return peer


def owed(peer: ChainPuppet) -> list[bytes]:
    """Blocks in flight from a peer, in the order of the requests."""
    served = set(peer.served)
    return [block_hash for block_hash in peer.wanted(BLOCK) if block_hash not in served]


def serve_all(peer: ChainPuppet) -> None:
    """Deliver the blocks in flight, but none that are requested meanwhile."""
    for block_hash in owed(peer):
        peer.serve(block_hash)


def test_a_chain_is_fetched_from_all_who_have_it(stage: Stage) -> None:
    peers = [mute(stage, CHAIN) for _ in range(4)]
    asked = [owed(peer) for peer in peers]
    assert [len(hashes) for hashes in asked] == [16] * 4
    assert len({block_hash for hashes in asked for block_hash in hashes}) == 64, "each is asked of one peer"
    while stage.node.queries.sync().in_flight:
        for peer in peers:
            serve_all(peer)
    assert tip(stage) == CHAIN[-1].hash
    assert sum(len(peer.served) for peer in peers) == len(CHAIN)
    assert all(len(peer.served) > 100 for peer in peers)


def test_who_delivers_in_time_is_asked_for_more_at_once_and_who_does_not_for_less(stage: Stage) -> None:
    peer = mute(stage, CHAIN)
    asked = []
    for _ in range(5):
        asked.append(len(owed(peer)))
        serve_all(peer)
    assert asked == [16, 32, 64, 128, 128]
    peer.leave()
    slow = mute(stage, CHAIN)
    assert len(owed(slow)) == 16
    for quota in (8, 4, 2):
        before = len(slow.wanted(BLOCK))
        stage.wait(TIMEOUT_S)
        assert len(slow.wanted(BLOCK)) == before + quota


def test_what_is_in_flight_is_bounded(stage: Stage) -> None:
    for _ in range(60):
        mute(stage, CHAIN)
    assert 256 <= stage.node.queries.sync().in_flight <= 512


def test_unknown_sizes_are_taken_for_the_largest() -> None:
    """Before the first block comes, no more is requested than fits in memory with blocks of maximum size."""
    network = Network(max_block_bytes=4_000_000)
    stage = Stage(network)
    chain = grow(network, genesis(network), 100)
    peers = [mute(stage, chain) for _ in range(4)]
    assert stage.node.queries.sync().in_flight == 16
    while stage.node.queries.sync().in_flight:
        for peer in peers:
            serve_all(peer)
    assert height(stage) == 100


def test_nothing_more_is_asked_while_the_workers_are_busy(stage: Stage) -> None:
    stage.held_back = (VerifyBlocks,)
    peer = stage.chain_puppet(CHAIN)
    in_flight = stage.node.queries.sync().in_flight
    assert len(stage.held) + in_flight < 64 + 128 + 1
    stage.release()
    assert tip(stage) == CHAIN[-1].hash
    assert peer.closed is None


def test_what_a_stalling_peer_owes_is_asked_of_the_others(stage: Stage) -> None:
    lazy = mute(stage, CHAIN[:100], inbound=False)
    kept = owed(lazy)
    assert len(kept) > 10
    good = stage.chain_puppet(CHAIN[:100])
    assert height(stage) < 100
    stage.wait(TIMEOUT_S + 1)
    assert tip(stage) == CHAIN[99].hash
    assert set(kept) <= set(good.served)


def test_a_peer_that_keeps_stalling_is_hung_up_on(stage: Stage) -> None:
    lazy = mute(stage, CHAIN[:10])
    stage.wait(4 * TIMEOUT_S - 1)
    assert lazy.closed is None
    stage.wait(2)
    assert lazy.farewell is not None
    assert lazy.farewell[0] == "timeout"


@pytest.mark.parametrize("what", ["known", "unasked"])
def test_other_blocks_do_not_excuse_the_ones_that_were_asked_for(stage: Stage, what: str) -> None:
    """A stalling peer cannot stay connected by sending unrequested blocks."""
    stage.chain_puppet(CHAIN[:5]).leave()
    lazy = mute(stage, CHAIN[:20])
    assert len(owed(lazy)) == 15
    for number in range(5 * TIMEOUT_S):
        stage.wait(1)
        if what == "known":
            lazy.say("block", CHAIN[number % 5].raw)
        else:
            lazy.say("block", forge(NETWORK, f"other {number}", CHAIN[4]).raw)
    assert lazy.farewell is not None


def test_a_peer_that_leaves_in_the_middle_is_replaced(stage: Stage) -> None:
    leaver = mute(stage, CHAIN, inbound=False)
    serve_all(leaver)
    assert height(stage) == 16
    other = mute(stage, CHAIN)
    leaver.leave()
    while owed(other):
        serve_all(other)
    assert tip(stage) == CHAIN[-1].hash


def test_missing_is_believed_and_the_next_is_asked_at_once(stage: Stage) -> None:
    first = stage.chain_puppet(CHAIN[:30], inbound=False, ready=False)
    first.lacks = {CHAIN[9].hash, CHAIN[10].hash}
    first.greet()
    assert height(stage) == 9
    stage.wait(1)
    assert first.wanted(BLOCK).count(CHAIN[9].hash) == 1, "not requested from it again"
    second = stage.chain_puppet(CHAIN[:30])
    assert tip(stage) == CHAIN[29].hash
    assert second.served == [CHAIN[9].hash, CHAIN[10].hash]


def test_a_lie_about_work_holds_nothing_up(stage: Stage) -> None:
    liar = stage.chain_puppet(CHAIN[:50], inbound=False, ready=False)
    liar.greet(work=puppet.MOST_WORK, height=10**9)
    assert tip(stage) == CHAIN[49].hash
    stage.chain_puppet(CHAIN)
    assert tip(stage) == CHAIN[-1].hash


def test_a_peer_with_the_chain_that_we_know_already_becomes_a_source(stage: Stage) -> None:
    """Its hello claims no more work than we have headers for, but its blocks are needed."""
    teller = mute(stage, CHAIN[:40], inbound=False)
    teller.leave()
    assert height(stage) == 0
    assert stage.node.queries.best_header.height == 40
    peer = stage.chain_puppet(CHAIN[:40])
    assert tip(stage) == CHAIN[39].hash
    assert peer.closed is None


def test_a_peer_on_the_way_of_the_chain_serves_what_it_has(stage: Stage) -> None:
    mute(stage, CHAIN[:40], inbound=False)
    peer = stage.chain_puppet(CHAIN[:25])
    stage.wait(TIMEOUT_S + 1)
    assert height(stage) == 25
    assert peer.closed is None


def test_a_peer_on_another_branch_is_not_asked_for_this_one(stage: Stage) -> None:
    other = stage.chain_puppet(grow(NETWORK, ROOT, 5, "other"))
    mute(stage, CHAIN[:30], inbound=False)
    stage.wait(3 * TIMEOUT_S)
    assert not set(other.wanted(BLOCK)) & {block.hash for block in CHAIN}
    assert other.closed is None


def test_two_branches_are_compared_by_work_and_the_heavier_one_is_fetched(stage: Stage) -> None:
    short, long = grow(NETWORK, CHAIN[9], 5, "short"), grow(NETWORK, CHAIN[9], 7, "long")
    stage.chain_puppet([*CHAIN[:10], *short])
    assert tip(stage) == short[-1].hash
    stage.chain_puppet([*CHAIN[:10], *long])
    assert tip(stage) == long[-1].hash


def test_more_headers_than_fit_in_one_message_are_asked_for_in_turn(stage: Stage) -> None:
    long = [*CHAIN, *grow(NETWORK, CHAIN[-1], 2500 - len(CHAIN), "long")]
    peer = stage.chain_puppet(long)
    assert tip(stage) == long[-1].hash
    assert len(peer.all("get_headers")) >= 2
    assert len(peer.served) == len(long)


def test_results_of_verification_in_any_order(stage: Stage) -> None:
    stage.held_back = (VerifyBlocks,)
    stage.chain_puppet(CHAIN[:50])
    assert len(stage.held) == 50
    stage.release(newest_first=True)
    assert tip(stage) == CHAIN[49].hash


def test_results_that_come_after_their_sender_has_left(stage: Stage) -> None:
    stage.held_back = (VerifyBlocks,)
    peer = stage.chain_puppet(CHAIN[:50])
    peer.leave()
    stage.release()
    assert tip(stage) == CHAIN[49].hash


def test_blocks_are_told_of_when_they_are_durable(stage: Stage) -> None:
    stage.held_back = (Commit,)
    stage.chain_puppet(CHAIN[:10])
    listener = stage.puppet()
    assert listener.all("hello")[0][4] == 0
    listener.say("get_headers", [ROOT.hash], puppet.NO_STOP)
    assert listener.take("headers") == [[[]]]
    stage.release()
    assert height(stage) == 10
    listener.say("get_headers", [ROOT.hash], puppet.NO_STOP)
    assert listener.take("headers")[-1] == [[block.header for block in CHAIN[:10]]]


def test_an_operator_who_invalidates_a_block_does_not_lose_peers(stage: Stage) -> None:
    """The peers' chain is heavier than the rest of ours, but they are not asked for it in a loop."""
    peers = [stage.chain_puppet(CHAIN[:20]) for _ in range(3)]
    assert stage.ask(InvalidateBlock(CHAIN[9].hash)) is None
    assert height(stage) == 9
    stage.wait(120)
    for peer in peers:
        assert peer.closed is None
        assert stage.node.queries.points(peer.peer, stage.now) == 0
        assert len(peer.all("get_headers")) < 5
    assert stage.ask(ReconsiderBlock(CHAIN[9].hash)) is None
    assert tip(stage) == CHAIN[19].hash


def test_bodies_lost_on_the_disk_are_fetched_again(stage: Stage) -> None:
    """A reorganisation needs bodies that the disk cannot read: those to connect are fetched again, those to disconnect
    are disconnected without."""
    branch = grow(NETWORK, CHAIN[9], 11, "branch")
    stage.chain_puppet(CHAIN[:20]).leave()
    stage.chain_puppet([*CHAIN[:10], *branch[:10]]).leave()
    assert tip(stage) == CHAIN[19].hash
    for block in (branch[3], branch[4], CHAIN[15]):
        del stage.store._bodies[block.hash]
    again = Stage(NETWORK, store=stage.store)
    peer = again.chain_puppet([*CHAIN[:10], *branch])
    assert tip(again) == branch[-1].hash
    assert peer.served == [branch[10].hash, branch[3].hash, branch[4].hash]
    assert stage.store.body(branch[3].hash) == branch[3].raw


def test_blocks_come_in_the_order_asked(stage: Stage) -> None:
    stage.chain_puppet(CHAIN[:300])
    reader = stage.puppet()
    asked = [block.hash for block in CHAIN[100:0:-1]]
    reader.say("want", BLOCK, asked)
    assert [wire.sha256d(fields[0][:80]) for fields in reader.all("block")] == asked


def test_blocks_from_the_disk_come_in_the_order_asked() -> None:
    store = Stage(NETWORK)
    store.chain_puppet(CHAIN[:300])
    stage = Stage(NETWORK, store=store.store, held_back=(ReadBlocks,))
    reader = stage.puppet()
    reader.say("want", BLOCK, [block.hash for block in CHAIN[:50]])
    reads = []
    while stage.held:
        (read,) = stage.held  # one at a time for a peer
        assert isinstance(read, ReadBlocks)
        reads.append(len(read.hashes))
        stage.step()
    assert reads == [1, 49], "the first shows how small the blocks are"
    assert [fields[0] for fields in reader.all("block")] == [block.raw for block in CHAIN[:50]]


def test_a_crowd_of_silent_peers_does_not_stop_a_sync(stage: Stage) -> None:
    """A hundred peers announce the chain and deliver none of it; one honest peer is enough."""
    crowd = [mute(stage, CHAIN) for _ in range(100)]
    honest = stage.chain_puppet(CHAIN)
    stage.wait(5 * TIMEOUT_S)
    assert tip(stage) == CHAIN[-1].hash
    assert len(honest.served) == len(CHAIN)
    assert all(peer.closed for peer in crowd if len(peer.wanted(BLOCK)) > 1)


def test_competing_branches_without_end_are_bounded(stage: Stage) -> None:
    """Branches with as much work as the tip are fetched too, but those that no peer delivers are forgotten."""
    stage.chain_puppet(CHAIN[:3]).leave()
    peer = stage.puppet()
    competitors = [grow(NETWORK, CHAIN[1], 1, f"competing {number}")[0] for number in range(300)]
    for competing in competitors:
        peer.announce(competing)
    assert len(stage.node._parts.sync._competing) <= 128
    assert stage.node.queries.sync().in_flight <= 16
    giver = stage.puppet()
    giver.announce(competitors[-1])
    assert giver.wanted(BLOCK)


def test_inbound_peers_are_asked_after_outbound_ones(stage: Stage) -> None:
    """Many inbound peers announce a block and do not deliver it; an outbound peer is asked next."""
    block = CHAIN[:1]
    first, *others = [mute(stage, block) for _ in range(20)]
    chosen = stage.chain_puppet(block, inbound=False)
    assert owed(first) == [block[0].hash]
    stage.wait(TIMEOUT_S)
    assert tip(stage) == block[0].hash
    assert chosen.served == [block[0].hash]
    assert not any(peer.wanted(BLOCK) for peer in others)
