"""Frames: any cut of the stream gives the same payloads, and no claimed length costs memory."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import DecodeError
from pychain.p2p.framing import FrameError, FrameReader, frame

payloads = st.lists(st.binary(min_size=1, max_size=100), max_size=8)


def read(reader: FrameReader, pieces: list[bytes]) -> tuple[list[bytes], str | None]:
    """All payloads up to the first error, and that error."""
    got: list[bytes] = []
    try:
        for piece in pieces:
            for payload in reader.feed(piece):
                got.append(payload)
    except FrameError as error:
        return got, str(error)
    return got, None


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@given(payloads, st.lists(st.integers(0, 10_000), max_size=20))
def test_a_stream_cut_anywhere_gives_the_frames_that_went_in(sent: list[bytes], places: list[int]) -> None:
    stream = b"".join(map(frame, sent))
    assert read(FrameReader(100), cut(stream, places)) == (sent, None)


@given(st.binary(max_size=300), st.lists(st.integers(0, 10_000), max_size=20), st.integers(1, 80))
def test_garbage_is_read_the_same_however_it_is_cut(stream: bytes, places: list[int], limit: int) -> None:
    reader = FrameReader(limit)
    assert read(reader, cut(stream, places)) == read(FrameReader(limit), [stream])
    assert reader.pending <= min(len(stream), limit + 4)


@given(payloads)
def test_one_byte_at_a_time(sent: list[bytes]) -> None:
    stream = b"".join(map(frame, sent))
    assert read(FrameReader(100), [bytes((byte,)) for byte in stream]) == (sent, None)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_reused_buffer_may_change_after_feeding(kind: type) -> None:
    buffer = bytearray(frame(b"first") + frame(b"second")[:6])
    reader = FrameReader(100)
    assert list(reader.feed(kind(buffer))) == [b"first"]
    buffer[:] = bytes(len(buffer))
    buffer.extend(b"grown")  # would fail if the reader still held a view
    assert list(reader.feed(frame(b"second")[6:])) == [b"second"]


@pytest.mark.parametrize("length", [0, 101, 2**31, 2**32 - 1])
def test_a_bad_length_is_refused_with_its_fourth_byte(length: int) -> None:
    reader = FrameReader(100)
    head = length.to_bytes(4, "big")
    assert list(reader.feed(frame(b"sound") + head[:3])) == [b"sound"]
    with pytest.raises(FrameError, match=f"a frame of {length} bytes, 1 to 100 are allowed") as caught:
        list(reader.feed(head[3:]))
    assert isinstance(caught.value, DecodeError)


def test_nothing_is_read_after_an_error() -> None:
    reader = FrameReader(100)
    assert read(reader, [frame(b"before") + bytes(4) + frame(b"after")])[0] == [b"before"]
    with pytest.raises(FrameError):
        list(reader.feed(frame(b"later")))


def test_the_limit_may_rise_between_two_frames_of_one_read() -> None:
    reader = FrameReader(5)
    got = []
    for payload in reader.feed(frame(b"hello") + frame(bytes(50))):
        got.append(payload)
        reader.limit = 50
    assert got == [b"hello", bytes(50)]


@pytest.mark.parametrize("claimed", [2**32 - 1, 64 * 2**20])
def test_a_claimed_length_allocates_nothing(claimed: int) -> None:
    reader = FrameReader(64 * 2**20)
    tracemalloc.start()
    try:
        read(reader, [claimed.to_bytes(4, "big"), b"x"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024


def test_a_large_frame_in_small_pieces_takes_its_size_and_little_more() -> None:
    payload = bytes(range(256)) * (4 * 2**20 // 256)
    stream = frame(payload)
    pieces = [stream[start : start + 1000] for start in range(0, len(stream), 1000)]
    reader = FrameReader(len(payload))
    tracemalloc.start()
    try:
        assert read(reader, pieces) == ([payload], None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * len(payload)  # the assembled buffer and the finished payload
    assert reader.pending == 0
