"""The transport on real sockets: bytes cut anywhere, drains as they happen, ends that let the last words arrive."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from pychain.daemon import connection as connection_module
from pychain.daemon import transport as transport_module
from pychain.daemon.listeners import bind_listeners
from pychain.daemon.transport import Transport
from pychain.node.inputs import BytesDrained, BytesReceived, DialFailed, PeerOpened
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.netaddress import NetAddress
from tests.conftest import Run
from tests.daemon.scripted import Inbox

LOOPBACK = "127.0.0.1"
MIB = 1024 * 1024


@asynccontextmanager
async def listening(max_connections: int = 100) -> AsyncIterator[tuple[Transport, Inbox, Endpoint]]:
    """A transport on a free port, its reports, and its address."""
    inbox = Inbox()
    transport = Transport(inbox.feed, max_connections)
    listeners = bind_listeners([LOOPBACK], 0)
    address = Endpoint(NetAddress(LOOPBACK, listeners[0].getsockname()[1]))
    await transport.serve(listeners)
    try:
        yield transport, inbox, address
    finally:
        await transport.close("the test is over")


async def connect(address: Endpoint) -> socket.socket:
    """A plain client socket, which reads and writes only when the test does."""
    client = socket.socket()
    client.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(client, (address.address.host, address.address.port))
    except OSError:
        client.close()
        raise
    return client


async def read_all(client: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    chunks = []
    while chunk := await loop.sock_recv(client, MIB):
        chunks.append(chunk)
    return b"".join(chunks)


def reset(client: socket.socket) -> None:
    """Close with a reset instead of an end."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_bytes_come_in_order_and_whole_however_they_are_cut(run: Run[None]) -> None:
    async def scenario() -> None:
        async with listening() as (_, inbox, address):
            client = await connect(address)
            (peer,) = await inbox.opened()
            assert inbox.of(PeerOpened)[0].inbound
            assert inbox.of(PeerOpened)[0].endpoint == Endpoint(NetAddress(LOOPBACK, client.getsockname()[1]))
            sent = b""
            for size in (1, 1, 3, 4096, 2 * MIB, 1):
                piece = os.urandom(size)
                sent += piece
                await asyncio.get_running_loop().sock_sendall(client, piece)
            await inbox.until(lambda: len(inbox.received(peer)) == len(sent))
            assert inbox.received(peer) == sent
            client.close()
            assert await inbox.closed(peer) == "closed by the peer"

    run(scenario())


def test_two_transports_talk_both_ways_and_account_for_each_byte(run: Run[None]) -> None:
    async def scenario() -> None:
        async with listening() as (alice, at_alice, address), listening() as (bob, at_bob, _):
            bob.dial(address)
            (alices,), (bobs,) = await at_alice.opened(), await at_bob.opened()
            assert at_bob.of(PeerOpened)[0].endpoint == address
            assert not at_bob.of(PeerOpened)[0].inbound
            there, back = os.urandom(3 * MIB), os.urandom(5 * MIB)
            for start in range(0, len(there), 100_003):
                bob.send(bobs, there[start : start + 100_003])
            alice.send(alices, back)
            await at_alice.until(lambda: len(at_alice.received(alices)) == len(there))
            await at_bob.until(lambda: len(at_bob.received(bobs)) == len(back))
            assert at_alice.received(alices) == there
            assert at_bob.received(bobs) == back
            await at_alice.until(lambda: at_alice.drained(alices) == len(back))
            await at_bob.until(lambda: at_bob.drained(bobs) == len(there))

    run(scenario())


def test_many_small_sends_arrive_in_order(run: Run[None]) -> None:
    async def scenario() -> None:
        async with listening() as (transport, inbox, address):
            client = await connect(address)
            (peer,) = await inbox.opened()
            messages = [f"{number};".encode() for number in range(20_000)]
            for message in messages:
                transport.send(peer, message)
            expected = b"".join(messages)
            got = b""
            while len(got) < len(expected):
                got += await asyncio.get_running_loop().sock_recv(client, MIB)
            assert got == expected
            await inbox.until(lambda: inbox.drained(peer) == len(expected))
            client.close()

    run(scenario())


def test_a_slow_reader_is_seen_to_drain_step_by_step(run: Run[None]) -> None:
    async def scenario() -> None:
        async with listening() as (transport, inbox, address):
            client = await connect(address)
            (peer,) = await inbox.opened()
            data = os.urandom(24 * MIB)
            transport.send(peer, data)
            transport.send(peer, b"the end")
            total = len(data) + len(b"the end")
            await asyncio.sleep(0.05)
            assert inbox.drained(peer) < total  # the kernel's buffers do not hold so much
            at_first = len(inbox.of(BytesDrained))
            got = bytearray()
            while len(got) < total:
                got += await asyncio.get_running_loop().sock_recv(client, 64 * 1024)
            assert got == data + b"the end"
            await inbox.until(lambda: inbox.drained(peer) == total)
            assert len(inbox.of(BytesDrained)) - at_first >= 3
            client.close()

    run(scenario())


