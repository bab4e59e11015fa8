"""Random durations in whole nanoseconds, computed with integers only: the same on every machine."""

from __future__ import annotations

from pychain.base.entropy import Random


def spread(random: Random, span_ns: int) -> int:
    """Uniform between 0.5 and 1.5 times `span_ns`."""
    return span_ns // 2 + random.below(span_ns + 1)


def exponential(random: Random, mean_ns: int) -> int:
    """Exponentially distributed with the given mean: the gaps of a Poisson process.

    Von Neumann's method ("Various techniques used in connection with random digits", 1951) needs only comparisons,
    whereas a logarithm could differ in its last bit between math libraries. A falling run of uniform numbers with odd
    length yields its first number as the fraction; each even run before it adds one whole mean.
    """
    whole = 0
    while True:
        first = last = random.u64()
        odd = True
        while (following := random.u64()) < last:
            last = following
            odd = not odd
        if odd:
            return mean_ns * ((whole << 64) + first) >> 64
        whole += 1
