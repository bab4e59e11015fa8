"""One TCP connection of a miner: lines in, limited by a token bucket, and the session's lines out."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Protocol, cast

from pychain.base.errors import DecodeError
from pychain.base.rate import TokenBucket
from pychain.base.time import NS
from pychain.daemon.clock import Clock
from pychain.stratum.lines import LineFramer
from pychain.stratum.server.limits import KEEPALIVE_S, MAX_LINE_BYTES, MAX_UNSENT_BYTES, MESSAGE_RATE
from pychain.stratum.server.session import Effect, End, Say, Session, Solved

GRACE_S = 2.0
"""Time for the last bytes to leave."""


class Owner(Protocol):
    """A connection's interface to its server."""

    clock: Clock
    buffer: memoryview
    """The shared receive buffer, used by one connection at a time."""

    def admit(self, connection: MinerConnection, host: str, port: int) -> Session | None:
        """A session for a new connection, or None if there is no room."""
        ...

    def solved(self, solved: Solved, connection: MinerConnection) -> None: ...

    def heard(self, connection: MinerConnection) -> None:
        """A line was handled."""
        ...

    def release(self, connection: MinerConnection, reason: str) -> None:
        """The connection is closed."""
        ...


class MinerConnection(asyncio.BufferedProtocol):
    """From `connection_made` to `connection_lost`."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._framer = LineFramer(MAX_LINE_BYTES)
        self._bucket = TokenBucket(MESSAGE_RATE, owner.clock.now().mono_ns)
        self._waiting: deque[bytes] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._reason: str | None = None
        self.host = ""
        self.session: Session | None = None

    # --- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tcp = cast(asyncio.Transport, transport)
        name = tcp.get_extra_info("peername")
        if name is not None:  # else it is already gone
            self.host = name[0]
            self.session = self._owner.admit(self, name[0], name[1])
        if self.session is None:
            tcp.abort()
            return
        self._transport = tcp
        _set_options(tcp.get_extra_info("socket"))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._owner.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._reason is not None or self._transport is None:
            return
        try:
            self._waiting.extend(self._framer.feed(bytes(self._owner.buffer[:nbytes])))
        except DecodeError as error:
            self.end(str(error))
            return
        self._work()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.session is not None:
            self._transport = None
            self._waiting.clear()
            self._owner.release(self, self._reason or "closed by the miner")

    # --- the server's side

    def carry(self, effects: list[Effect]) -> None:
        """Carry out the session's effects."""
        lines = []
        for effect in effects:
            match effect:
                case Say(line):
                    lines.append(line)
                case Solved():
                    self._owner.solved(effect, self)
                case End(reason):
                    self.say(b"".join(lines))
                    self.end(reason)
                    return
        if lines:
            self.say(b"".join(lines))

    def say(self, data: bytes) -> None:
        """Send bytes, if the connection is still open."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.abort("it does not read")

    def end(self, reason: str) -> None:
        """Close once everything is sent, or after a short grace."""
        if self._reason is None and self._transport is not None:
            self._reason = reason
            self._waiting.clear()
            self._transport.close()
            self._timer = self._loop.call_later(GRACE_S, self._transport.abort)

    def abort(self, reason: str) -> None:
        """Close now."""
        if self._transport is not None:
            self._reason = self._reason or reason
            self._transport.abort()

    # --- inside

    def _work(self) -> None:
        """Handle lines while the bucket has tokens; resume reading when none wait."""
        self._timer = None
        assert self.session is not None
        while self._waiting and self._reason is None:
            now = self._owner.clock.now()
            if not self._bucket.take(1, now.mono_ns):
                self._pause()
                return
            self.carry(self.session.receive(self._waiting.popleft(), now))
            self._owner.heard(self)
        if self._transport is not None and self._reason is None:
            self._transport.resume_reading()

    def _pause(self) -> None:
        assert self._transport is not None
        self._transport.pause_reading()
        wait_s = MESSAGE_RATE.period_ns / NS / MESSAGE_RATE.tokens
        self._timer = self._loop.call_later(wait_s, self._work)


def _set_options(tcp: socket.socket) -> None:
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle = getattr(socket, "TCP_KEEPIDLE", None) or getattr(socket, "TCP_KEEPALIVE", None)  # Linux; macOS
    if idle is not None:
        tcp.setsockopt(socket.IPPROTO_TCP, idle, KEEPALIVE_S)
