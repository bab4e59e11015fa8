"""The HTTP server: uvicorn's protocol in the node's own loop, without the process that uvicorn builds around it.

What uvicorn leaves open is closed here: a caller that never finishes a request, and a head without end.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from pychain.daemon.api.http import HttpApp

_log = logging.getLogger(__name__)

MAX_CONNECTIONS = 10_000
"""Calls and event streams together; each costs some 20 KB."""
MAX_HEAD_BYTES = 64 * 1024
"""Request line and headers; browsers and libraries send under 8 KiB. A read may bring more at once, so the head can
pass this by one read."""
REQUEST_TIMEOUT_S = 30
"""From a connection's opening, or a request's first byte, to its last."""
KEEP_ALIVE_S = 75
"""How long an idle connection stays, as in most servers: reconnecting costs a caller more than it costs us."""
SWEEP_S = 5.0
GRACE_S = 2.0
"""How long answers under way may take when the node stops."""


class _Joined:
    """A transport that sends what is written within one turn of the loop at once: uvicorn writes an answer's head and
    body apart, and the second system call costs as much as serving a small request."""

    __slots__ = ("_loop", "_parts", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Protocol(HttpToolsProtocol):
    """One connection. `owed_since`: loop time since which the caller owes us the rest of a request, None where not."""

    owed_since: float | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(cast(asyncio.Transport, _Joined(transport, self.loop)))
        self.owed_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's head is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self.owed_since = self.loop.time()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head = False
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0
        self.owed_since = None


class ApiServer:
    """Serves an application on one listening socket."""

    def __init__(self, app: HttpApp) -> None:
        self._config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # callers' garbage is no news for the operator
            access_log=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self, listener: socket.socket) -> None:
        """Accept connections on a bound socket, which from now on is the server's."""
        self._config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=listener)
        self._sweeper = loop.call_later(SWEEP_S, self._sweep)

    async def close(self) -> None:
        """Take no more calls, let those under way end within the grace, and cancel what is left."""
        if self._server is None or self._sweeper is None:
            return
        self._sweeper.cancel()
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            _, late = await asyncio.wait(self._state.tasks, timeout=GRACE_S)
            for task in late:
                task.cancel()
        for connection in list(self._state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # the aborted connections hear of it
        self._server = None

    def _connection(self) -> asyncio.Protocol:
        return _Protocol(config=self._config, server_state=self._state, app_state={})

    def _sweep(self) -> None:
        """Hang up on callers who owe us the rest of a request for too long."""
        loop = asyncio.get_running_loop()
        overdue = loop.time() - REQUEST_TIMEOUT_S
        for connection in list(self._state.connections):
            if isinstance(connection, _Protocol) and (connection.owed_since or loop.time()) < overdue:
                connection.transport.abort()
        self._sweeper = loop.call_later(SWEEP_S, self._sweep)
