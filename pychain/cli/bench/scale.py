"""Numbers of any size in few characters."""

from __future__ import annotations

PREFIXES = (" k", " M", " G")


def short(number: float) -> str:
    """Three digits and the prefix of a thousand: 37.4 M, 0.0215, 950."""
    scaled, prefix = float(f"{number:.3g}"), ""
    for larger in PREFIXES:
        if scaled >= 1000:
            scaled, prefix = scaled / 1000, larger
    return (f"{scaled:#.3g}".rstrip(".") if scaled < 1000 else f"{scaled:.0f}") + prefix
