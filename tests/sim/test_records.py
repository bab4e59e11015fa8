"""Records of runs: their content, reading them back, and finding where a run diverges."""

from __future__ import annotations

import msgspec
import pytest

from pychain.sim.events import MAX_MARKS, Mark, Trace
from pychain.sim.play import Run, play
from pychain.sim.record import Record, RecordError, decode_record, difference, encode_record, record_of
from pychain.sim.scenarios import SCENARIOS


def a_run(seed: int = 1) -> Run:
    return play(SCENARIOS.named("race"), seed, {"blocks": 3, "nodes": 2})


def test_a_record_is_read_as_it_was_written() -> None:
    record = record_of(a_run())
    assert decode_record(encode_record(record)) == record
    assert record.head.parameters["blocks"] == 3


def test_the_same_run_again_is_identical() -> None:
    assert difference(record_of(a_run()), record_of(a_run())) is None


def test_another_run_differs_with_the_first_bytes_that_nodes_send() -> None:
    """Connections take the same time; their keys are drawn."""
    apart = difference(record_of(a_run(1)), record_of(a_run(2)))
    assert apart == "at 0.200000 s of virtual time, event 12"


def test_one_changed_mark_is_found_at_its_moment() -> None:
    record = record_of(a_run())
    place = len(record.marks) // 2
    before, mark = record.marks[place - 1 : place + 1]
    assert before.virtual_ns < mark.virtual_ns
    changed = [*record.marks]
    changed[place] = msgspec.structs.replace(mark, digest="0" * 16)
    apart = difference(record, Record(head=record.head, marks=changed))
    assert apart == (
        f"between {before.virtual_ns / 1e9:.6f} s and {mark.virtual_ns / 1e9:.6f} s of virtual time, "
        f"event {mark.events:,}"
    )


def test_a_run_that_ends_early_is_seen() -> None:
    record = record_of(a_run())
    last = record.marks[-2]
    apart = difference(record, Record(head=record.head, marks=record.marks[:-1]))
    assert apart is not None
    assert f"one ends after {last.events:,} events, one after {record.marks[-1].events:,}" in apart


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"{}\n{}", b"\xff\n\xff", b'{"format": 1}\n{}', b"[" * 2000, b"\n" * 5000, b"x" * 2_000_000]
)
def test_what_is_no_record_is_refused(raw: bytes) -> None:
    with pytest.raises(RecordError, match="this is not a record of a run"):
        decode_record(raw)


def test_a_record_of_another_kind_is_refused() -> None:
    record = record_of(a_run())
    raw = encode_record(Record(head=msgspec.structs.replace(record.head, format="other"), marks=record.marks))
    with pytest.raises(RecordError, match="but 'other'"):
        decode_record(raw)


def noted(count: int) -> Trace:
    trace = Trace()
    for i in range(count):
        trace.note(i * 10, "host", "what", b"data")
    return trace


@pytest.mark.parametrize("count", [1, MAX_MARKS - 1, MAX_MARKS, 10 * MAX_MARKS, 100_000])
def test_marks_are_bounded_and_even(count: int) -> None:
    marks = noted(count).marks
    assert MAX_MARKS // 2 - 1 <= len(marks) < MAX_MARKS or count < MAX_MARKS
    stride = marks[0].events
    assert [mark.events for mark in marks] == [stride * place for place in range(1, len(marks) + 1)]
    assert marks[-1].events > count - stride


def test_marks_of_a_longer_run_are_those_of_a_shorter_one() -> None:
    longer = {mark.events: mark for mark in noted(5000).marks}
    common = [mark for mark in noted(900).marks if mark.events in longer]
    assert len(common) > 50
    assert all(longer[mark.events] == mark for mark in common)


def test_where_bytes_end_tells_traces_apart() -> None:
    one, other = Trace(), Trace()
    one.note(0, "a", "b", b"1|x")
    other.note(0, "a", "b|1", b"x")
    assert one.hexdigest() != other.hexdigest()
    assert one.marks != other.marks
    assert isinstance(one.marks[0], Mark)
