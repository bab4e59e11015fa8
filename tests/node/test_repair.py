"""A damaged body on the disk is fetched again from a peer that has it, and stored again; nothing else changes."""

from __future__ import annotations

import pytest

from pychain.base.time import NS
from pychain.ledger.store import Batch
from pychain.node.events import Notice
from pychain.node.inputs import BodyDamaged
from pychain.p2p.limits import LACKS_NS
from tests.support.builder import spec_of
from tests.support.forge import genesis
from tests.support.network import Network
from tests.support.puppet import BLOCK, Stage, grow

NETWORK = Network()
SPEC = spec_of(NETWORK)
CHAIN = grow(NETWORK, genesis(NETWORK), 40)
OLD = CHAIN[10]


@pytest.fixture
def stage() -> Stage:
    """A node with the chain, and no peers."""
    stage = Stage(NETWORK)
    stage.chain_puppet(CHAIN).leave()
    assert stage.node.queries.tip.hash == CHAIN[-1].hash
    return stage


def notices(stage: Stage) -> list[str]:
    return [event.text for event in stage.events if isinstance(event, Notice) and "damaged" in event.text]


def commits(stage: Stage) -> list[Batch]:
    """The batches from now on."""
    batches: list[Batch] = []
    commit = stage.store.commit

    def noted(batch: Batch) -> None:
        batches.append(batch)
        commit(batch)

    stage.store.commit = noted  # type: ignore[method-assign]
    return batches


def test_it_is_asked_of_a_peer_that_has_it_and_stored_again(stage: Stage) -> None:
    stage.feed(BodyDamaged(OLD.hash))
    assert len(notices(stage)) == 1
    batches = commits(stage)
    peer = stage.chain_puppet(CHAIN)
    stage.wait(1)
    assert peer.wanted(BLOCK) == [OLD.hash]
    assert [batch.bodies for batch in batches] == [{OLD.hash: OLD.raw}]
    assert (batches[0].tip, batches[0].index) == (None, ())
    assert stage.node.queries.tip.hash == CHAIN[-1].hash
    stage.wait(60)
    assert peer.wanted(BLOCK) == [OLD.hash], "it is here again"


def test_a_wrong_body_does_not_repair_it(stage: Stage) -> None:
    stage.feed(BodyDamaged(OLD.hash))
    liar = stage.chain_puppet(CHAIN, ready=False)
    liar.silent = {"want"}
    liar.greet()
    assert liar.wanted(BLOCK) == [OLD.hash]
    liar.say("block", OLD.raw[:-1] + bytes((OLD.raw[-1] ^ 1,)))
    honest = stage.chain_puppet(CHAIN)
    stage.wait(30)
    assert honest.wanted(BLOCK) == [OLD.hash]


def test_what_is_damaged_twice_or_unknown_is_asked_for_once_or_not(stage: Stage) -> None:
    for block_hash in (OLD.hash, OLD.hash, bytes(32)):
        stage.feed(BodyDamaged(block_hash))
    peer = stage.chain_puppet(CHAIN)
    stage.wait(1)
    assert peer.wanted(BLOCK) == [OLD.hash]
    stage.feed(BodyDamaged(OLD.hash))
    stage.wait(1)
    assert peer.wanted(BLOCK) == [OLD.hash] * 2, "it was damaged again"


def test_genesis_is_stored_again_without_a_peer(stage: Stage) -> None:
    """It is part of the rules, and a peer's copy would be rejected: genesis has no proof of work."""
    batches = commits(stage)
    stage.feed(BodyDamaged(SPEC.genesis_hash))
    stage.wait(1)
    assert [batch.bodies for batch in batches] == [{SPEC.genesis_hash: SPEC.genesis.raw}]
    peer = stage.chain_puppet(CHAIN)
    stage.wait(1)
    assert peer.wanted(BLOCK) == []
    assert stage.node.queries.tip.hash == CHAIN[-1].hash


def test_a_peer_that_did_not_have_it_is_asked_again_later(stage: Stage) -> None:
    """It may have lost the block as well, and fetched it since, without any other event."""
    stage.feed(BodyDamaged(OLD.hash))
    peer = stage.chain_puppet(CHAIN, ready=False)
    peer.silent = {"want"}
    peer.greet()
    assert peer.wanted(BLOCK) == [OLD.hash]
    peer.say("missing", BLOCK, [OLD.hash])
    stage.wait(LACKS_NS // NS - 1)
    assert peer.wanted(BLOCK) == [OLD.hash]
    stage.wait(2)
    assert peer.wanted(BLOCK) == [OLD.hash] * 2
