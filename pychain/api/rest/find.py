"""Search for pasted text: a height, a hash, a transaction's id, an address."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from pychain.api.context import Context
from pychain.api.endpoint import Resources
from pychain.api.types import Address, HashHex, Height
from pychain.base.errors import DecodeError
from pychain.chain.address import decode_address, encode_address
from pychain.chain.hashes import HASH_BYTES, hash_hex, parse_hash_hex
from pychain.ledger.tree import Entry

find = Resources("Search")

MAX_HEIGHT_DIGITS = 10


class Found(Struct, kw_only=True):
    """The thing found: its kind, and the fields that identify it."""

    kind: Literal["block", "transaction", "account", "nothing"]
    hash: HashHex | UnsetType = UNSET
    height: Height | UnsetType = UNSET
    txid: HashHex | UnsetType = UNSET
    address: Address | UnsetType = UNSET


@find.get("/search", example=("0",))
def search(context: Context, q: Annotated[str, Meta(max_length=128, description="the text to find")]) -> Found:
    """Find the block, transaction or account of a height, a hash, a transaction's id or an address."""
    text = q.strip()
    if text.isdecimal() and len(text) <= MAX_HEIGHT_DIGITS:
        entry = context.queries.at(int(text))
        return Found(kind="nothing") if entry is None else _block(entry)
    if len(text) == 2 * HASH_BYTES:
        return _by_hash(context, text)
    return _account(context, text)


def _by_hash(context: Context, text: str) -> Found:
    queries = context.queries
    try:
        wanted = parse_hash_hex(text)
    except DecodeError:
        return Found(kind="nothing")
    entry = queries.entry(wanted)
    if entry is not None:
        return _block(entry)
    if wanted in queries.mempool or queries.transaction(wanted) is not None:
        return Found(kind="transaction", txid=hash_hex(wanted))
    return Found(kind="nothing")


def _account(context: Context, text: str) -> Found:
    hrp = context.spec.hrp
    try:
        return Found(kind="account", address=encode_address(hrp, decode_address(hrp, text)))
    except DecodeError:
        return Found(kind="nothing")


def _block(entry: Entry) -> Found:
    return Found(kind="block", hash=hash_hex(entry.hash), height=entry.height)
