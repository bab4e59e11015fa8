"""The signature cache: it keeps what was added last, and no more than its bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pychain.ledger.known import KnownSignatures


@given(st.lists(st.lists(st.binary(min_size=1, max_size=1), max_size=9)), st.integers(1, 20))
def test_the_newest_stay(batches: list[list[bytes]], capacity: int) -> None:
    known = KnownSignatures(capacity)
    added: list[bytes] = []
    for txids in batches:
        known.add(txids)
        added += txids
        assert all(txid in known for txid in added[-capacity:])
        assert len(known) <= 2 * capacity
    assert not any(txid in known for txid in map(bytes, ([i] for i in range(256))) if txid not in added)
