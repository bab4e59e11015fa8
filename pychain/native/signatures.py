"""Ed25519 verification by the consensus rule, ZIP-215: one signature, or many at once.

The C core checks a batch by one random combination of its equations and finds failures by bisection, as
docs/signatures.md explains. Without the core, libsodium's yes is final, since what it accepts ZIP-215 accepts, and its
no goes to the slow oracle. Only public data comes here: nothing is constant-time, and nothing signs.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from pychain.native import _libsodium
from pychain.native._arguments import (
    BUFFER_MAX,
    MAX_THREADS,
    PUBLIC_KEY_SIZE,
    SIGNATURE_SIZE,
    Bytes,
    Entropy,
    integer,
    joined_messages,
    joined_sized,
    same_length,
    seed,
    signed,
    sized,
)
from pychain.native._libsodium import verify_strict
from pychain.native.reference import ed25519
from pychain.native.reference.transactions import verify_transfers as verify_transfers_one_by_one

try:
    from pychain.native._compiled import (
        is_safe_key,
        signature_kernels,
        verify_signature,
        verify_signatures,
        verify_signatures_strictly,
    )
    from pychain.native._compiled_transactions import verify_transfers as verify_transfers_in_core
except ImportError:
    _in_core = False
else:
    _in_core = signature_kernels() != []


def verify(public_key: Bytes, message: Bytes, signature: Bytes) -> bool:
    """Whether `signature` (64 bytes) is valid for `message` under `public_key` (32 bytes), exactly by ZIP-215.

    The interpreter's lock is released.
    """
    public_key, message, signature = signed(public_key, message, signature)
    if _in_core and len(message) <= BUFFER_MAX:
        return verify_signature(public_key, message, signature)
    return verify_strict(public_key, message, signature) or ed25519.verify(public_key, message, signature)


def verify_batch(
    public_keys: Sequence[Bytes],
    messages: Sequence[Bytes],
    signatures: Sequence[Bytes],
    entropy: Entropy = None,
    threads: int = 0,
) -> list[bool]:
    """`verify` for each of n signatures; the three sequences have the same length.

    `entropy` makes the random weights of the batch: bytes that the makers of the signatures could not predict, used for
    this batch only. The answer depends on them only with a probability of 2^-128 for each bad signature. The messages
    have under 4 GiB in all. `threads` is the number of threads that may work, including the caller's; 0 means one per
    core, if the batch is large enough. The interpreter's lock is released.
    """
    arguments = _batch(public_keys, messages, signatures, entropy, threads)
    if not _in_core:
        return [verify(*each) for each in zip(public_keys, messages, signatures, strict=True)]
    return verify_signatures(*arguments)


def verify_strict_batch(
    public_keys: Sequence[Bytes],
    messages: Sequence[Bytes],
    signatures: Sequence[Bytes],
    entropy: Entropy = None,
    threads: int = 0,
) -> list[bool]:
    """`verify_strict` for each of n signatures; otherwise as `verify_batch`.

    The core answers if the key and R are canonical points of the group of prime order, as all honest ones are: there
    the two rules agree. libsodium itself checks the others, one by one.
    """
    if not _in_core:
        return _libsodium.verify_strict_batch(public_keys, messages, signatures, entropy, threads)
    answers = verify_signatures_strictly(*_batch(public_keys, messages, signatures, entropy, threads))
    return [
        verify_strict(public_keys[i], messages[i], signatures[i]) if answer is None else answer
        for i, answer in enumerate(answers)
    ]


def is_canonical_large_order(public_key: Bytes) -> bool:
    """Whether `public_key` (32 bytes) is the one canonical encoding of a point whose order is not 1, 2, 4 or 8.

    Under a key of small order every message has valid signatures that anyone can write, so no coin may be paid to it.
    """
    if not _in_core:
        return ed25519.is_canonical_large_order(public_key)
    return is_safe_key(sized(public_key, PUBLIC_KEY_SIZE, "public key"))


def _batch(
    public_keys: Sequence[Bytes],
    messages: Sequence[Bytes],
    signatures: Sequence[Bytes],
    entropy: Entropy,
    threads: int,
) -> tuple[bytes, bytes, array[int], bytes, bytes | None, int]:
    """The arguments of a batch in the core's form."""
    same_length(public_keys, messages, signatures)
    integer(threads, 0, MAX_THREADS, "threads")
    keys = joined_sized(public_keys, PUBLIC_KEY_SIZE, "public key")
    packed = joined_sized(signatures, SIGNATURE_SIZE, "signature")
    return keys, *joined_messages(messages), packed, seed(entropy), threads


verify_transfers = verify_transfers_in_core if _in_core else verify_transfers_one_by_one
