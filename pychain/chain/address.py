"""Addresses: bech32m (BIP 350) over a network's prefix and the 32 bytes of a public key, no version symbol."""

from __future__ import annotations

from collections.abc import Iterable

from pychain.base.errors import DecodeError
from pychain.chain.transaction import KEY_BYTES

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {character: value for value, character in enumerate(_CHARSET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32M = 0x2BC830A3
_CHECKSUM_SYMBOLS = 6
MAX_ADDRESS_CHARACTERS = 90
"""BIP 173: the checksum's guarantees end there."""


def encode_address(hrp: str, public_key: bytes) -> str:
    """The address of a 32-byte key under a human-readable prefix."""
    return bech32m_encode(hrp, _regroup(public_key, 8, 5, pad=True))


def decode_address(hrp: str, address: str) -> bytes:
    """The 32-byte key behind an address of the network with this prefix."""
    prefix, symbols = bech32m_decode(address)
    if prefix != hrp:
        raise DecodeError(f"the address is of network prefix '{prefix}', this network has '{hrp}'")
    key = _regroup(symbols, 5, 8, pad=False)
    if len(key) != KEY_BYTES:
        raise DecodeError(f"the address holds {len(key)} bytes, a key has {KEY_BYTES}")
    return bytes(key)


def bech32m_encode(hrp: str, symbols: list[int]) -> str:
    """Prefix, separator, 5-bit symbols and checksum."""
    checksum = _polymod([*_expand(hrp), *symbols, *[0] * _CHECKSUM_SYMBOLS]) ^ _BECH32M
    tail = [checksum >> 5 * (_CHECKSUM_SYMBOLS - 1 - i) & 31 for i in range(_CHECKSUM_SYMBOLS)]
    return hrp + "1" + "".join(_CHARSET[symbol] for symbol in [*symbols, *tail])


def bech32m_decode(text: str) -> tuple[str, list[int]]:
    """Prefix and 5-bit symbols without checksum; DecodeError if BIP 350 says invalid."""
    if len(text) > MAX_ADDRESS_CHARACTERS:
        raise DecodeError(f"an address has at most {MAX_ADDRESS_CHARACTERS} characters")
    if any(not 33 <= ord(character) <= 126 for character in text):
        raise DecodeError("an address has only printable ASCII characters")
    if text.lower() != text and text.upper() != text:
        raise DecodeError("an address is in lower case or in upper case, not mixed")
    prefix, separator, data = text.lower().rpartition("1")
    if not separator or not prefix or len(data) < _CHECKSUM_SYMBOLS:
        raise DecodeError("an address is a prefix, the digit 1, and at least six more characters")
    if any(character not in _VALUES for character in data):
        raise DecodeError("the address has a character that bech32m does not use")
    symbols = [_VALUES[character] for character in data]
    if _polymod([*_expand(prefix), *symbols]) != _BECH32M:
        raise DecodeError("the address is mistyped: its checksum is wrong")
    return prefix, symbols[:-_CHECKSUM_SYMBOLS]


def _expand(hrp: str) -> list[int]:
    return [*[ord(c) >> 5 for c in hrp], 0, *[ord(c) & 31 for c in hrp]]


def _polymod(symbols: list[int]) -> int:
    check = 1
    for symbol in symbols:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ symbol
        for i, generator in enumerate(_GENERATOR):
            if top >> i & 1:
                check ^= generator
    return check


def _regroup(values: Iterable[int], width_in: int, width_out: int, *, pad: bool) -> list[int]:
    """Groups of bits regrouped, most significant first; without padding the rest must be short and zero."""
    accumulator = bits = 0
    out = []
    for value in values:
        accumulator = accumulator << width_in | value
        bits += width_in
        while bits >= width_out:
            bits -= width_out
            out.append(accumulator >> bits & (1 << width_out) - 1)
        accumulator &= (1 << bits) - 1
    if pad:
        if bits:
            out.append(accumulator << width_out - bits & (1 << width_out) - 1)
    elif bits >= width_in or accumulator:
        raise DecodeError("the address ends in padding that is too long or not zero")
    return out
