"""Access control: the request's Host, and the user's name and password.

A malicious page can make a browser send requests here under the page's host name (DNS rebinding). It cannot forge
the Host header, so requests whose Host is neither loopback nor configured are refused.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from pychain.base.errors import ConfigError

_LOOPBACK_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost")
MAX_HOST_BYTES = 300
"""A DNS name has at most 255 characters; a port follows."""
MAX_ACCEPTED = 64
"""Authorization headers known to be right; more than there are users, since each can be written in several ways."""
_CREDENTIAL = re.compile(r"[0-9A-Fa-f]{2,128}\$[0-9A-Fa-f]{64}")


class HostGuard:
    """The allowed host names of this API."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """`allowed`: names and addresses besides loopback, without ports."""
        self._allowed = frozenset(name.lower().strip("[]").rstrip(".") for name in allowed)
        self._known: dict[bytes, None] = {}

    def allows(self, host: bytes) -> bool:
        """Check a Host header (RFC 9110, 7.2: name or address, and maybe a port)."""
        if host in self._known:
            return True
        if len(host) > MAX_HOST_BYTES or not self._judge(host):
            return False
        if len(self._known) < 64:  # clients repeat the same few names; one with 64 names can wait a microsecond
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


class Credential(NamedTuple):
    """A stored password: a salt, and the HMAC-SHA256 of the password under it (the form of Core's `rpcauth`)."""

    salt: str
    digest: str

    def fits(self, password: bytes) -> bool:
        return hmac.compare_digest(_digest(self.salt, password), self.digest)

    def __str__(self) -> str:
        return f"{self.salt}${self.digest}"


def credential(password: str, salt: str | None = None) -> Credential:
    """A password in its form for a settings file; the salt is random unless given."""
    chosen = secrets.token_hex(16) if salt is None else salt
    return Credential(chosen, _digest(chosen, password.encode()))


def parse_credential(text: str) -> Credential:
    """`salt$hmac`, both in hex; ConfigError for anything else."""
    if not _CREDENTIAL.fullmatch(text):
        raise ConfigError("a password is stored as salt$hmac, as `pychain rpc-auth` writes it")
    salt, _, digest = text.partition("$")
    return Credential(salt, digest.lower())


class BasicAuth:
    """HTTP basic authentication (RFC 7617) against a table of users."""

    def __init__(self, users: Mapping[str, Credential]) -> None:
        """`users`: by name, including the cookie's `__cookie__`."""
        self._users = {name.encode(): user for name, user in users.items()}
        self._accepted: dict[bytes, None] = {}
        """A cache of right headers, so that they are not verified at each request. The time of a look-up reveals
        nothing to others: the table uses a keyed hash, and contents are compared only if hashes agree."""

    def allows(self, authorization: bytes | None) -> bool:
        """Check an Authorization header."""
        if authorization is None:
            return False
        if authorization in self._accepted:
            return True
        if not self._judge(authorization):
            return False
        if len(self._accepted) >= MAX_ACCEPTED:
            self._accepted.clear()
        self._accepted[authorization] = None
        return True

    def _judge(self, authorization: bytes) -> bool:
        scheme, _, encoded = authorization.partition(b" ")
        if scheme.lower() != b"basic":
            return False
        try:
            name, _, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        known = self._users.get(name)
        fits = (known or _NOBODY).fits(password)  # an unknown name takes as long as a wrong password
        return fits and known is not None


def _digest(salt: str, password: bytes) -> str:
    return hmac.digest(salt.encode(), password, "sha256").hex()


_NOBODY = Credential("00", "")
