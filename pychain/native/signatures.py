"""Ed25519 verification by the consensus rule, ZIP-215: one signature, or many at once.

The C core checks a batch by one random combination of its equations and searches by halves for what fails, as
docs/signatures.md explains. Without the core, libsodium's yes is final, since what it accepts ZIP-215 accepts, and its
no goes to the slow oracle. Only public data comes here: nothing takes the same time for all values, and nothing signs.
"""

from __future__ import annotations

from collections.abc import Sequence

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
)
from pychain.native._libsodium import verify_strict
from pychain.native.reference import ed25519
from pychain.native.reference.transactions import verify_transfers as verify_transfers_one_by_one

try:
    from pychain.native._compiled import signature_kernels, verify_signature, verify_signatures
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

    `entropy` makes the random weights of the batch: bytes that whoever made the signatures could not foresee, used for
    this batch alone. The answer does not depend on them, but with a probability of 2^-128 for each bad signature.
    The messages have under 4 GiB in all. `threads` is how many threads may work, the caller's among them; 0 means one
    for each core, where the batch is worth it. The interpreter's lock is released.
    """
    same_length(public_keys, messages, signatures)
    integer(threads, 0, MAX_THREADS, "threads")
    keys = joined_sized(public_keys, PUBLIC_KEY_SIZE, "public key")
    packed = joined_sized(signatures, SIGNATURE_SIZE, "signature")
    buffer, offsets = joined_messages(messages)
    weights = seed(entropy)
    if not _in_core:
        return [verify(*each) for each in zip(public_keys, messages, signatures, strict=True)]
    return verify_signatures(keys, buffer, offsets, packed, weights, threads)


verify_transfers = verify_transfers_in_core if _in_core else verify_transfers_one_by_one
