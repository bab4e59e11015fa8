"""Processes that the tests start, limit and kill: `python -m tests.store.children NAME ARGUMENTS`.

Each prints lines: numbers of commits that returned, or one JSON object with its findings.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lmdb

from pychain.ledger.memory_store import MemoryStore
from pychain.ledger.store import Batch, StoreError, StoreFullError
from pychain.store import LmdbStore, block_files
from pychain.store.environment import MAP_BYTES, Environment
from pychain.store.sweep import Pace
from tests.store.batches import GENESIS, Series, assert_same, counter
from tests.support.index import known

ROOT = Path(__file__).parents[2]
CRASHED = 86
"""Exit code of a process that died at the given gap."""

GAPS = ("half of the body", "before the sync", "before the directory", "before the index", "before the commit", "done")
ROWS_PER_STEP = 50
"""Few, so that sweeps have many steps."""
_MIB = 1 << 20


def command(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.store.children", name, *map(str, arguments)]


def run(name: str, *arguments: object, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run a child to its end."""
    return subprocess.run(
        [*before, *command(name, *arguments)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def findings(name: str, *arguments: object, before: Sequence[str] = ()) -> dict[str, Any]:
    """The findings of a child that must succeed."""
    done = run(name, *arguments, before=before)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def keep_committing(directory: str) -> None:
    """Commit batch after batch, and print each number once its commit has returned. Steps of sweeps come in between."""
    Pace.rows = ROWS_PER_STEP  # type: ignore[method-assign, assignment]
    store, series = LmdbStore(Path(directory), GENESIS), Series()
    number = counter(store)
    while True:
        number += 1
        store.commit(series.batch(number))
        os.write(sys.stdout.fileno(), b"%d\n" % number)
        store.advance()
        store.tend(quiet=number % 8 == 0)


def keep_forking(directory: str) -> None:
    """For each line read, fork a process that keeps committing, print its pid, and `gone` when it is."""
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            keep_committing(directory)
        os.write(sys.stdout.fileno(), b"pid %d\n" % pid)
        os.waitpid(pid, 0)
        os.write(sys.stdout.fileno(), b"gone\n")


def crash(directory: str, gap: str) -> None:
    """Make one more commit, and die at a gap of it without any further instruction. Each body has its own file."""
    store, series = LmdbStore(Path(directory), GENESIS, roll_bytes=1), Series()
    batch = series.batch(counter(store) + 1)

    def die(*_: object) -> None:
        os._exit(CRASHED)

    def die_in_the_middle(descriptor: int) -> None:
        length = sum(map(len, batch.bodies.values()))
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - length // 2)
        die()

    write = Environment.write

    def write_and_die(environment: Environment, apply: Callable[[lmdb.Transaction[bytes]], Any]) -> None:
        write(environment, lambda transaction: die(apply(transaction)))

    if gap == "half of the body":
        block_files._sync = die_in_the_middle
    elif gap == "before the sync":
        block_files._sync = die
    elif gap == "before the directory":
        block_files.sync_directory = die
    elif gap == "before the index":
        Environment.write = die
    elif gap == "before the commit":
        Environment.write = write_and_die
    store.commit(batch)
    die()


def die_in_sweeps(directory: str) -> None:
    """Die before and after each write of a sweep, each time on a copy of the store, and check what is left."""
    Pace.rows = ROWS_PER_STEP  # type: ignore[method-assign, assignment]
    series, last, whole = Series(), 17, Path(directory) / "whole"
    model, model_after = MemoryStore(), MemoryStore()
    if os.fork() == 0:
        store = LmdbStore(whole, GENESIS)
        for number in range(last + 1):
            store.commit(series.batch(number))
            store.advance()
        os._exit(0)
    os.wait()
    for number in range(last + 2):
        for one in (model, model_after) if number <= last else (model_after,):
            one.commit(series.batch(number))
            one.advance()
    for deaths in itertools.count():
        copy = Path(directory) / f"copy {deaths}"
        shutil.copytree(whole, copy)
        if os.fork() == 0:
            _sweep_and_die(copy, deaths)
        _, status = os.wait()
        assert os.waitstatus_to_exitcode(status) in (0, CRASHED)
        store = LmdbStore(copy, GENESIS)
        assert_same(store, model, series)
        store.commit(series.batch(last + 1))
        store.advance()
        assert_same(store, model_after, series)
        store.close()
        shutil.rmtree(copy)
        if not status:
            break
    print(json.dumps({"deaths": deaths}))


def _sweep_and_die(directory: Path, writes: int) -> None:
    """Sweep all that waits; die at a write, for even numbers before it is committed, for odd ones after."""
    store = LmdbStore(directory, GENESIS)
    write, count = Environment.write, itertools.count()

    def write_and_die(environment: Environment, apply: Callable[[lmdb.Transaction[bytes]], Any]) -> None:
        this = 2 * next(count)
        write(environment, lambda transaction: (apply(transaction), os._exit(CRASHED) if this == writes else None))
        if this + 1 == writes:
            os._exit(CRASHED)

    Environment.write = write_and_die  # type: ignore[method-assign, assignment]
    while store.tend(quiet=True):
        pass
    os._exit(0)


def fill(directory: str, what: str) -> None:
    """Commit until there is no room (a limit on file sizes, unless the disk is full first) and report."""
    store, series = LmdbStore(Path(directory), GENESIS), Series()
    if what != "the disk":
        for number in range(20):
            store.commit(series.batch(number))
        store.advance()
        largest = max(path.stat().st_size for path in Path(directory).glob("*/*"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 3 * _MIB, resource.RLIM_INFINITY))
    print(json.dumps(_commit_until_full(store, series, what)))


def fill_and_go_on(directory: str) -> None:
    """Fill the disk, with a ballast file on it; then open, remove the ballast and continue."""
    path = Path(directory)
    ballast = path / "ballast"
    ballast.write_bytes(bytes(2 * _MIB))
    store, series, model = LmdbStore(path, GENESIS), Series(), MemoryStore()
    found = _commit_until_full(store, series, "the disk")
    last = found["committed"]
    for number in range(last + 1):
        model.commit(series.batch(number))
    model.advance()
    store.advance()
    assert_same(store, model, series)
    store.close()
    store = LmdbStore(path, GENESIS)
    assert_same(store, model, series)
    ballast.unlink()
    store.commit(series.batch(last + 1))
    model.commit(series.batch(last + 1))
    store.advance()
    model.advance()
    assert_same(store, model, series)
    store.close()
    print(json.dumps(found))


def _commit_until_full(store: LmdbStore, series: Series, what: str) -> dict[str, Any]:
    number = counter(store)
    while True:
        batch = series.batch(number + 1)
        if what == "accounts":
            undo = {block_hash: bytes(100_000) for block_hash in batch.undo}
            batch = Batch(accounts=batch.accounts, undo=undo, tables=batch.tables)
        try:
            store.commit(batch)
        except StoreFullError as error:
            line = str(error)
            break
        number += 1
        store.advance()
    try:
        store.commit(Batch(tables={"more": b"x"}))
    except StoreError as error:
        refused = str(error)
    return {"committed": number, "line": line, "refused": refused, "shown": counter(store)}


def little_address_space(directory: str) -> None:
    """Open a map with hardly any address space to spare, and write until it cannot grow."""
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 200 * _MIB, resource.RLIM_INFINITY))
    environment = Environment(Path(directory), read_only=False, map_bytes=MAP_BYTES)
    first, value, keys = environment.map_bytes(), bytes(4 * _MIB), [b"0"]
    database = environment.write(lambda transaction: environment.open_database("db", transaction))
    try:
        while True:
            environment.write(lambda transaction: transaction.put(keys[-1], value, db=database))
            keys.append(b"%d" % len(keys))
    except StoreFullError as error:
        line = str(error)
    kept = [environment.newest.get(database, key) == value for key in keys[:-1]]
    print(json.dumps({"first": first, "last": environment.map_bytes(), "kept": kept, "line": line}))


def read_only(directory: str) -> None:
    """Open the store that the parent writes; for each line read, advance and print the visible batch."""
    store = LmdbStore(Path(directory), GENESIS, read_only=True, map_bytes=_MIB)
    series = Series()
    for _ in sys.stdin:
        store.advance()
        number = counter(store)
        body = store.body(series.record(number).hash)
        assert body == series.body(number)
        assert len(known(store)) == number + 1
        os.write(sys.stdout.fileno(), b"%d\n" % number)
    try:
        store.commit(Batch(tip=bytes(32)))
    except StoreError as error:
        print(error)


_CHILDREN = (keep_committing, keep_forking, crash, die_in_sweeps, fill, fill_and_go_on, little_address_space, read_only)

if __name__ == "__main__":
    {child.__name__: child for child in _CHILDREN}[sys.argv[1]](*sys.argv[2:])
