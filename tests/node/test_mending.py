"""A damaged body on the disk is fetched again from whoever has it, and stored anew; nothing else moves."""

from __future__ import annotations

import pytest

from pychain.ledger.store import Batch
from pychain.node.events import Notice
from pychain.node.inputs import BodyDamaged
from tests.support.forge import genesis
from tests.support.network import Network
from tests.support.puppet import BLOCK, Stage, grow

NETWORK = Network()
CHAIN = grow(NETWORK, genesis(NETWORK), 40)
OLD = CHAIN[10]


@pytest.fixture
def stage() -> Stage:
    """A node with the chain, which nobody else has."""
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


def test_it_is_asked_of_a_peer_that_has_it_and_stored_anew(stage: Stage) -> None:
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


def test_a_wrong_body_does_not_mend_it(stage: Stage) -> None:
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
    assert peer.wanted(BLOCK) == [OLD.hash] * 2, "it rotted again"
