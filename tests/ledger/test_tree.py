"""The block tree's walks on long chains, its locators, and the cases of choice that deserve a name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.chain.header import new_header
from pychain.consensus.branch import median_time_past
from pychain.ledger import tree as tree_module
from pychain.ledger.entry import EntryBranch, median_time
from pychain.ledger.packed import PackedHeaders
from pychain.ledger.tree import BlockTree, Entry
from tests.ledger.tree_model import BITS, child_header, grow, rulebook
from tests.support.builder import HeaderBranch
from tests.support.trees import add, is_active

LENGTH = 100_000
FORKS = (0, 1, 777, 50_000, 65_536, 99_990)
STEPS = 110
"""What Core's simulations found for the same skips: no walk among 2^18 blocks takes more (`GetSkipHeight`)."""


class CountedHeaders(PackedHeaders):
    """An index that counts the steps of its walks."""

    steps = 0

    def _step(self, row: int, own: int, height: int) -> int:
        CountedHeaders.steps += 1
        return super()._step(row, own, height)

    def _skip(self, row: int) -> int:
        CountedHeaders.steps += 1
        return super()._skip(row)


@pytest.fixture(scope="module", params=["in the base", "beyond the base"])
def long_tree(request: pytest.FixtureRequest) -> Iterator[BlockTree]:
    """A chain of 100,000 blocks, and from some of its heights a branch that ends level with it. Two strays before
    them keep them out of the base.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree_module, "PackedHeaders", CountedHeaders)
        tree = BlockTree(rulebook("most-work"))
        if request.param == "beyond the base":
            grow(tree, tree.genesis, [BITS[0]])
            grow(tree, tree.genesis, [BITS[0]], nonce=9)
        entry = grow(tree, tree.genesis, [BITS[0]] * LENGTH, nonce=2)[-1]
        for fork in FORKS:
            grow(tree, entry.ancestor(fork), [BITS[0]] * min(2_000, LENGTH - fork), nonce=1)
        yield tree


def trunk(tree: BlockTree) -> list[Entry]:
    """The chain of 100,000, by height."""
    path = []
    entry: Entry | None = tree.best_header
    while entry is not None:
        path.append(entry)
        entry = entry.parent
    return path[::-1]


# --- walks


def test_ancestors_on_a_long_chain(long_tree: BlockTree) -> None:
    chain = trunk(long_tree)
    assert len(chain) == LENGTH + 1
    most = 0
    for start in (LENGTH, LENGTH - 1, 65_536, 65_535, 40_000, 17, 1, 0):
        for height in {*range(0, start + 1, 997), *range(min(40, start + 1)), start}:
            CountedHeaders.steps = 0
            assert chain[start].ancestor(height) is chain[height]
            most = max(most, CountedHeaders.steps)
    assert most <= STEPS


def test_fork_points_on_a_long_chain(long_tree: BlockTree) -> None:
    chain = trunk(long_tree)
    ends = [leaf for leaf in long_tree.leaves() if leaf.header.nonce == 1]
    for end, fork in zip(ends, FORKS, strict=True):
        for other in (chain[-1], chain[fork], chain[min(fork + 5, LENGTH)]):
            CountedHeaders.steps = 0
            assert long_tree.fork_point(end, other) is long_tree.fork_point(other, end) is chain[fork]
            assert CountedHeaders.steps <= 2 * 4 * STEPS


def test_descent_on_a_long_chain(long_tree: BlockTree) -> None:
    chain = trunk(long_tree)
    end = next(leaf for leaf in long_tree.leaves() if long_tree.fork_point(leaf, chain[-1]) is chain[777])
    assert chain[-1].descends_from(chain[-1])
    assert chain[-1].descends_from(chain[778])
    assert end.descends_from(chain[777])
    assert not end.descends_from(chain[778])
    assert not chain[777].descends_from(chain[778])


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(BITS)), max_size=40))
def test_any_pair_of_a_random_tree(parents: list[tuple[int, int]]) -> None:
    """Ancestors and fork points against paths walked parent by parent."""
    tree = BlockTree(rulebook("most-work"))
    paths = [[tree.genesis]]
    for nonce, (pick, bits) in enumerate(parents):
        path = paths[pick % len(paths)]
        paths.append([*path, add(tree, child_header(path[-1].header, bits, nonce))])
    for path in paths:
        assert [path[-1].ancestor(height) for height in range(len(path))] == path
        for other in paths:
            common = [one for one, two in zip(path, other, strict=False) if one is two]
            assert tree.fork_point(path[-1], other[-1]) is common[-1]
            assert path[-1].descends_from(other[-1]) == (other[-1] in path)


@given(st.lists(st.integers(0, 100), max_size=30))
def test_median_time_of_an_entry(times: list[int]) -> None:
    tree = BlockTree(rulebook("most-work"))
    headers, entry = [tree.genesis.header], tree.genesis
    for nonce, time in enumerate(times):
        entry = add(tree, new_header(1, entry.hash, bytes(32), time, BITS[0], nonce))
        headers.append(entry.header)
        assert EntryBranch(entry).height == len(headers) - 1
        assert [EntryBranch(entry).header(height) for height in range(len(headers))] == headers
        assert median_time(entry) == median_time_past(HeaderBranch(headers))


# --- locators


@pytest.mark.parametrize("height", [0, 1, 9, 10, 11, 50, 1000, LENGTH])
def test_locators_step_back_at_doubling_distances(long_tree: BlockTree, height: int) -> None:
    chain = trunk(long_tree)
    heights = []
    for block_hash in long_tree.locator(chain[height]):
        entry = long_tree.get(block_hash)
        assert entry is not None
        heights.append(entry.height)
    distances = [1] * 9 + [2 ** (step + 1) for step in range(20)]
    expected = [height]
    while expected[-1] - distances[len(expected) - 1] > 0:
        expected.append(expected[-1] - distances[len(expected) - 1])
    assert heights == (expected if height == 0 else [*expected, 0])


def test_a_locator_leads_to_where_the_chains_parted(long_tree: BlockTree) -> None:
    chain = trunk(long_tree)
    long_tree.activate(chain[-1])
    stranger = b"\x07" * 32
    for end in long_tree.leaves():
        fork = long_tree.fork_point(end, chain[-1])
        found = long_tree.find_locator([stranger, *long_tree.locator(end)])
        assert found.height <= fork.height
        assert found is chain[found.height]
        assert end.height - found.height <= 2 * (end.height - fork.height) + 10
    assert long_tree.find_locator([]) is long_tree.genesis
    assert long_tree.find_locator([stranger]) is long_tree.genesis
    long_tree.activate(long_tree.genesis)


# --- choice


def test_the_first_linked_of_equals_is_chosen_and_kept() -> None:
    """
    genesis -> a1
           \\-> b1 -> b2      (b's headers came before c's, its bodies after)
           \\-> c1 -> c2
    """
    tree = BlockTree(rulebook("most-work"))
    (a1,) = grow(tree, tree.genesis, [BITS[0]], bodies=True)
    tree.activate(a1)
    b1, b2 = grow(tree, tree.genesis, [BITS[0]] * 2, nonce=1)
    c1, c2 = grow(tree, tree.genesis, [BITS[0]] * 2, nonce=2)
    assert tree.best_header is b2
    assert tree.best_candidate() is None
    tree.bodies_arrived([c2.row, b1.row, c1.row])
    assert tree.best_candidate() is c2
    tree.bodies_arrived([b2.row])
    assert tree.best_candidate() is c2
    tree.activate(c2)
    assert tree.best_candidate() is None
    assert is_active(tree, c1)
    assert not is_active(tree, a1)


def test_a_branch_of_equal_weight_never_moves_the_tip() -> None:
    tree = BlockTree(rulebook("longest"))
    tree.activate(grow(tree, tree.genesis, [BITS[0]] * 3, bodies=True)[-1])
    grow(tree, tree.genesis, [BITS[1]] * 3, nonce=1, bodies=True)
    assert tree.best_candidate() is None


def test_longest_and_most_work_differ() -> None:
    """Three light blocks against two heavy ones."""
    chosen = {}
    for name in ("longest", "most-work"):
        tree = BlockTree(rulebook(name))
        light = grow(tree, tree.genesis, [BITS[0]] * 3, bodies=True)[-1]
        heavy = grow(tree, tree.genesis, [BITS[1]] * 2, nonce=1, bodies=True)[-1]
        chosen[name] = {light: "light", heavy: "heavy"}[tree.best_candidate() or tree.genesis]
    assert chosen == {"longest": "light", "most-work": "heavy"}


def test_invalidating_the_tip_falls_back_and_reconsidering_returns() -> None:
    tree = BlockTree(rulebook("most-work"))
    a = grow(tree, tree.genesis, [BITS[0]] * 3, bodies=True)
    b = grow(tree, tree.genesis, [BITS[0]] * 2, nonce=1, bodies=True)
    tree.activate(a[-1])
    tree.take_changes()
    tree.invalidate(a[0])
    assert tree.take_changes() == tree.headers.records([a[0].row])
    assert [entry.invalid for entry in a] == [True] * 3
    assert tree.valid_tip is tree.genesis
    assert tree.best_candidate() is b[-1]
    tree.activate(b[-1])
    tree.invalidate(b[0])
    assert tree.best_candidate() is tree.genesis
    tree.activate(tree.genesis)
    assert tree.best_candidate() is None
    tree.take_changes()
    tree.reconsider(a[2])
    assert tree.take_changes() == tree.headers.records([a[0].row])
    assert not tree.changed
    assert tree.best_candidate() is a[2]
    assert b[0].invalid


def test_a_child_of_an_invalid_block_is_invalid_from_the_start() -> None:
    tree = BlockTree(rulebook("most-work"))
    (a1,) = grow(tree, tree.genesis, [BITS[0]], bodies=True)
    tree.invalidate(a1)
    (a2,) = grow(tree, a1, [BITS[0]], bodies=True)
    assert a2.invalid
    assert tree.best_header is tree.genesis
    assert tree.best_candidate() is None
    tree.reconsider(a2)
    assert tree.best_header is a2
    assert tree.best_candidate() is a2
