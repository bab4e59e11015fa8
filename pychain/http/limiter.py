"""How often one address may ask: a token bucket for each that was seen of late, in a bounded table."""

from __future__ import annotations

import time
from ipaddress import ip_address, ip_network

from pychain.base.time import NS

BURST_S = 2
"""Seconds' worth of requests that may come at once, as those of a page being opened do."""
MAX_ADDRESSES = 4_096
"""Buckets that are remembered; the one that was used longest ago goes first. Few are in use at a time."""


class RateLimiter:
    """Counts requests by IP address, IPv6 by its /64, which one subscriber has."""

    def __init__(self, per_second: int) -> None:
        """`per_second`: requests that one address may make in the long run; 0 for any number."""
        self._gap_ns = NS // per_second if per_second else 0
        self._until: dict[str, int] = {}

    def allows(self, remote: str) -> bool:
        """Take a request of an address into account."""
        return not self._gap_ns or self._take(remote, time.monotonic_ns())

    def _take(self, remote: str, now_ns: int) -> bool:
        """`_until` is when an address would have nothing left to answer for at its rate."""
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
