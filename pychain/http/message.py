"""What goes in and out: requests, responses, streams, and the routes between them."""

from __future__ import annotations

import time
from asyncio import Future
from collections.abc import Awaitable, Callable
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple, Protocol
from wsgiref.handlers import format_date_time

from msgspec import Struct

Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")
TEXT: Header = (b"content-type", b"text/plain; charset=utf-8")
SNIFF_NOT: Header = (b"x-content-type-options", b"nosniff")
"""Browsers take a body for what its type says, nothing else."""


class Request(Struct, gc=False):
    """A request's head, and once it is served its body.

    target: path and query as they came. headers: by lower-case name; of a repeated one, the first counts. remote: the
    caller's IP address, empty for this machine's loopback. caller_gone: gives a future that is done when the caller has
    hung up. keep_alive: whether another may follow. route: who serves it, once the application has decided.
    """

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    remote: str
    caller_gone: Callable[[], Future[None]]
    keep_alive: bool = True
    body: bytes = b""
    route: Route | None = None


class Response(Struct, frozen=True, gc=False):
    """An answer. `headers` lack the date and the length, which the connection writes."""

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = (TEXT,)


class Sink(Protocol):
    """Where a stream's bytes go: a connection whose head is written."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None:
        """End the stream in order."""
        ...

    def abort(self) -> None:
        """Hang up at once, dropping what was not sent."""
        ...


class Stream(Protocol):
    """An answer without end. Its writer is told when the caller reads too slowly, and must then wait."""

    @property
    def headers(self) -> tuple[Header, ...]: ...

    def opened(self, sink: Sink) -> None: ...

    def paused(self, paused: bool) -> None: ...

    def gone(self) -> None:
        """The connection ended, by either side."""
        ...


Outcome = Response | Stream
Handler = Callable[[Request], Outcome | Awaitable[Outcome]]


class Route(NamedTuple):
    """Who serves a request. Without a `body_limit` it wants no body: it is served as soon as its head has come, and
    what follows is dropped. A longer body than the limit is refused."""

    serve: Handler
    body_limit: int | None = None


class App(Protocol):
    """Decides over requests by their heads."""

    def route(self, request: Request) -> Route: ...


def line(status: HTTPStatus, text: str, *headers: Header) -> Response:
    """One line of text for a person."""
    return Response(status.value, text.encode() + b"\n", (TEXT, *headers))


def render(response: Response, *, keep_alive: bool, body: bool = True) -> bytes:
    """The bytes of a response; without its body for HEAD."""
    head = _head(response.status, response.headers, int(time.time()))
    close = b"\r\n" if keep_alive else b"connection: close\r\n\r\n"
    if response.status == HTTPStatus.NO_CONTENT:
        return head + close
    return b"%bcontent-length: %d\r\n%b%b" % (head, len(response.body), close, response.body if body else b"")


def render_stream_head(headers: tuple[Header, ...]) -> bytes:
    """The head of an answer that lasts until the connection ends."""
    return _head(HTTPStatus.OK.value, headers, int(time.time())) + b"connection: close\r\n\r\n"


@lru_cache(maxsize=64)
def _head(status: int, headers: tuple[Header, ...], second: int) -> bytes:
    """Status line, date (RFC 9110, 6.6.1: a server with a clock sends it) and headers."""
    lines = [b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode())]
    lines += [b"%b: %b" % header for header in headers]
    return b"\r\n".join([*lines, b"date: " + format_date_time(second).encode(), b""])
