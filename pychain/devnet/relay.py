"""The relay: the process through which all links of a devnet run, so that they can be cut and slowed without root.

Each link has a port on loopback that one node dials; the relay forwards its bytes to where the other listens. A cut
link resets its connections and any new ones. A slow one delays bytes, in order and up to a bound. Nothing is
interpreted or changed: the handshake is between the nodes.

    python -m pychain.devnet.relay DIRECTORY

It is controlled over a socket in the devnet's directory (`control.py`): one line with the new settings of links,
answered by one line with all links.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import msgspec

from pychain.devnet.links import Link

CONTROL_SOCKET = "links.sock"
MAX_CONTROL_BYTES = 4 * 1024 * 1024
"""A control line: 64 nodes have 2,016 links of some hundred bytes."""
MAX_HELD_BYTES = 4 * 1024 * 1024
"""Bytes in flight in one direction; a sender that is further ahead waits, as on a full network."""
CONNECT_TIMEOUT_S = 10.0
DESCRIPTORS = 10_240
"""Each of 2,016 links has a listener and two connections; macOS grants no more than this."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset: bytes in flight are lost, as on a broken line."""


class Answer(msgspec.Struct):
    """The answer to a control line: all links, or an error."""

    links: list[Link] = []
    error: str = ""


class _Pipe:
    """One direction of a connection pair: takes bytes from one end, passes them to the other when they are due."""

    def __init__(
        self,
        source: asyncio.Transport,
        sink: asyncio.Transport,
        delay_s: Callable[[], float],
        ended: Callable[[], None],
    ) -> None:
        self._source = source
        self._sink = sink
        self._delay_s = delay_s
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._held: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._sink_full = False
        self._waiting = False
        self.is_over = False
        """Everything was passed on, including the end of the stream, or the receiver is gone."""

    def put(self, data: bytes) -> None:
        """Bytes from the source; empty bytes are its end."""
        if self.is_over:
            return
        delay_s = self._delay_s()
        if not delay_s and not self._held:
            self._give(data)
            return
        due = self._loop.time() + delay_s
        if self._held:
            due = max(due, self._held[-1][0])
        self._held.append((due, data))
        self._held_bytes += len(data)
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._give_what_is_due)
        self._hold_or_go_on()

    def sink_is_full(self, full: bool) -> None:
        self._sink_full = full
        self._hold_or_go_on()

    def close(self) -> None:
        """Stop passing bytes on."""
        if self._timer is not None:
            self._timer.cancel()
        self._held.clear()
        self.is_over = True

    def _give_what_is_due(self) -> None:
        self._timer = None
        while self._held and self._held[0][0] <= self._loop.time():
            data = self._held.popleft()[1]
            self._held_bytes -= len(data)
            self._give(data)
        if self._held:
            self._timer = self._loop.call_at(self._held[0][0], self._give_what_is_due)
        self._hold_or_go_on()

    def _give(self, data: bytes) -> None:
        if data:
            self._sink.write(data)
            return
        self.close()
        with suppress(OSError):  # it left first
            self._sink.write_eof()
        self._ended()

    def _hold_or_go_on(self) -> None:
        """Read from the source only as fast as the bytes can be passed on."""
        waiting = self._sink_full or self._held_bytes > MAX_HELD_BYTES
        if waiting != self._waiting and not self._source.is_closing():
            self._waiting = waiting
            if waiting:
                self._source.pause_reading()
            else:
                self._source.resume_reading()


class _End(asyncio.Protocol):
    """One of the two connections of a pair."""

    def __init__(self, conversation: _Conversation) -> None:
        self._conversation = conversation
        self.transport: asyncio.Transport | None = None
        self.outgoing: _Pipe | None = None
        """The flow of what it reads."""
        self.incoming: _Pipe | None = None
        """The flow of what it writes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport.pause_reading()  # until the pair has both its ends
        self._conversation.made(self)

    def data_received(self, data: bytes) -> None:
        assert self.outgoing is not None
        self.outgoing.put(data)

    def eof_received(self) -> bool:
        assert self.outgoing is not None
        self.outgoing.put(b"")
        return True  # the other direction continues

    def pause_writing(self) -> None:
        assert self.incoming is not None
        self.incoming.sink_is_full(True)

    def resume_writing(self) -> None:
        assert self.incoming is not None
        self.incoming.sink_is_full(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._conversation.lost(self)

    def close(self) -> None:
        """Close once everything is written."""
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        """Reset at once; bytes in flight are lost, and the other side is not told why."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.transport.abort()


