"""The overlay against a plain dictionary model: reads through working changes, the batch under way and the store, in
every interleaving of putting, sealing, settling and crashing.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha256

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pychain.chain.block import Block
from pychain.chain.header import Header, new_header
from pychain.chain.transaction import Transfer
from pychain.consensus.state import ABSENT, Account, Reward
from pychain.ledger.memory_store import MemoryStore
from pychain.ledger.overlay import AccountLayer, Overlay
from pychain.ledger.store import Batch, IndexRecord, Status, TransactionPlace
from tests.support.blocks import plain_block, unsigned
from tests.support.index import known


def hash_of(block: Block) -> bytes:
    return block.hash


def digest(name: str) -> bytes:
    return sha256(name.encode()).digest()


KEYS = [digest(f"key {number}") for number in range(4)]
TRANSFERS = [unsigned(KEYS[number % 4], KEYS[number % 3], number) for number in range(8)]
HEADERS = [new_header(1, bytes(32), digest(f"header {number}"), 7, 0x207FFFFF, number) for number in range(4)]
GENESIS = digest("genesis")

accounts = st.builds(Account, st.integers(0, 3), st.integers(0, 2))  # small, so that ABSENT comes up
changes = st.dictionaries(st.sampled_from(KEYS), accounts, max_size=3)


@dataclass
class State:
    """The whole state of a ledger."""

    accounts: dict[bytes, Account] = field(default_factory=dict)
    index: dict[bytes, IndexRecord] = field(default_factory=dict)
    bodies: dict[bytes, bytes] = field(default_factory=dict)
    undo: dict[bytes, bytes] = field(default_factory=dict)
    rewards: dict[bytes, Reward] = field(default_factory=dict)
    places: dict[bytes, TransactionPlace] = field(default_factory=dict)
    tables: dict[str, bytes] = field(default_factory=dict)
    chain: list[Block] = field(default_factory=list)

    @property
    def tip(self) -> bytes | None:
        return self.chain[-1].hash if self.chain else None


class OverlayMachine(RuleBasedStateMachine):
    """One overlay over one store, and the state that reads must show: now, when sealed, and on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.overlay = Overlay(self.store)
        self.now, self.sealed, self.durable = State(), State(), State()
        self.phase = "idle"
        self.waiting_bodies: dict[bytes, int] = {}
        self.writing_bodies: dict[bytes, int] = {}
        self.waiting_blocks: dict[bytes, Block] = {}
        self.is_dirty = False
        self.blocks: list[Block] = []
        self.names = 0

    def new_hash(self) -> bytes:
        self.names += 1
        return digest(f"body {self.names}")

    # --- writes

    @rule(header=st.sampled_from(HEADERS), status=st.sampled_from([Status.HEADER, Status.BODY, Status.INVALID]))
    def put_index(self, header: Header, status: Status) -> None:
        record = IndexRecord.of(header, 1, status)
        self.now.index[header.hash] = record
        self.overlay.put_index([record])
        self.is_dirty = True

    @rule(size=st.integers(1, 5), again=st.booleans())
    def put_body(self, size: int, again: bool) -> None:
        """A new body, or the last one once more."""
        block_hash = next(reversed(self.now.bodies)) if again and self.now.bodies else self.new_hash()
        raw = self.now.bodies.get(block_hash, b"\x01" * size)
        self.now.bodies[block_hash] = raw
        self.waiting_bodies[block_hash] = len(raw)
        self.overlay.put_body(block_hash, raw)
        self.is_dirty = True

    @rule(name=st.sampled_from(["addresses", "bans"]), content=st.binary(max_size=3))
    def put_table(self, name: str, content: bytes) -> None:
        self.now.tables[name] = content
        self.overlay.put_table(name, content)
        self.is_dirty = True

    @rule(changes=changes, wanted=st.lists(st.sampled_from(TRANSFERS), unique_by=id, max_size=4))
    def connect(self, changes: dict[bytes, Account], wanted: list[Transfer]) -> None:
        self.connect_block(changes, [transfer for transfer in wanted if transfer.txid not in self.now.places])

    def connect_block(self, changes: dict[bytes, Account], transfers: list[Transfer]) -> None:
        self.blocks.append(plain_block(len(self.blocks), KEYS[0], transfers))
        self.take_on(self.blocks[-1], changes)

    def take_on(self, block: Block, changes: dict[bytes, Account]) -> None:
        undo, reward = b"undo of " + block.hash, Reward(block.hash, block.header.time)
        self.now.accounts |= changes
        self.now.undo[block.hash], self.now.rewards[block.hash] = undo, reward
        for position, transaction in enumerate(block.transactions):
            self.now.places[transaction.txid] = TransactionPlace(block.hash, position)
        self.now.chain.append(block)
        self.waiting_blocks[block.hash] = block
        self.overlay.put_accounts(changes)
        self.overlay.connect(block, undo, reward)
        self.is_dirty = True

    @precondition(lambda self: len(self.now.chain) > 1)
    @rule(changes=changes)
    def disconnect(self, changes: dict[bytes, Account]) -> None:
        self.disconnect_block(changes)

    def disconnect_block(self, changes: dict[bytes, Account]) -> Block:
        block = self.now.chain.pop()
        assert self.now.tip is not None
        self.now.accounts |= changes
        for transaction in block.transactions:
            del self.now.places[transaction.txid]
        self.waiting_blocks.pop(block.hash, None)
        self.overlay.put_accounts(changes)
        self.overlay.disconnect(block.hash, self.now.tip)
        self.is_dirty = True
        return block

    @precondition(lambda self: len(self.now.chain) > 1)
    @rule(changes=changes, depth=st.integers(1, 3), data=st.data())
    def reorganise(self, changes: dict[bytes, Account], depth: int, data: st.DataObject) -> None:
        """The competing blocks have some of the same transfers, at other places; or the same blocks return."""
        left = [self.disconnect_block(changes) for _ in range(min(depth, len(self.now.chain) - 1))]
        if data.draw(st.booleans()):
            for block in reversed(left):
                self.take_on(block, changes)
            return
        freed = [each for block in left for each in block.transactions if isinstance(each, Transfer)]
        order = data.draw(st.permutations(freed))
        self.connect_block(changes, order[: len(order) // 2])
        self.connect_block(changes, order[len(order) // 2 : -1])

    # --- the way to the disk

    @precondition(lambda self: self.phase == "idle" and not self.overlay.empty)
    @rule()
    def seal(self) -> None:
        batch = self.overlay.seal()
        self.check_batch(batch)
        self.store.start(batch)
        self.sealed = deepcopy(self.now)
        self.waiting_bodies, self.writing_bodies = {}, self.waiting_bodies
        self.waiting_blocks.clear()
        self.is_dirty = False
        self.phase = "writing"

    def check_batch(self, batch: Batch) -> None:
        assert list(batch.connected.items()) == list(self.waiting_blocks.items())
        assert len(set(batch.disconnected)) == len(batch.disconnected)
        assert len({record.hash for record in batch.index}) == len(batch.index)

    @precondition(lambda self: self.phase == "writing")
    @rule()
    def becomes_durable(self) -> None:
        self.store.finish()
        self.phase = "durable"

    @precondition(lambda self: self.phase == "durable")
    @rule()
    def settle(self) -> None:
        self.store.advance()
        self.overlay.settle()
        self.durable = self.sealed
        self.phase = "idle"
        self.writing_bodies.clear()

    @rule()
    def crash(self) -> None:
        self.store.crash()
        self.overlay = Overlay(self.store)
        if self.phase == "durable":
            self.durable = self.sealed
        self.now, self.phase, self.is_dirty = deepcopy(self.durable), "idle", False
        self.waiting_bodies.clear()
        self.writing_bodies.clear()
        self.waiting_blocks.clear()

    # --- reads

    @invariant()
    def reads_show_all_that_was_decided(self) -> None:
        for key in KEYS:
            assert self.overlay.account(key) == self.now.accounts.get(key, ABSENT)
        for block_hash in [*(digest(f"body {number}") for number in range(self.names + 1)), *map(hash_of, self.blocks)]:
            assert self.overlay.undo(block_hash) == self.now.undo.get(block_hash)
            assert self.overlay.reward(block_hash) == self.now.rewards.get(block_hash)
            body = self.overlay.body(block_hash)
            assert (body is not None) == (block_hash in self.waiting_bodies or block_hash in self.writing_bodies)
            assert (self.store.body(block_hash) if body is None else body) == self.now.bodies.get(block_hash)

    @invariant()
    def the_store_shows_what_settled(self) -> None:
        assert self.store.tip() == self.durable.tip
        assert {header.hash: status for header, status in known(self.store)} == {
            block_hash: record.status for block_hash, record in self.durable.index.items()
        }
        for key in KEYS:
            assert self.store.account(key) == self.durable.accounts.get(key, ABSENT)
        for txid in [each.txid for each in TRANSFERS] + [block.transactions[0].txid for block in self.blocks]:
            assert self.store.transaction(txid) == self.durable.places.get(txid)
        for name in ("addresses", "bans"):
            assert self.store.table(name) == self.durable.tables.get(name)

    @invariant()
    def sizes_are_those_of_what_waits(self) -> None:
        assert self.overlay.empty == (not self.is_dirty)
        assert self.overlay.body_bytes == sum(self.waiting_bodies.values())
        waiting = sum(len(block.transactions) for block in self.waiting_blocks.values())
        assert self.overlay.connected_transactions == waiting


def test_overlay_agrees_with_dictionaries() -> None:
    run_state_machine_as_test(OverlayMachine, settings=settings(max_examples=150, stateful_step_count=30))


def test_a_layer_hides_its_base_and_never_writes_it() -> None:
    overlay = Overlay(MemoryStore())
    overlay.put_accounts({KEYS[0]: Account(5, 1), KEYS[1]: Account(7, 2)})
    layer = AccountLayer(overlay)
    layer.changes[KEYS[0]] = ABSENT
    layer.changes[KEYS[2]] = Account(1, 0)
    assert [layer.account(key) for key in KEYS[:3]] == [ABSENT, Account(7, 2), Account(1, 0)]
    assert [overlay.account(key) for key in KEYS[:3]] == [Account(5, 1), Account(7, 2), ABSENT]
