"""Level 2, semantic: rules that need one header or block alone. Proof of work, merkle root, position of the coinbase,
bounds, signatures.

They need no chain state, so blocks are verified on worker threads, many at once. Blocks verified together have their
signatures checked together, since larger batches cost less per signature.
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Sequence, Sized
from itertools import pairwise
from typing import Protocol

from pychain import native
from pychain.base.codec import U64_MAX
from pychain.base.errors import DecodeError
from pychain.chain.block import Block
from pychain.chain.header import Header
from pychain.chain.spec import ChainSpec
from pychain.chain.target import target_from_bits
from pychain.chain.transaction import (
    COINBASE_TYPE,
    MAX_MEMO_BYTES,
    TRANSFER_BYTES,
    Coinbase,
    Transfer,
    signing_message,
)
from pychain.consensus.rules import Rule, RuleError
from pychain.consensus.structure import check_sizes, memo_too_long, parse_block


def check_proof_of_work(spec: ChainSpec, header: Header) -> None:
    """Check that the bits are a valid encoding within pow_limit, and the hash as a little-endian integer meets them."""
    try:
        target = target_from_bits(header.bits)
    except DecodeError as error:
        raise RuleError(Rule.BITS_ENCODING, str(error)) from None
    if target > spec.pow_limit:
        raise RuleError(Rule.BITS_ENCODING, f"bits 0x{header.bits:08x} allow a target above the network's pow_limit")
    if int.from_bytes(header.hash, "little") > target:
        raise RuleError(Rule.HIGH_HASH)


def check_body(block: Block) -> None:
    """Check that the transactions are the ones that the header commits to, and not a mutation of them."""
    if not block.count:
        raise RuleError(Rule.MERKLE_ROOT, "no transactions")
    root, mutated = (block.txids, False) if block.count == 1 else native.merkle_root_checked(block.txids)
    if root != block.header.merkle_root:
        raise RuleError(Rule.MERKLE_ROOT)
    if mutated:
        raise RuleError(Rule.MERKLE_MUTATION)


def check_bounds(transfer: Transfer) -> None:
    """Check the bounds of a transfer that do not depend on the state."""
    _check_bounds(transfer.sequence, transfer.amount, transfer.fee)


def _check_bounds(sequence: int, amount: int, fee: int) -> None:
    if sequence == U64_MAX:
        raise RuleError(Rule.TX_SEQUENCE_LIMIT)
    if amount + fee > U64_MAX:
        raise RuleError(Rule.TX_AMOUNT_OVERFLOW)


def coinbase_of(block: Block) -> Coinbase:
    """The coinbase, which is the first transaction of a block."""
    if block.coinbase is None:
        raise RuleError(Rule.COINBASE_MISSING)
    return block.coinbase


def check_transactions(block: Block) -> None:
    """Check that the coinbase is first and only once, and the sizes and bounds of each transaction."""
    coinbase = coinbase_of(block)
    raw = block.raw
    for position, start in enumerate(block.offsets[1:-1], 1):
        if raw[start] == COINBASE_TYPE:
            raise RuleError(Rule.COINBASE_MULTIPLE, f"transaction {position} is a coinbase")
    check_sizes(coinbase)
    if block.count == 1:
        return
    longest = max([end - start for start, end in pairwise(block.offsets[1:])])
    if longest > TRANSFER_BYTES + MAX_MEMO_BYTES:
        raise memo_too_long(longest - TRANSFER_BYTES)
    for _, _, sequence, amount, fee in block.moves:
        if sequence == U64_MAX or amount + fee > U64_MAX:
            _check_bounds(sequence, amount, fee)


class KnownTxids(Container[bytes], Sized, Protocol):
    """Txids of transfers whose signature is valid."""


def check_signatures(
    spec: ChainSpec, blocks: Sequence[Block], known: KnownTxids | None = None
) -> list[RuleError | None]:
    """For each block, the error of its first invalid signature under ZIP-215, or None; all are checked in one call.

    Signatures of transfers in `known`, by txid, have been checked before and are skipped.
    """
    starts, ends = array("I"), array("I")
    positions: list[Sequence[int]] = []
    """For each block, the positions of the transfers whose signatures are to be checked."""
    base = 0
    for block in blocks:
        positions.append(_unknown(block, known))
        begins, stops = block.offsets[1:-1], block.offsets[2:]
        if len(positions[-1]) < block.count - 1 or base:
            begins = array("I", [base + block.offsets[position] for position in positions[-1]])
            stops = array("I", [base + block.offsets[position + 1] for position in positions[-1]])
        starts += begins
        ends += stops
        base += len(block.raw)
    if not starts:
        return [None] * len(blocks)
    raws = blocks[0].raw if len(blocks) == 1 else b"".join([block.raw for block in blocks])
    valid = native.verify_transfers(raws, starts, ends, signing_message(spec.genesis_hash, b""))
    verdicts: list[RuleError | None] = []
    first = 0
    for chosen in positions:
        bad = valid.find(0, first, first + len(chosen))
        error = None if bad < 0 else RuleError(Rule.TX_SIGNATURE, f"transfer {chosen[bad - first]} of the block")
        verdicts.append(error)
        first += len(chosen)
    return verdicts


def _unknown(block: Block, known: KnownTxids | None) -> Sequence[int]:
    """The positions of a block's transfers whose txids are not known."""
    if not known:
        return range(1, block.count)
    txids = block.txid_list()
    return [position for position in range(1, block.count) if txids[position] not in known]


