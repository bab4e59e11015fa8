"""What every `WritableStore` promises, held against the one on disk and the one in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from pychain.chain.header import Header, new_header
from pychain.consensus.state import ABSENT, Account, Reward
from pychain.daemon.store import LmdbStore
from pychain.ledger.store import Batch, IndexRecord, Status, TransactionPlace, WritableStore
from pychain.sim.memory_store import MemoryStore
from tests.daemon.store.batches import GENESIS, Series, assert_same

U64_MAX = 2**64 - 1


class Opened:
    """A store and how to open it anew, as after a crash."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self.store: WritableStore = MemoryStore() if directory is None else LmdbStore(directory, GENESIS)

    def reopen(self) -> None:
        self.close()
        if isinstance(self.store, MemoryStore):
            self.store.crash()
        elif self._directory is not None:
            self.store = LmdbStore(self._directory, GENESIS)

    def close(self) -> None:
        if isinstance(self.store, LmdbStore):
            self.store.close()


@pytest.fixture(params=["lmdb", "memory"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    opened = Opened(tmp_path / "node" if request.param == "lmdb" else None)
    yield opened
    opened.close()


@pytest.fixture
def store(opened: Opened) -> WritableStore:
    return opened.store


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
    assert list(store.index()) == []
    assert store.account(digest("a")) == ABSENT
    assert store.undo(digest("a")) is None
    assert store.reward(digest("a")) is None
    assert store.transaction(digest("a")) is None
    assert store.table("a") is None
    assert store.body(digest("a")) is None


def test_each_part_of_a_batch_is_read_back(store: WritableStore, apply: Callable[[Batch], None]) -> None:
    block = header("block")
    record = IndexRecord(block, 0, Status.BODY | Status.CONNECTED)
    account, reward = Account(U64_MAX, U64_MAX - 1), Reward(digest("miner"), U64_MAX)
    place = TransactionPlace(block.hash, 3)
    apply(
        Batch(
            bodies={block.hash: block.raw + b"body"},
            index=(record,),
            accounts={digest("a"): account},
            undo={block.hash: b"undo"},
            rewards={block.hash: reward},
            connected={digest("t"): place},
            tip=block.hash,
            tables={"addresses": b"\0\1"},
        )
    )
    assert store.body(block.hash) == block.raw + b"body"
    assert list(store.index()) == [record]
    assert store.account(digest("a")) == account
    assert store.undo(block.hash) == b"undo"
    assert store.reward(block.hash) == reward
    assert store.transaction(digest("t")) == place
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
    assert len(list(store.index())) == 1
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


def test_committed_is_durable_whether_or_not_it_was_advanced_to(opened: Opened) -> None:
    series, model = Series(), MemoryStore()
    for number in range(11):
        opened.store.commit(series.batch(number))
        model.commit(series.batch(number))
        if number < 8:
            opened.store.advance()
    model.advance()
    opened.reopen()
    assert_same(opened.store, model, series)


def test_the_index_has_parents_before_children_however_it_came(
    apply: Callable[[Batch], None], store: WritableStore
) -> None:
    roots = [header(f"root {i}") for i in range(3)]
    middles = [header(f"middle {i}", root.hash) for i, root in enumerate(roots)]
    tops = [header(f"top {i}", middle.hash) for i, middle in enumerate(middles)]
    heights = {256: tops, 255: middles, 254: roots}  # a little-endian key would sort 256 first
    for height, headers in heights.items():
        apply(Batch(index=tuple(IndexRecord(one, height, Status.HEADER) for one in headers)))
    assert [record.height for record in store.index()] == [254] * 3 + [255] * 3 + [256] * 3
    assert {record.header for record in store.index()} == {*roots, *middles, *tops}


def test_a_long_index_is_whole(apply: Callable[[Batch], None], store: WritableStore) -> None:
    series = Series()
    records = [series.record(number) for number in range(10_000)]
    apply(Batch(index=tuple(reversed(records))))
    assert list(store.index()) == sorted(records, key=lambda record: (record.height, record.header.hash))


def test_a_status_is_replaced(apply: Callable[[Batch], None], store: WritableStore) -> None:
    block = header("block")
    for status in (Status.HEADER, Status.BODY | Status.VERIFIED, Status.BODY | Status.INVALID):
        apply(Batch(index=(IndexRecord(block, 9, status),)))
        assert list(store.index()) == [IndexRecord(block, 9, status)]


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


def test_transactions_move_with_a_reorganisation(apply: Callable[[Batch], None], store: WritableStore) -> None:
    old, new = digest("old block"), digest("new block")
    both, only_old, only_new, unknown = (digest(name) for name in ("both", "only old", "only new", "unknown"))
    apply(Batch(connected={both: TransactionPlace(old, 1), only_old: TransactionPlace(old, 2)}))
    apply(
        Batch(
            connected={both: TransactionPlace(new, 5), only_new: TransactionPlace(new, 6)},
            disconnected=(only_old, unknown),
        )
    )
    assert store.transaction(both) == TransactionPlace(new, 5)
    assert store.transaction(only_new) == TransactionPlace(new, 6)
    assert store.transaction(only_old) is None
    assert store.transaction(unknown) is None
    apply(Batch(connected={only_old: TransactionPlace(old, 2)}, disconnected=(only_new,)))
    assert store.transaction(only_old) == TransactionPlace(old, 2)
    assert store.transaction(both) == TransactionPlace(new, 5)
    assert store.transaction(only_new) is None


@pytest.mark.parametrize("position", [0, 1, 255, 256, 65_535, 65_536, 2**32 - 1])
def test_positions_of_any_size(apply: Callable[[Batch], None], store: WritableStore, position: int) -> None:
    apply(Batch(connected={digest("t"): TransactionPlace(digest("b"), position)}))
    assert store.transaction(digest("t")) == TransactionPlace(digest("b"), position)


def test_one_batch_may_connect_many_blocks(apply: Callable[[Batch], None], store: WritableStore) -> None:
    places = {digest(f"t{i}"): TransactionPlace(digest(f"b{i % 40}"), i) for i in range(400)}
    apply(Batch(connected=places))
    apply(Batch(connected={digest("later"): TransactionPlace(digest("b40"), 0)}))
    assert {txid: store.transaction(txid) for txid in places} == places
    assert store.transaction(digest("later")) == TransactionPlace(digest("b40"), 0)


def test_a_batch_without_a_tip_leaves_it(apply: Callable[[Batch], None], store: WritableStore) -> None:
    apply(Batch(tip=digest("tip")))
    apply(Batch(tables={"bans": b"x"}))
    assert store.tip() == digest("tip")


def test_tables_are_replaced_whole(apply: Callable[[Batch], None], store: WritableStore) -> None:
    apply(Batch(tables={"mempool": bytes(1_000_000), "bans": b"bans"}))
    apply(Batch(tables={"mempool": b""}))
    assert store.table("mempool") == b""
    assert store.table("bans") == b"bans"


def test_an_empty_batch_changes_nothing(opened: Opened, apply: Callable[[Batch], None]) -> None:
    series, model = Series(), MemoryStore()
    for batch in (series.batch(0), Batch()):
        model.commit(batch)
        apply(batch)
    model.advance()
    assert_same(opened.store, model, series)
    opened.reopen()
    assert_same(opened.store, model, series)


def test_a_body_may_be_stored_again(opened: Opened, apply: Callable[[Batch], None]) -> None:
    block = header("block")
    for _ in range(2):
        apply(Batch(bodies={block.hash: block.raw}))
    opened.reopen()
    assert opened.store.body(block.hash) == block.raw


def test_a_crash_of_the_memory_store_loses_what_was_not_finished() -> None:
    series, store, model = Series(), MemoryStore(), MemoryStore()
    for number in range(3):
        store.start(series.batch(number))
    (unfinished,) = series.batch(1).bodies
    store.finish()
    model.commit(series.batch(0))
    model.advance()
    assert store.tip() is None
    assert store.body(unfinished) is None
    store.crash()
    assert_same(store, model, series)
    for number in (1, 2):
        store.commit(series.batch(number))
        model.commit(series.batch(number))
    store.advance()
    model.advance()
    assert_same(store, model, series)
