"""The chain: tip, blocks, headers, branches, and the network's rules."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from pychain.api.blockstats import BlockStats, block_stats
from pychain.api.context import Context
from pychain.api.errors import Code, RpcError, granted
from pychain.api.method import Group
from pychain.api.methods.lookups import body, known_block
from pychain.api.render import rendered
from pychain.api.types import (
    Bits,
    Difficulty,
    HashHex,
    Height,
    Share,
    Target,
    UnixTime,
    Work,
)
from pychain.api.verify import MAX_LEVEL, ChainCheck
from pychain.api.views.blocks import BlockView, HeaderView, block_view, header_view
from pychain.api.views.targets import bits_hex, difficulty, target_hex, work_hex
from pychain.api.waiting import wait_for_tip
from pychain.chain.block import decode_block
from pychain.chain.hashes import hash_hex
from pychain.node.requests import InvalidateBlock, ReconsiderBlock

group = Group("blockchain", "The chain")

BLOCK_UNKNOWN = {Code.INVALID_ADDRESS_OR_KEY: "no such block"}
MAX_HEADERS = 2_000
"""In one answer: a millisecond or two of the node's time."""
Milliseconds = Annotated[int, Meta(ge=0, le=2**31 - 1, description="milliseconds to wait, 0 for ever")]


class ChainInfo(Struct, kw_only=True):
    """The state of the chain. `headers` is the height of the best header, `blocks` that of the tip."""

    chain: str
    genesis: HashHex
    blocks: Height
    headers: Height
    bestblockhash: HashHex
    bits: Bits
    target: Target
    difficulty: Difficulty
    time: UnixTime
    mediantime: UnixTime
    verificationprogress: Share
    initialblockdownload: bool
    secondsleft: Annotated[int | None, Meta(description="seconds until the best header, at the last minute's speed")]
    chainwork: Work
    pruned: bool
    pruneheight: Annotated[
        int | None, Meta(description="the height from which on all blocks are stored, if the node prunes")
    ]


class HeadersView(Struct, kw_only=True):
    """Consecutive headers of the active chain."""

    start: Height
    count: Annotated[int, Meta(ge=0, description="fewer than requested at the end of the chain")]
    headers: Annotated[str, Meta(description="80 bytes each, concatenated, in hex")]


class ChainTipView(Struct, kw_only=True):
    """The end of a branch."""

    height: Height
    hash: HashHex
    branchlen: Annotated[int, Meta(ge=0, description="blocks since the branch left the active chain")]
    status: Literal["active", "valid-fork", "valid-headers", "headers-only", "invalid"]


class TipView(Struct):
    """A tip."""

    hash: HashHex
    height: Height


class ChainSpecView(Struct, kw_only=True):
    """The rules of the network: those that genesis commits to, and the defaults that it does not commit to."""

    name: str
    genesis: HashHex
    genesis_block: Annotated[str, Meta(description="the first block, in hex")]
    canonical: Annotated[str, Meta(description="the text whose sha256d is in the extra of the genesis coinbase")]
    spec: Annotated[dict[str, Any], Meta(description="the same, as JSON")]
    p2p_port: int
    api_port: int
    seeds: list[str]
    min_chain_work: Work
    dev: bool


@group.method()
def getblockchaininfo(context: Context) -> ChainInfo:
    """The state of the chain."""
    queries = context.queries
    tip, sync = queries.tip, queries.sync()
    prune_height = context.machine.prune_height()
    return ChainInfo(
        chain=queries.spec.name,
        genesis=hash_hex(queries.spec.genesis_hash),
        blocks=tip.height,
        headers=sync.headers,
        bestblockhash=hash_hex(tip.hash),
        bits=bits_hex(tip.header.bits),
        target=target_hex(tip.header.bits),
        difficulty=difficulty(tip.header.bits),
        time=tip.header.time,
        mediantime=queries.median_time(tip),
        verificationprogress=sync.progress,
        initialblockdownload=sync.behind,
        secondsleft=context.forecast.seconds_left(),
        chainwork=work_hex(tip.work),
        pruned=prune_height is not None,
        pruneheight=prune_height,
    )