def check_block(spec: ChainSpec, block: Block) -> None:
    """Check all semantic rules of a block except its signatures, cheapest first; rules that only prove the sender at
    fault come before those that make the block invalid."""
    check_proof_of_work(spec, block.header)
    check_body(block)
    check_transactions(block)


def verify_blocks(spec: ChainSpec, raws: Sequence[bytes], known: KnownTxids | None = None) -> list[Block | RuleError]:
    """Check levels 1 and 2 of raw blocks: a job that runtimes run beside the node. `known`: see `check_signatures`."""
    return signed_blocks(spec, sound_blocks(spec, parsed_blocks(spec, raws)), known)


def parsed_blocks(spec: ChainSpec, raws: Sequence[bytes]) -> list[Block | RuleError]:
    """The first part of `verify_blocks`: level 1."""
    return [_parsed(spec, raw) for raw in raws]


def sound_blocks(spec: ChainSpec, results: Sequence[Block | RuleError]) -> list[Block | RuleError]:
    """The second part, for blocks that passed the first: level 2 except signatures. Mostly Python."""
    return [_sound(spec, result) if isinstance(result, Block) else result for result in results]


def signed_blocks(
    spec: ChainSpec, results: Sequence[Block | RuleError], known: KnownTxids | None = None
) -> list[Block | RuleError]:
    """The last part: the signatures, in C."""
    judged = list(results)
    signed = {at: block for at, block in enumerate(results) if isinstance(block, Block) and block.count > 1}
    for at, error in zip(signed, check_signatures(spec, list(signed.values()), known), strict=True):
        if error is not None:
            judged[at] = error
    return judged


def _parsed(spec: ChainSpec, raw: bytes) -> Block | RuleError:
    try:
        return parse_block(spec, raw)
    except RuleError as error:
        return error


def _sound(spec: ChainSpec, block: Block) -> Block | RuleError:
    try:
        check_block(spec, block)
    except RuleError as error:
        return error
    return block


def verify_block(spec: ChainSpec, raw: bytes, known: KnownTxids | None = None) -> Block:
    """`verify_blocks` of one block; raises its RuleError."""
    (result,) = verify_blocks(spec, [raw], known)
    if isinstance(result, RuleError):
        raise result
    return result
