"""Requests, responses, streams, and the routes between them. Only data: no socket, no clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sized
from http import HTTPStatus
from typing import NamedTuple, Protocol

from msgspec import Struct

Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")
TEXT: Header = (b"content-type", b"text/plain; charset=utf-8")
SNIFF_NOT: Header = (b"x-content-type-options", b"nosniff")
"""Browsers use a body only as its declared type."""


class Caller(Protocol):
    """The client of a request, as far as a handler needs it."""

    def waits(self, waiting: bool) -> None:
        """Set whether the answer may wait for ever: then the server cancels the handler if the client disconnects."""
        ...


class Request(Struct, gc=False):
    """A request's head, and its body once it is served.

    target: path and query as they came. headers: by lower-case name; the first counts if repeated. remote: the
    client's IP address, empty for loopback. keep_alive: whether another request may follow. route: the handler,
    once the application has chosen it.
    """

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    remote: str
    caller: Caller
    keep_alive: bool = True
    body: bytes = b""
    route: Route | None = None


class Response(Struct, frozen=True, gc=False):
    """A response. The connection adds the date and the length to `headers`."""

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = (TEXT,)


class Sink(Protocol):
    """The destination of a stream's bytes: a connection whose response head is written."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None:
        """End the stream cleanly."""
        ...

    def abort(self) -> None:
        """Close at once, dropping unsent bytes."""
        ...


class Stream(Protocol):
    """A response without an end. `paused` tells it that the client reads too slowly, and it must then wait."""

    @property
    def headers(self) -> tuple[Header, ...]: ...

    def opened(self, sink: Sink) -> None: ...

    def paused(self, paused: bool) -> None: ...

    def gone(self) -> None:
        """The connection was closed by either side."""
        ...


Outcome = Response | Stream
Handler = Callable[[Request], Outcome | Awaitable[Outcome]]


class Route(NamedTuple):
    """The handler of a request. Without a `body_limit` it takes no body: it is served as soon as its head is complete,
    and the rest is dropped. A body longer than the limit is refused."""

    serve: Handler
    body_limit: int | None = None


class RouteDef(NamedTuple):
    """An entry of a site's table: the handler of an HTTP method (GET also serves HEAD) at a path, or if `below` at all
    paths that begin with it. `locked`: it always needs a password. `body_limit`: as in `Route`; with one, only JSON is
    accepted.
    """

    method: str
    path: str
    handler: Handler
    locked: bool = False
    body_limit: int | None = None
    below: bool = False


class Files(NamedTuple):
    """Static files of a package that a site serves: those below `folder` at paths that begin with `at`."""

    package: str
    folder: str
    at: str


class Counters(Protocol):
    """A server's counters: responses by status since its start, and open connections."""

    @property
    def responses(self) -> Mapping[int, int]: ...

    @property
    def connections(self) -> Sized: ...


class App(Protocol):
    """Chooses the route of a request from its head."""

    def route(self, request: Request) -> Route: ...


def line(status: HTTPStatus, text: str, *headers: Header) -> Response:
    """A response with one line of text."""
    return Response(status.value, text.encode() + b"\n", (TEXT, *headers))
