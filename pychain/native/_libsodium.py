"""Ed25519 verification by libsodium, one by one: fast, and stricter than the consensus rule."""

from __future__ import annotations

from collections.abc import Sequence

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from pychain.native._arguments import MAX_THREADS, Bytes, Entropy, integer, same_length, seed, signed

_ORDER = 2**252 + 27742317777372353535851937790883648493  # of the base point (RFC 8032, 5.1)


def verify_strict(public_key: Bytes, message: Bytes, signature: Bytes) -> bool:
    """Whether libsodium accepts the signature and its S is canonical: policy, a subset of what `verify` accepts.

    S is checked here too, since a libsodium built in compatibility mode does not. Runs without the interpreter's lock.
    """
    public_key, message, signature = signed(public_key, message, signature)
    if int.from_bytes(signature[32:], "little") >= _ORDER:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True


def verify_strict_batch(
    public_keys: Sequence[Bytes],
    messages: Sequence[Bytes],
    signatures: Sequence[Bytes],
    entropy: Entropy = None,
    threads: int = 0,
) -> list[bool]:
    """`verify_strict` for each of n signatures; the three sequences have the same length.

    `entropy` and `threads` only match the native function: one by one, there are neither weights nor threads.
    """
    same_length(public_keys, messages, signatures)
    integer(threads, 0, MAX_THREADS, "threads")
    seed(entropy)
    return [verify_strict(*each) for each in zip(public_keys, messages, signatures, strict=True)]
