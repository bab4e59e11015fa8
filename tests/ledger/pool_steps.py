"""Common steps of tests with a mempool."""

from __future__ import annotations

import pytest

from pychain.chain.transaction import Transfer
from pychain.ledger.mempool import Mempool, Policy, PolicyError
from tests.ledger.pool_model import Chain

RICH = 10**12
"""A balance that covers whatever comes."""
MEMO = 512
"""The longest memo."""
WHOLE = 10**9
"""A budget for everything."""


def take(pool: Mempool, *transfers: Transfer, wall_s: int = 0) -> None:
    for each in transfers:
        pool.check(each)
        pool.add(each, wall_s)


def refusal(pool: Mempool, new: Transfer, coming: dict[int, Transfer] | None = None) -> Policy:
    with pytest.raises(PolicyError) as caught:
        pool.check(new, coming or {})
    assert str(caught.value).startswith(f"{caught.value.policy.value}: ")
    return caught.value.policy


def connect(pool: Mempool, chain: Chain, *transfers: Transfer) -> None:
    mined = chain.connect(transfers)
    assert mined == list(transfers)
    pool.rebase([*chain.accounts], [], [each.txid for each in mined], 0)
