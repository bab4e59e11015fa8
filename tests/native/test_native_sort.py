"""Sorting records: the C core against Python's own sort."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain import native
from pychain.base.entropy import Random
from pychain.native import reference

sizes = st.one_of(st.integers(1, 12), st.sampled_from([32, 40, 48]))


@given(st.data(), sizes, st.integers(0, 200))
def test_any_records_are_sorted(data: st.DataObject, size: int, count: int) -> None:
    """Of few different bytes, so that records share their beginnings or are equal."""
    alphabet = st.sampled_from([b"\0", b"\1", b"\x7f", b"\x80", b"\xff"])
    heads = data.draw(st.lists(st.lists(alphabet, min_size=size, max_size=size).map(b"".join), min_size=1, max_size=6))
    draw = Random(data.draw(st.integers(0, 2**32)))
    records = [heads[draw.below(len(heads))][:-1] + bytes((draw.below(256),)) for _ in range(count)]
    assert native.sort_records(b"".join(records), size) == b"".join(sorted(records))
    assert reference.sort_records(b"".join(records), size) == b"".join(sorted(records))


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 15, 16, 17, 1_000, 65_537])
@pytest.mark.parametrize("order", ["rising", "falling", "random", "equal"])
def test_runs_of_any_length(count: int, order: str) -> None:
    draw = Random(count)
    numbers = {
        "rising": range(count),
        "falling": range(count, 0, -1),
        "random": [draw.below(2**32) for _ in range(count)],
        "equal": [5] * count,
    }[order]
    records = [number.to_bytes(5, "big") for number in numbers]
    assert native.sort_records(b"".join(records), 5) == b"".join(sorted(records))


@pytest.mark.parametrize("door", [native, reference])
@pytest.mark.parametrize(
    ("data", "size", "line"),
    [
        (bytes(7), 2, "data of 7 bytes are no records of 2 bytes each"),
        (b"", 0, "size 0 is not within"),
        (b"", True + 2**32, "size 4294967297 is not within"),
        ("text", 1, "data must be bytes, not str"),
    ],
)
def test_what_are_no_records_is_refused(door: ModuleType, data: bytes, size: int, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        door.sort_records(data, size)
