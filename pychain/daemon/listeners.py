"""Listening sockets: bound before anything is served, so that a taken port is detected early and port 0 is resolved."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence

BACKLOG = 128
"""The listen backlog."""
PORT_TRIES = 16
"""Free ports tried for port 0, until one is free on every host."""
_IPV6_ANY = "::"


def bind_listeners(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """One listening socket per host, all on `port`, or for port 0 on the same free port.

    `::` means only IPv6; beside other hosts it is skipped if the machine has no IPv6. OSError, whose strerror is one
    line, if the port is taken or a host is not an address of this machine."""
    last = PORT_TRIES - 1 if port == 0 else 0
    for attempt in range(last + 1):
        try:
            return _bind_each(hosts, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or attempt == last:
                raise
    raise AssertionError("unreachable")


def _bind_each(hosts: Sequence[str], port: int) -> list[socket.socket]:
    bound: list[socket.socket] = []
    try:
        for host in hosts:
            if host == _IPV6_ANY and len(hosts) > 1 and not _has_ipv6():
                continue
            bound.append(_bind(host, port))
            port = bound[0].getsockname()[1]
    except OSError:
        for listener in bound:
            listener.close()
        raise
    return bound


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        code = error.errno if isinstance(error, OSError) else None
        where = f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
        why = os.strerror(code).lower() if code is not None and code > 0 else "this is not a host name or address"
        raise OSError(code or errno.EINVAL, f"cannot listen on {where}: {why}") from None
    listener.setblocking(False)
    return listener


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
