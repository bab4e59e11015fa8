"""The end of a race: mining has stopped, all nodes have one tip, and the accounts hold exactly what was issued."""

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
"""Attempts to read a node whose tip moves meanwhile: mining has stopped, so one more block may still arrive."""
TIE_S = 5.0
"""By then all blocks have arrived everywhere: nodes that still differ have chains of equal work."""


async def settle(devnet: Devnet, observer: Observer, timeout_s: float) -> Picture:
    """Stop all miners and wait until all nodes have one tip and keep it; killed nodes are ignored. DevnetError if that
    takes too long.

    A block found just before the end may still be on its way to a disk, so the agreement must last. If two chains of
    equal work remain, each seen first by some nodes, one node mines on until the tie is broken."""
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
    """Add up, separately on each node, what the miners' accounts hold, immature rewards included; returns the sum in
    base units. DevnetError if it is not exactly what the rules have issued. Valid only if nobody else was ever paid."""
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
    """A node's height, and what these accounts hold there, all at the same tip."""
    for _ in range(MAX_READS):
        before = await client.chain_info()
        accounts = [await client.account(address) for address in addresses]
        if await client.call("getbestblockhash", result=str) == before.bestblockhash:
            return before.blocks, sum(account.balance + account.immature for account in accounts)
    raise DevnetError(f"the node at {client.endpoint.host_port} still connects blocks: its accounts cannot be added up")


def _common_tip(picture: Picture, expected: Sequence[int]) -> str | None:
    """The one tip that all nodes have, None if they differ or one of those expected is silent."""
    silent = set(expected) - {node.index for node in picture.alive}
    return picture.tips[0][0] if picture.standing == "agree" and picture.tips and not silent else None


def _names(nodes: tuple[int, ...]) -> str:
    return ", ".join(f"node{index}" for index in nodes)
