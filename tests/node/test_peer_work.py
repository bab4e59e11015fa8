"""No input makes the node work without bound: the work of one call is counted, for the largest messages and blocks.

The tests count calls of Python functions, which dominate the time, because no test can rely on time itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from types import FrameType

import pytest

from pychain.base.time import Now
from pychain.chain.block import decode_block
from pychain.consensus.state import BlockConnection
from pychain.ledger import template
from pychain.ledger.pending import Queue
from pychain.node.effects import Commit, Effect, VerifyBlocks
from pychain.node.headers import HeaderIntake
from pychain.node.inputs import BlocksVerified, Input, Tick
from pychain.node.requests import GetTemplate
from pychain.p2p.netaddress import NetAddress
from tests.support import wire
from tests.support.forge import forge, genesis
from tests.support.keys import signer
from tests.support.network import Network
from tests.support.operations import operations_of
from tests.support.puppet import NO_STOP, TRANSACTION, Stage, grow, message

SENDERS = [signer(f"sender {number}") for number in range(200)]
NETWORK = Network(max_block_bytes=4_000_000, allocations=tuple((sender.key, 10**9) for sender in SENDERS))
ROOT = genesis(NETWORK)
BUDGET = 60_000
"""Python calls of one turn: a few milliseconds on any current machine."""


def unsigned(count: int, first: int = 0) -> list[bytes]:
    """Transfers of all senders in turn, each to a new account. Their signatures are never checked."""
    raws = []
    for number in range(first, first + count):
        sender = SENDERS[number % len(SENDERS)]
        recipient = sha256(number.to_bytes(4, "big")).digest()
        body = wire.transfer_body(sender.key, number // len(SENDERS), recipient, 1, 1000)
        raws.append(body + bytes(64))
    return raws


class Trusting(Stage):
    """A stage whose workers accept every signature in a block."""

    def _carry(self, effect: Effect) -> None:
        if isinstance(effect, VerifyBlocks):
            self._inbox.append(BlocksVerified(effect.job, tuple(map(decode_block, effect.raws))))
        else:
            super()._carry(effect)


@contextmanager
def counted(stage: Stage) -> Iterator[list[int]]:
    """The Python calls of each turn of the node meanwhile."""
    turns: list[int] = []
    handle = stage.node.handle

    def on_event(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            turns[-1] += 1

    def counting(incoming: Input, now: Now) -> list[Effect]:
        turns.append(0)
        sys.setprofile(on_event)
        try:
            return handle(incoming, now)
        finally:
            sys.setprofile(None)

    stage.node.handle = counting  # type: ignore[method-assign]
    try:
        yield turns
    finally:
        stage.node.handle = handle  # type: ignore[method-assign]


def worst(stage: Stage, action: Callable[[], object]) -> int:
    with counted(stage) as turns:
        action()
    return max(turns)


def test_a_block_of_twenty_thousand_transfers_is_applied_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    applied: list[int] = []
    apply = BlockConnection._apply

    def counting(self: BlockConnection, end: int) -> None:
        before = self._applied
        apply(self, end)
        applied[-1] += self._applied - before

    monkeypatch.setattr(BlockConnection, "_apply", counting)
    stage = Trusting(NETWORK)
    block = forge(NETWORK, "big", ROOT, unsigned(20_000))
    assert len(block.raw) > 3_000_000
    peer = stage.puppet()
    applied.append(0)
    stage.watch(lambda: applied.append(0))
    peer.say("block", block.raw)
    assert stage.node.queries.tip.hash == block.hash
    assert sum(applied) == 20_000
    assert max(applied) <= 2_000


def test_two_thousand_headers_are_judged_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = [0]
    accept = HeaderIntake.accept

    def counting(self: HeaderIntake, *arguments: object) -> object:
        judged[-1] += 1
        return accept(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(HeaderIntake, "accept", counting)
    stage = Stage(NETWORK)
    blocks = grow(NETWORK, ROOT, 2_000)
    stage.watch(lambda: judged.append(0))
    stage.puppet().announce(*blocks)
    assert stage.node.queries.best_header.hash == blocks[-1].hash
    assert sum(judged) == 2_000
    assert max(judged) <= 100


@pytest.mark.parametrize("count", [2_000, 20_000])
def test_a_block_costs_a_turn_the_same_whatever_its_size(count: int) -> None:
    stage = Trusting(NETWORK)
    block = forge(NETWORK, "big", ROOT, unsigned(count))
    peer = stage.puppet()
    assert worst(stage, lambda: peer.say("block", block.raw)) < 15_000
    assert stage.node.queries.tip.hash == block.hash


def pending(stage: Stage) -> set[bytes]:
    return {entry.transfer.txid for entry in stage.node.queries.mempool.entries()}


def test_a_reorganisation_gives_transfers_back_in_slices_and_loses_none() -> None:
    """Twelve thousand transfers leave the chain, and five thousand are mined again in the same reorganisation."""
    raws = unsigned(12_000)
    stage = Trusting(NETWORK)
    old = [forge(NETWORK, "old 1", ROOT, raws[:6_000])]
    old.append(forge(NETWORK, "old 2", old[0], raws[6_000:]))
    stage.chain_puppet(old).leave()
    new = [forge(NETWORK, "new 1", ROOT, raws[:5_000])]
    new += grow(NETWORK, new[0], 2, "new")
    assert worst(stage, lambda: stage.chain_puppet(new)) < BUDGET
    assert stage.node.queries.tip.hash == new[-1].hash
    assert pending(stage) == {wire.sha256d(raw) for raw in raws[5_000:12_000]}


def test_a_block_costs_a_turn_the_same_whatever_the_mempool_holds() -> None:
    """Ten thousand pending transfers are mined at once, with fifty peers listening."""
    raws = unsigned(10_000)
    stage = Trusting(NETWORK)
    old = [forge(NETWORK, "old", ROOT, raws)]
    stage.chain_puppet(old).leave()
    fork = grow(NETWORK, ROOT, 2, "fork")
    stage.chain_puppet(fork).leave()
    assert len(pending(stage)) == 10_000
    for _ in range(50):
        stage.puppet()
    again = forge(NETWORK, "again", fork[-1], raws)
    assert worst(stage, lambda: stage.puppet().say("block", again.raw)) < BUDGET
    assert stage.node.queries.tip.hash == again.hash
    assert pending(stage) == set()


def test_the_transfers_of_a_template_are_chosen_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand are pending when a template is asked for."""
    ranked = [0]
    chunks_of = template.chunks_of

    def counting(queue: Queue, start: int = 0) -> list[template.Chunk]:
        ranked[-1] += len(queue) - start
        return chunks_of(queue, start)

    monkeypatch.setattr(template, "chunks_of", counting)
    stage = Trusting(NETWORK)
    stage.chain_puppet([forge(NETWORK, "old", ROOT, unsigned(10_000))]).leave()
    stage.chain_puppet(grow(NETWORK, ROOT, 2, "fork")).leave()
    assert len(pending(stage)) == 10_000
    stage.watch(lambda: ranked.append(0))
    assert len(stage.ask(GetTemplate()).transfers) == 10_000
    assert sum(ranked) == 10_000
    assert max(ranked) <= 2_500 + 64  # and the rest of the queue at which it ends


