"""Merkle roots and mutation (CVE-2012-2459) against an independent oracle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain import native
from pychain.chain.block import decode_block
from pychain.consensus.rules import Rule, RuleError
from pychain.consensus.semantic import check_body
from tests.chain.bitcoin import HEADERS, MERKLE_TREES
from tests.specification.hashing import is_mutated, merkle_root
from tests.support import wire

leaf_lists = st.lists(st.sampled_from([wire.sha256d(bytes([n])) for n in range(3)]), min_size=1, max_size=12)


def doubled(leaves: list[bytes], level: int) -> list[bytes] | None:
    """The leaves with the last node of a level sent twice; None if that node has a sibling already."""
    width = 1 << level
    nodes = -(-len(leaves) // width)
    if nodes < 2 or nodes % 2 == 0:
        return None
    return [*padded(leaves, level), *padded(leaves, level)[(nodes - 1) * width :]]


def padded(leaves: list[bytes], level: int) -> list[bytes]:
    """The leaves with every odd level below `level` made even by hand, as the tree makes it by itself."""
    for below in range(level):
        width = 1 << below
        if -(-len(leaves) // width) % 2:
            leaves = leaves + leaves[-width:]
    return leaves


def test_bitcoin_trees() -> None:
    known = {header.height: bytes.fromhex(header.raw)[36:68] for header in HEADERS}
    for height, (root, txids) in MERKLE_TREES.items():
        leaves = b"".join(bytes.fromhex(txid)[::-1] for txid in txids)
        expected = bytes.fromhex(root)[::-1]
        assert native.merkle_root_checked(leaves) == (expected, False)
        assert known.get(height, expected) == expected


@given(leaf_lists)
def test_root_and_flag_against_the_oracle(leaves: list[bytes]) -> None:
    assert native.merkle_root_checked(b"".join(leaves)) == (merkle_root(leaves), is_mutated(leaves))


@pytest.mark.parametrize("count", range(1, 34))
def test_every_mutant_of_every_size(count: int) -> None:
    """Distinct leaves are no mutation; the last node of any odd level sent twice keeps the root and is noticed."""
    leaves = [wire.sha256d(bytes([number])) for number in range(count)]
    root, mutated = native.merkle_root_checked(b"".join(leaves))
    assert (root, mutated) == (merkle_root(leaves), False)
    for level in range(count.bit_length()):
        mutant = doubled(leaves, level)
        if mutant is not None:
            assert len(mutant) > len(leaves)
            assert native.merkle_root_checked(b"".join(mutant)) == (root, True)


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=9), st.booleans())
def test_check_body(extras: list[bytes], honest: bool) -> None:
    """A block's transactions are the leaves; a wrong root is the sender's fault, whatever the transactions are."""
    transactions = [wire.coinbase(number, bytes(32), 0, extra + bytes(32)) for number, extra in enumerate(extras)]
    root = wire.root_of(transactions) if honest else bytes(32)
    block = decode_block(wire.block(wire.header(1, bytes(32), root, 0, 0, 0), transactions))
    if honest:
        check_body(block)
    else:
        with pytest.raises(RuleError) as refused:
            check_body(block)
        assert refused.value.rule is Rule.MERKLE_ROOT


def test_wrong_root_is_said_before_mutation() -> None:
    """If a body has both faults, the wrong root is reported: equal neighbours prove nothing about another block."""
    twice = [wire.coinbase(1, bytes(32), 0)] * 2
    block = decode_block(wire.block(wire.header(1, bytes(32), bytes(32), 0, 0, 0), twice))
    with pytest.raises(RuleError) as refused:
        check_body(block)
    assert refused.value.rule is Rule.MERKLE_ROOT