class _Conversation:
    """A connection of the dialling node, and ours to the node that it dials."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self._connecting: asyncio.Task[None] | None = None
        self._pipes: tuple[_Pipe, _Pipe] | None = None
        self.near = _End(self)
        self.far = _End(self)

    def made(self, end: _End) -> None:
        """An end is connected: the near one first."""
        if end is self.far:
            return
        self._wire.conversations[self] = None
        if self._wire.link.cut:
            self.reset()
        else:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        host, _, port = self._wire.link.target.rpartition(":")
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await asyncio.get_running_loop().create_connection(lambda: self.far, host, int(port))
        except OSError:  # nobody listens there; TimeoutError is an OSError too
            self.reset()
            return
        near, far = self.near.transport, self.far.transport
        assert near is not None
        assert far is not None
        there = _Pipe(near, far, self._wire.delay_s, self._pipe_ended)
        back = _Pipe(far, near, self._wire.delay_s, self._pipe_ended)
        self._pipes = (there, back)
        self.near.outgoing = self.far.incoming = there
        self.far.outgoing = self.near.incoming = back
        near.resume_reading()
        far.resume_reading()

    def lost(self, end: _End) -> None:
        """An end is gone: its bytes still arrive, and then the end of its stream."""
        if end.outgoing is None or end.incoming is None:
            self.reset()
            return
        end.incoming.close()
        end.outgoing.put(b"")
        self._pipe_ended()

    def reset(self) -> None:
        """Reset both connections, as a broken line would."""
        self._wire.conversations.pop(self, None)
        if self._connecting is not None:
            self._connecting.cancel()
        for pipe in self._pipes or ():
            pipe.close()
        self.near.reset()
        self.far.reset()

    def _pipe_ended(self) -> None:
        if self._pipes is not None and all(pipe.is_over for pipe in self._pipes):
            self._wire.conversations.pop(self, None)
            self.near.close()
            self.far.close()


class _Wire:
    """One active link."""

    def __init__(self, link: Link, server: asyncio.Server) -> None:
        self.link = link
        self.conversations: dict[_Conversation, None] = {}
        self._server = server

    def become(self, link: Link) -> None:
        self.link = link
        if link.cut:
            for conversation in list(self.conversations):
                conversation.reset()

    def close(self) -> None:
        """Accept no more connections, and reset all."""
        self._server.close()
        for conversation in list(self.conversations):
            conversation.reset()

    def delay_s(self) -> float:
        return (self.link.lag_ms + random.uniform(0, self.link.jitter_ms)) / 1000


class Relay:
    """All links of a devnet."""

    def __init__(self) -> None:
        self._wires: dict[tuple[int, int], _Wire] = {}

    @property
    def links(self) -> list[Link]:
        return [wire.link for wire in self._wires.values()]

    async def set(self, link: Link) -> None:
        """Apply the settings of a link; a new one gets its port. OSError if that port is taken."""
        wire = self._wires.get(link.nodes)
        if wire is not None:
            wire.become(msgspec.structs.replace(link, port=wire.link.port))
            return

        def accept() -> asyncio.Protocol:
            return _Conversation(self._wires[link.nodes]).near

        server = await asyncio.get_running_loop().create_server(
            accept, "127.0.0.1", link.port, reuse_address=True, start_serving=False
        )
        port: int = server.sockets[0].getsockname()[1]
        self._wires[link.nodes] = _Wire(msgspec.structs.replace(link, port=port), server)
        await server.start_serving()

    def close(self) -> None:
        """End every link."""
        for wire in self._wires.values():
            wire.close()

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one control connection: a line, its answer."""
        try:
            wanted = msgspec.json.decode(await reader.readline(), type=list[Link])
            for link in wanted:
                await self.set(link)
            answer = Answer(links=self.links)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            answer = Answer(error=str(error))
        writer.write(msgspec.json.encode(answer) + b"\n")
        writer.close()


async def serve() -> None:
    """Relay until a signal, controlled over a socket in the working directory."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    relay = Relay()
    server = await asyncio.start_unix_server(relay.control, CONTROL_SOCKET, limit=MAX_CONTROL_BYTES)
    await ended.wait()
    server.close()
    os.unlink(CONTROL_SOCKET)
    relay.close()


def main() -> None:
    os.umask(0o077)  # only the owner may use the devnet
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = DESCRIPTORS if most == resource.RLIM_INFINITY else min(most, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    os.chdir(sys.argv[1])  # a socket's path may have about a hundred characters: relative to here it is short
    asyncio.run(serve())


if __name__ == "__main__":
    main()
