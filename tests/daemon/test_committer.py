"""The committer: steps of the store's own work between commits, all of it when nothing is committed for a while."""

from __future__ import annotations

import asyncio
import threading

from pychain.daemon.committer import Committer
from pychain.ledger.memory_store import MemoryStore
from tests.conftest import Run

LONG_S = 3600.0


class Busy(MemoryStore):
    """A store with a number of maintenance steps, of which the last `kept` are only done when it is idle."""

    def __init__(self, steps: int, kept: int = 0) -> None:
        super().__init__()
        self.left = steps
        self.kept = kept
        self.happened: list[str] = []
        self.done = threading.Event()
        self.go_on = threading.Semaphore(0)
        self.began = threading.Semaphore(0)

    def tend(self, quiet: bool) -> bool:
        self.began.release()
        assert self.go_on.acquire(timeout=30)
        enough = 0 if quiet else self.kept
        if self.left > enough:
            self.left -= 1
            self.happened.append("step")
        if not self.left:
            self.done.set()
        return self.left > enough


def failed(error: BaseException) -> None:
    raise AssertionError("nothing was to fail") from error


def test_a_commit_waits_for_one_step_at_most(run: Run[None]) -> None:
    async def scenario() -> None:
        store = Busy(steps=4)
        committer = Committer(store, failed, LONG_S)
        committer.submit(lambda: store.happened.append("first"))
        await asyncio.to_thread(store.began.acquire)  # the first step is under way
        for name in ("second", "third"):
            committer.submit(lambda name=name: store.happened.append(name))  # type: ignore[misc]
        store.go_on.release(100)
        await asyncio.to_thread(store.done.wait, 30)
        assert store.happened == ["first", "step", "second", "third", "step", "step", "step"]
        await committer.close()

    run(scenario())


def test_in_a_quiet_time_all_is_done(run: Run[None]) -> None:
    async def scenario() -> None:
        store = Busy(steps=5, kept=3)
        store.go_on.release(100)
        committer = Committer(store, failed, 0.01)
        committer.submit(lambda: store.happened.append("commit"))
        await asyncio.to_thread(store.done.wait, 30)
        assert store.happened == ["commit", *["step"] * 5]
        await committer.close()

    run(scenario())


def test_closing_waits_for_the_step_under_way_and_no_longer(run: Run[None]) -> None:
    async def scenario() -> None:
        store = Busy(steps=9)
        committer = Committer(store, failed, 0.01)
        committer.submit(lambda: None)
        await asyncio.to_thread(store.began.acquire)
        closing = asyncio.get_running_loop().create_task(committer.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        store.go_on.release(100)
        await closing
        assert store.happened == ["step"]

    run(scenario())


def test_a_bug_in_the_work_is_told_on_the_loop(run: Run[None]) -> None:
    class Broken(MemoryStore):
        def tend(self, quiet: bool) -> bool:
            raise ZeroDivisionError

    async def scenario() -> None:
        told: asyncio.Future[tuple[BaseException, int]] = asyncio.get_running_loop().create_future()
        committer = Committer(Broken(), lambda error: told.set_result((error, threading.get_ident())), LONG_S)
        committer.submit(lambda: None)
        error, thread = await told
        assert isinstance(error, ZeroDivisionError)
        assert thread == threading.get_ident()
        await committer.close()

    run(scenario())
