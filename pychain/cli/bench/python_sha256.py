"""SHA-256 in plain Python (FIPS 180-4): the cost of hashing without hashlib, as a baseline of the benchmarks."""

from __future__ import annotations

from math import isqrt
from struct import pack, unpack

MASK = 2**32 - 1
PRIMES = [n for n in range(2, 312) if all(n % d for d in range(2, isqrt(n) + 1))]


def _cube_root(number: int) -> int:
    """The greatest integer whose cube is at most `number`."""
    root = 0
    for bit in reversed(range(number.bit_length() // 3 + 1)):
        if (root | 1 << bit) ** 3 <= number:
            root |= 1 << bit
    return root


K = [_cube_root(prime << 96) & MASK for prime in PRIMES]
IV = [isqrt(prime << 64) & MASK for prime in PRIMES[:8]]


def _compress(state: list[int], block: bytes) -> list[int]:
    w = list(unpack(">16I", block))
    for t in range(16, 64):
        x, y = w[t - 15] * (1 << 32 | 1), w[t - 2] * (1 << 32 | 1)  # a word twice: rotations become shifts
        small0 = x >> 7 ^ x >> 18 ^ w[t - 15] >> 3
        small1 = y >> 17 ^ y >> 19 ^ w[t - 2] >> 10
        w.append(w[t - 16] + w[t - 7] + (small0 & MASK) + (small1 & MASK) & MASK)
    a, b, c, d, e, f, g, h = state
    for t in range(64):
        x, y = e * (1 << 32 | 1), a * (1 << 32 | 1)
        t1 = h + ((x >> 6 ^ x >> 11 ^ x >> 25) & MASK) + (e & f ^ ~e & g) + K[t] + w[t]
        t2 = ((y >> 2 ^ y >> 13 ^ y >> 22) & MASK) + (a & b ^ a & c ^ b & c)
        h, g, f, e, d, c, b, a = g, f, e, d + t1 & MASK, c, b, a, t1 + t2 & MASK
    return [x + y & MASK for x, y in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


def sha256(message: bytes) -> bytes:
    """The digest, 32 bytes."""
    padded = message + b"\x80" + bytes(-(len(message) + 9) % 64) + pack(">Q", 8 * len(message))
    state = IV
    for at in range(0, len(padded), 64):
        state = _compress(state, padded[at : at + 64])
    return pack(">8I", *state)
