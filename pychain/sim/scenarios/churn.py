"""Churn: nodes crash at random times and restart; nothing that was durable is lost."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from pychain.base.time import seconds
from pychain.node.events import NewTip
from pychain.p2p.draws import exponential
from pychain.sim.chronicle import Figures
from pychain.sim.host import Host
from pychain.sim.scenario import Blocks, Delay, Interval, Parameters, Rate, Scenario
from pychain.sim.stage import GENESIS_WORK, Stage, scattered, spec_of


class Churn(Parameters, frozen=True, kw_only=True):
    """Nodes crash repeatedly; at least one is always running."""

    nodes: Annotated[int, Meta(ge=2, le=1000, description="miners, randomly connected")] = 6
    blocks: Blocks = 60
    interval: Interval = 10.0
    delay: Delay = 50.0
    transfers: Rate = 0.5
    up: Annotated[float, Meta(gt=0, le=1e6, description="mean seconds between crashes of the network")] = 15.0
    down: Annotated[float, Meta(gt=0, le=1e6, description="mean seconds until a node restarts")] = 10.0


class ChurnFigures(Figures, kw_only=True):
    """crashes: of all nodes together; blocks_kept: how many announced blocks were found again after crashes."""

    crashes: int
    blocks_kept: int


class Crashes:
    """Crashes nodes at random times, and checks what is left after each restart."""

    def __init__(self, stage: Stage, hosts: list[Host], churn: Churn) -> None:
        self._stage = stage
        self._hosts = hosts
        self._up_ns, self._down_ns = seconds(churn.up), seconds(churn.down)
        self._over = False
        self.count = 0
        self.kept = 0
        self._plan()

    def end(self) -> None:
        """End the crashes, and restart all nodes."""
        self._over = True
        for host in self._hosts:
            if not host.is_running:
                self._start(host)

    def _plan(self) -> None:
        self._stage.world.heap.after(exponential(self._stage.random, self._up_ns), self._crash)

    def _crash(self) -> None:
        if self._over:
            return
        running = [host for host in self._hosts if host.is_running]
        if len(running) > 1:
            victim = running[self._stage.random.below(len(running))]
            victim.crash()
            self.count += 1
            back_ns = exponential(self._stage.random, self._down_ns)
            self._stage.world.heap.after(back_ns, partial(self._start, victim))
        self._plan()

    def _start(self, host: Host) -> None:
        """Restart a node: every tip that it announced must be there, and its tip no lighter than the last of them."""
        if host.is_running:
            return
        host.start()
        queries = host.node.queries
        announced = [event.header.hash for event in host.events if isinstance(event, NewTip)]
        entries = [queries.entry(block_hash) for block_hash in announced]
        for block_hash, entry in zip(announced, entries, strict=True):
            if entry is None or host.store.body(block_hash) is None:
                self._stage.fail(f"{host.name} lost block {block_hash[::-1].hex()}, which it had announced")
        if entries and entries[-1] is not None and queries.tip.work < entries[-1].work:
            self._stage.fail(f"{host.name} restarted at height {queries.tip.height}, below {entries[-1].height}")
        self.kept += len(announced)


def play(stage: Stage, churn: Churn) -> ChurnFigures:
    """Mine while nodes crash, then converge."""
    stage.open(spec_of(max(1, round(churn.interval))), churn.delay)
    miners = stage.miners(scattered(churn.nodes, stage.random), GENESIS_WORK / churn.interval)
    stage.world.start()
    stage.pay(miners, churn.transfers)
    crashes = Crashes(stage, miners, churn)
    slowest = churn.interval * churn.nodes  # if only one node runs
    stage.play_to(churn.blocks, slowest)
    crashes.end()
    stage.settle(miners, churn.interval)
    return ChurnFigures(**asdict(stage.close(miners)), crashes=crashes.count, blocks_kept=crashes.kept)


CHURN = Scenario(
    "churn",
    "nodes crash at random times and restart with all that was durable",
    Churn,
    play,
    ("crashes", "blocks_kept", "stale_rate", "deepest"),
)
