"""The ring of events against a list of all that ever happened."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.api.events.ring import CHUNK_EVENTS, KEPT, Ring
from pychain.api.events.views import KINDS, Kind, PeerEvent

SHORT: dict[Kind, int] = {"tip": 3, "reorg": 2, "tx": 5, "peer": 1}


def peer(number: int) -> PeerEvent:
    return PeerEvent(id=number, addr="192.0.2.1:1", status="up")


def numbers(data: bytes) -> list[int]:
    """The numbers in the ids of rendered events."""
    return [int(line.partition(b"-")[2]) for line in data.splitlines() if line.startswith(b"id: ")]


def read_on(ring: Ring, since: int, kinds: tuple[Kind, ...]) -> list[int]:
    """All events after a number, chunk by chunk."""
    found: list[int] = []
    while since < ring.last:
        chunk = ring.chunk(since, kinds)
        assert chunk.last > since
        found += numbers(chunk.data)
        since = chunk.last
    return found


@given(
    happened=st.lists(st.sampled_from(KINDS), max_size=30),
    kinds=st.sets(st.sampled_from(KINDS), min_size=1),
    since=st.integers(0, 30),
)
def test_what_is_kept_is_told_in_order_and_what_is_not_is_known(
    happened: list[Kind], kinds: set[Kind], since: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pychain.api.events.ring.KEPT", SHORT)
        ring = Ring("run")
        for number, kind in enumerate(happened, 1):
            ring.add(kind, lambda number=number: peer(number))  # type: ignore[misc]
    wanted = tuple(kind for kind in KINDS if kind in kinds)
    history = {kind: [number for number, each in enumerate(happened, 1) if each == kind] for kind in wanted}
    covered = all(number <= since for each, listed in history.items() for number in listed[: -SHORT[each]])
    assert ring.covers(since, wanted) == covered
    if covered:
        expected = sorted(number for listed in history.values() for number in listed if number > since)
        assert read_on(ring, since, wanted) == expected


def test_an_event_is_made_and_rendered_once_for_all_and_not_before_somebody_listens() -> None:
    made: list[int] = []

    def make() -> PeerEvent:
        made.append(1)
        return peer(7)

    ring = Ring("run")
    ring.add("peer", make)
    assert not made
    first = ring.chunk(0, ("tip", "peer"))
    assert ring.chunk(0, ("tip", "peer")) is first
    ring.add("tip", lambda: peer(8))
    assert ring.chunk(0, ("peer",)).data == first.data
    assert made == [1]
    assert first.data == b'id: run-1\nevent: peer\ndata: {"id":7,"addr":"192.0.2.1:1","status":"up"}\n\n'


def test_a_flood_of_one_kind_leaves_the_others() -> None:
    ring = Ring("run")
    ring.add("tip", lambda: peer(0))
    for number in range(2 * KEPT["tx"]):
        ring.add("tx", lambda number=number: peer(number))  # type: ignore[misc]
    assert read_on(ring, 0, ("tip",)) == [1]
    assert not ring.covers(0, ("tip", "tx"))
    behind = ring.last - KEPT["tx"]
    assert len(numbers(ring.chunk(behind, ("tx",)).data)) == CHUNK_EVENTS
    assert read_on(ring, behind, ("tx",)) == list(range(behind + 1, ring.last + 1))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("run-0", 0),
        ("run-2", 2),
        ("run-3", None),
        ("ran-1", None),
        ("run-", None),
        ("run-x", None),
        ("run--1", None),
        ("run-²", None),
        ("run-" + "9" * 1000, None),
        ("-1", None),
        ("", None),
    ],
)
def test_ids_of_another_run_or_of_the_future_are_none(text: str, number: int | None) -> None:
    ring = Ring("run")
    ring.add("tip", lambda: peer(1))
    ring.add("tip", lambda: peer(2))
    assert ring.parse(text) == number


@given(text=st.text())
def test_no_text_makes_it_stumble(text: str) -> None:
    ring: Any = Ring("run")
    assert ring.parse(text) in (None, 0)
