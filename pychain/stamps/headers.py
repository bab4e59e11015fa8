"""A chain of headers from genesis, checked by every header rule: links, proof of work, retarget, times."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pychain.chain.header import HEADER_BYTES, Header, decode_header, decode_headers
from pychain.chain.target import work_from_bits
from pychain.consensus.branch import median_time_past, times_of_last
from pychain.consensus.contextual import check_header_in_context, check_not_too_new
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.rules import RuleError
from pychain.consensus.semantic import check_proof_of_work
from pychain.stamps.errors import StampError

MAX_HEADERS = 1_000_000
"""Headers in one proof: 80 MB, and half a minute of checking. A longer chain needs a node to check."""
_RECENT = 128
"""Headers that stay decoded: the median and most retarget rules need no more."""
_CHUNK = 1_000
"""Headers that are hashed in one call."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A block in a chain of valid headers.

    work: of the whole chain, in expected hashes. work_on_top: of the block and those after it, the cost of replacing
    it. Times in Unix seconds.
    """

    header: Header
    height: int
    median_time: int
    confirmations: int
    work: int
    work_on_top: int


class _Chain:
    """The branch of the headers checked so far (a `consensus.branch.Branch`)."""

    def __init__(self, genesis: Header, raw: bytes) -> None:
        self.height = 0
        self._raw = raw
        self._genesis = genesis
        self._first = decode_header(raw[:HEADER_BYTES])
        self._recent = deque([genesis], _RECENT)

    @property
    def tip(self) -> Header:
        return self._recent[-1]

    def add(self, header: Header) -> None:
        self.height += 1
        self._recent.append(header)

    def header(self, height: int) -> Header:
        back = self.height - height
        if back < len(self._recent):
            return self._recent[-1 - back]
        if height <= 1:
            return self._first if height else self._genesis
        return decode_header(self._raw[(height - 1) * HEADER_BYTES : height * HEADER_BYTES])

    @property
    def last_times(self) -> Sequence[int]:
        return times_of_last(self)


def place_block(
    rulebook: Rulebook, raw: bytes, height: int, wall_s: int, progress: Callable[[int], None] = lambda _: None
) -> Placed:
    """The block at `height` of a chain. `raw`: its headers from height 1 to the tip, 80 bytes each, joined.

    StampError at the first header that breaks a rule; no header may be too far ahead of the clock `wall_s`. `progress`
    is called from time to time with the number of headers checked.
    """
    count, rest = divmod(len(raw), HEADER_BYTES)
    if count > MAX_HEADERS:
        raise StampError(f"a proof has at most {MAX_HEADERS:,} headers, this one {count:,}")
    if rest or not 1 <= height <= count:
        raise StampError(f"the proof's {count} headers do not reach block {height}")
    chain = _Chain(rulebook.spec.genesis.header, raw)
    work = work_from_bits(chain.tip.bits)
    below = median_time = 0
    block = chain.tip
    for start in range(0, len(raw), _CHUNK * HEADER_BYTES):
        progress(chain.height)
        piece = raw[start : start + _CHUNK * HEADER_BYTES]
        for header in decode_headers([piece[at : at + HEADER_BYTES] for at in range(0, len(piece), HEADER_BYTES)]):
            _judge(rulebook, chain, header, wall_s)
            chain.add(header)
            if chain.height == height:
                block, below, median_time = header, work, median_time_past(chain)
            work += work_from_bits(header.bits)
    progress(count)
    if work < rulebook.spec.min_chain_work:
        raise StampError(
            f"the proof's chain has less work than the network '{rulebook.spec.name}' is known to have: it is another"
        )
    return Placed(block, height, median_time, count - height + 1, work, work - below)


def _judge(rulebook: Rulebook, chain: _Chain, header: Header, wall_s: int) -> None:
    height = chain.height + 1
    if header.prev_hash != chain.tip.hash:
        before = "the network's genesis" if height == 1 else f"header {height - 1}"
        raise StampError(f"header {height} of the proof does not follow {before}")
    try:
        check_proof_of_work(rulebook.spec, header)
        check_header_in_context(rulebook, header, chain)
        check_not_too_new(rulebook, header, wall_s)
    except RuleError as error:
        raise StampError(f"header {height} of the proof breaks a rule: {error}") from None
