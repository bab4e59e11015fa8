"""The node itself: help, uptime, and its end. It knows all other groups, since `help` tells of them."""

from __future__ import annotations

import time
from typing import Any

from pychain.api.describe import method_text, overview_text
from pychain.api.errors import Code, RpcError
from pychain.api.method import Group, table
from pychain.api.methods import accounts, blockchain, dev, fees, mempool, mining, network
from pychain.api.openrpc import document
from pychain.api.render import rendered
from pychain.base.time import NS
from pychain.daemon.services import Services

group = Group("control", "The node")

GROUPS = (blockchain.group, mempool.group, fees.group, mining.group, network.group, accounts.group, group, dev.group)
"""All groups, in the order of the documentation."""


@group.method(errors={Code.METHOD_NOT_FOUND: "there is no such method"}, example=("getblock",))
def help(services: Services, command: str | None = None) -> str:
    """All methods, or one with its parameters, result and errors."""
    methods = table(GROUPS, dev=services.settings.spec.dev)
    if not command:
        return overview_text(GROUPS, methods)
    if command not in methods:
        raise RpcError(Code.METHOD_NOT_FOUND, f"help: unknown method '{command[:64]}'")
    return method_text(methods[command])


@group.method(name="rpc.discover")
async def discover(services: Services) -> dict[str, Any]:
    """An OpenRPC document of all methods, from the definitions that serve them."""
    return await rendered(lambda: openrpc(services.settings.spec.dev))


def openrpc(dev: bool) -> dict[str, Any]:
    """The OpenRPC document of a node, on a development network or another one. It takes some 20 ms: for a thread."""
    return document(table(GROUPS, dev=dev))


@group.method()
def uptime(services: Services) -> int:
    """Seconds since the node started."""
    return (time.monotonic_ns() - services.started_ns) // NS


@group.method()
def stop(services: Services) -> str:
    """Stop the node in order; answers at once."""
    services.stop()
    return "pychain stopping"
