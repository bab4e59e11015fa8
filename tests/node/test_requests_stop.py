"""Stops and failures at critical moments, and results of jobs that come late, out of order, or never."""

from __future__ import annotations

import pytest

from pychain.node.effects import Commit, Effect, ReadBlocks, StopMining, Stopped, VerifyBlocks, VerifyTransfers
from pychain.node.events import NewTip
from pychain.node.inputs import CommitFailed, PeerOpened, Stop
from pychain.node.requests import GetTemplate, InvalidateBlock, ReconsiderBlock, Refused, SubmitBlock, SubmitTransfer
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress
from tests.support import wire
from tests.support.forge import forge, genesis
from tests.support.keys import signer
from tests.support.network import Network
from tests.support.networks import audit_books
from tests.support.puppet import BLOCK, Stage, grow

ALICE, BOB = signer("alice"), signer("bob")
NETWORK = Network(allocations=((ALICE.key, 10_000_000),))
ROOT = genesis(NETWORK)
MAIN = grow(NETWORK, ROOT, 8)
FORK = grow(NETWORK, MAIN[3], 6, "fork")
STOPPING = Refused("stopping", "the node is stopping")


@pytest.fixture
def stage() -> Stage:
    return Stage(NETWORK)


def tip(stage: Stage) -> bytes:
    return stage.node.queries.tip.hash


def tips(stage: Stage) -> list[bytes]:
    return [event.header.hash for event in stage.events if isinstance(event, NewTip)]


# --- stop


@pytest.mark.parametrize("held", [(), (Commit,), (VerifyBlocks,), (ReadBlocks,), (Commit, VerifyBlocks, ReadBlocks)])
@pytest.mark.parametrize("phase", ["idle", "syncing", "reorganising"])
def test_a_stop_in_the_middle_ends_with_a_consistent_store(
    stage: Stage, held: tuple[type[Effect], ...], phase: str
) -> None:
    stage.chain_puppet(MAIN).leave()
    if phase == "reorganising":
        stage = Stage(NETWORK, store=stage.store)  # bodies must be read again
    stage.held_back = held
    if phase != "idle":
        stage.chain_puppet([*MAIN[:4], *FORK])
    stage.deliver(Stop())
    assert all(puppet.closed for puppet in stage.puppets.values())
    assert StopMining() in stage.effects
    if Commit not in held:
        assert stage.stopped == Stopped(None)
    stage.release()
    assert stage.stopped == Stopped(None)
    assert stage.node.deadline() is None
    again = Stage(NETWORK, store=stage.store)
    audit_books(again.node.queries, stage.store)
    assert again.node.queries.tip.work >= stage.node.queries.tip.work
    again.chain_puppet([*MAIN[:4], *FORK])
    assert tip(again) == FORK[-1].hash


def test_peers_are_told_why(stage: Stage) -> None:
    ready, half_open = stage.puppet(), stage.puppet(ready=False)
    stage.deliver(Stop())
    assert ready.farewell == half_open.farewell == ("shutting_down", "this node is stopping")


def test_who_connects_while_the_node_stops_is_told_so(stage: Stage) -> None:
    stage.held_back = (Commit,)
    stage.puppet().say("block", MAIN[0].raw)
    stage.deliver(Stop())
    assert stage.stopped is None
    late = stage.puppet(ready=False)
    assert late.farewell is not None
    assert late.farewell[0] == "shutting_down"
    assert late.closed
    stage.release()
    assert stage.stopped == Stopped(None)


def test_a_second_stop_changes_nothing(stage: Stage) -> None:
    stage.held_back = (Commit,)
    stage.puppet().say("block", MAIN[0].raw)
    stage.deliver(Stop())
    stage.deliver(Stop())
    assert len(stage.held) == 1
    stage.release()
    assert stage.stopped == Stopped(None)
    assert stage.effects.count(StopMining()) == 1


def test_a_stopped_node_asks_for_nothing_and_turns_requests_away(stage: Stage) -> None:
    stage.deliver(Stop())
    assert stage.node.handle(PeerOpened(99, Endpoint(NetAddress("203.0.113.9", 1)), True), stage.now) == []
    assert stage.ask(GetTemplate()) == STOPPING
    assert stage.node.deadline() is None


