"""Headers from peers: each rule is checked before anything is stored, and breaking one is held against the sender."""

from __future__ import annotations

import pytest

from pychain.node.events import BlockRefused
from pychain.node.requests import InvalidateBlock
from tests.support import puppet
from tests.support.forge import Forged, forge, genesis
from tests.support.memory import peak_of
from tests.support.network import Network
from tests.support.puppet import BLOCK, ChainPuppet, Puppet, Said, Stage, grow

NETWORK = Network()
ROOT = genesis(NETWORK)
TRUNK = grow(NETWORK, ROOT, 5)
TIP = TRUNK[-1]


@pytest.fixture
def stage() -> Stage:
    """A node at height 5."""
    stage = Stage(NETWORK)
    stage.chain_puppet(TRUNK).leave()
    assert tip(stage) == TIP.hash
    return stage


def tip(stage: Stage) -> bytes:
    return stage.node.queries.tip.hash


def known(stage: Stage, block: Forged) -> bool:
    return stage.node.queries.entry(block.hash) is not None


def points(stage: Stage, peer: Puppet) -> int:
    return stage.node.queries.points(peer.peer, stage.now)


def refusals(stage: Stage) -> list[str]:
    return [event.code for event in stage.events if isinstance(event, BlockRefused)]


BROKEN = {
    "high-hash": forge(NETWORK, "unsolved", TIP, solved=False),
    "bad-diffbits": forge(NETWORK, "easier", TIP, bits=0x207FFFFE),
    "bad-bits-encoding": forge(NETWORK, "over the limit", TIP, bits=0x2100FFFF),
    "time-too-old": forge(NETWORK, "old", TIP, time=TRUNK[2].time),
}


@pytest.mark.parametrize("code", BROKEN)
@pytest.mark.parametrize("asked", [False, True])
def test_an_invalid_header_costs_its_sender_the_connection(stage: Stage, code: str, asked: bool) -> None:
    block = BROKEN[code]
    if asked:
        peer: Puppet = stage.chain_puppet([*TRUNK, block])
    else:
        peer = stage.puppet()
        peer.announce(block)
    assert peer.farewell is not None
    assert peer.farewell[0] == "misbehaviour"
    assert code in peer.farewell[1]
    assert not known(stage, block)
    assert refusals(stage) == [code]


@pytest.mark.parametrize("code", BROKEN)
def test_the_body_of_an_invalid_header_is_never_looked_at(stage: Stage, code: str) -> None:
    peer = stage.puppet()
    peer.say("block", BROKEN[code].raw)
    assert peer.farewell is not None
    assert code in peer.farewell[1]
    assert not known(stage, BROKEN[code])


def test_what_comes_before_an_invalid_header_is_kept(stage: Stage) -> None:
    good = grow(NETWORK, TIP, 2)
    bad = forge(NETWORK, "bad", good[-1], solved=False)
    stage.chain_puppet([*TRUNK, *good, bad])
    assert known(stage, good[-1])
    assert not known(stage, bad)
    stage.chain_puppet([*TRUNK, *good])
    assert tip(stage) == good[-1].hash


def test_headers_that_are_no_chain_are_a_wrong_answer(stage: Stage) -> None:
    more = grow(NETWORK, TIP, 3)
    peer = stage.puppet()
    peer.announce(more[0], more[2])
    assert points(stage, peer) == 20
    assert not known(stage, more[0])
    for _ in range(4):
        peer.announce(more[0], more[2])
    assert peer.farewell is not None
    assert peer.farewell[0] == "misbehaviour"


def test_an_announcement_that_connects_to_nothing_is_no_offence_and_the_gap_is_asked_for(stage: Stage) -> None:
    more = grow(NETWORK, TIP, 3)
    peer = stage.chain_puppet([*TRUNK, *more], ready=False)
    peer.greet(work=0)
    peer.announce(more[-1])
    assert points(stage, peer) == 0
    assert tip(stage) == more[-1].hash


