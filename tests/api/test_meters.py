"""Meters: distributions against counting by hand, and totals of events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pychain.api.meters import CALL_NS, TURN_NS, CallMeter, Distribution, EventMeter
from pychain.chain.header import new_header
from pychain.chain.transaction import new_transfer, transfer_body
from pychain.node.events import BlockRefused, NewTip, TransferAccepted, TransferDropped

BOUNDS = (1, 5, 10)


@given(values=st.lists(st.integers(0, 20)))
def test_a_distribution_counts_what_does_not_pass_each_bound(values: list[int]) -> None:
    distribution = Distribution(BOUNDS)
    for value in values:
        distribution.observe(value)
    assert dict(distribution.cumulative()) == {
        **{bound: sum(value <= bound for value in values) for bound in BOUNDS},
        None: len(values),
    }
    assert (distribution.count, distribution.total) == (len(values), sum(values))


def test_bounds_ascend() -> None:
    for bounds in (TURN_NS, CALL_NS):
        assert list(bounds) == sorted(set(bounds))


def test_calls_are_told_apart_by_name() -> None:
    meter = CallMeter()
    meter.done("one", 10, failed=False)
    meter.done("one", 20, failed=True)
    meter.done("two", 5, failed=False)
    assert {name: (each.count, each.total) for name, each in meter.durations.items()} == {"one": (2, 30), "two": (1, 5)}
    assert meter.errors == {"one": 1}


def test_events_add_up() -> None:
    meter = EventMeter()
    header = new_header(1, bytes(32), bytes(32), 0, 0, 0)
    transfer = new_transfer(transfer_body(bytes(32), 0, bytes(32), 1, 1, b""), bytes(64))
    meter.note(NewTip(header, 1, (), (b"a",)))
    meter.note(NewTip(header, 3, (b"a",), (b"b", b"c", b"d")))
    meter.note(NewTip(header, 1, (b"d", b"c"), ()))
    meter.note(TransferAccepted(transfer))
    for reason in ("expired", "conflict", "expired"):
        meter.note(TransferDropped(transfer, reason))
    meter.note(BlockRefused(b"x", "high-hash", ""))
    assert (meter.connected, meter.disconnected) == (4, 3)
    assert (meter.reorganisations.count, meter.reorganisations.total) == (2, 3)
    assert (meter.accepted, meter.dropped, meter.refused) == (1, {"expired": 2, "conflict": 1}, {"high-hash": 1})
