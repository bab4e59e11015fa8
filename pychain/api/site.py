"""The site: everything that a node serves over HTTP, as a table of routes that the runtime mounts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from importlib import import_module
from typing import Any

import msgspec

from pychain.api.context import Context
from pychain.api.endpoint import ROOT, Rest
from pychain.api.events.stream import Events
from pychain.api.jsonrpc import JsonRpc
from pychain.api.method import table
from pychain.api.methods.control import GROUPS, openrpc
from pychain.api.openapi import document, examples
from pychain.api.rest.resources import RESOURCES, by_prefix
from pychain.http.message import JSON, SNIFF_NOT, Counters, Files, Handler, Request, Response, RouteDef

RPC_PATHS = ("/rpc", "/")
"""Bitcoin's clients post to the root."""
MIN_BODY_BYTES = 4 * 1024 * 1024
"""A batch of a thousand transfers with the longest memos fits."""
FILES = (Files("pychain.api.explorer", "static", "/"), Files("pychain.api", "docs", "/docs/"))
"""The explorer, and the pages about the API."""


def routes(context: Context, counters: Counters) -> Iterator[RouteDef]:
    """The table without `FILES`. `counters` are those of the server that mounts it."""
    yield from _rpc(context)
    yield from _rest(context)
    yield RouteDef("GET", f"{ROOT}/events", Events(context.broadcaster).serve)
    yield RouteDef("GET", "/metrics", _metrics(context, counters))
    spec = context.spec
    yield RouteDef("GET", "/openapi.json", _document(context, lambda: document(RESOURCES, examples(spec))))
    yield RouteDef("GET", "/openrpc.json", _document(context, lambda: openrpc(spec.dev)))


def _rpc(context: Context) -> Iterator[RouteDef]:
    rpc = JsonRpc(table(GROUPS, dev=context.spec.dev), context, context.calls, context.clock)
    block_hex_bytes = 2 * context.spec.max_block_bytes
    limit = max(MIN_BODY_BYTES, block_hex_bytes + block_hex_bytes // 8)
    for path in RPC_PATHS:
        yield RouteDef("POST", path, rpc.serve, locked=True, body_limit=limit)


def _rest(context: Context) -> Iterator[RouteDef]:
    rest = Rest(context, context.calls, context.clock)
    for prefix, endpoints in by_prefix(RESOURCES).items():
        below = any(endpoint.in_path is not None for endpoint in endpoints)
        yield RouteDef("GET", prefix, rest.handler(endpoints), below=below)


def _metrics(context: Context, counters: Counters) -> Handler:
    """The library behind it is loaded on a thread, at the first request."""
    exposition: list[Callable[[Request], Awaitable[Response]]] = []

    async def serve(request: Request) -> Response:
        if not exposition:
            module = await context.backend.aside(lambda: import_module("pychain.api.metrics.exposition"))
            exposition.append(module.Exposition(context, counters).serve)
        return await exposition[0](request)

    return serve


def _document(context: Context, make: Callable[[], dict[str, Any]]) -> Handler:
    """Serve a description that is built on a thread, at the first request."""
    made: list[Response] = []

    async def serve(request: Request) -> Response:
        if not made:
            body = await context.backend.aside(lambda: msgspec.json.encode(make()))
            made.append(Response(HTTPStatus.OK, body, (JSON, SNIFF_NOT)))
        return made[0]

    return serve
