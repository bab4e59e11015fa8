"""The memory of checked signatures: it holds what was added last, and no more than its bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pychain.ledger.known import KnownSignatures


@given(st.lists(st.binary(min_size=1, max_size=1)), st.integers(1, 20))
def test_the_newest_stay(txids: list[bytes], capacity: int) -> None:
    known = KnownSignatures(capacity)
    first_seen: dict[bytes, None] = {}
    for txid in txids:
        known.add(txid)
        first_seen[txid] = None
        if len(first_seen) > capacity:
            del first_seen[next(iter(first_seen))]
        assert txid in known
        assert len(known) <= capacity
    assert all((txid in known) == (txid in first_seen) for txid in map(bytes, ([i] for i in range(256))))
