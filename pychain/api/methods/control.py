"""The node itself: help, uptime and stop. It imports all other groups, since `help` lists them."""

from __future__ import annotations

from typing import Any

from pychain.api.context import Context
from pychain.api.describe import method_text, overview_text
from pychain.api.errors import Code, RpcError
from pychain.api.method import Group, table
from pychain.api.methods import accounts, blockchain, dev, fees, mempool, mining, network
from pychain.api.openrpc import document
from pychain.api.render import rendered
from pychain.base.time import NS

group = Group("control", "The node")

GROUPS = (blockchain.group, mempool.group, fees.group, mining.group, network.group, accounts.group, group, dev.group)
"""All groups, in the order of the documentation."""


@group.method(errors={Code.METHOD_NOT_FOUND: "there is no such method"}, example=("getblock",))
def help(context: Context, command: str | None = None) -> str:
    """All methods, or one with its parameters, result and errors."""
    methods = table(GROUPS, dev=context.spec.dev)
    if not command:
        return overview_text(GROUPS, methods)
    if command not in methods:
        raise RpcError(Code.METHOD_NOT_FOUND, f"help: unknown method '{command[:64]}'")
    return method_text(methods[command])


@group.method(name="rpc.discover")
async def discover(context: Context) -> dict[str, Any]:
    """An OpenRPC document of all methods, from the definitions that serve them."""
    return await rendered(context.backend, lambda: openrpc(context.spec.dev))


def openrpc(dev: bool) -> dict[str, Any]:
    """The OpenRPC document of a node, with or without the methods of dev networks. Takes some 20 ms: use a thread."""
    return document(table(GROUPS, dev=dev))


@group.method()
def uptime(context: Context) -> int:
    """Seconds since the node started."""
    return context.uptime_ns() // NS


@group.method()
def stop(context: Context) -> str:
    """Stop the node cleanly; returns at once."""
    context.machine.stop()
    return "pychain stopping"
