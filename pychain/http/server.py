"""The server: accepts connections on one socket, closes idle and incomplete ones, and stops cleanly."""

from __future__ import annotations

import asyncio
import socket

from pychain.http.connection import Connection
from pychain.http.message import App

MAX_CONNECTIONS = 10_000
"""Calls and event streams together; each takes about 10 KB."""
REQUEST_TIMEOUT_S = 30
"""From a connection's opening, or a request's first byte, to the request's last byte."""
KEEP_ALIVE_S = 75
"""How long an idle connection stays open, as in most servers: reconnecting costs the client more than it costs us."""
SWEEP_S = 5.0
GRACE_S = 2.0
"""How long running requests may take when the node stops."""
BACKLOG = 1024
"""The listen backlog: thousands of listeners may connect at once."""


class HttpServer:
    """Serves an application on one listening socket. `tick` counts sweeps, `responses` counts by status."""

    def __init__(self, app: App, max_connections: int = MAX_CONNECTIONS) -> None:
        self.app = app
        self.tick = 0
        self.connections: dict[Connection, None] = {}
        self.responses: dict[int, int] = {}
        self._max_connections = max_connections
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self, listener: socket.socket) -> None:
        """Accept connections on a bound socket, which the server then owns."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), sock=listener, backlog=BACKLOG)
        self._sweeper = loop.call_later(SWEEP_S, self._sweep)

    def admits(self, connection: Connection) -> bool:
        return len(self.connections) < self._max_connections

    async def close(self) -> None:
        """Accept no more requests, let running ones end within the grace, and cancel the rest."""
        if self._server is None or self._sweeper is None:
            return
        self._sweeper.cancel()
        self._server.close()
        tasks = [task for connection in list(self.connections) if (task := connection.finish()) is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE_S)
            for task in late:
                task.cancel()
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)  # lets the aborted connections notice
        self._server = None

    def _sweep(self) -> None:
        """Close connections that are incomplete or idle for too long."""
        self.tick += 1
        overdue = self.tick - REQUEST_TIMEOUT_S / SWEEP_S
        idle = self.tick - KEEP_ALIVE_S / SWEEP_S
        for connection in list(self.connections):
            if connection.owes_since is not None and connection.owes_since < overdue:
                connection.abort()
            elif connection.idle_since is not None and connection.idle_since < idle:
                connection.close()
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
