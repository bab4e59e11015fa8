"""The bounded reader and the writers: round trips, one encoding per value, and only DecodeError."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base import codec
from pychain.base.codec import Reader
from pychain.base.errors import DecodeError

u64 = st.integers(0, 2**64 - 1)

COMPACT_SIZES = [
    # Bitcoin's variable-length integers at both sides of each border.
    (0, "00"),
    (252, "fc"),
    (253, "fdfd00"),
    (0xFFFF, "fdffff"),
    (0x10000, "fe00000100"),
    (0xFFFFFFFF, "feffffffff"),
    (0x100000000, "ff0000000001000000"),
    (2**64 - 1, "ffffffffffffffffff"),
]


@pytest.mark.parametrize(("value", "encoding"), COMPACT_SIZES)
def test_compact_size_borders(value: int, encoding: str) -> None:
    assert codec.compact_size(value).hex() == encoding
    reader = Reader(bytes.fromhex(encoding))
    assert reader.compact_size() == value
    reader.finish()


@given(u64)
def test_compact_size_round_trip(value: int) -> None:
    reader = Reader(codec.compact_size(value))
    assert reader.compact_size() == value
    reader.finish()


@given(u64)
def test_compact_size_has_one_encoding(value: int) -> None:
    """Only the shortest encoding of a value is accepted."""
    forms = {0xFC: struct.pack("<B", value & 0xFF)} if value <= 0xFC else {}
    widths = ((b"\xfd", "<H", 2**16), (b"\xfe", "<I", 2**32), (b"\xff", "<Q", 2**64))
    encodings = [*forms.values(), *(mark + struct.pack(form, value) for mark, form, end in widths if value < end)]
    assert Reader(encodings[0]).compact_size() == value
    for longer in encodings[1:]:
        with pytest.raises(DecodeError, match="shortest form"):
            Reader(longer).compact_size()


@given(st.binary(max_size=12))
def test_compact_size_of_any_bytes(data: bytes) -> None:
    reader = Reader(data)
    try:
        value = reader.compact_size()
    except DecodeError:
        return
    assert codec.compact_size(value) == data[: reader.position]


@given(st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1), u64)
def test_integers_round_trip(two: int, four: int, signed: int, eight: int) -> None:
    data = codec.u16(two) + codec.u32(four) + codec.i32(signed) + codec.u64(eight)
    assert data == struct.pack("<HIiQ", two, four, signed, eight)
    reader = Reader(data)
    assert (reader.u16(), reader.u32(), reader.i32(), reader.u64()) == (two, four, signed, eight)
    reader.finish()


@given(
    st.binary(max_size=20), st.lists(st.sampled_from(["u8", "u16", "u32", "i32", "u64", "compact_size"]), max_size=8)
)
def test_reading_past_the_end(data: bytes, calls: list[str]) -> None:
    """A failed read raises DecodeError and reads nothing; position and remaining always add up."""
    reader = Reader(data)
    for name in calls:
        before = reader.position
        try:
            getattr(reader, name)()
        except DecodeError:
            if name != "compact_size":
                assert reader.position == before
        assert reader.position + reader.remaining == len(data)


@given(st.binary(max_size=64), st.integers(0, 80), st.integers(-5, 100))
def test_take(data: bytes, start: int, count: int) -> None:
    reader = Reader(data, start)
    if start + count <= len(data) and count >= 0:
        assert reader.take(count) == data[start : start + count]
        assert reader.position == start + count
    else:
        with pytest.raises(DecodeError, match="bytes expected at offset"):
            reader.take(count)


def test_finish_names_what_is_left() -> None:
    reader = Reader(b"abc")
    reader.u8()
    with pytest.raises(DecodeError, match="2 trailing bytes after offset 1"):
        reader.finish()


def test_a_huge_length_allocates_nothing() -> None:
    tracemalloc.start()
    with pytest.raises(DecodeError):
        Reader(b"short").take(2**62)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 65_536
