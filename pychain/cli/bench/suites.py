"""What is measured: nonce search, hashing of many messages, signature checks; each kernel against its baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256

from msgspec import UNSET, Struct, UnsetType

from pychain import native
from pychain.cli.bench.measure import Rate, measure
from pychain.native import reference
from pychain.wallet.keys import PrivateKey

HEADER = bytes(range(80))
NONCES = 2**32
MESSAGE_BYTES = 200
"""A transfer with a short memo."""
BATCH = 64
"""Messages or signatures in one call."""
BLOCK = 1_000
"""Signatures of a large block, in one call."""
SLICE = 1 << 24
"""Nonces of one call to a native search: well under a second of any kernel."""


class Row(Struct, kw_only=True):
    """One measured implementation: units a second, and how many times faster than the baseline."""

    benchmark: str
    name: str
    unit: str
    median: float
    min: float
    max: float
    ratio_to_hashlib: float | UnsetType = UNSET
    ratio_to_libsodium: float | UnsetType = UNSET


def mining(seconds: float) -> Iterator[Row]:
    """Double SHA-256 of an 80-byte header, nonce by nonce, on one thread."""

    def plain(count: int) -> None:
        head = HEADER[:76]
        for nonce in range(count):
            sha256(sha256(head + nonce.to_bytes(4, "little")).digest()).digest()

    def searched(search: Callable[[bytes, int, int, int], object]) -> Callable[[int], None]:
        def work(count: int) -> None:
            for start in range(0, count, SLICE):
                search(HEADER, 0, 0, min(SLICE, count - start))

        return work

    baseline = measure(plain, seconds)
    yield _row("mining", "hashlib", "hashes/s", baseline, hashlib=baseline)
    yield _row("mining", "reference", "hashes/s", measure(searched(reference.search), seconds), hashlib=baseline)
    for kernel in _kernels("sha256:"):
        with _using(kernel):
            yield _row("mining", kernel, "hashes/s", measure(searched(native.search), seconds), hashlib=baseline)


def hashing(seconds: float) -> Iterator[Row]:
    """Double SHA-256 of 200-byte messages, 64 in a call: transaction ids."""
    buffer = bytes(BATCH * MESSAGE_BYTES)
    offsets = list(range(0, len(buffer) + 1, MESSAGE_BYTES))
    message = buffer[:MESSAGE_BYTES]

    def plain(count: int) -> None:
        for _ in range(count):
            sha256(sha256(message).digest()).digest()

    def batched(many: Callable[[bytes, list[int]], object]) -> Callable[[int], None]:
        def work(count: int) -> None:
            for _ in range(-(-count // BATCH)):
                many(buffer, offsets)

        return work

    baseline = measure(plain, seconds)
    yield _row("hashing", "hashlib", "hashes/s", baseline, hashlib=baseline)
    yield _row("hashing", "reference", "hashes/s", measure(batched(reference.sha256d_many), seconds), hashlib=baseline)
    for kernel in _kernels("sha256:"):
        with _using(kernel):
            yield _row("hashing", kernel, "hashes/s", measure(batched(native.sha256d_many), seconds), hashlib=baseline)


def signatures(seconds: float) -> Iterator[Row]:
    """Ed25519 checks of 200-byte messages under as many keys, on one thread: alone, in batches, and with a bad one.

    The baselines check one at a time in every case, since that is all they offer.
    """
    keys = [PrivateKey(sha256(i.to_bytes(4, "little")).digest()) for i in range(BLOCK)]
    messages = [i.to_bytes(4, "little") * (MESSAGE_BYTES // 4) for i in range(BLOCK)]
    signed = [key.sign(message) for key, message in zip(keys, messages, strict=True)]
    public = [key.public_key for key in keys]
    damaged = [*signed[:-1], signed[0]]

    def one_by_one(verify: Callable[[bytes, bytes, bytes], bool]) -> Callable[[int], None]:
        def work(count: int) -> None:
            for i in range(count):
                at = i % BATCH
                assert verify(public[at], messages[at], signed[at])

        return work

    def batched(size: int, signatures: list[bytes]) -> Callable[[int], None]:
        def work(count: int) -> None:
            for _ in range(-(-count // size)):
                valid = native.verify_batch(public[:size], messages[:size], signatures[:size], threads=1)
                assert valid.count(False) == (signatures is damaged)

        return work

    baseline = measure(one_by_one(native.verify_strict), seconds)
    yield _row("signatures", "libsodium", "checks/s", baseline, libsodium=baseline)
    openssl = _openssl()
    if openssl is not None:
        yield _row("signatures", "openssl", "checks/s", measure(one_by_one(openssl), seconds), libsodium=baseline)
    slow = measure(one_by_one(reference.verify), seconds)
    yield _row("signatures", "reference", "checks/s", slow, libsodium=baseline)
    for benchmark, work in (
        ("signatures", one_by_one(native.verify)),
        (f"signatures, {BATCH} a call", batched(BATCH, signed)),
        (f"signatures, {BLOCK:,} a call", batched(BLOCK, signed)),
        (f"signatures, one of {BLOCK:,} bad", batched(BLOCK, damaged)),
    ):
        for kernel in _kernels("ed25519:"):
            with _using(kernel):
                yield _row(benchmark, kernel, "checks/s", measure(work, seconds), libsodium=baseline)


def _openssl() -> Callable[[bytes, bytes, bytes], bool] | None:
    """OpenSSL's check, if the package `cryptography` is there."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None

    def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)  # raises if it is bad
        return True

    return verify


SUITES: dict[str, Callable[[float], Iterator[Row]]] = {
    "mining": mining,
    "hashing": hashing,
    "signatures": signatures,
}


def _kernels(prefix: str) -> list[str]:
    """The native kernels of a kind that this machine has; none where the C core was not built."""
    return [name for name in native.kernels() if name.startswith(prefix)] if native.compiled else []


@contextmanager
def _using(kernel: str) -> Iterator[None]:
    """One kernel for a while, then again those that were in use."""
    before = native.kernel
    native.use(kernel)
    try:
        yield
    finally:
        for name in before.split(","):
            native.use(name)


def _row(
    benchmark: str, name: str, unit: str, rate: Rate, *, hashlib: Rate | None = None, libsodium: Rate | None = None
) -> Row:
    return Row(
        benchmark=benchmark,
        name=name,
        unit=unit,
        median=round(rate.median, 1),
        min=round(rate.least, 1),
        max=round(rate.most, 1),
        ratio_to_hashlib=UNSET if hashlib is None else round(rate.median / hashlib.median, 3),
        ratio_to_libsodium=UNSET if libsodium is None else round(rate.median / libsodium.median, 3),
    )
