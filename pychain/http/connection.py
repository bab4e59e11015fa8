"""One client: requests are parsed as they arrive, answered in order, and answers are sent at the client's pace.

An answer that is ready at once is sent in the same turn of the loop, without a task. After a refusal the connection
stays open and the rest of the body is read and dropped, since closing at once could lose the answer (RFC 9112, 9.6).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Protocol, cast

import httptools

from pychain.http.message import App, Outcome, Request, Response, Route, Stream, line
from pychain.http.render import render, render_stream_head
from pychain.http.routes import too_large

_log = logging.getLogger(__name__)

MAX_HEAD_BYTES = 64 * 1024
"""Request line and headers; browsers and libraries send under 8 KiB. The head can exceed this by one read."""
MAX_AHEAD = 64
"""Pipelined requests that wait before reading stops; one read may bring more."""
WRITE_BUFFER_BYTES = 64 * 1024
"""Unsent bytes at which a stream must wait."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Owner(Protocol):
    """The server's interface for connections. `tick` counts its sweeps; connections record it instead of the time."""

    app: App
    tick: int
    connections: dict[Connection, None]
    responses: dict[int, int]

    def admits(self, connection: Connection) -> bool: ...


class Connection(asyncio.Protocol):
    """Parses, queues, answers. `owes_since` is the tick since which the rest of a request is missing, and
    `idle_since` the tick since which the connection is idle; None otherwise."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser = httptools.HttpRequestParser(self)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)  # data after that is not read
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._remote = ""
        self._queue: deque[Request] = deque()
        self._current: Request | None = None
        self._task: asyncio.Task[None] | None = None
        self._stream: Stream | None = None
        self._caller_waits = False
        self._closing = False
        self._paused_reading = False
        self._choked = False
        self.owes_since: int | None = None
        self.idle_since: int | None = None
        # The request that is being read
        self._reading = False
        self._in_head = False
        self._head_bytes = 0
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._incoming: Request | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._limit = 0

    # --- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        remote = str((transport.get_extra_info("peername") or ("",))[0])
        self._remote = "" if remote.startswith("127.") or remote == "::1" else remote
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self.owes_since = self._owner.tick
        if not self._owner.admits(self):
            self._refuse(line(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections"))
            return
        self._owner.connections[self] = None

    def data_received(self, data: bytes) -> None:
        if self._stream is not None or (self._closing and not self._reading):  # nothing more is read
            return
        if self._in_head or not self._reading:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # it was answered, and no other request may follow
            return
        except httptools.HttpParserError:
            self._refuse(line(HTTPStatus.BAD_REQUEST, "this is not an HTTP/1.1 request"))
            return
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(line(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's head is too long"))
        elif len(self._queue) > MAX_AHEAD:
            self._pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._owner.connections.pop(self, None)
        self._closing = True
        self._queue.clear()
        if self._caller_waits and self._task is not None:
            self._task.cancel()
        self._current = None
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.gone()

    def pause_writing(self) -> None:
        """The client does not read its answers: stop sending, and stop reading its requests."""
        self._choked = True
        if self._stream is not None:
            self._stream.paused(True)
        else:
            self._pause_reading()

    def resume_writing(self) -> None:
        self._choked = False
        if self._stream is not None:
            self._stream.paused(False)
        else:
            self._serve_queue()

    # --- the parser's side

    def on_message_begin(self) -> None:
        self._reading = self._in_head = True
        self._target = b""
        self._headers = {}
        self._incoming = None
        self.owes_since = self._owner.tick
        self.idle_since = None

    def on_url(self, url: bytes) -> None:
        self._target = self._target + url if self._target else url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.setdefault(name.lower(), value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        parser = self._parser
        upgrade = parser.should_upgrade()  # we speak only HTTP/1.1
        keep_alive = parser.should_keep_alive() and not upgrade
        request = Request(parser.get_method(), self._target, self._headers, self._remote, self, keep_alive)
        route = self._owner.app.route(request)
        limit = route.body_limit
        if limit is not None and upgrade:  # the rest is not parsed as a body
            route, limit = _NO_UPGRADE, None
        request.route = route
        if limit is None:
            self._enqueue(request)
            return
        if int(self._headers.get(b"content-length", 0)) > limit:
            self._too_large(request, limit)
            return
        self._incoming = request
        self._limit = limit
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and self._current is None:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        request = self._incoming
        if request is None:
            return
        if not request.body and not self._pieces:
            request.body = body
            self._size = len(body)
        else:
            self._pieces.append(body)
            self._size += len(body)
        if self._size > self._limit:
            self._incoming = None
            self._pieces.clear()
            request.body = b""
            self._too_large(request, self._limit)

    def on_message_complete(self) -> None:
        self._reading = False
        self._head_bytes = 0
        self.owes_since = None
        request = self._incoming
        if request is not None:
            self._incoming = None
            if self._pieces:
                request.body += b"".join(self._pieces)
                self._pieces.clear()
            self._enqueue(request)
        if self._current is None and not self._queue:
            self._at_rest()

    # --- answering, one after the other

    def _enqueue(self, request: Request) -> None:
        if self._closing:
            return
        if self._current is None and not self._queue and not self._choked:
            self._serve(request)
        else:
            self._queue.append(request)

    def _serve(self, request: Request) -> None:
        self._current = request
        try:
            assert request.route is not None
            outcome = request.route.serve(request)
            if not isinstance(outcome, Response) and isinstance(outcome, Awaitable):
                self._task = asyncio.get_running_loop().create_task(self._await(outcome, request))
                return
        except Exception as error:
            outcome = _bug(error)
        self._answer(request, outcome)

    async def _await(self, awaited: Awaitable[Outcome], request: Request) -> None:
        try:
            outcome = await awaited
        except Exception as error:
            outcome = _bug(error)
        self._task = None
        if not self._transport.is_closing():
            self._answer(request, outcome)
            self._serve_queue()

    def _answer(self, request: Request, outcome: Outcome) -> None:
        with_body = request.method != b"HEAD"
        responses = self._owner.responses
        if isinstance(outcome, Response):
            responses[outcome.status] = responses.get(outcome.status, 0) + 1
            keep_alive = request.keep_alive and not self._closing
            self._transport.write(render(outcome, keep_alive=keep_alive, body=with_body))
            self._current = None
            if not keep_alive:
                self._closing = True
                self._queue.clear()
            return
        responses[HTTPStatus.OK] = responses.get(HTTPStatus.OK, 0) + 1
        self._transport.write(render_stream_head(outcome.headers))
        self._queue.clear()
        if with_body:
            self._stream = outcome
            outcome.opened(self)
        else:
            self._current = None
            self._closing = True

    def _serve_queue(self) -> None:
        while self._current is None and self._queue and not self._choked:
            self._serve(self._queue.popleft())
        if self._current is None and not self._queue:
            if self._paused_reading and not self._choked and not self._transport.is_closing():
                self._paused_reading = False
                self._transport.resume_reading()
            if not self._reading:
                self._at_rest()

    def _pause_reading(self) -> None:
        if not self._paused_reading and not self._transport.is_closing():
            self._paused_reading = True
            self._transport.pause_reading()

    def _at_rest(self) -> None:
        """Everything received is answered, and no request is half read."""
        if self._closing:
            self._transport.close()
        else:
            self.idle_since = self._owner.tick

    def _too_large(self, request: Request, limit: int) -> None:
        request.route = Route(lambda _: too_large(limit))
        self._enqueue(request)

    def _refuse(self, response: Response) -> None:
        """Send the reason and close; do not wait for running requests."""
        self._owner.responses[response.status] = self._owner.responses.get(response.status, 0) + 1
        self._closing = True
        self._queue.clear()
        if self._current is None:
            self._transport.write(render(response, keep_alive=False))
        self._transport.close()

    # --- for handlers, streams and the server

    def waits(self, waiting: bool) -> None:
        self._caller_waits = waiting
        if waiting and self._transport.is_closing() and self._task is not None:
            self._task.cancel()

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def close(self) -> None:
        """Close once everything written is sent."""
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def finish(self) -> asyncio.Task[None] | None:
        """The server closes: read nothing more, and close after the running request, if any; returns its task."""
        self._closing = True
        self._queue.clear()
        if self._task is None:
            self._transport.close()
        return self._task


def _refuse_upgrade(request: Request) -> Response:
    return line(HTTPStatus.BAD_REQUEST, "only HTTP/1.1 is served, without upgrades")


_NO_UPGRADE = Route(_refuse_upgrade)


def _bug(error: Exception) -> Response:
    _log.error("internal error in the HTTP server", exc_info=error)
    return line(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error (the node's log has more)")
