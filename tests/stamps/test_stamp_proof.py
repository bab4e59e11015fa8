"""Forged proofs: every byte, every part, and parts of other proofs."""

from __future__ import annotations

import base64
from dataclasses import replace
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pychain import native
from pychain.chain.hashes import hash_hex
from pychain.stamps.branch import fold_branch
from pychain.stamps.check import Stamped, check_content, check_offline
from pychain.stamps.errors import StampError
from pychain.stamps.headers import Placed
from pychain.stamps.memo import Kind, Stamp
from pychain.stamps.proof import MAX_PROOF_BYTES, Proof, decode_proof, encode_proof
from pychain.stamps.tree import Side, Step, root_and_paths
from tests.stamps.forged import (
    ALICE,
    BLOCK,
    BLOCKS,
    DIGEST,
    DIGESTS,
    NETWORK,
    NOW,
    StampedChain,
    build,
    stamp_transfer,
)
from tests.support.builder import ChainBuilder
from tests.support.keys import signer


def check(chain: StampedChain, proof: Proof, digest: bytes) -> tuple[Stamped, Placed]:
    return check_offline(chain.rulebook, proof, digest, NOW)


def refused(chain: StampedChain, proof: Proof, digest: bytes = DIGEST) -> str:
    """The error that refuses a proof, one line."""
    with pytest.raises(StampError) as error:
        check(chain, proof, digest)
    assert str(error.value).count("\n") == 0
    return str(error.value)


# --- proofs that hold


def test_one_file(chain: StampedChain) -> None:
    stamped, placed = check(chain, decode_proof(encode_proof(chain.single)), DIGEST)
    assert stamped.transfer.sender == ALICE.key
    assert stamped.header == placed.header == chain.blocks[BLOCK - 1].header
    assert (placed.height, placed.confirmations) == (BLOCK, BLOCKS - BLOCK + 1)


@pytest.mark.parametrize("place", range(len(DIGESTS)))
def test_many_files(chain: StampedChain, place: int) -> None:
    stamped, _ = check(chain, decode_proof(encode_proof(chain.many[place])), DIGESTS[place])
    assert stamped.transfer == chain.blocks[BLOCK - 1].transactions[4]


def test_a_proof_without_headers_is_checked_up_to_its_block(chain: StampedChain) -> None:
    short = decode_proof(encode_proof(replace(chain.single, headers=None)))
    assert check_content(chain.rulebook.spec, short, DIGEST).header == chain.blocks[BLOCK - 1].header
    assert "carries no headers" in refused(chain, short)


def test_later_headers_make_it_stronger_and_nothing_else(chain: StampedChain) -> None:
    fewer = replace(chain.single, headers=chain.headers[: BLOCK * 80])
    _, placed = check(chain, fewer, DIGEST)
    assert placed.confirmations == 1


# --- every byte


def test_every_flipped_byte_is_noticed(chain: StampedChain) -> None:
    """Each in the written file. A change that JSON ignores (another blank for a line break) gives the same proof; every
    other is refused."""
    data = encode_proof(chain.single)
    accepted = []
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        try:
            proof = decode_proof(bytes(flipped))
            check(chain, proof, DIGEST)
        except StampError:
            continue
        if proof != chain.single:
            accepted.append((position, data[position], flipped[position]))
    assert accepted == []


@settings(max_examples=300)
@given(data=st.data())
def test_any_changed_byte_of_a_proof_of_many_is_noticed(chain: StampedChain, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(DIGESTS) - 1))
    spoilt = bytearray(encode_proof(chain.many[place]))
    spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    try:
        proof = decode_proof(bytes(spoilt))
        check(chain, proof, DIGESTS[place])
    except StampError:
        return
    assert proof == chain.many[place]


@given(cut=st.integers(0, 6000))
def test_a_proof_cut_short_is_none(chain: StampedChain, cut: int) -> None:
    data = encode_proof(chain.single)
    with pytest.raises(StampError, match="not a stamp's proof"):
        decode_proof(data[: min(cut, len(data) - 2)])


@given(st.binary(max_size=300) | st.sampled_from([b"[" * 5000, b"{}", b"null"]))
def test_garbage_is_no_proof(data: bytes) -> None:
    with pytest.raises(StampError, match="not a stamp's proof"):
        decode_proof(data)


def test_a_file_without_end_is_not_read() -> None:
    class Endless(bytes):
        def __len__(self) -> int:
            return MAX_PROOF_BYTES + 1

    with pytest.raises(StampError, match="at most"):
        decode_proof(Endless())


