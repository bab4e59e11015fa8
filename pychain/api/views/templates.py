"""Block templates for external miners: BIP 22, with a whole coinbase, since its format is not Bitcoin's."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pychain.api.types import Amount, Bits, Bytes, HashHex, Height, Hex, Target, UnixTime
from pychain.api.views.targets import bits_hex, target_hex
from pychain.chain.hashes import hash_hex
from pychain.chain.transaction import Coinbase
from pychain.ledger.template import BLOCK_VERSION, BlockTemplate


class TemplateTransaction(Struct, kw_only=True):
    """A transfer of a template."""

    data: Hex
    txid: HashHex
    hash: HashHex
    fee: Amount


class TemplateCoinbase(Struct, kw_only=True):
    """The coinbase: opaque, at least 78 bytes, ending in 32 that a miner may change."""

    data: Hex
    txid: HashHex


class TemplateView(Struct, kw_only=True):
    """A block without its nonce. Give `longpollid` to the next call to wait for a better template."""

    version: int
    previousblockhash: HashHex
    transactions: list[TemplateTransaction]
    coinbasetxn: TemplateCoinbase
    coinbasevalue: Amount
    longpollid: str
    target: Target
    bits: Bits
    height: Height
    curtime: UnixTime
    mintime: UnixTime
    maxtime: UnixTime
    mutable: list[str]
    noncerange: Annotated[str, Meta(description="the lowest and the highest nonce, 8 hex digits each")]
    sizelimit: Bytes
    capabilities: list[str]
    rules: list[str]


def template_view(template: BlockTemplate, coinbase: Coinbase, long_poll_id: str, max_block_bytes: int) -> TemplateView:
    """Reads nothing of the node: it may run on a thread."""
    return TemplateView(
        version=BLOCK_VERSION,
        previousblockhash=hash_hex(template.prev_hash),
        transactions=[
            TemplateTransaction(
                data=transfer.raw.hex(), txid=hash_hex(transfer.txid), hash=hash_hex(transfer.txid), fee=transfer.fee
            )
            for transfer in template.transfers
        ],
        coinbasetxn=TemplateCoinbase(data=coinbase.raw.hex(), txid=hash_hex(coinbase.txid)),
        coinbasevalue=template.coinbase_amount,
        longpollid=long_poll_id,
        target=target_hex(template.bits),
        bits=bits_hex(template.bits),
        height=template.height,
        curtime=template.time,
        mintime=template.min_time,
        maxtime=template.max_time,
        mutable=["time", "time/increment", "transactions"],
        noncerange="00000000ffffffff",
        sizelimit=max_block_bytes,
        capabilities=["coinbasetxn", "longpoll"],
        rules=[],
    )
