"""What goes in and out: requests, responses, streams, and the routes between them."""

from __future__ import annotations

import time
from asyncio import Future
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple, Protocol
from wsgiref.handlers import format_date_time

Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")
TEXT: Header = (b"content-type", b"text/plain; charset=utf-8")
SNIFF_NOT: Header = (b"x-content-type-options", b"nosniff")
"""Browsers take a body for what its type says, nothing else."""


class Request:
    """A request's head, and once it is served its body.

    target: path and query as they came. headers: by lower-case name; of a repeated one, the first counts. remote: the
    caller's IP address. caller_gone: gives a future that is done when the caller has hung up. route and keep_alive are
    the connection's: who serves it, and whether another may follow.
    """

    __slots__ = ("body", "caller_gone", "headers", "keep_alive", "method", "remote", "route", "target")

    def __init__(
        self,
        method: bytes,
        target: bytes,
        headers: dict[bytes, bytes],
        remote: str,
        caller_gone: Callable[[], Future[None]],
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.remote = remote
        self.caller_gone = caller_gone
        self.body = b""
        self.route = NOWHERE
        self.keep_alive = True


@dataclass(frozen=True, slots=True)
class Response:
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


def _nowhere(request: Request) -> Response:
    raise AssertionError("this request has no route")


NOWHERE = Route(_nowhere)
"""Where a request leads before the application has decided."""


class App(Protocol):
    """Decides over requests by their heads."""

    def route(self, request: Request) -> Route: ...


def line(status: HTTPStatus, text: str, *headers: Header) -> Response:
    """One line of text for a person."""
    return Response(status.value, text.encode() + b"\n", (TEXT, *headers))


def render(response: Response, *, keep_alive: bool, body: bool = True) -> bytes:
    """The bytes of a response; without its body for HEAD."""
    length = b"%d" % len(response.body)
    head = _head(response.status, response.headers)
    close = b"" if keep_alive else b"connection: close\r\n"
    shown = response.body if body else b""
    if response.status == HTTPStatus.NO_CONTENT:
        return b"".join((head, _date(), close, b"\r\n"))
    return b"".join((head, _date(), b"content-length: ", length, b"\r\n", close, b"\r\n", shown))


def render_stream_head(headers: tuple[Header, ...]) -> bytes:
    """The head of an answer that lasts until the connection ends."""
    return b"".join((_head(HTTPStatus.OK.value, headers), _date(), b"connection: close\r\n\r\n"))


@lru_cache(maxsize=256)
def _head(status: int, headers: tuple[Header, ...]) -> bytes:
    phrase = HTTPStatus(status).phrase.encode()
    return b"".join([b"HTTP/1.1 %d %b\r\n" % (status, phrase), *(b"%b: %b\r\n" % header for header in headers)])


def _date() -> bytes:
    """RFC 9110, 6.6.1: a server with a clock sends it."""
    return _date_at(int(time.time()))


@lru_cache(maxsize=1)
def _date_at(second: int) -> bytes:
    return b"date: %b\r\n" % format_date_time(second).encode()
