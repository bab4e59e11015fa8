"""Transactions: pending, in blocks, and new ones."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from pychain import native
from pychain.api.context import Context
from pychain.api.errors import Code, RpcError, not_found
from pychain.api.method import Group
from pychain.api.methods.lookups import body, from_hex, known_block
from pychain.api.render import rendered
from pychain.api.types import Amount, Bytes, FeeRate, HashHex, Hex
from pychain.api.views.transactions import (
    CoinbaseView,
    PendingView,
    TransferView,
    located,
    pending_view,
    transaction_view,
)
from pychain.api.waiting import wait_for_tip
from pychain.base.errors import DecodeError
from pychain.chain.block import decode_block
from pychain.chain.hashes import hash_hex, parse_hash_hex
from pychain.chain.transaction import Transfer, decode_transaction, recipient_of, signed_message
from pychain.consensus.rules import Rule, RuleError
from pychain.consensus.structure import parse_transfer
from pychain.ledger.mempool import Policy
from pychain.ledger.tree import Entry
from pychain.node.requests import Refused, SubmitTransfer, TestTransfer
from pychain.wallet.errors import WalletError
from pychain.wallet.payment import check_recipient

group = Group("mempool", "Transactions")

MAX_TESTED = 25
"""As in Core."""
NOT_DECODED = {Code.DESERIALIZATION_ERROR: "the hex is not a transaction"}
SETTLING_S = 2.0
"""How long a transaction may be in neither the mempool nor the chain while its block is being written."""
UNSAFE_RECIPIENT = "unsafe-recipient"


class MempoolInfo(Struct, kw_only=True):
    """The state of the mempool. `usage` counts against `maxmempool`: the transfers' own bytes."""

    loaded: bool
    size: Annotated[int, Meta(ge=0, description="transfers")]
    bytes: Bytes
    usage: Bytes
    total_fee: Amount
    maxmempool: Bytes
    mempoolminfee: Annotated[
        int, Meta(ge=0, description="base units per kilobyte that a transfer must pay to be accepted now")
    ]
    minrelaytxfee: FeeRate
    incrementalrelayfee: Annotated[
        int,
        Meta(
            ge=0, description="base units per kilobyte that a replacement must pay above the transfer that it replaces"
        ),
    ]
    fullrbf: Annotated[bool, Meta(description="whether any transfer can be replaced by one that pays more")]


class Acceptance(Struct, kw_only=True):
    """Whether the mempool would accept a transaction."""

    txid: HashHex | UnsetType = UNSET
    allowed: bool
    size: Bytes | UnsetType = UNSET
    fee: Amount | UnsetType = UNSET
    reject_reason: str | UnsetType = field(default=UNSET, name="reject-reason")
    reject_details: str | UnsetType = field(default=UNSET, name="reject-details")


@group.method(
    errors={Code.INVALID_ADDRESS_OR_KEY: "it is not in the mempool, nor in the block or the active chain"},
    example=("00" * 32, True),
)
async def getrawtransaction(
    context: Context,
    txid: HashHex,
    verbose: bool | Annotated[int, Meta(ge=0, le=2)] = False,
    blockhash: HashHex | None = None,
) -> TransferView | CoinbaseView | Hex:
    """A transaction in the mempool or the active chain (or in the given block): its bytes in hex, or verbose."""
    queries = context.queries
    wanted = parse_hash_hex(txid)
    pending = queries.mempool.get(wanted) if blockhash is None else None
    entry: Entry | None = None
    if pending is not None:
        raw = pending.transfer.raw
    else:
        entry, raw = await _mined(context, wanted, blockhash)
    if not verbose:
        return raw.hex()
    return located(transaction_view(queries.spec.hrp, decode_transaction(raw)), queries, entry)


@group.method(
    errors=NOT_DECODED
    | {
        Code.VERIFY_ERROR: "earlier transfers of its account are missing",
        Code.VERIFY_REJECTED: "it breaks a consensus or mempool rule",
        Code.VERIFY_ALREADY_IN_CHAIN: "it is in a block",
    },
    example=("00",),
)
async def sendrawtransaction(context: Context, hexstring: Hex) -> HashHex:
    """Accept a signed transfer into the mempool and relay it; returns its txid.

    A transfer to a key that is not a canonical point of large order is refused: anybody could spend its coins.
    """
    raw = from_hex(hexstring, "TX")
    refused = _judge_recipient(raw)
    if refused is None:
        answer = await context.ask(SubmitTransfer(raw))
        if not isinstance(answer, Refused):
            assert isinstance(answer, bytes)
            return hash_hex(answer)
        refused = answer
    raise _refusal(context, raw, refused)


@group.method(errors={Code.INVALID_PARAMETER: f"none, or over {MAX_TESTED}"} | NOT_DECODED, example=(["00"],))
async def testmempoolaccept(
    context: Context, rawtxs: Annotated[list[Hex], Meta(min_length=1, max_length=MAX_TESTED)]
) -> list[Acceptance]:
    """Whether the mempool would accept these. Each is checked by itself, signature included; nothing changes."""
    return [await _try(context, from_hex(text, "TX")) for text in rawtxs]


