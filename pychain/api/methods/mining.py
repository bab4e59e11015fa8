"""Mining: templates for external miners, blocks from them, and blocks on demand."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from pychain.api.context import Context
from pychain.api.errors import Code, RpcError, granted
from pychain.api.method import Group
from pychain.api.methods.lookups import from_hex, payable_key
from pychain.api.render import rendered
from pychain.api.search import search_block
from pychain.api.types import Address, Bits, Count, Difficulty, HashHex, Height, Hex, Target
from pychain.api.views.stratum import StratumInfo
from pychain.api.views.targets import bits_hex, difficulty, target_hex
from pychain.api.views.templates import TemplateView, template_view
from pychain.api.waiting import long_poll_id, wait_for_template
from pychain.base.errors import DecodeError
from pychain.chain.address import encode_address
from pychain.chain.block import Block, decode_block
from pychain.chain.hashes import HASH_BYTES, hash_hex, parse_hash_hex
from pychain.chain.transaction import MIN_EXTRA_BYTES, Transfer
from pychain.consensus.rules import RuleError
from pychain.consensus.structure import parse_transfer
from pychain.ledger.template import BlockTemplate
from pychain.ledger.tree import Entry
from pychain.node.requests import GetTemplate, SetMining, SubmitBlock
from pychain.wallet.keys import dev_key

group = Group("mining", "Mining")

DEFAULT_TRIES = 1_000_000
"""As in Core: enough on a dev network, and a bound on any other."""
HASH_RATE_BLOCKS = 120
"""Blocks over which the network's hash rate is estimated, as in Core."""
INCONCLUSIVE = "inconclusive"
BAD_ADDRESS = {Code.INVALID_ADDRESS_OR_KEY: "not an address of this network, or one that cannot be paid"}
SearchTries = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class NextBlock(Struct, kw_only=True):
    """The requirements of the block after the tip."""

    height: Height
    bits: Bits
    target: Target
    difficulty: Difficulty


class MiningInfo(Struct, kw_only=True):
    """The state of mining. `hashespersec` is the node's own rate, `networkhashps` is estimated from the chain."""

    chain: str
    blocks: Height
    bits: Bits
    target: Target
    difficulty: Difficulty
    networkhashps: float
    pooledtx: Count
    next: NextBlock
    mining: bool
    threads: Count
    hashespersec: float
    miningaddress: Address | UnsetType = UNSET
    currentblocktx: Count | UnsetType = UNSET


class TemplateRequest(Struct, kw_only=True):
    """BIP 22's request object. The coinbase pays `address`, by default the node's mining address; without one, on a dev
    network, the first of its well-known keys.
    """

    mode: Literal["template"] = "template"
    capabilities: list[str] = []
    rules: list[str] = []
    longpollid: str | None = None
    address: Address | None = None


class GeneratedBlock(Struct, kw_only=True):
    """A block mined on demand. `hex` is present if it was not submitted."""

    hash: HashHex
    hex: Hex | UnsetType = UNSET


@group.method()
def getmininginfo(context: Context) -> MiningInfo:
    """The state of mining."""
    queries, miner = context.queries, context.machine.miner
    tip = queries.tip
    next_bits = queries.next_bits(tip)
    template, recipient = miner.template, queries.mining_to
    return MiningInfo(
        chain=queries.spec.name,
        blocks=tip.height,
        bits=bits_hex(tip.header.bits),
        target=target_hex(tip.header.bits),
        difficulty=difficulty(tip.header.bits),
        networkhashps=network_hash_rate(tip),
        pooledtx=len(queries.mempool),
        next=NextBlock(
            height=tip.height + 1,
            bits=bits_hex(next_bits),
            target=target_hex(next_bits),
            difficulty=difficulty(next_bits),
        ),
        mining=template is not None,
        threads=miner.threads,
        hashespersec=miner.hash_rate(),
        miningaddress=UNSET if recipient is None else encode_address(queries.spec.hrp, recipient),
        currentblocktx=UNSET if template is None else len(template.transfers),
    )


@group.method()
def getstratuminfo(context: Context) -> StratumInfo:
    """The Stratum miners: shares, rejects and estimated hash rates of workers and connections."""
    return context.stratum_info()


@group.method(errors={Code.INVALID_PARAMETER: "the chain is lower than that"}, example=(120,))
def getnetworkhashps(
    context: Context,
    nblocks: Annotated[int, Meta(ge=1)] = HASH_RATE_BLOCKS,
    height: Annotated[int, Meta(ge=-1, description="height of the last of them, -1 for the tip")] = -1,
) -> float:
    """The network's hashes per second, from the work and time of a number of blocks."""
    queries = context.queries
    last = queries.tip if height == -1 else queries.at(height)
    if last is None:
        raise RpcError(Code.INVALID_PARAMETER, "Block does not exist at specified height")
    return network_hash_rate(last, nblocks)


@group.method(errors=BAD_ADDRESS, example=(None,))
async def setmining(context: Context, address: Address | None) -> None:
    """Mine to an address from now on; null stops mining."""
    await context.ask(SetMining(None if address is None else payable_key(context, address)))


