"""The live view: one node at a glance in a terminal, redrawn in place twice a second, while the log goes to a file."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pychain.api.context import Context
from pychain.base.text import format_hash_rate, format_span, printable
from pychain.base.time import NS
from pychain.chain.hashes import hash_hex
from pychain.daemon.log import describe
from pychain.node.events import Event, NewTip

PERIOD_S = 0.5
RECENT_LINES = 6


class LiveView:
    """Shown from `__aenter__` to `__aexit__`, which leaves the last frame and the cursor below it."""

    def __init__(self, context: Context, console: Console | None = None) -> None:
        self._context = context
        self._live = Live(console=console, auto_refresh=False)
        self._recent: deque[str] = deque(maxlen=RECENT_LINES)
        self._reorganisations = 0
        self._deepest = 0
        self._task: asyncio.Task[None] | None = None
        context.backend.listen(self._note)

    async def __aenter__(self) -> LiveView:
        self._live.start()
        self._task = asyncio.get_running_loop().create_task(self._redraw())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        self._live.update(self.picture(), refresh=True)
        self._live.stop()

    async def _redraw(self) -> None:
        while True:
            self._live.update(self.picture(), refresh=True)
            await asyncio.sleep(PERIOD_S)

    def _note(self, event: Event) -> None:
        if isinstance(event, NewTip) and event.disconnected:
            self._reorganisations += 1
            self._deepest = max(self._deepest, len(event.disconnected))
        level, text, _ = describe(event)
        if level >= logging.INFO:
            moment = time.strftime("%H:%M:%S", time.localtime())
            self._recent.append(f"{moment} {printable(text)}")

    def picture(self) -> RenderableType:
        """The current frame."""
        rows = Table.grid(padding=(0, 2))
        rows.add_column(style="dim", no_wrap=True)
        rows.add_column()
        for name, value in self._facts():
            rows.add_row(name, value)
        recent = Text("\n".join(self._recent), style="dim", no_wrap=True, overflow="ellipsis")
        up = format_span(self._context.uptime_ns() // NS)
        title = f"pychain · {self._context.spec.name} · up {up}"
        return Panel(Group(rows, Text(), recent), title=title, title_align="left", subtitle="Ctrl-C stops the node")

    def _facts(self) -> list[tuple[str, RenderableType]]:
        queries = self._context.queries
        tip, mempool = queries.tip, queries.mempool
        age = max(0, self._context.clock.now().wall_s - tip.header.time)
        facts: list[tuple[str, RenderableType]] = [
            ("height", f"{tip.height:,}"),
            ("last block", f"{hash_hex(tip.hash)}, {format_span(age)} ago"),
        ]
        sync = queries.sync()
        if sync.behind:
            bar = Table.grid(padding=(0, 1))
            left = self._context.forecast.seconds_left()
            so_far = f"{sync.blocks:,} of {sync.headers:,}" + ("" if left is None else f", {format_span(left)} left")
            bar.add_row(ProgressBar(total=1.0, completed=sync.progress, width=30), so_far)
            facts.append(("syncing", bar))
        return [
            *facts,
            ("peers", self._peers()),
            ("mempool", f"{len(mempool):,} transfers, {mempool.bytes:,} bytes"),
            ("forks", self._forks()),
            ("mining", self._mining()),
        ]

    def _peers(self) -> str:
        peers = [peer for peer in self._context.queries.peers() if peer.hello is not None]
        inbound = sum(peer.inbound for peer in peers)
        listening = ", ".join(address.host_port for address in self._context.machine.addresses)
        return f"{len(peers) - inbound} out, {inbound} in" + (f"; listening on {listening}" if listening else "")

    def _forks(self) -> str:
        if not self._reorganisations:
            return "none since the start"
        return f"{self._reorganisations} reorganisations, the deepest of {self._deepest} blocks"

    def _mining(self) -> str:
        miner = self._context.machine.miner
        if miner.template is None:
            return "off" if self._context.queries.mining_to is None else "waiting"
        if not miner.threads:
            return f"by other programs, block {miner.template.height:,} is next"
        threads = "1 thread" if miner.threads == 1 else f"{miner.threads} threads"
        return f"{format_hash_rate(miner.hash_rate())} on block {miner.template.height:,}, {threads}"
