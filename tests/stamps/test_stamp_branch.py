"""Branches of a block's tree: every place has one, and no branch proves another place."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.stamps.branch import branch_of, fold_branch, max_depth
from pychain.stamps.errors import StampError
from tests.support import wire
from tests.support.builder import spec_of
from tests.support.network import Network


def txids(count: int) -> list[bytes]:
    return [sha256(bytes([number])).digest() for number in range(count)]


@pytest.mark.parametrize("count", [*range(1, 20), 33, 64, 65])
def test_every_transaction_has_a_branch_to_the_root(count: int) -> None:
    ids = txids(count)
    root = wire.merkle_root(ids)
    for index, txid in enumerate(ids):
        branch = branch_of(ids, index)
        assert len(branch) == (count - 1).bit_length()
        assert fold_branch(txid, index, branch) == root


@given(count=st.integers(2, 40), data=st.data())
def test_at_no_other_index_does_a_branch_hold(count: int, data: st.DataObject) -> None:
    """A doubled last node would give its transaction a second place; the error names it."""
    ids = txids(count)
    root = wire.merkle_root(ids)
    place = data.draw(st.integers(0, count - 1))
    branch = branch_of(ids, place)
    other = data.draw(st.integers(0, 2 ** len(branch) - 1).filter(lambda index: index != place))
    try:
        claimed = fold_branch(ids[place], other, branch)
    except StampError:
        return  # by name: see the next test
    assert claimed != root


def test_the_last_of_an_odd_number_has_one_place_only() -> None:
    ids = txids(5)
    branch = branch_of(ids, 4)
    assert fold_branch(ids[4], 4, branch) == wire.merkle_root(ids)
    for phantom in (5, 6, 7):
        with pytest.raises(StampError, match="doubled last node"):
            fold_branch(ids[4], phantom, branch)


@pytest.mark.parametrize(("index", "depth"), [(1, 0), (-1, 1), (2, 1), (4, 2)])
def test_an_index_outside_of_the_tree_is_refused(index: int, depth: int) -> None:
    with pytest.raises(StampError, match=f"index {index} is not in a tree of depth {depth}"):
        fold_branch(bytes(32), index, [bytes(32)] * depth)


@pytest.mark.parametrize(
    ("max_block_bytes", "depth"),
    [
        (80 + 1 + 78 + 154, 0),  # the coinbase alone
        (80 + 1 + 78 + 155, 1),
        (80 + 1 + 78 + 3 * 155, 2),
        (80 + 1 + 78 + 4 * 155, 3),
        (1_000_000, 13),
    ],
)
def test_no_branch_is_deeper_than_the_fullest_block(max_block_bytes: int, depth: int) -> None:
    assert max_depth(spec_of(Network(max_block_bytes=max_block_bytes))) == depth
