"""Block relay: new blocks are announced once durable, to peers that do not know them, by the shortest message."""

from __future__ import annotations

import pytest

from pychain.node.effects import Commit
from pychain.node.requests import InvalidateBlock, SubmitBlock
from tests.support import wire
from tests.support.forge import Forged, genesis
from tests.support.network import Network
from tests.support.puppet import BLOCK, NO_STOP, Puppet, Stage, grow

NETWORK = Network()
ROOT = genesis(NETWORK)
CHAIN = grow(NETWORK, ROOT, 30)


@pytest.fixture
def stage() -> Stage:
    return Stage(NETWORK)


def headers(peer: Puppet) -> list[bytes]:
    """Headers that the node announced, in order."""
    return [raw for fields in peer.all("headers") for raw in fields[0]]


def invs(peer: Puppet) -> list[bytes]:
    return [announced for fields in peer.all("inv") if fields[0] == BLOCK for announced in fields[1]]


def raw_headers(blocks: list[Forged]) -> list[bytes]:
    return [block.header for block in blocks]


def test_a_block_is_told_to_all_but_to_whom_it_came_from(stage: Stage) -> None:
    source, others = stage.puppet(), [stage.puppet() for _ in range(4)]
    source.say("block", CHAIN[0].raw)
    for peer in others:
        assert headers(peer) == [CHAIN[0].header]
    assert headers(source) == []


def test_a_block_is_not_announced_to_a_peer_that_announced_it(stage: Stage) -> None:
    by_header, by_hash = stage.puppet(), stage.puppet()
    by_header.announce(CHAIN[0])
    by_hash.say("inv", BLOCK, [CHAIN[0].hash])
    stage.puppet().say("block", CHAIN[0].raw)
    assert stage.node.queries.tip.height == 1
    assert headers(by_header) == headers(by_hash) == []


def test_a_block_of_our_own_is_told_to_all(stage: Stage) -> None:
    peers = [stage.puppet() for _ in range(3)]
    assert stage.ask(SubmitBlock(CHAIN[0].raw)) is None
    assert all(headers(peer) == [CHAIN[0].header] for peer in peers)


def test_each_block_is_told_once(stage: Stage) -> None:
    peer = stage.puppet()
    for block in CHAIN[:10]:
        stage.puppet().say("block", block.raw)
        stage.puppet().say("block", block.raw)
    assert headers(peer) == raw_headers(CHAIN[:10])


def test_blocks_are_told_when_they_are_durable_and_gathered_till_then(stage: Stage) -> None:
    peer = stage.puppet()
    stage.chain_puppet(CHAIN[:1]).leave()
    stage.held_back = (Commit,)
    stage.chain_puppet(CHAIN[:5])
    assert peer.all("headers") == [[raw_headers(CHAIN[:1])]]
    stage.release()
    assert peer.all("headers") == [[raw_headers(CHAIN[:1])], [raw_headers(CHAIN[1:5])]]


@pytest.mark.parametrize(("count", "by_headers"), [(8, True), (9, False), (30, False)])
def test_many_new_blocks_at_once_are_told_by_the_tip_alone(stage: Stage, count: int, by_headers: bool) -> None:
    peer = stage.puppet()
    stage.held_back = (Commit,)
    stage.chain_puppet(CHAIN[:count])
    stage.release()
    assert stage.node.queries.tip.height == count
    assert headers(peer) == (raw_headers(CHAIN[:count]) if by_headers else [])
    assert invs(peer) == ([] if by_headers else [CHAIN[count - 1].hash])


def test_a_reorganisation_is_told_by_the_headers_of_the_new_branch(stage: Stage) -> None:
    stage.chain_puppet(CHAIN[:6]).leave()
    peer = stage.puppet()
    branch = grow(NETWORK, CHAIN[3], 3, "branch")
    stage.chain_puppet([*CHAIN[:4], *branch])
    assert stage.node.queries.tip.hash == branch[-1].hash
    assert headers(peer) == raw_headers(branch)


def test_a_reorganisation_goes_on_where_the_peer_is_known_to_be(stage: Stage) -> None:
    stage.chain_puppet(CHAIN[:6]).leave()
    branch = grow(NETWORK, CHAIN[3], 3, "branch")
    peer = stage.puppet()
    peer.announce(*branch[:1])
    stage.chain_puppet([*CHAIN[:4], *branch], inbound=False)
    assert headers(peer) == raw_headers(branch[1:])


