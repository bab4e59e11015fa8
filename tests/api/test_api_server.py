"""The HTTP server on a real socket: input, refusals, disconnects, and the end."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.api.jsonrpc import JsonRpc
from pychain.api.meters import CallMeter
from pychain.api.method import Group, table
from pychain.daemon.clock import Clock
from pychain.http import server as server_module
from pychain.http.connection import MAX_HEAD_BYTES, Connection
from pychain.http.guard import BasicAuth, HostGuard, credential
from pychain.http.limiter import RateLimiter
from pychain.http.message import RouteDef
from pychain.http.router import Router
from pychain.http.server import HttpServer
from tests.support.turns import turn_until

MAX_BODY = 100_000
LOGIN = "Basic " + base64.b64encode(b"zoe:secret").decode()
group = Group("test", "Methods to be called")


left: list[str] = []
"""The asynchronous calls that ended, in this order."""


@group.method()
def size(context: object, text: str = "") -> int:
    """Length of a text."""
    return len(text)


@group.method()
def echo(context: object, text: str) -> str:
    """Give a text back."""
    return text


@group.method(waits=True)
async def wait(context: object) -> None:
    """Wait for ever."""
    try:
        await asyncio.Event().wait()
    finally:
        left.append("wait")


@group.method()
async def finish(context: object) -> None:
    """Take some turns of the loop."""
    for _ in range(50):
        await asyncio.sleep(0.001)
    left.append("finish")


class Caller:
    """A raw connection, so that anything can be sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def call(self, body: bytes, method: str = "POST", path: str = "/rpc", drop: str = "", **headers: str) -> None:
        lines = {
            "Host": "127.0.0.1",
            "Authorization": LOGIN,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines.pop(drop, None)
        head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())]
        self.send("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split()[1]), headers, body

    async def ended(self) -> bool:
        """Wait until the server has hung up; whether it did so without another word."""
        try:
            return not await self.reader.read()
        except ConnectionResetError:
            return True


Connect = Callable[[], Coroutine[Any, Any, Caller]]


def _router() -> Router:
    """The test's methods at both of their paths, for one user."""
    rpc = JsonRpc(table([group], dev=False), None, CallMeter(), Clock())
    router = Router(HostGuard(), BasicAuth({"zoe": credential("secret")}), RateLimiter(0), open_reads=True)
    router.mount(RouteDef("POST", path, rpc.serve, locked=True, body_limit=MAX_BODY) for path in ("/", "/rpc"))
    return router


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[HttpServer, Connect]]:
    server = HttpServer(_router())
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    await server.start(listener)
    callers: list[Caller] = []

    async def connect() -> Caller:
        callers.append(Caller(*await asyncio.open_connection("127.0.0.1", port)))
        return callers[-1]

    try:
        yield server, connect
    finally:
        for caller in callers:
            caller.writer.close()
        await server.close()


def on_a_server(test: Callable[[HttpServer, Connect], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), serving() as (server, connect):
            await test(server, connect)

    asyncio.run(run())


CALL = b'{"jsonrpc":"2.0","id":1,"method":"size","params":["abc"]}'


def test_calls_follow_each_other_on_one_connection() -> None:
    async def test(server: HttpServer, connect: Connect) -> None:
        caller = await connect()
        for _ in range(3):
            caller.call(CALL)
            status, headers, body = await caller.answer()
            assert (status, json.loads(body)["result"]) == (200, 3)
            assert headers["content-type"] == "application/json"
            assert "connection" not in headers

    on_a_server(test)


def test_calls_that_are_sent_ahead_are_answered_in_order() -> None:
    async def test(server: HttpServer, connect: Connect) -> None:
        caller = await connect()
        for number in range(5):
            caller.call(json.dumps({"jsonrpc": "2.0", "id": number, "method": "size"}).encode())
        found = [json.loads((await caller.answer())[2])["id"] for _ in range(5)]
        assert found == list(range(5))

    on_a_server(test)


def test_a_call_may_come_byte_by_byte_and_in_chunks() -> None:
    async def test(server: HttpServer, connect: Connect) -> None:
        caller = await connect()
        head = (
            f"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: {LOGIN}\r\nContent-Type: Application/JSON; a=b\r\n"
        )
        chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (10, CALL[:10], len(CALL) - 10, CALL[10:])
        for byte in head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunks:
            caller.send(bytes([byte]))
            await caller.writer.drain()
        assert json.loads((await caller.answer())[2])["result"] == 3

    on_a_server(test)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Host": "attacker.example"}, 403),
        ({"drop": "Host"}, 403),
        ({"path": "/nothing"}, 404),
        ({"path": "/rpc/more"}, 404),
        ({"method": "GET"}, 405),
        ({"method": "PUT"}, 405),
        ({"drop": "Authorization"}, 401),
        ({"Authorization": "Basic eDp5"}, 401),
        ({"Content_Type": "text/plain"}, 415),
        ({"drop": "Content-Type"}, 415),
        ({"Content_Length": str(MAX_BODY + 1)}, 413),
    ],
)
def test_what_may_not_come_in_is_refused_in_one_line(changed: dict[str, str], status: int) -> None:
    async def test(server: HttpServer, connect: Connect) -> None:
        caller = await connect()
        caller.call(CALL, **changed)
        found, headers, body = await caller.answer()
        assert found == status
        assert body.decode().count("\n") == 1
        assert ("www-authenticate" in headers) == (status == 401)
        assert (headers.get("allow") == "post") == (status == 405)
        if "Content_Length" not in changed:
            caller.call(CALL)
            assert (await caller.answer())[0] == 200, "the connection goes on"

    on_a_server(test)