def document(proof: Proof) -> dict[str, Any]:
    parts: dict[str, Any] = msgspec.json.decode(encode_proof(proof))
    return parts


@pytest.mark.parametrize(
    "change",
    [
        {"surplus": 1},
        {"version": 2},
        {"format": "pychain-transfer"},
        {"sha256": DIGEST.hex().upper()},
        {"path": [["above", "00" * 32]]},
        {"path": [["left", "00" * 32]] * 21},
        {"transaction": "00" * 668},
        {"branch": ["00" * 32] * 33},
        {"index": -1},
        {"index": 2**33},
        {"index": 2.5},
        {"height": True},
        {"header": "00" * 79},
        {"headers": "===="},
        {"headers": base64.b64encode(bytes(79)).decode()},
        {"headers": base64.b64encode(bytes(160)).decode().replace("A==", "B==")},
        {"headers": base64.b64encode(bytes(80)).decode() + "\n"},
    ],
)
def test_a_document_of_another_form_is_no_proof(chain: StampedChain, change: dict[str, Any]) -> None:
    with pytest.raises(StampError, match="not a stamp's proof"):
        decode_proof(msgspec.json.encode(document(chain.single) | change))


# --- every part


def test_another_file(chain: StampedChain) -> None:
    other = sha256(b"another contract").digest()
    assert "the proof is of another file" in refused(chain, chain.single, other)
    assert "is not that of this file" in refused(chain, replace(chain.single, digest=other), other)
    assert "is not that of this file" in refused(chain, replace(chain.many[0], digest=DIGESTS[1]), DIGESTS[1])


def test_another_network(chain: StampedChain) -> None:
    """The proof names its genesis; with that changed, its headers do not connect and its signature fails."""
    other = ChainBuilder(replace(NETWORK, genesis_message="another")).rulebook
    with pytest.raises(StampError, match=r"is of the chain of genesis \w{64}, not of the network 'stamps'"):
        check_offline(other, chain.single, DIGEST, NOW)
    renamed = replace(chain.single, genesis_hash=other.spec.genesis_hash)
    with pytest.raises(StampError, match="signature is not valid on this network"):
        check_offline(other, renamed, DIGEST, NOW)


def test_a_chain_that_was_made_for_the_occasion(chain: StampedChain) -> None:
    """The same stamp on an easier chain: its headers are not the network's."""
    easy = build(replace(NETWORK, genesis_bits=0x207FFFFF), BLOCKS)
    forged = replace(chain.single, headers=easy.headers, header=easy.blocks[BLOCK - 1].header.raw)
    assert "does not lead" in refused(chain, forged)
    theirs = replace(easy.single, genesis_hash=NETWORK.genesis_hash)
    assert "signature is not valid" in refused(chain, theirs)


def test_a_block_that_is_not_in_the_chain(chain: StampedChain) -> None:
    """A made-up header over the right transactions, without proof of work."""
    block = chain.blocks[BLOCK - 1]
    own = bytearray(block.header.raw)
    own[76] ^= 1
    assert f"not the one at height {BLOCK}" in refused(chain, replace(chain.single, header=bytes(own)))
    assert f"not the one at height {BLOCK + 1}" in refused(chain, replace(chain.single, height=BLOCK + 1))
    for height in (0, BLOCKS + 1, 2**32):
        assert f"not the one at height {height}" in refused(chain, replace(chain.single, height=height))


@pytest.mark.parametrize("cut", range(1, BLOCKS - BLOCK + 3))
def test_a_truncated_chain(chain: StampedChain, cut: int) -> None:
    shorter = replace(chain.single, headers=chain.headers[: -80 * cut])
    if cut <= BLOCKS - BLOCK:
        assert check(chain, shorter, DIGEST)[1].confirmations == BLOCKS - BLOCK + 1 - cut
    else:
        assert "not the one at height" in refused(chain, shorter)


def test_an_inner_node_does_not_pass_as_a_transaction(chain: StampedChain) -> None:
    """CVE-2017-12842: the two ids under a node are 64 bytes that hash to it, one level further up."""
    transactions = chain.blocks[BLOCK - 1].transactions
    node = transactions[2].txid + transactions[3].txid
    branch = chain.single.branch[1:]
    assert fold_branch(native.sha256d(node), 1, branch) == chain.blocks[BLOCK - 1].header.merkle_root
    forged = replace(chain.single, transaction=node, index=1, branch=branch)
    assert "the proof's transaction is no transfer" in refused(chain, forged)


