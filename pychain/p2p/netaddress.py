"""Network addresses of nodes: host and TCP port, read from `host:port` or a multiaddr, printed as a multiaddr."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal, TypeAlias

from pychain.base.errors import ConfigError, DecodeError
from pychain.p2p.limits import MAX_DNS_NAME

IPAddress: TypeAlias = IPv4Address | IPv6Address
IPNetwork: TypeAlias = IPv4Network | IPv6Network

_MAX_TEXT: Final = 512
_PORT_MAX: Final = 65535
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_DNS_FAMILIES: Final[dict[str, Literal[4, 6]]] = {"dns4": 4, "dns6": 6}
PEER_ID: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{1,128}", re.ASCII)
"""A peer id in base58; the channel checks whether it names a key."""

# Named here and not taken from `ipaddress.is_private`, whose answer differs between Python releases.
_LOOPBACK: Final[tuple[IPNetwork, ...]] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_PRIVATE: Final[tuple[IPNetwork, ...]] = (
    IPv4Network("10.0.0.0/8"),  # RFC 1918
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),  # RFC 6598, carriers' NAT
    IPv4Network("169.254.0.0/16"),  # RFC 3927, link-local
    IPv6Network("fc00::/7"),  # RFC 4193
    IPv6Network("fe80::/10"),  # RFC 4291, link-local
)
_UNUSABLE: Final[tuple[IPNetwork, ...]] = (
    IPv4Network("0.0.0.0/8"),  # RFC 1122, "this network"
    IPv4Network("224.0.0.0/3"),  # multicast, reserved, broadcast
    IPv6Network("::/128"),
    IPv6Network("ff00::/8"),  # multicast
)


class AddressError(ConfigError, DecodeError):
    """Text or numbers that are not a network address. The message is one line that quotes the input."""


@dataclass(frozen=True, slots=True)
class NetAddress:
    """An address where a node listens or connects from. `host` is an IP in canonical form, or a lower-case DNS name."""

    host: str
    port: int
    family: Literal[4, 6] | None = None
    """For a DNS name: the version of IP address to resolve it to, None for either."""
    ip: IPAddress | None = field(init=False, repr=False, compare=False)
    """The address as a number, None for a DNS name."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= _PORT_MAX:
            raise AddressError(f"port {self.port} is not in 0 to {_PORT_MAX}")
        ip = _canonical_ip(self.host)
        if ip is not None and self.family is not None:
            raise AddressError("only a DNS name is resolved")
        object.__setattr__(self, "ip", ip)
        object.__setattr__(self, "host", _canonical_name(self.host) if ip is None else str(ip))

    @classmethod
    def parse(cls, text: str, default_port: int | None = None) -> NetAddress:
        """Parse `host:port`, `[v6]:port`, or `/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT` with an optional `/p2p/ID`.

        Text without a port gets `default_port`. The peer id is not part of the address and is dropped.
        Raises `AddressError`.
        """
        if len(text) > _MAX_TEXT:
            raise AddressError(f"'{text[:40]}...' is too long for an address")
        try:
            host, port, family = _split_multiaddr(text) if text.startswith("/") else _split_host_port(text)
            if port is None and default_port is None:
                raise AddressError("the port is missing")
            number = _port(port) if port is not None else default_port
            assert number is not None
            return cls(host, number, family)
        except AddressError as error:
            raise AddressError(f"{text!r} is not an address: {error}") from None

    @classmethod
    def observed(cls, host: str, port: int) -> NetAddress:
        """The remote end of a socket as the operating system reports it; IPv6 may have a zone (`fe80::1%eth0`)."""
        return cls(host.partition("%")[0], port)

    @property
    def host_port(self) -> str:
        """`host:port`, with brackets around IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        ip = self.ip
        return self.host == "localhost" if ip is None else _within(ip, _LOOPBACK)

    @property
    def is_private(self) -> bool:
        """Whether it is in a network that the Internet does not route, other than loopback."""
        ip = self.ip
        return ip is not None and _within(ip, _PRIVATE)

    @property
    def is_local(self) -> bool:
        """Whether it is loopback or private: exempt from the rules that spread connections over network groups."""
        return self.is_loopback or self.is_private

    @property
    def is_usable(self) -> bool:
        """Whether it can be dialled: a unicast IP or a name, and a port."""
        ip = self.ip
        return self.port != 0 and (ip is None or not _within(ip, _UNUSABLE))

    def concerns(self, reader: NetAddress) -> bool:
        """Whether the address means the same to a node at `reader` as to us: a loopback address only on the same
        machine, a private one only on the same side of a router."""
        if self.is_loopback:
            return reader.is_loopback
        return not self.is_private or reader.is_local

    @property
    def netgroup(self) -> str:
        """The group of addresses that probably have one owner: the /16 of an IPv4 address, the /32 of an IPv6 one, a
        DNS name itself."""
        ip = self.ip
        if ip is None:
            return self.host
        prefix = 16 if ip.version == 4 else 32
        host_bits = ip.max_prefixlen - prefix
        return f"{type(ip)(int(ip) >> host_bits << host_bits)}/{prefix}"

    def __str__(self) -> str:
        ip = self.ip
        protocol = f"dns{self.family or ''}" if ip is None else f"ip{ip.version}"
        return f"/{protocol}/{self.host}/tcp/{self.port}"


def _within(ip: IPAddress, networks: tuple[IPNetwork, ...]) -> bool:
    return any(ip in network for network in networks)


def _ip(host: str) -> IPAddress | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _canonical_ip(host: str) -> IPAddress | None:
    if "%" in host:
        raise AddressError("an IPv6 zone is not supported")
    ip = _ip(host)
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped  # how a dual-stack socket shows IPv4 peers; one host has one form
    return ip


def _canonical_name(host: str) -> str:
    name = host.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > MAX_DNS_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressError("the host is neither an IP address nor a DNS name")
    if labels[-1].isdecimal():  # no such top-level domain: a mistyped IPv4 address must not become a name
        raise AddressError("the host looks like an IPv4 address but is none")
    return name


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) <= _PORT_MAX):
        raise AddressError(f"the port is not in 1 to {_PORT_MAX}")
    return int(text)


def _split_host_port(text: str) -> tuple[str, str | None, None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise AddressError("expected [IPv6]:port")
        _require_version(host, 6)
        return host, rest[1:] if rest else None, None
    if text.count(":") > 1:  # a bare IPv6 address: a port would be ambiguous
        _require_version(text, 6)
        return text, None, None
    host, colon, port = text.partition(":")
    return host, port if colon else None, None


def _split_multiaddr(text: str) -> tuple[str, str | None, Literal[4, 6] | None]:
    parts = text.split("/")[1:]
    if len(parts) not in (4, 6) or parts[2] != "tcp":
        raise AddressError("expected /ip4|ip6|dns/HOST/tcp/PORT")
    if len(parts) == 6 and not (parts[4] == "p2p" and PEER_ID.fullmatch(parts[5])):
        raise AddressError("only /p2p/ID may follow the port")
    protocol, host = parts[0], parts[1]
    if protocol in ("ip4", "ip6"):
        _require_version(host, int(protocol[2]))
    elif protocol not in ("dns", "dns4", "dns6") or _ip(host) is not None:
        raise AddressError("expected /ip4, /ip6 or /dns with a host of that kind")
    return host, parts[3], _DNS_FAMILIES.get(protocol)


def _require_version(host: str, version: int) -> None:
    try:
        IPv4Address(host) if version == 4 else IPv6Address(host)
    except AddressValueError:
        raise AddressError(f"the host is not an IPv{version} address") from None
