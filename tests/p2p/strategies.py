"""Hypothesis strategies for messages on the wire. The bounds of docs/wire.md are restated here."""

from __future__ import annotations

from hypothesis import strategies as st

from pychain.p2p import messages
from pychain.p2p.messages import Kind, Message

u16 = st.integers(0, 2**16 - 1)
u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
hash32 = st.binary(min_size=32, max_size=32)
hashes = st.lists(hash32, max_size=5).map(tuple)
kinds = st.sampled_from(Kind)
ports = st.integers(1, 65535)

hellos = st.builds(
    messages.Hello,
    protocol=u32,
    agent=st.text(max_size=256),
    genesis=hash32,
    time=u64,
    tip_height=u64,
    tip_work=hash32,
    listen_port=u16,
    services=u64,
    nonce=u64,
)

entries = st.builds(messages.AddressEntry, multiaddr=st.text(max_size=128), last_seen=u64, services=u64)

every_message: st.SearchStrategy[Message] = st.one_of(
    hellos,
    st.builds(messages.Ping, nonce=u64),
    st.builds(messages.Pong, nonce=u64),
    st.builds(messages.GetAddrs),
    st.builds(messages.Addrs, entries=st.lists(entries, max_size=3).map(tuple)),
    st.builds(messages.Inv, kind=kinds, hashes=hashes),
    st.builds(messages.Want, kind=kinds, hashes=hashes),
    st.builds(messages.Missing, kind=kinds, hashes=hashes),
    st.builds(messages.Txs, transactions=st.lists(st.binary(min_size=1, max_size=300), max_size=3).map(tuple)),
    st.builds(messages.Block, raw=st.binary(max_size=2000)),
    st.builds(messages.GetHeaders, locator=hashes, stop=hash32),
    st.builds(messages.Headers, headers=st.lists(st.binary(min_size=80, max_size=80), max_size=3).map(tuple)),
    st.builds(messages.FeeFilter, fee_per_kb=u64),
    st.builds(messages.Goodbye, code=st.text(max_size=32), text=st.text(max_size=256)),
)

ipv4_hosts = st.ip_addresses(v=4).map(str)
ipv6_hosts = st.ip_addresses(v=6).map(str)
dns_hosts = st.from_regex(r"[a-z][a-z0-9]{0,10}(\.[a-z][a-z0-9]{0,5}){0,3}", fullmatch=True)


@st.composite
def damaged(draw: st.DrawFn, sound: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of `sound` after a few changes: a byte set, cut out or put in, or the end cut off."""
    data = bytearray(draw(sound))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(("set", "insert", "delete", "cut"))):
            case "set":
                data[place : place + 1] = bytes((draw(st.integers(0, 255)),))
            case "insert":
                data[place:place] = draw(st.binary(min_size=1, max_size=5))
            case "delete":
                del data[place : place + 1]
            case _:
                del data[place:]
    return bytes(data)
