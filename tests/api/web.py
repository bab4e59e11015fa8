"""The read side of a node's API by plain HTTP: resources, and event streams line by line."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.daemon.process import TIMEOUT_S


class Reply(NamedTuple):
    """An answer, read whole; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def get(base: str, target: str, method: str = "GET", **headers: str) -> Reply:
    """Ask once, on a connection of its own."""
    url = urlsplit(base)
    connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=TIMEOUT_S)
    try:
        connection.request(method, target, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, found, response.read())
    finally:
        connection.close()


class Event(NamedTuple):
    """One server-sent event."""

    id: str
    kind: str
    data: Any


class EventSource:
    """A listener. As a context manager it closes at the end."""

    def __init__(self, base: str, query: str = "", **headers: str) -> None:
        url = urlsplit(base)
        self._connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=TIMEOUT_S)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", f"/api/v1/events{query}", headers=sent)
        self._response = self._connection.getresponse()
        assert self._response.status == 200, self._response.read()
        assert self._response.getheader("content-type") == "text/event-stream"
        self._events = self._read()

    def __enter__(self) -> EventSource:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._connection.close()

    def next(self, *kinds: str) -> Event:
        """The next event, of these kinds if any are named."""
        return next(event for event in self._events if not kinds or event.kind in kinds)

    def _read(self) -> Iterator[Event]:
        fields: dict[str, str] = {}
        for line in self._response:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                yield Event(fields["id"], fields["event"], json.loads(fields["data"]))
                fields = {}
