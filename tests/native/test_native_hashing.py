"""Double hashes and merkle roots, kernel by kernel: published vectors, and hashlib as the oracle."""

from __future__ import annotations

import hashlib
import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain import native
from pychain.native import reference

from .vectors import BITCOIN_BLOCKS, BLOCK_100000_TXIDS, SHA256_EXAMPLES, BitcoinBlock

# Lengths about the edges of a block and of its padding, in blocks of one to nine.
EDGE_LENGTHS = sorted({64 * blocks + edge for blocks in range(9) for edge in (0, 1, 8, 31, 32, 54, 55, 56, 57, 63)})


def some_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize(("message", "digest"), SHA256_EXAMPLES, ids=lambda value: str(len(value)))
def test_nist_examples(kernel: str, message: bytes, digest: str) -> None:
    assert native.sha256d(message) == hashlib.sha256(bytes.fromhex(digest)).digest()


@pytest.mark.parametrize("block", BITCOIN_BLOCKS, ids=lambda block: f"block-{block.height}")
def test_bitcoin_headers(kernel: str, block: BitcoinBlock) -> None:
    assert native.header_hash(block.header)[::-1].hex() == block.hash


def test_bitcoin_merkle_root(kernel: str) -> None:
    leaves = b"".join(bytes.fromhex(txid)[::-1] for txid in BLOCK_100000_TXIDS)
    assert native.merkle_root(leaves)[::-1].hex() == BITCOIN_BLOCKS[2].merkle_root


def test_every_edge_length(kernel: str) -> None:
    for size in EDGE_LENGTHS:
        data = some_bytes(size)
        assert native.sha256d(data) == reference.sha256d(data), size


@given(st.binary(max_size=1000))
def test_sha256d(kernel: str, data: bytes) -> None:
    assert native.sha256d(data) == reference.sha256d(data)
    assert native.sha256d(bytearray(data)) == native.sha256d(memoryview(data)) == reference.sha256d(data)


@given(st.lists(st.binary(max_size=300), max_size=70))
def test_sha256d_many(kernel: str, messages: list[bytes]) -> None:
    offsets = [0]
    for message in messages:
        offsets.append(offsets[-1] + len(message))
    expected = b"".join(map(reference.sha256d, messages))
    buffer = b"".join(messages)
    assert native.sha256d_many(buffer, offsets) == expected
    assert native.sha256d_many(bytearray(buffer), array("I", offsets)) == expected
    assert native.sha256d_many(buffer, array("Q", offsets)) == expected
    assert reference.sha256d_many(buffer, offsets) == expected


def test_sha256d_many_mixes_lengths_in_any_order(kernel: str) -> None:
    messages = [some_bytes(size) for size in EDGE_LENGTHS * 2]
    random.Random(1).shuffle(messages)
    offsets = [7]  # the first message need not begin at 0, nor the last end with the buffer
    for message in messages:
        offsets.append(offsets[-1] + len(message))
    hashes = native.sha256d_many(b"\xff" * 7 + b"".join(messages) + b"\xff" * 5, offsets)
    assert hashes == b"".join(map(reference.sha256d, messages))


def test_no_messages(kernel: str) -> None:
    assert native.sha256d_many(b"", [0]) == native.sha256d_many(b"abc", [3]) == b""
    assert native.sha256d_records(b"", 80) == b""


@given(st.integers(1, 200), st.integers(0, 40), st.randoms(use_true_random=False))
def test_sha256d_records(kernel: str, size: int, count: int, source: random.Random) -> None:
    buffer = source.randbytes(size * count)
    assert native.sha256d_records(buffer, size) == reference.sha256d_records(buffer, size)


@pytest.mark.parametrize("count", [*range(1, 70), 127, 128, 129, 255, 256, 257, 300, 511, 640, 1000, 2049, 4113])
def test_merkle_root(kernel: str, count: int) -> None:
    leaves = some_bytes(32 * count)
    assert native.merkle_root_checked(leaves) == reference.merkle_root_checked(leaves)
    assert native.merkle_root_checked(leaves)[1] is False
    assert native.merkle_root(leaves) == native.merkle_root_checked(leaves)[0]


@given(st.lists(st.sampled_from([bytes([value]) * 32 for value in range(3)]), min_size=1, max_size=40))
def test_merkle_mutation(kernel: str, leaves: list[bytes]) -> None:
    """With three different leaves, equal neighbours are common at every level."""
    joined = b"".join(leaves)
    assert native.merkle_root_checked(joined) == reference.merkle_root_checked(joined)


@pytest.mark.parametrize("count", [48, 256, 257, 600, 777])
def test_equal_siblings_at_every_height(kernel: str, count: int) -> None:
    """Two subtrees of equal leaves anywhere in the tree, of those that lanes climb alone as of those left over."""
    source = random.Random(count)
    for height in range((count // 2).bit_length()):
        width = 32 << height
        leaves = bytearray(source.randbytes(32 * count))
        for first in {0, source.randrange(len(leaves) // (2 * width)), len(leaves) // (2 * width) - 1}:
            at = 2 * width * first
            changed = leaves[: at + width] + leaves[at : at + width] + leaves[at + 2 * width :]
            assert native.merkle_root_checked(changed) == reference.merkle_root_checked(changed)
            assert native.merkle_root_checked(changed)[1] is True


@pytest.mark.parametrize("same", range(4, 32, 4))
def test_siblings_that_are_equal_in_part_are_no_mutation(kernel: str, same: int) -> None:
    source = random.Random(same)
    for left, right in (((0, same), (same, 32)), ((32 - same, 32), (0, 32 - same))):
        leaves = bytearray(source.randbytes(32 * 300))
        for first in range(0, len(leaves), 64):
            leaves[first + 32 + left[0] : first + 32 + left[1]] = leaves[first + left[0] : first + left[1]]
            assert leaves[first + right[0] : first + right[1]] != leaves[first + 32 + right[0] : first + 32 + right[1]]
        assert native.merkle_root_checked(leaves) == (reference.merkle_root(leaves), False)


def test_repeated_tail_is_a_mutation(kernel: str) -> None:
    """The attack of CVE-2012-2459: a list with its tail repeated has the same root, and only it is marked."""
    leaves = [bytes([value]) * 32 for value in range(6)]
    honest = native.merkle_root_checked(b"".join(leaves))
    forged = native.merkle_root_checked(b"".join(leaves + leaves[-2:]))
    assert honest == (forged[0], False)
    assert forged[1] is True


def test_equal_leaves_that_are_not_siblings_are_no_mutation(kernel: str) -> None:
    one, two, three = (bytes([value]) * 32 for value in range(3))
    assert native.merkle_root_checked(one + two + two + three)[1] is False
    assert native.merkle_root_checked(one + one)[1] is True
    assert native.merkle_root_checked(one)[1] is False
