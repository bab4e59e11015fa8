"""The client on real sockets: with a pool of Bitcoin jobs that checks each share itself, and with a node."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pychain.base.errors import DecodeError
from pychain.miner.pool import MAX_UNANSWERED, Fields, PoolMiner, RefusedUserError, Server, UnreachableServerError
from pychain.miner.report import LiveReporter, summary
from pychain.wallet.keys import dev_key
from tests.api.node import ApiNode, address
from tests.cli.run import Shell
from tests.daemon.process import TIMEOUT_S
from tests.support.stratum_pool import Pool

MINER = address(dev_key(5))


class Events:
    """A miner's events, and a wait for the next of a kind."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, Fields]] = []
        self._changed = asyncio.Event()

    def tell(self, event: str, text: str, fields: Fields) -> None:
        self.told.append((event, text, fields))
        self._changed.set()

    async def wait(self, event: str, count: int = 1) -> list[Fields]:
        """The fields of the events of a kind, once there are `count` of them."""
        async with asyncio.timeout(TIMEOUT_S):
            while len(came := [fields for kind, _, fields in self.told if kind == event]) < count:
                self._changed.clear()
                await self._changed.wait()
        return came


def mining(
    pool: Pool, check: Callable[[PoolMiner, Events], Coroutine[Any, Any, None]], threads: int = 1, user: str = "rig"
) -> None:
    """Run a check while a miner works for a pool."""

    async def run() -> None:
        async with asyncio.timeout(TIMEOUT_S), pool:
            events = Events()
            miner = PoolMiner(Server("127.0.0.1", pool.port, user), threads, events.tell)
            task = asyncio.create_task(miner.run(patient=False))
            try:
                await check(miner, events)
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    asyncio.run(run())


@pytest.mark.parametrize("mask", [0x1FFFE000, 0x00002000, None], ids=["rolling", "one bit", "no configure"])
def test_shares_of_bitcoin_jobs_hold_by_anothers_reckoning(mask: int | None) -> None:
    pool = Pool(mask=mask)

    async def check(miner: PoolMiner, events: Events) -> None:
        await events.wait("share", 40)
        assert pool.refused == []
        assert miner.tally.accepted >= 40
        assert miner.tally.rejected == 0
        versions = {(await pool.shares.get())[1] for _ in range(40)}
        assert (len(versions) > 1) == bool(mask), "versions are rolled where that was agreed, and there alone"
        assert miner.hash_rate() > 0
        assert summary(miner, 5.0)["connected"] is True

    mining(pool, check, threads=2)


def test_a_new_job_is_worked_on_at_once_and_old_shares_are_not_sent() -> None:
    pool = Pool()

    async def check(miner: PoolMiner, events: Events) -> None:
        await events.wait("share", 3)
        pool.difficulty = 2.0**-18
        pool.notify(b"\x22" * 32)
        sent = len(await events.wait("share"))
        shares = await events.wait("share", sent + 40)
        assert shares[-1]["difficulty"] == 2.0**-18
        assert pool.refused == []
        assert miner.tally.jobs == 2

    mining(pool, check)


def test_a_server_that_does_not_answer_gets_no_flood() -> None:
    pool = Pool(difficulty=2.0**-30)

    async def check(miner: PoolMiner, events: Events) -> None:
        await events.wait("connected")
        pool.answers = False
        await pool.shares.get()
        came = 0
        with suppress(TimeoutError):
            while True:
                await asyncio.wait_for(pool.shares.get(), 0.5)
                came += 1
        assert came < 2 * MAX_UNANSWERED + len(await events.wait("connected"))

    mining(pool, check, threads=2)


def test_after_a_block_the_next_job_is_waited_for_but_not_for_ever() -> None:
    """Every second hash is a block of this chain."""
    pool = Pool(difficulty=2.0**-31, bits=0x207FFFFF)

    async def check(miner: PoolMiner, events: Events) -> None:
        first = await events.wait("share")
        assert first[0]["block"] is True
        for number in range(5):
            before = len(await events.wait("share"))
            pool.notify(bytes([number]) * 32)
            await events.wait("share", before + 1)
        before = len(await events.wait("share"))
        await events.wait("share", before + 1)  # without a new job
        assert miner.tally.blocks == miner.tally.accepted >= 7

    mining(pool, check)


def test_the_miner_comes_back_when_the_connection_is_lost() -> None:
    pool = Pool()

    async def check(miner: PoolMiner, events: Events) -> None:
        await events.wait("share", 2)
        pool.hang_up()
        await events.wait("disconnected")
        assert not miner.tally.connected
        await events.wait("connected", 2)
        await events.wait("share", len(await events.wait("share")) + 5)
        pool.tell("client.show_message", "see you")
        await events.wait("message")
        pool.tell("client.reconnect")
        await events.wait("connected", 3)
        assert pool.refused == []

    mining(pool, check)


def test_the_miner_outlives_the_server() -> None:
    async def run() -> None:
        events = Events()
        async with Pool() as pool:
            miner = PoolMiner(Server("127.0.0.1", pool.port, "rig"), 1, events.tell)
            task = asyncio.create_task(miner.run(patient=False))
            await events.wait("share")
        await events.wait("disconnected", 2)
        pool = Pool()
        pool.port = miner.server.port
        async with pool:
            await events.wait("connected", 2)
            await events.wait("share", len(await events.wait("share")) + 1)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(run())


