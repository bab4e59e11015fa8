"""One listener of GET /api/v1/events, and the request handler that accepts it."""

from __future__ import annotations

from http import HTTPStatus

from pychain.api.endpoint import fields_of, problem
from pychain.api.errors import RpcError, out_of_range
from pychain.api.events.broadcast import STALL_S, Broadcaster
from pychain.api.events.ring import render
from pychain.api.events.views import KINDS, Kind, ResetEvent
from pychain.base.time import seconds
from pychain.http.message import SNIFF_NOT, Header, Request, Response, Sink, line

_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # proxies that buffer responses would delay the events
    SNIFF_NOT,
)
_GREETING = b"retry: 2000\n\n"
"""How soon a browser reconnects after a broken connection, in milliseconds; sent at once, and the head with it."""
_HEARTBEAT = b":\n\n"
RESET = "reset"


class EventStream:
    """A listener: its position in the ring, and its connection."""

    headers = _HEADERS

    def __init__(self, broadcaster: Broadcaster, kinds: tuple[Kind, ...], last_event_id: str | None) -> None:
        self._broadcaster = broadcaster
        self._kinds = kinds
        self._last_event_id = last_event_id
        self._told = broadcaster.ring.last
        self._sink: Sink | None = None
        self._paused_since_ns: int | None = None

    # --- the connection's side

    def opened(self, sink: Sink) -> None:
        self._sink = sink
        sink.write(_GREETING + self._resume())
        self._broadcaster.join(self)
        self.tell()

    def paused(self, paused: bool) -> None:
        self._paused_since_ns = self._broadcaster.clock.mono_ns() if paused else None
        if not paused:
            self.tell()

    def gone(self) -> None:
        self._sink = None
        self._broadcaster.leave(self)

    # --- the broadcaster's side

    def tell(self) -> None:
        ring = self._broadcaster.ring
        while self._sink is not None and self._told < ring.last:
            covered = ring.covers(self._told, self._kinds)
            if self._paused_since_ns is not None:
                if not covered:
                    self._sink.abort()
                return
            if not covered:  # more happened at once than the ring holds
                self._told = ring.last
                self._sink.write(self._reset())
                return
            chunk = ring.chunk(self._told, self._kinds)
            self._told = chunk.last
            if chunk.data:
                self._sink.write(chunk.data)

    def beat(self, now_ns: int) -> None:
        if self._sink is None:
            return
        if self._paused_since_ns is None:
            self._sink.write(_HEARTBEAT)
        elif self._paused_since_ns < now_ns - seconds(STALL_S):
            self._sink.abort()

    def _resume(self) -> bytes:
        """Resume after the listener's last event; if that is impossible, return a reset event."""
        if self._last_event_id is None:
            return b""
        ring = self._broadcaster.ring
        number = ring.parse(self._last_event_id)
        if number is not None and ring.covers(number, self._kinds):
            self._told = number
            return b""
        return self._reset()

    def _reset(self) -> bytes:
        ring = self._broadcaster.ring
        reason = "the events since then are no longer kept: read the state again"
        return render(f"{ring.name}-{ring.last}", RESET, ResetEvent(reason=reason))


class Events:
    """The request handler: `?types=` selects kinds, and Last-Event-ID (or `?last_event_id=`) resumes after an event."""

    def __init__(self, broadcaster: Broadcaster) -> None:
        self._broadcaster = broadcaster

    def serve(self, request: Request) -> EventStream | Response:
        try:
            kinds, last_event_id = _parse(request)
        except RpcError as error:
            return problem(error)
        if self._broadcaster.is_full:
            return line(HTTPStatus.SERVICE_UNAVAILABLE, "too many listeners", (b"retry-after", b"10"))
        header = request.headers.get(b"last-event-id")
        return EventStream(
            self._broadcaster, kinds, header.decode("ascii", "replace") if header is not None else last_event_id
        )


def _parse(request: Request) -> tuple[tuple[Kind, ...], str | None]:
    _, _, query = request.target.decode("ascii", "replace").partition("?")
    fields = fields_of(query)
    wanted = [name.strip() for name in fields.pop("types", ",".join(KINDS)).split(",")]
    last_event_id = fields.pop("last_event_id", None)
    for name in fields:
        raise out_of_range(f"there is no parameter '{name[:64]}': types, last_event_id")
    for name in wanted:
        if name not in KINDS:
            raise out_of_range(f"there are no events '{name[:64]}': {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in wanted), last_event_id
