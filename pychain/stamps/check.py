"""Checking a proof: its own content, and its headers from genesis on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pychain import native
from pychain.chain.hashes import hash_hex
from pychain.chain.header import HEADER_BYTES, Header, decode_header
from pychain.chain.spec import ChainSpec
from pychain.chain.transaction import Transfer, signed_message
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.rules import RuleError
from pychain.consensus.semantic import check_bounds
from pychain.consensus.structure import parse_transfer
from pychain.stamps.branch import fold_branch, max_depth
from pychain.stamps.errors import StampError
from pychain.stamps.headers import Placed, place_block
from pychain.stamps.memo import Kind, Stamp, decode_memo
from pychain.stamps.proof import Proof
from pychain.stamps.tree import fold


@dataclass(frozen=True, slots=True)
class Stamped:
    """The checked content of a proof: the transfer that carries the digest, and the header of its block."""

    transfer: Transfer
    header: Header
    height: int


def stamp_of(proof: Proof) -> Stamp:
    """The stamp that must cover the proof's digest."""
    if proof.path is None:
        return Stamp(Kind.FILE, proof.digest)
    return Stamp(Kind.TREE, fold(proof.digest, proof.path))


def check_content(spec: ChainSpec, proof: Proof, digest: bytes) -> Stamped:
    """Follow a file's SHA-256 up to its block's header, on the network of that spec. StampError if a step is wrong.

    Whether the header is in the chain remains to be checked: with a node, or by `check_offline`.
    """
    if proof.genesis_hash != spec.genesis_hash:
        raise StampError(
            f"the proof is of the chain of genesis {hash_hex(proof.genesis_hash)}, not of the network '{spec.name}'"
        )
    if proof.digest != digest:
        raise StampError(
            f"the proof is of another file: its SHA-256 is {proof.digest.hex()}, this one's {digest.hex()}"
        )
    transfer = _transfer(spec, proof.transaction)
    if decode_memo(transfer.memo) != stamp_of(proof):
        raise StampError("the stamp in the transfer's memo is not that of this file")
    if len(proof.branch) > max_depth(spec):
        raise StampError(f"the proof's branch is deeper than any block's: {len(proof.branch)} steps")
    if proof.index == 0:
        raise StampError("the proof's index is 0, where a block has its coinbase")
    header = decode_header(proof.header)
    if fold_branch(transfer.txid, proof.index, proof.branch) != header.merkle_root:
        raise StampError("the proof's branch does not lead from the transfer to the block's merkle root")
    return Stamped(transfer, header, proof.height)


def check_offline(
    rulebook: Rulebook, proof: Proof, digest: bytes, wall_s: int, progress: Callable[[int], None] = lambda _: None
) -> tuple[Stamped, Placed]:
    """Check all of a proof, including its headers from genesis on; see `check_content` and `place_block`."""
    stamped = check_content(rulebook.spec, proof, digest)
    if proof.headers is None:
        raise StampError("the proof carries no headers: check it against a node")
    if proof.headers[(proof.height - 1) * HEADER_BYTES : proof.height * HEADER_BYTES] != proof.header:
        raise StampError(f"the block's header is not the one at height {proof.height} of the proof's headers")
    return stamped, place_block(rulebook, proof.headers, proof.height, wall_s, progress)


def _transfer(spec: ChainSpec, raw: bytes) -> Transfer:
    """The transfer in the proof. Its signature is checked here: it proves who stamped, and headers do not cover it."""
    try:
        transfer = parse_transfer(raw)
        check_bounds(transfer)
    except RuleError as error:
        raise StampError(f"the proof's transaction is no transfer: {error}") from None
    if not native.verify(transfer.sender, signed_message(spec.genesis_hash, transfer), transfer.signature):
        raise StampError("the transfer's signature is not valid on this network")
    return transfer
