"""The store's costs: a commit of one full block among few and many accounts, reads, opening. Run: `pytest
bench/test_store_bench.py`.

Commits are durable, so they are the disk's figures as much as the code's; compare them with a run on the same directory
(`--basetemp`) of the same machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256, shake_128
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pychain.base.entropy import Random
from pychain.chain.header import Header, new_header
from pychain.consensus.state import Account, Reward
from pychain.ledger.store import Batch, IndexRecord, Status
from pychain.store import LmdbStore
from tests.support.blocks import block_under, unsigned

GENESIS = bytes(32)
TRANSFERS = 2_000
TRANSFER_BYTES = 155
HEADERS = 100_000
FILL_STEP = 20_000

Setup = tuple[tuple[Any, ...], dict[str, Any]]


def account_key(number: int) -> bytes:
    return sha256(b"account %d" % number).digest()


def fill_accounts(store: LmdbStore, count: int) -> None:
    """`count` accounts, in sorted batches, as a real state would have them."""
    keys = sorted(account_key(number) for number in range(count))
    for start in range(0, count, FILL_STEP):
        store.commit(Batch(accounts=dict.fromkeys(keys[start : start + FILL_STEP], Account(1_000, 1))))
        store.advance()


def header_chain(count: int) -> list[Header]:
    headers: list[Header] = []
    prev_hash = GENESIS
    for number in range(count):
        headers.append(new_header(1, prev_hash, sha256(b"root %d" % number).digest(), number, 0x207FFFFF, number))
        prev_hash = headers[-1].hash
    return headers


class Blocks:
    """Batches of one block of `TRANSFERS` transfers each, between accounts drawn from `accounts`."""

    def __init__(self, accounts: int) -> None:
        self._accounts = accounts
        self._draw = Random(1)
        self._height = 0

    def next(self) -> Batch:
        height, self._height = self._height, self._height + 1
        header = new_header(1, GENESIS, GENESIS, height, 0x207FFFFF, 0)
        touched = [account_key(self._draw.below(self._accounts)) for _ in range(2 * TRANSFERS)]
        transfers = [unsigned(*touched[2 * i : 2 * i + 2], height) for i in range(TRANSFERS)]
        return Batch(
            bodies={header.hash: header.raw + shake_128(header.raw).digest(TRANSFERS * TRANSFER_BYTES)},
            index=(IndexRecord.of(header, height, Status.BODY | Status.VERIFIED | Status.CONNECTED),),
            accounts={key: Account(height, height) for key in touched},
            undo={header.hash: bytes(48 * len(touched))},
            rewards={header.hash: Reward(GENESIS, height)},
            connected={header.hash: block_under(header, height, GENESIS, transfers)},
            tip=header.hash,
        )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbStore]:
    store = LmdbStore(tmp_path, GENESIS)
    yield store
    store.close()


@pytest.mark.parametrize("accounts", [10_000, 500_000])
def test_commit_a_block_of_2000(benchmark: BenchmarkFixture, store: LmdbStore, accounts: int) -> None:
    fill_accounts(store, accounts)
    blocks = Blocks(accounts)

    def setup() -> Setup:
        store.advance()
        return (blocks.next(),), {}

    benchmark.pedantic(store.commit, setup=setup, rounds=60, warmup_rounds=3)


def test_commit_an_empty_block(benchmark: BenchmarkFixture, store: LmdbStore) -> None:
    headers = iter(header_chain(400))

    def setup() -> Setup:
        store.advance()
        header = next(headers)
        record = IndexRecord.of(header, header.time, Status.BODY)
        return (Batch(bodies={header.hash: header.raw + bytes(80)}, index=(record,), tip=header.hash),), {}

    benchmark.pedantic(store.commit, setup=setup, rounds=300, warmup_rounds=3)


def test_commit_100_empty_blocks_at_once(benchmark: BenchmarkFixture, store: LmdbStore) -> None:
    headers = header_chain(100 * 55)
    starts = iter(range(0, len(headers), 100))

    def setup() -> Setup:
        store.advance()
        start = next(starts)
        these = headers[start : start + 100]
        index = tuple(IndexRecord.of(header, header.time, Status.BODY) for header in these)
        return (Batch(bodies={header.hash: header.raw + bytes(80) for header in these}, index=index),), {}

    benchmark.pedantic(store.commit, setup=setup, rounds=50, warmup_rounds=3)


def test_read_1000_accounts_of_500000(benchmark: BenchmarkFixture, store: LmdbStore) -> None:
    fill_accounts(store, 500_000)
    draw = Random(2)
    keys = [account_key(draw.below(500_000)) for _ in range(1_000)]

    def read() -> int:
        return sum(store.account(key).balance for key in keys)

    assert benchmark(read) == 1_000 * 1_000


def test_read_a_body_of_2000(benchmark: BenchmarkFixture, store: LmdbStore) -> None:
    batch = Blocks(10_000).next()
    store.commit(batch)
    ((block_hash, body),) = batch.bodies.items()
    assert benchmark(store.body, block_hash) == body


@pytest.fixture(scope="module")
def long_chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a store that knows `HEADERS` headers."""
    directory = tmp_path_factory.mktemp("long")
    store = LmdbStore(directory, GENESIS)
    headers = header_chain(HEADERS)
    for start in range(0, HEADERS, FILL_STEP):
        these = headers[start : start + FILL_STEP]
        store.commit(Batch(index=tuple(IndexRecord.of(header, header.time, Status.HEADER) for header in these)))
        store.advance()
    store.close()
    return directory


def test_open(benchmark: BenchmarkFixture, long_chain: Path) -> None:
    benchmark(lambda: LmdbStore(long_chain, GENESIS).close())


def test_read_an_index_of_100000(benchmark: BenchmarkFixture, long_chain: Path) -> None:
    store = LmdbStore(long_chain, GENESIS)
    assert benchmark(lambda: sum(len(part.statuses) for part in store.index())) == HEADERS
    store.close()
