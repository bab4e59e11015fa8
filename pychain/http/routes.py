"""A site's table of routes: from paths to handlers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import NamedTuple

from pychain.http.message import Request, Response, Route, RouteDef, line


class Endpoint(NamedTuple):
    """The handler of one HTTP method at a path, and whether it always needs a password."""

    route: Route
    locked: bool


Endpoints = Mapping[bytes, Endpoint]
"""By method."""


class Routes:
    """Paths are exact, except those under a prefix, whose handlers parse the target themselves."""

    def __init__(self) -> None:
        self._exact: dict[bytes, Endpoints] = {}
        self._prefixes: dict[bytes, Endpoints] = {}

    def mount(self, routes: Iterable[RouteDef]) -> None:
        """Add routes to the table."""
        for each in routes:
            table = self._prefixes if each.below else self._exact
            path, endpoint = each.path.encode(), Endpoint(Route(each.handler, each.body_limit), each.locked)
            endpoints = {**table.get(path, {}), each.method.encode(): endpoint}
            if each.method == "GET":
                endpoints[b"HEAD"] = endpoint
            table[path] = endpoints

    def find(self, request: Request) -> Endpoint | Response:
        """The endpoint of a request, or the response if there is none."""
        endpoints = self._exact.get(request.target) or self._look_up(request.target)
        if endpoints is None:
            return line(HTTPStatus.NOT_FOUND, "there is nothing here; see /docs")
        endpoint = endpoints.get(request.method)
        if endpoint is None:
            return line(
                HTTPStatus.METHOD_NOT_ALLOWED, "this method is not allowed here", (b"allow", b", ".join(endpoints))
            )
        return endpoint

    def _look_up(self, target: bytes) -> Endpoints | None:
        """The endpoints of a target that is not an exact path: one with a query, or below a prefix."""
        path = target.partition(b"?")[0]
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        for prefix, endpoints in self._prefixes.items():
            if path.startswith(prefix):
                return endpoints
        return None


def is_acceptable(request: Request, route: Route) -> bool:
    """Whether a request's content has the type that its route takes: JSON, if it takes a body; case and parameters of
    the type do not matter."""
    if route.body_limit is None:
        return True
    content_type = request.headers.get(b"content-type", b"")
    return content_type == b"application/json" or (
        content_type.partition(b";")[0].strip().lower() == b"application/json"
    )


NOT_JSON = line(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be application/json")


def too_large(limit: int) -> Response:
    """The response to a body that is longer than its route allows."""
    return line(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request here has at most {limit} bytes")
