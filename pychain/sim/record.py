"""The record of a run, for replay: which run it was, and marks of its trace; JSON lines, bounded.

The first line is the head, each further one a mark, the last one the end.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from pychain.base.errors import PychainError
from pychain.base.registry import Origin
from pychain.base.time import NS
from pychain.sim.events import MAX_MARKS, Mark
from pychain.sim.play import Report, Run, Value

FORMAT = "pychain-sim-trace"
MAX_RECORD_BYTES = 1_000_000
"""Limit for a record that is read: a mark has about 90 bytes."""


class RecordError(PychainError):
    """The text is not a record of a run."""


class Head(Struct, frozen=True, kw_only=True):
    """The first line."""

    format: str
    pychain: str
    scenario: str
    seed: int
    parameters: dict[str, Value]
    plugins: list[Origin] = []
    """The plug-ins from users' files: name, and digest of the source with which the run was made."""


class Record(Struct, frozen=True, kw_only=True):
    """A recorded run. The last mark is that of its end."""

    head: Head
    marks: list[Mark]


def record_of(run: Run) -> Record:
    """The record of a run."""
    report = run.report
    head = Head(
        format=FORMAT,
        pychain=report.version,
        scenario=report.scenario,
        seed=report.seed,
        parameters=report.parameters,
        plugins=report.plugins,
    )
    return Record(head=head, marks=[*run.marks, _end(report)])


def _end(report: Report) -> Mark:
    return Mark(events=report.events, virtual_ns=round(report.virtual_s * NS), digest=report.digest)


def encode_record(record: Record) -> bytes:
    """The lines of a record."""
    return msgspec.json.Encoder().encode_lines([record.head, *record.marks])


def decode_record(raw: bytes) -> Record:
    """The record in these lines. RecordError if they are not a record."""
    lines = raw.splitlines()
    if len(raw) > MAX_RECORD_BYTES or not 2 <= len(lines) <= MAX_MARKS + 2:
        raise RecordError("this is not a record of a run")
    try:
        head = msgspec.json.decode(lines[0], type=Head)
        marks = [msgspec.json.decode(line, type=Mark) for line in lines[1:]]
    except msgspec.MsgspecError as error:
        raise RecordError(f"this is not a record of a run: {error}") from None
    if head.format != FORMAT:
        raise RecordError(f"this is not a record of a run, but '{head.format}'")
    return Record(head=head, marks=marks)


def difference(record: Record, again: Record) -> str | None:
    """None if two runs are identical; else the virtual time at which they first diverged."""
    known = {mark.events: mark for mark in again.marks}
    agreed = Mark(events=0, virtual_ns=0, digest="")
    for mark in record.marks:
        other = known.get(mark.events)
        if other is None or _digest(other, mark) == _digest(mark, other):
            agreed = agreed if other is None else mark
            continue
        return f"{_span(agreed, mark)}, {_events_between(agreed, mark)}"
    return _difference_of_ends(record.marks[-1], again.marks[-1], agreed)


def _digest(mark: Mark, beside: Mark) -> str:
    """A mark's digest, cut to the length of another's: that of an end is not shortened."""
    return mark.digest[: len(beside.digest)]


def _difference_of_ends(end: Mark, other: Mark, agreed: Mark) -> str | None:
    if end == other:
        return None
    earlier, later = sorted([end, other], key=_events)
    return f"{_span(agreed, earlier)}: one ends after {earlier.events:,} events, one after {later.events:,}"


def _events(mark: Mark) -> int:
    return mark.events


def _events_between(one: Mark, other: Mark) -> str:
    first = one.events + 1
    return f"event {first:,}" if first == other.events else f"events {first:,} to {other.events:,}"


def _span(one: Mark, other: Mark) -> str:
    since, until = f"{one.virtual_ns / NS:.6f}", f"{other.virtual_ns / NS:.6f}"
    return (f"at {until} s" if since == until else f"between {since} s and {until} s") + " of virtual time"
