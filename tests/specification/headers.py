"""Headers: 80 bytes, the target in their bits, and the work that they prove."""

from __future__ import annotations

from dataclasses import dataclass

from tests.specification.encoding import Reader
from tests.specification.hashing import sha256d
from tests.specification.network import Network
from tests.specification.rules import BrokenRuleError, require

SIGN = 0x800000
DIGITS = 0x7FFFFF


@dataclass(frozen=True)
class Header:
    hash: bytes
    version: int
    prev_hash: bytes
    merkle_root: bytes
    time: int
    bits: int
    nonce: int


def read_header(reader: Reader) -> Header:
    raw = reader.take(80)
    fields = Reader(raw)
    return Header(
        hash=sha256d(raw),
        version=fields.signed(4),
        prev_hash=fields.take(32),
        merkle_root=fields.take(32),
        time=fields.unsigned(4),
        bits=fields.unsigned(4),
        nonce=fields.unsigned(4),
    )


def target_of(bits: int) -> int:
    """digits * 256^(size - 3), rounded down; not negative, not zero, not over 256 bits."""
    size, digits = bits >> 24, bits & DIGITS
    target = digits << 8 * size >> 8 * 3
    if bits & SIGN or not 0 < target < 2**256:
        raise BrokenRuleError("bad-bits-encoding")
    return target


def bits_of(target: int) -> int:
    """The canonical encoding: the size in bytes, and the leading three bytes."""
    size = (target.bit_length() + 7) // 8
    digits = target << 8 * 3 >> 8 * size
    if digits & SIGN:  # the leading bit would be read as a sign
        size, digits = size + 1, digits >> 8
    return size << 24 | digits


def work_of(bits: int) -> int:
    """The mean number of hashes needed to find one that is at most the target."""
    return 2**256 // (target_of(bits) + 1)


def check_proof_of_work(network: Network, header: Header) -> None:
    target = target_of(header.bits)
    require(target <= network.pow_limit, "bad-bits-encoding")
    require(int.from_bytes(header.hash, "little") <= target, "high-hash")
