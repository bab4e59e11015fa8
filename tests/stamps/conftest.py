"""The chain is made once: its work takes a second."""

from __future__ import annotations

import pytest

from tests.stamps.forged import StampedChain, build


@pytest.fixture(scope="session")
def chain() -> StampedChain:
    return build()
