"""The transport: all TCP connections of a daemon. Listens, dials, and turns network events into inputs of the node."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections.abc import Callable, Sequence

from pychain.base.time import NS
from pychain.daemon.connection import Connection, failure_text
from pychain.node.inputs import DialFailed, Input
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.limits import DIAL_TIMEOUT_NS

_log = logging.getLogger(__name__)

_FAMILIES = {None: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}
"""Results of a name resolution."""

RECEIVE_BYTES = 64 * 1024
"""The one receive buffer. A read is one input, so this bounds how many small messages one turn can have."""


class Transport:
    """Connections by peer id. `feed` takes the inputs; at most `max_connections` are open at a time."""

    def __init__(self, feed: Callable[[Input], None], max_connections: int) -> None:
        self.feed = feed
        self.max_connections = max_connections
        self.buffer = memoryview(bytearray(RECEIVE_BYTES))
        self.refused = 0
        """Connections closed at once because there was no room."""
        self._peer_ids = itertools.count(1)
        self._connections: dict[int, Connection] = {}
        self._dials: dict[asyncio.Task[None], None] = {}
        self._servers: list[asyncio.Server] = []
        self._congested = False
        self._held: list[Connection] = []
        self._one_gone = asyncio.Event()
        self._closing = False

    def __len__(self) -> int:
        return len(self._connections)

    async def serve(self, listeners: Sequence[socket.socket]) -> None:
        """Accept connections on bound sockets, which the transport then owns."""
        loop = asyncio.get_running_loop()
        for listener in listeners:
            self._servers.append(await loop.create_server(lambda: Connection(self), sock=listener))

    # --- effects

    def send(self, peer: int, data: bytes) -> None:
        """Send bytes to a peer; dropped if it is gone."""
        if connection := self._connections.get(peer):
            connection.send(data)

    def hang_up(self, peer: int, reason: str) -> None:
        """Close a connection cleanly; `PeerClosed` follows."""
        if connection := self._connections.get(peer):
            connection.hang_up(reason)

    def dial(self, endpoint: Endpoint) -> None:
        """Open a connection; `PeerOpened` or `DialFailed` follows."""
        task = asyncio.get_running_loop().create_task(self._dial(endpoint))
        self._dials[task] = None
        task.add_done_callback(self._dials.pop)

    async def _dial(self, endpoint: Endpoint) -> None:
        connection = Connection(self, dialled=endpoint)
        address = endpoint.address
        reason = "no room for another connection"
        try:
            if self._has_room():
                async with asyncio.timeout(DIAL_TIMEOUT_NS / NS):
                    await asyncio.get_running_loop().create_connection(
                        lambda: connection, address.host, address.port, family=_FAMILIES[address.family]
                    )
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that IDNA cannot encode
            reason = failure_text(error)
        if connection.peer is None:  # one that opened and closed at once reports itself
            self.feed(DialFailed(endpoint, reason))

    def hold_all(self, congested: bool) -> None:
        """Pause reading while the node is congested; each connection stops at its next read."""
        self._congested = congested
        if not congested:
            held, self._held = self._held, []
            for connection in held:
                connection.resume_reading()

    # --- called by connections

    def admit(self, connection: Connection) -> int | None:
        if not self._has_room():
            self.refused += 1
            _log.debug("connection refused: %d are open", len(self._connections))
            return None
        peer = next(self._peer_ids)
        self._connections[peer] = connection
        return peer

    def hold_reading(self, connection: Connection) -> bool:
        if self._congested:
            self._held.append(connection)
        return self._congested

    def release(self, connection: Connection) -> None:
        assert connection.peer is not None
        del self._connections[connection.peer]
        self._one_gone.set()

    def _has_room(self) -> bool:
        return not self._closing and len(self._connections) < self.max_connections

    # --- closing

    async def close(self, reason: str) -> None:
        """Stop listening and dialling, and close all connections; the grace of each bounds how long it takes."""
        self._closing = True
        for server in self._servers:
            server.close()
        dials = list(self._dials)
        for dial in dials:
            dial.cancel()
        await asyncio.gather(*dials, return_exceptions=True)
        for connection in list(self._connections.values()):
            connection.hang_up(reason)
        while self._connections:
            self._one_gone.clear()
            await self._one_gone.wait()
