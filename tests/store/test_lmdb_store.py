"""The store on disk: which directories it accepts, damage, threads, a second process that reads."""

from __future__ import annotations

import shutil
import struct
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import lmdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pychain.base.errors import ConfigError
from pychain.chain.block import Block
from pychain.chain.hashes import hash_hex
from pychain.consensus.state import ABSENT, Account
from pychain.ledger.memory_store import MemoryStore
from pychain.ledger.store import Batch, DamagedStoreError, StoreError
from pychain.store import LmdbStore, StoreRefusedError
from pychain.store.schema import SCHEMA
from pychain.store.sweep import Pace
from tests.store.batches import ACCOUNTS, GENESIS, Series, assert_same, counter
from tests.store.children import CRASHED, ROOT, command, run
from tests.support.blocks import plain_block, unsigned

MIB = 1 << 20
LAST = 11


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The directory of a store at batch `LAST`."""
    store, series = LmdbStore(tmp_path, GENESIS), Series()
    for number in range(LAST + 1):
        store.commit(series.batch(number))
    store.close()
    return tmp_path


def edit(directory: Path, database: str, change: Callable[[bytes, bytes], bytes], prefix: bytes = b"") -> None:
    """Change the first row after a prefix, as a fault would."""
    with lmdb.open(str(directory / "state"), max_dbs=16) as raw, raw.begin(write=True) as transaction:
        handle = raw.open_db(database.encode(), txn=transaction)
        cursor = transaction.cursor(handle)
        assert cursor.set_range(prefix or b"\0")
        transaction.put(cursor.key(), change(cursor.key(), cursor.value()), db=handle)


def flip(key: bytes, row: bytes) -> bytes:
    return row[:-1] + bytes((row[-1] ^ 1,))


# --- which directory


def test_everything_in_it_is_for_the_owner_alone(written: Path) -> None:
    assert all(path.stat().st_mode & 0o077 == 0 for path in written.rglob("*"))


def test_another_chain_is_refused_with_both_names(written: Path) -> None:
    other = sha256(b"another genesis").digest()
    with pytest.raises(StoreRefusedError) as caught:
        LmdbStore(written, other)
    assert isinstance(caught.value, ConfigError)
    assert str(caught.value) == f"{written} holds the chain of genesis {hash_hex(GENESIS)}, not of {hash_hex(other)}"


@pytest.mark.parametrize(("row", "name"), [(struct.pack("<I", 1), "1"), (struct.pack("<I", 0), "0"), (b"?", "unknown")])
def test_another_format_is_refused(written: Path, row: bytes, name: str) -> None:
    edit(written, "meta", lambda key, _: row, prefix=b"schema")
    for _ in range(2):  # refusing must not change it either
        with pytest.raises(StoreRefusedError, match=f"store format {name}; this version reads only format {SCHEMA}"):
            LmdbStore(written, GENESIS)


def test_block_files_that_lost_their_index_are_left_alone(written: Path) -> None:
    blocks = {path: path.read_bytes() for path in (written / "blocks").iterdir()}
    shutil.rmtree(written / "state")
    for _ in range(2):
        with pytest.raises(StoreRefusedError, match="block files without their index"):
            LmdbStore(written, GENESIS)
    assert {path: path.read_bytes() for path in (written / "blocks").iterdir()} == blocks


@pytest.mark.parametrize("made", [(), ("state",), ("state", "blocks")])
def test_there_is_nothing_to_read_in_an_empty_directory(tmp_path: Path, made: tuple[str, ...]) -> None:
    for name in made:
        (tmp_path / name).mkdir()
    with pytest.raises(StoreRefusedError, match="holds no store"):
        LmdbStore(tmp_path, GENESIS, read_only=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(made)


@pytest.mark.parametrize("name", ["state", "blocks"])
def test_what_stands_in_its_way_is_one_clear_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a file")
    with pytest.raises(StoreError) as caught:
        LmdbStore(tmp_path, GENESIS)
    assert str(caught.value) == f"cannot open the store in {tmp_path}: File exists"


# --- damage


@pytest.mark.parametrize("database", ["headers", "undo", "tables"])
def test_a_flipped_bit_in_a_checked_row_is_damage(written: Path, database: str) -> None:
    series = Series()
    first_undo = min(series.record(number).hash for number in range(LAST + 1))
    edit(written, database, lambda key, row: bytes((row[0] ^ 1,)) + row[1:])
    store = LmdbStore(written, GENESIS)
    reads: dict[str, Callable[[], object]] = {
        "headers": lambda: list(store.index()),
        "undo": lambda: store.undo(first_undo),
        "tables": lambda: store.table("counter"),
    }
    with pytest.raises(DamagedStoreError, match="damaged"):
        reads[database]()
    store.close()


@pytest.mark.parametrize("database", ["accounts", "rewards", "transactions", "bodies"])
def test_a_row_of_another_size_is_damage(written: Path, database: str) -> None:
    key = b""

    def cut(row_key: bytes, row: bytes) -> bytes:
        nonlocal key
        key = row_key
        return row[:-1]

    edit(written, database, cut)
    store = LmdbStore(written, GENESIS)
    read = {"accounts": store.account, "rewards": store.reward, "transactions": store.transaction, "bodies": store.body}
    with pytest.raises(DamagedStoreError, match="is damaged: its row has"):
        read[database](key)
    store.close()


def test_a_flipped_bit_in_the_journal_is_damage(tmp_path: Path) -> None:
    assert run("crash", tmp_path, "done").returncode == CRASHED  # so the journal has not been swept
    edit(tmp_path, "journal", flip)
    with pytest.raises(DamagedStoreError, match=r"^row 0 of the journal is damaged: its checksum differs$"):
        LmdbStore(tmp_path, GENESIS)


def test_a_history_row_of_another_size_is_damage(written: Path) -> None:
    key = b""

    def cut(row_key: bytes, row: bytes) -> bytes:
        nonlocal key
        key = row_key
        return row + b"?"

    edit(written, "history", cut)
    store = LmdbStore(written, GENESIS)
    with pytest.raises(DamagedStoreError, match="an account's history is damaged: its row has"):
        store.history(key[:32], 1_000)
    store.close()


# --- threads and processes


def test_commits_in_a_thread_and_reads_in_others_while_the_map_grows(tmp_path: Path) -> None:
    """The daemon's use: commits on a worker, reads and `advance` on the loop, bodies anywhere."""
    store, series, model, last = LmdbStore(tmp_path, GENESIS, map_bytes=MIB), Series(), MemoryStore(), 120
    batches = [series.batch(number) for number in range(last + 1)]
    committed, stop = [-1], threading.Event()

    def read_bodies() -> int:
        reads = 0
        while not stop.is_set():
            number = max(committed[0] - reads % 7, 0)
            if committed[0] >= 0:
                assert store.body(series.record(number).hash) == series.body(number)
                reads += 1
        return reads

    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(read_bodies) for _ in range(2)]
        for number, batch in enumerate(batches):
            done = threads.submit(store.commit, batch)
            while not done.done():
                assert counter(store) == number - 1
                assert store.tip() == model.tip()
                assert [store.account(key) for key in batch.accounts] == [model.account(key) for key in batch.accounts]
            done.result()
            committed[0] = number
            assert counter(store) == number - 1
            threads.submit(store.tend, number % 3 == 0)
            threads.submit(store.prefetch, ACCOUNTS)
            store.advance()
            model.commit(batch)
            model.advance()
        stop.set()
        assert all(reader.result() for reader in readers)
    assert_same(store, model, series)
    store.close()
    store = LmdbStore(tmp_path, GENESIS, map_bytes=MIB)
    assert_same(store, model, series)
    store.close()


