"""Signature checks: libsodium's for the mempool, the consensus rule on good signatures, and the pure-Python oracle."""

from __future__ import annotations

import pytest
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair
from pytest_benchmark.fixture import BenchmarkFixture

from pychain import native
from pychain.native import reference

MESSAGE = bytes(142)  # what a transfer without a memo signs
PUBLIC_KEY, SECRET_KEY = crypto_sign_seed_keypair(bytes(range(32)))
SIGNATURE = crypto_sign(MESSAGE, SECRET_KEY)[:64]
BATCH = 64


@pytest.mark.benchmark(group="one signature")
def test_verify_strict(benchmark: BenchmarkFixture) -> None:
    assert benchmark(native.verify_strict, PUBLIC_KEY, MESSAGE, SIGNATURE)


@pytest.mark.benchmark(group="one signature")
def test_verify(benchmark: BenchmarkFixture) -> None:
    assert benchmark(native.verify, PUBLIC_KEY, MESSAGE, SIGNATURE)


@pytest.mark.benchmark(group="one signature")
def test_verify_by_the_oracle(benchmark: BenchmarkFixture) -> None:
    assert benchmark(reference.verify, PUBLIC_KEY, MESSAGE, SIGNATURE)


@pytest.mark.benchmark(group="batch of 64 signatures")
def test_verify_batch(benchmark: BenchmarkFixture) -> None:
    keys, messages, signatures = [PUBLIC_KEY] * BATCH, [MESSAGE] * BATCH, [SIGNATURE] * BATCH
    assert all(benchmark(native.verify_batch, keys, messages, signatures))
