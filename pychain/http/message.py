"""What goes in and out: requests, responses, streams, and the routes between them. Data alone: no socket, no clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sized
from http import HTTPStatus
from typing import NamedTuple, Protocol

from msgspec import Struct

Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")
TEXT: Header = (b"content-type", b"text/plain; charset=utf-8")
SNIFF_NOT: Header = (b"x-content-type-options", b"nosniff")
"""Browsers take a body for what its type says, nothing else."""


class Caller(Protocol):
    """The one who asked, as far as a handler needs to know it."""

    def waits(self, waiting: bool) -> None:
        """Whether its answer may take for ever: while so, the server cancels the handler once the caller is gone."""
        ...


class Request(Struct, gc=False):
    """A request's head, and once it is served its body.

    target: path and query as they came. headers: by lower-case name; of a repeated one, the first counts. remote: the
    caller's IP address, empty for this machine's loopback. keep_alive: whether another may follow. route: who serves
    it, once the application has decided.
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


class RouteDef(NamedTuple):
    """An entry of a site's table: what serves a method of HTTP (GET for HEAD too) at a path, or at all paths that begin
    with it where it is `below`. One that is `locked` needs a password always. `body_limit` as in `Route`; what has one
    takes JSON alone.
    """

    method: str
    path: str
    handler: Handler
    locked: bool = False
    body_limit: int | None = None
    below: bool = False


class Files(NamedTuple):
    """Files of a package that a site serves as they are: those below `folder` at paths that begin with `at`."""

    package: str
    folder: str
    at: str


class Counters(Protocol):
    """What a server counts: responses by status since its start, and connections that stand."""

    @property
    def responses(self) -> Mapping[int, int]: ...

    @property
    def connections(self) -> Sized: ...


class App(Protocol):
    """Decides over requests by their heads."""

    def route(self, request: Request) -> Route: ...


def line(status: HTTPStatus, text: str, *headers: Header) -> Response:
    """One line of text for a person."""
    return Response(status.value, text.encode() + b"\n", (TEXT, *headers))
