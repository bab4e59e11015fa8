"""A crash or a stop in the middle of a sync: after a restart it continues from the disk and fetches nothing twice."""

from __future__ import annotations

import pytest

from pychain.node.effects import Commit
from pychain.node.inputs import Stop
from tests.support.forge import genesis
from tests.support.network import Network
from tests.support.networks import audit_books
from tests.support.puppet import BLOCK, ChainPuppet, Stage, grow

NETWORK = Network()
ROOT = genesis(NETWORK)
CHAIN = grow(NETWORK, ROOT, 400)


def tip(stage: Stage) -> bytes:
    return stage.node.queries.tip.hash


def height(stage: Stage) -> int:
    return stage.node.queries.tip.height


def paused(stage: Stage, count: int) -> ChainPuppet:
    """A peer that serves this many blocks and then no more."""
    peer = stage.chain_puppet(CHAIN, ready=False)
    peer.silent = {"want"}
    peer.greet()
    while len(peer.served) < count:
        owed = [block_hash for block_hash in peer.wanted(BLOCK) if block_hash not in set(peer.served)]
        for block_hash in owed[: count - len(peer.served)]:
            peer.serve(block_hash)
    return peer


@pytest.mark.parametrize("count", [1, 16, 100, 399])
def test_a_sync_goes_on_after_a_crash(count: int) -> None:
    first = Stage(NETWORK)
    before = paused(first, count)
    assert height(first) == count
    first.store.crash()
    second = Stage(NETWORK, store=first.store)
    assert height(second) == count
    assert second.node.queries.best_header.height == 400, "the headers are kept too"
    after = second.chain_puppet(CHAIN)
    assert tip(second) == CHAIN[-1].hash
    assert before.served + after.served == [block.hash for block in CHAIN]
    audit_books(second.node.queries, second.store)


def test_what_was_not_durable_is_fetched_again() -> None:
    stage = Stage(NETWORK)
    paused(stage, 50).leave()
    stage.held_back = (Commit,)
    paused(stage, 30)
    assert height(stage) == 50
    stage.store.crash()
    again = Stage(NETWORK, store=stage.store)
    assert height(again) == 50
    peer = again.chain_puppet(CHAIN)
    assert tip(again) == CHAIN[-1].hash
    assert peer.served == [block.hash for block in CHAIN[50:]]


def test_blocks_that_came_out_of_order_are_kept_over_a_crash() -> None:
    """Bodies above a gap are on the disk: after a restart only those of the gap are missing."""
    stage = Stage(NETWORK)
    peer = paused(stage, 0)
    owed = peer.wanted(BLOCK)
    for block_hash in owed[5:]:
        peer.serve(block_hash)
    assert height(stage) == 0
    stage.store.crash()
    again = Stage(NETWORK, store=stage.store)
    other = again.chain_puppet(CHAIN)
    assert tip(again) == CHAIN[-1].hash
    assert not set(other.served) & set(owed[5:])
    assert set(owed[:5]) <= set(other.served)


def test_a_stop_in_the_middle_of_a_sync_loses_nothing_that_was_connected() -> None:
    stage = Stage(NETWORK)
    stage.held_back = (Commit,)
    peer = paused(stage, 60)
    stage.deliver(Stop())
    stage.release()
    assert stage.stopped is not None
    assert peer.closed
    again = Stage(NETWORK, store=stage.store)
    assert height(again) == 60
    assert again.chain_puppet(CHAIN).served == [block.hash for block in CHAIN[60:]]


def test_a_crash_at_every_commit_of_a_sync() -> None:
    """A crash after any number of durable commits, with another one begun: after a restart the sync reaches the same
    tip.
    """
    for commits in range(25):
        durable = commits
        stage = Stage(NETWORK, held_back=(Commit,))
        peer = stage.chain_puppet(CHAIN[:12], ready=False)
        peer.silent = {"want"}
        peer.greet()
        for block in CHAIN[:12]:
            peer.serve(block.hash)
            for _ in range(2):
                if durable and stage.held:
                    stage.step()
                    durable -= 1
        for commit in stage.held:
            assert isinstance(commit, Commit)
            stage.store.start(commit.batch)
        told = stage.node.queries.tip
        stage.store.crash()
        again = Stage(NETWORK, store=stage.store)
        assert again.node.queries.tip.work >= told.work
        again.chain_puppet(CHAIN[:12])
        assert tip(again) == CHAIN[11].hash
        audit_books(again.node.queries, again.store)
    assert told.height == 12
