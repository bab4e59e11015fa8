"""The LMDB environment: stable snapshots, a map that grows under readers, errors as StoreErrors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lmdb
import pytest

from pychain.ledger.store import DamagedStoreError, StoreError
from pychain.store.environment import Environment

MIB = 1 << 20
READERS = 4


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    environment = Environment(tmp_path, read_only=False, map_bytes=MIB)
    yield environment
    environment.close()


@pytest.fixture
def database(environment: Environment) -> lmdb._Database:
    handle = environment.write(lambda transaction: environment.open_database("db", transaction))
    environment.advance()
    return handle


def put(environment: Environment, database: lmdb._Database, key: bytes, value: bytes) -> None:
    environment.write(lambda transaction: transaction.put(key, value, db=database))


def test_pinned_stays_and_newest_follows(environment: Environment, database: lmdb._Database) -> None:
    put(environment, database, b"k", b"old")
    environment.advance()
    put(environment, database, b"k", b"new")
    assert environment.pinned.get(database, b"k") == b"old"
    assert environment.newest.get(database, b"k") == b"new"
    environment.advance()
    assert environment.pinned.get(database, b"k") == b"new"


def test_rows_come_in_order_from_a_start(environment: Environment, database: lmdb._Database) -> None:
    for key in (b"c", b"a", b"d", b"b"):
        put(environment, database, key, key.upper())
    environment.advance()
    assert environment.pinned.rows(database, b"aa", 2) == [(b"b", b"B"), (b"c", b"C")]
    assert environment.pinned.rows(database, b"d\0", 2) == []


def test_a_raised_exception_leaves_all_as_it_was(environment: Environment, database: lmdb._Database) -> None:
    def fail(transaction: lmdb.Transaction[bytes]) -> None:
        transaction.put(b"k", b"v", db=database)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        environment.write(fail)
    assert environment.newest.get(database, b"k") is None
    put(environment, database, b"k", b"v")
    assert environment.newest.get(database, b"k") == b"v"


def test_a_map_grows_for_one_huge_write(environment: Environment, database: lmdb._Database) -> None:
    put(environment, database, b"k", bytes(9 * MIB))
    assert environment.newest.get(database, b"k") == bytes(9 * MIB)
    assert environment.map_bytes() == 16 * MIB


def test_growth_does_not_move_a_snapshot_that_is_up_to_date(environment: Environment, database: lmdb._Database) -> None:
    put(environment, database, b"k", b"old")
    environment.advance()

    def grow(transaction: lmdb.Transaction[bytes]) -> None:
        transaction.put(b"k", bytes(2 * MIB), db=database)

    before = environment.map_bytes()
    environment.write(grow)
    assert environment.map_bytes() > before
    assert environment.pinned.get(database, b"k") == b"old"


def test_the_disk_holds_what_is_used_and_not_the_map(tmp_path: Path) -> None:
    environment = Environment(tmp_path, read_only=False, map_bytes=1 << 36)
    assert environment.map_bytes() == 1 << 36
    assert (tmp_path / "data.mdb").stat().st_size < MIB
    environment.close()


def test_readers_in_threads_while_the_map_grows_under_them(environment: Environment, database: lmdb._Database) -> None:
    """Each write changes both rows in one transaction; a snapshot shows both equal, and never older than before."""
    stop = threading.Event()

    def read() -> int:
        seen = reads = 0
        while not stop.is_set():
            rows = environment.newest.rows(database, b"", 2)
            value = environment.newest.get(database, b"a")
            assert len({row[:8] for _, row in rows}) <= 1
            if value is not None:
                assert int.from_bytes(value[:8], "big") >= seen
                seen = int.from_bytes(value[:8], "big")
            reads += 1
        return reads

    def write(number: int) -> None:
        value = number.to_bytes(8, "big") + bytes(number * 8_000)

        def apply(transaction: lmdb.Transaction[bytes]) -> None:
            transaction.put(b"a", value, db=database)
            transaction.put(b"b", value, db=database)

        environment.write(apply)
        environment.advance()

    with ThreadPoolExecutor(READERS + 1) as threads:
        readers = [threads.submit(read) for _ in range(READERS)]
        for number in range(150):
            threads.submit(write, number).result()
        stop.set()
        assert all(reader.result() for reader in readers)
    assert environment.map_bytes() >= 4 * MIB


def test_reader_slots_are_given_back(environment: Environment, database: lmdb._Database) -> None:
    """LMDB has 126 of them."""
    for number in range(300):
        put(environment, database, b"k", b"%d" % number)
        environment.advance()
    with ThreadPoolExecutor(200) as threads:
        assert set(threads.map(lambda _: environment.newest.get(database, b"k"), range(400))) == {b"299"}


def test_what_is_no_database_is_damage_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"not a database at all" * 1_000)
    with pytest.raises(DamagedStoreError, match=r"^the index in .* failed: [^\n]*$"):
        Environment(tmp_path, read_only=False, map_bytes=MIB)


def test_reads_after_the_end_are_a_store_error(tmp_path: Path) -> None:
    environment = Environment(tmp_path, read_only=False, map_bytes=MIB)
    database = environment.write(lambda transaction: environment.open_database("db", transaction))
    environment.close()
    with pytest.raises(StoreError, match="the index in"):
        environment.pinned.get(database, b"k")
