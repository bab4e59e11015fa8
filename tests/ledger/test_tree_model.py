"""Random trees against brute force: growing, judging, losing bodies, choosing, reorganising and restarting."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pychain.ledger.reorg import EXTENSION_STEP, ReorgPlan, plan_reorg
from pychain.ledger.store import IndexRecord, Status
from pychain.ledger.tree import BlockTree, Entry
from tests.ledger.tree_model import BITS, ModelBlock, TreeModel, child_header, rulebook
from tests.support.index import packed
from tests.support.trees import add, is_active

FORK_CHOICES = ("most-work", "longest", "toy")
picks = st.integers(0, 10**6)
"""Which of the blocks there are: taken modulo their number."""


class TreeMachine(RuleBasedStateMachine):
    """One tree, its model, and everything that may happen to them."""

    @initialize(fork_choice=st.sampled_from(FORK_CHOICES))
    def begin(self, fork_choice: str) -> None:
        self.rulebook = rulebook(fork_choice)
        self.model = TreeModel(self.rulebook)
        self.tree = BlockTree(self.rulebook)
        self.stored: dict[bytes, IndexRecord] = {}

    def entry(self, block: ModelBlock) -> Entry:
        entry = self.tree.get(block.header.hash)
        assert entry is not None
        return entry

    def block(self, entry: Entry) -> ModelBlock:
        return next(block for block in self.model.blocks if block.header.hash == entry.hash)

    # --- what happens

    @rule(
        pick=picks,
        chain=st.lists(st.sampled_from(BITS), min_size=1, max_size=4) | st.just([BITS[0]] * (EXTENSION_STEP + 2)),
        bodies=st.sampled_from(["in order", "backwards", "none"]),
    )
    def grow(self, pick: int, chain: list[int], bodies: str) -> None:
        """A branch on any block: headers first, then its bodies, or not yet."""
        block = self.model.blocks[pick % len(self.model.blocks)]
        branch = []
        for bits in chain:
            block = self.model.add(child_header(block.header, bits, len(self.model.blocks)), block)
            assert add(self.tree, block.header).header is block.header
            branch.append(block)
        if bodies != "none":
            self.give_bodies(branch if bodies == "in order" else branch[::-1])

    @rule(data=st.data(), count=st.integers(1, 6))
    def bodies_arrive(self, data: st.DataObject, count: int) -> None:
        lacking = [block for block in self.model.blocks if not block.has_body]
        if lacking:
            self.give_bodies(data.draw(st.permutations(lacking))[:count])

    def give_bodies(self, blocks: list[ModelBlock]) -> None:
        for block in blocks:
            block.has_body = True
            self.model.relink()
        self.tree.bodies_arrived([self.entry(block).row for block in blocks])

    @rule(pick=picks)
    def body_is_lost(self, pick: int) -> None:
        """Bodies of the active chain are never given up: their undo records will do."""
        active = self.model.tip.path
        stored = [block for block in self.model.blocks if block.has_body and block not in active]
        if stored:
            block = stored[pick % len(stored)]
            block.has_body = False
            self.model.relink()
            self.tree.body_lost(self.entry(block))

    @precondition(lambda self: len(self.model.blocks) > 1)
    @rule(pick=picks)
    def invalidate(self, pick: int) -> None:
        block = self.model.blocks[1 + pick % (len(self.model.blocks) - 1)]
        block.is_invalid = True
        self.tree.invalidate(self.entry(block))

    @rule(pick=picks)
    def reconsider(self, pick: int) -> None:
        """As Bitcoin Core's reconsiderblock: judgements on the block, its ancestors and its descendants are lifted."""
        chosen = self.model.blocks[pick % len(self.model.blocks)]
        family = [block for block in self.model.blocks if block in chosen.path or chosen in block.path]
        judged = [block for block in family if block.is_invalid]
        for block in judged:
            block.is_invalid = False
        self.commit()
        self.tree.reconsider(self.entry(chosen))
        changed = [record.hash for record in self.changes()]
        assert sorted(changed) == sorted(block.header.hash for block in judged)

    @rule(whole=st.booleans())
    def activate(self, whole: bool) -> None:
        """Follow the best candidate, one plan or to the end; what is connected turns out valid."""
        while (target := self.tree.best_candidate()) is not None:
            plan = plan_reorg(self.tree, target)
            self.check_plan(plan, target)
            for entry in plan.connect:
                self.tree.mark_connected(entry.row)
            end = plan.connect[-1] if plan.connect else plan.fork
            self.tree.activate(end)
            self.model.tip = self.block(end)
            if not whole:
                return
        assert self.model.tip is self.model.valid_tip

    @rule(pick=picks)
    def connecting_fails(self, pick: int) -> None:
        """A block on the way to the best candidate breaks a rule of its parent's state."""
        target = self.tree.best_candidate()
        if target is not None and (plan := plan_reorg(self.tree, target)).connect:
            entry = plan.connect[pick % len(plan.connect)]
            self.block(entry).is_invalid = True
            self.tree.invalidate(entry)

    @rule()
    def commit(self) -> None:
        self.changes()

    def changes(self) -> list[IndexRecord]:
        """The store learns what changed; with that it knows all."""
        changes = self.tree.take_changes()
        assert not self.tree.changed
        self.stored |= {record.hash: record for record in changes}
        assert self.stored == {record.hash: record for record in self.tree.headers.records(range(len(self.tree)))}
        return changes

    @rule()
    def restart(self) -> None:
        """A store hands its records out by height and hash."""
        self.commit()
        index = packed(self.stored.values())
        tip = self.tree.tip.hash
        self.tree = BlockTree(self.rulebook)
        self.tree.restore([index], tip)
        self.model.forget_moments()

    # --- what must hold

    def check_plan(self, plan: ReorgPlan, target: Entry) -> None:
        """Valid, and no longer than it must be."""
        tip, goal = self.model.tip, self.block(target)
        fork = self.model.fork_point(tip, goal)
        assert self.block(plan.fork) is fork
        assert [self.block(entry) for entry in plan.disconnect] == tip.path[: fork.height : -1]
        way = goal.path[fork.height + 1 :]
        if fork is tip:
            due = way[:EXTENSION_STEP]
        else:
            bar = self.model.weight(self.model.valid_tip)
            lighter = [block for block in way if self.model.weight(block) <= bar]
            due = way[: len(lighter) + 1]
        assert [self.block(entry) for entry in plan.connect] == due
        assert all(block.is_linked and not block.is_on_invalid_branch for block in due)

    @invariant()
    def entries_are_in_place(self) -> None:
        assert len(self.tree) == len(self.model.blocks)
        for block in self.model.blocks:
            entry = self.entry(block)
            assert entry.parent is (None if block.parent is None else self.entry(block.parent))
            assert (entry.height, entry.work) == (block.height, block.work)
            assert (entry.linked, entry.invalid) == (block.is_linked, block.is_on_invalid_branch)
            assert (Status.BODY in entry.status) == (Status.VERIFIED in entry.status) == block.has_body
            assert (Status.INVALID in entry.status) == block.is_invalid
            assert {child.hash for child in entry.children} == {c.header.hash for c in self.model.children(block)}

    @invariant()
    def active_chain_is_the_path_to_the_tip(self) -> None:
        path = [self.entry(block) for block in self.model.tip.path]
        assert self.tree.tip is path[-1]
        assert [self.tree.tip.ancestor(height) for height in range(len(path))] == list(path)
        for block in self.model.blocks:
            assert is_active(self.tree, self.entry(block)) == (block in self.model.tip.path)

    @invariant()
    def the_best_is_chosen(self) -> None:
        best = self.tree.best_candidate()
        assert best is not self.tree.tip
        assert self.block(best or self.tree.tip) in self.model.best()
        assert not self.tree.best_header.invalid
        assert self.tree.weight(self.tree.best_header) == self.model.heaviest_header_weight()

    @invariant()
    def leaves_end_branches(self) -> None:
        ends = [block for block in self.model.blocks if not self.model.children(block) or block is self.model.tip]
        assert {leaf.hash for leaf in self.tree.leaves()} == {block.header.hash for block in ends}


def test_tree_agrees_with_brute_force() -> None:
    run_state_machine_as_test(TreeMachine, settings=settings(max_examples=200, stateful_step_count=30))
