"""The state of a devnet, from any shell: each node's process and chain, and the links between them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

import msgspec

from pychain.client import Call, ClientError
from pychain.client.results import ChainInfo, NetworkInfo
from pychain.devnet.links import Link
from pychain.devnet.network import Devnet, DevnetNode

ANSWER_TIMEOUT_S = 5.0


class LinkStatus(msgspec.Struct, frozen=True):
    """A node's link to another. The lag applies to each direction, in milliseconds; the jitter is added to it."""

    to: str
    cut: bool
    lag_ms: float
    jitter_ms: float


class NodeStatus(msgspec.Struct, frozen=True):
    """One node. `killed`: by a command; `ended`: for another reason; `silent`: it runs but does not answer."""

    node: str
    state: Literal["running", "paused", "silent", "killed", "ended"]
    pid: int
    height: int | None
    tip: str | None
    peers: int | None
    links: list[LinkStatus]
    p2p: str
    api: str
    datadir: str


async def look_at(devnet: Devnet, links: Sequence[Link]) -> list[NodeStatus]:
    """All nodes, running or not."""
    return list(await asyncio.gather(*(_look_at(node, links) for node in devnet.nodes)))


async def _look_at(node: DevnetNode, links: Sequence[Link]) -> NodeStatus:
    answer = await _ask(node) if node.is_awake else None
    chain, network = answer if answer is not None else (None, None)
    return NodeStatus(
        node=f"node{node.index}",
        state="running" if answer else _state(node),
        pid=node.process.identity.pid,
        height=None if chain is None else chain.blocks,
        tip=None if chain is None else chain.bestblockhash,
        peers=None if network is None else network.connections,
        links=[
            LinkStatus(f"node{sum(link.nodes) - node.index}", link.cut, link.lag_ms, link.jitter_ms)
            for link in links
            if node.index in link.nodes
        ],
        p2p=node.p2p,
        api=node.api,
        datadir=str(node.process.datadir),
    )


def _state(node: DevnetNode) -> Literal["paused", "silent", "killed", "ended"]:
    if node.process.identity.is_paused:
        return "paused"
    if node.process.is_running:
        return "silent"
    return "killed" if node.record.killed else "ended"


async def _ask(node: DevnetNode) -> tuple[ChainInfo, NetworkInfo] | None:
    """None if it does not answer."""
    try:
        calls = (Call("getblockchaininfo"), Call("getnetworkinfo"))
        chain, network = await node.client.batch(calls, timeout_s=ANSWER_TIMEOUT_S)
        return msgspec.convert(chain, ChainInfo), msgspec.convert(network, NetworkInfo)
    except (ClientError, msgspec.ValidationError):
        return None
