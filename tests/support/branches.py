"""Branches with only heights, times and bits, for rules that read nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pychain.chain.header import Header
from pychain.consensus.branch import times_of_last


def bare_header(time: int, bits: int) -> Header:
    """A header with a time and bits, and nothing else to it."""
    return Header(b"", b"", 1, b"", b"", time, bits, 0)


class SparseBranch:
    """A branch of which only some headers are known: a rule that reads any other fails."""

    def __init__(self, headers: Mapping[int, Header]) -> None:
        self._headers = headers

    @property
    def height(self) -> int:
        return max(self._headers)

    def header(self, height: int) -> Header:
        return self._headers[height]

    @property
    def last_times(self) -> Sequence[int]:
        return times_of_last(self)


def timed_branch(times: Sequence[int], bits: int | Sequence[int]) -> SparseBranch:
    """A branch from genesis up with these times, and one bits for all or one each."""
    all_bits = [bits] * len(times) if isinstance(bits, int) else bits
    headers = [bare_header(time, each) for time, each in zip(times, all_bits, strict=True)]
    return SparseBranch(dict(enumerate(headers)))
