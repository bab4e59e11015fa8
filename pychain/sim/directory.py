"""Who is where in a world: the address of each host, and the hosts that a DNS name leads to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

from pychain import native
from pychain.p2p.netaddress import NetAddress


class Directory:
    """Gives every host an address of its own, and answers as name servers do."""

    def __init__(self, port: int) -> None:
        """`port`: where every host listens."""
        self._port = port
        self._addresses: dict[str, NetAddress] = {}
        self._taken: set[NetAddress] = set()
        self._names: dict[str, tuple[NetAddress, ...] | None] = {}

    def address_of(self, host: str) -> NetAddress:
        """A public IPv4 address that no other host has, drawn from the host's name: so hosts are spread over network
        groups as on the Internet, and one more host moves no other. Of two that draw the same, the one that is named
        later draws again.
        """
        address = self._addresses.get(host)
        if address is None:
            address = next(drawn for drawn in self._draws(host) if drawn not in self._taken)
            self._addresses[host] = address
            self._taken.add(address)
        return address

    def _draws(self, host: str) -> Iterator[NetAddress]:
        """Public addresses without end, from the host's name."""
        for draw in count():
            digest = native.sha256d(f"{host}/{draw}".encode())
            address = NetAddress(".".join(map(str, digest[:4])), self._port)
            if address.is_usable and not address.is_local:
                yield address

    def name(self, name: str, hosts: Iterable[str] | None) -> None:
        """Have a DNS name lead to these hosts from now on; None: its name servers do not answer."""
        addresses = None if hosts is None else tuple(self.address_of(host) for host in hosts)
        self._names[NetAddress(name, self._port).host] = addresses

    def resolve(self, name: str, port: int) -> tuple[NetAddress, ...] | None:
        """What is behind a name: nothing where it is unknown, None where nobody answers. An IP address is itself."""
        asked = NetAddress(name, port)
        if asked.ip is not None:
            return (asked,)
        found = self._names.get(asked.host, ())
        return None if found is None else tuple(NetAddress(address.host, port) for address in found)
