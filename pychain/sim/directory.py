"""Addresses in a world: the IP address of each host, and the hosts behind each DNS name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

from pychain import native
from pychain.p2p.netaddress import NetAddress


class Directory:
    """Assigns every host a unique address, and answers DNS queries."""

    def __init__(self, port: int) -> None:
        """`port`: the port on which every host listens."""
        self._port = port
        self._addresses: dict[str, NetAddress] = {}
        self._taken: set[NetAddress] = set()
        self._names: dict[str, tuple[NetAddress, ...] | None] = {}

    def address_of(self, host: str) -> NetAddress:
        """A unique public IPv4 address, drawn from the host's name. So hosts are spread over network groups as on the
        Internet, and another host changes no address. If two draw the same one, the later one draws again.
        """
        address = self._addresses.get(host)
        if address is None:
            address = next(drawn for drawn in self._draws(host) if drawn not in self._taken)
            self._addresses[host] = address
            self._taken.add(address)
        return address

    def _draws(self, host: str) -> Iterator[NetAddress]:
        """An endless series of public addresses from the host's name."""
        for draw in count():
            digest = native.sha256d(f"{host}/{draw}".encode())
            address = NetAddress(".".join(map(str, digest[:4])), self._port)
            if address.is_usable and not address.is_local:
                yield address

    def name(self, name: str, hosts: Iterable[str] | None) -> None:
        """Let a DNS name resolve to these hosts from now on; None: its name servers do not answer."""
        addresses = None if hosts is None else tuple(self.address_of(host) for host in hosts)
        self._names[NetAddress(name, self._port).host] = addresses

    def resolve(self, name: str, port: int) -> tuple[NetAddress, ...] | None:
        """The addresses of a name: none if it is unknown, None if no server answers. An IP address is itself."""
        asked = NetAddress(name, port)
        if asked.ip is not None:
            return (asked,)
        found = self._names.get(asked.host, ())
        return None if found is None else tuple(NetAddress(address.host, port) for address in found)
