"""The chain as resources: blocks, branches, and data for charts."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from pychain.api.context import Context
from pychain.api.endpoint import Resources
from pychain.api.errors import not_found
from pychain.api.methods import blockchain
from pychain.api.methods.blockchain import BLOCK_UNKNOWN, ChainTipView
from pychain.api.methods.lookups import body
from pychain.api.render import rendered
from pychain.api.types import (
    Address,
    Bits,
    Bytes,
    Count,
    Difficulty,
    HashHex,
    Height,
    UnixTime,
)
from pychain.api.views.blocks import HeaderView, header_view
from pychain.api.views.targets import bits_hex, difficulty
from pychain.api.views.transactions import CoinbaseView, TransferView, transaction_view
from pychain.chain.block import decode_block
from pychain.chain.hashes import hash_hex, parse_hash_hex
from pychain.ledger.tree import Entry

chain = Resources("Chain")

MAX_TREE_BLOCKS = 2_000
"""Blocks in a tree; beyond it the oldest are left out."""
BlockName = Annotated[
    str, Meta(pattern="^([0-9]{1,10}|[0-9A-Fa-f]{64}|tip)$", description="a height, a hash, or `tip`")
]
Offset = Annotated[int, Meta(ge=0, le=10_000_000, description="how many to skip")]


class BlockSummary(Struct, kw_only=True):
    """A block in a list. `transactions`, `size`, `miner` and `reward` are missing if its body is not stored."""

    hash: HashHex
    height: Height
    previousblockhash: HashHex | UnsetType = UNSET
    time: UnixTime
    bits: Bits
    difficulty: Difficulty
    transactions: Count | UnsetType = UNSET
    size: Bytes | UnsetType = UNSET
    miner: Address | UnsetType = UNSET
    reward: Annotated[int, Meta(ge=0, description="base units that the coinbase claims, fees included")] | UnsetType = (
        UNSET
    )


class BlockPage(Struct, kw_only=True):
    """Blocks of the active chain, newest first. `next` is the `before` of the page after it, null on the last."""

    blocks: list[BlockSummary]
    next: Height | None


class BlockDetail(HeaderView, kw_only=True):
    """A block with a page of its transactions. `next` is the `offset` of the page after it, null on the last."""

    size: Bytes
    transactions: Count
    tx: list[TransferView | CoinbaseView]
    next: Offset | None


class TreeBlock(Struct, kw_only=True):
    """A block of the tree."""

    hash: HashHex
    previousblockhash: HashHex | UnsetType = UNSET
    height: Height
    time: UnixTime
    status: Literal["active", "valid-fork", "valid-headers", "headers-only", "invalid"]


class TreeView(Struct, kw_only=True):
    """The upper part of the block tree, all branches, from the lowest height up."""

    tip: HashHex
    blocks: list[TreeBlock]


class Sample(Struct, kw_only=True):
    """One point: the block at a height, and the mean over the blocks since the point before it."""

    height: Height
    time: UnixTime
    difficulty: Difficulty
    interval: Annotated[float, Meta(ge=0, description="seconds per block")]
    hashrate: Annotated[float, Meta(ge=0, description="hashes per second, from the work")]


class Series(Struct, kw_only=True):
    """Difficulty and hash rate over a part of the active chain."""

    samples: list[Sample]


@chain.get("/blocks")
async def blocks(
    context: Context,
    before: Annotated[int, Meta(ge=0, description="only blocks below this height")] | None = None,
    limit: Annotated[int, Meta(ge=1, le=50)] = 20,
) -> BlockPage:
    """Blocks of the active chain, newest first."""
    queries = context.queries
    tip = queries.tip
    top = tip.height if before is None else min(tip.height, before - 1)
    entries = [tip.ancestor(height) for height in range(top, max(-1, top - limit), -1)]
    return BlockPage(
        blocks=[await _summary(context, entry) for entry in entries],
        next=entries[-1].height if entries and entries[-1].height > 0 else None,
    )


@chain.get("/block/{block}", errors=BLOCK_UNKNOWN, example=("0",))
async def block(
    context: Context,
    block: BlockName,
    offset: Offset = 0,
    limit: Annotated[int, Meta(ge=0, le=1_000, description="transactions in the answer")] = 100,
) -> BlockDetail:
    """A block of any branch, by hash or by its height in the active chain, with its transactions."""
    entry = entry_of(context, block)
    raw = await body(context, entry)
    queries = context.queries
    header, hrp = header_view(queries, entry), queries.spec.hrp
    return await rendered(context.backend, lambda: _detail(hrp, header, raw, offset, limit))


@chain.get("/header/{block}", errors=BLOCK_UNKNOWN, example=("0",))
def header(context: Context, block: BlockName) -> HeaderView:
    """A block's header and its position in the chain; known before the block's body arrives."""
    return header_view(context.queries, entry_of(context, block))


@chain.get("/tips")
def tips(context: Context) -> list[ChainTipView]:
    """The ends of all branches, the active one first."""
    return blockchain.getchaintips(context)


@chain.get("/tree")
def tree(
    context: Context, depth: Annotated[int, Meta(ge=1, le=500, description="heights below the tip")] = 50
) -> TreeView:
    """The upper part of the block tree with all its branches, for drawing it."""
    queries = context.queries
    tip = queries.tip
    floor = max(0, tip.height - depth)
    found: dict[bytes, TreeBlock] = {}
    for end in queries.tips():
        entry: Entry | None = end.entry
        while entry is not None and entry.height >= floor and entry.hash not in found:
            if len(found) >= MAX_TREE_BLOCKS:
                break
            found[entry.hash] = TreeBlock(
                hash=hash_hex(entry.hash),
                previousblockhash=_previous(entry),
                height=entry.height,
                time=entry.header.time,
                status=end.status,
            )
            entry = entry.parent
    ordered = sorted(found.values(), key=lambda each: (each.height, each.hash))
    return TreeView(tip=hash_hex(tip.hash), blocks=ordered)


@chain.get("/series")
def series(
    context: Context,
    points: Annotated[int, Meta(ge=2, le=300)] = 100,
    blocks: Annotated[int, Meta(ge=1, description="only this many of the last blocks; default: all")] | None = None,
) -> Series:
    """Difficulty, block interval and hash rate over time, for charts."""
    tip = context.queries.tip
    first = (
        1 if blocks is None else max(1, tip.height - blocks)
    )  # the time of genesis does not tell how long block 1 took
    count = min(points, tip.height - first + 1)
    heights = dict.fromkeys(first + (tip.height - first) * each // max(1, count - 1) for each in range(count))
    entries = [tip.ancestor(height) for height in heights]
    return Series(samples=[_sample(entry, before) for before, entry in pairwise(entries)])


def entry_of(context: Context, name: BlockName) -> Entry:
    """The block in a path."""
    queries = context.queries
    if name == "tip":
        return queries.tip
    entry = queries.at(int(name)) if len(name) <= 10 else queries.entry(parse_hash_hex(name))
    if entry is None:
        raise not_found("Block not found")
    return entry


async def _summary(context: Context, entry: Entry) -> BlockSummary:
    content = await context.contents.of(entry)
    summary = BlockSummary(
        hash=hash_hex(entry.hash),
        height=entry.height,
        previousblockhash=_previous(entry),
        time=entry.header.time,
        bits=bits_hex(entry.header.bits),
        difficulty=difficulty(entry.header.bits),
    )
    if content is not None:
        summary.transactions, summary.size = content.transactions, content.size
        summary.miner, summary.reward = content.miner, content.reward
    return summary


def _detail(hrp: str, header: HeaderView, raw: bytes, offset: int, limit: int) -> BlockDetail:
    """Reads nothing of the node: it may run on a thread."""
    block = decode_block(raw)
    shown = block.transactions[offset : offset + limit]
    end = offset + len(shown)
    return BlockDetail(
        **structs.asdict(header),
        size=len(raw),
        transactions=len(block.transactions),
        tx=[transaction_view(hrp, each) for each in shown],
        next=end if shown and end < len(block.transactions) else None,
    )


def _sample(entry: Entry, before: Entry) -> Sample:
    blocks = entry.height - before.height
    elapsed = max(entry.header.time - before.header.time, 0)
    return Sample(
        height=entry.height,
        time=entry.header.time,
        difficulty=difficulty(entry.header.bits),
        interval=elapsed / blocks,
        hashrate=(entry.work - before.work) / max(elapsed, 1),
    )


def _previous(entry: Entry) -> HashHex | UnsetType:
    return hash_hex(entry.header.prev_hash) if entry.height else UNSET
