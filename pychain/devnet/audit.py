"""The end of a race: nobody mines any more, all have one tip, and the accounts hold exactly what was issued."""

from __future__ import annotations

import asyncio
import time

from pychain.chain.address import encode_address
from pychain.consensus.subsidy import issued
from pychain.devnet.errors import DevnetError
from pychain.devnet.keys import node_key
from pychain.devnet.network import Devnet
from pychain.devnet.observer import Observer, Picture

POLL_S = 0.2
TIE_S = 5.0
"""By then what was under way has arrived everywhere: nodes that still differ have chains of equal work."""


async def settle(devnet: Devnet, observer: Observer, timeout_s: float) -> Picture:
    """Stop all miners and wait until all nodes have one tip. DevnetError where they do not in time.

    Two chains of equal work may stand when the mining ends, each first seen by some: then one node mines on until the
    tie is broken."""
    await devnet.rest()
    begin = time.monotonic()
    give_up = begin + timeout_s
    breaking = False
    while True:
        picture = await observer.look()
        if picture.standing == "agree" and len(picture.alive) == len(picture.nodes):
            if not breaking:
                return picture
            await devnet.rest()
            breaking = False
            continue
        if time.monotonic() > give_up:
            tips = "; ".join(f"{tip[:16]} on {_names(nodes)}" for tip, nodes in picture.tips)
            raise DevnetError(f"the nodes do not agree {timeout_s:g} s after the end of mining: {tips}")
        if not breaking and time.monotonic() > begin + TIE_S:
            breaking = True
            await devnet.mine([0])
        await asyncio.sleep(POLL_S)


async def audit(devnet: Devnet) -> int:
    """Add up, on each node by itself, what its miners' accounts hold, immature rewards included; gives the sum in base
    units. DevnetError where it is not exactly what the rules have issued. Holds where nobody else was ever paid."""
    spec = devnet.plan.spec
    keys = [node_key(index).public_key for index in range(devnet.plan.count)]
    elsewhere = sum(amount for key, amount in spec.allocations if key not in keys)
    supply = 0
    for node in devnet.nodes:
        height = await node.client.call("getblockcount", result=int)
        accounts = [await node.client.account(encode_address(spec.hrp, key)) for key in keys]
        held = sum(account.balance + account.immature for account in accounts)
        supply = issued(spec, height) - elsewhere
        if held != supply:
            raise DevnetError(f"node{node.index} holds {held} base units at height {height}, issued were {supply}")
    return supply


def _names(nodes: tuple[int, ...]) -> str:
    return ", ".join(f"node{index}" for index in nodes)
