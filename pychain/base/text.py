"""Text for people: outside text cannot control a terminal, and rates have readable units."""

from __future__ import annotations

_RATE_UNITS = ((1e12, "TH/s"), (1e9, "GH/s"), (1e6, "MH/s"), (1e3, "kH/s"))


def printable(text: str) -> str:
    """`text` with unprintable characters (line breaks and terminal escapes included) escaped."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def format_hash_rate(hashes_per_s: float) -> str:
    """Hashes a second with a unit: '12.34 MH/s'."""
    for size, unit in _RATE_UNITS:
        if hashes_per_s >= size:
            return f"{hashes_per_s / size:.2f} {unit}"
    return f"{hashes_per_s:.0f} H/s"


def format_span(seconds: int) -> str:
    """A duration in its largest unit: '90 s', '5 min', '3 h'."""
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h"
