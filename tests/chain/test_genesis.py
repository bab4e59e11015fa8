"""Genesis: one coinbase, paid to nobody, that commits to the rules."""

from __future__ import annotations

import pytest

from pychain.chain.spec import PACKAGED_NETWORKS, packaged_spec
from pychain.chain.transaction import Coinbase
from tests.support import wire


@pytest.mark.parametrize("name", PACKAGED_NETWORKS)
def test_shape(name: str) -> None:
    spec = packaged_spec(name)
    header = spec.genesis.header
    assert (header.version, header.prev_hash, header.nonce) == (1, bytes(32), 0)
    assert (header.time, header.bits) == (spec.genesis_time, spec.genesis_bits)
    [coinbase] = spec.genesis.transactions
    assert isinstance(coinbase, Coinbase)
    assert (coinbase.height, coinbase.recipient, coinbase.amount) == (0, bytes(32), 0)
    assert coinbase.extra == wire.sha256d(spec.canonical())
    assert header.merkle_root == coinbase.txid


def test_made_once() -> None:
    spec = packaged_spec("dev")
    assert spec.genesis is spec.genesis
