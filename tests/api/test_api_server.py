"""The HTTP server on a real socket: what comes in, what is refused, who is hung up on, and how it ends."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pychain.daemon.api.door import Door, call
from pychain.daemon.api.jsonrpc import JsonRpc
from pychain.daemon.api.method import Group, table
from pychain.daemon.http import server as server_module
from pychain.daemon.http.connection import MAX_HEAD_BYTES
from pychain.daemon.http.guard import BasicAuth, HostGuard, credential
from pychain.daemon.http.limiter import RateLimiter
from pychain.daemon.http.server import HttpServer
from pychain.daemon.metrics.meters import CallMeter

MAX_BODY = 100_000
LOGIN = "Basic " + base64.b64encode(b"zoe:secret").decode()
group = Group("test", "Methods to be called")


@group.method()
def size(context: object, text: str = "") -> int:
    """Length of a text."""
    return len(text)


@group.method(waits=True)
async def wait(context: object) -> None:
    """Wait for ever."""
    await asyncio.Event().wait()


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


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[HttpServer, Connect]]:
    rpc = JsonRpc(table([group], dev=False), None, CallMeter())
    door = Door(HostGuard(), BasicAuth({"zoe": credential("secret")}), RateLimiter(0), open_reads=True)
    for path in ("/", "/rpc"):
        door.add(path, "POST", call(lambda request: rpc.serve(request.body, request.caller_gone), MAX_BODY))
    server = HttpServer(door)
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