def test_more_headers_than_an_announcement_has_that_connect_to_nothing_add_up(stage: Stage) -> None:
    strangers = grow(NETWORK, forge(NETWORK, "unknown", TIP), 9, "orphan")
    peer = stage.puppet(ready=False)
    peer.greet(work=puppet.MOST_WORK)
    for said in range(20):
        assert peer.closed is None
        assert points(stage, peer) == 5 * said
        peer.announce(*strangers)
    assert peer.farewell is not None
    assert peer.farewell[0] == "misbehaviour"
    assert not known(stage, strangers[0])


def test_new_tips_that_cross_our_questions_are_no_offence_and_no_answers(stage: Stage) -> None:
    """While a node syncs headers from a peer for a long time, that peer finds new blocks and announces them."""
    more = grow(NETWORK, TIP, 3)
    peer = stage.chain_puppet([*TRUNK, *more], ready=False)
    peer.silent = {"get_headers"}
    peer.greet()
    for number in range(30):
        peer.announce(forge(NETWORK, f"far ahead {number}", forge(NETWORK, "unknown", TIP)))
    assert points(stage, peer) == 0
    assert len(peer.all("get_headers")) == 1
    peer.announce(*more)
    assert tip(stage) == more[-1].hash


def test_headers_that_come_faster_than_they_are_judged_are_dropped(stage: Stage) -> None:
    """Known headers, thousands in each message, all in one read."""
    long = grow(NETWORK, TIP, 2_000, "long")
    stage.chain_puppet([*TRUNK, *long]).leave()
    peer = stage.puppet()
    message = puppet.message("headers", [block.header for block in long])
    assert peak_of(lambda: peer.send(message * 10)) < 8_000_000
    assert points(stage, peer) == 2 * 8
    assert tip(stage) == long[-1].hash


def test_children_of_an_invalid_block_are_refused_and_add_up(stage: Stage) -> None:
    more = grow(NETWORK, TIP, 30)
    stage.chain_puppet([*TRUNK, *more[:1]])
    assert stage.ask(InvalidateBlock(more[0].hash)) is None
    assert tip(stage) == TIP.hash
    peer = stage.puppet()
    peer.announce(more[1])
    assert points(stage, peer) == 5
    assert not known(stage, more[1])
    assert peer.closed is None
    assert "bad-prevblk" not in refusals(stage), "only the operator's word is against it"
    for _ in range(19):
        peer.announce(more[1])
    assert peer.farewell is not None


# --- timestamps ahead of the clock


def early(stage: Stage, ahead_s: int, name: str = "early", parent: Forged = TIP) -> Forged:
    """A block whose time is this far past the latest that the node accepts."""
    return forge(NETWORK, name, parent, time=stage.wall_s + NETWORK.max_future_s + ahead_s)


def test_a_block_dated_ahead_is_set_aside_and_taken_in_time(stage: Stage) -> None:
    block = early(stage, 30)
    peer = stage.chain_puppet([*TRUNK, block], ready=False)
    peer.greet(work=0)
    peer.announce(block)
    assert points(stage, peer) == 0
    assert not known(stage, block)
    stage.wait(29)
    assert not known(stage, block)
    stage.wait(2)
    assert tip(stage) == block.hash
    assert refusals(stage) == []


def test_a_whole_block_dated_ahead_is_taken_in_time_though_its_sender_is_gone(stage: Stage) -> None:
    block = early(stage, 30)
    peer = stage.puppet()
    peer.say("block", block.raw)
    assert peer.closed is None
    peer.leave()
    stage.wait(31)
    assert known(stage, block)
    stage.chain_puppet([*TRUNK, block])
    assert tip(stage) == block.hash


def test_a_block_over_twice_the_span_ahead_is_forgotten(stage: Stage) -> None:
    block = early(stage, NETWORK.max_future_s + 1)
    peer = stage.puppet()
    peer.announce(block)
    assert points(stage, peer) == 0
    stage.wait(NETWORK.max_future_s + 10)
    assert not known(stage, block)


def test_at_most_sixty_four_blocks_are_set_aside(stage: Stage) -> None:
    blocks = [early(stage, 30, f"early {n}") for n in range(100)]
    peer = stage.puppet()
    for block in blocks:
        peer.announce(block)
    assert peer.closed is None
    stage.wait(31)
    assert [known(stage, block) for block in blocks] == [True] * 64 + [False] * 36


