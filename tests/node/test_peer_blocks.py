"""Bodies from peers: a wrong body is the sender's fault, an invalid block is invalid from any peer; honest peers are
never punished, and a block is fetched until it is here.
"""

from __future__ import annotations

import pytest

from pychain.node.effects import VerifyBlocks
from pychain.node.events import BlockRefused
from pychain.node.requests import SubmitBlock
from tests.support import wire
from tests.support.forge import MINER, Forged, forge, genesis
from tests.support.keys import signer
from tests.support.network import Network
from tests.support.puppet import BLOCK, ChainPuppet, Puppet, Stage, grow

ALICE, BOB = signer("alice"), signer("bob")
NETWORK = Network(allocations=((ALICE.key, 1_000_000),))
ROOT = genesis(NETWORK)
TRUNK = grow(NETWORK, ROOT, 2)
TIP = TRUNK[-1]


def pay(sequence: int, amount: int = 5) -> bytes:
    return ALICE.transfer(NETWORK.genesis_hash, sequence, BOB.key, amount, fee=1000)


def claimed(block_height: int, fees: int = 0) -> bytes:
    return wire.coinbase(block_height, MINER, NETWORK.subsidy(block_height) + fees)


FULL = forge(NETWORK, "full", TIP, [pay(0), pay(1)])
"""A good block with three transactions: the last is doubled in its merkle tree."""
BAD_BODIES = {
    "bad-txnmrklroot": FULL.with_body(FULL.transactions[:2]),
    "bad-txns-duplicate": FULL.with_body([*FULL.transactions, FULL.transactions[-1]]),
    "bad-blk-encoding": FULL.raw[:-1],
    "bad-blk-length": FULL.raw + bytes(NETWORK.max_block_bytes),
}
INVALID_BLOCKS = {
    # level 2: checked on the block alone
    "bad-tx-signature": forge(NETWORK, "unsigned", TIP, [pay(0)[:-64] + bytes(64)]),
    "bad-cb-missing": forge(NETWORK, "no coinbase", TIP, transactions=[pay(0)]),
    "bad-cb-multiple": forge(NETWORK, "two coinbases", TIP, transactions=[claimed(3), claimed(4)]),
    # level 3: against the state
    "bad-cb-amount": forge(NETWORK, "greedy", TIP, claim=NETWORK.subsidy(3) + 1),
    "bad-cb-height": forge(NETWORK, "lost", TIP, height=9),
    "bad-tx-balance": forge(NETWORK, "unfunded", TIP, [pay(0, 10**6)]),
    "bad-tx-sequence": forge(NETWORK, "skipping", TIP, [pay(1)]),
}


@pytest.fixture
def stage() -> Stage:
    """A node at height 2."""
    stage = Stage(NETWORK)
    stage.chain_puppet(TRUNK).leave()
    assert tip(stage) == TIP.hash
    return stage


def tip(stage: Stage) -> bytes:
    return stage.node.queries.tip.hash


def points(stage: Stage, peer: Puppet) -> int:
    return stage.node.queries.points(peer.peer, stage.now)


def is_invalid(stage: Stage, block: Forged) -> bool:
    entry = stage.node.queries.entry(block.hash)
    return entry is not None and entry.invalid


def refusals(stage: Stage) -> list[tuple[bytes, str]]:
    return [(event.block_hash, event.code) for event in stage.events if isinstance(event, BlockRefused)]


# --- bytes that are not the block's body


@pytest.mark.parametrize("code", BAD_BODIES)
@pytest.mark.parametrize("asked", [True, False])
def test_a_wrong_body_costs_its_sender_the_connection_and_says_nothing_of_the_block(
    stage: Stage, code: str, asked: bool
) -> None:
    if asked:
        liar: Puppet = stage.chain_puppet([*TRUNK, FULL], ready=False)
        assert isinstance(liar, ChainPuppet)
        liar.swaps[FULL.hash] = BAD_BODIES[code]
        liar.greet()
    else:
        liar = stage.puppet()
        liar.say("block", BAD_BODIES[code])
    assert liar.farewell is not None
    assert liar.farewell[0] == "misbehaviour"
    assert code in liar.farewell[1]
    assert not is_invalid(stage, FULL)
    assert refusals(stage) == []
    assert tip(stage) == TIP.hash


@pytest.mark.parametrize("code", BAD_BODIES)
def test_after_a_wrong_body_the_block_is_fetched_elsewhere(stage: Stage, code: str) -> None:
    liar = stage.chain_puppet([*TRUNK, FULL], inbound=False, ready=False)
    liar.swaps[FULL.hash] = BAD_BODIES[code]
    stage.held_back = (VerifyBlocks,)
    liar.greet()
    honest = stage.chain_puppet([*TRUNK, FULL])
    assert liar.served == [FULL.hash]
    assert not honest.served
    stage.release()
    assert liar.closed
    assert honest.served == [FULL.hash]
    assert tip(stage) == FULL.hash


def test_a_wrong_body_does_not_shadow_the_right_one_of_our_own_miner(stage: Stage) -> None:
    """A body under verification must not hide the one that an operator submits meanwhile."""
    stage.held_back = (VerifyBlocks,)
    liar = stage.puppet()
    liar.say("block", BAD_BODIES["bad-txnmrklroot"])
    answers = stage.ask_later(SubmitBlock(FULL.raw))
    stage.release()
    assert stage.answers.pop(answers) is None
    assert tip(stage) == FULL.hash
    assert liar.closed


def test_a_body_too_short_for_a_header_is_a_protocol_error(stage: Stage) -> None:
    peer = stage.puppet()
    peer.say("block", FULL.raw[:79])
    assert peer.farewell is not None
    assert peer.farewell[0] == "protocol_error"


