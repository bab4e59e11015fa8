"""Five real nodes in a line, all mining on `race`, paying each other; one link is cut on the way, so that a fork must
be resolved.

The full two minutes: `python -m pytest -m long tests/bars`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from pychain.chain.spec import packaged_spec
from pychain.devnet.audit import audit, settle
from pychain.devnet.network import Devnet, Plan
from pychain.devnet.observer import Observer
from pychain.devnet.traffic import Traffic
from tests.bars.waiting import until

NODES = 5
CUT = (2, 3)
"""The link that is cut: three nodes on its one side, two on the other."""
TRANSFERS_A_SECOND = 4.0
SETTLE_TIMEOUT_S = 60.0
"""Generous: it usually takes under a second, and a busy machine must not fail the test."""


@pytest.mark.timeout(300)
def test_for_a_moment(tmp_path: Path) -> None:
    asyncio.run(race(tmp_path, seconds=16, cut_seconds=4))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_for_two_minutes(tmp_path: Path) -> None:
    asyncio.run(race(tmp_path, seconds=120, cut_seconds=10))


async def race(directory: Path, seconds: float, cut_seconds: float) -> None:
    spec = packaged_spec("race")
    devnet = Devnet(Plan(directory, "race", spec, NODES, "line"))
    await devnet.start()
    try:
        observer = Observer([node.client for node in devnet.nodes])
        traffic = Traffic(spec, lambda index: devnet.nodes[index].client, NODES)
        await devnet.mine()
        paying = asyncio.create_task(traffic.run(TRANSFERS_A_SECOND))
        begin = time.monotonic()
        await watch(observer, seconds / 2)
        await part_until_both_sides_mined(devnet, cut_seconds)
        await watch(observer, seconds - (time.monotonic() - begin))
        await until(lambda: has_height(devnet, spec.maturity + 2))  # rewards have matured
        await until(lambda: has_paid(traffic))  # and transfers have spent them
        paying.cancel()
        with suppress(asyncio.CancelledError):
            await paying
        picture = await settle(devnet, observer, SETTLE_TIMEOUT_S)
        assert len({node.tip for node in picture.alive}) == 1
        assert len(picture.alive) == NODES
        assert await forks(devnet) >= 1, "the cut left no fork"
        assert await audit(devnet) > 0
    finally:
        await devnet.stop()


async def watch(observer: Observer, seconds: float) -> None:
    """Observe the network regularly, so that the observer sees changes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await observer.look()
        await asyncio.sleep(0.5)


async def part_until_both_sides_mined(devnet: Devnet, least_seconds: float) -> None:
    """Cut one link for at least `least_seconds`, until both sides have blocks that the other lacks."""
    one, other = CUT
    await devnet.cut(one, other)
    begin = time.monotonic()
    before = await heights(devnet)
    await until(lambda: has_forked(devnet, before, begin + least_seconds))
    await devnet.link(one, other)


async def has_forked(devnet: Devnet, before: Sequence[int], not_before: float) -> bool:
    now = await heights(devnet)
    return time.monotonic() >= not_before and all(now[index] > before[index] + 1 for index in CUT)


async def has_height(devnet: Devnet, height: int) -> bool:
    return min(await heights(devnet)) >= height


async def has_paid(traffic: Traffic) -> bool:
    return traffic.sent > 0


async def heights(devnet: Devnet) -> list[int]:
    return [await node.client.call("getblockcount", result=int) for node in devnet.nodes]


async def forks(devnet: Devnet) -> int:
    """Branches other than the active one, over all nodes."""
    tips = [await node.client.chain_tips() for node in devnet.nodes]
    return sum(len(ends) - 1 for ends in tips)
