"""The door: which path leads where, and who may come in. Nothing here knows a method or an endpoint.

Reads (GET) are open to whoever reaches the port under an allowed Host, as Core's REST interface is, unless the operator
asks for passwords there too; calls (POST) always need one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import NamedTuple

from pychain.http.guard import BasicAuth, HostGuard
from pychain.http.limiter import RateLimiter
from pychain.http.message import Handler, Request, Response, Route, line

FAILED_LOGIN_DELAY_S = 0.25
"""As in Core: what a guess at a password costs at least."""


class Entrance(NamedTuple):
    """Where one method of HTTP leads at a path, and whether only who has a password gets there."""

    route: Route
    locked: bool


def read(handler: Handler) -> Entrance:
    """An entrance for all."""
    return Entrance(Route(handler), locked=False)


def call(handler: Handler, body_limit: int) -> Entrance:
    """An entrance for those with a password, who bring so many bytes of JSON at most."""
    return Entrance(Route(handler, body_limit), locked=True)


Entrances = Mapping[bytes, Entrance]
"""Method -> entrance."""


class Door:
    """Routes requests. Paths are exact but for those under a prefix, whose entrances see the target themselves."""

    def __init__(self, hosts: HostGuard, auth: BasicAuth, limiter: RateLimiter, *, open_reads: bool) -> None:
        self._hosts = hosts
        self._auth = auth
        self._limiter = limiter
        self._open_reads = open_reads
        self._exact: dict[bytes, Entrances] = {}
        self._prefixes: dict[bytes, Entrances] = {}

    def add(self, path: str, method: str, entrance: Entrance, *, below: bool = False) -> None:
        """An entrance at exactly this path, or at all paths that begin with it."""
        table = self._prefixes if below else self._exact
        entrances = {**table.get(path.encode(), {}), method.encode(): entrance}
        if method == "GET":
            entrances[b"HEAD"] = entrance
        table[path.encode()] = entrances

    def route(self, request: Request) -> Route:
        headers = request.headers
        if not self._hosts.allows(headers.get(b"host", b"")):
            return _route(_WRONG_HOST)
        if request.remote and not self._limiter.allows(request.remote):
            return _route(_TOO_MANY)
        entrances = self._exact.get(request.target) or self._find(request.target)
        if entrances is None:
            return _route(line(HTTPStatus.NOT_FOUND, "there is nothing here; /docs lists what there is"))
        entrance = entrances.get(request.method)
        if entrance is None:
            allow = b", ".join(entrances)
            return _route(line(HTTPStatus.METHOD_NOT_ALLOWED, "not by this method", (b"allow", allow)))
        if (entrance.locked or not self._open_reads) and not self._auth.allows(headers.get(b"authorization")):
            return _REFUSE_LOGIN
        if entrance.route.body_limit is not None and not _is_json(headers.get(b"content-type", b"")):
            return _route(line(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be application/json"))
        return entrance.route

    def _find(self, target: bytes) -> Entrances | None:
        """The entrances of a target that is no exact path: one with a query, or below a prefix."""
        path = target.partition(b"?")[0]
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        for prefix, entrances in self._prefixes.items():
            if path.startswith(prefix):
                return entrances
        return None


_WRONG_HOST = line(
    HTTPStatus.FORBIDDEN, "requests under this Host are refused (api_allowed_hosts adds one to loopback's names)"
)
_TOO_MANY = line(
    HTTPStatus.TOO_MANY_REQUESTS, "too many requests; api_rate_limit says how many", (b"retry-after", b"1")
)
_LOGIN = line(
    HTTPStatus.UNAUTHORIZED,
    "user and password are missing or wrong (the data directory's .cookie holds a pair)",
    (b"www-authenticate", b'Basic realm="pychain"'),
)


async def _refuse_login(request: Request) -> Response:
    await asyncio.sleep(FAILED_LOGIN_DELAY_S)
    return _LOGIN


_REFUSE_LOGIN = Route(_refuse_login)


def _route(response: Response) -> Route:
    return Route(partial(_answer, response))


def _answer(response: Response, request: Request) -> Response:
    return response


def _is_json(content_type: bytes) -> bool:
    """Whatever its case and parameters."""
    return content_type == b"application/json" or (
        content_type.partition(b";")[0].strip().lower() == b"application/json"
    )
