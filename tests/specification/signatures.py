"""Ed25519 as ZIP-215 accepts it, in Python's integers: RFC 8032's curve and equation, ZIP-215's rules on encodings.

For tests only: it is neither fast nor constant-time.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha512

P = 2**255 - 19
"""The field's prime."""
L = 2**252 + 27742317777372353535851937790883648493
"""The order of the base point."""
D = -121665 * pow(121666, -1, P) % P
"""The curve is -x^2 + y^2 = 1 + d x^2 y^2."""
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]
"""Extended coordinates (X, Y, Z, T) of RFC 8032, 5.1.4: x = X / Z, y = Y / Z, x y = T / Z."""

NEUTRAL: Point = (0, 1, 1, 0)


def add(first: Point, second: Point) -> Point:
    """The sum of any two points, equal ones too: on this curve one formula works for all."""
    x1, y1, z1, t1 = first
    x2, y2, z2, t2 = second
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def equal(first: Point, second: Point) -> bool:
    x1, y1, z1, _ = first
    x2, y2, z2, _ = second
    return (x1 * z2 - x2 * z1) % P == 0 and (y1 * z2 - y2 * z1) % P == 0


@lru_cache(maxsize=64)
def doublings(point: Point) -> list[Point]:
    """The point times 1, 2, 4, ... 2^252. Cached, because the tests use few keys."""
    points = [point]
    while len(points) < L.bit_length():
        points.append(add(points[-1], points[-1]))
    return points


def multiply(scalar: int, point: Point) -> Point:
    """The point times a scalar below 2^253."""
    total = NEUTRAL
    for bit, doubled in enumerate(doublings(point)):
        if scalar >> bit & 1:
            total = add(total, doubled)
    return total


def times_eight(point: Point) -> Point:
    """The point times the cofactor, which is in the group of order L."""
    for _ in range(3):
        point = add(point, point)
    return point


def decompress(encoding: bytes) -> Point | None:
    """The point encoded by 32 bytes: y in 255 bits, then the sign of x. None if there is none.

    ZIP-215: y is taken modulo p, and a sign with x = 0 is allowed.
    """
    number = int.from_bytes(encoding, "little")
    y, sign = number % 2**255 % P, number >> 255
    x_squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x_squared, (P + 3) // 8, P)
    if x * x % P != x_squared:
        x = x * SQRT_MINUS_ONE % P
    if x * x % P != x_squared:
        return None
    if x % 2 != sign:
        x = -x % P
    return x, y, 1, x * y % P


def _base() -> Point:
    base = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))  # y = 4/5, x even
    assert base is not None
    return base


BASE = _base()


@lru_cache(maxsize=4096)
def is_valid(key: bytes, message: bytes, signature: bytes) -> bool:
    """ZIP-215: S < L, A and R are points, and [8][S]B = [8]R + [8][k]A."""
    s = int.from_bytes(signature[32:], "little")
    a, r = decompress(key), decompress(signature[:32])
    if s >= L or a is None or r is None:
        return False
    k = int.from_bytes(sha512(signature[:32] + key + message).digest(), "little")
    right = add(r, multiply(k % L, a))  # k may be reduced: [8]A is in the group of order L
    return equal(times_eight(multiply(s, BASE)), times_eight(right))