def test_another_process_reads_while_this_one_writes(tmp_path: Path) -> None:
    """Its map is smaller than what is written: it follows."""
    store, series = LmdbStore(tmp_path, GENESIS, map_bytes=MIB), Series()
    store.commit(series.batch(0))
    with subprocess.Popen(
        command("read_only", tmp_path), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        for number in range(1, 200):
            store.commit(series.batch(number))
            store.advance()
            if number % 20 == 0:
                print("look", file=reader.stdin, flush=True)
                assert int(reader.stdout.readline()) == number
        reader.stdin.close()
        assert reader.stdout.read() == "the store is open for reading only\n"
    store.close()


def test_a_commit_after_the_end_is_refused(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, GENESIS)
    store.close()
    with pytest.raises(StoreError, match="the store is closed"):
        store.commit(Batch(tip=bytes(32)))


# --- the same as the store in memory, whatever happens

KEYS = [bytes((number,)) * 32 for number in range(6)]
keys = st.sampled_from(KEYS)
batches = st.builds(
    Batch,
    bodies=st.dictionaries(keys, st.binary(max_size=60), max_size=3),
    accounts=st.dictionaries(
        keys, st.one_of(st.just(ABSENT), st.builds(Account, st.integers(0, 9), st.integers(0, 9)))
    ),
    undo=st.dictionaries(keys, st.binary(max_size=20), max_size=3),
    tip=st.one_of(st.none(), keys),
    tables=st.dictionaries(st.sampled_from(["one", "two"]), st.binary(max_size=5_000)),
)
moves = st.tuples(st.integers(0, 3), st.lists(st.tuples(keys, keys), max_size=3))
"""How many blocks leave, and transfers of those that join, one each."""
steps = st.lists(st.one_of(batches, moves, st.sampled_from(["advance", "sweep", "sweep on", "reopen"])), max_size=24)


class Chain:
    """Turns moves into batches; nothing is on the chain twice."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.made: list[Block] = []

    def move(self, leaving: int, transfers: list[tuple[bytes, bytes]]) -> Batch:
        kept = max(0, len(self.blocks) - leaving)
        left, self.blocks = self.blocks[kept:][::-1], self.blocks[:kept]
        joins = [*left[:1]] if len(left) > 1 else []  # one may come back
        for sender, recipient in transfers:
            number = len(self.made)
            self.made.append(plain_block(number, KEYS[0], [unsigned(sender, recipient, number)]))
            joins.append(self.made[-1])
        self.blocks += joins
        return Batch(disconnected=[block.hash for block in left], connected={block.hash: block for block in joins})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(steps=steps)
def test_any_steps_read_as_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[Batch | tuple[int, list[tuple[bytes, bytes]]] | str]
) -> None:
    shutil.rmtree(tmp_path)
    monkeypatch.setattr(Pace, "rows", 1)
    chain = Chain()
    store, model = LmdbStore(tmp_path, GENESIS, roll_bytes=100), MemoryStore()
    for step in steps:
        if isinstance(step, (Batch, tuple)):
            batch = step if isinstance(step, Batch) else chain.move(*step)
            store.commit(batch)
            model.commit(batch)
        elif step == "advance":
            store.advance()
            model.advance()
        elif step == "sweep":
            store.tend(quiet=True)  # a row of it
        elif step == "sweep on":
            while store.tend(quiet=True):
                pass
        else:
            store.close()
            store = LmdbStore(tmp_path, GENESIS, roll_bytes=100)
            model.crash()
        store.prefetch(KEYS[: len(chain.made) % len(KEYS)])
        for key in KEYS:
            assert store.account(key) == model.account(key)
            assert store.accounts([key]) == model.accounts([key])
            assert store.undo(key) == model.undo(key)
            assert store.history(key, 9) == model.history(key, 9)
            assert store.body(key) == model.body(key)
        for block in chain.made:
            for transaction in block.transactions:
                assert store.transaction(transaction.txid) == model.transaction(transaction.txid)
        assert store.tip() == model.tip()
        assert [store.table(name) for name in ("one", "two")] == [model.table(name) for name in ("one", "two")]
    store.close()
