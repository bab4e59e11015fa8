"""Records: the C core against Python, and against their meaning."""

from __future__ import annotations

from itertools import pairwise
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
    """Records of few different bytes, so that they share their beginnings or are equal."""
    alphabet = st.sampled_from([b"\0", b"\1", b"\x7f", b"\x80", b"\xff"])
    heads = data.draw(st.lists(st.lists(alphabet, min_size=size, max_size=size).map(b"".join), min_size=1, max_size=6))
    draw = Random(data.draw(st.integers(0, 2**32)))
    records = [heads[draw.below(len(heads))][:-1] + bytes((draw.below(256),)) for _ in range(count)]
    parts = [b"".join(records[first::3]) for first in range(3)]
    assert native.sort_records(parts, size) == b"".join(sorted(records))
    assert reference.sort_records(parts, size) == b"".join(sorted(records))


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
    assert native.sort_records([b"".join(records)], 5) == b"".join(sorted(records))


@pytest.mark.parametrize("door", [native, reference])
@pytest.mark.parametrize(
    ("data", "size", "line"),
    [
        (bytes(7), 2, "a part of 7 bytes is not records of 2 bytes each"),
        (b"", 0, "size 0 is not within"),
        (b"", True + 2**32, "size 4294967297 is not within"),
        ("text", 1, "a part must be bytes, not str"),
    ],
)
def test_what_are_no_records_is_refused(door: ModuleType, data: bytes, size: int, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        door.sort_records([data], size)


@given(st.lists(st.sampled_from([b"aa", b"ab", b"b\0"]), max_size=60).map(sorted), st.integers(1, 5))
def test_runs_share_a_key_and_are_cut(keys: list[bytes], longest: int) -> None:
    data = b"".join([key + bytes((number,)) for number, key in enumerate(keys)])
    starts = native.record_runs(data, 3, 2, longest)
    assert starts == reference.record_runs(data, 3, 2, longest)
    runs = [keys[start:end] for start, end in pairwise((*starts, len(keys)))]
    assert [key for run in runs for key in run] == keys
    assert all(len(set(run)) == 1 and len(run) <= longest for run in runs)
    assert all(left[0] != right[0] or len(left) == longest for left, right in pairwise(runs))


pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30)


@given(pairs, st.sampled_from([0, 1, 2**32, 2**63]))
def test_touches_name_senders_and_recipients(pairs: list[tuple[int, int]], first: int) -> None:
    keys = [bytes((number,)) * 32 for number in range(4)]
    senders, recipients = [sender for sender, _ in pairs], [recipient for _, recipient in pairs]
    expected = [
        keys[account] + (first + number).to_bytes(8, "big")
        for number, (sender, recipient) in enumerate(pairs)
        for account in ((sender,) if sender == recipient else (sender, recipient))
    ]
    for door in (native, reference):
        assert door.touches(b"".join(keys), senders, recipients, first) == b"".join(expected)


@pytest.mark.parametrize("door", [native, reference])
@pytest.mark.parametrize(
    ("keys", "senders", "recipients", "first", "line"),
    [
        (bytes(33), [0], [0], 0, "buffer must be a multiple of 32 bytes, not 33"),
        (bytes(32), [0], [], 0, "as many senders as recipients, not 1 and 0"),
        (bytes(32), [1], [0], 0, "a sender or recipient is none of the keys"),
        (bytes(32), [0], [1], 0, "a sender or recipient is none of the keys"),
        (bytes(32), [-1], [0], 0, "senders must be integers of 32 bits"),
        (bytes(32), [0], [0], 2**64 - 1, "first 18446744073709551615 is not within"),
    ],
)
def test_touches_of_unknown_keys_are_refused(
    door: ModuleType, keys: bytes, senders: list[int], recipients: list[int], first: int, line: str
) -> None:
    with pytest.raises(ValueError, match=line):
        door.touches(keys, senders, recipients, first)


@pytest.mark.parametrize("door", [native, reference])
@pytest.mark.parametrize(("key", "longest", "line"), [(0, 1, "key 0"), (4, 1, "key 4"), (1, 0, "longest 0")])
def test_runs_of_no_records_are_refused(door: ModuleType, key: int, longest: int, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        door.record_runs(bytes(6), 3, key, longest)
