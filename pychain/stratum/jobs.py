"""Jobs: the content of `mining.notify`, and the headers that a miner builds from it.

The coinbase is coinb1 | extranonce1 | extranonce2 | coinb2, whatever these mean on the server's chain: the first extra
nonce belongs to the connection, the second is chosen by the miner. Its double hash is the leftmost leaf of the merkle
tree.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from pychain import native
from pychain.base.errors import DecodeError
from pychain.chain.merkle import fold_branch

HASH_BYTES = 32
NOTIFY = "mining.notify"
_NOTIFY_PARAMS = 9
_HEADER = struct.Struct("<I32s32sIII")
_WORDS = struct.Struct("<8I")
_SWAPPED_WORDS = struct.Struct(">8I")

ROLLABLE_BITS = 0x1FFF_E000
"""The version bits that BIP 320 leaves to miners."""
MAX_BRANCH = 32
"""A block of 2^32 transactions."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `prev_hash` and `branch` are hashes as the header has them; version, bits and time are the header's
    32-bit fields. `clean` makes all earlier jobs stale."""

    job_id: str
    prev_hash: bytes
    coinb1: bytes
    coinb2: bytes
    branch: tuple[bytes, ...]
    version: int
    bits: int
    time: int
    clean: bool

    def params(self) -> list[Any]:
        """The parameters of `mining.notify`: the previous hash's words are reversed, the numbers are 8 hex digits."""
        return [
            self.job_id,
            swap_words(self.prev_hash).hex(),
            self.coinb1.hex(),
            self.coinb2.hex(),
            [sibling.hex() for sibling in self.branch],
            f"{self.version:08x}",
            f"{self.bits:08x}",
            f"{self.time:08x}",
            self.clean,
        ]

    @classmethod
    def from_params(cls, params: list[Any]) -> Job:
        """The job of a notification; DecodeError if it is malformed."""
        if len(params) < _NOTIFY_PARAMS:
            raise DecodeError(f"{NOTIFY} has {_NOTIFY_PARAMS} parameters, not {len(params)}")
        job_id, prev_hash, coinb1, coinb2, branch, version, bits, time, clean = params[:_NOTIFY_PARAMS]
        if not isinstance(job_id, str) or not isinstance(branch, list) or len(branch) > MAX_BRANCH:
            raise DecodeError(
                f"{NOTIFY}: the job id is not a string, or the merkle branch is not a list of at most {MAX_BRANCH}"
            )
        return cls(
            job_id=job_id,
            prev_hash=swap_words(hex_bytes("the previous hash", prev_hash, HASH_BYTES)),
            coinb1=hex_bytes("coinb1", coinb1),
            coinb2=hex_bytes("coinb2", coinb2),
            branch=tuple(hex_bytes("a merkle sibling", sibling, HASH_BYTES) for sibling in branch),
            version=hex_word("the version", version),
            bits=hex_word("the bits", bits),
            time=hex_word("the time", time),
            clean=clean is True,
        )

    def merkle_root(self, extranonces: bytes) -> bytes:
        """The root for a coinbase with these extra nonces, the first and the second joined."""
        return fold_branch(native.sha256d(self.coinb1 + extranonces + self.coinb2), self.branch)

    def header(self, merkle_root: bytes, version: int, time: int, nonce: int = 0) -> bytes:
        """80 bytes of header."""
        return _HEADER.pack(version, self.prev_hash, merkle_root, time, self.bits, nonce)


def swap_words(data: bytes) -> bytes:
    """32 bytes with each 4-byte word reversed: the protocol's form of the previous hash. Its own inverse."""
    return _SWAPPED_WORDS.pack(*_WORDS.unpack(data))


def hex_bytes(what: str, text: object, size: int | None = None) -> bytes:
    """The bytes of hex digits, exactly `size` if given. DecodeError names `what`."""
    try:
        data = bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:
        data = None
    if data is None or len(data) * 2 != len(str(text)) or size not in (None, len(data)):
        digits = "hex" if size is None else f"{2 * size} hex digits"
        raise DecodeError(f"{what} is not {digits}")
    return data


def hex_word(what: str, text: object) -> int:
    """The 32-bit number in 8 hex digits."""
    return int.from_bytes(hex_bytes(what, text, 4), "big")


def rolled_versions(version: int, mask: int, count: int) -> tuple[int, ...]:
    """Up to `count` distinct versions that differ from `version` only in bits of the mask, the lowest ones."""
    places = [1 << bit for bit in range(32) if mask >> bit & 1]
    rolled = (
        version & ~mask | sum(place for at, place in enumerate(places) if number >> at & 1) for number in range(count)
    )
    return tuple(dict.fromkeys(rolled))
