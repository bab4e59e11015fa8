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
KERNELS = [name for name in native.kernels() if name.startswith("ed25519:")]


@pytest.mark.benchmark(group="one signature")
def test_verify_strict(benchmark: BenchmarkFixture) -> None:
    assert benchmark(native.verify_strict, PUBLIC_KEY, MESSAGE, SIGNATURE)


@pytest.mark.benchmark(group="one signature")
def test_verify(benchmark: BenchmarkFixture) -> None:
    assert benchmark(native.verify, PUBLIC_KEY, MESSAGE, SIGNATURE)


@pytest.mark.benchmark(group="one signature")
def test_verify_by_the_oracle(benchmark: BenchmarkFixture) -> None:
    assert benchmark(reference.verify, PUBLIC_KEY, MESSAGE, SIGNATURE)


@pytest.mark.parametrize("size", [64, 2_000])
@pytest.mark.parametrize("kernel", KERNELS)
def test_verify_batch(benchmark: BenchmarkFixture, kernel: str, size: int) -> None:
    """As many keys as signatures, on one thread."""
    benchmark.group = f"{size} signatures"
    pairs = [crypto_sign_seed_keypair(i.to_bytes(32, "little")) for i in range(size)]
    keys, messages = [public for public, _ in pairs], [MESSAGE] * size
    signatures = [crypto_sign(MESSAGE, secret)[:64] for _, secret in pairs]
    before = native.kernel.split(",")
    native.use(kernel)
    assert all(benchmark(native.verify_batch, keys, messages, signatures, None, 1))
    for name in before:
        native.use(name)
