"""Host names to addresses, by the operating system's resolver."""

from __future__ import annotations

import asyncio
import logging
import socket

from pychain.daemon.connection import failure_text
from pychain.node.inputs import NameResolved
from pychain.p2p.netaddress import AddressError, NetAddress

_log = logging.getLogger(__name__)

RESOLVE_TIMEOUT_S = 10.0
"""Two rounds of the resolver's usual five seconds."""
MAX_ADDRESSES = 256
"""Addresses used of one answer: a DNS seed's answer has tens."""


async def resolve(name: str, port: int) -> NameResolved:
    """The addresses behind `name`, in the resolver's order, each once; none if it fails, which is logged."""
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        _log.info("cannot resolve %s: %s", name, failure_text(error))
        return NameResolved(name, ())
    addresses: dict[NetAddress, None] = {}
    for _, _, _, _, endpoint in found[:MAX_ADDRESSES]:
        try:
            addresses[NetAddress.observed(str(endpoint[0]), int(endpoint[1]))] = None
        except AddressError:
            continue
    return NameResolved(name, tuple(addresses))
