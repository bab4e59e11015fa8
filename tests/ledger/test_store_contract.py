"""The contract of a `WritableStore`, tested with each of `store_kinds.KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from pychain.chain.block import Block
from pychain.chain.header import Header, new_header
from pychain.consensus.state import ABSENT, Account, Reward
from pychain.ledger.memory_store import MemoryStore
from pychain.ledger.store import (
    Batch,
    DamagedBlockError,
    IndexRecord,
    Status,
    StoreError,
    StoreFullError,
    TransactionPlace,
    WritableStore,
)
from tests.ledger.store_kinds import KINDS, Kind
from tests.store.batches import Series, assert_same, assert_same_after
from tests.support.blocks import plain_block, unsigned
from tests.support.index import known, packed, unpacked

U64_MAX = 2**64 - 1


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    kind = KINDS[request.param](tmp_path / "node")
    yield kind
    kind.end()


@pytest.fixture
def store(kind: Kind) -> WritableStore:
    return kind.store


@pytest.fixture
def apply(store: WritableStore) -> Callable[[Batch], None]:
    """Commit a batch and let reads see it."""

    def commit_and_advance(batch: Batch) -> None:
        store.commit(batch)
        store.advance()

    return commit_and_advance


def digest(name: str) -> bytes:
    return sha256(name.encode()).digest()


def header(name: str, parent: bytes = bytes(32)) -> Header:
    return new_header(1, parent, digest(name), 7, 0x207FFFFF, 7)


def test_a_new_store_has_nothing(store: WritableStore) -> None:
    assert store.tip() is None
    assert known(store) == []
    assert store.account(digest("a")) == ABSENT
    assert store.undo(digest("a")) is None
    assert store.reward(digest("a")) is None
    assert store.transaction(digest("a")) is None
    assert store.history(digest("a"), 9) == []
    assert store.table("a") is None
    assert store.body(digest("a")) is None


def test_each_part_of_a_batch_is_read_back(store: WritableStore, apply: Callable[[Batch], None]) -> None:
    block = header("block")
    record = IndexRecord.of(block, 0, Status.BODY | Status.CONNECTED)
    account, reward = Account(U64_MAX, U64_MAX - 1), Reward(digest("miner"), U64_MAX)
    joins = plain_block(0, digest("miner"))
    apply(
        Batch(
            bodies={block.hash: block.raw + b"body"},
            index=(record,),
            accounts={digest("a"): account},
            undo={block.hash: b"undo"},
            rewards={block.hash: reward},
            connected={joins.hash: joins},
            tip=block.hash,
            tables={"addresses": b"\0\1"},
        )
    )
    assert store.body(block.hash) == block.raw + b"body"
    assert known(store) == [(block, record.status)]
    assert store.account(digest("a")) == account
    assert store.undo(block.hash) == b"undo"
    assert store.reward(block.hash) == reward
    assert store.transaction(joins.transactions[0].txid) == TransactionPlace(joins.hash, 0)
    assert store.history(digest("miner"), 9) == [TransactionPlace(joins.hash, 0)]
    assert store.tip() == block.hash
    assert store.table("addresses") == b"\0\1"


def test_reads_wait_for_advance_and_bodies_do_not(store: WritableStore) -> None:
    series = Series()
    first, second = series.batch(0), series.batch(1)
    store.commit(first)
    store.advance()
    store.commit(second)
    (block_hash,) = second.bodies
    assert store.body(block_hash) == second.bodies[block_hash]
    assert store.tip() == first.tip
    assert len(known(store)) == 1
    assert store.undo(block_hash) is None
    assert store.reward(block_hash) is None
    assert store.transaction(series.txids(1)[0]) is None
    assert store.table("counter") == b"0"
    assert {key: store.account(key) for key in second.accounts} == {
        key: first.accounts.get(key, ABSENT) for key in second.accounts
    }
    store.advance()
    assert store.tip() == second.tip
    assert {key: store.account(key) for key in second.accounts} == dict(second.accounts)


def test_several_commits_show_at_once(store: WritableStore) -> None:
    series = Series()
    for number in range(12):
        store.commit(series.batch(number))
    assert store.tip() is None
    store.advance()
    model = MemoryStore()
    for number in range(12):
        model.commit(series.batch(number))
        model.advance()
    assert_same(store, model, series)


def test_committed_is_durable_whether_or_not_it_was_advanced_to(kind: Kind) -> None:
    series, model = Series(), MemoryStore()
    for number in range(11):
        kind.store.commit(series.batch(number))
        model.commit(series.batch(number))
        if number < 8:
            kind.store.advance()
    model.advance()
    kind.reopen()
    assert_same(kind.store, model, series)


def test_the_index_has_parents_before_children_however_it_came(
    apply: Callable[[Batch], None], store: WritableStore
) -> None:
    roots = [header(f"root {i}") for i in range(3)]
    middles = [header(f"middle {i}", root.hash) for i, root in enumerate(roots)]
    tops = [header(f"top {i}", middle.hash) for i, middle in enumerate(middles)]
    heights = {256: tops, 255: middles, 254: roots}  # a little-endian key would sort 256 first
    for height, headers in heights.items():
        apply(Batch(index=tuple(IndexRecord.of(one, height, Status.HEADER) for one in headers)))
    stored = [header for header, _ in known(store)]
    assert [set(stored[:3]), set(stored[3:6]), set(stored[6:])] == [set(roots), set(middles), set(tops)]


def test_a_long_index_is_whole(apply: Callable[[Batch], None], store: WritableStore) -> None:
    series = Series()
    records = [series.record(number) for number in range(10_000)]
    apply(Batch(index=tuple(reversed(records))))
    assert known(store) == unpacked(packed(records))


def test_a_status_is_replaced(apply: Callable[[Batch], None], store: WritableStore) -> None:
    block = header("block")
    for status in (Status.HEADER, Status.BODY | Status.VERIFIED, Status.BODY | Status.INVALID):
        apply(Batch(index=(IndexRecord.of(block, 9, status),)))
        assert known(store) == [(block, status)]


def test_an_absent_account_is_removed(apply: Callable[[Batch], None], store: WritableStore) -> None:
    keep, go, never = digest("keep"), digest("go"), digest("never")
    apply(Batch(accounts={keep: Account(1, 0), go: Account(0, 1)}))
    apply(Batch(accounts={go: ABSENT, never: ABSENT}))
    assert [store.account(key) for key in (keep, go, never)] == [Account(1, 0), ABSENT, ABSENT]


def test_many_accounts_come_in_the_order_of_their_keys(store: WritableStore, apply: Callable[[Batch], None]) -> None:
    keys = [digest(f"account {number}") for number in range(500)]
    apply(Batch(accounts={key: Account(number, 1) for number, key in enumerate(keys) if number % 3}))
    wanted = keys[::-1] + keys[:2]
    assert store.accounts(wanted) == [store.account(key) for key in wanted]
    assert store.accounts(wanted)[0] == Account(499, 1)
    assert store.accounts([]) == []
    store.commit(Batch(accounts=dict.fromkeys(keys, Account(7, 7))))
    assert store.accounts(keys) != [Account(7, 7)] * len(keys)
    store.advance()
    assert store.accounts(keys) == [Account(7, 7)] * len(keys)


def connects(*blocks: Block, instead_of: tuple[Block, ...] = ()) -> Batch:
    """The batch that takes blocks off the end of the chain and puts others there."""
    return Batch(
        connected={block.hash: block for block in blocks}, disconnected=tuple(block.hash for block in instead_of)
    )


def places(*blocks: Block) -> dict[bytes, TransactionPlace]:
    return {
        transaction.txid: TransactionPlace(block.hash, position)
        for block in blocks
        for position, transaction in enumerate(block.transactions)
    }


ALICE, BOB, CAROL = (digest(name) for name in ("alice", "bob", "carol"))
PAID = [unsigned(ALICE, BOB, number) for number in range(4)]


def test_transactions_move_with_a_reorganisation(apply: Callable[[Batch], None], store: WritableStore) -> None:
    root = plain_block(0, CAROL)
    old, newer = plain_block(1, CAROL, PAID[:2]), plain_block(2, CAROL, PAID[2:3])
    new = plain_block(3, CAROL, [PAID[3], PAID[1]])
    every = places(root, old, newer, new)

    def found() -> dict[bytes, TransactionPlace]:
        return {txid: place for txid in every if (place := store.transaction(txid)) is not None}

    apply(connects(root, old))
    apply(connects(newer))
    assert found() == places(root, old, newer)
    apply(connects(new, instead_of=(newer, old)))
    assert found() == places(root, new)
    apply(connects(instead_of=(new,)))
    assert found() == places(root)
    apply(connects(old, newer))
    assert found() == places(root, old, newer)
    apply(connects(old, new, instead_of=(old, newer)))  # a block that leaves and comes back
    assert found() == places(root, old) | places(new)
    apply(connects(instead_of=(newer,)))  # which is not there
    assert found() == places(root, old) | places(new)


def test_positions_of_any_size(apply: Callable[[Batch], None], store: WritableStore) -> None:
    block = plain_block(0, CAROL, [unsigned(ALICE, BOB, number) for number in range(65_537)])
    apply(connects(block))
    for position in (0, 1, 255, 256, 65_535, 65_536, 65_537):
        place = TransactionPlace(block.hash, position)
        assert store.transaction(block.transactions[position].txid) == place
    assert [place.position for place in store.history(BOB, 3)] == [65_537, 65_536, 65_535]


def test_one_batch_may_connect_many_blocks(apply: Callable[[Batch], None], store: WritableStore) -> None:
    blocks = [plain_block(number, CAROL, [unsigned(ALICE, BOB, number)]) for number in range(41)]
    apply(connects(*blocks[:40]))
    apply(connects(blocks[40]))
    every = places(*blocks)
    assert {txid: store.transaction(txid) for txid in every} == every
    assert store.history(BOB, 99) == [TransactionPlace(block.hash, 1) for block in reversed(blocks)]


def test_history_names_each_party_once_newest_first(apply: Callable[[Batch], None], store: WritableStore) -> None:
    to_bob, to_self, from_bob = unsigned(ALICE, BOB, 0), unsigned(ALICE, ALICE, 1), unsigned(BOB, CAROL, 0)
    first, second = plain_block(0, CAROL, [to_bob, to_self]), plain_block(1, ALICE, [from_bob])
    apply(connects(first))
    apply(connects(second))
    of_first, of_second = ([TransactionPlace(block.hash, i) for i in range(3)] for block in (first, second))
    assert store.history(ALICE, 9) == [of_second[0], of_first[2], of_first[1]]
    assert store.history(BOB, 9) == [of_second[1], of_first[1]]
    assert store.history(CAROL, 9) == [of_second[1], of_first[0]]
    assert store.history(digest("dave"), 9) == []
    assert store.history(ALICE, 0) == []


def test_history_comes_in_pages(apply: Callable[[Batch], None], store: WritableStore) -> None:
    blocks = [
        plain_block(number, CAROL, [unsigned(ALICE, BOB, 100 * number + i) for i in range(number * 3)])
        for number in range(25)
    ]
    for first, last in ((0, 10), (10, 11), (11, 25)):
        apply(connects(*blocks[first:last]))
    whole = [
        TransactionPlace(block.hash, position)
        for block in reversed(blocks)
        for position in range(len(block.transactions) - 1, 0, -1)
    ]
    assert store.history(ALICE, 10_000) == whole
    txid = {place: txid for txid, place in places(*blocks).items()}
    for size in (1, 7, 300):
        pages: list[TransactionPlace] = []
        while page := store.history(BOB, size, txid[pages[-1]] if pages else None):
            assert len(page) <= size
            pages += page
        assert pages == whole
    coinbase = blocks[20].transactions[0].txid  # one that does not name the account will do
    assert store.history(BOB, 1, coinbase) == [TransactionPlace(blocks[19].hash, 57)]
    assert store.history(BOB, 1, digest("unknown")) == []


def test_history_forgets_blocks_that_left(kind: Kind, apply: Callable[[Batch], None], store: WritableStore) -> None:
    root = plain_block(0, CAROL, [PAID[0]])
    old = [plain_block(number, CAROL, [PAID[number]]) for number in (1, 2)]
    new = [plain_block(number, BOB, [PAID[number - 10]]) for number in (11, 12, 13)]
    apply(connects(root, *old))
    for leaving, joining in ((old, new), (new, old), (old, new)):
        apply(connects(*joining, instead_of=tuple(reversed(leaving))))
        assert store.history(ALICE, 9) == [TransactionPlace(block.hash, 1) for block in (*reversed(joining), root)]
        assert store.history(ALICE, 9, leaving[0].transactions[0].txid) == []
    assert store.history(BOB, 2, PAID[2].txid) == [TransactionPlace(new[1].hash, 0), TransactionPlace(new[0].hash, 1)]
    kind.reopen()
    assert kind.store.history(ALICE, 2) == [TransactionPlace(block.hash, 1) for block in (new[2], new[1])]


def test_a_batch_without_a_tip_leaves_it(apply: Callable[[Batch], None], store: WritableStore) -> None:
    apply(Batch(tip=digest("tip")))
    apply(Batch(tables={"bans": b"x"}))
    assert store.tip() == digest("tip")


def test_tables_are_replaced_whole(apply: Callable[[Batch], None], store: WritableStore) -> None:
    apply(Batch(tables={"mempool": bytes(1_000_000), "bans": b"bans"}))
    apply(Batch(tables={"mempool": b""}))
    assert store.table("mempool") == b""
    assert store.table("bans") == b"bans"


def test_an_empty_batch_changes_nothing(kind: Kind, apply: Callable[[Batch], None]) -> None:
    series, model = Series(), MemoryStore()
    for batch in (series.batch(0), Batch()):
        model.commit(batch)
        apply(batch)
    model.advance()
    assert_same(kind.store, model, series)
    kind.reopen()
    assert_same(kind.store, model, series)


def test_a_body_may_be_stored_again(kind: Kind, apply: Callable[[Batch], None]) -> None:
    block = header("block")
    for _ in range(2):
        apply(Batch(bodies={block.hash: block.raw}))
    kind.reopen()
    assert kind.store.body(block.hash) == block.raw


# --- crashes


def grown(kind: Kind, last: int) -> tuple[Series, MemoryStore]:
    """The series and a model of it, both stores with its batches up to `last`."""
    series, model = Series(), MemoryStore()
    for number in range(last + 1):
        kind.store.commit(series.batch(number))
        model.commit(series.batch(number))
    kind.store.advance()
    model.advance()
    return series, model


@pytest.mark.parametrize("advanced", [True, False])
def test_a_crash_loses_nothing_that_was_committed(kind: Kind, advanced: bool) -> None:
    series, model = grown(kind, 7)
    kind.store.commit(series.batch(8))
    model.commit(series.batch(8))
    if advanced:
        kind.store.advance()
    kind.crash()
    model.advance()
    assert kind.store.damaged == ()
    assert_same(kind.store, model, series)


@pytest.mark.parametrize("bodies_written", [True, False])
def test_a_crash_in_a_commit_leaves_nothing_that_reads_see(kind: Kind, bodies_written: bool) -> None:
    """Its bodies may be stored without an index entry; the same batch is then committed again."""
    series, model = grown(kind, 5)
    torn = series.batch(6)
    kind.crash_in_commit(torn, bodies_written=bodies_written)
    (block_hash,) = torn.bodies
    assert kind.store.body(block_hash) in (None, torn.bodies[block_hash])
    assert kind.store.tip() == model.tip()
    assert known(kind.store) == known(model)
    assert kind.store.undo(block_hash) is None
    for number in (6, 7):
        for store in (kind.store, model):
            store.commit(series.batch(number))
            store.advance()
    assert_same(kind.store, model, series)


def test_a_crash_of_what_was_crashed_changes_nothing(kind: Kind) -> None:
    series, model = grown(kind, 4)
    for _ in range(2):
        kind.crash()
        kind.store.commit(Batch())
    assert_same(kind.store, model, series)


def test_a_full_disk_refuses_the_batch_and_all_that_follow(kind: Kind) -> None:
    series, model = grown(kind, 5)
    kind.fill()
    with pytest.raises(StoreFullError) as full:
        kind.store.commit(series.batch(6))
    kind.make_room()
    with pytest.raises(StoreError) as again:
        kind.store.commit(series.batch(6))
    assert str(again.value) == str(full.value)
    assert kind.store.tend(quiet=True) is False
    assert kind.store.prune(10**6, 0) == 0
    kind.store.advance()
    assert kind.store.tip() == model.tip()
    kind.reopen()
    assert_same(kind.store, model, series)
    assert_same_after(kind.store, model, series, 6)


# --- damage


def test_a_damaged_body_is_found_by_whoever_reads_it(kind: Kind) -> None:
    series, _ = grown(kind, 20)
    block_hash = series.record(3).hash
    kind.damage(block_hash)
    for _ in range(2):
        with pytest.raises(DamagedBlockError, match="damaged") as damage:
            kind.store.body(block_hash)
        assert damage.value.block_hash == block_hash
    assert kind.store.has_body(block_hash)
    assert kind.store.body(series.record(4).hash) == series.body(4)
    assert kind.store.damaged == (), "opening found nothing"


def test_a_damaged_body_is_repaired_by_committing_it_again(kind: Kind) -> None:
    series, model = grown(kind, 20)
    block_hash = series.record(3).hash
    kind.damage(block_hash)
    kind.store.commit(Batch(bodies={block_hash: series.body(3)}))
    assert kind.store.body(block_hash) == series.body(3)
    kind.reopen()
    assert_same(kind.store, model, series)


def test_a_damaged_newest_body_is_reported_by_the_opening(kind: Kind) -> None:
    series, model = grown(kind, 20)
    newest = series.record(20).hash
    kind.damage(newest)
    for reopen in (kind.crash, kind.reopen):
        reopen()
        assert [damage.block_hash for damage in kind.store.damaged] == [newest]
        with pytest.raises(DamagedBlockError):
            kind.store.body(newest)
    kind.store.commit(Batch(bodies={newest: series.body(20)}))
    kind.reopen()
    assert kind.store.damaged == ()
    assert_same(kind.store, model, series)


# --- pruning


def stored(store: WritableStore, blocks: list[Block]) -> list[int]:
    return [height for height, block in enumerate(blocks) if store.has_body(block.hash)]


@pytest.fixture
def blocks(store: WritableStore) -> list[Block]:
    """A chain in the store: 40 blocks by height, one commit each."""
    blocks = [plain_block(number, CAROL, [unsigned(ALICE, BOB, number)]) for number in range(40)]
    for height, block in enumerate(blocks):
        store.commit(
            Batch(
                bodies={block.hash: block.raw},
                index=(IndexRecord.of(block.header, height, Status.BODY | Status.CONNECTED),),
                undo={block.hash: b"undo"},
                rewards={block.hash: Reward(CAROL, height)},
                connected={block.hash: block},
                tip=block.hash,
            )
        )
    store.advance()
    return blocks


def test_pruning_takes_the_oldest_until_the_rest_is_within_bounds(
    kind: Kind, store: WritableStore, blocks: list[Block]
) -> None:
    wanted = sum(len(block.raw) for block in blocks[20:])
    assert store.prune(10**6, wanted) > 0
    kept = stored(store, blocks)
    assert kept == list(range(kept[0], 40)), "the oldest went"
    assert kept[0] > 0
    assert sum(len(blocks[height].raw) for height in kept) <= wanted
    assert [store.body(block.hash) for block in blocks] == [None] * kept[0] + [b.raw for b in blocks[kept[0] :]]
    store.advance()
    assert [height for height, block in enumerate(blocks) if store.undo(block.hash)] == kept
    assert store.prune(10**6, wanted) == 0
    for _ in range(2):
        store = kind.store
        assert stored(store, blocks) == kept
        assert len(known(store)) == 40
        assert [store.reward(block.hash) for block in blocks] == [Reward(CAROL, height) for height in range(40)]
        assert len(store.history(ALICE, 99)) == 40
        assert store.tip() == blocks[-1].hash
        kind.reopen()


def test_pruning_keeps_what_is_not_deep_enough(store: WritableStore, blocks: list[Block]) -> None:
    assert store.prune(15, 0) > 0
    kept = stored(store, blocks)
    assert 0 < kept[0] <= 15
    assert kept == list(range(kept[0], 40))
    assert store.prune(15, 0) == 0


def test_nothing_is_pruned_where_there_is_room(store: WritableStore, blocks: list[Block]) -> None:
    assert store.prune(10**6, 10**9) == 0
    assert stored(store, blocks) == list(range(40))


def test_pruning_spares_a_body_that_was_stored_again(kind: Kind, store: WritableStore, blocks: list[Block]) -> None:
    kind.damage(blocks[1].hash)
    store.commit(Batch(bodies={blocks[1].hash: blocks[1].raw}))
    store.advance()
    store.prune(30, 0)
    kept = stored(store, blocks)
    assert kept[:2] == [1, kept[1]]
    assert kept[1] > 2
    assert store.body(blocks[1].hash) == blocks[1].raw


def test_a_pruned_body_may_come_again(store: WritableStore, blocks: list[Block]) -> None:
    store.prune(30, 0)
    assert store.body(blocks[0].hash) is None
    store.commit(Batch(bodies={blocks[0].hash: blocks[0].raw}))
    assert store.body(blocks[0].hash) == blocks[0].raw


# --- what a runtime does beside, and the end


def test_reads_go_on_after_memory_was_released_and_work_was_done(kind: Kind) -> None:
    series, model = grown(kind, 20)
    kind.store.prefetch([digest("nobody"), *series.batch(3).accounts])
    while kind.store.tend(quiet=True):
        pass
    kind.store.release_memory()
    assert_same(kind.store, model, series)
    assert_same_after(kind.store, model, series, 21)


def test_a_closed_store_answers_nothing(kind: Kind) -> None:
    series, model = grown(kind, 3)
    store, block_hash = kind.store, series.record(3).hash
    (key, *_) = series.batch(3).accounts
    store.close()
    reads: dict[str, Callable[[], object]] = {
        "tip": store.tip,
        "index": lambda: list(store.index()),
        "account": lambda: store.account(key),
        "accounts": lambda: store.accounts([key]),
        "undo": lambda: store.undo(block_hash),
        "reward": lambda: store.reward(block_hash),
        "transaction": lambda: store.transaction(series.txids(3)[0]),
        "history": lambda: store.history(key, 1),
        "table": lambda: store.table("counter"),
        "body": lambda: store.body(block_hash),
        "has_body": lambda: store.has_body(block_hash),
        "commit": lambda: store.commit(series.batch(4)),
        "advance": store.advance,
        "prefetch": lambda: store.prefetch([key]),
        "release_memory": store.release_memory,
    }
    for name, read in reads.items():
        with pytest.raises(StoreError):
            print(name, read())
    assert store.tend(quiet=True) is False
    assert store.prune(10**6, 0) == 0
    store.close()
    kind.reopen()
    assert_same(kind.store, model, series)
