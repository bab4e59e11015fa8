"""The end of a race: nobody mines any more, all have one tip, and the accounts hold exactly what was issued."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from pychain.chain.address import encode_address
from pychain.client import Client
from pychain.consensus.subsidy import issued
from pychain.devnet.errors import DevnetError
from pychain.devnet.keys import node_key
from pychain.devnet.network import Devnet
from pychain.devnet.observer import Observer, Picture

POLL_S = 0.2
MAX_READS = 20
"""How often a node is read anew because its tip moved meanwhile: nobody mines, so one block may still come."""
TIE_S = 5.0
"""By then what was under way has arrived everywhere: nodes that still differ have chains of equal work."""


async def settle(devnet: Devnet, observer: Observer, timeout_s: float) -> Picture:
    """Stop all miners and wait until all nodes have one tip, and keep it; those that were killed are left out.
    DevnetError where they do not in time.

    A block that was found as the mining ended may still be on its way to a disk, so the agreement has to last. Two
    chains of equal work may stand, each first seen by some: then one node mines on until the tie is broken."""
    expected = [node.index for node in devnet.nodes if not node.record.killed]
    await devnet.rest()
    begin = time.monotonic()
    give_up = begin + timeout_s
    breaking = False
    agreed: str | None = None
    while True:
        picture = await observer.look()
        before, agreed = agreed, _common_tip(picture, expected)
        if agreed is not None and breaking:
            await devnet.rest()
            breaking = False
        elif agreed is not None and agreed == before:
            return picture
        if time.monotonic() > give_up:
            tips = "; ".join(f"{tip[:16]} on {_names(nodes)}" for tip, nodes in picture.tips)
            raise DevnetError(f"the nodes do not agree {timeout_s:g} s after the end of mining: {tips}")
        if agreed is None and not breaking and time.monotonic() > begin + TIE_S:
            breaking = True
            await devnet.mine(expected[:1])
        await asyncio.sleep(POLL_S)


async def audit(devnet: Devnet) -> int:
    """Add up, on each node by itself, what its miners' accounts hold, immature rewards included; gives the sum in base
    units. DevnetError where it is not exactly what the rules have issued. Holds where nobody else was ever paid."""
    spec = devnet.plan.spec
    keys = [node_key(index).public_key for index in range(devnet.plan.count)]
    elsewhere = sum(amount for key, amount in spec.allocations if key not in keys)
    supply = 0
    for node in devnet.nodes:
        if node.record.killed:
            continue
        height, held = await _read(node.client, [encode_address(spec.hrp, key) for key in keys])
        supply = issued(spec, height) - elsewhere
        if held != supply:
            raise DevnetError(f"node{node.index} holds {held} base units at height {height}, issued were {supply}")
    return supply


async def _read(client: Client, addresses: Sequence[str]) -> tuple[int, int]:
    """A node's height, and what these accounts hold there, all under one tip."""
    for _ in range(MAX_READS):
        before = await client.chain_info()
        accounts = [await client.account(address) for address in addresses]
        if await client.call("getbestblockhash", result=str) == before.bestblockhash:
            return before.blocks, sum(account.balance + account.immature for account in accounts)
    raise DevnetError(f"the node at {client.endpoint.host_port} still takes blocks: its accounts cannot be added up")


def _common_tip(picture: Picture, expected: Sequence[int]) -> str | None:
    """The one tip that all nodes have, None where they differ or one of those expected is silent."""
    silent = set(expected) - {node.index for node in picture.alive}
    return picture.tips[0][0] if picture.standing == "agree" and picture.tips and not silent else None


def _names(nodes: tuple[int, ...]) -> str:
    return ", ".join(f"node{index}" for index in nodes)
