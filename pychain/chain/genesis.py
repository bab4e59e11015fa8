"""The genesis block commits to the rules: its coinbase carries the digest of the chain spec's canonical text."""

from __future__ import annotations

from pychain import native
from pychain.chain.block import Block, new_block
from pychain.chain.hashes import ZERO_HASH
from pychain.chain.header import new_header
from pychain.chain.transaction import KEY_BYTES, new_coinbase


def genesis_block(canonical_spec: bytes, time: int, bits: int) -> Block:
    """Version 1, no parent, nonce 0, one coinbase of height 0 to nobody whose extra is sha256d(canonical_spec)."""
    coinbase = new_coinbase(0, bytes(KEY_BYTES), 0, native.sha256d(canonical_spec))
    return new_block(new_header(1, ZERO_HASH, coinbase.txid, time, bits, 0), (coinbase,))
