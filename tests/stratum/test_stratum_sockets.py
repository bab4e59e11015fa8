"""The server's sockets in one process with the test: supply of jobs, slots, rates, and a node that refuses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pychain.api.backend import NodeEndedError
from pychain.api.hub import EventHub
from pychain.api.views.stratum import StratumInfo, stratum_info
from pychain.base.rate import Rate
from pychain.base.time import NS
from pychain.chain.address import encode_address
from pychain.daemon.backend import LoopSignal
from pychain.daemon.clock import Clock
from pychain.daemon.listeners import bind_listeners
from pychain.daemon.stratum import connection as connection_module
from pychain.daemon.stratum import server as server_module
from pychain.daemon.stratum.connection import MinerConnection
from pychain.daemon.stratum.server import StratumServer
from pychain.node.events import NewTip
from pychain.node.requests import Answer, GetTemplate, Request, SubmitBlock
from pychain.wallet.keys import dev_key
from tests.conftest import Run
from tests.stratum.test_stratum_session import SPEC, template
from tests.support.stratum import MinerClient, Work

MINER = encode_address(SPEC.hrp, dev_key(1).public_key)
EASY_BITS = 0x207FFFFF


class Backing:
    """The server's requests to a node: templates and blocks."""

    def __init__(self, room: int = 100) -> None:
        self.made = template(bits=EASY_BITS)
        self.behind = False
        self.ended = False
        self.verdict: str | None = None
        self.submitted: list[bytes] = []
        self.templates = 0
        self.clock = Clock()
        self.clock.mock(self.made.time)
        self.events = EventHub(LoopSignal)
        queries: Any = SimpleNamespace(spec=SPEC, sync=lambda: SimpleNamespace(behind=self.behind))
        self.server = StratumServer(queries, self.ask, self.events, self.clock, room)

    def info(self) -> StratumInfo:
        return stratum_info(self.server, self.clock.now())

    async def ask(self, request: Request) -> Answer:
        if self.ended:
            raise NodeEndedError("the node has stopped")
        if isinstance(request, GetTemplate):
            self.templates += 1
            return self.made
        assert isinstance(request, SubmitBlock)
        self.submitted.append(request.raw)
        return self.verdict

    def move_tip(self, parent: bytes) -> None:
        self.made = replace(self.made, prev_hash=parent)
        self.events.publish(NewTip(SPEC.genesis.header, 1, (), ()))


class Client:
    """A miner's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.client = MinerClient()

    async def call(self, method: str, *params: Any) -> Any:
        call_id, line = self.client.request(method, *params)
        self.writer.write(line)
        while True:
            message = self.client.take(await self.reader.readuntil())
            if message["id"] == call_id:
                return message["result"]

    async def log_in(self, user: str = MINER) -> Client:
        self.client.subscribed(await self.call("mining.subscribe"))
        assert await self.call("mining.authorize", user, "x") is True
        return self

    async def work(self, after: Work | None = None) -> Work:
        while self.client.work is None or self.client.work is after:
            self.client.take(await self.reader.readuntil())
        return self.client.work

    async def gone(self) -> bool:
        """Wait until the connection is closed."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass
        return True


@asynccontextmanager
async def serving(backing: Backing) -> AsyncIterator[Callable[[], Coroutine[Any, Any, Client]]]:
    """A server on a free port of loopback; yields a function that connects to it."""
    [listener] = bind_listeners(("127.0.0.1",), 0)
    host, port = listener.getsockname()
    await backing.server.start(listener)
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> Client:
        reader, writer = await asyncio.open_connection(host, port)
        writers.append(writer)
        return Client(reader, writer)

    try:
        yield connect
    finally:
        for writer in writers:
            writer.close()
        await backing.server.close()