def test_the_host_is_judged_before_anything_is_told() -> None:
    async def test(server: HttpServer, connect: Connect) -> None:
        caller = await connect()
        caller.call(CALL, path="/nothing", drop="Authorization", Host="attacker.example")
        assert (await caller.answer())[0] == 403

    on_a_server(test)


def test_a_body_that_grows_too_large_is_refused_on_the_way() -> None:
    async def test(server: HttpServer, connect: Connect) -> None:
        caller = await connect()
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: {LOGIN}\r\nContent-Type: application/json\r\n"
        caller.send(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(10 * MAX_BODY // 10_000):
            caller.send(b"%x\r\n%b\r\n" % (10_000, bytes(10_000)))
        assert (await caller.answer())[0] == 413
        caller.send(b"0\r\n\r\n")
        caller.call(CALL)
        assert (await caller.answer())[0] == 200, "the rest was dropped"

    on_a_server(test)


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n"])
def test_what_is_no_http_is_told_so_and_hung_up_on(garbage: bytes) -> None:
    async def test(server: HttpServer, connect: Connect) -> None:
        caller = await connect()
        caller.send(garbage)
        assert (await caller.reader.readline()).startswith(b"HTTP/1.1 400")
        await caller.reader.read()
        assert caller.reader.at_eof()

    on_a_server(test)


def test_a_head_without_end_is_hung_up_on() -> None:
    async def test(server: HttpServer, connect: Connect) -> None:
        caller = await connect()
        caller.send(b"POST / HTTP/1.1\r\nX-Endless: ")
        sent = 0
        while not caller.reader.at_eof() and sent < 64 * MAX_HEAD_BYTES:
            caller.send(b"x" * 16_384)
            sent += 16_384
            try:
                await caller.writer.drain()
            except ConnectionError:
                break
            await asyncio.sleep(0)
        assert sent < 64 * MAX_HEAD_BYTES

    on_a_server(test)


@pytest.mark.parametrize("beginning", [b"", b"POST / HTTP/1.1\r\nHost: local"])
def test_a_caller_who_never_finishes_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, beginning: bytes) -> None:
    monkeypatch.setattr(server_module, "SWEEP_S", 0.01)
    monkeypatch.setattr(server_module, "REQUEST_TIMEOUT_S", 0.05)

    async def test(server: HttpServer, connect: Connect) -> None:
        caller = await connect()
        caller.send(beginning)
        assert await caller.ended()

    on_a_server(test)


def test_one_who_waits_for_an_answer_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "SWEEP_S", 0.01)
    monkeypatch.setattr(server_module, "REQUEST_TIMEOUT_S", 0.05)

    async def test(server: HttpServer, connect: Connect) -> None:
        waiting, idle = await connect(), await connect()
        waiting.call(b'{"jsonrpc":"2.0","id":1,"method":"wait"}')
        idle.call(CALL)
        assert (await idle.answer())[0] == 200
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert not waiting.reader.at_eof()
        idle.call(CALL)
        assert (await idle.answer())[0] == 200, "a connection between two calls owes nothing"

    on_a_server(test)


@pytest.mark.parametrize("order", [["wait"], ["finish"], ["finish", "wait", "finish"]])
def test_a_call_that_waits_ends_with_its_caller_and_others_are_carried_out(order: list[str]) -> None:
    async def test(server: HttpServer, connect: Connect) -> None:
        left.clear()
        caller = await connect()
        caller.call(json.dumps([{"jsonrpc": "2.0", "id": 1, "method": method} for method in order]).encode())
        await turn_until(lambda: any(connection._task for connection in server.connections))
        caller.writer.close()
        ended = order[: order.index("wait") + 1] if "wait" in order else order
        await turn_until(lambda: left == ended)
        assert not server.connections

    on_a_server(test)


def test_the_end_does_not_wait_for_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "GRACE_S", 0.05)

    async def test(server: HttpServer, connect: Connect) -> None:
        waiting, idle, silent = await connect(), await connect(), await connect()
        waiting.call(b'{"jsonrpc":"2.0","id":1,"method":"wait"}')
        idle.call(CALL)
        await idle.answer()
        await server.close()
        assert await idle.ended()
        assert await silent.ended()
        await waiting.ended()
        with pytest.raises(OSError, match="Connect"):
            await connect()
        await server.close()  # again is no error

    on_a_server(test)


