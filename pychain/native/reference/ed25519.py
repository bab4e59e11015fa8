"""Ed25519 verification as ZIP-215 defines it, in pure Python: the oracle for every faster verifier.

Written from RFC 8032, section 5.1 (curve, encodings, formulas) and ZIP-215 (which encodings and which equation).
It handles public data only; nothing here is constant-time, and nothing here signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha512
from typing import TypeAlias

from pychain.native._arguments import (
    MAX_THREADS,
    PUBLIC_KEY_SIZE,
    Bytes,
    Entropy,
    integer,
    same_length,
    seed,
    signed,
    sized,
)

P = 2**255 - 19  # the field
L = 2**252 + 27742317777372353535851937790883648493  # the prime order of the base point
D = -121665 * pow(121666, -1, P) % P  # -x^2 + y^2 = 1 + D x^2 y^2
SQRT_M1 = pow(2, (P - 1) // 4, P)
SIGN_BIT = 1 << 255

# Extended homogeneous coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, x * y = T/Z.
Point: TypeAlias = tuple[int, int, int, int]

IDENTITY: Point = (0, 1, 1, 0)


def add(p: Point, q: Point) -> Point:
    """p + q, complete on this curve (RFC 8032, 5.1.4)."""
    x1, y1, z1, t1 = p
    x2, y2, z2, t2 = q
    a = (y1 - x1) * (y2 - x2) % P
    b = (y1 + x1) * (y2 + x2) % P
    c = 2 * D * t1 * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def double(p: Point) -> Point:
    """p + p (RFC 8032, 5.1.4)."""
    x, y, z, _ = p
    a = x * x % P
    b = y * y % P
    h = a + b
    e = h - (x + y) ** 2 % P
    g = a - b
    f = 2 * z * z + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def negate(p: Point) -> Point:
    x, y, z, t = p
    return -x % P, y, z, -t % P


def is_identity(p: Point) -> bool:
    x, y, z, _ = p
    return x % P == 0 and (y - z) % P == 0


def times_cofactor(p: Point) -> Point:
    """[8]p, which is the identity for the eight points of small order and for no other."""
    return double(double(double(p)))


def decompress(encoding: bytes) -> Point | None:
    """The point of a 32-byte encoding by ZIP-215's rules, or None if there is none.

    y may be P or more, and x = 0 may carry the sign bit; RFC 8032 refuses both.
    """
    number = int.from_bytes(encoding, "little")
    sign, y = number >> 255, (number & (SIGN_BIT - 1)) % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    vxx = v * x * x % P
    if vxx == -u % P:
        x = x * SQRT_M1 % P
    elif vxx != u:
        return None
    if x & 1 != sign:
        x = -x % P
    return x, y, 1, x * y % P


def compress(p: Point) -> bytes:
    """The canonical 32-byte encoding of a point (RFC 8032, 5.1.2)."""
    x, y, z, _ = p
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(PUBLIC_KEY_SIZE, "little")


def _base_point() -> Point:
    """The base point: y = 4/5, x even (RFC 8032, 5.1)."""
    point = decompress((4 * pow(5, -1, P) % P).to_bytes(PUBLIC_KEY_SIZE, "little"))
    assert point is not None
    return point


BASE = _base_point()


def double_multiply(m: int, p: Point, n: int, q: Point) -> Point:
    """[m]p + [n]q in one pass over the bits of both (Straus's method)."""
    table = (None, p, q, add(p, q))
    total = IDENTITY
    for bit in reversed(range(max(m.bit_length(), n.bit_length()))):
        total = double(total)
        addend = table[(m >> bit & 1) | (n >> bit & 1) << 1]
        if addend is not None:
            total = add(total, addend)
    return total


def challenge(r: bytes, public_key: bytes, message: bytes) -> int:
    """k = SHA-512(R | A | message) over the encodings as given, modulo L."""
    return int.from_bytes(sha512(r + public_key + message).digest(), "little") % L


def verify(public_key: Bytes, message: Bytes, signature: Bytes) -> bool:
    """Whether `signature` (64 bytes: R, S) is valid for `message` under `public_key` (32 bytes: A), by ZIP-215.

    S < L, A and R decompress, and [8][S]B = [8]R + [8][k]A with k the `challenge`.
    """
    public_key, message, signature = signed(public_key, message, signature)
    s = int.from_bytes(signature[32:], "little")
    a, r = decompress(public_key), decompress(signature[:32])
    if s >= L or a is None or r is None:
        return False
    k = challenge(signature[:32], public_key, message)
    difference = add(double_multiply(s, BASE, k, negate(a)), negate(r))
    return is_identity(times_cofactor(difference))


def verify_batch(
    public_keys: Sequence[Bytes],
    messages: Sequence[Bytes],
    signatures: Sequence[Bytes],
    entropy: Entropy = None,
    threads: int = 0,
) -> list[bool]:
    """`verify` for each of n signatures; the three sequences have the same length.

    `entropy` and `threads` only match the native function: one by one, there are neither weights nor threads.
    """
    same_length(public_keys, messages, signatures)
    integer(threads, 0, MAX_THREADS, "threads")
    seed(entropy)
    return [verify(*each) for each in zip(public_keys, messages, signatures, strict=True)]


def is_canonical_large_order(public_key: Bytes) -> bool:
    """Whether `public_key` is the one canonical encoding of a point whose order is not 1, 2, 4 or 8.

    Under a key of small order every message has valid signatures that anyone can write, so no coin may be paid to it.
    """
    public_key = sized(public_key, PUBLIC_KEY_SIZE, "public key")
    point = decompress(public_key)
    return point is not None and compress(point) == public_key and not is_identity(times_cofactor(point))
