"""Level 2: signatures. ZIP-215 exactly, over the domain, the chain and every byte of the transfer."""

from __future__ import annotations

from functools import partial
from hashlib import sha512

from nacl import bindings

from tests.consensus.chainspec.limits import ALICE, BOB, ED25519_ORDER
from tests.consensus.chainspec.story import Case, Story, case
from tests.support import wire
from tests.support.keys import Signer, signer

CASES: list[Case] = []
signature_case = partial(case, into=CASES)

_P = 2**255 - 19


def _encoding(y: int, sign: int) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


_ORDER_8_Y = (
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
)
SMALL_ORDER = [
    _encoding(y, sign)
    for y, signs in (
        (1, (0, 1)),  # the identity; its x is 0, so a sign bit of 1 is not canonical
        (_P + 1, (0, 1)),
        (_P - 1, (0, 1)),  # order 2, x = 0 again
        (0, (0, 1)),  # order 4
        (_P, (0, 1)),
        (_ORDER_8_Y[0], (0, 1)),
        (_ORDER_8_Y[1], (0, 1)),
    )
    for sign in signs
]
"""All encodings, canonical or not, of the eight points of small order."""


def _is_point(y: int) -> bool:
    """Whether x^2 = (y^2 - 1) / (d y^2 + 1) has a root modulo p (Euler's criterion; RFC 8032, 5.1)."""
    d = -121665 * pow(121666, -1, _P)
    square = (y * y - 1) * pow(d * y * y + 1, -1, _P) % _P
    return pow(square, (_P - 1) // 2, _P) in (0, 1)


NO_POINT = _encoding(next(y for y in range(2, _P) if not _is_point(y)), 0)


RFC_8032_KEYS = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    ),
)
"""Seed and public key of RFC 8032, 7.1, tests 1 to 3."""


def _resigned(transfer: bytes, signature: bytes) -> bytes:
    return transfer[:-64] + signature


@signature_case()
def every_byte_is_signed(story: Story) -> None:
    """
    genesis -> s0..s7   sender, sequence, recipient, amount, fee, memo, R or S altered: bad-tx-signature
            -> b1*      as signed
    """
    pay = story.pay(ALICE, 0, BOB, 1, 1, memo=b"memo")
    for number, offset in enumerate((1, 33, 41, 73, 81, 91, 95, 127)):
        altered = bytearray(pay)
        altered[offset] ^= 1
        b = story.block(f"s{number}", story.genesis, [bytes(altered)])
        story.is_rejected(b, "bad-tx-signature")
    story.grow("b1", story.genesis, [pay])


@signature_case()
def signed_by_another(story: Story) -> None:
    """
    genesis -> b1       alice's transfer with bob's signature: bad-tx-signature
                 -> b2  bad-prevblk
    """
    body = wire.transfer_body(ALICE.key, 0, BOB.key, 1, 0)
    forged = body + BOB.sign(wire.signing_message(story.network.genesis_hash, body))
    b1 = story.block("b1", story.genesis, [forged])
    story.is_rejected(b1, "bad-tx-signature")
    story.is_rejected(story.block("b2", b1), "bad-prevblk")


@signature_case()
def signed_for_another_chain(story: Story) -> None:
    """
    genesis -> b1       the same transfer signed under another genesis hash: bad-tx-signature
    """
    elsewhere = ALICE.transfer(wire.sha256d(b"another chain"), 0, BOB.key, 1)
    story.is_rejected(story.block("b1", story.genesis, [elsewhere]), "bad-tx-signature")
    story.transaction(elsewhere, "bad-tx-signature")


@signature_case()
def signed_without_the_domain(story: Story) -> None:
    """
    genesis -> b1, b2   the body signed bare, and under the genesis hash without the domain: bad-tx-signature
    """
    body = wire.transfer_body(ALICE.key, 0, BOB.key, 1, 0)
    b1 = story.block("b1", story.genesis, [body + ALICE.sign(body)])
    b2 = story.block("b2", story.genesis, [body + ALICE.sign(story.network.genesis_hash + body)])
    story.is_rejected(b1, "bad-tx-signature")
    story.is_rejected(b2, "bad-tx-signature")


@signature_case()
def one_bad_signature_among_good(story: Story) -> None:
    """
    genesis -> b1       the second of three transfers is not signed: bad-tx-signature
            -> b2*      all three are
    """
    pays = [story.pay(ALICE, sequence, BOB, 1) for sequence in range(3)]
    b1 = story.block("b1", story.genesis, [pays[0], _resigned(pays[1], bytes(64)), pays[2]])
    story.is_rejected(b1, "bad-tx-signature")
    story.grow("b2", story.genesis, pays)


