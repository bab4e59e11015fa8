"""A miner's output: log lines, JSON objects one per line, or a live view in a terminal."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pychain.base.text import format_hash_rate, format_span, printable
from pychain.base.time import NS
from pychain.miner.pool import Fields, PoolMiner

_log = logging.getLogger(__name__)

RATE_PERIOD_S = 30.0
"""How often lines report the hash rate."""
REDRAW_S = 0.5
RECENT_LINES = 6


class Reporter(Protocol):
    """Receives a miner's events."""

    def tell(self, event: str, text: str, fields: Fields) -> None: ...

    async def watch(self, miner: PoolMiner) -> None:
        """Show its state, until cancelled."""
        ...


def summary(miner: PoolMiner, hash_rate: float) -> Fields:
    """A miner's state, in numbers."""
    tally = miner.tally
    return {
        "connected": tally.connected,
        "hashespersec": round(hash_rate),
        "hashes": miner.hashes,
        "difficulty": tally.difficulty,
        "jobs": tally.jobs,
        "accepted": tally.accepted,
        "rejected": tally.rejected,
        "stale": tally.stale,
        "blocks": tally.blocks,
    }


def summary_line(miner: PoolMiner, hash_rate: float) -> str:
    """The same, for a person."""
    tally = miner.tally
    return (
        f"{format_hash_rate(hash_rate)}, {tally.accepted} accepted, {tally.rejected} rejected, "
        f"{tally.stale} stale, {tally.blocks} blocks"
    )


class LineReporter:
    """One line per event, passed to `write` with its kind, text and fields; the rate from time to time."""

    def __init__(self, write: Callable[[str, str, Fields], None]) -> None:
        self._write = write

    def tell(self, event: str, text: str, fields: Fields) -> None:
        self._write(event, text, fields)

    async def watch(self, miner: PoolMiner) -> None:
        while True:
            await asyncio.sleep(RATE_PERIOD_S)
            rate = miner.hash_rate()
            self._write("rate", summary_line(miner, rate), summary(miner, rate))


def write_log(event: str, text: str, fields: Fields) -> None:
    """A line of the log."""
    _log.info("%s", text, extra={"fields": {"event": event, **fields}})


def write_json(event: str, text: str, fields: Fields) -> None:
    """A JSON object on standard output."""
    print(msgspec.json.encode({"event": event, **fields}).decode(), flush=True)


class LiveReporter:
    """The live view, as a context manager; its last state stays on the screen."""

    def __init__(self, console: Console | None = None) -> None:
        self._live = Live(console=console, auto_refresh=False)
        self._recent: deque[str] = deque(maxlen=RECENT_LINES)
        self._miner: PoolMiner | None = None

    def __enter__(self) -> LiveReporter:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._miner is not None:
            self._live.update(picture(self._miner, self._recent), refresh=True)
        self._live.stop()

    def tell(self, event: str, text: str, fields: Fields) -> None:
        self._recent.append(f"{time.strftime('%H:%M:%S', time.localtime())} {printable(text)}")

    async def watch(self, miner: PoolMiner) -> None:
        self._miner = miner
        while True:
            self._live.update(picture(miner, self._recent), refresh=True)
            await asyncio.sleep(REDRAW_S)


def picture(miner: PoolMiner, recent: deque[str]) -> Panel:
    """The present content of the live view."""
    tally = miner.tally
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column()
    threads = "1 thread" if miner.threads == 1 else f"{miner.threads} threads"
    rows.add_row("server", miner.server.host_port + ("" if tally.connected else ", not connected"))
    rows.add_row("user", Text(printable(miner.server.user)))
    rows.add_row("hash rate", f"{format_hash_rate(miner.hash_rate())}, {threads}")
    rows.add_row("shares", f"{tally.accepted} accepted, {tally.rejected} rejected, {tally.stale} stale")
    rows.add_row("blocks", str(tally.blocks))
    rows.add_row("difficulty", f"{tally.difficulty:g}")
    lines = Text("\n".join(recent), style="dim", no_wrap=True, overflow="ellipsis")
    title = f"pychain miner · up {format_span((time.monotonic_ns() - tally.begun_ns) // NS)}"
    return Panel(Group(rows, Text(), lines), title=title, title_align="left", subtitle="Ctrl-C stops")