def test_what_waits_for_a_block_is_answered_at_a_stop(stage: Stage) -> None:
    stage.held_back = (VerifyBlocks,)
    submitted = stage.ask_later(SubmitBlock(MAIN[0].raw))
    stage.deliver(Stop())
    assert stage.answers == {submitted: STOPPING}


def test_a_block_that_becomes_durable_on_the_way_out_is_answered_as_such(stage: Stage) -> None:
    stage.held_back = (Commit,)
    first = stage.ask_later(SubmitBlock(MAIN[0].raw))
    second = stage.ask_later(SubmitBlock(MAIN[1].raw))
    stage.deliver(Stop())
    assert stage.answers == {}
    stage.release()
    assert stage.answers == {first: None, second: None}
    assert stage.stopped == Stopped(None)


def test_what_waits_for_a_signature_is_answered_at_a_stop(stage: Stage) -> None:
    stage.held_back = (VerifyTransfers,)
    raws = [ALICE.transfer(NETWORK.genesis_hash, 0, BOB.key, 1, 1000 + extra) for extra in range(2)]
    asked = [stage.ask_later(SubmitTransfer(raw)) for raw in raws]
    stage.deliver(Stop())
    assert stage.answers == dict.fromkeys(asked, STOPPING)
    stage.release()
    assert len(stage.answers) == 2


# --- failures


@pytest.mark.parametrize("phase", ["extension", "reorganisation", "genesis"])
def test_a_full_disk_ends_the_node_with_its_durable_tip_intact(stage: Stage, phase: str) -> None:
    if phase == "genesis":
        stage = Stage(NETWORK, held_back=(Commit,))
    else:
        stage.chain_puppet(MAIN[:7]).leave()
        stage.held_back = (Commit,)
        stage.chain_puppet(MAIN if phase == "extension" else [*MAIN[:4], *FORK])
    before = tip(stage)
    peer = stage.puppet()
    [commit] = [effect for effect in stage.held if isinstance(effect, Commit)]
    stage.deliver(CommitFailed(commit.job, "no space left on device"))
    assert stage.stopped == Stopped("no space left on device")
    assert tip(stage) == before
    assert peer.farewell is not None
    assert peer.farewell[0] == "shutting_down"
    again = Stage(NETWORK, store=stage.store)
    assert tip(again) == before
    again.chain_puppet([*MAIN[:4], *FORK])
    assert tip(again) == FORK[-1].hash


def test_a_full_disk_during_a_stop_is_reported(stage: Stage) -> None:
    stage.held_back = (Commit,)
    stage.chain_puppet(MAIN)
    stage.deliver(Stop())
    [commit] = [effect for effect in stage.held if isinstance(effect, Commit)]
    stage.deliver(CommitFailed(commit.job, "no space left on device"))
    assert stage.stopped == Stopped("no space left on device")


def test_a_lost_undo_record_ends_the_node_with_a_clear_line(stage: Stage) -> None:
    stage.chain_puppet(MAIN).leave()
    del stage.store._shown.undo[MAIN[5].hash]
    again = Stage(NETWORK, store=stage.store)
    peer = again.chain_puppet([*MAIN[:4], *FORK])
    assert again.stopped is not None
    assert again.stopped.fault is not None
    assert "block 6 must be disconnected" in again.stopped.fault
    assert again.stopped.fault.isprintable()
    assert tip(again) == MAIN[-1].hash
    assert peer.closed


# --- an operator's request in the middle of a reorganisation


def reorganising(stage: Stage) -> Stage:
    """A node that knows the better branch and waits for the bodies of its own chain."""
    stage.chain_puppet(MAIN).leave()
    again = Stage(NETWORK, store=stage.store, held_back=(ReadBlocks,))
    again.chain_puppet([*MAIN[:4], *FORK])
    assert tip(again) == MAIN[-1].hash
    assert any(isinstance(effect, ReadBlocks) for effect in again.held)
    return again


def test_the_target_is_invalidated_while_a_reorganisation_is_prepared(stage: Stage) -> None:
    stage = reorganising(stage)
    answer = stage.ask_later(InvalidateBlock(FORK[2].hash))
    stage.release()
    assert stage.answers.pop(answer) is None
    assert tip(stage) == MAIN[-1].hash
    assert tips(stage) == []
    assert stage.ask(ReconsiderBlock(FORK[2].hash)) is None
    assert tip(stage) == FORK[-1].hash


