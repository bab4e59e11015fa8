"""Blocks for tests that only read them: real transactions, empty signatures, any header."""

from __future__ import annotations

from collections.abc import Sequence

from pychain.chain.block import Block, new_block
from pychain.chain.header import Header, new_header
from pychain.chain.transaction import SIGNATURE_BYTES, Transfer, new_coinbase, new_transfer, transfer_body


def unsigned(sender: bytes, recipient: bytes, sequence: int) -> Transfer:
    """An unsigned transfer of one unit."""
    return new_transfer(transfer_body(sender, sequence, recipient, 1, 0, b""), bytes(SIGNATURE_BYTES))


def block_under(header: Header, height: int, miner: bytes, transfers: Sequence[Transfer] = ()) -> Block:
    """A block of these transfers and a coinbase that pays `miner`; the extra is the header's hash, so txids differ."""
    return new_block(header, (new_coinbase(height, miner, 5, header.hash), *transfers))


def plain_block(number: int, miner: bytes, transfers: Sequence[Transfer] = ()) -> Block:
    """A block that differs from others by its number."""
    return block_under(new_header(1, bytes(32), bytes(32), number, 0x207FFFFF, 0), number, miner, transfers)
