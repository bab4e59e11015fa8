"""The API of a simulated node: JSON-RPC, REST, events, metrics and the explorer, by the same code as a daemon's.

host.api.call("getblockcount")
host.api.get("/status").body["height"]
host.api.request("GET", "/metrics").body
for event in host.api.events("tip", timeout_s=600): ...
pending = host.api.begin("waitforblockheight", 10)

The caller is the host's operator, on the host itself: there is no password, and only the node's work takes time. A call
runs the world until its answer is there; `begin` leaves that to the test.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from pychain.api.endpoint import ROOT
from pychain.api.errors import Code, RpcError
from pychain.api.site import FILES
from pychain.base.errors import PychainError
from pychain.base.time import seconds
from pychain.http.assets import load_files
from pychain.http.message import Request, Response, RouteDef
from pychain.node.events import Event
from pychain.sim.backend import HostBackend
from pychain.sim.coroutines import CancelledError, Future, Timers
from pychain.sim.entropy import SeededEntropy
from pychain.sim.served import ServedHost, Simulation
from pychain.sim.server import Operator, Server

T = TypeVar("T")

LIMIT_S = 3600.0
"""Default limit of a call's virtual time."""
EVENTS_S = 60.0
"""Default virtual time without an event after which a listener ends."""


class HostDownError(PychainError):
    """The host is not running, or stopped before it answered."""


class UnansweredError(PychainError):
    """No answer came within the time limit, or none can ever come."""


class Reply(NamedTuple):
    """An HTTP response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class JsonReply(NamedTuple):
    """A REST response with its body decoded."""

    status: int
    body: Any


class ApiEvent(NamedTuple):
    """A server-sent event with its data decoded."""

    id: str
    kind: str
    data: Any


class Pending(Generic[T]):
    """A call under way."""

    def __init__(self, api: HostApi, what: str, answer: Future[T], cancel: Callable[[], None]) -> None:
        self._api = api
        self._what = what
        self._answer = answer
        self.cancel = cancel
        """Disconnect: the method's work on the host is cancelled."""

    @property
    def done(self) -> bool:
        return self._answer.done

    @property
    def result(self) -> T:
        """The answer, or its error raised. UnansweredError while there is none; HostDownError if the host crashed."""
        if not self.done:
            raise UnansweredError(f"{self._what} is not answered yet")
        try:
            return self._answer.result()
        except CancelledError:
            raise HostDownError(f"{self._what} was cut off before it was answered") from None

    def wait(self) -> T:
        """Run the world until the answer is there."""
        self._api.run_until(lambda: self.done, self._what)
        return self.result


