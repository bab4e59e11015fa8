"""The benchmarks: nonce search, hashing of many messages, signature checks, whole blocks; each kernel beside its
baselines."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from hashlib import sha256
from struct import pack
from types import ModuleType
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pychain import native
from pychain.cli.bench import python_sha256
from pychain.cli.bench.blocks import Sample, one_by_one, together
from pychain.native import reference
from pychain.wallet.keys import PrivateKey

HEADER = bytes(range(80))
MESSAGE_BYTES = 200
"""A transfer with a short memo."""
BATCH = 64
"""Messages or signatures in one call."""
BLOCK = 1_000
"""Signatures of a large block, in one call."""
REFERENCE_BLOCK = 8
"""Transfers of a block that pure Python verifies in the available time."""
LEAVES = 10_000
"""Transactions of the largest blocks."""
SLICE = 1 << 24
"""Hashes of one call to a native search: well under a second of any kernel."""
HASHLIB, REFERENCE, PYTHON, LIBSODIUM, OPENSSL = "hashlib", "reference", "python", "libsodium", "openssl"

Work = Callable[[int], object]


class Case(NamedTuple):
    """One implementation at one job: `work(n)` does n times `units` of it."""

    benchmark: str
    name: str
    unit: str
    work: Work
    units: int = 1
    kernel: bool = False
    """Whether `name` is a native kernel, to be in use while it is measured."""


class Suite(NamedTuple):
    """Benchmarks with the same baselines: their own rows, or those of the suite's first benchmark if that has the same
    unit.
    """

    cases: Callable[[], Iterator[Case]]
    library: str
    """The baseline that everyone has."""
    python: str
    """The baseline without any C."""


def _mining() -> Iterator[Case]:
    """Double SHA-256 of an 80-byte header, nonce by nonce, on one thread."""

    def loop(double: Callable[[bytes], bytes]) -> Work:
        def work(count: int) -> None:
            head, target = HEADER[:76], 0
            for nonce in range(count):
                if int.from_bytes(double(head + pack("<I", nonce)), "little") <= target:
                    raise AssertionError(nonce)  # a hash of zero

        return work

    def searched(search: Callable[[bytes, int, int, int], object]) -> Work:
        def work(count: int) -> None:
            for start in range(0, count, SLICE):
                search(HEADER, 0, 0, min(SLICE, count - start))

        return work

    def rolled(count: int) -> None:
        for start in range(0, count, SLICE // native.MAX_VERSIONS):
            nonces = min(SLICE // native.MAX_VERSIONS, count - start)
            native.search_rolling(HEADER, range(native.MAX_VERSIONS), 0, 0, nonces)

    yield Case("mining", HASHLIB, "hashes/s", loop(_hashlib_double))
    yield Case("mining", REFERENCE, "hashes/s", searched(reference.search))
    yield Case("mining", PYTHON, "hashes/s", loop(_python_double))
    yield from _of_kernels("sha256:", "mining", "hashes/s", searched(native.search))
    yield from _of_kernels(
        "sha256:", f"mining, {native.MAX_VERSIONS} versions", "hashes/s", rolled, native.MAX_VERSIONS
    )


def _hashing() -> Iterator[Case]:
    """Double SHA-256 of 200-byte messages, few and many in a call (transaction ids), and of merkle trees."""
    message = bytes(MESSAGE_BYTES)

    def loop(double: Callable[[bytes], bytes]) -> Work:
        def work(count: int) -> None:
            for _ in range(count):
                double(message)

        return work

    def batched(door: ModuleType, size: int) -> Work:
        buffer, offsets = bytes(size * MESSAGE_BYTES), array("I", range(0, size * MESSAGE_BYTES + 1, MESSAGE_BYTES))

        def work(calls: int) -> None:
            for _ in range(calls):
                door.sha256d_many(buffer, offsets)

        return work

    def tree(door: ModuleType) -> Work:
        leaves = b"".join(i.to_bytes(32, "little") for i in range(LEAVES))

        def work(calls: int) -> None:
            for _ in range(calls):
                door.merkle_root(leaves)

        return work

    yield Case("hashing", HASHLIB, "hashes/s", loop(_hashlib_double))
    yield Case("hashing", REFERENCE, "hashes/s", batched(reference, BATCH), BATCH)
    yield Case("hashing", PYTHON, "hashes/s", loop(_python_double))
    yield from _of_kernels("sha256:", "hashing", "hashes/s", batched(native, BATCH), BATCH)
    yield from _of_kernels("sha256:", f"hashing, {LEAVES:,} a call", "hashes/s", batched(native, LEAVES), LEAVES)
    yield Case(f"merkle root of {LEAVES:,}", HASHLIB, "leaves/s", tree(reference), LEAVES)
    yield from _of_kernels("sha256:", f"merkle root of {LEAVES:,}", "leaves/s", tree(native), LEAVES)


def _signatures() -> Iterator[Case]:
    """Ed25519 checks of 200-byte messages, each with its own key, on one thread: single, in batches, with a bad one.

    The baselines always check one at a time, since they have no batches.
    """
    keys = [PrivateKey(sha256(i.to_bytes(4, "little")).digest()) for i in range(BLOCK)]
    messages = [i.to_bytes(4, "little") * (MESSAGE_BYTES // 4) for i in range(BLOCK)]
    signed = [key.sign(message) for key, message in zip(keys, messages, strict=True)]
    public = [key.public_key for key in keys]
    damaged = [*signed[:-1], signed[0]]

    def one_by_one(verify: Callable[[bytes, bytes, bytes], bool]) -> Work:
        def work(count: int) -> None:
            for i in range(count):
                at = i % BATCH
                if not verify(public[at], messages[at], signed[at]):
                    raise AssertionError("a good signature was refused")

        return work

    def batched(size: int, signatures: list[bytes]) -> Work:
        def work(calls: int) -> None:
            for _ in range(calls):
                valid = native.verify_batch(public[:size], messages[:size], signatures[:size], threads=1)
                if valid.count(False) != (signatures is damaged):
                    raise AssertionError("a batch of signatures was misjudged")

        return work

    yield Case("signatures", LIBSODIUM, "checks/s", one_by_one(native.verify_strict))
    yield Case("signatures", OPENSSL, "checks/s", one_by_one(_openssl))
    yield Case("signatures", REFERENCE, "checks/s", one_by_one(reference.verify))
    for benchmark, work, units in (
        ("signatures", one_by_one(native.verify), 1),
        (f"signatures, {BATCH} a call", batched(BATCH, signed), BATCH),
        (f"signatures, {BLOCK:,} a call", batched(BLOCK, signed), BLOCK),
        (f"signatures, one of {BLOCK:,} bad", batched(BLOCK, damaged), BLOCK),
    ):
        yield from _of_kernels("ed25519:", benchmark, "checks/s", work, units)


def _chain() -> Iterator[Case]:
    """A block from its bytes to the changed accounts, on one thread. The reference gets a small one."""
    large, small = Sample(BLOCK), Sample(REFERENCE_BLOCK)
    name = f"chain, a block of {BLOCK:,} transfers"
    yield Case(name, LIBSODIUM, "transfers/s", large.connected(one_by_one(native.verify_strict)), BLOCK)
    yield Case(name, OPENSSL, "transfers/s", large.connected(one_by_one(_openssl)), BLOCK)
    yield Case(name, REFERENCE, "transfers/s", small.connected(one_by_one(reference.verify)), REFERENCE_BLOCK)
    yield from _of_kernels("ed25519:", name, "transfers/s", large.connected(together), BLOCK)


SUITES = {
    "mining": Suite(_mining, HASHLIB, PYTHON),
    "hashing": Suite(_hashing, HASHLIB, PYTHON),
    "signatures": Suite(_signatures, LIBSODIUM, REFERENCE),
    "chain": Suite(_chain, LIBSODIUM, REFERENCE),
}


def _hashlib_double(message: bytes) -> bytes:
    return sha256(sha256(message).digest()).digest()


def _python_double(message: bytes) -> bytes:
    return python_sha256.sha256(python_sha256.sha256(message))


def _openssl(public_key: bytes, message: bytes, signature: bytes) -> bool:
    Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)  # raises if it is bad
    return True


def _of_kernels(prefix: str, benchmark: str, unit: str, work: Work, units: int = 1) -> Iterator[Case]:
    """A job for each native kernel of a kind that this machine has; none where the C core was not built."""
    for name in native.kernels() if native.compiled else []:
        if name.startswith(prefix):
            yield Case(benchmark, name, unit, work, units, kernel=True)
