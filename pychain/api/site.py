"""The site: all that one node serves on its API port, put together."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib import import_module
from importlib.resources import files
from typing import Any

import msgspec

from pychain.api.events.broadcast import Broadcaster
from pychain.api.events.ring import Ring
from pychain.api.events.stream import Events
from pychain.api.jsonrpc import JsonRpc
from pychain.api.method import table
from pychain.api.methods.control import GROUPS, openrpc
from pychain.api.metrics.sources import Sources
from pychain.api.rest.context import Context
from pychain.api.rest.endpoint import ROOT, Rest
from pychain.api.rest.openapi import document, examples
from pychain.api.rest.resources import RESOURCES, by_prefix
from pychain.daemon.services import Services
from pychain.daemon.settings import COOKIE_USER
from pychain.http.assets import Asset, load_assets
from pychain.http.guard import BasicAuth, HostGuard, credential
from pychain.http.limiter import RateLimiter
from pychain.http.message import JSON, SNIFF_NOT, Handler, Request, Response
from pychain.http.router import Door, call, read
from pychain.http.server import MAX_CONNECTIONS, HttpServer

RPC_PATHS = ("/rpc", "/")
"""Bitcoin's clients post to the root."""
MIN_BODY_BYTES = 4 * 1024 * 1024
"""A batch of a thousand transfers with the longest memos fits."""


class Site:
    """Everything behind the API's port."""

    def __init__(self, services: Services, room: int) -> None:
        """`room`: connections at a time, where the descriptors allow no more than that."""
        options = services.settings.options
        users = {COOKIE_USER: credential(services.cookie), **services.settings.api_users}
        self._services = services
        self._broadcaster = Broadcaster(services.events, services.node.queries, Ring(secrets.token_hex(4)))
        self._door = Door(
            HostGuard(options.api_allowed_hosts),
            BasicAuth(users),
            RateLimiter(options.api_rate_limit),
            open_reads=options.api_open_reads,
        )
        self._server = HttpServer(self._door, min(MAX_CONNECTIONS, room))
        self._scrape: Callable[[Request], Awaitable[Response]] | None = None
        self._add_rpc()
        self._add_rest()
        self._add_pages()

    async def start(self, listener: socket.socket) -> None:
        """Serve on a bound socket."""
        self._broadcaster.start()
        await self._server.start(listener)

    async def close(self) -> None:
        self._broadcaster.close()
        await self._server.close()

    def _add_rpc(self) -> None:
        spec = self._services.settings.spec
        rpc = JsonRpc(table(GROUPS, dev=spec.dev), self._services, self._services.meters.calls)
        block_hex_bytes = 2 * spec.max_block_bytes
        limit = max(MIN_BODY_BYTES, block_hex_bytes + block_hex_bytes // 8)
        for path in RPC_PATHS:
            self._door.add(path, "POST", call(rpc.serve, limit))

    def _add_rest(self) -> None:
        rest = Rest(Context(self._services), self._services.meters.calls)
        for prefix, endpoints in by_prefix(RESOURCES).items():
            below = any(endpoint.in_path is not None for endpoint in endpoints)
            self._door.add(prefix, "GET", read(rest.handler(endpoints)), below=below)
        self._door.add(f"{ROOT}/events", "GET", read(Events(self._broadcaster).serve))
        self._door.add("/metrics", "GET", read(self._metrics))
        spec = self._services.settings.spec
        self._door.add("/openapi.json", "GET", read(_document(lambda: document(RESOURCES, examples(spec)))))
        self._door.add("/openrpc.json", "GET", read(_document(lambda: openrpc(spec.dev))))

    async def _metrics(self, request: Request) -> Response:
        """The library behind it is loaded for the first who asks, beside the loop."""
        if self._scrape is None:
            module = await asyncio.to_thread(import_module, "pychain.api.metrics.exposition")
            self._scrape = module.Exposition(Sources(self._services, self._server, self._broadcaster)).serve
        return await self._scrape(request)

    def _add_pages(self) -> None:
        def add(path: str, asset: Asset) -> None:
            self._door.add(path, "GET", read(asset.serve))

        load_assets(files("pychain.api.explorer") / "static", "/", add)
        load_assets(files("pychain.api") / "docs", "/docs/", add)


def _document(make: Callable[[], dict[str, Any]]) -> Handler:
    """Serves a description that is made beside the loop, for the first who asks."""
    made: list[Response] = []

    async def serve(request: Request) -> Response:
        if not made:
            made.append(
                Response(HTTPStatus.OK, await asyncio.to_thread(lambda: msgspec.json.encode(make())), (JSON, SNIFF_NOT))
            )
        return made[0]

    return serve
