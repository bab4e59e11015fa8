"""Transfers in bulk: signatures are gathered into few jobs, the intake is bounded, and no peer is starved."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.node.arrivals import AT_A_TIME, MAX_ARRIVED, Arrivals
from pychain.node.effects import VerifyTransfers
from pychain.node.inputs import Asked, AskedTogether, BytesReceived, Stop
from pychain.node.requests import GetTemplate, Refused, SubmitTransfer
from tests.support import wire
from tests.support.forge import genesis
from tests.support.keys import Signer, signer
from tests.support.network import Network
from tests.support.puppet import Puppet, Stage, message

PAYERS = [signer(f"payer {number}") for number in range(60)]
CAROL = signer("carol")
NETWORK = Network(allocations=tuple((payer.key, 10**9) for payer in (*PAYERS, CAROL)))
ROOT = genesis(NETWORK)
BATCH = 256
MOST_UNCHECKED = 4 * BATCH
AT_A_TURN = 250


def pay(sender: Signer, sequence: int, fee: int = 1000) -> bytes:
    return sender.transfer(NETWORK.genesis_hash, sequence, CAROL.key, 1, fee)


@pytest.fixture(scope="module")
def raws() -> list[bytes]:
    """Thousands of transfers of sixty accounts, each account's in sequence."""
    return [pay(payer, sequence) for sequence in range(50) for payer in PAYERS]


@pytest.fixture
def stage() -> Stage:
    return Stage(NETWORK, held_back=(VerifyTransfers,))


def jobs(stage: Stage) -> list[int]:
    """The sizes of the pending jobs."""
    return [len(effect.transfers) for effect in stage.held if isinstance(effect, VerifyTransfers)]


def pooled(stage: Stage) -> int:
    return len(stage.node.queries.mempool)


def deliver_together(stage: Stage, sent: list[tuple[Puppet, bytes]]) -> None:
    """Transfers from several peers, in order of arrival, before the node has processed any."""
    stage._inbox.extend(BytesReceived(puppet.peer, data) for puppet, data in sent)
    stage.run()


# --- jobs


def test_a_single_transfer_is_checked_at_once_and_few_gather_while_a_job_is_under_way(stage: Stage) -> None:
    asked = [stage.ask_later(SubmitTransfer(pay(payer, 0))) for payer in PAYERS[:9]]
    assert jobs(stage) == [1]
    stage.step()
    assert jobs(stage) == [8]
    stage.release()
    assert [request in stage.answers for request in asked] == [True] * 9
    assert pooled(stage) == 9


def test_many_are_another_job_and_jobs_are_decided_in_their_order(stage: Stage, raws: list[bytes]) -> None:
    """Each account has transfers in both, and the second is done first."""
    first, second = (
        AskedTogether(tuple([Asked(number, SubmitTransfer(raws[number])) for number in numbers]))
        for numbers in (range(100), range(100, 200))
    )
    stage.deliver(first)
    stage.deliver(second)
    assert jobs(stage) == [100, 100]
    stage.held.reverse()
    stage.step()
    assert (pooled(stage), stage.answers) == (0, {})
    stage.release()
    assert stage.answers == {number: wire.sha256d(raw) for number, raw in enumerate(raws[:200])}
    assert pooled(stage) == 200


def test_requests_of_one_moment_are_one_job_and_each_is_answered(stage: Stage) -> None:
    raws = [pay(payer, 0) for payer in PAYERS[:20]]
    raws[7] = raws[7][:-64] + bytes(64)
    stage.deliver(AskedTogether(tuple([Asked(number, SubmitTransfer(raw)) for number, raw in enumerate(raws)])))
    assert jobs(stage) == [20]
    stage.release()
    refused = stage.answers.pop(7)
    assert isinstance(refused, Refused)
    assert refused.code == "bad-tx-signature"
    assert stage.answers == {number: wire.sha256d(raw) for number, raw in enumerate(raws) if number != 7}


def test_requests_of_one_moment_are_all_turned_away_by_a_node_that_stopped(stage: Stage) -> None:
    stage.deliver(Stop())
    stage.deliver(AskedTogether((Asked(1, GetTemplate()), Asked(2, GetTemplate()))))
    answers = [stage.answers.pop(number) for number in (1, 2)]
    assert [answer.code for answer in answers if isinstance(answer, Refused)] == ["stopping", "stopping"]


def test_jobs_have_a_greatest_size_and_no_more_is_looked_at_than_can_be_checked(
    stage: Stage, raws: list[bytes]
) -> None:
    """Over a thousand signatures wait; other arrivals stay queued, and need no turns until there is room."""
    peer = stage.puppet()
    peer.send(message("txs", raws[:1000]))
    other = stage.puppet()
    other.send(message("txs", raws[1000:2000]))
    assert len(jobs(stage)) == 2
    intake = stage.node._parts.transfers
    assert MOST_UNCHECKED <= len(intake.unsettled()) < MOST_UNCHECKED + AT_A_TURN
    assert intake._arrived.count(other.peer) > 0
    deadline = stage.node.deadline()
    assert deadline is None or deadline > stage.mono_ns
    for _ in range(4):
        stage.step()
        assert max(jobs(stage)) <= BATCH
        assert len(jobs(stage)) <= 2
    stage.release()
    assert pooled(stage) == 2000