@group.method()
def getbestblockhash(context: Context) -> HashHex:
    """Hash of the tip."""
    return hash_hex(context.queries.tip.hash)


@group.method()
def getblockcount(context: Context) -> Height:
    """Height of the tip."""
    return context.queries.tip.height


@group.method()
def getdifficulty(context: Context) -> Difficulty:
    """Difficulty of the tip."""
    return difficulty(context.queries.tip.header.bits)


@group.method(errors={Code.INVALID_PARAMETER: "the chain is lower than that"}, example=(0,))
def getblockhash(context: Context, height: Height) -> HashHex:
    """Hash of the active block at a height."""
    entry = context.queries.at(height)
    if entry is None:
        raise RpcError(Code.INVALID_PARAMETER, "Block height out of range")
    return hash_hex(entry.hash)


@group.method(errors=BLOCK_UNKNOWN, example=("00" * 32,))
def getblockheader(context: Context, blockhash: HashHex, verbose: bool = True) -> HeaderView | str:
    """A header with its position in the chain, or (verbose false) its 80 bytes in hex."""
    entry = known_block(context, blockhash)
    return header_view(context.queries, entry) if verbose else entry.header.raw.hex()


@group.method(errors={Code.INVALID_PARAMETER: "the chain is lower than that"}, example=(0, 2))
def getblockheaders(
    context: Context, start: Height, count: Annotated[int, Meta(ge=1, le=MAX_HEADERS)] = MAX_HEADERS
) -> HeadersView:
    """Raw headers of the active chain from a height on, for clients that check the proof of work themselves."""
    queries = context.queries
    if start > queries.tip.height:
        raise RpcError(Code.INVALID_PARAMETER, "Block height out of range")
    entry = queries.at(min(start + count - 1, queries.tip.height))
    headers = []
    while entry is not None and entry.height >= start:
        headers.append(entry.header.raw)
        entry = entry.parent
    headers.reverse()
    return HeadersView(start=start, count=len(headers), headers=b"".join(headers).hex())


@group.method(
    errors=BLOCK_UNKNOWN | {Code.MISC_ERROR: "only its header is known"},
    example=("00" * 32, 1),
)
async def getblock(
    context: Context, blockhash: HashHex, verbosity: Annotated[int, Meta(ge=0, le=2)] | bool = 1
) -> BlockView | str:
    """A block: verbosity 0 is its bytes in hex, 1 has txids, 2 has whole transactions."""
    entry = known_block(context, blockhash)
    raw = await body(context, entry)
    if not verbosity:
        return raw.hex()
    header, hrp = header_view(context.queries, entry), context.spec.hrp
    return await rendered(
        context.backend, lambda: block_view(hrp, header, decode_block(raw), whole=int(verbosity) == 2)
    )


@group.method()
def getchaintips(context: Context) -> list[ChainTipView]:
    """The ends of all branches, the active one first.

    As in Core: `valid-fork` was once connected, `valid-headers` has its blocks but was never connected, `headers-only`
    lacks blocks, `invalid` breaks a rule or was invalidated.
    """
    return [
        ChainTipView(
            height=tip.entry.height, hash=hash_hex(tip.entry.hash), branchlen=tip.branch_length, status=tip.status
        )
        for tip in context.queries.tips()
    ]


@group.method(
    errors=BLOCK_UNKNOWN
    | {Code.INVALID_PARAMETER: "no active block at that height, or an unknown statistic", Code.MISC_ERROR: "no body"},
    example=(1, ["txs", "totalfee"]),
)
async def getblockstats(
    context: Context, hash_or_height: HashHex | Height, stats: list[str] | None = None
) -> BlockStats:
    """Statistics of a block; `stats` selects some by name."""
    queries = context.queries
    if isinstance(hash_or_height, int):
        entry = queries.at(hash_or_height)
        if entry is None:
            raise RpcError(Code.INVALID_PARAMETER, f"Target block height {hash_or_height} after current tip")
    else:
        entry = known_block(context, hash_or_height)
    known = BlockStats.__struct_fields__
    for name in stats or ():
        if name not in known:
            raise RpcError(Code.INVALID_PARAMETER, f"Invalid selected statistic '{name[:64]}'")
    raw = await body(context, entry)
    median_time = queries.median_time(entry)
    found = await context.backend.aside(lambda: block_stats(queries.spec, raw, entry.height, median_time))
    return BlockStats(**{name: getattr(found, name) for name in stats}) if stats else found


