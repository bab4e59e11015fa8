"""Double SHA-256, merkle roots and the nonce search, in Python on hashlib: short, and right by inspection."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from pychain.native._arguments import (
    HASH_SIZE,
    HEADER_SIZE,
    Bytes,
    Offsets,
    as_bytes,
    bad_offset,
    merkle_leaves,
    message_offsets,
    records,
    search_range,
    sized,
    version_words,
)
from pychain.native.stop import StopFlag

POLL = 1024  # nonces between two checks of the stop flag: about a millisecond


def _double(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


def sha256d(data: Bytes) -> bytes:
    """SHA-256 of the SHA-256 of `data`: 32 bytes."""
    return _double(as_bytes(data, "data"))


def sha256d_many(buffer: Bytes, offsets: Offsets) -> bytes:
    """The double hashes of n messages in one buffer, 32 * n bytes; message i is `buffer[offsets[i]:offsets[i + 1]]`."""
    buffer, offsets = message_offsets(buffer, offsets)
    for index, offset in enumerate(offsets):
        if offset > len(buffer) or (index > 0 and offset < offsets[index - 1]):
            raise bad_offset(offsets, index, len(buffer))
    return b"".join(_double(buffer[offsets[i] : offsets[i + 1]]) for i in range(len(offsets) - 1))


def sha256d_records(buffer: Bytes, size: int) -> bytes:
    """The double hashes of n records of `size` bytes each, back to back: 32 * n bytes."""
    buffer = records(buffer, size)
    return b"".join(_double(buffer[at : at + size]) for at in range(0, len(buffer), size))


def header_hash(header: Bytes) -> bytes:
    """The hash of an 80-byte block header, in internal order."""
    return _double(sized(header, HEADER_SIZE, "header"))


def merkle_root_checked(hashes: Bytes) -> tuple[bytes, bool]:
    """Merkle root of the leaves in `hashes` (32 bytes each, at least one), and whether the tree is mutated.

    Mutated (CVE-2012-2459): at some level, before an odd last node is paired with itself, nodes 2i and 2i + 1 are
    equal, so that another list of leaves has the same root.
    """
    hashes = merkle_leaves(hashes)
    level = [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]
    mutated = False
    while len(level) > 1:
        mutated |= any(left == right for left, right in zip(level[::2], level[1::2], strict=False))
        if len(level) % 2:
            level.append(level[-1])
        level = [_double(left + right) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0], mutated


def merkle_root(hashes: Bytes) -> bytes:
    """Merkle root of the leaves in `hashes` (32 bytes each, at least one)."""
    return merkle_root_checked(hashes)[0]


def _scan(
    header: Bytes, versions: Sequence[int] | None, target: int, start: int, count: int, stop: StopFlag | None, room: int
) -> tuple[list[tuple[int, int]], int]:
    """The first `room` hits of the range, each a nonce and the index of its version, and the hashes tried for them."""
    header = sized(header, HEADER_SIZE, "header")
    words = [header[:4]] if versions is None else [word.to_bytes(4, "little") for word in version_words(versions)]
    search_range(target, start, count)
    hits: list[tuple[int, int]] = []
    for done in range(count):
        if stop is not None and done % POLL == 0 and stop.is_set():
            return hits, done * len(words)
        nonce = start + done
        for index, word in enumerate(words):
            trial = word + header[4:76] + nonce.to_bytes(4, "little")
            if int.from_bytes(_double(trial), "little") <= target:
                hits.append((nonce, index))
                if len(hits) == room:
                    return hits, done * len(words) + index + 1
    return hits, count * len(words)


def search(header: Bytes, target: int, start: int, count: int, stop: StopFlag | None = None) -> tuple[int | None, int]:
    """The first nonce in start to start + count - 1 that gives `header` a hash <= `target`, and the nonces tried.

    The header's own nonce is ignored. The range may not pass 2^32. A search that was stopped, or that found nothing,
    returns None and how far it came.
    """
    hits, done = _scan(header, None, target, start, count, stop, room=1)
    return (hits[0][0] if hits else None), done


def search_all(
    header: Bytes, target: int, start: int, count: int, stop: StopFlag | None = None
) -> tuple[list[int], int]:
    """Every nonce of the range that meets the target, ascending, and the nonces tried; otherwise as `search`."""
    hits, done = _scan(header, None, target, start, count, stop, room=count + 1)
    return [nonce for nonce, _ in hits], done


def search_rolling(
    header: Bytes, versions: Sequence[int], target: int, start: int, count: int, stop: StopFlag | None = None
) -> tuple[tuple[int, int] | None, int]:
    """The first (nonce, version) that gives `header` a hash <= `target`, and the hashes tried.

    Each nonce of the range is tried with each of up to `MAX_VERSIONS` versions (of 32 bits, signed or not), in that
    order, before the next nonce; the header's own version is ignored. Otherwise as `search`.
    """
    hits, done = _scan(header, versions, target, start, count, stop, room=1)
    return ((hits[0][0], versions[hits[0][1]]) if hits else None), done
