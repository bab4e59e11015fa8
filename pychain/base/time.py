"""Time as an argument: the core never reads a clock."""

from __future__ import annotations

from typing import NamedTuple

NS = 1_000_000_000
"""Nanoseconds in a second: deadlines are integers, so two runs can never differ by rounding."""


class Now(NamedTuple):
    """The moment an input is handled.

    mono_ns: monotonic nanoseconds, the base of every deadline and timeout.
    wall_s: Unix seconds as the node's (possibly mocked) clock shows them, the base of consensus time.
    """

    mono_ns: int
    wall_s: int


def seconds(value: float) -> int:
    """A duration in seconds as nanoseconds."""
    return round(value * NS)


def earliest(*deadlines: int | None) -> int | None:
    """The earliest of several deadlines (monotonic ns), None if there is none."""
    return min((deadline for deadline in deadlines if deadline is not None), default=None)
