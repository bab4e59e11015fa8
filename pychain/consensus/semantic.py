"""Level 2, semantic: what one header or block shows by itself. Proof of work, merkle root, coinbase place, bounds,
signatures.

Needs no chain state, so blocks are verified on worker threads, many at once.
"""

from __future__ import annotations

from pychain import native
from pychain.base.codec import U64_MAX
from pychain.base.errors import DecodeError
from pychain.chain.block import Block
from pychain.chain.header import Header
from pychain.chain.spec import ChainSpec
from pychain.chain.target import target_from_bits
from pychain.chain.transaction import Coinbase, Transfer, signed_message
from pychain.consensus.rules import Rule, RuleError
from pychain.consensus.structure import check_sizes, parse_block


def check_proof_of_work(spec: ChainSpec, header: Header) -> None:
    """The bits are a valid encoding within pow_limit and the hash, as a little-endian integer, meets their target."""
    try:
        target = target_from_bits(header.bits)
    except DecodeError as error:
        raise RuleError(Rule.BITS_ENCODING, str(error)) from None
    if target > spec.pow_limit:
        raise RuleError(Rule.BITS_ENCODING, f"bits 0x{header.bits:08x} allow a target above the network's pow_limit")
    if int.from_bytes(header.hash, "little") > target:
        raise RuleError(Rule.HIGH_HASH)


def check_body(block: Block) -> None:
    """The transactions are the ones that the header commits to, in the one form in which they may be."""
    if not block.transactions:
        raise RuleError(Rule.MERKLE_ROOT, "no transactions")
    root, mutated = native.merkle_root_checked(block.txids)
    if root != block.header.merkle_root:
        raise RuleError(Rule.MERKLE_ROOT)
    if mutated:
        raise RuleError(Rule.MERKLE_MUTATION)


def check_bounds(transfer: Transfer) -> None:
    """Per-transfer bounds that hold in any state."""
    if transfer.sequence == U64_MAX:
        raise RuleError(Rule.TX_SEQUENCE_LIMIT)
    if transfer.amount + transfer.fee > U64_MAX:
        raise RuleError(Rule.TX_AMOUNT_OVERFLOW)


def split_coinbase(block: Block) -> tuple[Coinbase, tuple[Transfer, ...]]:
    """The coinbase and the transfers, coinbase first and only once."""
    if not block.transactions or not isinstance(block.transactions[0], Coinbase):
        raise RuleError(Rule.COINBASE_MISSING)
    transfers = []
    for position, transaction in enumerate(block.transactions[1:], 1):
        if isinstance(transaction, Coinbase):
            raise RuleError(Rule.COINBASE_MULTIPLE, f"transaction {position} is a coinbase")
        transfers.append(transaction)
    return block.transactions[0], tuple(transfers)


def check_signatures(spec: ChainSpec, transfers: tuple[Transfer, ...]) -> None:
    """Every signature holds under ZIP-215, all of them checked in one call."""
    valid = native.verify_batch(
        [transfer.sender for transfer in transfers],
        [signed_message(spec.genesis_hash, transfer) for transfer in transfers],
        [transfer.signature for transfer in transfers],
    )
    if not all(valid):
        raise RuleError(Rule.TX_SIGNATURE, f"transfer {valid.index(False) + 1} of the block")


def check_block(spec: ChainSpec, block: Block) -> None:
    """All semantic rules of a block, cheapest first; those that speak of the sender alone before those of the block."""
    check_proof_of_work(spec, block.header)
    check_body(block)
    _, transfers = split_coinbase(block)
    for transaction in block.transactions:
        check_sizes(transaction)
    for transfer in transfers:
        check_bounds(transfer)
    check_signatures(spec, transfers)


def verify_block(spec: ChainSpec, raw: bytes) -> Block:
    """Levels 1 and 2 of a raw block: the job that worlds run beside the node."""
    block = parse_block(spec, raw)
    check_block(spec, block)
    return block
