"""One TCP connection: bytes in, bytes out with a bounded buffer, and a close that lets the last bytes arrive.

Sent data waits in our own queue. The loop's transport gets one piece at a time and is asked how much of it is left, so
the node knows how its bytes drain, even if the peer reads slowly.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from typing import Protocol, cast

from pychain.node.inputs import BytesDrained, BytesReceived, Input, PeerClosed, PeerOpened
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress

PIECE_BYTES = 128 * 1024
"""Bytes given to the loop's transport at once; the rest waits here uncopied."""
GRACE_S = 2.0
"""Time for sent data to leave and for the peer to close, after either side hung up."""
DISCARD_BYTES = 1024 * 1024
"""Bytes read and dropped while a connection ends: closing with unread bytes would reset it and lose our last data."""


class Owner(Protocol):
    """A connection's interface to its transport."""

    buffer: memoryview
    """The shared receive buffer: the loop reads and delivers one connection at a time."""

    def feed(self, event: Input) -> None: ...

    def admit(self, connection: Connection) -> int | None:
        """The id of a new peer, or None if there is no room."""
        ...

    def hold_reading(self, connection: Connection) -> bool:
        """Whether to pause reading; the transport resumes it."""
        ...

    def release(self, connection: Connection) -> None:
        """The connection is closed."""
        ...


class Connection(asyncio.BufferedProtocol):
    """From `connection_made` to `connection_lost`: one `PeerOpened`, then bytes, then one `PeerClosed`."""

    def __init__(self, owner: Owner, dialled: Endpoint | None = None) -> None:
        self._owner = owner
        self._dialled = dialled
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._outbox: deque[bytes | memoryview] = deque()
        self._in_transport = 0  # bytes given to the loop's transport and not yet reported as drained
        self._full = False  # the loop's transport holds bytes that the kernel did not take
        self._ending: str | None = None  # the reason, once the connection is ending
        self._grace: asyncio.TimerHandle | None = None
        self._discarded = 0
        self.peer: int | None = None
        """Its id in the node; None before it is open, or if it was not admitted."""

    # --- called by the transport

    def send(self, data: bytes) -> None:
        """Queue bytes; ignored once the connection is ending."""
        if self._ending is None and self._transport is not None:
            self._outbox.append(data)
            self._pump()

    def hang_up(self, reason: str) -> None:
        """Close once everything is sent, or after a short grace."""
        if self._ending is None and self._transport is not None:
            self._end(reason)
            self._transport.resume_reading()
            self._pump()

    def abort(self, reason: str) -> None:
        """Close now; unsent bytes are lost."""
        self._ending = self._ending or reason
        if self._transport is not None:
            self._transport.abort()

    def resume_reading(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    # --- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tcp = cast(asyncio.Transport, transport)
        endpoint = self._dialled or _remote_end(tcp)
        peer = None if endpoint is None else self._owner.admit(self)
        if endpoint is None or peer is None:
            tcp.abort()
            return
        self._transport = tcp
        self.peer = peer
        tcp.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tcp.set_write_buffer_limits(high=0)  # notify whenever bytes are left, and when none are
        self._owner.feed(PeerOpened(peer, endpoint, inbound=self._dialled is None))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._owner.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.peer is None or self._transport is None:
            return
        if self._ending is not None:
            self._discarded += nbytes
            if self._discarded > DISCARD_BYTES:
                self._transport.abort()
            return
        self._owner.feed(BytesReceived(self.peer, bytes(self._owner.buffer[:nbytes])))
        if self._owner.hold_reading(self):
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The peer stopped sending, so we close; the grace bounds how long it may take to read the rest."""
        self._end("closed by the peer")
        self._outbox.clear()
        return False

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._pump()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._grace is not None:
            self._grace.cancel()
        if self.peer is None:
            return
        self._transport = None
        self._outbox.clear()
        self._owner.release(self)
        reason = self._ending or (failure_text(exc) if exc is not None else "closed by the peer")
        self._owner.feed(PeerClosed(self.peer, reason))

    # --- sending

    def _pump(self) -> None:
        """Give the loop's transport pieces until it buffers one, and report the bytes that left."""
        assert self._transport is not None
        while self._outbox and not self._full and self._transport is not None:
            piece = self._next_piece()
            self._in_transport += len(piece)
            self._transport.write(piece)
        if self._transport is None:
            return
        drained = self._in_transport - self._transport.get_write_buffer_size()
        self._in_transport -= drained
        if self._ending is not None:
            if not self._outbox and not self._transport.is_closing():
                self._half_close(self._transport)
        elif drained and self.peer is not None:
            self._owner.feed(BytesDrained(self.peer, drained))

    def _next_piece(self) -> bytes | memoryview:
        """Up to PIECE_BYTES from the head of the queue: a part of one send, or several joined."""
        first = self._outbox.popleft()
        if len(first) > PIECE_BYTES:
            rest = memoryview(first)
            self._outbox.appendleft(rest[PIECE_BYTES:])
            return rest[:PIECE_BYTES]
        pieces, size = [first], len(first)
        while self._outbox and size + len(self._outbox[0]) <= PIECE_BYTES:
            pieces.append(self._outbox.popleft())
            size += len(pieces[-1])
        return b"".join(pieces) if len(pieces) > 1 else first

    def _half_close(self, transport: asyncio.Transport) -> None:
        """Send the end of our stream, and continue reading until the peer closes too."""
        try:
            transport.write_eof()
        except OSError:  # the peer closed first
            transport.abort()

    def _end(self, reason: str) -> None:
        if self._ending is None:
            self._ending = reason
            self._grace = self._loop.call_later(GRACE_S, self.abort, reason)


def failure_text(error: BaseException) -> str:
    """A network error in the operating system's words."""
    if isinstance(error, TimeoutError) and not error.errno:
        return "timed out"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _remote_end(transport: asyncio.Transport) -> Endpoint | None:
    """The other end, None if it is already gone."""
    name = transport.get_extra_info("peername")
    return Endpoint(NetAddress.observed(name[0], name[1])) if name else None
