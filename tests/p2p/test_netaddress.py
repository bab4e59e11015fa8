"""Addresses: every notation leads to one canonical value, everything else to a clear error of one line."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import ConfigError, DecodeError
from pychain.p2p.netaddress import AddressError, NetAddress
from tests.p2p.strategies import damaged, dns_hosts, ipv4_hosts, ipv6_hosts, ports

hosts = st.one_of(ipv4_hosts, ipv6_hosts, dns_hosts)


def parsed_or_refused(text: str) -> NetAddress | None:
    """The address in a text, or None after checking that the error is the documented one, in one line."""
    try:
        return NetAddress.parse(text, 1)
    except AddressError as error:
        refusal = error
    assert isinstance(refusal, ConfigError)
    assert isinstance(refusal, DecodeError)
    assert str(refusal).isprintable()
    return None


@given(hosts, ports)
def test_both_written_forms_read_back(host: str, port: int) -> None:
    address = NetAddress(host, port)
    assert NetAddress.parse(str(address)) == address
    assert NetAddress.parse(address.host_port) == address
    assert NetAddress.parse(f"{address}/p2p/12D3KooWabc") == address


@given(hosts, ports)
def test_the_host_is_canonical(host: str, port: int) -> None:
    address = NetAddress(host, port)
    assert NetAddress(address.host, port) == address
    assert NetAddress(host.upper(), port) == address


@given(st.text(max_size=80))
def test_any_text_gives_an_address_or_an_address_error(text: str) -> None:
    address = parsed_or_refused(text)
    if address is not None:
        assert NetAddress.parse(str(address)) == address


@given(damaged(st.builds(NetAddress, hosts, ports).map(lambda address: str(address).encode())))
def test_damaged_multiaddrs_raise_only_address_error(data: bytes) -> None:
    parsed_or_refused(data.decode("latin-1"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1:30700", "/ip4/192.0.2.1/tcp/30700"),
        ("[2001:DB8::0:1]:1", "/ip6/2001:db8::1/tcp/1"),
        ("Node.Example.:65535", "/dns/node.example/tcp/65535"),
        ("localhost:80", "/dns/localhost/tcp/80"),
        ("/ip4/192.0.2.1/tcp/30700", "/ip4/192.0.2.1/tcp/30700"),
        ("/ip6/::1/tcp/30700/p2p/12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X", "/ip6/::1/tcp/30700"),
        ("/dns4/node.example/tcp/5", "/dns4/node.example/tcp/5"),
        ("/dns6/node.example/tcp/5", "/dns6/node.example/tcp/5"),
        ("[::ffff:192.0.2.1]:5", "/ip4/192.0.2.1/tcp/5"),
    ],
)
def test_known_forms(text: str, expected: str) -> None:
    assert str(NetAddress.parse(text)) == expected


@pytest.mark.parametrize("text", ["192.0.2.1", "[2001:db8::1]", "2001:db8::1", "node.example"])
def test_the_default_port_fills_in(text: str) -> None:
    assert NetAddress.parse(text, 30700).port == 30700
    with pytest.raises(AddressError, match="the port is missing"):
        NetAddress.parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the port is missing"),
        (":1", "neither an IP address nor a DNS name"),
        ("192.0.2.1:0", "the port is not in 1 to 65535"),
        ("192.0.2.1:65536", "the port is not in 1 to 65535"),
        ("192.0.2.1:", "the port is not in 1 to 65535"),
        ("192.0.2.1:+1", "the port is not in 1 to 65535"),
        ("192.0.2.1:\u0661", "the port is not in 1 to 65535"),
        ("192.0.2.256:1", "looks like an IPv4 address but is none"),
        ("192.0.2:1", "looks like an IPv4 address but is none"),
        ("192.0.02.1:1", "looks like an IPv4 address but is none"),
        ("[192.0.2.1]:1", "not an IPv6 address"),
        ("[2001:db8::1", "expected \\[IPv6\\]:port"),
        ("[2001:db8::1]1", "expected \\[IPv6\\]:port"),
        ("[fe80::1%eth0]:1", "zone is not supported"),
        ("b\u00fccher.example:1", "neither an IP address nor a DNS name"),
        ("-a.example:1", "neither an IP address nor a DNS name"),
        ("a..example:1", "neither an IP address nor a DNS name"),
        (f"{'a.' * 130}example:1", "neither an IP address nor a DNS name"),
        (f"{'a' * 600}:1", "too long"),
        ("/ip4/192.0.2.1/udp/1", "expected /ip4"),
        ("/ip4/192.0.2.1/tcp", "expected /ip4"),
        ("/ip4/::1/tcp/1", "not an IPv4 address"),
        ("/ip6/192.0.2.1/tcp/1", "not an IPv6 address"),
        ("/dns/192.0.2.1/tcp/1", "a host of that kind"),
        ("/unix/socket/tcp/1", "a host of that kind"),
        ("/ip4/192.0.2.1/tcp/1/ws/x", "only /p2p/ID"),
        ("/ip4/192.0.2.1/tcp/1/p2p/", "only /p2p/ID"),
    ],
)
def test_refusals_are_one_line_that_says_why(text: str, reason: str) -> None:
    with pytest.raises(AddressError, match=reason) as caught:
        NetAddress.parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("port", [-1, 65536])
def test_no_address_has_an_impossible_port(port: int) -> None:
    with pytest.raises(AddressError):
        NetAddress("192.0.2.1", port)


def test_sockets_show_zones_and_mapped_addresses() -> None:
    assert NetAddress.observed("fe80::1%eth0", 5) == NetAddress("fe80::1", 5)
    assert NetAddress.observed("::ffff:127.0.0.1", 5).is_loopback


@pytest.mark.parametrize(
    ("host", "loopback", "private", "usable"),
    [
        ("127.0.0.1", True, False, True),
        ("127.9.9.9", True, False, True),
        ("::1", True, False, True),
        ("localhost", True, False, True),
        ("10.1.2.3", False, True, True),
        ("172.31.0.1", False, True, True),
        ("172.32.0.1", False, False, True),
        ("192.168.1.1", False, True, True),
        ("100.64.0.1", False, True, True),
        ("169.254.1.1", False, True, True),
        ("fd00::1", False, True, True),
        ("fe80::1", False, True, True),
        ("192.0.2.1", False, False, True),
        ("2001:db8::1", False, False, True),
        ("node.example", False, False, True),
        ("0.0.0.0", False, False, False),
        ("224.0.0.1", False, False, False),
        ("255.255.255.255", False, False, False),
        ("::", False, False, False),
        ("ff02::1", False, False, False),
    ],
)
def test_scopes(host: str, loopback: bool, private: bool, usable: bool) -> None:
    address = NetAddress(host, 1)
    assert (address.is_loopback, address.is_private, address.is_usable) == (loopback, private, usable)
    assert address.is_local == (loopback or private)
    assert not NetAddress(host, 0).is_usable


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_ipv4_groups_are_sixteen_bits(one: object, other: object) -> None:
    a, b = ip_address(str(one)), ip_address(str(other))
    same = NetAddress(str(a), 1).netgroup == NetAddress(str(b), 2).netgroup
    assert same == (int(a) >> 16 == int(b) >> 16)


def test_other_groups() -> None:
    assert NetAddress("2001:db8::1", 1).netgroup == NetAddress("2001:db8:ffff::1", 1).netgroup
    assert NetAddress("2001:db8::1", 1).netgroup != NetAddress("2001:db9::1", 1).netgroup
    assert NetAddress("node.example", 1).netgroup == "node.example"
