"""The state of all nodes of a devnet, compared: do they agree, who mined what, which blocks were disconnected.

Every picture needs one batch of calls to each node, and the blocks that are new since the last one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from pychain.client import Call, Client, ClientError, RefusedError
from pychain.client.results import ChainInfo, ChainTip, MempoolInfo, MiningInfo, NetworkInfo

POLL_TIMEOUT_S = 5.0
"""A node that does not answer within this time is shown as silent."""
RECENT_BLOCKS = 512
"""Blocks whose miners are remembered; a longer chain is followed only from there."""
_POLL = (Call("getblockchaininfo"), Call("getmininginfo"), Call("getnetworkinfo"), Call("getmempoolinfo"))


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node at one moment. Rates in hashes per second; `reorganisations` and `deepest` since the start of the
    watch."""

    index: int
    height: int
    tip: str
    chain_work: int
    difficulty: float
    peers: int
    hash_rate: float
    mining: bool
    mempool: int
    reorganisations: int
    deepest: int


@dataclass(frozen=True, slots=True)
class MinedBlock:
    """A block of the active chain and the recipient of its reward."""

    height: int
    hash: str
    miner: str


Standing = Literal["agree", "behind", "fork"]


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole network at one moment. `nodes` has None for a node that did not answer.

    standing: `agree` if all have one tip, `behind` if some only lack its last blocks, `fork` if there are competing
    branches. tips: which nodes are on which tip, the heaviest first. recent: the last blocks of the heaviest branch.
    mined: how many of them each miner found. news: what happened since the last picture.
    """

    nodes: tuple[NodeState | None, ...]
    standing: Standing
    tips: tuple[tuple[str, tuple[int, ...]], ...]
    recent: tuple[MinedBlock, ...]
    mined: dict[str, int]
    news: tuple[str, ...] = ()

    @property
    def alive(self) -> list[NodeState]:
        return [node for node in self.nodes if node is not None]

    @property
    def leader(self) -> NodeState | None:
        """The node with the most work."""
        return max(self.alive, key=lambda node: (node.chain_work, -node.index), default=None)


@dataclass(slots=True)
class _Watched:
    """Memory about a node between two pictures."""

    tip: str | None = None
    reorganisations: int = 0
    deepest: int = 0


class Observer:
    """Watches the nodes of some clients. awake: whether a node can answer; one that cannot is not queried."""

    def __init__(self, clients: Sequence[Client], awake: Callable[[int], bool] = lambda index: True) -> None:
        self._clients = list(clients)
        self._awake = awake
        self._watched = [_Watched() for _ in clients]
        self._chain: dict[int, MinedBlock] = {}
        self._news: list[str] = []
        self._forked = False

    def replace(self, index: int, client: Client) -> None:
        """Continue with a restarted node."""
        self._clients[index] = client

    async def look(self) -> Picture:
        """Query every node, and follow the heaviest branch."""
        nodes = tuple(await asyncio.gather(*(self._look_at(index) for index in range(len(self._clients)))))
        tips: dict[str, list[int]] = {}
        alive = [node for node in nodes if node is not None]
        for node in sorted(alive, key=lambda node: (-node.chain_work, node.index)):
            tips.setdefault(node.tip, []).append(node.index)
        standing: Standing = "agree"
        if len(tips) > 1:
            leader = self._clients[next(iter(tips.values()))[0]]
            standing = "behind" if await _has_all(leader, list(tips)[1:]) else "fork"
        if alive:
            await self._follow(self._clients[next(iter(tips.values()))[0]], next(iter(tips)))
        self._note_fork(standing, alive)
        news, self._news = tuple(self._news), []
        return Picture(
            nodes=nodes,
            standing=standing,
            tips=tuple((tip, tuple(indexes)) for tip, indexes in tips.items()),
            recent=tuple(self._chain.values()),
            mined=dict(Counter(block.miner for block in self._chain.values())),
            news=news,
        )

    async def _look_at(self, index: int) -> NodeState | None:
        client, watched = self._clients[index], self._watched[index]
        if not self._awake(index):
            return None
        try:
            answers = await client.batch(_POLL, timeout_s=POLL_TIMEOUT_S)
            chain, mining, network, mempool = _converted(answers)
            if watched.tip not in (None, chain.bestblockhash):
                await self._note_reorganisation(index, client, watched)
        except ClientError:
            return None
        watched.tip = chain.bestblockhash
        return NodeState(
            index=index,
            height=chain.blocks,
            tip=chain.bestblockhash,
            chain_work=int(chain.chainwork, 16),
            difficulty=mining.next.difficulty,
            peers=network.connections,
            hash_rate=mining.hashespersec,
            mining=mining.mining,
            mempool=mempool.size,
            reorganisations=watched.reorganisations,
            deepest=watched.deepest,
        )

    async def _note_reorganisation(self, index: int, client: Client, watched: _Watched) -> None:
        """The tip has changed: was the old one disconnected, or extended?"""
        for tip in await client.call("getchaintips", result=list[ChainTip], timeout_s=POLL_TIMEOUT_S):
            if tip.hash == watched.tip and tip.branchlen:
                watched.reorganisations += 1
                watched.deepest = max(watched.deepest, tip.branchlen)
                blocks = "1 block" if tip.branchlen == 1 else f"{tip.branchlen} blocks"
                self._news.append(f"node{index} left {blocks} of its own branch at height {tip.height:,}")

    def _note_fork(self, standing: Standing, alive: Sequence[NodeState]) -> None:
        if standing == "fork" and not self._forked:
            self._news.append(f"fork: the nodes are on different branches at height {_top(alive):,}")
        elif standing == "agree" and self._forked:
            self._news.append(f"healed: all on one branch again at height {_top(alive):,}")
        self._forked = standing == "fork" or (self._forked and standing == "behind")

    async def _follow(self, client: Client, tip: str) -> None:
        """Learn the miners of the blocks between `tip` and the known part of its branch, and forget other branches."""
        fresh: list[MinedBlock] = []
        block_hash: str | None = tip
        joint = 0
        try:
            while block_hash is not None and len(fresh) < RECENT_BLOCKS:
                block = await client.call("getblock", block_hash, 2, result=_Block, timeout_s=POLL_TIMEOUT_S)
                known = self._chain.get(block.height)
                joint = block.height
                if block.height == 0 or (known is not None and known.hash == block_hash):
                    break
                fresh.append(MinedBlock(block.height, block_hash, block.tx[0].recipient))
                block_hash = block.previousblockhash
        except ClientError:
            return  # the next picture tries again
        if len(fresh) == RECENT_BLOCKS:
            joint = 0  # the known part is too far back
        kept = [block for height, block in self._chain.items() if height <= joint]
        self._chain = {block.height: block for block in [*kept, *reversed(fresh)][-RECENT_BLOCKS:]}


class _Coinbase(msgspec.Struct):
    recipient: str


class _Block(msgspec.Struct):
    height: int
    tx: list[_Coinbase]
    previousblockhash: str | None = None


def _converted(answers: Sequence[object]) -> tuple[ChainInfo, MiningInfo, NetworkInfo, MempoolInfo]:
    for answer in answers:
        if isinstance(answer, RefusedError):
            raise answer
    try:
        return (
            msgspec.convert(answers[0], ChainInfo),
            msgspec.convert(answers[1], MiningInfo),
            msgspec.convert(answers[2], NetworkInfo),
            msgspec.convert(answers[3], MempoolInfo),
        )
    except msgspec.ValidationError as error:
        raise ClientError(f"the node's answer has the wrong form: {error}") from None


def _top(alive: Sequence[NodeState]) -> int:
    return max((node.height for node in alive), default=0)


async def _has_all(leader: Client, hashes: Sequence[str]) -> bool:
    """Whether the other tips are blocks of the leader's active chain."""
    try:
        answers = await leader.batch([Call("getblockheader", [each]) for each in hashes], timeout_s=POLL_TIMEOUT_S)
    except ClientError:
        return False
    return all(isinstance(answer, dict) and answer["confirmations"] > 0 for answer in answers)
