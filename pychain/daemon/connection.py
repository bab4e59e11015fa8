"""One TCP connection: bytes in, bytes out with a bounded buffer, and an end that lets the last words arrive.

What is sent waits in our own queue; the loop's transport is given one piece at a time and asked how much of it is left,
so the node learns as its bytes drain, however slowly the peer reads.
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
"""Given to the loop's transport at once: what it holds back of a send is at most this, the rest waits here uncopied."""
GRACE_S = 2.0
"""For what was sent to leave and the peer to close, after we hung up or he did."""
DISCARD_BYTES = 1024 * 1024
"""Read and thrown away while a connection ends: closing with unread bytes would reset it and lose our last words."""


class Owner(Protocol):
    """What a connection needs of the transport that it belongs to."""

    buffer: memoryview
    """Where all connections receive: the loops read and hand over one connection at a time."""

    def feed(self, event: Input) -> None: ...

    def admit(self, connection: Connection) -> int | None:
        """The id of a new peer, or None where there is no room."""
        ...

    def hold_reading(self, connection: Connection) -> bool:
        """Whether to read no more for now; the transport resumes it."""
        ...

    def release(self, connection: Connection) -> None:
        """The connection is gone."""
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
        self._ending: str | None = None  # why, once the connection is to end
        self._grace: asyncio.TimerHandle | None = None
        self._discarded = 0
        self.peer: int | None = None
        """The id under which the node knows it; None before it is open, or where it was not admitted."""

    # --- what the transport asks for

    def send(self, data: bytes) -> None:
        """Queue bytes; nothing is taken once the connection ends."""
        if self._ending is None and self._transport is not None:
            self._outbox.append(data)
            self._pump()

    def hang_up(self, reason: str) -> None:
        """End once what was sent has left, or after a short grace."""
        if self._ending is None and self._transport is not None:
            self._end(reason)
            self._transport.resume_reading()
            self._pump()

    def abort(self, reason: str) -> None:
        """End now; what was not sent is lost."""
        self._ending = self._ending or reason
        if self._transport is not None:
            self._transport.abort()

    def resume_reading(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    # --- what the loop reports

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
        tcp.set_write_buffer_limits(high=0)  # hear of it whenever bytes are left, and when none are
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
        """The peer sends no more, which for us is the end; the grace bounds what he may still take to read."""
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
        """Give the loop's transport pieces until it holds one back, and report what left."""
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
        """Send the end of our stream, and go on reading until he closes too."""
        try:
            transport.write_eof()
        except OSError:  # he was quicker
            transport.abort()

    def _end(self, reason: str) -> None:
        if self._ending is None:
            self._ending = reason
            self._grace = self._loop.call_later(GRACE_S, self.abort, reason)


def failure_text(error: BaseException) -> str:
    """An error of the network in the words of the operating system, without Python's decoration."""
    if isinstance(error, TimeoutError) and not error.errno:
        return "timed out"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _remote_end(transport: asyncio.Transport) -> Endpoint | None:
    """The other end, None where it is gone already."""
    name = transport.get_extra_info("peername")
    return Endpoint(NetAddress.observed(name[0], name[1])) if name else None
