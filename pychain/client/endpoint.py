"""Where a node's API is and how to log in: read from the node's data directory, or given."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from pychain.base.errors import DecodeError
from pychain.client.errors import ClientError, UnreachableError

READY_FILE = "ready.json"
COOKIE_FILE = ".cookie"
MAX_FILE_BYTES = 64 * 1024
"""Both files are well under a kilobyte."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A node's API. `password` is kept out of text forms, as `repr` ends up in logs."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False

    @classmethod
    def parse(cls, url: str, login: str | None = None) -> Endpoint:
        """`http[s]://[user:password@]host[:port]`; `login` is `user:password`, as the cookie has it. DecodeError."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise DecodeError(f"'{url}' is no URL of a node: {error}") from None
        if parts.scheme not in _DEFAULT_PORTS or not host:
            raise DecodeError(f"'{url}' is no URL of a node: http://HOST:PORT is expected")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if login is not None:
            user, _, password = login.partition(":")
        return cls(host, port or _DEFAULT_PORTS[parts.scheme], user, password, parts.scheme == "https")

    @property
    def host_port(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def authorization(self) -> str:
        """The Authorization header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class _Ready(msgspec.Struct):
    """The fields of `ready.json` that are used here."""

    api: str
    stratum: str | None = None


def endpoint_of(datadir: Path) -> Endpoint:
    """The node that runs in a data directory; UnreachableError if none does."""
    ready = _ready(datadir)
    try:
        return Endpoint.parse(ready.api, _read(datadir, COOKIE_FILE).decode("utf-8").strip())
    except (UnicodeDecodeError, DecodeError) as error:
        raise ClientError(f"{datadir / READY_FILE} is not what a node writes: {error}") from None


def stratum_of(datadir: Path) -> str:
    """host:port where the node in a data directory serves miners; UnreachableError if none runs or it does not."""
    stratum = _ready(datadir).stratum
    if stratum is None:
        raise UnreachableError(f"the node in {datadir} serves no miners; `--stratum-port` lets it")
    return stratum


def _ready(datadir: Path) -> _Ready:
    try:
        return msgspec.json.decode(_read(datadir, READY_FILE), type=_Ready)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ClientError(f"{datadir / READY_FILE} is not what a node writes: {error}") from None


def _read(datadir: Path, name: str) -> bytes:
    try:
        with (datadir / name).open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except FileNotFoundError:
        raise UnreachableError(f"no node runs in {datadir}; `pychain node` starts one") from None
    except OSError as error:
        raise ClientError(f"cannot read {error.filename}: {error.strerror}") from None