# --- blocks that are invalid


@pytest.mark.parametrize("code", INVALID_BLOCKS)
def test_an_invalid_block_that_was_asked_for_is_remembered_and_its_sender_is_not_punished(
    stage: Stage, code: str
) -> None:
    block = INVALID_BLOCKS[code]
    peer = stage.chain_puppet([*TRUNK, block])
    assert peer.served == [block.hash]
    assert points(stage, peer) == 0
    assert peer.closed is None
    assert is_invalid(stage, block)
    assert refusals(stage) == [(block.hash, code)]
    assert tip(stage) == TIP.hash


@pytest.mark.parametrize("code", INVALID_BLOCKS)
def test_children_of_an_invalid_block_are_refused_and_it_is_not_fetched_again(stage: Stage, code: str) -> None:
    block = INVALID_BLOCKS[code]
    child = forge(NETWORK, "child", block)
    stage.chain_puppet([*TRUNK, block])
    peer = stage.chain_puppet([*TRUNK, block, child])
    assert peer.wanted(BLOCK) == []
    assert stage.node.queries.entry(child.hash) is None
    peer.announce(child)
    assert points(stage, peer) >= 5
    assert tip(stage) == TIP.hash
    honest = forge(NETWORK, "honest", TIP)
    stage.chain_puppet([*TRUNK, honest, forge(NETWORK, "honest child", honest)])
    assert stage.node.queries.tip.height == 4


@pytest.mark.parametrize("code", INVALID_BLOCKS)
def test_children_that_were_known_before_the_judgement_fall_with_it(stage: Stage, code: str) -> None:
    block = INVALID_BLOCKS[code]
    children = grow(NETWORK, block, 3, "children")
    peer = stage.chain_puppet([*TRUNK, block, *children])
    assert is_invalid(stage, block)
    assert all(is_invalid(stage, child) for child in children)
    assert tip(stage) == TIP.hash
    assert peer.closed is None
    assert stage.node.queries.best_header.hash == TIP.hash


@pytest.mark.parametrize("code", ["bad-tx-signature", "bad-cb-missing", "bad-cb-multiple"])
def test_an_unasked_block_that_is_invalid_by_itself_costs_its_sender_the_connection(stage: Stage, code: str) -> None:
    peer = stage.puppet()
    peer.say("block", INVALID_BLOCKS[code].raw)
    assert peer.farewell is not None
    assert peer.farewell[0] == "misbehaviour"
    assert is_invalid(stage, INVALID_BLOCKS[code])


@pytest.mark.parametrize("code", ["bad-cb-amount", "bad-cb-height", "bad-tx-balance", "bad-tx-sequence"])
def test_an_unasked_block_that_is_invalid_against_the_state_costs_its_sender_the_connection(
    stage: Stage, code: str
) -> None:
    peer = stage.puppet()
    peer.say("block", INVALID_BLOCKS[code].raw)
    assert is_invalid(stage, INVALID_BLOCKS[code])
    assert peer.farewell is not None
    assert peer.farewell[0] == "misbehaviour"


# --- unrequested blocks


def test_an_unasked_block_with_more_work_is_taken(stage: Stage) -> None:
    peer = stage.puppet()
    peer.say("block", FULL.raw)
    assert tip(stage) == FULL.hash
    assert points(stage, peer) == 0


def test_unasked_blocks_without_more_work_than_the_tip_are_dropped(stage: Stage) -> None:
    competing = forge(NETWORK, "competing", ROOT)
    peer = stage.puppet()
    peer.say("block", competing.raw)
    assert stage.node.queries.raw_block(entry_of(stage, competing)) is None
    assert stage.store.body(competing.hash) is None
    assert points(stage, peer) == 0, "its header was news"
    peer.say("block", competing.raw)
    assert points(stage, peer) == 2
    assert stage.store.body(competing.hash) is None
    assert tip(stage) == TIP.hash


def entry_of(stage: Stage, block: Forged):  # type: ignore[no-untyped-def]
    entry = stage.node.queries.entry(block.hash)
    assert entry is not None
    return entry


def test_a_block_that_is_here_already_costs_nothing(stage: Stage) -> None:
    peer = stage.puppet()
    for block in (ROOT, *TRUNK):
        peer.say("block", block.raw)
    assert points(stage, peer) == 0


def test_unasked_bodies_do_not_pile_up_while_the_workers_are_busy(stage: Stage) -> None:
    """Unrequested bodies do not queue for workers: only a bounded number is under verification."""
    many = grow(NETWORK, TIP, 300, "many")
    lazy = stage.chain_puppet([*TRUNK, *many], ready=False)
    lazy.silent = {"want"}
    lazy.greet()
    stage.held_back = (VerifyBlocks,)
    peer = stage.puppet()
    for block in many:
        peer.say("block", block.raw)
    assert len(stage.held) <= 64
    stage.release()
    assert stage.node.queries.tip.height >= 2 + 64


def test_an_unasked_block_whose_parent_is_unknown_starts_a_question_for_headers(stage: Stage) -> None:
    more = grow(NETWORK, TIP, 3)
    peer = stage.chain_puppet([*TRUNK, *more], ready=False)
    peer.greet(work=0)
    peer.say("block", more[-1].raw)
    assert points(stage, peer) == 0
    assert tip(stage) == more[-1].hash


def test_a_late_body_is_taken_after_it_was_asked_of_another(stage: Stage) -> None:
    slow = stage.chain_puppet([*TRUNK, FULL], inbound=False, ready=False)
    slow.silent = {"want"}
    slow.greet()
    stage.wait(25)
    slow.say("block", FULL.raw)
    assert points(stage, slow) == 0
    assert tip(stage) == FULL.hash