@group.method(errors=NOT_DECODED, example=("00",))
def decoderawtransaction(context: Context, hexstring: Hex) -> TransferView | CoinbaseView:
    """The fields of a raw transaction; only its encoding is checked."""
    try:
        transaction = decode_transaction(from_hex(hexstring, "TX"))
    except DecodeError as error:
        raise RpcError(Code.DESERIALIZATION_ERROR, f"TX decode failed: {error}") from None
    return transaction_view(context.spec.hrp, transaction)


@group.method()
def getmempoolinfo(context: Context) -> MempoolInfo:
    """The state of the mempool."""
    mempool = context.queries.mempool
    return MempoolInfo(
        loaded=True,
        size=len(mempool),
        bytes=mempool.bytes,
        usage=mempool.bytes,
        total_fee=mempool.fees,
        maxmempool=mempool.limits.max_bytes,
        mempoolminfee=mempool.entry_rate(),
        minrelaytxfee=mempool.limits.relay_fee,
        incrementalrelayfee=mempool.limits.relay_fee,
        fullrbf=True,
    )


@group.method(errors={Code.INVALID_ADDRESS_OR_KEY: "it is not in the mempool"}, example=("00" * 32,))
def getmempoolentry(context: Context, txid: HashHex) -> PendingView:
    """A transfer in the mempool: its fee, and its time of arrival."""
    queries = context.queries
    pending = queries.mempool.get(parse_hash_hex(txid))
    if pending is None:
        raise not_found("Transaction not in mempool")
    return pending_view(queries.spec.hrp, pending)


@group.method(example=(True,))
async def getrawmempool(context: Context, verbose: bool = False) -> list[HashHex] | dict[HashHex, PendingView]:
    """The mempool's txids, oldest first; verbose adds each one's fee."""
    entries = list(context.queries.mempool.entries())
    hrp = context.spec.hrp
    if verbose:
        return await rendered(
            context.backend, lambda: {hash_hex(each.transfer.txid): pending_view(hrp, each) for each in entries}
        )
    return await rendered(context.backend, lambda: [hash_hex(each.transfer.txid) for each in entries])


async def _mined(context: Context, txid: bytes, blockhash: HashHex | None) -> tuple[Entry, bytes]:
    """A transaction's block and its bytes."""
    queries = context.queries
    if blockhash is not None:
        entry = known_block(context, blockhash)
    else:
        place = queries.transaction(txid)
        if place is None and queries.is_settling and not queries.sync().behind:
            await wait_for_tip(context.backend, lambda _: not queries.is_settling, SETTLING_S)
            place = queries.transaction(txid)
        known = None if place is None else queries.entry(place.block_hash)
        if known is None:
            raise RpcError(
                Code.INVALID_ADDRESS_OR_KEY, "No such mempool or blockchain transaction (of the active chain)"
            )
        entry = known
    raw = await body(context, entry)
    block = await context.backend.aside(lambda: decode_block(raw))
    for transaction in block.transactions:
        if transaction.txid == txid:
            return entry, transaction.raw
    raise RpcError(Code.INVALID_ADDRESS_OR_KEY, "No such transaction found in the provided block")


def _judge_recipient(raw: bytes) -> Refused | None:
    """The refusal to pay a key that is not a canonical point of large order; the node checks everything else."""
    recipient = recipient_of(raw)
    try:
        if recipient is not None:
            check_recipient(recipient)
    except WalletError as error:
        return Refused(UNSAFE_RECIPIENT, str(error))
    return None


def _refusal(context: Context, raw: bytes, refused: Refused) -> RpcError:
    """The node's refusal, under Core's codes."""
    message = f"{refused.code}: {refused.text}"
    if refused.code == Rule.TX_ENCODING.code:
        return RpcError(Code.DESERIALIZATION_ERROR, f"TX decode failed: {refused.text}")
    if refused.code == Policy.SEQUENCE_GAP.value:
        return RpcError(Code.VERIFY_ERROR, message)
    if refused.code == Policy.SEQUENCE_USED.value and context.queries.transaction(native.sha256d(raw)):
        return RpcError(Code.VERIFY_ALREADY_IN_CHAIN, "Transaction already in block chain")
    return RpcError(Code.VERIFY_REJECTED, message)


async def _try(context: Context, raw: bytes) -> Acceptance:
    refused: object = _judge_recipient(raw) or await context.ask(TestTransfer(raw))
    try:
        transfer = parse_transfer(raw)
    except RuleError as error:
        if error.rule is Rule.TX_ENCODING:
            raise RpcError(Code.DESERIALIZATION_ERROR, f"TX decode failed: {error.detail}") from None
        return Acceptance(allowed=False, reject_reason=error.rule.code, reject_details=error.detail)
    if not isinstance(refused, Refused) and not _is_signed(context, transfer):
        refused = Refused(Policy.SIGNATURE.value, "the signature is invalid")
    txid = hash_hex(transfer.txid)
    if isinstance(refused, Refused):
        return Acceptance(txid=txid, allowed=False, reject_reason=refused.code, reject_details=refused.text)
    return Acceptance(txid=txid, allowed=True, size=len(raw), fee=transfer.fee)


def _is_signed(context: Context, transfer: Transfer) -> bool:
    message = signed_message(context.spec.genesis_hash, transfer)
    return native.verify_strict(transfer.sender, message, transfer.signature)
