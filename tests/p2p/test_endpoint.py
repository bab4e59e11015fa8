"""Endpoints: they parse back from their text, and only a multiaddr may have a peer id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import ConfigError, DecodeError
from pychain.p2p.endpoint import Endpoint, PeerId, parse_peer_id
from pychain.p2p.netaddress import AddressError, NetAddress
from tests.p2p.strategies import damaged, dns_hosts, ipv4_hosts, ipv6_hosts, ports

PEER_ID = PeerId("12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X")
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

addresses = st.one_of(
    st.builds(NetAddress, st.one_of(ipv4_hosts, ipv6_hosts), ports),
    st.builds(NetAddress, dns_hosts, ports, st.sampled_from((None, 4, 6))),
)
peer_ids = st.text(BASE58, min_size=1, max_size=128).map(PeerId)
endpoints = st.builds(Endpoint, addresses, st.none() | peer_ids)


@given(endpoints)
def test_what_is_printed_is_read_back(endpoint: Endpoint) -> None:
    assert Endpoint.parse(str(endpoint)) == endpoint


@given(addresses)
def test_without_a_peer_id_it_is_read_and_printed_as_its_address(address: NetAddress) -> None:
    assert str(Endpoint(address)) == str(address)
    assert Endpoint.parse(str(address)) == Endpoint(address)
    assert Endpoint(address).host_port == address.host_port


@pytest.mark.parametrize(
    ("text", "host_port", "peer_id", "printed"),
    [
        (f"/ip4/192.0.2.1/tcp/30700/p2p/{PEER_ID}", "192.0.2.1:30700", PEER_ID, None),
        (f"/ip6/2001:db8::1/tcp/5/p2p/{PEER_ID}", "[2001:db8::1]:5", PEER_ID, None),
        (f"/dns/node.example/tcp/5/p2p/{PEER_ID}", "node.example:5", PEER_ID, None),
        (f"/dns4/node.example/tcp/5/p2p/{PEER_ID}", "node.example:5", PEER_ID, None),
        (f"/dns6/node.example/tcp/5/p2p/{PEER_ID}", "node.example:5", PEER_ID, None),
        ("/dns4/node.example/tcp/5", "node.example:5", None, None),
        ("192.0.2.1:30700", "192.0.2.1:30700", None, "/ip4/192.0.2.1/tcp/30700"),
        ("[2001:db8::1]:5", "[2001:db8::1]:5", None, "/ip6/2001:db8::1/tcp/5"),
        ("Node.Example:5", "node.example:5", None, "/dns/node.example/tcp/5"),
        ("node.example", "node.example:30700", None, "/dns/node.example/tcp/30700"),
    ],
)
def test_forms(text: str, host_port: str, peer_id: PeerId | None, printed: str | None) -> None:
    endpoint = Endpoint.parse(text, default_port=30700)
    assert (endpoint.host_port, endpoint.peer_id) == (host_port, peer_id)
    assert str(endpoint) == (printed or text)


@pytest.mark.parametrize(("protocol", "family"), [("dns", None), ("dns4", 4), ("dns6", 6)])
def test_a_name_keeps_the_family_that_it_is_to_be_resolved_to(protocol: str, family: int | None) -> None:
    endpoint = Endpoint.parse(f"/{protocol}/node.example/tcp/5/p2p/{PEER_ID}")
    assert endpoint.address.family == family


@pytest.mark.parametrize(
    "text",
    [
        f"192.0.2.1:30700/p2p/{PEER_ID}",
        f"[2001:db8::1]:5/p2p/{PEER_ID}",
        f"node.example:5/p2p/{PEER_ID}",
        f"node.example/p2p/{PEER_ID}",
    ],
)
def test_a_peer_id_after_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(AddressError, match="only a multiaddr can name a peer id"):
        Endpoint.parse(text, default_port=30700)


@pytest.mark.parametrize(
    "peer_id",
    [
        "",
        "0OIl",
        f"{PEER_ID}0",
        f"{PEER_ID}/",
        f"{PEER_ID}/p2p/{PEER_ID}",
        f"{PEER_ID} ",
        f"{PEER_ID}\n",
        "\N{DIGIT ONE}\N{ARABIC-INDIC DIGIT ONE}",
        "1" * 129,
    ],
)
def test_a_bad_peer_id_is_refused_in_one_line(peer_id: str) -> None:
    with pytest.raises(AddressError, match="is not a peer id") as caught:
        Endpoint.parse(f"/ip4/192.0.2.1/tcp/5/p2p/{peer_id}")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200
    with pytest.raises(AddressError, match="is not a peer id"):
        parse_peer_id(peer_id)


@pytest.mark.parametrize("text", ["", "/", f"/p2p/{PEER_ID}", f"/ip4/192.0.2.1/p2p/{PEER_ID}", "/ip4/192.0.2.1/udp/5"])
def test_no_endpoint_without_an_address(text: str) -> None:
    with pytest.raises(AddressError):
        Endpoint.parse(text)


damaged_texts = damaged(endpoints.map(lambda endpoint: str(endpoint).encode())).map(lambda data: data.decode("latin-1"))


@given(st.one_of(st.text(), damaged_texts))
def test_any_other_text_raises_only_address_error(text: str) -> None:
    try:
        endpoint = Endpoint.parse(text)
    except AddressError:
        return
    assert Endpoint.parse(str(endpoint)) == endpoint


def test_a_bad_endpoint_is_an_error_of_a_setting_and_of_a_message() -> None:
    assert issubclass(AddressError, ConfigError)
    assert issubclass(AddressError, DecodeError)


@given(peer_ids)
def test_every_text_in_base58_is_a_peer_id(peer_id: PeerId) -> None:
    assert parse_peer_id(peer_id) == peer_id
