"""Look-ups that methods share, with Core's errors if nothing is found."""

from __future__ import annotations

from pychain.api.context import Context
from pychain.api.errors import Code, RpcError
from pychain.api.types import Address, HashHex, Hex
from pychain.base.errors import DecodeError
from pychain.chain.address import decode_address
from pychain.chain.hashes import parse_hash_hex
from pychain.ledger.store import Status
from pychain.ledger.tree import Entry
from pychain.wallet.errors import WalletError
from pychain.wallet.payment import check_recipient


def known_block(context: Context, blockhash: HashHex) -> Entry:
    """The block with that hash, on any branch."""
    entry = context.queries.entry(parse_hash_hex(blockhash))
    if entry is None:
        raise RpcError(Code.INVALID_ADDRESS_OR_KEY, "Block not found")
    return entry


async def body(context: Context, entry: Entry) -> bytes:
    """The raw block, from memory or disk."""
    raw = context.queries.raw_block(entry) or await context.backend.body(entry.hash)
    if raw is None:
        why = "pruned data" if Status.CONNECTED in entry.status else "its body has not arrived yet"
        raise RpcError(Code.MISC_ERROR, f"Block not available ({why})")
    return raw


def key_of(context: Context, address: Address) -> bytes:
    """The public key behind an address of this network."""
    try:
        return decode_address(context.spec.hrp, address)
    except DecodeError as error:
        raise RpcError(Code.INVALID_ADDRESS_OR_KEY, f"Invalid address: {error}") from None


def payable_key(context: Context, address: Address) -> bytes:
    """Like `key_of`, for an address to be paid."""
    key = key_of(context, address)
    try:
        check_recipient(key)
    except WalletError as error:
        raise RpcError(Code.INVALID_ADDRESS_OR_KEY, f"Invalid address: {error}") from None
    return key


def from_hex(text: Hex, what: str) -> bytes:
    """The bytes behind hex digits."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise RpcError(
            Code.DESERIALIZATION_ERROR, f"{what} decode failed: it has characters that are not hex digits"
        ) from None
