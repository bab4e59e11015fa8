"""Rolling sets: they remember at least the latest items, have no false positives, and stay within their bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pychain.base.rolling import RollingSet


@given(st.lists(st.integers(0, 30)), st.integers(1, 8))
def test_a_rolling_set_knows_at_least_the_latest(items: list[int], capacity: int) -> None:
    rolling: RollingSet[int] = RollingSet(capacity)
    latest: list[int] = []
    for item in items:
        rolling.update((item,))
        latest = [*(other for other in latest if other != item), item][-capacity:]
        assert all(other in rolling for other in latest)
        assert len(rolling) <= 2 * capacity
    assert all(item not in rolling for item in range(31, 40))
    together: RollingSet[int] = RollingSet(capacity)
    together.update(items)
    assert [item in together for item in range(40)] == [item in rolling for item in range(40)]
