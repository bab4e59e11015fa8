"""Ed25519 by ZIP-215: published vectors, the small-order pairs, and the oracle against libsodium."""

from __future__ import annotations

import itertools
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from pychain import native
from pychain.native import reference
from pychain.native.reference import ed25519

from .vectors import RFC_8032, SMALL_ORDER_ENCODINGS, ZIP_215_MESSAGE

DOORS = [pytest.param(native, id="native"), pytest.param(reference, id="reference")]
PAIRS = list(itertools.product(SMALL_ORDER_ENCODINGS, repeat=2))
ORDER = 2**252 + 27742317777372353535851937790883648493
TORSION = SMALL_ORDER_ENCODINGS[6]  # a point of order 8

seeds = st.binary(min_size=32, max_size=32)


def signed(seed: bytes, message: bytes) -> tuple[bytes, bytes]:
    public_key, secret_key = crypto_sign_seed_keypair(seed)
    return public_key, crypto_sign(message, secret_key)[:64]


def with_s(signature: bytes, s: int) -> bytes:
    return signature[:32] + s.to_bytes(32, "little")


@pytest.mark.parametrize("door", DOORS)
def test_rfc_8032_vectors(door: ModuleType) -> None:
    assert door.verify_batch(*zip(*RFC_8032, strict=True)) == [True] * len(RFC_8032)
    for public_key, message, signature in RFC_8032:
        assert door.verify(public_key, message, signature)
        assert door.verify_strict(public_key, message, signature)
        assert not door.verify(public_key, message + b"\0", signature)
        assert not door.verify_strict(public_key, message + b"\0", signature)


@pytest.mark.parametrize("door", DOORS)
def test_all_196_small_order_pairs_are_valid(door: ModuleType) -> None:
    assert len(set(SMALL_ORDER_ENCODINGS)) == 14
    for public_key, r in PAIRS:
        assert door.verify(public_key, ZIP_215_MESSAGE, r + bytes(32))
        assert not door.verify_strict(public_key, ZIP_215_MESSAGE, r + bytes(32))
    keys = [public_key for public_key, _ in PAIRS]
    signatures = [r + bytes(32) for _, r in PAIRS]
    assert door.verify_batch(keys, [ZIP_215_MESSAGE] * len(PAIRS), signatures) == [True] * len(PAIRS)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("s", "valid"), [(0, True), (ORDER, False), (2 * ORDER, False), (8 * ORDER, False)])
def test_s_of_the_order_or_more_is_refused(door: ModuleType, s: int, valid: bool) -> None:
    """These S are all equal modulo the order, so only the encoding can tell them apart."""
    signature = with_s(SMALL_ORDER_ENCODINGS[0], s)
    assert door.verify(SMALL_ORDER_ENCODINGS[0], b"", signature) is valid
    assert door.verify_batch([SMALL_ORDER_ENCODINGS[0]], [b""], [signature]) == [valid]


@pytest.mark.parametrize("door", DOORS)
def test_an_honest_signature_with_s_plus_the_order_is_refused(door: ModuleType) -> None:
    for public_key, message, signature in RFC_8032:
        malleable = with_s(signature, int.from_bytes(signature[32:], "little") + ORDER)
        assert not door.verify(public_key, message, malleable)
        assert not door.verify_strict(public_key, message, malleable)


@pytest.mark.parametrize("door", DOORS)
def test_encodings_of_no_point_are_refused(door: ModuleType) -> None:
    """y = 2 is on no point of the curve."""
    nowhere = (2).to_bytes(32, "little")
    assert ed25519.decompress(nowhere) is None
    public_key, message, signature = RFC_8032[1]
    assert not door.verify(nowhere, message, signature)
    assert not door.verify(public_key, message, nowhere + signature[32:])


@given(seeds, st.binary(max_size=100))
@settings(max_examples=30)
def test_honest_signatures(seed: bytes, message: bytes) -> None:
    public_key, signature = signed(seed, message)
    assert native.verify_strict(public_key, message, signature)
    assert reference.verify(public_key, message, signature)
    assert native.is_canonical_large_order(public_key)


@given(seeds, st.binary(max_size=40), st.integers(0, 8 * 64 - 1))
@settings(max_examples=50)
def test_damaged_signatures(seed: bytes, message: bytes, bit: int) -> None:
    public_key, signature = signed(seed, message)
    damaged = bytearray(signature)
    damaged[bit // 8] ^= 1 << bit % 8
    assert not native.verify(public_key, message, damaged)
    assert not reference.verify(public_key, message, damaged)
    assert not native.verify_strict(public_key, message, damaged)


@given(st.integers(1, ORDER - 1), st.integers(1, ORDER - 1), st.binary(max_size=20), st.integers(0, 7))
@settings(max_examples=40)
def test_keys_of_mixed_order(secret: int, nonce: int, message: bytes, multiple: int) -> None:
    """A key with a part of small order: the cofactored equation takes every such signature, libsodium only some."""
    torsion = ed25519.decompress(TORSION)
    assert torsion is not None
    part = ed25519.double_multiply(multiple, torsion, 0, ed25519.IDENTITY)
    public_key = ed25519.compress(ed25519.double_multiply(secret, ed25519.BASE, 1, part))
    r = ed25519.compress(ed25519.double_multiply(nonce, ed25519.BASE, 0, ed25519.IDENTITY))
    signature = with_s(r, (nonce + ed25519.challenge(r, public_key, message) * secret) % ORDER)
    assert reference.verify(public_key, message, signature)
    assert native.verify(public_key, message, signature)
    assert not native.verify(public_key, message + b"\0", signature)


def test_keys_that_may_be_paid() -> None:
    for encoding in SMALL_ORDER_ENCODINGS:
        assert not native.is_canonical_large_order(encoding)
    for public_key, _, _ in RFC_8032:
        assert native.is_canonical_large_order(public_key)
    assert not native.is_canonical_large_order((2).to_bytes(32, "little"))
    # The few y from P up to 2^255 - 1 are second encodings of small numbers, 3 being one of a point of large order.
    canonical = (3).to_bytes(32, "little")
    unreduced = (3 + ed25519.P).to_bytes(32, "little")
    assert ed25519.decompress(canonical) == ed25519.decompress(unreduced)
    assert native.is_canonical_large_order(canonical)
    assert not native.is_canonical_large_order(unreduced)


def test_batches_answer_for_each_signature() -> None:
    keys, messages, signatures = map(list, zip(*RFC_8032, strict=True))
    signatures[1] = bytes(64)
    assert native.verify_batch(keys, messages, signatures) == [True, False, True, True, True]
    assert native.verify_batch([], [], []) == []
