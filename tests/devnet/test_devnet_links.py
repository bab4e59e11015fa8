"""Links as data: the effect of a partition, a lag and healing; and the relay on real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.devnet import links as wiring
from pychain.devnet import relay as relay_module
from pychain.devnet.control import RelayProcess, set_links
from pychain.devnet.errors import DevnetError, WrongNodesError
from pychain.devnet.links import Link
from pychain.devnet.relay import Relay

# --- as data

partitions = st.integers(1, 8).flatmap(
    lambda count: st.tuples(st.just(count), st.lists(st.integers(0, 3), min_size=count, max_size=count))
)


def full(count: int) -> list[Link]:
    return [Link(one, other, "127.0.0.1:1", lag_ms=7) for one, other in combinations(range(count), 2)]


@given(drawn=partitions)
def test_a_partition_cuts_what_lies_between_groups_and_nothing_else(drawn: tuple[int, list[int]]) -> None:
    count, sides = drawn
    named = [[index for index in range(count) if sides[index] == side] for side in range(3)]
    groups = wiring.complete(named, count)
    assert sorted(index for group in groups for index in group) == list(range(count))
    after = wiring.partition(full(count), groups)
    assert all(link.cut == (sides[link.one] != sides[link.other]) for link in after)
    assert all(link.lag_ms == 7 for link in after)
    assert {frozenset(group) for group in wiring.reachable(after, count)} == {frozenset(group) for group in groups}
    assert wiring.partition(after, (tuple(range(count)),)) == full(count), (
        "another partition takes the place of the first"
    )
    assert not any(link.cut or link.lag_ms for link in wiring.heal(after))


def test_nodes_that_no_group_names_are_one_group() -> None:
    assert wiring.complete([[2]], 4) == ((2,), (0, 1, 3))
    assert wiring.complete([[0, 0, 1], []], 2) == ((0, 1),)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ([[0, 1], [1, 2]], "node1 is in two groups"),
        ([[0, 3]], "there is no node3: there are node0 to node2"),
        ([[-1]], "there is no node-1"),
    ],
)
def test_groups_that_cannot_be_are_refused(groups: list[list[int]], says: str) -> None:
    with pytest.raises(WrongNodesError, match=says):
        wiring.complete(groups, 3)


def test_a_lag_is_of_all_links_or_of_one() -> None:
    links = [Link(0, 1, "x"), Link(0, 2, "x")]
    assert [link.lag_ms for link in wiring.slow(links, 50, 5)] == [50, 50]
    (slowed,) = wiring.slow(links, 50, 5, between=(2, 0))
    assert (slowed.nodes, slowed.lag_ms, slowed.jitter_ms) == ((0, 2), 50, 5)
    with pytest.raises(DevnetError, match="node1 and node2 have no link"):
        wiring.slow(links, 50, between=(1, 2))
    for wrong in (-1, wiring.MAX_LAG_MS + 1, float("nan")):
        with pytest.raises(WrongNodesError, match="lag and jitter are 0 to 60,000 ms"):
            wiring.slow(links, wrong)


def test_faults_in_words() -> None:
    assert wiring.describe(full(3)[:0], 3) == []
    links = wiring.heal(full(4))
    assert wiring.describe(links, 4) == []
    assert wiring.describe(wiring.partition(links, ((0, 2), (1, 3))), 4) == ["apart: node0 node2 | node1 node3"]
    assert wiring.describe([Link(0, 1, "x", cut=True), Link(0, 2, "x"), Link(1, 2, "x")], 3) == ["cut: node0-node1"]
    assert wiring.describe(wiring.slow(links, 20, 5), 4) == ["lag: 20 to 25 ms each way on every link"]
    one = [*links[1:], *wiring.slow(links[:1], 20)]
    assert wiring.describe(one, 4) == ["lag: 20 ms each way on node0-node1"]


# --- the relay

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Far:
    """The target of a link: keeps the connections that arrive."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[Streams] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        await self.came.put((reader, writer))

    async def hang_up(self) -> None:
        for writer in self._writers:
            await drop(writer)


async def drop(writer: asyncio.StreamWriter) -> None:
    """End a connection at once, and wait until it has."""
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()


@asynccontextmanager
async def linked(**faults: float | bool) -> AsyncIterator[tuple[Relay, Link, Far]]:
    far = Far()
    async with await asyncio.start_server(far.accept, "127.0.0.1", 0) as server:
        target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        relay = Relay()
        await relay.set(Link(0, 1, target, **faults))  # type: ignore[arg-type]
        try:
            yield relay, relay.links[0], far
        finally:
            relay.close()
            await far.hang_up()


