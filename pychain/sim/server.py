"""The HTTP server of a simulated node from start to stop: a daemon's routes, served in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from pychain.api.context import Context
from pychain.api.events.stream import EventStream
from pychain.api.site import routes
from pychain.http.message import Outcome, Request, Response, RouteDef, Sink
from pychain.http.routes import NOT_JSON, Routes, is_acceptable, too_large
from pychain.node.events import Event
from pychain.sim.backend import HostBackend
from pychain.sim.coroutines import Future

T = TypeVar("T")


class Operator:
    """The caller of all requests."""

    def waits(self, waiting: bool) -> None:
        """Does nothing: the operator stays connected until it cancels its call."""


class Server:
    """Serves one node. responses, connections: counted as by an HTTP server."""

    def __init__(self, backend: HostBackend, files: Iterable[RouteDef], past: Iterable[Event]) -> None:
        """`past`: the events that the node published before the first request."""
        self.backend = backend
        self.responses: dict[int, int] = {}
        self.connections: dict[Sink, EventStream] = {}
        self._context = Context(backend)
        self._routes = Routes()
        self._routes.mount(routes(self._context, self))
        self._routes.mount(files)
        self._context.start()
        for event in past:
            self._context.events.note(event)

    def serve(self, request: Request, shape: Callable[[Response], T]) -> tuple[Future[T], Callable[[], None]]:
        """The answer to a request, at once if nothing has to be waited for, and a function that cancels it. An
        exception is a bug."""
        outcome = self._begin(request)
        if isinstance(outcome, Awaitable):
            task = self.backend.run(self._finish(outcome, request, shape))
            return task.ended, task.cancel
        answer: Future[T] = Future()
        answer.resolve(shape(self._counted(outcome)))
        return answer, lambda: None

    async def _finish(self, outcome: Awaitable[Outcome], request: Request, shape: Callable[[Response], T]) -> T:
        return shape(self._counted(await outcome))

    def listen(self, request: Request, sink: Sink) -> Response | None:
        """Stream events to a sink; returns a response if there is no stream."""
        outcome = self._begin(request)
        if isinstance(outcome, EventStream):
            self.connections[sink] = outcome
            outcome.opened(sink)
            return None
        assert isinstance(outcome, Response)
        return self._counted(outcome)

    def disconnect(self, sink: Sink) -> None:
        """Send no more events to the sink."""
        if stream := self.connections.pop(sink, None):
            stream.gone()

    def end(self) -> None:
        """The node has stopped cleanly: calls under way fail, streams end."""
        self.backend.end()
        self._close()

    def crash(self) -> None:
        """The process has crashed."""
        self.backend.crash()
        self._close()

    def _close(self) -> None:
        self._context.close()
        for sink in list(self.connections):
            sink.close()

    def _begin(self, request: Request) -> Outcome | Awaitable[Outcome]:
        endpoint = self._routes.find(request)
        if isinstance(endpoint, Response):
            return endpoint
        if not is_acceptable(request, endpoint.route):
            return NOT_JSON
        limit = endpoint.route.body_limit
        return too_large(limit) if limit is not None and len(request.body) > limit else endpoint.route.serve(request)

    def _counted(self, outcome: Outcome) -> Response:
        if not isinstance(outcome, Response):
            raise ValueError("this response has no end: use `events`")
        self.responses[outcome.status] = self.responses.get(outcome.status, 0) + 1
        return outcome
