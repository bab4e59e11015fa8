"""The event hub: each subscriber has all events in order, and a slow one costs a bounded amount."""

from __future__ import annotations

import asyncio

from pychain.api.hub import SUBSCRIPTION_EVENTS, EventHub
from pychain.daemon.backend import LoopSignal
from pychain.node.events import BlockRefused, Event, Notice, PeerDown
from tests.conftest import Run


def notices(count: int) -> list[Event]:
    return [Notice("info", str(number)) for number in range(count)]


def test_listeners_and_subscribers_have_events_in_order_from_when_they_came(run: Run[None]) -> None:
    async def scenario() -> None:
        hub = EventHub(LoopSignal)
        heard: list[Event] = []
        hub.listen(heard.append)
        events = notices(4)
        hub.publish(events[0])
        with hub.subscribe() as early:
            hub.publish(events[1])
            with hub.subscribe() as late:
                hub.publish(events[2])
                hub.publish(events[3])
                assert [await anext(early) for _ in range(3)] == events[1:]
                assert [await anext(late) for _ in range(2)] == events[2:]
        assert heard == events

    run(scenario())


def test_a_reader_that_waits_is_woken(run: Run[None]) -> None:
    async def scenario() -> None:
        hub = EventHub(LoopSignal)
        with hub.subscribe() as subscription:
            waiting = asyncio.ensure_future(anext(subscription))
            await asyncio.sleep(0)
            hub.publish(*notices(1))
            assert await waiting == Notice("info", "0")

    run(scenario())


def test_one_who_falls_behind_is_cut_off_and_told(run: Run[None]) -> None:
    async def scenario() -> None:
        hub = EventHub(LoopSignal)
        slow, quick = hub.subscribe(), hub.subscribe()
        events = notices(SUBSCRIPTION_EVENTS + 100)
        for event in events:
            hub.publish(event)
            assert await anext(quick) == event
        assert [event async for event in slow] == events[:SUBSCRIPTION_EVENTS]
        assert slow.lagged
        assert not quick.lagged
        assert [event async for event in slow] == []

    run(scenario())


def test_closing_ends_streams_after_what_is_queued(run: Run[None]) -> None:
    async def scenario() -> None:
        hub = EventHub(LoopSignal)
        subscription = hub.subscribe()
        hub.publish(*notices(1))
        hub.close()
        hub.publish(Notice("info", "too late"))
        assert [event async for event in subscription] == notices(1)
        assert [event async for event in hub.subscribe()] == []

    run(scenario())


def test_a_closed_subscription_takes_no_more(run: Run[None]) -> None:
    async def scenario() -> None:
        hub = EventHub(LoopSignal)
        with hub.subscribe() as subscription:
            pass
        hub.publish(*notices(1))
        assert [event async for event in subscription] == []

    run(scenario())


def test_one_who_wants_some_kinds_is_not_bothered_with_others(run: Run[None]) -> None:
    async def scenario() -> None:
        hub = EventHub(LoopSignal)
        with hub.subscribe(Notice) as some, hub.subscribe(Notice, PeerDown) as more:
            both: list[Event] = [PeerDown(1, "/ip4/192.0.2.1/tcp/1", "gone"), Notice("info", "news")]
            for event in both:
                hub.publish(event)
            for _ in range(2 * SUBSCRIPTION_EVENTS):
                hub.publish(BlockRefused(bytes(32), "high-hash", ""))
            hub.close()
            assert [type(event) async for event in some] == [Notice]
            assert [type(event) async for event in more] == [PeerDown, Notice]
            assert not some.lagged

    run(scenario())
