"""A crash between any two effects: nothing announced is lost, and the balances are right."""

from __future__ import annotations

from itertools import count

from msgspec.structs import astuple

from pychain.consensus.rulebook import Rulebook
from pychain.ledger.memory_store import MemoryStore
from pychain.node.effects import Commit, Effect, Publish
from pychain.node.events import NewTip
from pychain.node.inputs import CommitDone
from pychain.node.requests import SubmitBlock
from tests.support.builder import spec_of
from tests.support.forge import MINER, Forged, forge, genesis
from tests.support.keys import Signer, signer
from tests.support.network import Network
from tests.support.node_driver import LoneNode
from tests.support.reference_chain import ReferenceChain

ALICE, BOB = signer("alice"), signer("bob")
NETWORK = Network(maturity=2, allocations=((ALICE.key, 1_000_000), (BOB.key, 500_000)))
CLOCK = NETWORK.genesis_time + 1_000_000


class MachineCrash(Exception):  # noqa: N818 - not an error
    """The machine crashes here."""


class FragileNode(LoneNode):
    """A lone node that crashes before its n-th effect is carried out; a commit counts as three."""

    def __init__(self, rulebook: Rulebook, store: MemoryStore, gaps: int, announced: list[bytes]) -> None:
        self.gaps = gaps
        self.announced = announced
        super().__init__(rulebook, CLOCK, store)

    def _gap(self) -> None:
        if self.gaps == 0:
            raise MachineCrash
        self.gaps -= 1

    def _carry(self, effect: Effect) -> None:
        self._gap()
        if isinstance(effect, Commit):
            self.store.start(effect.batch)
            self._gap()
            self.store.finish()
            self._gap()
            self.store.advance()
            self._inbox.append(CommitDone(effect.job))
            return
        if isinstance(effect, Publish) and isinstance(effect.event, NewTip):
            self.announced.append(effect.event.header.hash)
        super()._carry(effect)


def pay(sender: Signer, sequence: int, recipient: Signer, amount: int) -> bytes:
    return sender.transfer(NETWORK.genesis_hash, sequence, recipient.key, amount, fee=10)


def story() -> list[Forged]:
    """Two branches that overtake each other twice, with transfers that differ between them.

    genesis -> a1 -> a2 -> a3 -> a4 -> a5*
            -> b1 -> b2 -> b3 -> b4
    """
    root = genesis(NETWORK)
    a1 = forge(NETWORK, "a1", root, [pay(ALICE, 0, BOB, 100)])
    a2 = forge(NETWORK, "a2", a1, [pay(BOB, 0, ALICE, 7)])
    b1 = forge(NETWORK, "b1", root, [pay(BOB, 0, ALICE, 9)])
    b2 = forge(NETWORK, "b2", b1, [pay(ALICE, 0, BOB, 100)])
    b3 = forge(NETWORK, "b3", b2, [pay(ALICE, 1, BOB, 1), pay(BOB, 1, ALICE, 2)])
    a3 = forge(NETWORK, "a3", a2)
    a4 = forge(NETWORK, "a4", a3, [pay(ALICE, 1, BOB, 5)])
    b4 = forge(NETWORK, "b4", b3)
    a5 = forge(NETWORK, "a5", a4)
    return [a1, a2, b1, b2, b3, a3, a4, b4, a5]


def accounts(node: LoneNode) -> list[tuple[int, int]]:
    return [astuple(node.node.queries.account(key)) for key in (ALICE.key, BOB.key, MINER)]


def replay(blocks: list[Forged], tip: bytes) -> list[tuple[int, int]]:
    """The accounts after `tip`, by the reference chain fed with only its branch."""
    chain = ReferenceChain(NETWORK.toml(), CLOCK)
    branch = "b" if tip in {block.hash for block in blocks if block.name.startswith("b")} else "a"
    for block in blocks:
        if block.name.startswith(branch) and chain.tip() != tip:
            chain.submit(block.raw)
    assert chain.tip() == tip
    return [chain.account(key) for key in (ALICE.key, BOB.key, MINER)]


def unplugged(store: MemoryStore, gaps: int, blocks: list[Forged]) -> list[bytes] | None:
    """The tips announced before the crash; None if the run ended before it."""
    announced: list[bytes] = []
    try:
        node = FragileNode(Rulebook(spec_of(NETWORK)), store, gaps, announced)
        for block in blocks:
            node.ask(SubmitBlock(block.raw))
    except MachineCrash:
        return announced
    return None


def test_every_gap() -> None:
    blocks = story()
    for gap in count():
        store = MemoryStore()
        announced = unplugged(store, gap, blocks)
        if announced is None:
            break
        check_restart(store, announced, blocks)
    assert gap > 50


def check_restart(store: MemoryStore, announced: list[bytes], blocks: list[Forged]) -> None:
    """A node restarted after the crash knows all it announced, has the right balances, and reaches the same tip."""
    store.crash()
    node = LoneNode(Rulebook(spec_of(NETWORK)), CLOCK, store)
    queries = node.node.queries
    for block_hash in announced:
        assert queries.entry(block_hash) is not None
        assert store.body(block_hash) is not None
    if announced:
        last = queries.entry(announced[-1])
        assert last is not None
        assert queries.tip.work >= last.work
    if queries.tip.height:
        assert accounts(node) == replay(blocks, queries.tip.hash)
    for block in blocks:
        node.ask(SubmitBlock(block.raw))
    assert queries.tip.hash == blocks[-1].hash
    assert accounts(node) == replay(blocks, blocks[-1].hash)


def test_restart_after_the_end_changes_nothing() -> None:
    blocks = story()
    store = MemoryStore()
    node = LoneNode(Rulebook(spec_of(NETWORK)), CLOCK, store)
    for block in blocks:
        node.ask(SubmitBlock(block.raw))
    again = LoneNode(Rulebook(spec_of(NETWORK)), CLOCK, store)
    assert again.node.queries.tip.hash == node.node.queries.tip.hash
    assert accounts(again) == accounts(node)