async def dial(link: Link) -> Streams:
    return await asyncio.open_connection("127.0.0.1", link.port)


async def is_hung_up_on(streams: Streams) -> bool:
    """Whether nothing more can come; an aborted connection says so by an error, an ended one by its end."""
    try:
        return await streams[0].read() == b""
    except ConnectionError:
        return True
    finally:
        await drop(streams[1])


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


@pytest.mark.parametrize("faults", [{}, {"lag_ms": 30.0}, {"lag_ms": 10.0, "jitter_ms": 30.0}])
def test_all_bytes_arrive_in_their_order_and_so_does_their_end(
    faults: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "MAX_HELD_BYTES", 10_000)  # a sender is held up and goes on, many times
    words = bytes(range(256)) * 2000

    async def test() -> None:
        async with linked(**faults) as (_, link, far):
            reader, writer = await dial(link)
            writer.write(words)
            writer.write_eof()
            far_reader, far_writer = await far.came.get()
            assert await far_reader.read() == words
            far_writer.write(words[::-1])
            far_writer.close()
            assert await reader.read() == words[::-1], "the one direction ended, the other one did not"
            writer.close()
            await writer.wait_closed()
            await far_writer.wait_closed()

    run(test)


def test_bytes_are_on_the_way_for_no_less_than_the_lag() -> None:
    async def test() -> None:
        async with linked(lag_ms=80) as (_, link, far):
            loop = asyncio.get_running_loop()
            reader, writer = await dial(link)
            begin = loop.time()
            writer.write(b"ping")
            far_reader, far_writer = await far.came.get()
            assert await far_reader.readexactly(4) == b"ping"
            assert loop.time() - begin >= 0.08
            far_writer.write(b"pong")
            assert await reader.readexactly(4) == b"pong"
            assert loop.time() - begin >= 0.16
            await drop(writer)
            assert await far_reader.read() == b""

    run(test)


def test_a_cut_resets_who_stands_on_the_link_and_who_comes_until_it_is_whole() -> None:
    async def test() -> None:
        async with linked() as (relay, link, far):
            first = await dial(link)
            first[1].write(b"x")
            standing = await far.came.get()
            assert await standing[0].readexactly(1) == b"x"
            await relay.set(Link(0, 1, link.target, cut=True))
            assert await is_hung_up_on(first)
            assert await is_hung_up_on(standing)
            assert await is_hung_up_on(await dial(link))
            assert far.came.empty()
            await relay.set(Link(0, 1, link.target))
            assert relay.links == [link], "it kept its port"
            again = await dial(link)
            again[1].write(b"y")
            beyond = await far.came.get()
            assert await beyond[0].readexactly(1) == b"y"
            await drop(again[1])
            assert await is_hung_up_on(beyond), "who is gone at the one end is gone at the other"

    run(test)


def test_last_words_arrive_though_their_sender_is_gone() -> None:
    async def test() -> None:
        async with linked(lag_ms=50) as (_, link, far):
            _, writer = await dial(link)
            writer.write(b"goodbye")
            writer.close()
            await writer.wait_closed()
            assert await (await far.came.get())[0].read() == b"goodbye"

    run(test)


def test_where_nobody_listens_the_dialler_is_hung_up_on() -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        relay = Relay()
        await relay.set(Link(0, 1, f"127.0.0.1:{port}"))
        assert await is_hung_up_on(await dial(relay.links[0]))
        relay.close()

    run(test)


def test_the_relay_is_told_over_its_socket_however_long_its_path(tmp_path: Path) -> None:
    directory = tmp_path / ("long" * 30)
    directory.mkdir()

    async def test() -> None:
        with pytest.raises(DevnetError, match="does not answer"):
            await set_links(directory)
        relay = RelayProcess.start(directory)
        try:
            await relay.ready(directory)
            assert await set_links(directory) == []
            (made,) = await set_links(directory, [Link(0, 1, "127.0.0.1:1")])
            assert made.port
            (changed,) = await set_links(directory, [Link(0, 1, "127.0.0.1:1", cut=True)])
            assert (changed.port, changed.cut) == (made.port, True)
            with pytest.raises(DevnetError, match="cannot do that"):
                await set_links(directory, [Link(0, 2, "127.0.0.1:1", port=made.port)])
            assert await set_links(directory) == [changed]
        finally:
            await relay.stop()
        assert not relay.is_running

    run(test)
