"""The C core behind checked and typed functions. Importing it fails if the core is not built or fails its self-test.

Each call releases the interpreter's lock, so threads hash and search in parallel.
"""

from __future__ import annotations

import platform
from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

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
from pychain.native._core import ffi, lib
from pychain.native._errors import unavailable
from pychain.native.cpu import CpuInfo
from pychain.native.stop import StopFlag

if TYPE_CHECKING:
    from pychain.native._core import CData

_BYTES = ffi.typeof("char[]")
_WORDS = ffi.typeof("uint32_t[]")
_HITS = ffi.typeof("pychain_hit[]")
_uncleared = ffi.new_allocator(should_clear_after_alloc=False)
"""Uninitialised memory for results: clearing 300 KB costs a tenth of the merkle root that it is for."""
_TEXT_SIZE = 256  # room for the processor's name (48) or all feature names
_HITS_A_CALL = 4096  # nonces that one call of the core may return

if lib.pychain_init() == 0:
    raise ImportError("no kernel of the compiled core passes its self-test")
lib.pychain_ed25519_init()  # without a kernel, signatures are checked in `pychain.native.signatures` without the core


def hash_kernels() -> list[str]:
    """The kernels of SHA-256, fastest first."""
    return _names(lib.pychain_kernel_name)


def signature_kernels() -> list[str]:
    """The kernels of Ed25519, fastest first; none where the compiler has no integers of 128 bits."""
    return _names(lib.pychain_ed25519_name)


def kernels() -> list[str]:
    """The kernels that this machine can run and that passed their self-test, of each kind the fastest first."""
    return hash_kernels() + signature_kernels()


def kernel_in_use() -> str:
    """The kernel in use of each kind, comma-separated; the package shows it as the attribute `kernel`."""
    names = [lib.pychain_kernel_in_use(), lib.pychain_ed25519_in_use()]
    return ",".join(_text(name) for name in names if name != ffi.NULL)


def use(name: str) -> None:
    """Use the kernel `name`, in all threads, from their next call on; raises `KernelError` if it is not available."""
    if name not in kernels():
        raise unavailable(name, kernels())
    select = lib.pychain_kernel_use if name in hash_kernels() else lib.pychain_ed25519_use
    select(name.encode())


def cpu() -> CpuInfo:
    """The processor's name, the instruction sets that matter here, and the compiler of the core."""
    text = ffi.new(_BYTES, _TEXT_SIZE)
    lib.pychain_cpu_name(text, _TEXT_SIZE)
    name = _text(text) or platform.machine()
    lib.pychain_cpu_features(text, _TEXT_SIZE)
    return CpuInfo(name=name, features=tuple(_text(text).split()), compiler=_text(lib.pychain_compiler()))


def _names(name_of: Callable[[int], CData]) -> list[str]:
    names: list[str] = []
    while (name := name_of(len(names))) != ffi.NULL:
        names.append(_text(name))
    return names


def _text(chars: CData) -> str:
    return ffi.string(chars).decode("ascii", "replace")


def _hashes(count: int) -> CData:
    """Memory for `count` hashes; as characters, which unpack to bytes in one copy."""
    return _uncleared(_BYTES, HASH_SIZE * count)


def sha256d(data: Bytes) -> bytes:
    """SHA-256 of the SHA-256 of `data`: 32 bytes."""
    data = as_bytes(data, "data")
    out = _hashes(1)
    lib.pychain_sha256d(out, data, len(data))
    return ffi.unpack(out, HASH_SIZE)


def sha256d_many(buffer: Bytes, offsets: Offsets) -> bytes:
    """The double hashes of n messages in one buffer, 32 * n bytes; message i is `buffer[offsets[i]:offsets[i + 1]]`.

    There are n + 1 offsets, ascending, each at most `len(buffer)`, which is under 4 GiB. An `array("I")` is used
    without conversion; any other sequence of integers is converted first.
    """
    buffer, offsets = message_offsets(buffer, offsets)
    count = len(offsets) - 1
    out = _hashes(count)
    bad = lib.pychain_sha256d_many(out, buffer, len(buffer), ffi.from_buffer(_WORDS, offsets), count)
    if bad >= 0:
        raise bad_offset(offsets, bad, len(buffer))
    return ffi.unpack(out, HASH_SIZE * count)


def sha256d_records(buffer: Bytes, size: int) -> bytes:
    """The double hashes of n records of `size` bytes each, back to back (such as headers of 80): 32 * n bytes."""
    buffer = records(buffer, size)
    count = len(buffer) // size
    out = _hashes(count)
    lib.pychain_sha256d_records(out, buffer, size, count)
    return ffi.unpack(out, HASH_SIZE * count)


def header_hash(header: Bytes) -> bytes:
    """The hash of an 80-byte block header, in internal order."""
    return sha256d(sized(header, HEADER_SIZE, "header"))


