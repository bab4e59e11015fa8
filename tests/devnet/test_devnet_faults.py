"""Faults of real networks: partitions that heal, slow links, nodes that are killed, paused and restarted.

Blocks are made on demand, so that nothing depends on how fast the machine is.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pychain.chain.spec import packaged_spec
from pychain.client import UnreachableError
from pychain.devnet.control import RelayProcess
from pychain.devnet.directory import is_up
from pychain.devnet.errors import DevnetError, WrongNodesError
from pychain.devnet.keys import node_address
from pychain.devnet.load import Latency, Load
from pychain.devnet.network import Devnet, Plan
from pychain.devnet.status import look_at

DEV = packaged_spec("dev")
TIMEOUT_S = 120.0
POLL_S = 0.05


def on_devnet(directory: Path, count: int, test: Callable[[Devnet], Awaitable[None]], *options: str) -> None:
    """Run a test on a devnet of fully connected nodes."""

    async def run() -> None:
        devnet = Devnet(Plan(directory / "devnet", "dev", DEV, count, options=options))
        await devnet.start()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await test(devnet)
        finally:
            await devnet.stop()
        assert not is_up(directory / "devnet")

    asyncio.run(run())


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    for _ in itertools.count():
        if await condition():
            return
        await asyncio.sleep(POLL_S)


async def generate(devnet: Devnet, index: int, blocks: int) -> str:
    """Blocks from one node; gives its tip."""
    node = devnet.nodes[index].client
    await node.call("generatetoaddress", blocks, node_address(DEV, index))
    return await node.call("getbestblockhash", result=str)


async def have(devnet: Devnet, indexes: tuple[int, ...], tip: str) -> None:
    """Wait until nodes have a tip."""

    async def all_have() -> bool:
        return {await devnet.nodes[index].client.call("getbestblockhash") for index in indexes} == {tip}

    await until(all_have)


async def peers(devnet: Devnet, index: int) -> int:
    return len([peer for peer in await devnet.nodes[index].client.peers() if peer.pingtime is not None])


async def have_peers(devnet: Devnet, *counts: int) -> None:
    """Wait until each node has that many peers that answered a ping."""

    async def all_have() -> bool:
        return [await peers(devnet, index) for index in range(len(counts))] == list(counts)

    await until(all_have)


def test_halves_grow_apart_and_agree_once_healed(tmp_path: Path) -> None:
    async def test(devnet: Devnet) -> None:
        await have_peers(devnet, 3, 3, 3, 3)
        assert await devnet.partition([[0, 1], [3, 2]]) == ((0, 1), (3, 2))
        await have_peers(devnet, 1, 1, 1, 1)
        shorter, longer = await generate(devnet, 0, 2), await generate(devnet, 2, 3)
        await have(devnet, (0, 1), shorter)
        await have(devnet, (2, 3), longer)
        assert [await peers(devnet, index) for index in range(4)] == [1, 1, 1, 1], "nobody went round it"
        assert await devnet.heal()
        await have(devnet, (0, 1, 2, 3), longer)
        for loser in (0, 1):
            tips = await devnet.nodes[loser].client.chain_tips()
            assert [(tip.hash, tip.branchlen) for tip in tips if tip.status == "valid-fork"] == [(shorter, 2)]
        await have_peers(devnet, 3, 3, 3, 3)
        assert not await devnet.heal(), "there was nothing to heal"

    on_devnet(tmp_path, 4, test)


def test_a_lag_shows_in_the_pings(tmp_path: Path) -> None:
    async def test(devnet: Devnet) -> None:
        await devnet.cut(0, 1)
        await devnet.lag(100, 10)
        await devnet.link(1, 0)
        await have_peers(devnet, 1, 1)
        for node in devnet.nodes:
            (peer,) = await node.client.peers()
            assert peer.pingtime is not None
            assert peer.pingtime >= 0.2
        (row, _) = await look_at(devnet, await devnet.links())
        assert [(link.to, link.lag_ms, link.jitter_ms) for link in row.links] == [("node1", 100, 10)]
        with pytest.raises(WrongNodesError, match="no node2"):
            await devnet.lag(5, between=(0, 2))

    on_devnet(tmp_path, 2, test)


def test_a_node_is_killed_and_another_shell_restarts_it(tmp_path: Path) -> None:
    shells: list[Devnet] = []

    async def test(devnet: Devnet) -> None:
        await have_peers(devnet, 1, 1)
        await devnet.mine([1])
        await devnet.nodes[0].client.call("waitforblockheight", 2)
        await devnet.kill(1)
        with pytest.raises(DevnetError, match="node1 does not run; `restart` starts it"):
            await devnet.kill(1)
        await have_peers(devnet, 0)
        assert [row.state for row in await look_at(devnet, [])] == ["running", "killed"]
        ports = devnet.nodes[1].p2p, devnet.nodes[1].api

        other = Devnet.attach(devnet.plan.directory, DEV)
        shells.append(other)
        await other.restart(1)
        await other.leave()
        (again,) = devnet.refresh()
        assert (again.index, again.p2p, again.api) == (1, *ports)
        assert not again.record.killed
        height = await again.client.call("getblockcount", result=int)
        await devnet.nodes[0].client.call("waitforblockheight", height + 1)  # it mines again, and is heard
        await have_peers(devnet, 1, 1)

    on_devnet(tmp_path, 2, test, "--mine-interval", "0.2")
    assert not shells[0].nodes[1].process.is_running, "who started it can collect it"


def test_a_node_that_was_paused_catches_up(tmp_path: Path) -> None:
    async def test(devnet: Devnet) -> None:
        await have_peers(devnet, 1, 1)
        await devnet.pause(1)
        await devnet.pause(1)
        tip = await generate(devnet, 0, 3)
        assert [row.state for row in await look_at(devnet, [])] == ["running", "paused"]
        await devnet.resume(1)
        await have(devnet, (0, 1), tip)
        await devnet.pause(1)
        await devnet.restart(1)
        await have(devnet, (0, 1), tip)
        await devnet.pause(0)  # and is stopped in order at the end

    on_devnet(tmp_path, 2, test)


def test_the_relay_itself_may_be_killed(tmp_path: Path) -> None:
    relays: list[RelayProcess] = []

    async def test(devnet: Devnet) -> None:
        await devnet.partition([[0], [1, 2]])
        before = await devnet.links()
        relay = devnet._relay
        assert relay is not None
        relay.identity.send(signal.SIGKILL)
        assert await relay.wait(TIMEOUT_S)
        with pytest.raises(DevnetError, match="does not answer"):
            await devnet.links()
        other = Devnet.attach(devnet.plan.directory, DEV)
        await other.lag(5, between=(0, 1))
        await other.leave()
        assert other._relay is not None
        relays.append(other._relay)
        after = {link.nodes: (link.port, link.cut) for link in await devnet.links()}
        assert after == {link.nodes: (link.port, link.cut) for link in before}, "another one took its place"
        await devnet.heal()
        await have(devnet, (0, 1, 2), await generate(devnet, 1, 2))

    on_devnet(tmp_path, 3, test)
    assert not relays[0].is_running, "though another shell had started it"


def test_a_load_is_followed_into_blocks(tmp_path: Path) -> None:
    async def test(devnet: Devnet) -> None:
        await have_peers(devnet, 1, 1)
        heard: list[tuple[float, float]] = []
        await devnet.mine([0])
        report = await Load(devnet).run(40, 1, TIMEOUT_S, lambda *progress: heard.append(progress))
        assert (report.submitted, report.accepted, report.confirmed) == (40, 40, 40)
        assert (report.refused, report.unanswered, report.refusals) == (0, 0, {})
        assert report.accepted_in_ms is not None
        assert report.confirmed_in_ms is not None
        assert report.confirmed_in_ms.max >= report.confirmed_in_ms.p50 > 0
        assert heard[0] == (0, 40)
        await devnet.kill(1)
        await devnet.pause(0)
        with pytest.raises(DevnetError, match="no node is running"):
            Load(devnet)

    on_devnet(tmp_path, 2, test, "--mine-interval", "0.3")


def test_percentiles_are_times_that_were_measured() -> None:
    assert Latency.of([]) is None
    assert Latency.of([0.001]) == Latency(1, 1, 1, 1)
    assert Latency.of([each / 1000 for each in range(100, 0, -1)]) == Latency(51, 91, 100, 100)


def test_a_devnet_that_was_stopped_cannot_be_attached_to(tmp_path: Path) -> None:
    async def test(devnet: Devnet) -> None:
        await devnet.kill(0)
        other = Devnet.attach(devnet.plan.directory, DEV)
        with pytest.raises(UnreachableError):
            await other.nodes[0].client.chain_info()
        await other.leave()

    on_devnet(tmp_path, 1, test)
    with pytest.raises(DevnetError, match="no devnet runs in"):
        Devnet.attach(tmp_path / "devnet", DEV)
    with pytest.raises(DevnetError, match="there is no devnet in"):
        Devnet.attach(tmp_path, DEV)
