"""Who may call: the Host that the caller thinks it speaks to, and its name and password.

A browser that was lured to a page may send requests here under that page's host name (DNS rebinding); it cannot
forge the Host header, so requests whose Host is neither loopback nor configured are refused.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

_LOOPBACK_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost")
MAX_HOST_BYTES = 300
"""A DNS name has at most 255 characters; a port follows."""


class HostGuard:
    """The host names under which this API may be called."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """`allowed`: names and addresses besides loopback, without ports."""
        self._allowed = frozenset(name.lower().strip("[]").rstrip(".") for name in allowed)
        self._known: dict[bytes, None] = {}

    def allows(self, host: bytes) -> bool:
        """Judge a Host header (RFC 9110, 7.2: name or address, and maybe a port)."""
        if host in self._known:
            return True
        if len(host) > MAX_HOST_BYTES or not self._judge(host):
            return False
        if len(self._known) < 64:  # callers repeat themselves; a caller with 64 names for us can wait a microsecond
            self._known[host] = None
        return True

    def _judge(self, host: bytes) -> bool:
        try:
            text = host.decode("ascii").lower()
        except UnicodeDecodeError:
            return False
        if text.startswith("["):
            name, bracket, port = text[1:].partition("]")
            if not bracket or (port and not port.startswith(":")):
                return False
        else:
            name, _, port = text.partition(":")
        if not all(character in "0123456789:" for character in port):
            return False
        name = name.rstrip(".")
        if name in self._allowed or name in _LOOPBACK_NAMES:
            return True
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return False


class BasicAuth:
    """HTTP basic authentication (RFC 7617) against a table of users."""

    def __init__(self, users: Mapping[str, str]) -> None:
        """`users`: passwords by name, the cookie's `__cookie__` among them."""
        self._accepted = [f"{name}:{password}".encode() for name, password in users.items()]
        self._usual = [b"Basic " + base64.b64encode(accepted) for accepted in self._accepted]

    def allows(self, authorization: bytes | None) -> bool:
        """Judge an Authorization header. Every user is compared, each in constant time."""
        if authorization is None:
            return False
        if any(hmac.compare_digest(authorization, usual) for usual in self._usual):
            return True
        scheme, _, encoded = authorization.partition(b" ")
        if scheme.lower() != b"basic":
            return False
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return any(hmac.compare_digest(given, accepted) for accepted in self._accepted)
