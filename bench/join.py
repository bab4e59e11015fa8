"""Initial sync: how fast a new node downloads a chain of 10,000 empty blocks, from one peer over loopback.

    python bench/join.py [--blocks N] [--rounds N]

Both nodes are real daemons with their stores, on the cores of this machine; nobody mines meanwhile. The time runs from
the connection request to the moment at which the new node's API shows the same durable tip.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import statistics
import tempfile
import time
from pathlib import Path

from pychain.chain.spec import packaged_spec
from pychain.devnet.keys import node_address
from pychain.devnet.network import Devnet, Plan

GENERATED_AT_ONCE = 500
POLL_S = 0.01


async def measure(blocks: int, rounds: int) -> list[float]:
    """Seconds of each round; every round has a new joining node, which is stopped after it."""
    spec = packaged_spec("dev")
    with tempfile.TemporaryDirectory() as directory:
        devnet = Devnet(Plan(Path(directory), "dev", spec, 1 + rounds, "apart"))
        await devnet.start()
        try:
            source = devnet.nodes[0].client
            for first in range(0, blocks, GENERATED_AT_ONCE):
                count = min(GENERATED_AT_ONCE, blocks - first)
                await source.call("generatetoaddress", count, node_address(spec, 0), timeout_s=600)
            return [await join(devnet, index) for index in range(1, 1 + rounds)]
        finally:
            await devnet.stop()


async def join(devnet: Devnet, index: int) -> float:
    source, newcomer = devnet.nodes[0].client, devnet.nodes[index].client
    tip = await source.call("getbestblockhash")
    begin = time.perf_counter()
    await newcomer.call("addnode", devnet.nodes[0].p2p, "add")  # not over a devnet's link: its relay is not measured
    for _ in itertools.count():
        if await newcomer.call("getbestblockhash") == tip:
            break
        await asyncio.sleep(POLL_S)
    took = time.perf_counter() - begin
    await newcomer.call("addnode", devnet.nodes[0].p2p, "remove")
    await newcomer.call("disconnectnode", devnet.nodes[0].p2p)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast a new node syncs over loopback.")
    parser.add_argument("--blocks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    took = asyncio.run(measure(arguments.blocks, arguments.rounds))
    median = statistics.median(took)
    print(f"{arguments.blocks:,} blocks, {arguments.rounds} rounds, load found {load:.1f} on {os.cpu_count()} cores")
    print(f"in step after {median:.2f} s (median; {min(took):.2f} to {max(took):.2f})")
    print(f"{arguments.blocks / median:,.0f} blocks a second")


if __name__ == "__main__":
    main()
