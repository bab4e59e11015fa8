"""Blocks: their bytes, and all checks that do not need the parent (levels 1 and 2)."""

from __future__ import annotations

from dataclasses import dataclass

from tests.specification.encoding import EncodingError, Reader
from tests.specification.hashing import is_mutated, merkle_root
from tests.specification.headers import Header, check_proof_of_work, read_header
from tests.specification.network import Network
from tests.specification.rules import BrokenRuleError, require
from tests.specification.transactions import (
    MIN_TRANSACTION_BYTES,
    Coinbase,
    Transaction,
    Transfer,
    check_bounds,
    check_signature,
    check_sizes,
    read_transaction,
)


@dataclass(frozen=True)
class Block:
    header: Header
    transactions: list[Transaction]

    @property
    def hash(self) -> bytes:
        return self.header.hash

    @property
    def coinbase(self) -> Coinbase:
        """The first transaction, in a block that has passed the coinbase checks."""
        first = self.transactions[0]
        assert isinstance(first, Coinbase)
        return first

    @property
    def transfers(self) -> list[Transfer]:
        return [transaction for transaction in self.transactions if isinstance(transaction, Transfer)]


def decode_header(raw: bytes) -> Header:
    """The header that a block begins with, whatever follows."""
    try:
        return read_header(Reader(raw))
    except EncodingError:
        raise BrokenRuleError("bad-blk-encoding") from None


def decode_block(network: Network, raw: bytes) -> Block:
    """The block that is exactly `raw`."""
    require(len(raw) <= network.max_block_bytes, "bad-blk-length")
    reader = Reader(raw)
    try:
        header = read_header(reader)
        count = reader.compact_size()
        if count > reader.left // MIN_TRANSACTION_BYTES:
            raise EncodingError("more transactions than there is room for")
        transactions = [read_transaction(reader) for _ in range(count)]
        reader.finish()
    except EncodingError:
        raise BrokenRuleError("bad-blk-encoding") from None
    return Block(header, transactions)


def judge_block(network: Network, raw: bytes) -> Block:
    """The block in these bytes, valid at levels 1 and 2.

    Only the true body, with the right root and not mutated, can make a block invalid. So the rules about header and
    body come first, and those about the block, including the sizes of its transactions, come after.
    """
    block = decode_block(network, raw)
    check_proof_of_work(network, block.header)
    check_body(block)
    check_coinbase_place(block)
    for transaction in block.transactions:
        check_sizes(transaction)
    for transfer in block.transfers:
        check_bounds(transfer)
    for transfer in block.transfers:
        check_signature(network, transfer)
    return block


def check_body(block: Block) -> None:
    """Check that the header commits to these transactions. An empty body has no root."""
    txids = [transaction.txid for transaction in block.transactions]
    require(bool(txids) and merkle_root(txids) == block.header.merkle_root, "bad-txnmrklroot")
    require(not is_mutated(txids), "bad-txns-duplicate")


def check_coinbase_place(block: Block) -> None:
    first, *others = block.transactions
    require(isinstance(first, Coinbase), "bad-cb-missing")
    require(not any(isinstance(other, Coinbase) for other in others), "bad-cb-multiple")
