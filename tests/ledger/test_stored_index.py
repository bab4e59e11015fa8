"""A tree from a store's index: cut into slices anywhere, with branches anywhere, and damaged."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest

from pychain.chain.header import HEADER_BYTES
from pychain.ledger.store import IndexRecord, IndexSlice, Status
from pychain.ledger.tree import BlockTree, Entry
from tests.ledger.tree_model import BITS, grow, rulebook
from tests.support.index import packed
from tests.support.trees import entries, is_active

KNOWN = Status.BODY | Status.VERIFIED


def forked_tree(seed: int) -> BlockTree:
    """A chain of 60 blocks and a dozen branches of it and of each other, some with bodies, one judged invalid."""
    draw = random.Random(seed)
    tree = BlockTree(rulebook("most-work"))
    ends: list[Entry] = grow(tree, tree.genesis, [BITS[0]] * 60, bodies=True)
    tree.activate(ends[-1])
    for number in range(12):
        fork = draw.choice([tree.genesis, *ends])
        length = draw.randrange(1, 20)
        ends += grow(tree, fork, [draw.choice(BITS)] * length, nonce=1 + number, bodies=draw.random() < 0.5)
    tree.invalidate(draw.choice([entry for entry in ends if not is_active(tree, entry)]))
    while (target := tree.best_candidate()) is not None:
        tree.activate(target)
    return tree


def cut(whole: IndexSlice, sizes: Iterator[int]) -> list[IndexSlice]:
    slices, start = [], 0
    while start < len(whole.statuses):
        end = start + next(sizes)
        slices.append(
            IndexSlice(
                whole.raw[HEADER_BYTES * start : HEADER_BYTES * end],
                whole.hashes[32 * start : 32 * end],
                whole.statuses[start:end],
            )
        )
        start = end
    return slices


def loaded(slices: Sequence[IndexSlice], tip_hash: bytes) -> BlockTree:
    tree = BlockTree(rulebook("most-work"))
    tree.restore(slices, tip_hash)
    return tree


@pytest.mark.parametrize("seed", range(20))
def test_a_tree_comes_back_as_it_was(seed: int) -> None:
    tree = forked_tree(seed)
    index = packed(tree.headers.records(range(len(tree))))
    draw = random.Random(seed)
    back = loaded(cut(index, iter(lambda: draw.choice((1, 2, 7, 64)), 0)), tree.tip.hash)
    assert len(back) == len(tree)
    heights = range(tree.tip.height + 1)
    assert [back.tip.ancestor(height).hash for height in heights] == [
        tree.tip.ancestor(height).hash for height in heights
    ]
    for entry in entries(tree):
        other = back.get(entry.hash)
        assert other is not None
        assert (other.header, other.height, other.work) == (entry.header, entry.height, entry.work)
        assert (other.status, other.linked, other.invalid) == (entry.status, entry.linked, entry.invalid)
        assert [one.hash for one in (other.parent,) if one] == [one.hash for one in (entry.parent,) if one]
        assert {child.hash for child in other.children} == {child.hash for child in entry.children}
    assert back.tip.hash == tree.tip.hash
    assert back.best_candidate() is None
    assert back.best_header.work == tree.best_header.work
    assert {leaf.hash for leaf in back.leaves()} == {leaf.hash for leaf in tree.leaves()}


def test_what_was_connected_is_linked_though_its_body_is_gone() -> None:
    """Where old bodies are pruned, the chain still grows."""
    tree = BlockTree(rulebook("most-work"))
    chain = grow(tree, tree.genesis, [BITS[0]] * 9, bodies=True)
    tree.activate(chain[-1])
    records = [
        IndexRecord.of(entry.header, entry.height, Status.CONNECTED if entry.height < 5 else KNOWN | Status.CONNECTED)
        for entry in entries(tree)
    ]
    back = loaded([packed(records)], tree.tip.hash)
    (following,) = grow(back, back.tip, [BITS[0]], bodies=True)
    assert back.best_candidate() is following


def test_a_chain_that_was_judged_invalid_before_the_end_is_left() -> None:
    """The judgement was durable, the reorganisation that follows was not."""
    tree = BlockTree(rulebook("most-work"))
    chain = grow(tree, tree.genesis, [BITS[0]] * 9, bodies=True)
    rival = grow(tree, chain[1], [BITS[0]] * 3, nonce=1, bodies=True)
    tree.activate(chain[-1])
    tree.invalidate(chain[3])
    back = loaded([packed(tree.headers.records(range(len(tree))))], tree.tip.hash)
    assert back.valid_tip.hash == chain[2].hash
    best = back.best_candidate()
    assert best is not None
    assert best.hash == rival[-1].hash
    assert [back.tip.ancestor(height).invalid for height in range(10)] == [False] * 4 + [True] * 6
    assert not back.changed
    back.reconsider(back.tip)
    assert [record.hash for record in back.take_changes()] == [chain[3].hash]
    assert back.best_candidate() is None


@pytest.mark.parametrize("seed", range(5))
def test_an_index_that_lacks_a_header_is_one_clear_line(seed: int) -> None:
    tree = forked_tree(seed)
    records = tree.headers.records(range(len(tree)))
    for lacking in random.Random(seed).sample(range(1, len(records)), 20):
        if list(entries(tree))[lacking].children:
            rest = [record for number, record in enumerate(records) if number != lacking]
            with pytest.raises(OSError, match=r"^the header index is damaged: "):
                loaded(cut(packed(rest), iter(lambda: 16, 0)), tree.tip.hash)


def test_an_index_without_the_tip_is_one_clear_line() -> None:
    tree = forked_tree(0)
    with pytest.raises(OSError, match=r"^the header index is damaged: "):
        loaded([packed(tree.headers.records(range(len(tree))))], bytes(32))
    with pytest.raises(OSError, match=r"^the header index is damaged: "):
        loaded([], tree.tip.hash)