def test_one_forged_signature_among_many_spoils_none_but_its_own(stage: Stage, raws: list[bytes]) -> None:
    honest, liar = stage.puppet(), stage.puppet()
    forged = pay(CAROL, 0)[:-64] + bytes(64)
    deliver_together(stage, [(honest, message("txs", raws[:400])), (liar, message("txs", [forged]))])
    stage.release()
    assert pooled(stage) == 400
    assert honest.closed is None
    assert liar.closed is not None


# --- fairness


def test_a_flood_does_not_starve_another_peer(stage: Stage, raws: list[bytes]) -> None:
    """One peer floods, another sends a single transfer, which is in the mempool after a few jobs."""
    flooder, honest = stage.puppet(), stage.puppet()
    flood = iter([raws[at : at + 500] for at in range(0, len(raws), 500)])
    deliver_together(stage, [(flooder, message("txs", next(flood))) for _ in range(4)])
    news = pay(CAROL, 0)
    stage.deliver(BytesReceived(honest.peer, message("txs", [news])))
    steps = 0
    while news not in [pending.transfer.raw for pending in stage.node.queries.mempool.entries()]:
        stage.step()
        deliver_together(stage, [(flooder, message("txs", each)) for each in [next(flood, [])] if each])
        steps += 1
    assert steps <= MOST_UNCHECKED // BATCH + 3


def test_a_flood_does_not_keep_others_from_being_answered(stage: Stage, raws: list[bytes]) -> None:
    flooder, honest = stage.puppet(), stage.puppet()
    deliver_together(
        stage, [(flooder, message("txs", raws[:1000]))] * 3 + [(honest, message("ping", 7))] + [(flooder, b"")]
    )
    assert honest.all("pong") == [[7]]


def test_a_turn_looks_at_so_many(stage: Stage, raws: list[bytes]) -> None:
    """However many transfers of however many peers are queued, each input does a bounded piece of work."""
    waiting = [0]
    stage.watch(lambda: waiting.append(len(stage.node._parts.transfers.unsettled())))
    puppets = [stage.puppet() for _ in range(3)]
    deliver_together(
        stage,
        [(puppet, message("txs", raws[at : at + 700])) for at, puppet in zip((0, 700, 1400), puppets, strict=True)],
    )
    grown = [after - before for before, after in pairwise(waiting)]
    assert max(grown) == AT_A_TURN
    assert waiting[-1] > 2 * AT_A_TURN


# --- the queue of arrivals


def drained(arrivals: Arrivals, budget: int) -> Iterator[tuple[int | None, int]]:
    while arrivals:
        yield from ((peer, len(raws)) for peer, raws in arrivals.take(budget))


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 1500)), max_size=12), st.integers(1, 300))
def test_arrivals_are_bounded_for_each_peer_and_come_out_in_turn(puts: list[tuple[int, int]], budget: int) -> None:
    arrivals = Arrivals()
    kept: dict[int, list[bytes]] = {}
    for number, (peer, size) in enumerate(puts):
        raws = [b"%d %d" % (number, at) for at in range(size)]
        arrivals.put(raws, peer)
        kept[peer] = (kept.get(peer, []) + raws)[:MAX_ARRIVED]
        assert arrivals.count(peer) == len(kept[peer])
    got: dict[int, list[bytes]] = {}
    while arrivals:
        taken = list(arrivals.take(budget))
        assert 0 < sum(len(raws) for _, raws in taken) <= budget
        for peer, raws in taken:
            assert peer is not None
            assert len(raws) <= AT_A_TIME
            got.setdefault(peer, []).extend(raws)
    assert got == {peer: raws for peer, raws in kept.items() if raws}


def test_who_has_little_waits_for_one_round_of_the_others() -> None:
    arrivals = Arrivals()
    for peer in range(1, 9):
        arrivals.put([b"flood"] * 1000, peer)
    arrivals.put([b"news"], 99)
    order = [peer for peer, _ in drained(arrivals, AT_A_TURN)]
    assert order.index(99) <= 8


def test_our_own_are_all_kept_and_a_peer_who_left_is_forgotten() -> None:
    arrivals = Arrivals()
    arrivals.put([b"own"] * 5000, None)
    arrivals.put([b"sent"] * 10, 7)
    arrivals.forget(7)
    arrivals.forget(8)
    assert list(arrivals.own()) == [b"own"] * 5000
    assert sum(size for _, size in drained(arrivals, 10**6)) == 5000
    assert not arrivals
