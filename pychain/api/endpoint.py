"""Endpoints: typed functions, each the single definition behind its requests and its description.

The function's first parameter is the `Context`; the others come from the path's `{names}` and from the query.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial, reduce
from http import HTTPStatus
from operator import or_
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin
from urllib.parse import parse_qsl, unquote

import msgspec

from pychain.api.errors import Code, RpcError, out_of_range, told
from pychain.api.meters import CallMeter
from pychain.api.method import Method, describe
from pychain.api.runtime import Clock
from pychain.http.message import JSON, SNIFF_NOT, Request, Response

Function = TypeVar("Function", bound=Callable[..., Any])

ROOT = "/api/v1"
MAX_QUERY_FIELDS = 16
"""More than any endpoint has; it bounds the parsing of a query."""
_NO_CACHE = (b"cache-control", b"no-cache")
"""Answers may be cached, and revalidated with their ETag: nearly all of them change with the tip."""
_STATUS = {
    Code.INVALID_ADDRESS_OR_KEY: HTTPStatus.NOT_FOUND,
    Code.INVALID_PARAMETER: HTTPStatus.BAD_REQUEST,
    Code.INVALID_PARAMS: HTTPStatus.BAD_REQUEST,
    Code.TYPE_ERROR: HTTPStatus.BAD_REQUEST,
    Code.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Every other code is temporary: 503."""


class Problem(msgspec.Struct):
    """Why a request was not answered: JSON-RPC's code, and a line for people."""

    code: int
    message: str


class ProblemView(msgspec.Struct):
    """The body of every answer but 200."""

    error: Problem


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path below `/api/v1` with at most one `{name}` in it, and the function behind it."""

    path: str
    method: Method

    @property
    def prefix(self) -> str:
        """The path up to its `{name}`, or all of it."""
        return ROOT + self.path.partition("{")[0]

    @property
    def in_path(self) -> str | None:
        """The parameter in the path."""
        _, _, rest = self.path.partition("{")
        return rest.partition("}")[0] or None

    @property
    def suffix(self) -> str:
        """The path after its `{name}`."""
        return self.path.partition("}")[2]


class Resources:
    """The endpoints of one topic, in the order of their definition."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.endpoints: list[Endpoint] = []

    def get(self, path: str, **details: Any) -> Callable[[Function], Function]:
        """Answer GET requests at a path with a function; `details` as for `describe`."""

        def register(function: Function) -> Function:
            method = describe(function, self.title, **details)
            self.endpoints.append(Endpoint(path, replace(method, arguments=_given(method))))
            return function

        return register


def _given(method: Method) -> type[msgspec.Struct]:
    """The types of given parameters: text in a query cannot be null, which optional parameters allow."""
    fields = []
    for each in method.parameters:
        options = tuple(option for option in get_args(each.type) if option is not NoneType)
        given = reduce(or_, options) if get_origin(each.type) in (Union, UnionType) else each.type
        fields.append((each.name, given) if each.required else (each.name, given, each.default))
    return msgspec.defstruct(f"{method.name}_given", fields, forbid_unknown_fields=True)


class Rest:
    """Answers requests for endpoints; `context` is the first argument of each."""

    def __init__(self, context: object, meter: CallMeter, clock: Clock) -> None:
        self._context = context
        self._meter = meter
        self._mono_ns = clock.mono_ns

    def handler(self, endpoints: list[Endpoint]) -> Callable[[Request], Response | Awaitable[Response]]:
        """The handler of endpoints that share a prefix and differ in the path after their `{name}`."""
        by_suffix = {endpoint.suffix: endpoint for endpoint in endpoints}
        return partial(self._serve, by_suffix)

    def _serve(self, by_suffix: dict[str, Endpoint], request: Request) -> Response | Awaitable[Response]:
        path, _, query = request.target.decode("ascii", "replace").partition("?")
        began_ns = self._mono_ns()
        try:
            endpoint, given = _resolve(by_suffix, path)
        except RpcError as error:
            return problem(error)
        try:
            given = fields_of(query) | given
            method = endpoint.method
            result = method.function(self._context, *method.convert(given, strict=False))
            if inspect.isawaitable(result):
                return self._await(endpoint, request, result, began_ns)
            response = _respond(request, result)
        except Exception as error:
            response = problem(told(path, error))
        return self._counted(endpoint, response, began_ns)

    async def _await(self, endpoint: Endpoint, request: Request, result: Awaitable[Any], began_ns: int) -> Response:
        try:
            response = _respond(request, await result)
        except Exception as error:
            response = problem(told(endpoint.path, error))
        return self._counted(endpoint, response, began_ns)

    def _counted(self, endpoint: Endpoint, response: Response, began_ns: int) -> Response:
        failed = response.status >= HTTPStatus.BAD_REQUEST
        self._meter.done(f"GET {endpoint.path}", self._mono_ns() - began_ns, failed=failed)
        return response


def fields_of(query: str) -> dict[str, str]:
    """The fields of a query; each may occur once."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise out_of_range(f"a query has at most {MAX_QUERY_FIELDS} fields") from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise out_of_range("a field of the query is given twice")
    return fields


def _resolve(by_suffix: dict[str, Endpoint], path: str) -> tuple[Endpoint, dict[str, str]]:
    """The endpoint of a path, and the parameter in the path."""
    for suffix, endpoint in by_suffix.items():
        if endpoint.in_path is None:
            return endpoint, {}
        name = path[len(endpoint.prefix) : len(path) - len(suffix)]
        if path.endswith(suffix) and name and "/" not in name:
            return endpoint, {endpoint.in_path: unquote(name)}
    raise RpcError(Code.INVALID_ADDRESS_OR_KEY, "there is nothing here; see /docs")


def problem(error: RpcError) -> Response:
    """The answer for an error."""
    status = _STATUS.get(error.code, HTTPStatus.SERVICE_UNAVAILABLE)
    body = msgspec.json.encode(ProblemView(Problem(error.code, error.message)))
    return Response(status, body, (JSON, SNIFF_NOT, _NO_CACHE))


def _respond(request: Request, result: Any) -> Response:
    body = result if isinstance(result, msgspec.Raw) else msgspec.json.encode(result)
    tag = b'"%b"' % hashlib.blake2b(body, digest_size=12).hexdigest().encode()
    if request.headers.get(b"if-none-match") == tag:
        return Response(HTTPStatus.NOT_MODIFIED, b"", ((b"etag", tag), _NO_CACHE))
    return Response(HTTPStatus.OK, bytes(body), (JSON, SNIFF_NOT, (b"etag", tag), _NO_CACHE))
