"""Headers presync: a long chain must show its work before its headers are stored (after Bitcoin Core's `headerssync`).

Pass 1 reads all headers once, checks that they are a chain with proof of work, sums the work, and keeps one salted bit
of each hash. If the work is enough, the headers are requested again, and pass 2 stores them while their bits match: a
peer that sends different headers is caught with probability 1/2 at each of them, and cannot know which would pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from pychain import native
from pychain.chain.hashes import HASH_BYTES
from pychain.chain.header import Header
from pychain.chain.spec import ChainSpec
from pychain.chain.target import work_from_bits
from pychain.consensus.semantic import check_proof_of_work
from pychain.ledger.entry import Entry

HEADERS_PER_SECOND = 6
"""A chain cannot grow faster for long: a header's time must be above the median of the last eleven, so time moves on by
a second every six headers."""
THRESHOLD_BLOCKS = 144
"""A branch that left the active chain less than this many blocks ago, at the tip's difficulty, needs no presync."""
SALT_BYTES = 16


class PresyncError(Exception):
    """The peer's chain fails presync; the text says why."""


class Pass(Enum):
    """Which pass is under way."""

    WORK = 1
    STORE = 2


class Presync:
    """The presync of one peer's long chain, from a known entry on."""

    def __init__(self, spec: ChainSpec, start: Entry, required_work: int, salt: bytes, wall_s: int) -> None:
        """`required_work`: chain work from genesis that pass 1 must reach. `salt` is secret."""
        self._spec = spec
        self._start = start
        self._required = required_work
        self._salt = salt
        self._limit = HEADERS_PER_SECOND * max(1, wall_s + spec.max_future_s - spec.genesis_time)
        self._work = start.work
        self._bits = bytearray()
        self._count = 0
        self._checked = 0
        self._last = start.hash
        self.state = Pass.WORK

    @property
    def start(self) -> Entry:
        """The known entry that the chain builds on."""
        return self._start

    @property
    def last(self) -> bytes:
        """Hash of the last header of this pass, which the next one must build on."""
        return self._last

    @property
    def done(self) -> bool:
        """Whether pass 2 has returned all headers of pass 1."""
        return self.state is Pass.STORE and self._checked >= self._count

    def take(self, headers: Sequence[Header]) -> Sequence[Header]:
        """Take headers that follow `last`. Returns those that may be stored, none in pass 1. PresyncError at the first
        fault; RuleError if a header lacks proof of work.
        """
        self._follow(headers)
        bits = self._salted_bits(headers)
        if self.state is Pass.WORK:
            self._weigh(headers, bits)
            return ()
        self._compare(bits)
        return headers

    def enough(self) -> bool:
        """Whether pass 1 has found the required work. If so, pass 2 begins: request the headers after `start` again."""
        if self.state is Pass.WORK and self._work >= self._required:
            self.state = Pass.STORE
            self._last = self._start.hash
            return True
        return False

    def _weigh(self, headers: Sequence[Header], bits: Sequence[int]) -> None:
        for header, bit in zip(headers, bits, strict=True):
            check_proof_of_work(self._spec, header)
            if self._count >= self._limit:
                raise PresyncError(f"over {self._limit} headers, more than time allows since genesis")
            if self._count % 8 == 0:
                self._bits.append(0)
            self._bits[-1] |= bit << self._count % 8
            self._count += 1
            self._work += work_from_bits(header.bits)

    def _compare(self, bits: Sequence[int]) -> None:
        for bit in bits[: self._count - self._checked]:
            if bit != self._bits[self._checked // 8] >> self._checked % 8 & 1:
                raise PresyncError("the headers differ from those of the first pass")
            self._checked += 1

    def _follow(self, headers: Sequence[Header]) -> None:
        for header in headers:
            if header.prev_hash != self._last:
                raise PresyncError("the headers do not continue the last ones")
            self._last = header.hash

    def _salted_bits(self, headers: Sequence[Header]) -> list[int]:
        """One bit of each hash, salted with a secret."""
        salted = b"".join([self._salt + header.hash for header in headers])
        hashes = native.sha256d_records(salted, SALT_BYTES + HASH_BYTES)
        return [byte & 1 for byte in hashes[::HASH_BYTES]]


def stored_work_threshold(spec: ChainSpec, tip: Entry) -> int:
    """Chain work below which headers need presync; 0 while the chain is young."""
    recent = THRESHOLD_BLOCKS * work_from_bits(tip.header.bits)
    return max(spec.min_chain_work, tip.work - recent, 0)