def test_our_own_chain_is_invalidated_while_a_reorganisation_is_prepared(stage: Stage) -> None:
    stage = reorganising(stage)
    answer = stage.ask_later(InvalidateBlock(MAIN[4].hash))
    stage.release()
    assert stage.answers.pop(answer) is None
    assert tip(stage) == FORK[-1].hash
    assert stage.ask(InvalidateBlock(FORK[0].hash)) is None
    assert tip(stage) == MAIN[3].hash
    assert stage.ask(ReconsiderBlock(MAIN[4].hash)) is None
    assert tip(stage) == MAIN[-1].hash
    audit_books(stage.node.queries, stage.store)


def test_the_fork_point_is_invalidated_while_a_reorganisation_is_prepared(stage: Stage) -> None:
    stage = reorganising(stage)
    answer = stage.ask_later(InvalidateBlock(MAIN[1].hash))
    stage.release()
    assert stage.answers.pop(answer) is None
    assert tip(stage) == MAIN[0].hash
    audit_books(stage.node.queries, stage.store)


def test_a_stop_while_a_reorganisation_is_prepared_leaves_the_old_tip(stage: Stage) -> None:
    stage = reorganising(stage)
    stage.deliver(Stop())
    stage.release()
    assert stage.stopped == Stopped(None)
    assert stage.store.tip() == MAIN[-1].hash


# --- results late, out of order, or never


def test_a_verification_that_never_ends_holds_up_nothing_else(stage: Stage) -> None:
    stage.held_back = (VerifyBlocks,)
    stage.puppet().say("block", MAIN[0].raw)
    stage.held.clear()
    stage.held_back = ()
    competing = grow(NETWORK, ROOT, 2, "competing")
    stage.chain_puppet(competing)
    assert tip(stage) == competing[-1].hash
    stage.deliver(Stop())
    assert stage.stopped == Stopped(None)


def test_reads_that_come_in_another_order(stage: Stage) -> None:
    stage = reorganising(stage)
    stage.release(newest_first=True)
    assert tip(stage) == FORK[-1].hash
    audit_books(stage.node.queries, stage.store)


def test_a_read_for_a_peer_who_is_gone_is_dropped(stage: Stage) -> None:
    stage.chain_puppet(MAIN).leave()
    again = Stage(NETWORK, store=stage.store, held_back=(ReadBlocks,))
    peers = [again.puppet() for _ in range(3)]
    for peer in peers:
        peer.say("want", BLOCK, [block.hash for block in MAIN])
    peers[1].leave()
    again.release(newest_first=True)
    for peer in (peers[0], peers[2]):
        assert [fields[0] for fields in peer.all("block")] == [block.raw for block in MAIN]
    assert peers[1].all("block") == []


def test_signatures_that_come_after_their_transfer_was_mined(stage: Stage) -> None:
    stage.held_back = (VerifyTransfers,)
    raw = ALICE.transfer(NETWORK.genesis_hash, 0, BOB.key, 1, 1000)
    answer = stage.ask_later(SubmitTransfer(raw))
    block = forge(NETWORK, "quick", ROOT, [raw])
    stage.puppet().say("block", block.raw)
    assert tip(stage) == block.hash
    stage.release()
    answered = stage.answers.pop(answer)
    assert isinstance(answered, Refused)
    assert answered.code == "bad-tx-sequence-used"
    assert len(stage.node.queries.mempool) == 0


def test_a_block_that_is_invalidated_while_it_is_verified_stays_invalid(stage: Stage) -> None:
    stage.chain_puppet(MAIN[:3])
    stage.held_back = (VerifyBlocks,)
    stage.puppet().say("block", MAIN[3].raw)
    answer = stage.ask_later(InvalidateBlock(MAIN[3].hash))
    stage.release()
    assert stage.answers.pop(answer) is None
    assert tip(stage) == MAIN[2].hash
    assert stage.ask(ReconsiderBlock(MAIN[3].hash)) is None
    assert tip(stage) == MAIN[3].hash


def test_commits_gather_while_one_is_under_way(stage: Stage) -> None:
    stage.held_back = (Commit,)
    stage.chain_puppet(MAIN)
    assert len(stage.held) == 1
    assert tip(stage) == ROOT.hash
    stage.step()
    assert len(stage.held) == 1
    stage.release()
    assert tip(stage) == MAIN[-1].hash
    assert wire.sha256d(MAIN[-1].header) == tips(stage)[-1]
