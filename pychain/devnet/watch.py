"""Watching a devnet: a picture twice a second in a terminal, a line every two seconds in a pipe, until the end."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext

import msgspec
from rich.console import Console
from rich.live import Live

from pychain.devnet.observer import Observer, Picture
from pychain.devnet.traffic import Traffic
from pychain.devnet.view import DevnetView

TERMINAL_PERIOD_S = 0.5
PIPE_PERIOD_S = 2.0


class Watch:
    """Shows pictures until the time is up or `end` is called. refresh: called before each, returns the faults."""

    def __init__(
        self, observer: Observer, traffic: Traffic, view: DevnetView, refresh: Callable[[], list[str]], *, json: bool
    ) -> None:
        self._observer = observer
        self._refresh = refresh
        self._traffic = traffic
        self._view = view
        self._json = json
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Stop."""
        self._ended.set()

    async def run(self, seconds: float | None) -> None:
        """Watch for this time, or (None) until `end` is called."""
        terminal = sys.stdout.isatty() and not self._json
        begin = time.monotonic()
        with Live(console=Console(), auto_refresh=False) if terminal else nullcontext() as live:
            while not self._ended.is_set():
                faults = self._refresh()
                picture = await self._observer.look()
                elapsed = time.monotonic() - begin
                remaining = None if seconds is None else seconds - elapsed
                if live is not None:
                    panel = self._view.panel(picture, elapsed, self._traffic.sent, remaining, faults)
                    live.update(panel, refresh=True)
                else:
                    self._print(picture, elapsed, faults)
                if remaining is not None and remaining <= 0:
                    return
                period = TERMINAL_PERIOD_S if terminal else PIPE_PERIOD_S
                await self._pause(period if remaining is None else min(period, remaining))

    def _print(self, picture: Picture, elapsed: float, faults: list[str]) -> None:
        if self._json:
            told = {"elapsed_s": round(elapsed, 1), **_fields(picture), "faults": faults}
            print(msgspec.json.encode(told).decode(), flush=True)
        else:
            print(self._view.line(picture, elapsed, faults), flush=True)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return


def _fields(picture: Picture) -> dict[str, object]:
    """A picture for programs: without the blocks, which the API shows better."""
    return {
        "standing": picture.standing,
        "tips": [{"hash": tip, "nodes": nodes} for tip, nodes in picture.tips],
        "nodes": picture.nodes,
        "mined": picture.mined,
        "news": picture.news,
    }
