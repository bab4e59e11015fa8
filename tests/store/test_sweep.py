"""Sweeps: rows of histories, and how many rows a step has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pychain.store.history import ROW_ENTRIES, history_rows
from pychain.store.records import decode_history, history_key
from pychain.store.sweep import MAX_ROWS, MIN_ROWS, STEP_NS, SYNC_SHARE, Pace

KEYS = [bytes((number,)) * 32 for number in range(4)]
MS = 1_000_000

counts = st.lists(st.sampled_from([0, 1, 2, 3, 127, 128, 129, 300]), min_size=len(KEYS), max_size=len(KEYS))


def rows_of(lengths: list[int]) -> dict[bytes, list[int]]:
    """The rows, by key, of histories of these lengths."""
    touches = [history_key(key, 7 * i) for key, length in zip(KEYS, lengths, strict=True) for i in range(length)]
    rows = list(history_rows(b"".join(touches)))
    assert [key for key, _ in rows] == sorted(key for key, _ in rows)
    return {key: decode_history(key, row) for key, row in rows}


@given(lengths=counts)
def test_histories_are_cut_into_rows(lengths: list[int]) -> None:
    rows = rows_of(lengths)
    for key, length in zip(KEYS, lengths, strict=True):
        own = [entries for row_key, entries in sorted(rows.items()) if row_key.startswith(key)]
        assert [entry for entries in own for entry in entries] == [7 * i for i in range(length)]
        assert all(len(entries) == ROW_ENTRIES for entries in own[:-1])


@given(lengths=counts, more=counts)
def test_rows_that_are_written_again_with_more_behind_them_have_the_same_keys(
    lengths: list[int], more: list[int]
) -> None:
    """An interrupted sweep is begun again with what was committed since: no entry may then be in two rows."""
    longer = [length and length + added for length, added in zip(lengths, more, strict=True)]
    assert rows_of(lengths).keys() <= rows_of(longer).keys()


def settled(cost_ns: int, sync_ns: int) -> int:
    """The rows per step if a row costs `cost_ns`, and each step a sync."""
    pace = Pace()
    for _ in range(200):
        pace.took(MIN_ROWS // 4, MIN_ROWS // 4 * cost_ns + sync_ns)  # now and then one has little to write
        pace.took(pace.rows, pace.rows * cost_ns + sync_ns)
    return pace.rows


def test_steps_take_as_long_as_they_should() -> None:
    for cost_ns in (500, 2_000, 20_000):
        assert abs(settled(cost_ns, MS // 2) * cost_ns - STEP_NS) < STEP_NS // 4


def test_where_syncing_is_slow_steps_are_longer() -> None:
    assert settled(2_000, 20 * MS) * 2_000 > SYNC_SHARE * 20 * MS * 3 // 4


def test_steps_have_bounds() -> None:
    assert settled(10 * MS, MS) == MIN_ROWS
    assert settled(1, MS) == MAX_ROWS
    pace = Pace()
    pace.hurried = True
    assert pace.rows == MAX_ROWS
