"""The transport: all TCP connections of a daemon. Listens, dials, and turns what happens into inputs of the node."""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import os
import socket
from collections.abc import Callable, Sequence

from pychain.base.time import NS
from pychain.daemon.connection import Connection, failure_text
from pychain.node.inputs import DialFailed, Input
from pychain.p2p.limits import DIAL_TIMEOUT_NS
from pychain.p2p.netaddress import NetAddress

_log = logging.getLogger(__name__)

RECEIVE_BYTES = 256 * 1024
"""The one receive buffer: larger reads gain nothing, and a read is handled as one input."""
BACKLOG = 128
"""Connections that the kernel may hold until the loop accepts them."""
IPV6_ANY = "::"
PORT_TRIES = 16
"""Free ports tried for port 0, until one is free in every family."""


class Transport:
    """Connections by peer id. `feed` takes the inputs; at most `max_connections` stand at a time."""

    def __init__(self, feed: Callable[[Input], None], max_connections: int) -> None:
        self.feed = feed
        self.max_connections = max_connections
        self.buffer = memoryview(bytearray(RECEIVE_BYTES))
        self.refused = 0
        """Connections closed at once because there was no room."""
        self._peer_ids = itertools.count(1)
        self._connections: dict[int, Connection] = {}
        self._dials: dict[asyncio.Task[None], None] = {}
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._congested = False
        self._held: list[Connection] = []
        self._one_gone = asyncio.Event()
        self._closing = False

    def __len__(self) -> int:
        return len(self._connections)

    # --- listening

    def bind(self, hosts: Sequence[str], port: int) -> tuple[NetAddress, ...]:
        """Take the port on each host, the same free one for port 0; `::` means IPv6 alone, and where the machine has
        none it is left out beside other hosts.

        Returns the addresses; connections are accepted from `serve` on. OSError with one line where a port is taken
        or a host is not ours."""
        last = PORT_TRIES - 1 if port == 0 else 0
        for attempt in range(last + 1):
            try:
                self._sockets = _bind_all(hosts, port)
                break
            except OSError as error:
                if error.errno != errno.EADDRINUSE or attempt == last:
                    raise
        return tuple(NetAddress.observed(*bound.getsockname()[:2]) for bound in self._sockets)

    async def serve(self) -> None:
        """Accept connections on what `bind` took."""
        loop = asyncio.get_running_loop()
        for bound in self._sockets:
            self._servers.append(await loop.create_server(lambda: Connection(self), sock=bound, backlog=BACKLOG))
        self._sockets = []

    # --- effects

    def send(self, peer: int, data: bytes) -> None:
        """Bytes for a peer; for one who is gone they are dropped."""
        if connection := self._connections.get(peer):
            connection.send(data)

    def hang_up(self, peer: int, reason: str) -> None:
        """End a connection in order; `PeerClosed` follows."""
        if connection := self._connections.get(peer):
            connection.hang_up(reason)

    def dial(self, address: NetAddress) -> None:
        """Open a connection; `PeerOpened` or `DialFailed` follows."""
        task = asyncio.get_running_loop().create_task(self._dial(address))
        self._dials[task] = None
        task.add_done_callback(self._dials.pop)

    async def _dial(self, address: NetAddress) -> None:
        connection = Connection(self, dialled=address)
        try:
            if self._closing or len(self._connections) >= self.max_connections:
                raise OSError(errno.EMFILE, "no room for another connection")
            async with asyncio.timeout(DIAL_TIMEOUT_NS / NS):
                await asyncio.get_running_loop().create_connection(lambda: connection, address.host, address.port)
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that IDNA cannot encode
            if connection.peer is None:  # one that opened and went at once reports itself
                self.feed(DialFailed(address, failure_text(error)))
            return
        if connection.peer is None:
            self.feed(DialFailed(address, "no room for another connection"))

    def hold_all(self, congested: bool) -> None:
        """Read nothing while the node is behind; each connection stops at its next read."""
        self._congested = congested
        if not congested:
            held, self._held = self._held, []
            for connection in held:
                connection.resume_reading()

    # --- the connections' side

    def admit(self, connection: Connection) -> int | None:
        if self._closing or len(self._connections) >= self.max_connections:
            self.refused += 1
            _log.debug("connection refused: %d stand already", len(self._connections))
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

    # --- the end

    async def close(self, reason: str) -> None:
        """Listen and dial no more, and hang up on everybody; the grace of each connection bounds how long it takes."""
        self._closing = True
        for server in self._servers:
            server.close()
        for bound in self._sockets:
            bound.close()
        dials = list(self._dials)
        for dial in dials:
            dial.cancel()
        await asyncio.gather(*dials, return_exceptions=True)
        for connection in list(self._connections.values()):
            connection.hang_up(reason)
        while self._connections:
            self._one_gone.clear()
            await self._one_gone.wait()


def _bind_all(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """One socket a host, all on one port."""
    bound: list[socket.socket] = []
    try:
        for host in hosts:
            if host == IPV6_ANY and len(hosts) > 1 and not _has_ipv6():
                continue
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                bound.append(socket.create_server((host, port), family=family, backlog=BACKLOG))
            except OSError as error:
                where = f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
                why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else error.strerror
                raise OSError(error.errno, f"cannot listen on {where}: {why}") from None
            port = port or bound[0].getsockname()[1]
    except OSError:
        for each in bound:
            each.close()
        raise
    for each in bound:
        each.setblocking(False)
    return bound


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
