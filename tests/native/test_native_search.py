"""The nonce search, kernel by kernel: real blocks found again, exact targets, range edges, the stop flag."""

from __future__ import annotations

import random
import threading
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain import native
from pychain.native import StopFlag, reference

from .kernels import SHA256_KERNELS
from .vectors import BITCOIN_BLOCKS, BitcoinBlock

NONCES = 2**32
LONG_RANGES = 8
LONG_RANGE = -(-(2**22) // (LONG_RANGES * len(SHA256_KERNELS)))  # so that all kernels together try 2^22 nonces
EVERY = 2**256 - 1  # the target that any hash meets
HEADER = BITCOIN_BLOCKS[0].header

headers = st.binary(min_size=80, max_size=80)
# All sizes of target: from nearly every hash down to one in about 2^12, and none.
targets = st.one_of(
    st.integers(0, EVERY),
    st.builds(lambda bits, low: (1 << bits) | low % (1 << bits), st.integers(244, 255), st.integers(0, EVERY)),
)


def hash_number(header: bytes, nonce: int) -> int:
    return int.from_bytes(reference.sha256d(header[:76] + nonce.to_bytes(4, "little")), "little")


@pytest.mark.parametrize("block", BITCOIN_BLOCKS, ids=lambda block: f"block-{block.height}")
@pytest.mark.parametrize("before", [0, 1, 15, 16, 17, 1000])
def test_real_blocks_are_found_again(kernel: str, block: BitcoinBlock, before: int) -> None:
    start = block.nonce - before
    assert native.search(block.header, block.target, start, before + 500) == (block.nonce, before + 1)
    assert native.search_all(block.header, block.target, start, before + 500) == ([block.nonce], before + 500)
    assert native.search(block.header, block.target, start, before) == (None, before)


@given(headers, targets, st.integers(0, NONCES - 1), st.integers(0, 300))
def test_search(kernel: str, header: bytes, target: int, start: int, count: int) -> None:
    count = min(count, NONCES - start)
    assert native.search(header, target, start, count) == reference.search(header, target, start, count)
    assert native.search_all(header, target, start, count) == reference.search_all(header, target, start, count)


@given(headers, st.integers(0, NONCES - 200), st.integers(1, 200), st.data())
def test_the_target_is_exact_to_the_last_bit(
    kernel: str, header: bytes, start: int, count: int, data: st.DataObject
) -> None:
    """With the hash of a nonce as the target that nonce is a hit, with one less it is not."""
    nonce = start + data.draw(st.integers(0, count - 1))
    target = hash_number(header, nonce)
    assert nonce in native.search_all(header, target, start, count)[0]
    assert nonce not in native.search_all(header, target - 1, start, count)[0]


def test_targets_that_differ_in_one_word_only(kernel: str) -> None:
    """Around the hash of one nonce, each of the eight words of the target is raised and lowered by one."""
    number = hash_number(HEADER, 5)
    for word in range(8):
        step = 1 << 32 * word
        assert native.search(HEADER, min(number + step, EVERY), 5, 1) == (5, 1)
        assert native.search(HEADER, max(number - step, 0), 5, 1) == (None, 1)


@pytest.mark.parametrize("count", [*range(40), 63, 64, 65, 100])
def test_every_short_range_at_both_ends_of_the_nonces(kernel: str, count: int) -> None:
    for start in (0, 1, 16, NONCES - count):
        expected = (start, 1) if count else (None, 0)
        assert native.search(HEADER, EVERY, start, count) == expected
        assert native.search_all(HEADER, EVERY, start, count) == ([*range(start, start + count)], count)
        assert native.search(HEADER, 0, start, count) == (None, count)


def test_the_headers_own_nonce_is_ignored(kernel: str) -> None:
    target = EVERY >> 3
    expected = reference.search_all(HEADER, target, 0, 100)
    assert native.search_all(HEADER[:76] + b"\xff\xff\xff\xff", target, 0, 100) == expected


def test_many_hits_come_in_order_and_complete(kernel: str) -> None:
    """More hits than one call of the core returns."""
    count = 20_000
    expected = [nonce for nonce in range(count) if hash_number(HEADER, nonce) <= EVERY // 2]
    assert native.search_all(HEADER, EVERY // 2, 0, count) == (expected, count)


@cache
def hits_of_a_long_range(seed: int) -> tuple[bytes, int, int, list[int]]:
    """A random header, a target, the start of a range, and its hits by hashlib; computed once for all kernels."""
    source = random.Random(seed)
    header, start = source.randbytes(80), source.randrange(NONCES - LONG_RANGE)
    target = EVERY >> source.randrange(6, 14)
    hits = [nonce for nonce in range(start, start + LONG_RANGE) if hash_number(header, nonce) <= target]
    return header, target, start, hits


@pytest.mark.parametrize("seed", range(LONG_RANGES))
def test_long_random_ranges(kernel: str, seed: int) -> None:
    """2^22 nonces over all kernels together."""
    header, target, start, hits = hits_of_a_long_range(seed)
    assert native.search_all(header, target, start, LONG_RANGE) == (hits, LONG_RANGE)


@given(
    headers,
    st.lists(st.integers(-(2**31), 2**32 - 1), min_size=1, max_size=native.MAX_VERSIONS),
    targets,
    st.integers(0, NONCES - 100),
    st.integers(0, 100),
)
def test_rolling_versions(kernel: str, header: bytes, versions: list[int], target: int, start: int, count: int) -> None:
    found = native.search_rolling(header, versions, target, start, count)
    assert found == reference.search_rolling(header, versions, target, start, count)


def test_one_version_among_many_is_found_with_its_nonce(kernel: str) -> None:
    for block in BITCOIN_BLOCKS:
        versions = [*range(100, 100 + native.MAX_VERSIONS - 1), block.version]
        found, tried = native.search_rolling(block.header, versions, block.target, block.nonce - 777, 2000)
        assert found == (block.nonce, block.version)
        assert tried == 778 * native.MAX_VERSIONS


def test_a_stopped_rolling_search_counts_whole_nonces(kernel: str) -> None:
    stop = StopFlag()
    stop.set()
    assert native.search_rolling(HEADER, [1, 2], EVERY, 0, NONCES, stop) == (None, 0)
    stop.clear()
    assert native.search_rolling(HEADER, [1, 2], 0, 0, 5000, stop) == (None, 10_000)


def test_a_flag_that_is_set_ends_a_search_at_once(kernel: str) -> None:
    stop = StopFlag()
    stop.set()
    assert stop.is_set()
    assert native.search(HEADER, EVERY, 0, NONCES, stop) == (None, 0)
    assert native.search_all(HEADER, EVERY, 0, NONCES, stop) == ([], 0)
    stop.clear()
    assert not stop.is_set()
    assert native.search(HEADER, EVERY, 0, NONCES, stop) == (0, 1)


def test_a_running_search_is_stopped_from_another_thread(kernel: str) -> None:
    """Proves too that the interpreter's lock is released: the search covers all nonces, hours of work for one lock."""
    stop, results = StopFlag(), []
    started = threading.Event()

    def run() -> None:
        started.set()
        results.append(native.search(HEADER, 0, 0, NONCES, stop))

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    stop.set()
    thread.join()
    [(nonce, done)] = results
    assert nonce is None
    assert 0 <= done < NONCES
