"""The thread that writes to the store: commits in order, and between them the maintenance that commits leave.

A commit waits for at most one step of maintenance. When there is no commit for a while, all of it is done, so that an
idle node uses little memory and starts quickly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from pychain.ledger.store import WritableStore

QUIET_S = 5.0
"""Without a commit for this long the node counts as idle."""


class Committer:
    """One thread beside the loop. `fail` is called on the loop with an exception that is a bug."""

    def __init__(self, store: WritableStore, fail: Callable[[BaseException], None], quiet_s: float = QUIET_S) -> None:
        self._store = store
        self._fail = fail
        self._quiet_s = quiet_s
        self._loop = asyncio.get_running_loop()
        self.pool = ThreadPoolExecutor(1, "commit")
        self._tending = False
        """A step is queued or running."""
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
        """Drop what has not begun, and wait for the rest."""
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
        """On the thread: run one step, and queue the next behind the waiting commits."""
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