def test_what_was_sent_before_hanging_up_reaches_a_peer_who_floods_us(run: Run[None]) -> None:
    """Closing with unread bytes would send a reset, and the peer's kernel would throw our goodbye away."""

    async def scenario() -> None:
        async with listening() as (transport, inbox, address):
            client = await connect(address)
            (peer,) = await inbox.opened()
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, os.urandom(200_000))
            transport.send(peer, b"goodbye")
            transport.hang_up(peer, "protocol error")
            await loop.sock_sendall(client, os.urandom(200_000))
            transport.send(peer, b"never sent")
            assert await read_all(client) == b"goodbye"
            client.close()
            assert await inbox.closed(peer) == "protocol error"

    run(scenario())


def test_nothing_is_reported_after_hanging_up_but_the_end(run: Run[None]) -> None:
    async def scenario() -> None:
        async with listening() as (transport, inbox, address):
            client = await connect(address)
            (peer,) = await inbox.opened()
            transport.hang_up(peer, "enough")
            await asyncio.get_running_loop().sock_sendall(client, b"too late")
            assert await read_all(client) == b""
            client.close()
            assert await inbox.closed(peer) == "enough"
            assert inbox.of(BytesReceived) == []

    run(scenario())


def test_a_flood_that_goes_on_after_hanging_up_is_cut_off(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with listening() as (transport, inbox, address):
            client = await connect(address)
            (peer,) = await inbox.opened()
            transport.hang_up(peer, "enough")
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                await asyncio.get_running_loop().sock_sendall(client, bytes(100 * MIB))
            client.close()
            assert await inbox.closed(peer) == "enough"

    monkeypatch.setattr(connection_module, "GRACE_S", 3600.0)
    run(scenario())


@pytest.mark.parametrize("unsent", [0, 24 * MIB])
def test_a_peer_who_never_closes_is_cut_off_after_the_grace(
    run: Run[None], monkeypatch: pytest.MonkeyPatch, unsent: int
) -> None:
    async def scenario() -> None:
        async with listening() as (transport, inbox, address):
            client = await connect(address)
            (peer,) = await inbox.opened()
            transport.send(peer, bytes(unsent))
            transport.hang_up(peer, "shutting down")
            assert await inbox.closed(peer) == "shutting down"
            client.close()

    monkeypatch.setattr(connection_module, "GRACE_S", 0.1)
    run(scenario())


def test_a_peer_that_half_closes_and_does_not_read_is_cut_off(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with listening() as (transport, inbox, address):
            client = await connect(address)
            (peer,) = await inbox.opened()
            transport.send(peer, bytes(24 * MIB))
            client.shutdown(socket.SHUT_WR)
            assert await inbox.closed(peer) == "closed by the peer"
            client.close()

    monkeypatch.setattr(connection_module, "GRACE_S", 0.1)
    run(scenario())


def test_a_reset_is_told_in_plain_words(run: Run[None]) -> None:
    async def scenario() -> None:
        async with listening() as (transport, inbox, address):
            client = await connect(address)
            (peer,) = await inbox.opened()
            reset(client)
            assert await inbox.closed(peer) == os.strerror(errno.ECONNRESET).lower()
            transport.send(peer, b"to nobody")
            transport.hang_up(peer, "nobody")

    run(scenario())


def test_hanging_up_on_a_peer_who_has_reset_still_ends(run: Run[None]) -> None:
    async def scenario() -> None:
        async with listening() as (transport, inbox, address):
            client = await connect(address)
            (peer,) = await inbox.opened()
            reset(client)
            transport.send(peer, b"into the void")
            transport.hang_up(peer, "enough")
            assert await inbox.closed(peer)

    run(scenario())


def test_beyond_the_cap_connections_are_refused_and_ids_are_never_used_again(run: Run[None]) -> None:
    async def scenario() -> None:
        async with listening(max_connections=2) as (transport, inbox, address):
            first, second = await connect(address), await connect(address)
            peers = await inbox.opened(2)
            third = await connect(address)
            with suppress(ConnectionResetError):  # closed in order or reset
                assert await read_all(third) == b""
            assert transport.refused == 1
            transport.dial(address)
            await inbox.until(lambda: inbox.of(DialFailed) != [])
            assert inbox.of(DialFailed)[0].reason == "no room for another connection"
            first.close()
            await inbox.closed(peers[0])
            fourth = await connect(address)
            latest = (await inbox.opened(3))[2]
            assert latest not in peers
            for client in (second, third, fourth):
                client.close()

    run(scenario())


def test_a_dial_to_a_closed_port_fails_with_a_reason(run: Run[None]) -> None:
    async def scenario() -> None:
        inbox = Inbox()
        transport = Transport(inbox.feed, 10)
        with socket.create_server((LOOPBACK, 0)) as taken:
            address = Endpoint(NetAddress(LOOPBACK, taken.getsockname()[1]))
        transport.dial(address)
        await inbox.until(lambda: inbox.of(DialFailed) != [])
        assert inbox.inputs == [DialFailed(address, os.strerror(errno.ECONNREFUSED).lower())]
        await transport.close("the test is over")

    run(scenario())


def test_a_dial_that_is_not_answered_times_out(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener whose queue is full and never emptied leaves newcomers waiting."""

    async def scenario() -> None:
        inbox = Inbox()
        transport = Transport(inbox.feed, 10)
        with socket.create_server((LOOPBACK, 0), backlog=0) as server:
            address = Endpoint(NetAddress(LOOPBACK, server.getsockname()[1]))
            fillers = [socket.socket() for _ in range(8)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex((address.address.host, address.address.port))
            transport.dial(address)
            await inbox.until(lambda: inbox.of(DialFailed) != [])
            for filler in fillers:
                filler.close()
        assert inbox.inputs == [DialFailed(address, "timed out")]
        await transport.close("the test is over")

    monkeypatch.setattr(transport_module, "DIAL_TIMEOUT_NS", 200_000_000)
    run(scenario())


def test_dialling_a_name_and_resolving_it(run: Run[None]) -> None:
    async def scenario() -> None:
        from pychain.daemon.resolver import resolve

        async with listening() as (_, _, address), listening() as (other, inbox, _):
            by_name = Endpoint(NetAddress("localhost", address.address.port))
            other.dial(by_name)
            await inbox.opened()
            assert inbox.of(PeerOpened)[0].endpoint == by_name
            found = await resolve("localhost", 1234)
            assert found.name == "localhost"
            assert set(found.addresses) <= {NetAddress(LOOPBACK, 1234), NetAddress("::1", 1234)}
            assert found.addresses
            assert (await resolve("host.invalid", 1)).addresses == ()  # RFC 2606: never exists

    run(scenario())


def test_while_the_node_is_behind_nothing_is_read(run: Run[None]) -> None:
    async def scenario() -> None:
        async with listening() as (transport, inbox, address):
            client = await connect(address)
            (peer,) = await inbox.opened()
            transport.hold_all(True)
            data = os.urandom(24 * MIB)
            sending = asyncio.get_running_loop().create_task(asyncio.get_running_loop().sock_sendall(client, data))
            await inbox.until(lambda: inbox.received(peer) != b"")
            await asyncio.sleep(0.05)
            assert len(inbox.of(BytesReceived)) == 1  # the one read after which it stopped
            transport.hold_all(False)
            await sending
            await inbox.until(lambda: len(inbox.received(peer)) == len(data))
            assert inbox.received(peer) == data
            client.close()

    run(scenario())


def test_closing_ends_dials_and_connections_and_listens_no_more(run: Run[None]) -> None:
    async def scenario() -> None:
        async with listening() as (transport, inbox, address):
            client = await connect(address)
            (peer,) = await inbox.opened()
            transport.send(peer, b"goodbye")
            reading = asyncio.get_running_loop().create_task(read_all(client))
            reading.add_done_callback(lambda _: client.close())
            await transport.close("this node is stopping")
            assert await reading == b"goodbye"
            assert await inbox.closed(peer) == "this node is stopping"
            assert len(transport) == 0
            with pytest.raises(ConnectionRefusedError):
                await connect(address)

    run(scenario())


# --- listening sockets


def test_port_0_is_one_free_port_on_every_host() -> None:
    listeners = bind_listeners(["127.0.0.1", "127.0.0.2"], 0)
    ports = {listener.getsockname()[1] for listener in listeners}
    assert len(listeners) == 2
    assert len(ports) == 1
    assert 0 not in ports
    for listener in listeners:
        listener.close()


def test_all_interfaces_include_ipv6_where_there_is_any() -> None:
    listeners = bind_listeners(["0.0.0.0", "::"], 0)
    port = listeners[0].getsockname()[1]
    with socket.create_connection((LOOPBACK, port)):
        pass
    if len(listeners) == 2:
        with socket.create_connection(("::1", port)):
            pass
    for listener in listeners:
        listener.close()


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on {LOOPBACK}:{port}: address already in use"):
            bind_listeners([LOOPBACK], port)


@pytest.mark.parametrize("host", ["192.0.2.1", "host.invalid", "2001:db8::1", "a" * 300])
def test_a_host_that_is_not_ours_is_one_clear_line(host: str) -> None:
    with pytest.raises(OSError, match="cannot listen on ") as caught:
        bind_listeners([host], 0)
    assert "\n" not in str(caught.value)