@pytest.mark.parametrize(
    ("head", "goes_on"),
    [
        ("HTTP/1.1", True),
        ("HTTP/1.1\r\nConnection: close", False),
        ("HTTP/1.0", False),
        ("HTTP/1.0\r\nConnection: keep-alive", True),
    ],
)
def test_who_wants_another_call_on_a_connection_gets_it(head: str, goes_on: bool) -> None:
    async def test(server: HttpServer, connect: Connect) -> None:
        caller = await connect()
        caller.send(
            f"POST /rpc {head}\r\nHost: localhost\r\nAuthorization: {LOGIN}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(CALL)}\r\n\r\n".encode()
            + CALL
        )
        status, headers, body = await caller.answer()
        assert (status, json.loads(body)["result"]) == (200, 3)
        assert ("connection" in headers) != goes_on
        if goes_on:
            caller.call(CALL)
            assert (await caller.answer())[0] == 200
        else:
            assert await caller.ended()

    on_a_server(test)


def test_who_would_rather_speak_something_else_is_told_so() -> None:
    async def test(server: HttpServer, connect: Connect) -> None:
        caller = await connect()
        caller.call(CALL, Connection="Upgrade", Upgrade="h2c")
        status, headers, _ = await caller.answer()
        assert (status, headers["connection"]) == (400, "close")
        assert await caller.ended()

    on_a_server(test)


def test_who_asks_whether_to_send_a_body_is_told() -> None:
    async def test(server: HttpServer, connect: Connect) -> None:
        caller = await connect()
        caller.call(b"", Expect="100-continue", Content_Length=str(len(CALL)))
        assert (await caller.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        caller.send(CALL)
        assert (await caller.answer())[0] == 200
        caller.call(b"", Expect="100-continue", Content_Length=str(MAX_BODY + 1))
        assert (await caller.answer())[0] == 413, "before it was sent"

    on_a_server(test)


def test_who_does_not_read_is_not_served_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Endless calls from a client that does not read: the server stops reading, and resumes when it does."""

    async def test(server: HttpServer, connect: Connect) -> None:
        caller = await connect()
        text = "x" * 1000
        call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "echo", "params": [text]}).encode()
        sent = 0
        while True:
            caller.call(call)
            sent += 1
            try:
                async with asyncio.timeout(0.5):
                    await caller.writer.drain()
            except TimeoutError:
                break
            assert sent < 200_000, "it reads for ever"
        (connection,) = server.connections
        assert connection._transport.get_write_buffer_size() < 10_000_000
        for _ in range(sent):
            assert json.loads((await caller.answer())[2])["result"] == text

    on_a_server(test)


def test_more_connections_than_there_is_room_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(server: HttpServer, connect: Connect) -> None:
        server._max_connections = 2
        callers = [await connect() for _ in range(2)]
        for caller in callers:
            caller.call(CALL)
            assert (await caller.answer())[0] == 200
        third = await connect()
        assert (await third.reader.readline()).startswith(b"HTTP/1.1 503")
        callers[0].writer.close()
        callers[1].call(CALL)
        assert (await callers[1].answer())[0] == 200
        fourth = await connect()
        fourth.call(CALL)
        assert (await fourth.answer())[0] == 200

    on_a_server(test)


class Wire:
    """A transport in memory."""

    def __init__(self) -> None:
        self.written = b""
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return ("127.0.0.1", 1)

    def set_write_buffer_limits(self, high: int) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def _fed(server: HttpServer, pieces: Iterable[bytes]) -> Wire:
    wire, connection = Wire(), Connection(server)
    connection.connection_made(wire)  # type: ignore[arg-type]
    for piece in pieces:
        if wire.closing:
            break
        connection.data_received(piece)
    connection.connection_lost(None)
    return wire


REQUEST = (
    b"POST /rpc HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + LOGIN.encode() + b"\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(CALL), CALL)
)


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=5))
def test_no_bytes_make_it_stumble(data: bytes, cuts: list[int]) -> None:
    server = HttpServer(_router())
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    _fed(server, (data[start:end] for start, end in pairwise(bounds)))
    assert not server.connections


@given(cuts=st.lists(st.integers(0, 2 * len(REQUEST)), max_size=8))
def test_however_calls_are_cut_they_are_answered(cuts: list[int]) -> None:
    data = 2 * REQUEST
    bounds = [0, *sorted(cuts), len(data)]
    wire = _fed(HttpServer(_router()), (data[start:end] for start, end in pairwise(bounds)))
    assert wire.written.count(b'"result":3') == 2


@given(position=st.integers(0, len(REQUEST) - 1), byte=st.integers(0, 255))
def test_a_call_with_one_wrong_byte_is_answered_or_refused(position: int, byte: int) -> None:
    async def run() -> None:
        data = bytearray(REQUEST)
        data[position] = byte
        wire = _fed(HttpServer(_router()), [bytes(data)])
        assert re.fullmatch(rb"(HTTP/1\.1 \d{3} .*)?", wire.written, re.DOTALL)

    asyncio.run(run())
