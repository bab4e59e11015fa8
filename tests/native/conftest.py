"""The fixture that runs a test once on each SHA-256 kernel of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pychain import native

from .kernels import SHA256_KERNELS


@pytest.fixture(scope="module", params=SHA256_KERNELS)
def kernel(request: pytest.FixtureRequest) -> Iterator[str]:
    """Force one kernel for the tests of a module; module scope, so that Hypothesis may use it."""
    before = [name for name in native.kernel.split(",") if name.startswith("sha256:")]
    native.use(request.param)
    yield request.param
    native.use(before[0])
