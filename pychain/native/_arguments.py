"""The checks of this package's arguments: all are checked before use, and an error is one line for a person.

Wrong types and wrong lengths are both a `ValueError`. Bytes-like arguments other than `bytes` are copied once, so that
nothing can change during a call that runs without the interpreter's lock.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TypeAlias

Bytes: TypeAlias = bytes | bytearray | memoryview
Offsets: TypeAlias = Sequence[int]  # array("I") passes without conversion
# A source of fresh random bytes, or SEED_SIZE such bytes, or None for the operating system's.
Entropy: TypeAlias = Callable[[int], bytes] | bytes | None

HASH_SIZE = 32
HEADER_SIZE = 80
PUBLIC_KEY_SIZE = 32
SIGNATURE_SIZE = 64
SEED_SIZE = 32  # of the random weights of a batch
MAX_THREADS = 64  # of one batch
TARGET_MAX = 2**256 - 1
NONCE_RANGE = 2**32  # a header's nonce has 32 bits
MAX_VERSIONS = 64  # versions that one search may roll through
BUFFER_MAX = 2**32 - 1  # offsets into a buffer of messages have 32 bits


def as_bytes(data: Bytes, what: str) -> bytes:
    """`data` as immutable bytes."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    raise ValueError(f"{what} must be bytes, not {type(data).__name__}")


def sized(data: Bytes, size: int, what: str) -> bytes:
    """`data` as exactly `size` bytes."""
    data = as_bytes(data, what)
    if len(data) != size:
        raise ValueError(f"{what} must be {size} bytes, not {len(data)}")
    return data


def integer(value: int, least: int, greatest: int, what: str) -> int:
    """An int in [least, greatest]."""
    if not isinstance(value, int):
        raise ValueError(f"{what} must be an integer, not {type(value).__name__}")
    if not least <= value <= greatest:
        raise ValueError(f"{what} {value} is not within {least} to {greatest}")
    return value


def merkle_leaves(hashes: Bytes) -> bytes:
    """One hash or more, back to back."""
    hashes = as_bytes(hashes, "hashes")
    if not hashes or len(hashes) % HASH_SIZE:
        raise ValueError(f"hashes must be a positive multiple of {HASH_SIZE} bytes, not {len(hashes)}")
    return hashes


def records(buffer: Bytes, size: int) -> bytes:
    """Whole records of `size` bytes, back to back."""
    buffer = as_bytes(buffer, "buffer")
    if integer(size, 1, BUFFER_MAX, "record size") and len(buffer) % size:
        raise ValueError(f"buffer must be a multiple of {size} bytes, not {len(buffer)}")
    return buffer


def message_offsets(buffer: Bytes, offsets: Offsets) -> tuple[bytes, array[int]]:
    """A buffer and the offsets of its messages as unsigned 32-bit integers; the caller checks their order."""
    buffer = as_bytes(buffer, "buffer")
    if len(buffer) > BUFFER_MAX:
        raise ValueError(f"buffer of {len(buffer)} bytes is longer than {BUFFER_MAX}")
    offsets = words(offsets, "offsets")
    if not offsets:
        raise ValueError("offsets must hold at least one offset, the end of the last message")
    return buffer, offsets


def bad_offset(offsets: array[int], index: int, size: int) -> ValueError:
    """The error for the offset at `index`, which is out of order or past the buffer of `size` bytes."""
    return ValueError(f"offset {index} ({offsets[index]}) is not ascending within the buffer of {size} bytes")


def words(values: Sequence[int], what: str) -> array[int]:
    """Unsigned integers of 32 bits as an array."""
    if isinstance(values, array) and values.typecode == "I":
        return values
    try:
        return array("I", values)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{what} must be integers of 32 bits: {error}") from None


def sortable_records(parts: Sequence[Bytes], size: int) -> list[bytes]:
    """Records of `size` bytes each, back to back in each part."""
    integer(size, 1, BUFFER_MAX, "size")
    sortable = [as_bytes(part, "a part") for part in parts]
    for part in sortable:
        if len(part) % size:
            raise ValueError(f"a part of {len(part)} bytes is not records of {size} bytes each")
    return sortable


def record_runs_of(data: bytes | memoryview, size: int, key: int, longest: int) -> None:
    """Records, the length of their keys, and that of a run. Unlike all other arguments, mutable records are not copied:
    there are very many of them, and if they change, the only effect is other runs."""
    integer(size, 1, BUFFER_MAX, "size")
    if not isinstance(data, (bytes, memoryview)):
        raise ValueError(f"data must be bytes, not {type(data).__name__}")
    if len(data) % size or len(data) // size > BUFFER_MAX:
        raise ValueError(f"data of {len(data)} bytes are not records of {size} bytes each")
    integer(key, 1, size, "key")
    integer(longest, 1, BUFFER_MAX, "longest")


