"""Reorganisation plans: the cases with a name. Random ones are in test_tree_model.py."""

from __future__ import annotations

import pytest

from pychain.ledger.reorg import EXTENSION_STEP, plan_reorg
from pychain.ledger.tree import BlockTree, Entry
from tests.ledger.tree_model import BITS, grow, rulebook


@pytest.fixture
def tree() -> BlockTree:
    return BlockTree(rulebook("most-work"))


def test_the_tip_itself_takes_nothing(tree: BlockTree) -> None:
    plan = plan_reorg(tree, tree.tip)
    assert (plan.fork, plan.disconnect, plan.connect) == (tree.genesis, (), ())


@pytest.mark.parametrize("length", [1, EXTENSION_STEP, EXTENSION_STEP + 1, 200])
def test_an_extension_is_planned_in_steps(tree: BlockTree, length: int) -> None:
    chain = grow(tree, tree.genesis, [BITS[0]] * length, bodies=True)
    connected: list[Entry] = []
    while (target := tree.best_candidate()) is not None:
        plan = plan_reorg(tree, target)
        assert plan.fork is tree.tip
        assert plan.disconnect == ()
        assert 1 <= len(plan.connect) <= EXTENSION_STEP
        connected += plan.connect
        tree.activate(plan.connect[-1])
    assert connected == chain


def test_a_reorganisation_ends_where_it_outweighs_the_tip(tree: BlockTree) -> None:
    old = grow(tree, tree.genesis, [BITS[0]] * 5, bodies=True)
    tree.activate(old[-1])
    new = grow(tree, old[1], [BITS[0]] * 100, nonce=1, bodies=True)
    target = tree.best_candidate()
    assert target is new[-1]
    plan = plan_reorg(tree, target)
    assert plan.fork is old[1]
    assert plan.disconnect == (old[4], old[3], old[2])
    assert plan.connect == tuple(new[:4])


def test_many_light_blocks_against_few_heavy_ones(tree: BlockTree) -> None:
    """The branch passes the tip's work only far beyond the step of a plain extension."""
    old = grow(tree, tree.genesis, [BITS[1]] * 40, bodies=True)
    tree.activate(old[-1])
    new = grow(tree, tree.genesis, [BITS[0]] * 100, nonce=1, bodies=True)
    plan = plan_reorg(tree, new[-1])
    assert plan.disconnect == tuple(reversed(old))
    assert plan.connect == tuple(new[:81])


def test_after_invalidation_the_plan_stops_at_what_is_valid(tree: BlockTree) -> None:
    old = grow(tree, tree.genesis, [BITS[0]] * 5, bodies=True)
    tree.activate(old[-1])
    tree.invalidate(old[2])
    target = tree.best_candidate()
    assert target is old[1]
    plan = plan_reorg(tree, target)
    assert plan.fork is old[1]
    assert plan.disconnect == (old[4], old[3], old[2])
    assert plan.connect == ()


def test_after_invalidation_the_commit_stays_small(tree: BlockTree) -> None:
    """A long competing branch: the first commit ends one block beyond what is left of the old chain."""
    old = grow(tree, tree.genesis, [BITS[0]] * 60, bodies=True)
    tree.activate(old[-1])
    new = grow(tree, old[9], [BITS[0]] * 40, nonce=1, bodies=True)
    tree.invalidate(old[10])
    target = tree.best_candidate()
    assert target is new[-1]
    plan = plan_reorg(tree, target)
    assert len(plan.disconnect) == 50
    assert plan.connect == (new[0],)
