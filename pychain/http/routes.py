"""A site's table of routes: which path leads where. Nothing here knows a method or a resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import NamedTuple

from pychain.http.message import Request, Response, Route, RouteDef, line


class Endpoint(NamedTuple):
    """Where one method of HTTP leads at a path, and whether it needs a password always."""

    route: Route
    locked: bool


Endpoints = Mapping[bytes, Endpoint]
"""By method."""


class Routes:
    """Paths are exact but for those under a prefix, whose handlers see the target themselves."""

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
        """The endpoint of a request, or why there is none."""
        endpoints = self._exact.get(request.target) or self._look_up(request.target)
        if endpoints is None:
            return line(HTTPStatus.NOT_FOUND, "there is nothing here; /docs lists what there is")
        endpoint = endpoints.get(request.method)
        if endpoint is None:
            return line(HTTPStatus.METHOD_NOT_ALLOWED, "not by this method", (b"allow", b", ".join(endpoints)))
        return endpoint

    def _look_up(self, target: bytes) -> Endpoints | None:
        """The endpoints of a target that is no exact path: one with a query, or below a prefix."""
        path = target.partition(b"?")[0]
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        for prefix, endpoints in self._prefixes.items():
            if path.startswith(prefix):
                return endpoints
        return None


def is_acceptable(request: Request, route: Route) -> bool:
    """Whether a request has the kind of content that its route takes: JSON, whatever its type's case and parameters,
    where it takes any."""
    if route.body_limit is None:
        return True
    content_type = request.headers.get(b"content-type", b"")
    return content_type == b"application/json" or (
        content_type.partition(b";")[0].strip().lower() == b"application/json"
    )


NOT_JSON = line(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be application/json")


def too_large(limit: int) -> Response:
    """The answer to a longer body than a route takes."""
    return line(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request here has at most {limit} bytes")