def named_keys(keys: Bytes, senders: Offsets, recipients: Offsets, first: int) -> tuple[bytes, array[int], array[int]]:
    """Keys, the indexes of senders and recipients in equal number, and the first of as many 64-bit numbers."""
    keys = records(keys, PUBLIC_KEY_SIZE)
    if len(senders) != len(recipients):
        raise ValueError(f"there must be as many senders as recipients, not {len(senders)} and {len(recipients)}")
    integer(first, 0, 2**64 - 1 - len(senders), "first")
    return keys, words(senders, "senders"), words(recipients, "recipients")


def unknown_key() -> ValueError:
    """The error for an index past the keys."""
    return ValueError("a sender or recipient is none of the keys")


def scan_range(data: Bytes, start: int, count: int) -> bytes:
    """A buffer, an offset in it, and a count limited to the transactions that it can hold."""
    data = as_bytes(data, "data")
    if len(data) > BUFFER_MAX:
        raise ValueError(f"data of {len(data)} bytes is longer than {BUFFER_MAX}")
    integer(start, 0, len(data), "start")
    integer(count, 0, len(data), "count")
    return data


def extents(data: Bytes, starts: Sequence[int], ends: Sequence[int]) -> tuple[bytes, array[int], array[int]]:
    """A buffer, and where items in it begin and end; the caller checks their order."""
    data = as_bytes(data, "data")
    if len(data) > BUFFER_MAX:
        raise ValueError(f"data of {len(data)} bytes is longer than {BUFFER_MAX}")
    if len(starts) != len(ends):
        raise ValueError(f"there must be as many starts as ends, not {len(starts)} and {len(ends)}")
    return data, words(starts, "starts"), words(ends, "ends")


def not_a_transfer(index: int) -> ValueError:
    """The error for the extent at `index`."""
    return ValueError(f"item {index} is not a complete transfer")


def search_range(target: int, start: int, count: int) -> None:
    """A target of 256 bits and a range of nonces that ends at 2^32 at the latest."""
    integer(target, 0, TARGET_MAX, "target")
    integer(start, 0, NONCE_RANGE, "start")
    integer(count, 0, NONCE_RANGE - start, "count")


def version_words(versions: Sequence[int]) -> list[int]:
    """Header versions as unsigned words of 32 bits."""
    if not 1 <= len(versions) <= MAX_VERSIONS:
        raise ValueError(f"versions must be 1 to {MAX_VERSIONS}, not {len(versions)}")
    return [integer(version, -(2**31), 2**32 - 1, "version") % 2**32 for version in versions]


def signed(public_key: Bytes, message: Bytes, signature: Bytes) -> tuple[bytes, bytes, bytes]:
    """A key, a message and a signature, of the right sizes."""
    return (
        sized(public_key, PUBLIC_KEY_SIZE, "public key"),
        as_bytes(message, "message"),
        sized(signature, SIGNATURE_SIZE, "signature"),
    )


def same_length(public_keys: Sequence[Bytes], messages: Sequence[Bytes], signatures: Sequence[Bytes]) -> None:
    """One key and one message for each signature."""
    if not len(public_keys) == len(messages) == len(signatures):
        raise ValueError(
            f"a batch needs as many keys as messages and signatures, not "
            f"{len(public_keys)}, {len(messages)} and {len(signatures)}"
        )


def seed(entropy: Entropy) -> bytes | None:
    """The seed of a batch's weights; None for the operating system's entropy."""
    if entropy is None:
        return None
    return sized(entropy(SEED_SIZE) if callable(entropy) else entropy, SEED_SIZE, "entropy")


def joined(parts: Sequence[Bytes], what: str) -> bytes:
    """The parts, joined."""
    try:
        return b"".join(parts)
    except TypeError:
        wrong = next(part for part in parts if not isinstance(part, (bytes, bytearray, memoryview)))
        raise ValueError(f"{what} must be bytes, not {type(wrong).__name__}") from None


def joined_sized(parts: Sequence[Bytes], size: int, what: str) -> bytes:
    """The parts, joined, each of `size` bytes."""
    whole = joined(parts, what)
    lengths = [*map(len, parts)]
    if lengths.count(size) != len(lengths):
        raise ValueError(f"{what} must be {size} bytes, not {min(set(lengths) - {size})}")
    if len(whole) != size * len(parts):
        raise _wide_items(what)
    return whole


def joined_messages(messages: Sequence[Bytes]) -> tuple[bytes, array[int]]:
    """Messages, joined, at most BUFFER_MAX bytes, and their offsets with the end of the last."""
    buffer = joined(messages, "message")
    if len(buffer) > BUFFER_MAX:
        raise ValueError(f"messages of {len(buffer)} bytes are more than {BUFFER_MAX} bytes in all")
    offsets = array("I", accumulate(map(len, messages), initial=0))
    if offsets[-1] != len(buffer):
        raise _wide_items("message")
    return buffer, offsets


def _wide_items(what: str) -> ValueError:
    return ValueError(f"{what} must be a view of single bytes")