def test_a_chain_that_the_operator_shortened_is_not_announced(stage: Stage) -> None:
    stage.chain_puppet(CHAIN[:6]).leave()
    peer = stage.puppet()
    assert stage.ask(InvalidateBlock(CHAIN[4].hash)) is None
    assert stage.node.queries.tip.hash == CHAIN[3].hash
    assert headers(peer) == []
    assert invs(peer) == []


def test_an_announcement_by_hash_is_answered_with_a_question_for_headers(stage: Stage) -> None:
    peer = stage.chain_puppet(CHAIN[:12], ready=False)
    peer.greet(work=0)
    peer.say("inv", BLOCK, [CHAIN[11].hash])
    assert len(peer.all("get_headers")) == 1
    assert stage.node.queries.tip.hash == CHAIN[11].hash


def test_a_known_block_announced_by_hash_asks_nothing(stage: Stage) -> None:
    stage.chain_puppet(CHAIN[:3]).leave()
    peer = stage.puppet(ready=False)
    peer.greet(work=0)
    peer.say("inv", BLOCK, [CHAIN[1].hash, CHAIN[2].hash])
    assert peer.all("get_headers") == []
    assert peer.wanted(BLOCK) == []


def test_the_first_announcer_who_can_is_asked_and_nobody_else(stage: Stage) -> None:
    first, second = stage.puppet(), stage.puppet()
    first.announce(CHAIN[0])
    second.announce(CHAIN[0])
    assert first.wanted(BLOCK) == [CHAIN[0].hash]
    assert second.wanted(BLOCK) == []


# --- headers on request


def test_headers_follow_the_first_known_hash_of_the_locator(stage: Stage) -> None:
    stage.chain_puppet(CHAIN).leave()
    peer = stage.puppet()
    unknown = wire.sha256d(b"unknown")
    questions = {
        (unknown, CHAIN[9].hash, CHAIN[20].hash): CHAIN[10:],
        (CHAIN[29].hash,): [],
        (unknown,): CHAIN,
        (): CHAIN,
        (ROOT.hash,): CHAIN,
    }
    for locator, answer in questions.items():
        peer.say("get_headers", list(locator), NO_STOP)
        assert peer.take("headers") == [[raw_headers(answer)]]


def test_headers_end_at_the_stop(stage: Stage) -> None:
    stage.chain_puppet(CHAIN).leave()
    peer = stage.puppet()
    stops = {CHAIN[4].hash: CHAIN[:5], CHAIN[0].hash: CHAIN[:1], CHAIN[29].hash: CHAIN, wire.sha256d(b"?"): CHAIN}
    for stop, answer in stops.items():
        peer.say("get_headers", [ROOT.hash], stop)
        assert peer.take("headers") == [[raw_headers(answer)]]


def test_headers_of_a_branch_that_lost_are_not_told(stage: Stage) -> None:
    """A locator on a stale branch is answered from its fork point on the active chain."""
    stage.chain_puppet(CHAIN[:6]).leave()
    branch = grow(NETWORK, CHAIN[3], 2, "branch")
    stage.chain_puppet([*CHAIN[:4], *branch]).leave()
    assert stage.node.queries.tip.hash == CHAIN[5].hash
    peer = stage.puppet()
    peer.say("get_headers", [branch[1].hash, branch[0].hash, CHAIN[3].hash, ROOT.hash], NO_STOP)
    assert peer.take("headers") == [[raw_headers(CHAIN[4:6])]]
    peer.say("want", BLOCK, [branch[1].hash])
    assert peer.take("block") == [[branch[1].raw]], "its blocks are still served"


def test_blocks_that_were_judged_invalid_are_not_served(stage: Stage) -> None:
    stage.chain_puppet(CHAIN[:6]).leave()
    assert stage.ask(InvalidateBlock(CHAIN[4].hash)) is None
    peer = stage.puppet()
    peer.say("want", BLOCK, [CHAIN[3].hash, CHAIN[4].hash, CHAIN[5].hash])
    assert peer.all("block") == [[CHAIN[3].raw]]
    assert peer.all("missing") == [[BLOCK, [CHAIN[4].hash, CHAIN[5].hash]]]
