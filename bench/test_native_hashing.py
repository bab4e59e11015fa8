"""Bulk hashing, kernel by kernel, beside hashlib: merkle roots, transaction ids, header chains, single hashes."""

from __future__ import annotations

import random
from array import array
from types import ModuleType

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pychain import native
from pychain.native import reference

TRANSACTIONS = 10_000
TRANSFER = 155  # bytes of a transfer without a memo
HEADERS = 2_000  # of one headers message
LEAVES = random.Random(1).randbytes(32 * TRANSACTIONS)
TRANSFERS = random.Random(2).randbytes(TRANSFER * TRANSACTIONS)
OFFSETS = array("I", range(0, TRANSFER * TRANSACTIONS + 1, TRANSFER))
CHAIN = random.Random(3).randbytes(80 * HEADERS)

# Each kernel, and the pure-Python twin.
DOORS = [(native, name) for name in native.kernels() if name.startswith("sha256:")]
DOORS += [(reference, reference.kernel)] if native.compiled else []
each_kernel = pytest.mark.parametrize(("door", "kernel"), DOORS, ids=[name for _, name in DOORS])


@pytest.mark.benchmark(group="merkle root of 10,000 leaves")
@each_kernel
def test_merkle_root(benchmark: BenchmarkFixture, door: ModuleType, kernel: str) -> None:
    door.use(kernel)
    assert benchmark(door.merkle_root, LEAVES) == reference.merkle_root(LEAVES)


@pytest.mark.benchmark(group="ids of 10,000 transfers")
@each_kernel
def test_transaction_ids(benchmark: BenchmarkFixture, door: ModuleType, kernel: str) -> None:
    door.use(kernel)
    assert len(benchmark(door.sha256d_many, TRANSFERS, OFFSETS)) == 32 * TRANSACTIONS


@pytest.mark.benchmark(group="hashes of 2,000 headers")
@each_kernel
def test_header_chain(benchmark: BenchmarkFixture, door: ModuleType, kernel: str) -> None:
    door.use(kernel)
    assert len(benchmark(door.sha256d_records, CHAIN, 80)) == 32 * HEADERS


@pytest.mark.benchmark(group="one header")
@each_kernel
def test_one_header(benchmark: BenchmarkFixture, door: ModuleType, kernel: str) -> None:
    door.use(kernel)
    assert benchmark(door.header_hash, CHAIN[:80]) == reference.header_hash(CHAIN[:80])