class HostApi:
    """One host's API, across restarts. As with a daemon, state between calls (snapshots, the last events) is lost with
    the process. A watcher, which is called while a node works, may begin calls but must not wait for them.

    limit_s: virtual time that a call may take.
    """

    def __init__(self, host: ServedHost, world: Simulation) -> None:
        self.limit_s = LIMIT_S
        self._host = host
        self._world = world
        self._timers = Timers(world.heap)
        self._server: Server | None = None
        self._lives = 0

    # --- calls

    def call(self, method: str, *params: Any, **named: Any) -> Any:
        """The result of a JSON-RPC method; raises RpcError. Parameters by position or by name."""
        return self.begin(method, *params, **named).wait()

    def begin(self, method: str, *params: Any, **named: Any) -> Pending[Any]:
        """Begin a call, which is answered while the world runs."""
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": named or params})
        return self._begin(_request("POST", "/rpc", body, {"content-type": "application/json"}), method, _result)

    def get(self, path: str) -> JsonReply:
        """A REST resource, by its path below /api/v1 and its query."""
        reply = self.request("GET", ROOT + path)
        return JsonReply(reply.status, msgspec.json.decode(reply.body))

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """Any HTTP request to the node."""
        request = _request(method, path, body, headers or {})
        return self._begin(request, f"{method} {path}", lambda response: _reply(request, response)).wait()

    def events(self, *types: str, timeout_s: float = EVENTS_S, last_event_id: str | None = None) -> EventSource:
        """The events from now on (or after an id), of these types if any are given. RpcError for unknown types."""
        query = f"?types={','.join(types)}" if types else ""
        headers = {} if last_event_id is None else {"last-event-id": last_event_id}
        request = _request("GET", f"{ROOT}/events{query}", b"", headers)
        return EventSource(self, self._serving(request), request, timeout_s)

    def _begin(self, request: Request, what: str, shape: Callable[[Response], T]) -> Pending[T]:
        answer, cancel = self._serving(request).serve(request, shape)
        return Pending(self, f"{what} to {self._host.name}", answer, cancel)

    def _serving(self, request: Request) -> Server:
        """The server of a request that comes now."""
        heap = self._world.heap
        self._world.trace.note(heap.now_ns, self._host.name, "Request", b" ".join(_line(request)))
        if not self._host.is_running:
            raise HostDownError(f"{self._host.name} is not running")
        if self._server is None:
            self._lives += 1
            entropy = SeededEntropy(self._world.seed, f"{self._host.name}/api/{self._lives}")
            backend = HostBackend(self._host, self._timers, entropy)
            self._server = Server(backend, _files(), self._host.events_of_life)
        return self._server

    # --- called by the world

    def run_until(self, condition: Callable[[], bool], what: str) -> None:
        """Run the world until a condition holds. UnansweredError with the seed if it never can, or not in time."""
        if not self.run_for(condition, self.limit_s):
            limit = f"it took longer than {self.limit_s:g} s of virtual time"
            why = "nothing is left to happen" if self._world.heap.is_empty else limit
            raise UnansweredError(f"seed {self._world.seed}: no answer of {what}: {why}")

    def run_for(self, condition: Callable[[], bool], span_s: float) -> bool:
        """Run the world until a condition holds; False if it does not within the span, or never can."""
        heap = self._world.heap
        until_ns = heap.now_ns + seconds(span_s)
        while not condition():
            if heap.is_empty or not heap.step(until_ns):
                return False
        return True

    def publish(self, event: Event) -> None:
        """The node publishes an event to its listeners."""
        if self._server is not None:
            self._server.backend.hub.publish(event)

    def end(self) -> None:
        """The node has stopped cleanly."""
        server, self._server = self._server, None
        if server is not None:
            server.end()

    def crash(self) -> None:
        """The process has crashed."""
        server, self._server = self._server, None
        if server is not None:
            server.crash()


class EventSource:
    """A listener: an iterator over events that runs the world until the next one, and ends after a time without any or
    when the host is down. As a context manager it disconnects at the end."""

    def __init__(self, api: HostApi, server: Server, request: Request, timeout_s: float) -> None:
        self._api = api
        self._server = server
        self._timeout_s = timeout_s
        self._unread = b""
        self._events: deque[ApiEvent] = deque()
        self._closed = False
        if (refusal := server.listen(request, self)) is not None:
            raise RpcError(Code.INVALID_PARAMETER, refusal.body.decode())

    def __iter__(self) -> EventSource:
        return self

    def __next__(self) -> ApiEvent:
        self._api.run_for(lambda: bool(self._events) or self._closed, self._timeout_s)
        if not self._events:
            raise StopIteration
        return self._events.popleft()

    def __enter__(self) -> EventSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        """Called by the stream with bytes of events."""
        *whole, self._unread = (self._unread + data).split(b"\n\n")
        for text in whole:
            fields = dict(line.split(": ", 1) for line in text.decode().split("\n") if ": " in line)
            if "event" in fields:
                self._events.append(ApiEvent(fields["id"], fields["event"], msgspec.json.decode(fields["data"])))

    def close(self) -> None:
        """Disconnect; received events can still be read."""
        self._closed = True
        self._server.disconnect(self)

    abort = close


@cache
def _files() -> tuple[RouteDef, ...]:
    """The explorer's files, read once for all hosts."""
    return tuple(load_files(FILES))


def _request(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Request:
    sent = {name.lower().encode(): value.encode() for name, value in headers.items()}
    return Request(method.encode(), path.encode(), sent, "", Operator(), body=body)


def _line(request: Request) -> tuple[bytes, ...]:
    """The part of a request that goes into the trace."""
    return request.method, request.target, request.body


def _reply(request: Request, response: Response) -> Reply:
    headers = {name.decode(): value.decode() for name, value in response.headers}
    return Reply(int(response.status), headers, b"" if request.method == b"HEAD" else response.body)


def _result(response: Response) -> Any:
    answer = msgspec.json.decode(response.body)
    if "error" in answer:
        raise RpcError(Code(answer["error"]["code"]), answer["error"]["message"])
    return answer["result"]
