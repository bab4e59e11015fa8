"""The API of a running node: JSON-RPC over HTTP, in the node's own loop.

`method` turns typed functions into methods, `methods` are those functions, `views` what they show; `jsonrpc` serves
calls, `http` and `guard` decide who may make them, `server` listens.
"""

from __future__ import annotations

import socket

from pychain.base.errors import ConfigError
from pychain.daemon.api.guard import BasicAuth, HostGuard
from pychain.daemon.api.http import HttpApp
from pychain.daemon.api.jsonrpc import JsonRpc
from pychain.daemon.api.method import table
from pychain.daemon.api.methods.control import GROUPS
from pychain.daemon.api.server import ApiServer
from pychain.daemon.services import Services

COOKIE_USER = "__cookie__"
MIN_BODY_BYTES = 4 * 1024 * 1024
"""A batch of a thousand transfers with the longest memos fits."""


async def start_api(services: Services, listener: socket.socket) -> ApiServer:
    """Serve the API of a node on a bound socket."""
    server = ApiServer(build_app(services))
    await server.start(listener)
    return server


def build_app(services: Services) -> HttpApp:
    """The ASGI application of a node."""
    options, spec = services.settings.options, services.settings.spec
    users = dict(user.split(":", 1) for user in options.api_users)
    if COOKIE_USER in users:
        raise ConfigError(f"api_users: the name {COOKIE_USER} is the cookie's")
    block_hex_bytes = 2 * spec.max_block_bytes
    return HttpApp(
        JsonRpc(table(GROUPS, dev=spec.dev), services),
        HostGuard(options.api_allowed_hosts),
        BasicAuth({COOKIE_USER: services.cookie, **users}),
        max(MIN_BODY_BYTES, block_hex_bytes + block_hex_bytes // 8),
    )