def test_a_deep_reorganisation_is_prepared_in_slices() -> None:
    stage = Stage(NETWORK)
    stage.chain_puppet(grow(NETWORK, ROOT, 2_000)).leave()
    deeper = grow(NETWORK, ROOT, 2_001, "deeper")
    assert worst(stage, lambda: stage.chain_puppet(deeper)) < BUDGET
    assert stage.node.queries.tip.hash == deeper[-1].hash


def test_a_crowd_of_silent_sources_costs_a_turn_little() -> None:
    stage = Stage(NETWORK)
    chain = grow(NETWORK, ROOT, 1_000)

    def join_and_stall() -> None:
        for _ in range(100):
            peer = stage.chain_puppet(chain, ready=False)
            peer.silent = {"want"}
            peer.greet()
        stage.wait(21)

    assert worst(stage, join_and_stall) < BUDGET


def test_a_crowd_at_rest_costs_a_turn_nothing() -> None:
    """Peers that have our chain and no pending requests cost nothing, neither in `poll` nor in `deadline`."""
    chain = grow(NETWORK, ROOT, 3)

    def cost(crowd: int) -> int:
        stage = Stage(NETWORK)
        for _ in range(crowd):
            stage.chain_puppet(chain)
        now = Now(stage.mono_ns, stage.wall_s)
        stage.node._parts.addresses.add(NetAddress("198.51.100.1", 8333), now)
        stage.node.handle(Tick(), now)  # which dials it: there are free slots for more
        return operations_of(lambda: (stage.node.handle(Tick(), now), stage.node.deadline()))

    assert cost(100) <= cost(10)


def hash_of(number: int) -> bytes:
    return sha256(number.to_bytes(4, "big")).digest()


def test_a_crowd_with_the_same_announcements_costs_a_turn_little() -> None:
    """A hundred peers announce the same two thousand objects, and none delivers any."""
    stage = Stage(NETWORK)
    hashes = [hash_of(number) for number in range(2_000)]
    announcement = message("inv", TRANSACTION, hashes[:1000]) + message("inv", TRANSACTION, hashes[1000:])

    def announce() -> None:
        for _ in range(100):
            stage.puppet().send(announcement)

    assert worst(stage, announce) < BUDGET
    assert worst(stage, lambda: stage.wait(30)) < BUDGET


def test_a_commit_of_many_blocks_costs_a_turn_little_though_many_listen() -> None:
    stage = Stage(NETWORK, held_back=(Commit,))
    for _ in range(100):
        stage.puppet()
    stage.chain_puppet(grow(NETWORK, ROOT, 2_000))
    assert worst(stage, stage.release) < 15_000
    assert stage.node.queries.tip.height == 2_000


READ_BYTES = 65_536
"""The daemon reads this much at once."""


FLOODS: dict[str, Callable[[], bytes]] = {
    "empty lists": lambda: message("inv", TRANSACTION, []) * 30_000,
    "unknown types": lambda: bytes([0, 0, 0, 1, 200]) * 30_000,
    "pings": lambda: message("ping", 1) * 30_000,
    "known blocks": lambda: message("block", ROOT.raw) * 3_000,
    "questions for headers": lambda: message("get_headers", [ROOT.hash], NO_STOP) * 3_000,
    "long locators": lambda: message("get_headers", [hash_of(n) for n in range(101)], NO_STOP) * 200,
    "wants for unknown blocks": lambda: message("want", 2, [hash_of(n) for n in range(1000)]) * 20,
    "unfunded transfers": lambda: message("txs", [unfunded(number) for number in range(800)]),
}


def unfunded(number: int) -> bytes:
    return wire.transfer_body(hash_of(number), 0, ROOT.hash, 1, 1000) + bytes(64)


@pytest.mark.parametrize("name", FLOODS)
def test_no_read_full_of_messages_costs_a_turn_much(name: str) -> None:
    stage = Stage(NETWORK)
    stage.chain_puppet(grow(NETWORK, ROOT, 50)).leave()
    data = FLOODS[name]()
    peer = stage.puppet()

    def flood() -> None:
        for start in range(0, len(data), READ_BYTES):
            peer.send(data[start : start + READ_BYTES])

    assert worst(stage, flood) < BUDGET