def test_what_a_node_would_have_to_be_is_longer_than_a_node() -> None:
    """The reverse: no transfer has 64 bytes, so none passes as a node with leaves below it."""
    assert len(stamp_transfer(NETWORK, 0, Stamp(Kind.FILE, DIGEST))) == 155 + 49
    assert len(ALICE.transfer(NETWORK.genesis_hash, 0, ALICE.key, 0)) == 155


def test_another_place_in_the_block(chain: StampedChain) -> None:
    single, many = chain.single, chain.many[0]
    for index in (1, 3, 4, 5, 6, 7):
        assert "does not lead" in refused(chain, replace(single, index=index))
    assert "where a block has its coinbase" in refused(chain, replace(single, index=0))
    assert "is not in a tree of depth 3" in refused(chain, replace(single, index=8))
    for phantom in (5, 6, 7):  # the doubles of the last transaction of five
        assert "doubled last node" in refused(chain, replace(many, index=phantom), DIGESTS[0])


def test_a_branch_that_is_longer_or_shorter(chain: StampedChain) -> None:
    branch = chain.single.branch
    assert "does not lead" in refused(chain, replace(chain.single, branch=branch[:-1], index=2))
    assert "does not lead" in refused(chain, replace(chain.single, branch=(*branch, branch[-1])))
    assert "is deeper than any block's" in refused(chain, replace(chain.single, branch=branch * 4))
    alone = replace(chain.single, branch=(), index=0)
    assert "where a block has its coinbase" in refused(chain, alone)


def test_the_coinbase_is_no_stamp(chain: StampedChain) -> None:
    coinbase = chain.proof(0, DIGEST, None)
    assert "no transfer: bad-cb-multiple" in refused(chain, coinbase)


def test_a_transfer_whose_memo_is_something_else(chain: StampedChain) -> None:
    assert "memo is no stamp" in refused(chain, chain.proof(1, DIGEST, None))
    assert "memo is no stamp" in refused(chain, chain.proof(3, DIGEST, None))


def test_one_kind_of_stamp_is_not_taken_for_the_other(chain: StampedChain) -> None:
    """A root as the digest of a file, or a single file's digest as a root."""
    root, _ = root_and_paths(DIGESTS)
    assert "not that of this file" in refused(chain, chain.proof(4, root, None), root)
    path = (Step(Side.LEFT, DIGEST),)
    assert "not that of this file" in refused(chain, chain.proof(2, DIGEST, path))


def test_a_path_that_was_changed(chain: StampedChain) -> None:
    proof = chain.many[1]
    assert proof.path is not None
    for path in (
        proof.path[:-1],
        (*proof.path, proof.path[0]),
        tuple(reversed(proof.path)),
        tuple(Step(Side.LEFT if step.side is Side.RIGHT else Side.RIGHT, step.sibling) for step in proof.path),
    ):
        assert "not that of this file" in refused(chain, replace(proof, path=path), DIGESTS[1])


def test_who_is_proven_by_the_signature(chain: StampedChain) -> None:
    """A miner could forge a transfer of another key in a block that no node accepts; no proof check accepts it
    either."""
    mallory = signer("mallory")
    genesis = NETWORK.genesis_hash
    honest = stamp_transfer(NETWORK, 1, Stamp(Kind.FILE, DIGEST))
    unsigned = honest[:1] + mallory.key + honest[33:]
    builder = ChainBuilder(NETWORK)
    block = builder.extend(transfers=[unsigned])
    proof = replace(chain.proof(1, DIGEST, None, block), genesis_hash=genesis, height=1, headers=block.header.raw)
    assert "signature is not valid" in refused(chain, proof)


def test_trailing_bytes_of_the_transaction(chain: StampedChain) -> None:
    longer = replace(chain.single, transaction=chain.single.transaction + b"\0")
    assert "no transfer: bad-tx-encoding" in refused(chain, longer)


def test_hashes_are_written_as_explorers_show_them(chain: StampedChain) -> None:
    parts = document(chain.single)
    assert parts["genesis"] == hash_hex(NETWORK.genesis_hash)
    assert parts["branch"][0] == hash_hex(chain.blocks[BLOCK - 1].transactions[3].txid)
    assert parts["sha256"] == DIGEST.hex()
