"""The API's port: an HTTP server, its access control, and the site."""

from __future__ import annotations

import socket

from pychain.api.context import Context
from pychain.api.site import FILES, routes
from pychain.daemon.settings import COOKIE_USER, Settings
from pychain.http.assets import load_files
from pychain.http.guard import BasicAuth, HostGuard, credential
from pychain.http.limiter import RateLimiter
from pychain.http.router import Router
from pychain.http.server import MAX_CONNECTIONS, HttpServer


class ApiServer:
    """Serves one node's API."""

    def __init__(self, settings: Settings, context: Context, cookie: str, room: int) -> None:
        """`room`: the connections that the descriptors allow."""
        options = settings.options
        router = Router(
            HostGuard(options.api_allowed_hosts),
            BasicAuth({COOKIE_USER: credential(cookie), **settings.api_users}),
            RateLimiter(options.api_rate_limit),
            open_reads=options.api_open_reads,
        )
        self._context = context
        self._server = HttpServer(router, min(MAX_CONNECTIONS, room))
        router.mount(routes(context, self._server))
        router.mount(load_files(FILES))

    async def start(self, listener: socket.socket) -> None:
        """Serve on a bound socket."""
        self._context.start()
        await self._server.start(listener)

    async def close(self) -> None:
        self._context.close()
        await self._server.close()
