"""The nonce search, kernel by kernel, beside the loop over hashlib: seconds for a fixed number of nonces."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pychain import native
from pychain.native import reference

HEADER = bytes(range(80))
NONCES = 2**18  # enough to hide the call, and a tenth of a second on the slowest kernel
REFERENCE_NONCES = 2**12
KERNELS = [name for name in native.kernels() if name.startswith("sha256:")]


@pytest.mark.benchmark(group="search, 2^18 nonces")
@pytest.mark.parametrize("kernel", KERNELS)
def test_search(benchmark: BenchmarkFixture, kernel: str) -> None:
    native.use(kernel)
    assert benchmark(native.search, HEADER, 0, 0, NONCES) == (None, NONCES)


@pytest.mark.benchmark(group="search, 2^18 hashes under 64 versions")
@pytest.mark.parametrize("kernel", KERNELS)
def test_search_rolling(benchmark: BenchmarkFixture, kernel: str) -> None:
    native.use(kernel)
    versions, nonces = range(native.MAX_VERSIONS), NONCES // native.MAX_VERSIONS
    assert benchmark(native.search_rolling, HEADER, versions, 0, 0, nonces) == (None, NONCES)


@pytest.mark.benchmark(group="search, 2^12 nonces")
def test_search_by_hashlib(benchmark: BenchmarkFixture) -> None:
    assert benchmark(reference.search, HEADER, 0, 0, REFERENCE_NONCES) == (None, REFERENCE_NONCES)


@pytest.mark.benchmark(group="search, one nonce: the cost of a call")
@pytest.mark.parametrize("kernel", KERNELS)
def test_short_search(benchmark: BenchmarkFixture, kernel: str) -> None:
    native.use(kernel)
    assert benchmark(native.search, HEADER, 0, 0, 1) == (None, 1)
