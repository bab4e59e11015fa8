"""The thread that writes to the store: commits in order, and between them what commits left for later.

A commit that comes waits for one step of that at most. When no commit has come for a while, all of it is done, so an
idle node holds little in memory and begins at once when it is started again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from pychain.ledger.store import WritableStore

QUIET_S = 5.0
"""Without a commit for so long the node counts as idle."""


class Committer:
    """One thread beside the loop. `fail` is told on the loop of an exception that is a bug."""

    def __init__(self, store: WritableStore, fail: Callable[[BaseException], None], quiet_s: float = QUIET_S) -> None:
        self._store = store
        self._fail = fail
        self._quiet_s = quiet_s
        self._loop = asyncio.get_running_loop()
        self.pool = ThreadPoolExecutor(1, "commit")
        self._tending = False
        """A step is queued or under way."""
        self._is_quiet = False
        self._timer: asyncio.TimerHandle | None = None

    def submit(self, commit: Callable[[], None]) -> None:
        """Run a commit when its turn comes. It must not raise."""
        self.pool.submit(commit)
        self._is_quiet = False
        self._tend()
        self._stop_waiting()
        self._timer = self._loop.call_later(self._quiet_s, self._on_quiet)

    async def close(self) -> None:
        """Drop what has not begun, and wait for what has."""
        self._stop_waiting()
        self.pool.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self.pool.shutdown)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _on_quiet(self) -> None:
        self._is_quiet = True
        self._tend()

    def _tend(self) -> None:
        if not self._tending:
            self._tending = True
            self.pool.submit(self._step)

    def _step(self) -> None:
        """On the thread: one step, and the next one behind the commits that wait by then."""
        try:
            more = self._store.tend(self._is_quiet)
        except Exception as error:
            self._loop.call_soon_threadsafe(self._fail, error)
            return
        if more:
            with suppress(RuntimeError):  # the pool has been shut down
                self.pool.submit(self._step)
        else:
            self._tending = False
