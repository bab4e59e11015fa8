"""Amounts. A coin has 10^8 base units; programs always count in base units, only people see coins."""

from __future__ import annotations

from pychain.base.errors import DecodeError

COIN = 100_000_000
_DECIMALS = 8
_MAX_DIGITS = 19
"""Digits of whole coins that any amount can need, and some more: longer texts are not converted."""
_QUOTED = 40
"""Characters of a refused text that are quoted in the error."""


def format_coins(amount: int) -> str:
    """Base units as coins without trailing zeros: 150000000 -> '1.5'."""
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), COIN)
    decimals = f"{part:0{_DECIMALS}d}".rstrip("0")
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def parse_coins(text: str) -> int:
    """Coins as a person writes them ('1.5') in base units. DecodeError for anything but a plain decimal number."""
    whole, dot, part = text.strip().partition(".")
    plain = (whole + part).isascii() and (whole + part).isdecimal() and len(whole) <= _MAX_DIGITS
    if not plain or len(part) > _DECIMALS or (dot and not part):
        raise DecodeError(f"'{text[:_QUOTED]}' is not an amount of coins (digits, at most {_DECIMALS} after the point)")
    return int(whole or "0") * COIN + int(part.ljust(_DECIMALS, "0") or "0")
