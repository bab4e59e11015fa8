"""A devnet in the foreground: start, watch, let the nodes agree, audit, stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress

from pychain import native
from pychain.base.units import format_coins
from pychain.devnet.audit import audit, settle
from pychain.devnet.errors import DevnetError
from pychain.devnet.keys import node_address
from pychain.devnet.links import describe
from pychain.devnet.network import Devnet
from pychain.devnet.observer import Observer
from pychain.devnet.traffic import Traffic
from pychain.devnet.view import DevnetView
from pychain.devnet.watch import Watch

SETTLE_TIMEOUT_S = 30.0
"""Time for all nodes to reach one tip once mining has stopped: they need the last block and little more."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Session:
    """One run. mine: let all nodes mine. transfers: per second, between the nodes' keys. audited: at the end, compare
    the accounts with what was issued, which needs a chain on which only these keys were ever paid. json: print pictures
    as JSON.
    """

    def __init__(self, devnet: Devnet, *, mine: bool, transfers: float, audited: bool, json: bool) -> None:
        self._devnet = devnet
        self._mine = mine
        self._transfers = transfers
        self._audited = audited
        self._json = json

    async def run(self, seconds: float | None) -> None:
        """Run for this time, or (None) until Ctrl-C; no node is ever left running. DevnetError if the nodes do not
        agree at the end."""
        plan = self._devnet.plan
        self._say(f"starting {plan.count} nodes on '{plan.spec.name}' in {plan.directory}")
        if native.fallback_reason is not None:
            self._say(native.fallback_reason)
        await self._devnet.start()
        try:
            nodes = self._devnet.nodes
            observer = Observer([node.client for node in nodes], lambda index: nodes[index].is_awake)
            await self._watch(observer, seconds)
            await self._heal(observer)
            await self._conclude(observer)
        finally:
            await self._devnet.stop()

    async def _watch(self, observer: Observer, seconds: float | None) -> None:
        plan = self._devnet.plan
        traffic = Traffic(plan.spec, lambda index: self._devnet.nodes[index].client, plan.count)
        miners = {node_address(plan.spec, index): index for index in range(plan.count)}
        title = f"pychain devnet · {plan.spec.name} · {plan.count} nodes, {plan.topology}"
        view = DevnetView(title, miners)
        watch = Watch(observer, traffic, view, lambda: self._catch_up(observer), json=self._json)
        self._end_on_signals(watch)
        if self._mine:
            await self._devnet.mine()
        paying = asyncio.create_task(traffic.run(self._transfers)) if self._transfers else None
        try:
            await watch.run(seconds)
        finally:
            if paying is not None:
                paying.cancel()
                with suppress(asyncio.CancelledError):
                    await paying

    def _catch_up(self, observer: Observer) -> list[str]:
        """Continue with nodes that were restarted from another shell; returns the faults. DevnetError if all were
        stopped."""
        for node in self._devnet.refresh():
            observer.replace(node.index, node.client)
        record = self._devnet.record
        if record.relay is None:
            raise DevnetError("the nodes were stopped from another shell")
        killed = [f"node{node.index} was killed" for node in self._devnet.nodes if node.record.killed]
        return [*describe(record.links, self._devnet.plan.count), *killed]

    async def _heal(self, observer: Observer) -> None:
        """Undo the faults of the network, since it could not agree otherwise."""
        self._catch_up(observer)
        if await self._devnet.heal():
            self._say("links that were cut or slow are healed")
        for node in self._devnet.nodes:
            if node.record.killed:
                self._say(f"node{node.index} was killed and is ignored")
            elif node.process.identity.is_paused:
                node.process.resume()
                self._say(f"node{node.index} was paused and is resumed")

    async def _conclude(self, observer: Observer) -> None:
        picture = await settle(self._devnet, observer, SETTLE_TIMEOUT_S)
        leader = picture.leader
        assert leader is not None
        forks = sum(node.reorganisations for node in picture.alive)
        self._say(f"all {len(picture.alive)} nodes agree at height {leader.height:,} on {leader.tip}")
        self._say(f"reorganisations on the way: {forks}")
        if self._audited:
            supply = await audit(self._devnet)
            self._say(f"on each node the accounts hold exactly the {format_coins(supply)} coins issued")

    def _end_on_signals(self, watch: Watch) -> None:
        """The first signal ends the watch cleanly, a second one kills the nodes."""
        loop = asyncio.get_running_loop()

        def interrupted() -> None:
            for number in _SIGNALS:
                loop.add_signal_handler(number, self._devnet.kill_all)
            watch.end()

        for number in _SIGNALS:
            loop.add_signal_handler(number, interrupted)

    def _say(self, line: str) -> None:
        """Print a line for people; with --json, standard output is only for pictures."""
        print(line, file=sys.stderr if self._json else sys.stdout, flush=True)
