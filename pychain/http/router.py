"""The router: a site's routes, and access to them.

Reads (GET) are open to anyone who reaches the port under an allowed Host, like Core's REST interface, unless the
operator requires passwords for them too; calls (POST) always need one.
"""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus

from pychain.http.guard import BasicAuth, HostGuard
from pychain.http.limiter import RateLimiter
from pychain.http.message import Request, Response, Route, line
from pychain.http.routes import NOT_JSON, Routes, is_acceptable

FAILED_LOGIN_DELAY_S = 0.25
"""As in Core: the delay after a wrong password."""


class Router(Routes):
    """Routes for the server: requests are checked by their heads before they are served."""

    def __init__(self, hosts: HostGuard, auth: BasicAuth, limiter: RateLimiter, *, open_reads: bool) -> None:
        super().__init__()
        self._hosts = hosts
        self._auth = auth
        self._limiter = limiter
        self._open_reads = open_reads

    def route(self, request: Request) -> Route:
        headers = request.headers
        if not self._hosts.allows(headers.get(b"host", b"")):
            return _route(_WRONG_HOST)
        if request.remote and not self._limiter.allows(request.remote):
            return _route(_TOO_MANY)
        endpoint = self.find(request)
        if isinstance(endpoint, Response):
            return _route(endpoint)
        if (endpoint.locked or not self._open_reads) and not self._auth.allows(headers.get(b"authorization")):
            return _REFUSE_LOGIN
        return endpoint.route if is_acceptable(request, endpoint.route) else _route(NOT_JSON)


_WRONG_HOST = line(
    HTTPStatus.FORBIDDEN, "requests under this Host are refused (api_allowed_hosts allows others than loopback)"
)
_TOO_MANY = line(
    HTTPStatus.TOO_MANY_REQUESTS, "too many requests; api_rate_limit sets the limit", (b"retry-after", b"1")
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