@signature_case()
def scalar_not_below_the_order(story: Story) -> None:
    """
    genesis -> b1       S + L for S: the equation holds, but S is not canonical: bad-tx-signature
            -> b2*      S itself
    """
    pay = story.pay(ALICE, 0, BOB, 1)
    scalar = int.from_bytes(pay[-32:], "little")
    b1 = story.block("b1", story.genesis, [pay[:-32] + (scalar + ED25519_ORDER).to_bytes(32, "little")])
    story.is_rejected(b1, "bad-tx-signature")
    story.grow("b2", story.genesis, [pay])


@signature_case()
def small_order_keys_sign_anything(story: Story) -> None:
    """
    genesis -> b1*      196 transfers: each of the 14 encodings of small-order points as key, with each as R, S = 0
            -> b2       one of them with S = L: bad-tx-signature
    """
    pays = [_unsigned(key, sequence, r, 0) for key in SMALL_ORDER for sequence, r in enumerate(SMALL_ORDER)]
    bad = _unsigned(SMALL_ORDER[0], 0, SMALL_ORDER[0], ED25519_ORDER)
    story.is_rejected(story.block("b2", story.genesis, [bad]), "bad-tx-signature")
    story.grow("b1", story.genesis, pays)
    for key in SMALL_ORDER:
        story.account(key, 0, len(SMALL_ORDER))


def _unsigned(key: bytes, sequence: int, r: bytes, s: int) -> bytes:
    """A transfer of nothing whose signature is R and S as given."""
    return wire.transfer_body(key, sequence, BOB.key, 0, 0) + r + s.to_bytes(32, "little")


@signature_case()
def mixed_order_key(story: Story) -> None:
    """
    genesis -> b1*      eight transfers of a key with a small-order part: whether the equation without the cofactor
                        holds depends on the message, with it they are all valid
    """
    author = signer("mixed")
    scalar = sha512(author.seed).digest()[:32]
    scalar = bytes([scalar[0] & 248, *scalar[1:31], scalar[31] & 127 | 64])
    order_8_point = SMALL_ORDER[10]
    mixed_key = bindings.crypto_core_ed25519_add(author.key, order_8_point)
    pays = [_signed_for_mixed_key(story, mixed_key, scalar, sequence) for sequence in range(8)]
    story.grow("b1", story.genesis, pays)
    story.account(mixed_key, 0, 8)


def _signed_for_mixed_key(story: Story, key: bytes, scalar: bytes, sequence: int) -> bytes:
    """Schnorr's equation solved with the key's large-order part: R = [r]B, S = r + k * scalar."""
    body = wire.transfer_body(key, sequence, BOB.key, 0, 0)
    message = wire.signing_message(story.network.genesis_hash, body)
    r = bindings.crypto_core_ed25519_scalar_reduce(sha512(b"r" + message).digest())
    point = bindings.crypto_scalarmult_ed25519_base_noclamp(r)
    k = bindings.crypto_core_ed25519_scalar_reduce(sha512(point + key + message).digest())
    product = bindings.crypto_core_ed25519_scalar_mul(k, bindings.crypto_core_ed25519_scalar_reduce(scalar + bytes(32)))
    return body + point + bindings.crypto_core_ed25519_scalar_add(r, product)


@signature_case()
def no_point_of_the_curve(story: Story) -> None:
    """
    genesis -> b1       the key is no point: bad-tx-signature
            -> b2       R is no point: bad-tx-signature
    """
    b1 = story.block("b1", story.genesis, [_unsigned(NO_POINT, 0, SMALL_ORDER[0], 0)])
    pay = story.pay(ALICE, 0, BOB, 1)
    b2 = story.block("b2", story.genesis, [_resigned(pay, NO_POINT + pay[-32:])])
    story.is_rejected(b1, "bad-tx-signature")
    story.is_rejected(b2, "bad-tx-signature")


@signature_case()
def recipient_that_is_no_point(story: Story) -> None:
    """
    genesis -> b1*      alice pays 32 bytes that no key can be: consensus does not look
    """
    story.grow("b1", story.genesis, [story.pay(ALICE, 0, NO_POINT, 5)])
    story.account(NO_POINT, 5, 0)


@signature_case()
def keys_of_rfc_8032(story: Story) -> None:
    """
    genesis -> b1*      transfers by the keys of RFC 8032, 7.1, tests 1 to 3
    """
    authors = [Signer(bytes.fromhex(seed)) for seed, _ in RFC_8032_KEYS]
    assert [author.key.hex() for author in authors] == [key for _, key in RFC_8032_KEYS]
    story.grow("b1", story.genesis, [story.pay(author, 0, BOB, 0) for author in authors])
    for author in authors:
        story.account(author, 0, 1)
