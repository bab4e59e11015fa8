"""The Stratum server: connections, templates for them, and submission of their blocks to the node."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress

from pychain.api.backend import NodeEndedError
from pychain.api.hub import EventHub
from pychain.base.time import Now
from pychain.chain.block import Block
from pychain.chain.hashes import hash_hex
from pychain.daemon.clock import Clock
from pychain.daemon.stratum.connection import MinerConnection
from pychain.ledger.template import BlockTemplate
from pychain.node.events import Event, NewTip
from pychain.node.queries import Queries
from pychain.node.requests import Answer, GetTemplate, Request, SubmitBlock
from pychain.p2p.netaddress import NetAddress
from pychain.stratum.server.jobs import Workbook
from pychain.stratum.server.limits import (
    EXTRANONCE1_BYTES,
    MANY_TRANSFERS,
    MAX_CONNECTIONS,
    MAX_CONNECTIONS_A_HOST,
    NEXT_JOB_S,
    POLL_S,
    RECEIVE_BYTES,
    REFRESH_S,
    SLICE_CONNECTIONS,
    SWEEP_S,
)
from pychain.stratum.server.registry import Registry
from pychain.stratum.server.session import Effect, Session, Solved
from pychain.system.entropy import SystemEntropy

_log = logging.getLogger(__name__)

_EXTRANONCES = 1 << 8 * EXTRANONCE1_BYTES


class StratumServer:
    """One per daemon; loop thread only. Templates are requested only while somebody mines."""

    def __init__(
        self, queries: Queries, ask: Callable[[Request], Awaitable[Answer]], events: EventHub, clock: Clock, room: int
    ) -> None:
        """`room`: the connections that the descriptors allow."""
        entropy = SystemEntropy()
        self.clock = clock
        self.buffer = memoryview(bytearray(RECEIVE_BYTES))
        self.listening = ""
        """host:port, once it is listening."""
        self._queries = queries
        self._ask = ask
        self._events = events
        self._max_connections = min(MAX_CONNECTIONS, room)
        self._workbook = Workbook(entropy)
        self._registry = Registry(clock.now().mono_ns)
        self._extranonces = itertools.count(int.from_bytes(entropy.bytes(EXTRANONCE1_BYTES), "big"))
        self._connections: dict[MinerConnection, Session] = {}
        self._hosts: Counter[str] = Counter()
        self._wanted = asyncio.Event()
        self._handed_out = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._closing = False

    async def start(self, listener: socket.socket) -> None:
        """Accept connections on a bound socket, which the server then owns."""
        self.listening = NetAddress.observed(*listener.getsockname()[:2]).host_port
        self._events.listen(self._on_event)
        self._server = await asyncio.get_running_loop().create_server(lambda: MinerConnection(self), sock=listener)
        self._begin(self._supply())
        self._begin(self._sweep())

    async def close(self) -> None:
        """Stop listening and close all connections."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self._connections):
            connection.abort("this node is stopping")
        await asyncio.sleep(0)  # lets the connections notice

    def __len__(self) -> int:
        """The number of open connections."""
        return len(self._connections)

    @property
    def registry(self) -> Registry:
        """Share counts."""
        return self._registry

    @property
    def sessions(self) -> Collection[Session]:
        """The sessions of the open connections."""
        return self._connections.values()

    # --- called by connections

    def admit(self, connection: MinerConnection, host: str, port: int) -> Session | None:
        if self._closing or self._hosts[host] >= MAX_CONNECTIONS_A_HOST or not self._has_room():
            _log.debug("stratum: %s refused, %d connections are open", host, len(self._connections))
            return None
        extranonce1 = (next(self._extranonces) % _EXTRANONCES).to_bytes(EXTRANONCE1_BYTES, "big")
        peer = NetAddress.observed(host, port).host_port
        session = Session(self._queries.spec, self._workbook, self._registry, peer, extranonce1, self.clock.now())
        self._connections[connection] = session
        self._hosts[host] += 1
        return session

    def heard(self, connection: MinerConnection) -> None:
        if self._workbook.template is None and self._connections[connection].is_ready:
            self._wanted.set()

    def solved(self, solved: Solved, connection: MinerConnection) -> None:
        self._begin(self._submit(solved, connection))

    def release(self, connection: MinerConnection, reason: str) -> None:
        session = self._connections.pop(connection)
        self._hosts[connection.host] -= 1
        if not self._hosts[connection.host]:
            del self._hosts[connection.host]
        session.close()
        _log.debug("stratum: %s disconnected: %s", session.peer, reason)

    def _has_room(self) -> bool:
        """Whether there is room for one more; the oldest connection that has not logged in is evicted if necessary."""
        if len(self._connections) < self._max_connections:
            return True
        idle = next((each for each, session in self._connections.items() if not session.is_ready), None)
        if idle is not None:
            idle.abort("its slot was needed")
        return False

    # --- templates

    def _on_event(self, event: Event) -> None:
        if isinstance(event, NewTip):
            self._wanted.set()

    async def _supply(self) -> None:
        """Fetch a template for every new tip, and at intervals in between, and send jobs."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S if self._workbook.template is None else REFRESH_S):
                    await self._wanted.wait()
            self._wanted.clear()
            mines = any(session.is_ready for session in self._connections.values())
            self._workbook.renew(await self._template() if mines and not self._queries.sync().behind else None)
            await self._each(Session.offer)
            async with self._handed_out:
                self._handed_out.notify_all()

    async def _template(self) -> BlockTemplate | None:
        """A template that can be mined now; None if the node has stopped, or the chain is ahead of its clock."""
        try:
            template = await self._ask(GetTemplate())
        except NodeEndedError:
            return None
        if not isinstance(template, BlockTemplate):  # the node is stopping
            return None
        if len(template.transfers) > MANY_TRANSFERS:
            await asyncio.to_thread(lambda: template.merkle_branch)
        return template if template.time <= template.max_time else None

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            await self._each(Session.tick)

    async def _each(self, act: Callable[[Session, Now], list[Effect]]) -> None:
        """Let every session act, in slices, yielding to the loop in between."""
        for place, connection in enumerate(list(self._connections), 1):
            if (session := self._connections.get(connection)) is not None:
                connection.carry(act(session, self.clock.now()))
            if place % SLICE_CONNECTIONS == 0:
                await asyncio.sleep(0)

    # --- blocks

    async def _submit(self, solved: Solved, connection: MinerConnection) -> None:
        """Submit a block, and answer the miner that found it."""
        session = self._connections[connection]
        name = hash_hex(solved.block.hash)
        try:
            refused = await self._ask(SubmitBlock(solved.block.raw))
        except NodeEndedError:
            return
        if refused is None:
            for tally in (session.tally, solved.worker.tally, self._registry.total):
                tally.blocks += 1
            _log.info("stratum: %s mined block %s", solved.worker.user, name)
            await self._next_job(solved.block)
        else:
            _log.warning("stratum: block %s of %s did not become the tip: %s", name, solved.worker.user, refused)
        connection.say(solved.answer)

    async def _next_job(self, block: Block) -> None:
        """Wait, with a timeout, until no connection has jobs on this block's parent."""
        with suppress(TimeoutError):
            async with asyncio.timeout(NEXT_JOB_S), self._handed_out:
                await self._handed_out.wait_for(lambda: not self._workbook.is_on(block.header.prev_hash))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
