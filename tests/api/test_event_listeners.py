"""Listeners: many at once, slow ones, silent ones, and those that fall behind the ring."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import closing
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from pychain.api.events import broadcast as broadcast_module
from pychain.api.events.broadcast import Broadcaster
from pychain.api.events.ring import KEPT, Ring
from pychain.api.events.stream import Events, EventStream
from pychain.api.events.views import KINDS, Kind
from pychain.api.hub import EventHub
from pychain.daemon.backend import LoopSignal
from pychain.daemon.clock import Clock
from pychain.daemon.rlimit import raise_descriptor_limit
from pychain.http.message import Request, Response
from pychain.node.events import PeerDown
from tests.api.node import ApiNode
from tests.daemon.process import TIMEOUT_S
from tests.support.turns import turn_until

QUERIES = SimpleNamespace(spec=SimpleNamespace(hrp="dpyc"))


class Sink:
    """A connection that takes a number of bytes before it is full."""

    def __init__(self, room: int = 10**9) -> None:
        self.room = room
        self.data = b""
        self.ended = False
        self.stream: EventStream | None = None

    def write(self, data: bytes) -> None:
        self.data += data
        if len(self.data) > self.room and self.stream is not None:
            self.stream.paused(True)

    def close(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.ended = True
        if self.stream is not None:
            self.stream.gone()

    @property
    def events(self) -> int:
        return self.data.count(b"event: ")


class Stage:
    """A hub, a broadcaster and its listeners, without sockets."""

    def __init__(self) -> None:
        self.hub = EventHub(LoopSignal)
        backend = SimpleNamespace(
            queries=QUERIES,
            clock=Clock(),
            signal=LoopSignal,
            listen=self.hub.listen,
            spawn=asyncio.get_running_loop().create_task,
        )
        self.broadcaster = Broadcaster(cast(Any, backend), Ring("run"))
        self.broadcaster.start()

    def listen(self, room: int = 10**9, kinds: tuple[Kind, ...] = KINDS, last_event_id: str | None = None) -> Sink:
        sink = Sink(room)
        sink.stream = EventStream(self.broadcaster, kinds, last_event_id)
        sink.stream.opened(sink)
        return sink

    def happen(self, count: int = 1) -> None:
        for number in range(count):
            self.hub.publish(PeerDown(number, "/ip4/192.0.2.1/tcp/1", "timed out"))


def staged(test: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        stage = Stage()
        try:
            await test(stage)
        finally:
            stage.broadcaster.close()

    asyncio.run(run())


def test_each_listener_is_told_each_event_once() -> None:
    async def test(stage: Stage) -> None:
        sinks = [stage.listen() for _ in range(50)]
        stage.happen(3)
        await turn_until(lambda: all(sink.events == 3 for sink in sinks))
        late = stage.listen()
        stage.happen()
        await turn_until(lambda: all(sink.events == 4 for sink in sinks))
        assert late.events == 1
        assert len({sink.data for sink in sinks}) == 1

    staged(test)


def test_a_slow_listener_is_told_later_and_costs_no_memory_meanwhile() -> None:
    async def test(stage: Stage) -> None:
        slow, quick = stage.listen(room=100), stage.listen()
        for _ in range(10):
            stage.happen()
            await turn_until(lambda: quick.events == stage.broadcaster.ring.last)
        assert 1 <= slow.events < 10
        told = slow.events
        slow.room = 10**9
        assert slow.stream is not None
        slow.stream.paused(False)
        assert slow.events == 10 > told
        assert slow.data == quick.data

    staged(test)


def test_a_listener_behind_the_ring_is_disconnected_and_gets_a_reset_on_reconnecting() -> None:
    async def test(stage: Stage) -> None:
        slow, quick = stage.listen(room=0), stage.listen()
        stage.happen()
        await turn_until(lambda: quick.events == 1)
        stage.happen(KEPT["peer"] + 1)
        await turn_until(lambda: slow.ended)
        assert slow.stream not in stage.broadcaster.listeners
        assert quick.data.count(b"event: reset") == 1, "it all happened before even the quick one was served"
        stage.happen()
        await turn_until(lambda: quick.events == 3)
        again = stage.listen(last_event_id="run-1")
        assert b"event: reset" in again.data
        assert again.events == 1

    staged(test)


def test_a_listener_who_reads_nothing_at_all_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast_module, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr("pychain.api.events.stream.STALL_S", 0.05)

    async def test(stage: Stage) -> None:
        stalled, quick = stage.listen(room=0), stage.listen()
        stage.happen()
        await turn_until(lambda: stalled.ended)
        assert not quick.ended
        assert b"\n\n:\n\n" in quick.data, "those that read get keep-alives"

    staged(test)


def test_what_fails_for_one_is_told_to_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def test(stage: Stage) -> None:
        broken, sound = stage.listen(), stage.listen()

        def fail(data: bytes) -> None:
            raise ZeroDivisionError

        broken.write = fail  # type: ignore[method-assign]
        stage.happen()
        await turn_until(lambda: sound.events == 1)

    staged(test)
    assert "internal error in sending events" in caplog.text


def test_there_is_room_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast_module, "MAX_LISTENERS", 1)

    async def test(stage: Stage) -> None:
        events = Events(stage.broadcaster)

        request = Request(b"GET", b"/api/v1/events", {}, "", cast(Any, None))
        first = events.serve(request)
        assert isinstance(first, EventStream)
        sink = Sink()
        first.opened(sink)
        second = events.serve(request)
        assert isinstance(second, Response)
        assert second.status == 503
        first.gone()
        assert isinstance(events.serve(request), EventStream)

    staged(test)


# --- a real node


class Listener(asyncio.Protocol):
    """Counts the tips in a stream."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = False

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True

    @property
    def tips(self) -> int:
        return self.data.count(b"\nevent: tip\n")


async def _many_hear(node: ApiNode, count: int) -> None:
    loop, url = asyncio.get_running_loop(), urlsplit(node.base)
    head = b"GET /api/v1/events?types=tip HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    opened = []
    try:
        for _ in range(count):
            opened.append(await loop.create_connection(Listener, url.hostname, url.port))
            opened[-1][0].write(head)
        listeners = [listener for _, listener in opened]
        await turn_until(lambda: all(b"\n\n" in listener.data for listener in listeners))
        hashes = await asyncio.to_thread(node.generate, 3)
        await turn_until(lambda: all(listener.tips == 3 for listener in listeners))
        assert all(block_hash.encode() in listener.data for listener in listeners for block_hash in hashes)
        assert not any(listener.lost for listener in listeners)
    finally:
        for transport, _ in opened:
            transport.abort()
        await turn_until(lambda: all(listener.lost for _, listener in opened))


@pytest.mark.parametrize("count", [300, pytest.param(5_000, marks=pytest.mark.long)])
def test_many_listeners_of_a_real_node(node: ApiNode, count: int) -> None:
    assert raise_descriptor_limit() > count + 100
    asyncio.run(_many_hear(node, count))


def test_a_listener_who_never_reads_holds_nobody_up(node: ApiNode) -> None:
    url = urlsplit(node.base)
    with closing(socket.create_connection((str(url.hostname), url.port or 0), timeout=TIMEOUT_S)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        asyncio.run(_many_hear(node, 2))
        node.generate(50)
        assert node.call("getblockcount") >= 50
