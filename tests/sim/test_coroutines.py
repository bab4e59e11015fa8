"""Coroutines in virtual time: their order, their waits, and their ends."""

from __future__ import annotations

import asyncio
from collections.abc import Generator

import pytest

from pychain.base.time import NS
from pychain.sim.coroutines import CancelledError, Future, Signal, Task, Timers
from pychain.sim.events import EventHeap


class Stage:
    """A heap, and what happened on it."""

    def __init__(self) -> None:
        self.heap = EventHeap()
        self.timers = Timers(self.heap)
        self.heard: list[object] = []

    def run(self) -> None:
        while not self.heap.is_empty:
            self.heap.step(self.heap.now_ns + 1000 * NS)

    async def sleeper(self, name: str, *spans: float) -> str:
        for span in spans:
            await self.timers.sleep(span)
            self.heard.append((name, self.heap.now_ns / NS))
        return name


def test_steps_run_in_the_order_of_their_times_and_then_of_their_planning() -> None:
    stage = Stage()
    tasks = [Task(stage.timers, stage.sleeper(name, *spans)) for name, spans in (("a", (2, 1)), ("b", (1, 1)))]
    assert stage.heard == []
    stage.run()
    assert stage.heard == [("b", 1), ("a", 2), ("b", 2), ("a", 3)]
    assert [task.ended.result() for task in tasks] == ["a", "b"]


def test_what_a_coroutine_raises_is_its_result() -> None:
    async def fail(stage: Stage) -> None:
        await stage.timers.sleep(1)
        raise ZeroDivisionError

    stage = Stage()
    task = Task(stage.timers, fail(stage))
    stage.run()
    with pytest.raises(ZeroDivisionError):
        task.ended.result()


def test_a_signal_wakes_all_who_wait_even_if_it_is_cleared_at_once() -> None:
    async def wait(timeout_s: float | None) -> tuple[bool, int]:
        return await signal.wait(timeout_s), stage.heap.now_ns // NS

    stage = Stage()
    signal = Signal(stage.timers)
    tasks = [Task(stage.timers, wait(timeout_s)) for timeout_s in (None, 5, 2)]
    stage.heap.at(3 * NS, lambda: (signal.set(), signal.clear()))  # type: ignore[arg-type, return-value]
    stage.run()
    assert [task.ended.result() for task in tasks] == [(True, 3), (True, 3), (False, 2)]
    late = Task(stage.timers, wait(1))
    stage.run()
    assert late.ended.result() == (False, 6)
    signal.set()
    assert Task(stage.timers, wait(None)).ended.result() == (True, 6), "it need not wait at all"


def test_a_task_that_is_cancelled_cleans_up_and_goes_no_further() -> None:
    async def work() -> None:
        try:
            await stage.sleeper("work", 1, 1, 1)
        finally:
            stage.heard.append("cleaned up")

    stage = Stage()
    task = Task(stage.timers, work())
    stage.heap.at(1_500_000_000, task.cancel)
    stage.run()
    assert stage.heard == [("work", 1), "cleaned up"]
    with pytest.raises(CancelledError):
        task.ended.result()
    task.cancel()  # again is nothing


def test_what_is_not_of_the_simulation_cannot_be_awaited() -> None:
    class Other:
        def __await__(self) -> Generator[str, None, None]:
            yield "a future of something else"

    async def work() -> None:
        await Other()

    with pytest.raises(TypeError, match="not of the simulation"):
        Task(Stage().timers, work())


def test_the_first_result_counts() -> None:
    future: Future[int] = Future()
    heard: list[int] = []
    future.then(lambda: heard.append(future.result()))
    future.resolve(1)
    future.resolve(2)
    future.fail(ZeroDivisionError())
    future.then(lambda: heard.append(future.result()))
    assert heard == [1, 1]


def test_no_event_loop_is_needed_and_one_that_runs_does_no_harm() -> None:
    async def inside() -> list[object]:
        stage = Stage()
        Task(stage.timers, stage.sleeper("a", 1, 1))
        stage.run()
        return stage.heard

    assert asyncio.run(inside()) == [("a", 1), ("a", 2)]