@group.method(
    errors=BAD_ADDRESS
    | {
        Code.MISC_ERROR: "neither the call nor the node has an address to pay",
        Code.IN_INITIAL_DOWNLOAD: "the node is still syncing",
    },
    waits=True,
    example=({"rules": []},),
)
async def getblocktemplate(context: Context, template_request: TemplateRequest | None = None) -> TemplateView:
    """A block to mine, as in BIP 22, with the whole coinbase in `coinbasetxn`.

    With the `longpollid` of an earlier answer, waits for a new tip, or after a minute for better paying transfers.
    `submitblock` takes header, count, coinbase and transactions in Bitcoin's framing.
    """
    request = template_request or TemplateRequest()
    queries = context.queries
    recipient = queries.mining_to if request.address is None else payable_key(context, request.address)
    if recipient is None and queries.spec.dev:
        recipient = dev_key(0).public_key
    if recipient is None:
        raise RpcError(Code.MISC_ERROR, "there is no address to pay: give one, or set the node's mining address")
    if queries.sync().behind:
        raise RpcError(Code.IN_INITIAL_DOWNLOAD, f"{queries.spec.name} is still syncing")
    if request.longpollid is not None:
        await wait_for_template(context.backend, request.longpollid)
    template = await _template(context)
    poll_id = long_poll_id(context.backend, template.prev_hash)
    coinbase = template.coinbase(recipient, context.backend.entropy.bytes(MIN_EXTRA_BYTES))
    return await rendered(
        context.backend, lambda: template_view(template, coinbase, poll_id, queries.spec.max_block_bytes)
    )


@group.method(errors={Code.DESERIALIZATION_ERROR: "the hex is not a block"}, example=("00",))
async def submitblock(context: Context, hexdata: Hex, dummy: str | None = None) -> str | None:
    """Submit a block. Null once it is the durable tip, else the reason as in BIP 22.

    The reason is a rule's code, `duplicate`, `duplicate-invalid`, `duplicate-inconclusive`, or `inconclusive` for a
    block that is valid but not on the best chain. `dummy` is ignored, for compatibility.
    """
    raw = from_hex(hexdata, "Block")
    try:
        decode_block(raw)
    except DecodeError as error:
        raise RpcError(Code.DESERIALIZATION_ERROR, f"Block decode failed: {error}") from None
    return await _submit(context, raw)


@group.method(errors=BAD_ADDRESS | {Code.MISC_ERROR: "a block was refused"}, waits=True, example=(1, "dpyc1..."))
async def generatetoaddress(
    context: Context,
    nblocks: Annotated[int, Meta(ge=0, le=1_000_000)],
    address: Address,
    maxtries: SearchTries = DEFAULT_TRIES,
) -> list[HashHex]:
    """Mine blocks to an address, one after the other, and return their hashes: fewer if `maxtries` hashes run out."""
    recipient = payable_key(context, address)
    hashes: list[HashHex] = []
    while len(hashes) < nblocks and maxtries:
        block, tries = await search_block(context.backend, await _template(context), recipient, maxtries)
        maxtries -= tries
        if block is not None and await _extended(context, block):
            hashes.append(hash_hex(block.hash))
    return hashes


@group.method(
    errors=BAD_ADDRESS
    | {
        Code.DESERIALIZATION_ERROR: "neither a transaction's hex nor a txid",
        Code.VERIFY_ERROR: "the block would not be valid",
        Code.MISC_ERROR: "no block was found, or the tip moved first",
    },
    waits=True,
    example=("dpyc1...", []),
)
async def generateblock(
    context: Context, output: Address, transactions: list[Hex], submit: bool = True
) -> GeneratedBlock:
    """Mine one block to an address, with exactly these transactions, in this order: hex, or txids in the mempool."""
    recipient = payable_key(context, output)
    transfers = tuple(_transfer(context, text) for text in transactions)
    template = await _template(context)
    fees = sum(transfer.fee for transfer in transfers)
    template = replace(
        template, transfers=transfers, fees=fees, coinbase_amount=template.coinbase_amount - template.fees + fees
    )
    block, _ = await search_block(context.backend, template, recipient, DEFAULT_TRIES)
    if block is None:
        raise RpcError(Code.MISC_ERROR, f"no block was found in {DEFAULT_TRIES} tries")
    if not submit:
        return GeneratedBlock(hash=hash_hex(block.hash), hex=block.raw.hex())
    refused = await _submit(context, block.raw)
    if refused == INCONCLUSIVE:
        raise RpcError(Code.MISC_ERROR, "another block became the tip first")
    if refused is not None:
        raise RpcError(Code.VERIFY_ERROR, f"the block is not valid: {refused}")
    return GeneratedBlock(hash=hash_hex(block.hash))


async def _template(context: Context) -> BlockTemplate:
    template = await context.ask(GetTemplate())
    granted(template)
    assert isinstance(template, BlockTemplate)
    return template


async def _submit(context: Context, raw: bytes) -> str | None:
    answer = await context.ask(SubmitBlock(raw))
    granted(answer)
    assert answer is None or isinstance(answer, str)
    return answer


async def _extended(context: Context, block: Block) -> bool:
    """Submit a block that was just mined; False if another one became the tip first."""
    refused = await _submit(context, block.raw)
    if refused not in (None, INCONCLUSIVE):
        raise RpcError(Code.MISC_ERROR, f"the block was refused: {refused}")
    return refused is None


def _transfer(context: Context, text: Hex) -> Transfer:
    """A transfer from its hex, or by its txid from the mempool."""
    raw = from_hex(text, "TX")
    if len(raw) == HASH_BYTES:
        pending = context.queries.mempool.get(parse_hash_hex(text))
        if pending is None:
            raise RpcError(Code.INVALID_ADDRESS_OR_KEY, f"Transaction {text} not in mempool")
        return pending.transfer
    try:
        return parse_transfer(raw)
    except RuleError as error:
        raise RpcError(Code.DESERIALIZATION_ERROR, f"TX decode failed: {error.detail}") from None


def network_hash_rate(tip: Entry, blocks: int = HASH_RATE_BLOCKS) -> float:
    """Hashes per second from the work and time of the last blocks up to `tip`; 0 if there are none."""
    first = tip.ancestor(max(1, tip.height - blocks)) if tip.height else tip
    elapsed = max(tip.header.time - first.header.time, 0)
    return (tip.work - first.work) / elapsed if elapsed else 0.0