def test_a_user_who_is_refused_ends_it() -> None:
    async def run() -> None:
        async with Pool(users={"somebody"}) as pool:
            with pytest.raises(RefusedUserError, match="who is that"):
                await PoolMiner(Server("127.0.0.1", pool.port, "nobody"), 1, Events().tell).run(patient=True)

    asyncio.run(run())


def test_a_server_that_is_not_there() -> None:
    async def run() -> None:
        async with Pool() as pool:
            free = pool.port
        events = Events()
        with pytest.raises(UnreachableServerError, match="refused"):
            await PoolMiner(Server("127.0.0.1", free), 1, events.tell).run(patient=False)
        task = asyncio.create_task(PoolMiner(Server("127.0.0.1", free), 1, events.tell).run(patient=True))
        await events.wait("disconnected")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_a_bug_on_a_search_thread_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("pychain.miner.job.PoolJob.work", broken)

    async def run() -> None:
        async with Pool() as pool:
            with pytest.raises(ZeroDivisionError):
                await PoolMiner(Server("127.0.0.1", pool.port, "rig"), 1, Events().tell).run(patient=False)

    asyncio.run(run())


def test_the_live_view_shows_how_it_goes() -> None:
    async def check(miner: PoolMiner, events: Events) -> None:
        console = Console(width=100, force_terminal=False, record=True)
        with LiveReporter(console) as reporter:
            reporter.tell("share", "share \x1b[2Jaccepted", {})
            watching = asyncio.create_task(reporter.watch(miner))
            await events.wait("share", 3)
            await asyncio.sleep(0.01)
            watching.cancel()
        shown = console.export_text()
        assert miner.server.host_port in shown
        assert "accepted, 0 rejected" in shown
        assert "\\x1b[2Jaccepted" in shown

    mining(Pool(), check)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("127.0.0.1:3333", Server("127.0.0.1", 3333)),
        ("stratum+tcp://pool.example:3333", Server("pool.example", 3333)),
        ("stratum+tcp://a.b%40c:p%3Aq@[::1]:5", Server("::1", 5, "a.b@c", "p:q")),
    ],
)
def test_urls_of_servers(url: str, expected: Server) -> None:
    assert Server.parse(url) == expected
    assert Server.parse(expected.host_port).host == expected.host
    assert "p:q" not in repr(expected)


@pytest.mark.parametrize("url", ["", "pool.example", "http://pool.example:80", "stratum+tcp://:5", "a:99999", "[::1:5"])
def test_other_urls(url: str) -> None:
    with pytest.raises(DecodeError):
        Server.parse(url)


# --- the command, at a node


def test_the_command_mines_at_a_node_and_ends_cleanly(tmp_path: Path) -> None:
    with ApiNode(tmp_path / "node", stratum_port=0) as node:
        assert node.process.ready is not None
        pool = node.process.ready["stratum"]
        command = [sys.executable, "-m", "pychain", "miner", f"stratum+tcp://{pool}", "--user", f"{MINER}.rig"]
        with subprocess.Popen([*command, "--threads", "2", "--json"], stdout=subprocess.PIPE, text=True) as process:
            node.call("waitforblockheight", 10)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0
        events = [json.loads(line) for line in out.splitlines()]
        assert (events[0]["event"], events[0]["user"]) == ("connected", f"{MINER}.rig")
        assert events[-1]["event"] == "end"
        assert events[-1]["blocks"] >= 9  # the answer to the last one may have been on its way when it was told to end
        assert node.call("getaccount", MINER)["balance"] > 0
        [worker] = node.call("getstratuminfo")["workers"]
        assert worker["shares"]["blocks"] >= 9

        command[4] = f"--datadir={node.process.datadir}"  # the URL is the node's own to tell
        with subprocess.Popen(
            [*command, "--network", "dev", "--no-live"], stderr=subprocess.PIPE, text=True
        ) as process:
            node.call("waitforblockheight", node.call("getblockcount") + 3)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0
        assert "block accepted" in err
        assert "ended; on average" in err.splitlines()[-1]


def test_the_command_s_failures_are_one_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell(capsys)
    said = shell.fails(3, "miner", "127.0.0.1:1", "--user", "x")
    assert said == "pychain: cannot reach 127.0.0.1:1: connection refused\n"
    assert "--user" in shell.fails(2, "miner", "127.0.0.1:1")
    assert shell("miner", "http://127.0.0.1:1", "--user", "x").code == 2
    assert "no node runs" in shell.fails(3, "miner", "--user", "x", "--datadir", str(tmp_path / "nowhere"))
    with ApiNode(tmp_path / "no miners") as node:
        words = ("--user", "x", "--network", "dev", "--datadir", str(node.process.datadir))
        assert "serves no miners" in shell.fails(3, "miner", *words)
    with ApiNode(tmp_path / "node", stratum_port=0) as node:
        assert node.process.ready is not None
        assert "ADDRESS" in shell.fails(1, "miner", node.process.ready["stratum"], "--user", "nobody")