# --- work


def test_a_peer_that_claims_work_and_shows_none_is_asked_once(stage: Stage) -> None:
    liar = stage.chain_puppet(TRUNK, ready=False)
    liar.greet(work=puppet.MOST_WORK, height=10**9)
    assert len(liar.all("get_headers")) == 1
    stage.wait(120)
    assert len(liar.all("get_headers")) == 1
    assert tip(stage) == TIP.hash


def test_a_peer_that_claims_work_and_says_nothing_holds_headers_up_for_ten_seconds(stage: Stage) -> None:
    silent = stage.chain_puppet(inbound=False, ready=False)
    silent.silent = {"get_headers"}
    silent.greet(work=puppet.MOST_WORK)
    honest = stage.chain_puppet([*TRUNK, *grow(NETWORK, TIP, 1)])
    assert not honest.all("get_headers")
    stage.wait(9)
    assert not honest.all("get_headers")
    stage.wait(2)
    assert tip(stage) == honest.chain[-1].hash


def test_a_branch_with_less_work_is_known_by_its_headers_and_its_bodies_are_not_fetched(stage: Stage) -> None:
    branch = grow(NETWORK, ROOT, 3, "branch")
    peer = stage.puppet()
    peer.announce(*branch)
    assert known(stage, branch[-1])
    assert peer.wanted(BLOCK) == []
    assert peer.closed is None


# --- long chains show their work first


def known_headers(stage: Stage) -> int:
    return stage.node.queries.best_header.height


def test_a_branch_far_below_our_tip_is_not_stored() -> None:
    """Less work than the tip's without its last 144 blocks: no offence, and not stored in the index."""
    stage = Stage(NETWORK)
    stage.chain_puppet(grow(NETWORK, ROOT, 300)).leave()
    low, enough = grow(NETWORK, ROOT, 150, "low"), grow(NETWORK, ROOT, 160, "enough")
    peer = stage.puppet()
    peer.announce(*low)
    assert points(stage, peer) == 0
    assert not known(stage, low[0])
    peer.announce(*enough)
    assert known(stage, enough[-1])


def test_a_long_chain_that_does_not_show_the_work_it_claimed_is_not_stored() -> None:
    stage = Stage(NETWORK)
    liar = stage.chain_puppet(grow(NETWORK, ROOT, 2_100), ready=False)
    liar.greet(work=puppet.MOST_WORK)
    stage.wait(60)
    assert known_headers(stage) == 0
    assert len(liar.all("get_headers")) == 2


def test_a_long_chain_that_changes_between_the_passes_is_found_out() -> None:
    class TwoFaced(ChainPuppet):
        """Shows one chain in the first pass, and another one in the second."""

        def on_message(self, said: Said) -> None:
            super().on_message(said)
            if said.name == "get_headers" and len(self.all("get_headers")) == 2:
                self.follow(other)

    other = grow(NETWORK, ROOT, 2_500, "other")
    stage = Stage(NETWORK)
    liar = stage.connect(TwoFaced, ready=False)
    liar.follow(grow(NETWORK, ROOT, 2_500, "shown"))
    liar.greet()
    assert points(stage, liar) == 20
    assert known_headers(stage) < 100
    honest = stage.chain_puppet(grow(NETWORK, ROOT, 2_600, "honest"))
    assert tip(stage) == honest.chain[-1].hash


def test_inbound_peers_cannot_use_up_the_presyncs_of_outbound_ones() -> None:
    """Presyncs are bounded; those that inbound peers start and abandon do not keep outbound peers out."""
    stage = Stage(NETWORK)
    start = grow(NETWORK, ROOT, 2_000, "start")
    strangers = [stage.puppet(ready=False) for _ in range(20)]
    for stranger in strangers:
        stranger.greet(work=puppet.MOST_WORK)
        stranger.announce(*start)
    assert known_headers(stage) == 0
    assert len(stage.node._parts.headers._presyncs) == 8
    honest = stage.chain_puppet(grow(NETWORK, ROOT, 2_500, "honest"), inbound=False)
    stage.wait(30)
    assert tip(stage) == honest.chain[-1].hash
