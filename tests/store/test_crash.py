"""Crashes at any moment: the store is in the state after a commit, the last that returned or the one under way."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pychain.ledger.memory_store import MemoryStore
from pychain.ledger.store import Batch
from pychain.store import LmdbStore, block_files
from pychain.store.block_files import BlockFiles
from pychain.store.environment import Environment
from tests.store.batches import GENESIS, Series, assert_same, counter
from tests.store.children import CRASHED, GAPS, ROOT, command, findings, run

ROUNDS, LONG_ROUNDS = 100, 1_000
RECORD_HEAD_BYTES = 12
LONGEST_LIFE_S = 0.06
"""The longest life of a child after its start, or after its first commit: some are killed while opening the store."""


class Model:
    """The memory store at any batch of the series."""

    def __init__(self) -> None:
        self.series = Series()
        self.store = MemoryStore()

    def at(self, number: int) -> MemoryStore:
        """The model as batch `number` leaves it; it only moves forward."""
        for following in range(counter(self.store) + 1, number + 1):
            self.store.commit(self.series.batch(following))
            self.store.advance()
        return self.store


def grow_to(directory: Path, last: int, **options: int) -> None:
    store, series = LmdbStore(directory, GENESIS, **options), Series()
    for number in range(counter(store) + 1, last + 1):
        store.commit(series.batch(number))
    store.close()


def leave(path: Path) -> None:
    """The kernel survives: all written bytes are there."""


def lose(path: Path) -> None:
    path.unlink(missing_ok=True)


def zero(path: Path) -> None:
    if path.exists():
        path.write_bytes(bytes(path.stat().st_size))


def garble(path: Path) -> None:
    if path.exists():
        path.write_bytes(random.Random(7).randbytes(path.stat().st_size + 999))


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("lose_power", [leave, lose, zero, garble], ids=lambda harm: harm.__name__)
def test_death_in_any_gap(tmp_path: Path, gap: str, lose_power: Callable[[Path], None]) -> None:
    """A body that was not synced at a power failure may be there completely, partly, as zeros or not at all."""
    last = 11
    grow_to(tmp_path, last, roll_bytes=1)
    died = run("crash", tmp_path, gap)
    assert died.returncode == CRASHED, died.stderr
    if gap in ("half of the body", "before the sync"):
        lose_power(BlockFiles(tmp_path / "blocks").path(last + 1))
    model, reached = Model(), last + 1 if gap == "done" else last
    for number in (reached, last + 1, last + 2):
        grow_to(tmp_path, number, roll_bytes=1)
        store = LmdbStore(tmp_path, GENESIS, roll_bytes=1)
        store.advance()
        assert store.damaged == ()
        assert counter(store) == number
        assert sum(path.stat().st_size for path in (tmp_path / "blocks").iterdir()) == sum(
            RECORD_HEAD_BYTES + len(model.series.body(stored)) for stored in range(number + 1)
        ), "something is left of the interrupted commit"
        assert_same(store, model.at(number), model.series)
        store.close()


def test_death_in_any_gap_of_a_sweep(tmp_path: Path) -> None:
    """The journal is written to the tables step by step, however often a sweep was interrupted before."""
    assert findings("die_in_sweeps", tmp_path)["deaths"] > 30


def test_bodies_are_durable_before_what_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of the system calls that a loss of power depends on."""
    store, series = LmdbStore(tmp_path, GENESIS, roll_bytes=1), Series()
    calls: list[str] = []

    def record(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def recorded(*arguments: object) -> object:
            calls.append(name)
            return original(*arguments)

        monkeypatch.setattr(owner, name, recorded)

    record(block_files, "_sync")
    record(block_files, "sync_directory")
    record(Environment, "write")
    store.commit(series.batch(0))
    assert calls == ["_sync", "sync_directory", "write"]
    store.close()


def test_a_damaged_newest_body_is_found_on_opening_and_repaired_by_storing_it_again(tmp_path: Path) -> None:
    model = Model()
    grow_to(tmp_path, 20)
    (newest,) = model.series.batch(20).bodies
    path = tmp_path / "blocks" / "blk00000.dat"
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes((good[-1] ^ 1,)))
    store = LmdbStore(tmp_path, GENESIS)
    (damage,) = store.damaged
    assert damage.block_hash == newest
    assert str(path) in str(damage)
    with pytest.raises(type(damage), match="damaged"):
        store.body(newest)
    store.commit(Batch(bodies=model.series.batch(20).bodies))
    store.close()
    store = LmdbStore(tmp_path, GENESIS)
    assert store.damaged == ()
    assert_same(store, model.at(20), model.series)
    store.close()


def test_lost_block_files_are_damage_and_not_the_end(tmp_path: Path) -> None:
    """The newest block file was deleted: its bodies are reported as damaged, and the store keeps working."""
    model = Model()
    grow_to(tmp_path, 9, roll_bytes=1)
    BlockFiles(tmp_path / "blocks").path(9).unlink()
    store = LmdbStore(tmp_path, GENESIS, roll_bytes=1)
    assert [damage.block_hash for damage in store.damaged] == [model.series.record(9).hash]
    store.commit(model.series.batch(10))
    store.advance()
    assert store.body(model.series.record(10).hash) == model.series.body(10)
    assert store.body(model.series.record(8).hash) == model.series.body(8)
    store.close()


@pytest.mark.parametrize(
    "rounds", [ROUNDS, pytest.param(LONG_ROUNDS, marks=(pytest.mark.long, pytest.mark.timeout(1_800)))]
)
def test_sigkill_at_random_moments(tmp_path: Path, rounds: int) -> None:
    """A process that commits continuously is killed; all reported commits are there, and the store is consistent."""
    seed = int(os.environ.get("PYCHAIN_SEED") or random.SystemRandom().getrandbits(32))
    print(f"PYCHAIN_SEED={seed}")
    moments, model, seen = random.Random(seed), Model(), -1
    with subprocess.Popen(
        command("keep_forking", tmp_path), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        for _ in range(rounds):
            print("go", file=parent.stdin, flush=True)
            _, pid = parent.stdout.readline().split()
            reported = [seen, int(parent.stdout.readline())] if moments.random() < 0.7 else [seen]
            time.sleep(moments.uniform(0, LONGEST_LIFE_S))
            os.kill(int(pid), signal.SIGKILL)
            reported += [int(line) for line in iter(parent.stdout.readline, "gone\n")]
            seen = check_after_death(tmp_path, model, reported[-1], max(seen, 0))
        parent.stdin.close()
    store = LmdbStore(tmp_path, GENESIS)
    assert_same(store, model.at(seen), model.series)
    store.close()
    shutil.rmtree(tmp_path)


def check_after_death(directory: Path, model: Model, reported: int, seen: int) -> int:
    """Open the store of a killed process; returns its batch. Blocks before `seen` were compared in other rounds."""
    store = LmdbStore(directory, GENESIS)
    number = counter(store)
    assert number in (reported, reported + 1)
    assert store.damaged == ()
    assert_same(store, model.at(number), model.series, seen)
    store.close()
    return number
