"""Headers and blocks in the API, with Core's field names."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType, field, structs

from pychain.api.types import Bits, Bytes, Count, Difficulty, HashHex, Height, Target, UnixTime, Work
from pychain.api.views.targets import bits_hex, difficulty, target_hex, work_hex
from pychain.api.views.transactions import CoinbaseView, TransferView, transaction_view
from pychain.base.codec import Reader
from pychain.chain.address import encode_address
from pychain.chain.block import Block
from pychain.chain.hashes import hash_hex
from pychain.chain.header import HEADER_BYTES
from pychain.chain.transaction import decode_transaction, transaction_end
from pychain.ledger.tree import Entry
from pychain.node.queries import Queries

Confirmations = Annotated[int, Meta(description="1 for the tip, -1 for a block off the active chain")]


class HeaderView(Struct, kw_only=True):
    """A header and its position in the chain."""

    hash: HashHex
    confirmations: Confirmations
    height: Height
    version: int
    version_hex: str = field(name="versionHex")
    merkleroot: HashHex
    time: UnixTime
    mediantime: UnixTime
    nonce: int
    bits: Bits
    target: Target
    difficulty: Difficulty
    chainwork: Work
    previousblockhash: HashHex | UnsetType = UNSET
    nextblockhash: HashHex | UnsetType = UNSET


class BlockView(HeaderView, kw_only=True):
    """A block. `tx` holds txids at verbosity 1, whole transactions at 2."""

    size: Bytes
    tx_count: Count = field(name="nTx")
    tx: list[HashHex | TransferView | CoinbaseView]


class BlockContent(NamedTuple):
    """A block's summary. `reward` is the amount that its coinbase claims."""

    size: int
    transactions: int
    miner: str
    reward: int


def header_view(queries: Queries, entry: Entry) -> HeaderView:
    header = entry.header
    following = queries.at(entry.height + 1) if queries.is_active(entry) else None
    return HeaderView(
        hash=hash_hex(header.hash),
        confirmations=queries.confirmations(entry),
        height=entry.height,
        version=header.version,
        version_hex=f"{header.version & 0xFFFFFFFF:08x}",
        merkleroot=hash_hex(header.merkle_root),
        time=header.time,
        mediantime=queries.median_time(entry),
        nonce=header.nonce,
        bits=bits_hex(header.bits),
        target=target_hex(header.bits),
        difficulty=difficulty(header.bits),
        chainwork=work_hex(entry.work),
        previousblockhash=hash_hex(header.prev_hash) if entry.height else UNSET,
        nextblockhash=hash_hex(following.hash) if following else UNSET,
    )


def block_view(hrp: str, header: HeaderView, block: Block, *, whole: bool) -> BlockView:
    """`whole` for transactions instead of txids. Reads nothing of the node: it may run on a thread."""
    shown: list[HashHex | TransferView | CoinbaseView] = [
        transaction_view(hrp, each) if whole else hash_hex(each.txid) for each in block.transactions
    ]
    return BlockView(**structs.asdict(header), size=len(block.raw), tx_count=len(shown), tx=shown)


def block_content(hrp: str, raw: bytes) -> BlockContent:
    """The summary of a stored block; of its transactions, only the coinbase is decoded."""
    reader = Reader(raw, HEADER_BYTES)
    count = reader.compact_size()
    coinbase = decode_transaction(raw[reader.position : transaction_end(raw, reader.position)])
    return BlockContent(len(raw), count, encode_address(hrp, coinbase.recipient), coinbase.amount)
