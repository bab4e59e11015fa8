"""The driver: one input at a time, effects in order, one deadline, and an end when the node ends or has a bug."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

import pytest

from pychain.api.backend import NodeEndedError
from pychain.base.time import NS, Now, seconds
from pychain.daemon.clock import Clock
from pychain.daemon.driver import CONGESTED_INPUTS, SLICE_NS, Driver
from pychain.ledger.store import Batch
from pychain.node.effects import Commit, Dial, Effect, Reply, Send, Stopped
from pychain.node.inputs import Asked, AskedTogether, BytesDrained, BytesReceived, CommitDone, Input, Stop, Tick
from pychain.node.requests import GetTemplate, TryPeer
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress
from tests.conftest import Run
from tests.daemon.scripted import ScriptedNode

ENDPOINT = Endpoint(NetAddress("127.0.0.1", 1))


def driver_of(node: ScriptedNode, carried: list[Effect] | None = None, **options: object) -> Driver:
    effects: list[Effect] = [] if carried is None else carried
    parts = {"carry": effects.append, "advance": lambda: None, **options}
    return Driver(node, Clock(), **parts)  # type: ignore[arg-type]


def spin(span_ns: int) -> None:
    """Hold the loop for a while."""
    until_ns = time.monotonic_ns() + span_ns
    while time.monotonic_ns() < until_ns:
        pass


async def turn_until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    while True:
        if condition():
            return
        await asyncio.sleep(0)


def test_effects_are_carried_out_in_order_and_what_they_cause_waits(run: Run[None]) -> None:
    """A send that drains at once feeds the driver while it carries effects out: the node must not be re-entered."""

    async def scenario() -> None:
        story: list[str] = []

        def script(event: Input, now: Now) -> list[Effect]:
            story.append(type(event).__name__)
            if isinstance(event, BytesReceived):
                return [Send(1, b"one"), Send(1, b"three"), Dial(ENDPOINT)]
            return []

        def carry(effect: Effect) -> None:
            story.append(type(effect).__name__)
            if isinstance(effect, Send):
                driver.feed(BytesDrained(1, len(effect.data)))

        node = ScriptedNode(script)
        driver = driver_of(node, carry=carry)
        driver.feed(BytesReceived(1, b"hello"))
        assert story == ["BytesReceived", "Send", "Send", "Dial", "BytesDrained", "BytesDrained"]
        assert [event.count for event in node.inputs if isinstance(event, BytesDrained)] == [3, 5]
        assert node.deepest == 1

    run(scenario())


def test_now_is_read_for_each_input(run: Run[None]) -> None:
    async def scenario() -> None:
        node = ScriptedNode(lambda event, now: spin(1_000_000) or [])
        driver = driver_of(node)
        before_ns = time.monotonic_ns()
        driver.feed(Tick())
        driver.feed(Tick())
        first, second = (now for _, now in node.handled)
        assert before_ns <= first.mono_ns < second.mono_ns <= time.monotonic_ns()
        assert abs(first.wall_s - time.time()) < 60

    run(scenario())


def test_a_long_queue_leaves_the_loop_its_turns(run: Run[None]) -> None:
    async def scenario() -> None:
        handled_when_others_ran: list[int] = []

        def script(event: Input, now: Now) -> list[Effect]:
            spin(SLICE_NS // 4)
            if len(node.handled) == 1:
                for _ in range(100):
                    driver.feed(BytesReceived(1, b"x"))
                asyncio.get_running_loop().call_soon(lambda: handled_when_others_ran.append(len(node.handled)))
            return []

        node = ScriptedNode(script)
        driver = driver_of(node)
        driver.feed(BytesReceived(1, b"first"))
        await turn_until(lambda: len(node.handled) == 101)
        assert handled_when_others_ran[0] < 101
        assert node.deepest == 1

    run(scenario())


def test_congestion_is_told_once_and_ends_with_the_queue(run: Run[None]) -> None:
    async def scenario() -> None:
        told: list[tuple[bool, int]] = []

        def script(event: Input, now: Now) -> list[Effect]:
            if len(node.handled) == 1:
                for _ in range(2 * CONGESTED_INPUTS):
                    driver.feed(BytesReceived(1, b"x"))
            return []

        node = ScriptedNode(script)
        driver = driver_of(node, on_congestion=lambda congested: told.append((congested, len(node.handled))))
        driver.feed(BytesReceived(1, b"first"))
        await turn_until(lambda: len(told) == 2)
        assert told == [(True, 1), (False, 2 * CONGESTED_INPUTS + 1)]

    run(scenario())


def test_the_deadline_brings_one_tick_and_never_early(run: Run[None]) -> None:
    async def scenario() -> None:
        ticked = asyncio.Event()
        due_ns = 0

        def script(event: Input, now: Now) -> list[Effect]:
            if isinstance(event, Tick):
                assert now.mono_ns >= due_ns
                node.due_ns = None
                ticked.set()
            return []

        node = ScriptedNode(script)
        driver = driver_of(node)
        due_ns = node.due_ns = time.monotonic_ns() + seconds(0.03)
        driver.feed(BytesReceived(1, b"x"))
        await ticked.wait()
        await asyncio.sleep(0.05)
        assert sum(isinstance(event, Tick) for event in node.inputs) == 1

    run(scenario())


def test_an_earlier_deadline_replaces_a_later_one(run: Run[None]) -> None:
    async def scenario() -> None:
        ticked = asyncio.Event()

        def script(event: Input, now: Now) -> list[Effect]:
            if isinstance(event, Tick):
                node.due_ns = None
                ticked.set()
            return []

        node = ScriptedNode(script)
        driver = driver_of(node)
        node.due_ns = time.monotonic_ns() + 3600 * NS
        driver.feed(BytesReceived(1, b"x"))
        node.due_ns = time.monotonic_ns() + seconds(0.01)
        driver.feed(BytesReceived(1, b"y"))
        await ticked.wait()

    run(scenario())


def test_a_deadline_of_now_comes_round_by_the_loop(run: Run[None]) -> None:
    """A node with sliced work asks for `now` again and again; others get their turn in between."""

    async def scenario() -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        def script(event: Input, now: Now) -> list[Effect]:
            node.due_ns = now.mono_ns if len(node.handled) < 50 else None
            return []

        node = ScriptedNode(script)
        driver = driver_of(node)
        task = asyncio.get_running_loop().create_task(other())
        driver.feed(BytesReceived(1, b"x"))
        await turn_until(lambda: len(node.handled) == 50)
        assert turns >= 40
        task.cancel()

    run(scenario())


def test_ticks_are_not_starved_by_a_queue_that_never_empties(run: Run[None]) -> None:
    async def scenario() -> None:
        def script(event: Input, now: Now) -> list[Effect]:
            spin(SLICE_NS // 8)
            if isinstance(event, Tick):
                node.due_ns = None
                driver.feed(Stop())
            elif isinstance(event, Stop):
                return [Stopped()]
            else:
                driver.feed(BytesReceived(1, b"more"))
            return []

        node = ScriptedNode(script)
        driver = driver_of(node)
        node.due_ns = time.monotonic_ns()
        driver.feed(BytesReceived(1, b"x"))
        assert await driver.ended is None

    run(scenario())


def test_a_request_is_answered_by_its_reply(run: Run[None]) -> None:
    async def scenario() -> None:
        asked: list[Asked] = []

        def script(event: Input, now: Now) -> list[Effect]:
            assert isinstance(event, AskedTogether)
            asked.extend(event.asked)
            return [Reply(each.request_id, f"answer {each.request_id}") for each in reversed(asked)]

        driver = driver_of(ScriptedNode(script))
        first, second = await asyncio.gather(driver.ask(GetTemplate()), driver.ask(TryPeer(ENDPOINT)))
        assert [each.request for each in asked] == [GetTemplate(), TryPeer(ENDPOINT)]
        assert [first, second] == [f"answer {each.request_id}" for each in asked]

    run(scenario())


def answer_all(sizes: list[int], event: Input, now: Now) -> list[Effect]:
    """A script that notes how many requests come as one input."""
    asked = event.asked if isinstance(event, AskedTogether) else (event,)
    sizes.append(len(asked))
    return [Reply(each.request_id, "done") for each in asked if isinstance(each, Asked)]


def test_requests_of_one_moment_are_one_input_of_a_bounded_size(run: Run[None]) -> None:
    async def scenario() -> None:
        sizes: list[int] = []
        driver = driver_of(ScriptedNode(partial(answer_all, sizes)))
        assert await asyncio.gather(*(driver.ask(GetTemplate()) for _ in range(150))) == ["done"] * 150
        assert await driver.ask(GetTemplate()) == "done"
        assert sizes == [64, 64, 22, 1]

    run(scenario())


def test_requests_are_gathered_as_long_as_each_turn_brings_more(run: Run[None]) -> None:
    async def scenario() -> None:
        sizes: list[int] = []
        driver = driver_of(ScriptedNode(partial(answer_all, sizes)))

        async def call(turns: int) -> object:
            for _ in range(turns):
                await asyncio.sleep(0)
            return await driver.ask(GetTemplate())

        await asyncio.gather(*(call(turns) for turns in range(10)))
        assert sizes == [10]
        await asyncio.gather(*(call(turns) for turns in range(100)))
        assert sizes == [10, 64, 36], "no batch is larger than the bound"
        await asyncio.gather(*(call(turns) for turns in (0, 10, 20)))
        assert sizes == [10, 64, 36, 1, 1, 1]

    run(scenario())


def test_a_reply_to_one_who_gave_up_is_dropped(run: Run[None]) -> None:
    async def scenario() -> None:
        pending: list[int] = []

        def script(event: Input, now: Now) -> list[Effect]:
            if isinstance(event, Asked):
                pending.append(event.request_id)
                return []
            return [Reply(request_id, "late") for request_id in pending]

        driver = driver_of(ScriptedNode(script))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(driver.ask(GetTemplate()), 0.01)
        driver.feed(Tick())
        assert not driver.ended.done()

    run(scenario())


def test_the_store_advances_just_before_the_commit_is_handled(run: Run[None]) -> None:
    async def scenario() -> None:
        story: list[str] = []

        def script(event: Input, now: Now) -> list[Effect]:
            story.append(type(event).__name__)
            return [Commit(7, Batch())] if isinstance(event, Tick) else []

        def carry(effect: Effect) -> None:
            driver.feed(BytesReceived(1, b"before"))
            driver.feed(CommitDone(7))

        driver = driver_of(ScriptedNode(script), carry=carry, advance=lambda: story.append("advance"))
        driver.feed(Tick())
        assert story == ["Tick", "BytesReceived", "advance", "CommitDone"]

    run(scenario())


@pytest.mark.parametrize("fault", [None, "the disk is full"])
def test_a_node_that_stops_ends_the_driver(run: Run[None], fault: str | None) -> None:
    async def scenario() -> None:
        node = ScriptedNode(lambda event, now: [Stopped(fault)] if isinstance(event, Stop) else [])
        driver = driver_of(node)
        unanswered = asyncio.get_running_loop().create_task(driver.ask(GetTemplate()))
        await asyncio.sleep(0)
        driver.feed(Stop())
        assert await driver.ended == fault
        driver.feed(Tick())
        assert isinstance(node.inputs[-1], Stop)
        with pytest.raises(NodeEndedError):
            await unanswered
        with pytest.raises(NodeEndedError):
            await driver.ask(GetTemplate())

    run(scenario())


@pytest.mark.parametrize("where", ["node", "deadline", "carry", "job"])
def test_a_bug_ends_the_driver_with_a_line_and_a_traceback(
    run: Run[None], where: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        def broken(*_: object) -> list[Effect]:
            raise KeyError("a bug")

        node = ScriptedNode(broken if where == "node" else lambda event, now: [Dial(ENDPOINT)])
        if where == "deadline":
            node.deadline = broken  # type: ignore[method-assign, assignment]
        driver = driver_of(node, carry=broken if where == "carry" else lambda effect: None)
        if where == "job":
            driver.fail(KeyError("a bug"))
        driver.feed(Tick())
        fault = await driver.ended
        assert fault is not None
        assert "KeyError" in fault
        assert "\n" not in fault
        handled = len(node.handled)
        driver.feed(Tick())
        assert len(node.handled) == handled

    with caplog.at_level(logging.CRITICAL, "pychain.daemon.driver"):
        run(scenario())
    assert [record.exc_info is not None for record in caplog.records] == [True]