def test_a_job_comes_with_every_tip_and_from_time_to_time(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        backing = Backing()
        async with serving(backing) as connect:
            miner = await (await connect()).log_in()
            first = await miner.work()
            assert first.clean
            backing.move_tip(b"\x33" * 32)
            second = await miner.work(after=first)
            assert second.clean
            assert second.prev_hash == b"\x33" * 32
            monkeypatch.setattr(server_module, "REFRESH_S", 0.01)
            backing.move_tip(b"\x44" * 32)  # from here on a template is urgent
            third = await miner.work(after=second)
            fourth = await miner.work(after=third)
            assert not fourth.clean
            assert len({first.job_id, second.job_id, third.job_id, fourth.job_id}) == 4

    run(check())


def test_the_node_gets_no_requests_while_nobody_mines(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "POLL_S", 0.001)
    monkeypatch.setattr(server_module, "REFRESH_S", 0.001)

    async def check() -> None:
        backing = Backing()
        async with serving(backing) as connect:
            idle = await connect()
            await idle.call("mining.subscribe")
            backing.move_tip(b"\x33" * 32)
            await asyncio.sleep(0.05)
            assert backing.templates == 0
            miner = await (await connect()).log_in()
            await miner.work()
            assert backing.templates > 0

    run(check())


@pytest.mark.parametrize("ahead", [False, True], ids=["syncing", "the chain is ahead of the clock"])
def test_no_work_is_sent_until_it_is_useful(run: Run[None], monkeypatch: pytest.MonkeyPatch, ahead: bool) -> None:
    monkeypatch.setattr(server_module, "POLL_S", 0.01)

    async def check() -> None:
        backing = Backing()
        good = backing.made
        backing.behind = not ahead
        if ahead:
            backing.made = replace(good, time=good.max_time + 1)
        async with serving(backing) as connect:
            miner = await (await connect()).log_in()
            await asyncio.sleep(0.05)
            assert await miner.call("mining.extranonce.subscribe") is True
            assert miner.client.work is None
            backing.behind, backing.made = False, good
            assert (await miner.work()).prev_hash == good.prev_hash

    run(check())


def test_a_block_is_submitted_and_the_next_job_comes_before_its_answer(run: Run[None]) -> None:
    async def check() -> None:
        backing = Backing()
        async with serving(backing) as connect:
            miner = await (await connect()).log_in()
            work = await miner.work()
            found = miner.client.search(work.network_target)
            call_id, line = miner.client.request("mining.submit", MINER, *found.params)
            miner.writer.write(line)
            backing_moved = asyncio.get_running_loop().call_later(0.02, backing.move_tip, found.hash)
            while (message := miner.client.take(await miner.reader.readuntil()))["id"] != call_id:
                assert message["id"] is None
            assert message["result"] is True
            assert miner.client.work is not None
            assert miner.client.work.prev_hash == found.hash
            assert [raw[:80] for raw in backing.submitted] == [
                work.header(miner.client.extranonce1, bytes(4), work.time, int(found.params[3], 16), work.version)
            ]
            assert backing.info().shares.blocks == 1
            backing_moved.cancel()

    run(check())


def test_a_block_that_the_node_refuses_is_still_a_share(run: Run[None]) -> None:
    async def check() -> None:
        backing = Backing()
        backing.verdict = "inconclusive"
        async with serving(backing) as connect:
            miner = await (await connect()).log_in()
            await miner.work()
            assert await miner.call("mining.submit", MINER, *miner.client.search().params) is True
            info = backing.info()
            assert (info.shares.accepted, info.shares.blocks) == (1, 0)
            [connection] = info.connections
            assert (connection.users, connection.ready, connection.shares.accepted) == ([MINER], True, 1)
            [worker] = info.workers
            assert worker.connections == 1
            assert worker.shares.hashespersec == info.shares.hashespersec > 0
        assert [worker.connections for worker in backing.info().workers] == [0]

    run(check())


def test_the_server_survives_a_stopped_node(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "POLL_S", 0.01)

    async def check() -> None:
        backing = Backing()
        async with serving(backing) as connect:
            miner = await (await connect()).log_in()
            await miner.work()
            backing.ended = True
            found = miner.client.search()
            miner.writer.write(miner.client.request("mining.submit", MINER, *found.params)[1])
            backing.move_tip(b"\x33" * 32)
            await asyncio.sleep(0.05)
            assert await miner.call("mining.extranonce.subscribe") is True

    run(check())


def test_a_fast_sender_waits_and_loses_nothing(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "MESSAGE_RATE", Rate(tokens=500, period_ns=NS, burst=5))
    pauses = 0
    pause = MinerConnection._pause

    def count(self: MinerConnection) -> None:
        nonlocal pauses
        pauses += 1
        pause(self)

    monkeypatch.setattr(MinerConnection, "_pause", count)

    async def check() -> None:
        backing = Backing()
        async with serving(backing) as connect:
            miner = await connect()
            calls = [miner.client.request("mining.extranonce.subscribe") for _ in range(100)]
            miner.writer.write(b"".join(line for _, line in calls))
            answers = [miner.client.take(await miner.reader.readuntil())["id"] for _ in calls]
            assert answers == [call_id for call_id, _ in calls]
            assert pauses > 10

    run(check())


def test_a_client_that_does_not_read_is_dropped(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "REFRESH_S", 0.0)

    def small_buffers(tcp: socket.socket) -> None:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    monkeypatch.setattr(connection_module, "_set_options", small_buffers)

    async def check() -> None:
        backing = Backing()
        async with serving(backing) as connect:
            reads = await (await connect()).log_in()
            deaf = socket.socket()
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            try:
                deaf.connect(reads.writer.get_extra_info("peername"))
                client = MinerClient()
                deaf.sendall(client.request("mining.subscribe")[1] + client.request("mining.authorize", MINER)[1])
                while len(backing.info().connections) < 2:
                    await reads.work(after=reads.client.work)
                while len(backing.info().connections) == 2:
                    await reads.work(after=reads.client.work)
            finally:
                deaf.close()

    run(check())


def test_slots_are_bounded(run: Run[None]) -> None:
    async def check() -> None:
        backing = Backing(room=3)
        async with serving(backing) as connect:
            silent = await connect()
            await silent.call("mining.extranonce.subscribe")
            miners = [await (await connect()).log_in() for _ in range(2)]
            late = await connect()
            assert await late.gone()
            assert await silent.gone(), "it had not logged in, so its place is free for the next"
            miners.append(await (await connect()).log_in())
            assert await (await connect()).gone()
            assert len(backing.info().connections) == 3
            assert await miners[0].call("mining.extranonce.subscribe") is True

    run(check())


def test_slots_are_bounded_per_host(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS_A_HOST", 2)

    async def check() -> None:
        async with serving(Backing()) as connect:
            miners = [await (await connect()).log_in() for _ in range(2)]
            assert await (await connect()).gone()
            assert await miners[0].call("mining.extranonce.subscribe") is True

    run(check())


def test_a_connection_without_login_is_closed_in_the_end(run: Run[None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "SWEEP_S", 0.01)
    monkeypatch.setattr("pychain.stratum.server.session.LOGIN_TIMEOUT_NS", NS // 20)

    async def check() -> None:
        async with serving(Backing()) as connect:
            miner = await (await connect()).log_in()
            assert await (await connect()).gone()
            assert await miner.call("mining.extranonce.subscribe") is True

    run(check())
