"""Ed25519 verification by the consensus rule, ZIP-215.

What libsodium accepts, ZIP-215 accepts, so its yes is final; its no is given to the slow oracle, which decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from pychain.native._arguments import Bytes, same_length
from pychain.native._libsodium import verify_strict
from pychain.native.reference import ed25519


def verify(public_key: Bytes, message: Bytes, signature: Bytes) -> bool:
    """Whether `signature` (64 bytes) is valid for `message` under `public_key` (32 bytes), exactly by ZIP-215."""
    return verify_strict(public_key, message, signature) or ed25519.verify(public_key, message, signature)


def verify_batch(public_keys: Sequence[Bytes], messages: Sequence[Bytes], signatures: Sequence[Bytes]) -> list[bool]:
    """`verify` for each of n signatures; the three sequences have the same length."""
    same_length(public_keys, messages, signatures)
    return [verify(*each) for each in zip(public_keys, messages, signatures, strict=True)]
