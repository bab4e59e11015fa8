"""The rate limit per address: a token bucket for each recently seen address, in a bounded table."""

from __future__ import annotations

import time
from ipaddress import ip_address, ip_network

from pychain.base.time import NS

BURST_S = 2
"""Seconds' worth of requests that may come at once, for example when a page is opened."""
MAX_ADDRESSES = 4_096
"""Buckets in the table; the least recently used is dropped first. Few are in use at a time."""


class RateLimiter:
    """Count requests by IP address, and IPv6 by /64, which is one subscriber."""

    def __init__(self, per_second: int) -> None:
        """`per_second`: requests allowed per address on average; 0 for no limit."""
        self._gap_ns = NS // per_second if per_second else 0
        self._until: dict[str, int] = {}

    def allows(self, remote: str) -> bool:
        """Count a request from an address; True if it is allowed."""
        return not self._gap_ns or self._take(remote, time.monotonic_ns())

    def _take(self, remote: str, now_ns: int) -> bool:
        """`_until` is the time at which an address's bucket is full again."""
        key = _subscriber(remote)
        until = max(self._until.pop(key, 0), now_ns) + self._gap_ns
        allowed = until <= now_ns + BURST_S * NS
        self._until[key] = until if allowed else until - self._gap_ns
        if len(self._until) > MAX_ADDRESSES:
            del self._until[next(iter(self._until))]
        return allowed


def _subscriber(remote: str) -> str:
    address = ip_address(remote.partition("%")[0])
    return remote if address.version == 4 else str(ip_network((address, 64), strict=False))
