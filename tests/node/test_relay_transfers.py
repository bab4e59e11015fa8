"""Transfer relay: one announcer is asked at a time, cheap checks come first, and new transfers are announced once."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest

from pychain.ledger.mempool import MempoolLimits
from pychain.node.config import NodeConfig
from pychain.node.effects import VerifyTransfers
from pychain.node.events import TransferAccepted, TransferDropped
from pychain.node.inputs import Stop
from pychain.node.requests import Refused, SubmitTransfer
from tests.support import wire
from tests.support.forge import forge, genesis
from tests.support.keys import Signer, signer
from tests.support.network import Network
from tests.support.puppet import TRANSACTION, Puppet, Said, Stage, grow, message

ALICE, BOB, CAROL = signer("alice"), signer("bob"), signer("carol")
POOR = signer("poor")
NETWORK = Network(allocations=((ALICE.key, 10_000_000), (BOB.key, 10_000_000), (CAROL.key, 10_000_000)))
ROOT = genesis(NETWORK)
ASKING_S = 5
"""The time that one announcer has to deliver a transaction."""


def pay(sender: Signer, sequence: int, fee: int = 1000, amount: int = 1) -> bytes:
    return sender.transfer(NETWORK.genesis_hash, sequence, BOB.key, amount, fee)


def forged(raw: bytes) -> bytes:
    """The same transfer with an invalid signature."""
    return raw[:-64] + bytes(64)


def txid(raw: bytes) -> bytes:
    return wire.sha256d(raw)


@pytest.fixture
def stage() -> Stage:
    return Stage(NETWORK)


def pool(stage: Stage) -> list[bytes]:
    """Raw transfers in the mempool, in the order of their arrival."""
    return [pending.transfer.raw for pending in stage.node.queries.mempool.entries()]


def points(stage: Stage, peer: Puppet) -> int:
    return stage.node.queries.points(peer.peer, stage.now)


def told(peer: Puppet) -> list[bytes]:
    """Txids that the node announced to this peer, in order."""
    return [announced for fields in peer.all("inv") if fields[0] == TRANSACTION for announced in fields[1]]


class Holder(Puppet):
    """Announces transfers and delivers them on request."""

    raws: dict[bytes, bytes]

    def on_message(self, said: Said) -> None:
        if said.name == "want" and said.fields[0] == TRANSACTION:
            self.say("txs", [self.raws[wanted] for wanted in said.fields[1] if wanted in self.raws])

    def offer(self, raws: Sequence[bytes]) -> None:
        self.raws = {txid(raw): raw for raw in raws}
        self.say("inv", TRANSACTION, list(self.raws))


def holder(stage: Stage, *, inbound: bool = True) -> Holder:
    return stage.connect(Holder, inbound=inbound)


# --- asking


def test_what_is_announced_is_asked_for_taken_and_told_on(stage: Stage) -> None:
    source, others = holder(stage), [stage.puppet() for _ in range(5)]
    raws = [pay(ALICE, sequence) for sequence in range(20)]
    source.offer(raws)
    assert pool(stage) == raws
    stage.wait(20)
    for peer in others:
        assert told(peer) == [txid(raw) for raw in raws], "each once, an account's in sequence"
    assert told(source) == []


def test_one_announcer_is_asked_at_a_time_and_the_next_after_a_timeout(stage: Stage) -> None:
    silent = [stage.puppet() for _ in range(3)]
    raw = pay(ALICE, 0)
    for peer in silent:
        peer.say("inv", TRANSACTION, [txid(raw)])
    good = holder(stage)
    good.offer([raw])
    assert [len(peer.wanted(TRANSACTION)) for peer in silent] == [1, 0, 0]
    stage.wait(ASKING_S)
    assert [len(peer.wanted(TRANSACTION)) for peer in silent] == [1, 1, 0]
    stage.wait(ASKING_S)
    stage.wait(ASKING_S)
    assert pool(stage) == [raw]
    stage.wait(60)
    assert [len(peer.wanted(TRANSACTION)) for peer in silent] == [1, 1, 1]


def test_missing_and_leaving_turn_to_the_next_at_once(stage: Stage) -> None:
    first, second = stage.puppet(), stage.puppet()
    raw = pay(ALICE, 0)
    for peer in (first, second):
        peer.say("inv", TRANSACTION, [txid(raw)])
    good = holder(stage)
    good.offer([raw])
    first.say("missing", TRANSACTION, [txid(raw)])
    assert second.wanted(TRANSACTION) == [txid(raw)]
    second.leave()
    assert pool(stage) == [raw]


def test_an_announcer_whom_we_dialled_is_asked_before_those_who_dialled_us(stage: Stage) -> None:
    """Of two announcers that could be next, the outbound peer is asked before the inbound one."""
    first, inbound, outbound = stage.puppet(), stage.puppet(), stage.puppet(inbound=False)
    for peer in (first, inbound, outbound):
        peer.say("inv", TRANSACTION, [txid(b"x")])
    stage.wait(ASKING_S)
    assert outbound.wanted(TRANSACTION)
    assert not inbound.wanted(TRANSACTION)


def test_another_answer_than_was_asked_for_satisfies_no_request(stage: Stage) -> None:
    liar = stage.puppet()
    wanted, other = pay(ALICE, 0), pay(CAROL, 0)
    liar.say("inv", TRANSACTION, [txid(wanted)])
    good = holder(stage)
    good.offer([wanted])
    liar.say("txs", [other])
    assert pool(stage) == [other]
    stage.wait(ASKING_S)
    assert pool(stage) == [other, wanted]


def test_a_burst_is_looked_at_in_turns_and_a_flood_beyond_it_is_dropped(stage: Stage) -> None:
    """Two thousand unrequested transfers in one message: the turn is short, and the excess is dropped."""
    peer = stage.puppet()
    raws = [POOR.transfer(NETWORK.genesis_hash, number, BOB.key, 1, 1000) for number in range(50)] * 40
    looked = []
    stage.watch(lambda: looked.append(stage.node._parts.transfers._arrived.count(peer.peer)))
    peer.send(message("txs", raws[:1000]) + message("txs", raws[1000:]))
    assert looked[0] == 750
    assert looked[-1] == 0
    assert len(looked) < 8
    assert peer.closed is None


# --- checking


def verifications(stage: Stage) -> list[bytes]:
    """Txids of the transfers whose signature checks are held back."""
    return [t.txid for effect in stage.held if isinstance(effect, VerifyTransfers) for t in effect.transfers]


def test_an_unfunded_key_never_costs_a_signature(stage: Stage) -> None:
    stage.held_back = (VerifyTransfers,)
    peer = stage.puppet()
    for number in range(100):
        stranger = Signer(sha256(str(number).encode()).digest())
        peer.say("txs", [stranger.transfer(NETWORK.genesis_hash, 0, BOB.key, 0, 1000)])
    assert verifications(stage) == []
    assert points(stage, peer) == 0


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (pay(ALICE, 0, fee=154), "below the relay fee"),
        (pay(ALICE, 0, amount=10**7), "not covered"),
        (pay(ALICE, 64), "too far ahead"),
        (pay(ALICE, 1), "waits for its predecessor"),
    ],
)
def test_what_cannot_be_mined_next_never_costs_a_signature(stage: Stage, raw: bytes, why: str) -> None:
    stage.held_back = (VerifyTransfers,)
    peer = stage.puppet()
    peer.say("txs", [forged(raw)])
    assert verifications(stage) == [], why
    assert points(stage, peer) == 0


def test_all_that_an_account_has_pending_is_covered_before_a_signature_is_checked(stage: Stage) -> None:
    stage.held_back = (VerifyTransfers,)
    peer = stage.puppet()
    raws = [pay(ALICE, sequence, amount=4_000_000) for sequence in range(3)]
    peer.say("txs", raws)
    assert verifications(stage) == [txid(raw) for raw in raws[:2]]


@pytest.mark.parametrize("raw", [b"\x01", b"\x01" * 700, wire.coinbase(1, bytes(32), 5), pay(ALICE, 2**64 - 1)])
def test_what_no_node_could_relay_costs_the_connection(stage: Stage, raw: bytes) -> None:
    peer = stage.puppet()
    peer.say("txs", [raw])
    assert peer.farewell is not None
    assert peer.farewell[0] == "misbehaviour"
    assert pool(stage) == []


def test_a_forged_signature_costs_the_connection_and_nothing_else(stage: Stage) -> None:
    peer = stage.puppet()
    raw = pay(ALICE, 0)
    peer.say("txs", [forged(raw)])
    assert peer.farewell is not None
    assert "bad-tx-signature" in peer.farewell[1]
    stage.puppet().say("txs", [raw])
    assert pool(stage) == [raw]


@pytest.mark.parametrize("kind", ["peer", "request"])
def test_a_forged_transfer_under_check_does_not_shadow_the_true_one(stage: Stage, kind: str) -> None:
    stage.held_back = (VerifyTransfers,)
    raw = pay(ALICE, 0)
    stage.puppet().say("txs", [forged(raw)])
    answer = 0
    if kind == "peer":
        stage.puppet().say("txs", [raw])
    else:
        answer = stage.ask_later(SubmitTransfer(raw))
    assert stage.answers == {}
    stage.release()
    assert pool(stage) == [raw]
    if kind == "request":
        assert stage.answers.pop(answer) == txid(raw)


def test_of_many_with_one_sequence_some_are_kept_for_their_turn_and_every_request_is_answered(stage: Stage) -> None:
    stage.held_back = (VerifyTransfers,)
    raws = [pay(ALICE, 0, fee=1000 + number) for number in range(12)]
    asked = [stage.ask_later(SubmitTransfer(raw)) for raw in raws]
    stage.release()
    answers = [stage.answers.pop(request) for request in asked]
    assert answers[0] == txid(raws[0])
    assert [answer.code for answer in answers if isinstance(answer, Refused)].count("conflict") == 3
    assert [answer.code for answer in answers if isinstance(answer, Refused)].count("insufficient-fee") == 8
    assert stage.answers == {}


def test_a_gap_in_the_sequence_waits_for_what_fills_it(stage: Stage) -> None:
    peer = stage.puppet()
    raws = [pay(ALICE, sequence) for sequence in range(5)]
    for raw in reversed(raws[1:]):
        peer.say("txs", [raw])
    assert pool(stage) == []
    assert points(stage, peer) == 0
    stage.puppet().say("txs", [raws[0]])
    assert pool(stage) == raws


def test_a_gap_is_filled_by_a_block_too(stage: Stage) -> None:
    raws = [pay(ALICE, sequence) for sequence in range(2)]
    stage.puppet().say("txs", [raws[1]])
    stage.puppet().say("block", forge(NETWORK, "filler", ROOT, [raws[0]]).raw)
    assert stage.node.queries.tip.height == 1
    assert pool(stage) == [raws[1]]


def test_what_waits_is_not_asked_for_again(stage: Stage) -> None:
    stage.puppet().say("txs", [pay(ALICE, 1)])
    other = stage.puppet()
    other.say("inv", TRANSACTION, [txid(pay(ALICE, 1))])
    assert other.wanted(TRANSACTION) == []


def test_forged_transfers_that_wait_do_not_take_the_places_of_true_ones(stage: Stage) -> None:
    raws = [pay(ALICE, sequence) for sequence in range(3)]
    forger = stage.puppet()
    for number in range(300):
        forger.say("txs", [forged(pay(ALICE, 1 + number % 63, fee=2000 + number))])
    honest = stage.puppet()
    for raw in reversed(raws):
        honest.say("txs", [raw])
    assert pool(stage) == raws
    assert forger.closed
    assert len(stage.node._parts.transfers._waiting) <= 256
    assert honest.closed is None


def test_one_peer_cannot_make_the_node_forget_what_waits_from_another(stage: Stage) -> None:
    raws = [pay(ALICE, sequence) for sequence in range(2)]
    honest = stage.puppet()
    honest.say("txs", [raws[1]])
    flooder = stage.puppet()
    for sender in (BOB, CAROL):
        for sequence in range(1, 64):
            flooder.say("txs", [forged(pay(sender, sequence, fee=3000 + extra)) for extra in range(20)])
    honest.say("txs", [raws[0]])
    assert pool(stage) == raws


def test_who_sends_a_forged_transfer_that_waits_is_found_out_later(stage: Stage) -> None:
    """Its signature is checked when its turn comes, and its sender is still known."""
    forger = stage.puppet()
    forger.say("txs", [forged(pay(ALICE, 1))])
    assert forger.closed is None
    stage.puppet().say("txs", [pay(ALICE, 0)])
    assert forger.farewell is not None
    assert "bad-tx-signature" in forger.farewell[1]


def test_a_refused_transfer_is_not_asked_for_again_before_the_next_tip(stage: Stage) -> None:
    raw = pay(ALICE, 0, amount=10**7)
    stage.puppet().say("txs", [raw])
    teller = stage.puppet()
    teller.say("inv", TRANSACTION, [txid(raw)])
    assert teller.wanted(TRANSACTION) == []
    stage.puppet().say("block", forge(NETWORK, "next", ROOT).raw)
    teller.say("inv", TRANSACTION, [txid(raw)])
    assert teller.wanted(TRANSACTION) == [txid(raw)]


def test_refusals_are_remembered_within_a_bound(stage: Stage) -> None:
    peer = stage.puppet()
    stage.wait(0.1)
    for start in range(0, 12_000, 500):
        peer.say("txs", [pay(POOR, number, fee=1000 + number) for number in range(start, start + 500)])
        stage.wait(0.2)
    assert len(stage.node._parts.transfers._rejected) <= 20_000
    assert pool(stage) == []


# --- announcing


def test_a_transfer_is_not_announced_to_its_sender(stage: Stage) -> None:
    raw = pay(ALICE, 0)
    source, announcer, listener = holder(stage), stage.puppet(), stage.puppet()
    announcer.say("inv", TRANSACTION, [txid(raw)])
    source.offer([raw])
    stage.wait(ASKING_S)
    stage.wait(20)
    assert told(listener) == [txid(raw)]
    assert told(announcer) == []
    assert told(source) == []


def test_a_peer_who_came_later_is_not_told_of_what_is_old(stage: Stage) -> None:
    holder(stage).offer([pay(ALICE, 0)])
    stage.wait(20)
    late = stage.puppet()
    stage.wait(20)
    assert told(late) == []


def test_a_replacement_is_told_and_the_replaced_one_is_not_served(stage: Stage) -> None:
    old, new = pay(ALICE, 0), pay(ALICE, 0, fee=2000)
    listener = stage.puppet()
    holder(stage).offer([old])
    stage.wait(20)
    holder(stage).offer([new])
    stage.wait(20)
    assert pool(stage) == [new]
    assert told(listener) == [txid(old), txid(new)]
    listener.say("want", TRANSACTION, [txid(old), txid(new)])
    assert listener.all("txs") == [[[new]]]
    assert listener.all("missing") == [[TRANSACTION, [txid(old)]]]


def test_what_is_replaced_before_it_was_told_is_never_told(stage: Stage) -> None:
    old, new = pay(ALICE, 0), pay(ALICE, 0, fee=2000)
    listener = stage.puppet()
    stage.puppet().say("txs", [old, new])
    stage.puppet().say("txs", [new])
    stage.wait(20)
    assert told(listener) == [txid(new)]


def test_what_pays_less_than_a_peers_filter_is_not_announced_to_it(stage: Stage) -> None:
    picky, open_minded = stage.puppet(), stage.puppet()
    picky.say("fee_filter", 10_000)
    cheap, dear = pay(ALICE, 0), pay(CAROL, 0, fee=10_000)
    holder(stage).offer([cheap, dear])
    stage.wait(20)
    assert told(picky) == [txid(dear)]
    assert sorted(told(open_minded)) == sorted([txid(cheap), txid(dear)])


def test_our_own_filter_is_the_relay_fee() -> None:
    stage = Stage(NETWORK, config=lambda rulebook: NodeConfig(rulebook, mempool=MempoolLimits(relay_fee=7_000)))
    assert stage.puppet().all("fee_filter") == [[7_000]]


def test_a_reorganisation_brings_transfers_back_and_tells_of_them(stage: Stage) -> None:
    kept, lost, moved = pay(ALICE, 0), pay(CAROL, 0), pay(BOB, 0)
    first = forge(NETWORK, "first", ROOT, [kept, lost, moved])
    stage.puppet().say("block", first.raw)
    assert stage.node.queries.tip.hash == first.hash
    listener = stage.puppet()
    other = CAROL.transfer(NETWORK.genesis_hash, 0, ALICE.key, 9, 1000)
    fork = forge(NETWORK, "fork", ROOT, [other, moved])
    stage.chain_puppet([fork, *grow(NETWORK, fork, 1)])
    assert stage.node.queries.tip.height == 2
    assert pool(stage) == [kept]
    stage.wait(20)
    assert told(listener) == [txid(kept)]
    dropped = [event.transfer.txid for event in stage.events if isinstance(event, TransferDropped)]
    assert dropped == [txid(lost)]
    listener.say("want", TRANSACTION, [txid(kept)])
    assert listener.all("txs") == [[[kept]]]


def test_what_follows_on_undone_transfers_comes_back_with_them(stage: Stage) -> None:
    """Three were mined and three more are pending; the block of the first three is disconnected."""
    peer = stage.puppet()
    raws = [pay(ALICE, sequence) for sequence in range(6)]
    peer.say("block", forge(NETWORK, "first", ROOT, raws[:3]).raw)
    for raw in raws[3:]:
        peer.say("txs", [raw])
    assert pool(stage) == raws[3:]
    stage.chain_puppet(grow(NETWORK, ROOT, 2))
    assert stage.node.queries.tip.height == 2
    assert pool(stage) == raws


def test_mined_transfers_leave_and_are_neither_told_nor_asked_for_again(stage: Stage) -> None:
    raw = pay(ALICE, 0)
    listener = stage.puppet()
    holder(stage).offer([raw])
    stage.puppet().say("block", forge(NETWORK, "miner", ROOT, [raw]).raw)
    assert pool(stage) == []
    stage.wait(20)
    assert told(listener) == []
    assert not any(isinstance(event, TransferDropped) for event in stage.events)
    stage.puppet().say("txs", [raw])
    assert pool(stage) == []


def test_nothing_is_asked_for_while_the_chain_is_behind(stage: Stage) -> None:
    chain = grow(NETWORK, ROOT, 20)
    lazy = stage.chain_puppet(chain, ready=False)
    lazy.silent = {"want"}
    lazy.greet()
    source = holder(stage)
    source.offer([pay(ALICE, 0)])
    assert source.wanted(TRANSACTION) == []
    source.say("txs", [pay(ALICE, 0)])
    assert pool(stage) == []
    for block in chain:
        lazy.serve(block.hash)
    source.offer([pay(ALICE, 0)])
    assert pool(stage) == [pay(ALICE, 0)]


# --- across a restart


def test_transfers_that_wait_for_their_signatures_survive_a_stop(stage: Stage) -> None:
    """A clean stop loses neither pending transfers nor those on the way into the mempool."""
    stage.puppet().say("txs", [pay(ALICE, 0)])
    stage.held_back = (VerifyTransfers,)
    stage.puppet().say("txs", [pay(ALICE, 1), pay(CAROL, 0)])
    stage.feed(Stop())
    assert stage.stopped is not None
    again = Stage(NETWORK, store=stage.store)
    assert pool(again) == [pay(ALICE, 0), pay(ALICE, 1), pay(CAROL, 0)]


def test_many_saved_transfers_come_back_in_turns() -> None:
    stage = Stage(NETWORK)
    senders = [ALICE, CAROL, BOB]
    raws = [pay(sender, sequence) for sequence in range(64) for sender in senders]
    stage.puppet().say("txs", raws)
    assert len(pool(stage)) == 192
    stage.wait(61)
    again = Stage(NETWORK, store=stage.store)
    assert sorted(pool(again)) == sorted(raws)
    assert sum(isinstance(event, TransferAccepted) for event in again.events) == len(raws)