def merkle_root_checked(hashes: Bytes) -> tuple[bytes, bool]:
    """Merkle root of the leaves in `hashes` (32 bytes each, at least one), and whether the tree is mutated.

    Mutated (CVE-2012-2459): at some level, before an odd last node is paired with itself, nodes 2i and 2i + 1 are
    equal, so that another list of leaves has the same root.
    """
    hashes = merkle_leaves(hashes)
    count = len(hashes) // HASH_SIZE
    root = _hashes(1)
    mutated = lib.pychain_merkle_root(root, hashes, count, _hashes((count + 1) // 2))
    return ffi.unpack(root, HASH_SIZE), bool(mutated)


def merkle_root(hashes: Bytes) -> bytes:
    """Merkle root of the leaves in `hashes` (32 bytes each, at least one)."""
    return merkle_root_checked(hashes)[0]


def _scan(
    header: Bytes, versions: Sequence[int] | None, target: int, start: int, count: int, stop: StopFlag | None, room: int
) -> tuple[list[tuple[int, int]], int]:
    """The first `room` hits of the range, each a nonce and the index of its version, and the hashes tried for them."""
    header = sized(header, HEADER_SIZE, "header")
    words = [int.from_bytes(header[:4], "little")] if versions is None else version_words(versions)
    search_range(target, start, count)
    hits = ffi.new(_HITS, room)
    cell = ffi.NULL if stop is None else ffi.from_buffer(_BYTES, stop.cell)
    limit = target.to_bytes(HASH_SIZE, "little")
    result = lib.pychain_search(hits, room, header, ffi.new(_WORDS, words), len(words), limit, start, count, cell)
    return [(hit.nonce, hit.version) for hit in hits[0 : result.hits]], result.hashes


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
    nonces: list[int] = []
    done = 0
    while True:
        hits, tried = _scan(header, None, target, start + done, count - done, stop, room=_HITS_A_CALL)
        nonces += [nonce for nonce, _ in hits]
        done += tried
        if len(hits) < _HITS_A_CALL:
            return nonces, done


def search_rolling(
    header: Bytes, versions: Sequence[int], target: int, start: int, count: int, stop: StopFlag | None = None
) -> tuple[tuple[int, int] | None, int]:
    """The first (nonce, version) that gives `header` a hash <= `target`, and the hashes tried.

    Each nonce of the range is tried with each of up to `MAX_VERSIONS` versions (of 32 bits, signed or not), in that
    order, before the next nonce; the header's own version is ignored. Several versions at once cost less per hash,
    since the kernels share the message schedule among them; otherwise as `search`.
    """
    hits, done = _scan(header, versions, target, start, count, stop, room=1)
    return ((hits[0][0], versions[hits[0][1]]) if hits else None), done


def verify_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """One signature by ZIP-215; the arguments have the right sizes."""
    return bool(lib.pychain_ed25519_verify(public_key, message, len(message), signature))


def verify_signatures(
    public_keys: bytes, messages: bytes, offsets: array[int], signatures: bytes, seed: bytes | None, threads: int
) -> list[bool]:
    """n signatures by ZIP-215 in one call: keys and signatures back to back, messages as of `sha256d_many`."""
    call = lib.pychain_ed25519_verify_batch
    answers = _verify(call, public_keys, messages, offsets, signatures, seed, threads)
    return cast("list[bool]", memoryview(answers).cast("?").tolist())


def verify_signatures_strictly(
    public_keys: bytes, messages: bytes, offsets: array[int], signatures: bytes, seed: bytes | None, threads: int
) -> list[bool | None]:
    """Like `verify_signatures`, by libsodium's rule; None for those that libsodium itself must check."""
    call = lib.pychain_ed25519_verify_strict_batch
    answers = _verify(call, public_keys, messages, offsets, signatures, seed, threads)
    return [None if answer == lib.PYCHAIN_IN_DOUBT else answer == 1 for answer in answers]


def is_safe_key(public_key: bytes) -> bool:
    """Whether 32 bytes are the one canonical encoding of a point of large order."""
    return bool(lib.pychain_ed25519_is_canonical_large_order(public_key))


def _verify(
    call: Callable[..., int],
    public_keys: bytes,
    messages: bytes,
    offsets: array[int],
    signatures: bytes,
    seed: bytes | None,
    threads: int,
) -> bytes:
    """A byte for each signature."""
    count = len(offsets) - 1
    valid = ffi.new(_BYTES, count)
    words = ffi.from_buffer(_WORDS, offsets)
    weights = ffi.NULL if seed is None else seed
    bad = call(valid, public_keys, messages, len(messages), words, signatures, count, weights, threads)
    if bad >= 0:
        raise bad_offset(offsets, bad, len(messages))
    return ffi.unpack(valid, count)