@group.method(errors={Code.MISC_ERROR: "the tip changed meanwhile"}, waits=True, example=(1, 10))
async def verifychain(
    context: Context,
    checklevel: Annotated[int, Meta(ge=0, le=MAX_LEVEL)] = 3,
    nblocks: Annotated[int, Meta(ge=0, description="0 for all")] = 6,
) -> bool:
    """Check the last blocks on disk against the rules.

    Level 0 reads the blocks, 1 checks all rules that need no state (signatures included), 2 checks the undo records, 3
    disconnects the blocks in memory, 4 connects them again and compares. False if something is wrong; the log says
    what.
    """
    return await ChainCheck(context.backend, checklevel).run(nblocks)


@group.method(waits=True, example=(1000,))
async def waitfornewblock(
    context: Context,
    timeout: Milliseconds = 0,  # noqa: ASYNC109  # Core's name
    current_tip: HashHex | None = None,
) -> TipView:
    """Wait until the tip differs from the tip at the time of the call, or from `current_tip`."""
    old = hash_hex(context.queries.tip.hash) if current_tip is None else current_tip.lower()
    await wait_for_tip(context.backend, lambda tip: hash_hex(tip.hash) != old, timeout / 1000 or None)
    return _tip(context)


@group.method(waits=True, example=(100, 1000))
async def waitforblockheight(
    context: Context,
    height: Height,
    timeout: Milliseconds = 0,  # noqa: ASYNC109  # Core's name
) -> TipView:
    """Wait until the tip is at least at this height."""
    await wait_for_tip(context.backend, lambda tip: tip.height >= height, timeout / 1000 or None)
    return _tip(context)


@group.method(waits=True, example=("00" * 32, 1000))
async def waitforblock(
    context: Context,
    blockhash: HashHex,
    timeout: Milliseconds = 0,  # noqa: ASYNC109  # Core's name
) -> TipView:
    """Wait until a block is the tip."""
    wanted = blockhash.lower()
    await wait_for_tip(context.backend, lambda tip: hash_hex(tip.hash) == wanted, timeout / 1000 or None)
    return _tip(context)


@group.method(errors=BLOCK_UNKNOWN, example=("00" * 32,))
async def invalidateblock(context: Context, blockhash: HashHex) -> None:
    """Treat a block and its descendants as invalid, until `reconsiderblock`; returns when the tip has changed."""
    answer = await context.ask(InvalidateBlock(known_block(context, blockhash).hash))
    granted(answer, {"not-found": Code.INVALID_ADDRESS_OR_KEY})


@group.method(errors=BLOCK_UNKNOWN, example=("00" * 32,))
async def reconsiderblock(context: Context, blockhash: HashHex) -> None:
    """Undo `invalidateblock` for a block, its ancestors and descendants."""
    answer = await context.ask(ReconsiderBlock(known_block(context, blockhash).hash))
    granted(answer, {"not-found": Code.INVALID_ADDRESS_OR_KEY})


@group.method()
def getchainspec(context: Context) -> ChainSpecView:
    """The network's rules, the text that genesis commits to, and genesis itself."""
    spec = context.spec
    canonical = spec.canonical()
    return ChainSpecView(
        name=spec.name,
        genesis=hash_hex(spec.genesis_hash),
        genesis_block=spec.genesis.raw.hex(),
        canonical=canonical.decode(),
        spec=msgspec.json.decode(canonical),
        p2p_port=spec.p2p_port,
        api_port=spec.api_port,
        seeds=list(spec.seeds),
        min_chain_work=work_hex(spec.min_chain_work),
        dev=spec.dev,
    )


def _tip(context: Context) -> TipView:
    tip = context.queries.tip
    return TipView(hash_hex(tip.hash), tip.height)
