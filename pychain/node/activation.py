"""Activation: making the best candidate the tip, in slices, by disconnecting and connecting blocks.

Blocks that extend the chain are connected as they come, several per turn. A reorganisation is prepared in a layer of
its own and enters the overlay as a whole, so it is one commit and readers never see a part of it. A block that turns
out invalid here (level 3) is marked invalid, and the next best candidate is tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pychain.base.errors import DecodeError
from pychain.chain.block import Block
from pychain.consensus.rules import RuleError
from pychain.consensus.state import (
    Account,
    BlockConnection,
    Reward,
    maturing_height,
    reward_of,
    undo_rows,
)
from pychain.ledger.overlay import AccountLayer, Overlay
from pychain.ledger.reorg import ReorgPlan, plan_reorg
from pychain.ledger.tree import BlockTree, Entry
from pychain.node.bodies import Bodies
from pychain.node.outcomes import InvalidBlock, Outcomes, TipChange

WORK_A_TURN = 1_500
"""Accounts read or restored, or transfers applied, in one turn: 1 to 2 ms of Python, several times that in wall time
where other threads compete for the interpreter."""
BLOCK_WORK = 15
"""Cost of a block besides its transfers, in transfers."""
PREFETCH = 16
"""Bodies read ahead of the one that is needed."""
MAX_UNCOMMITTED_TRANSACTIONS = 50_000
MAX_UNCOMMITTED_BYTES = 64 * 1024 * 1024
"""Activation waits for the disk while this much is connected but not sealed into a commit."""


@dataclass(slots=True)
class _Undone:
    entry: Entry
    block: Block | None


@dataclass(slots=True)
class _Connected:
    entry: Entry
    block: Block
    undo: bytes
    reward: Reward


class _Transition:
    """A reorganisation plan and its progress, in a layer over the overlay."""

    def __init__(self, plan: ReorgPlan, overlay: Overlay) -> None:
        self.plan = plan
        self.to_undo = list(plan.disconnect)
        self.to_connect = list(reversed(plan.connect))
        """Blocks left, the next one last."""
        self.layer = AccountLayer(overlay)
        self.undone: list[_Undone] = []
        """Lowest block first: where several undo records have an account, the lowest block's value counts."""
        self.connected: list[_Connected] = []
        self.rewards: dict[bytes, Reward] = {}
        """Those of the blocks in `connected`, by block hash."""
        self.undoing: Iterator[tuple[bytes, int, int]] | None = None
        """The rest of the undo record of the block that is being disconnected."""
        self.connection: BlockConnection | None = None
        self.connecting: Block | None = None

    @property
    def is_invalid(self) -> bool:
        """Whether a block to connect has turned out invalid, and with it the last one."""
        return bool(self.plan.connect) and self.plan.connect[-1].invalid

    @property
    def extends_by_whole_blocks(self) -> bool:
        """Whether the blocks connected so far may enter the overlay already: none was disconnected, and none is half
        applied."""
        return not self.plan.disconnect and bool(self.connected) and self.connection is None

    @property
    def done(self) -> bool:
        return not (self.to_undo or self.to_connect)


class Activation:
    """Moves the working tip towards the best candidate."""

    def __init__(self, tree: BlockTree, overlay: Overlay, bodies: Bodies, outcomes: Outcomes) -> None:
        self._tree = tree
        self._spec = tree.rulebook.spec
        self._overlay = overlay
        self._bodies = bodies
        self._outcomes = outcomes
        self._transition: _Transition | None = None
        self._waiting = False

    @property
    def idle(self) -> bool:
        """Whether the tip is the best candidate."""
        return self._transition is None and self._tree.best_candidate() is None

    @property
    def wants_turn(self) -> bool:
        """Whether there is work that can be done now, without waiting for a result."""
        return not self._waiting and not self.is_held_up and not self.idle

    @property
    def is_held_up(self) -> bool:
        """Whether activation waits for the disk, because too much is uncommitted."""
        overlay = self._overlay
        return (
            overlay.connected_transactions > MAX_UNCOMMITTED_TRANSACTIONS or overlay.body_bytes > MAX_UNCOMMITTED_BYTES
        )

    def work(self) -> None:
        """Do one turn of at most about `WORK_A_TURN`."""
        self._waiting = False
        budget = WORK_A_TURN
        while budget > 0 and not self._waiting and not self.is_held_up:
            if self._transition is None:
                target = self._tree.best_candidate()
                if target is None:
                    return
                self._transition = _Transition(plan_reorg(self._tree, target), self._overlay)
            elif self._transition.is_invalid:
                self._transition = None
                continue
            budget -= self._advance(self._transition, budget)
        transition = self._transition
        if transition is not None and transition.extends_by_whole_blocks:
            self._finish(transition)

    def abandon(self) -> None:
        """Drop the transition in progress, because the validity of blocks has changed."""
        self._transition = None

    def _advance(self, transition: _Transition, budget: int) -> int:
        """Do one step; returns its cost, or sets `_waiting` where a body is not in memory."""
        if transition.to_undo:
            cost = self._undo(transition, transition.to_undo[-1], budget)
        elif transition.to_connect:
            cost = self._connect(transition, transition.to_connect[-1], budget)
        else:
            cost = BLOCK_WORK
        if transition.done and self._transition is transition:
            self._finish(transition)
        return cost

    def _undo(self, transition: _Transition, entry: Entry, budget: int) -> int:
        block = self._bodies.block(entry)
        if block is None and not self._bodies.is_damaged(entry):
            self._wait_for(transition.to_undo)
            return 0
        if transition.undoing is None:
            transition.undoing = self._undo_rows(entry)
        rows = list(islice(transition.undoing, budget))
        changes = transition.layer.changes
        changes.update({key: Account(balance, sequence) for key, balance, sequence in rows if key not in changes})
        if len(rows) < budget:
            transition.undone.append(_Undone(transition.to_undo.pop(), block))
            transition.undoing = None
        return BLOCK_WORK + len(rows)

    def _undo_rows(self, entry: Entry) -> Iterator[tuple[bytes, int, int]]:
        record = self._overlay.undo(entry.hash)
        if record is None:
            raise OSError(f"block {entry.height} must be disconnected, but its undo record is pruned or lost")
        try:
            return undo_rows(record)
        except DecodeError as error:
            raise OSError(
                f"block {entry.height} must be disconnected, but its undo record is damaged: {error}"
            ) from None

    def _connect(self, transition: _Transition, entry: Entry, budget: int) -> int:
        try:
            if transition.connection is None:
                block = self._bodies.block(entry)
                if block is None:
                    self._await_body(transition, entry)
                    return 0
                transition.connecting = block
                matured = self._maturing_reward(transition, entry)
                transition.connection = BlockConnection(self._spec, block, entry.height, transition.layer, matured)
            connection, block = transition.connection, transition.connecting
            assert block is not None
            before = connection.work_done
            is_whole = connection.advance(budget)
            cost = BLOCK_WORK + connection.work_done - before
            if is_whole:
                transition.layer.changes.update(connection.changes)
                reward = reward_of(connection.coinbase)
                transition.connected.append(
                    _Connected(transition.to_connect.pop(), block, connection.undo_record, reward)
                )
                transition.rewards[block.hash] = reward
                transition.connection = transition.connecting = None
            return cost
        except RuleError as error:
            self._transition = None
            self._tree.invalidate(entry)
            self._outcomes.invalid.append(InvalidBlock(entry, error))
            return BLOCK_WORK

    def _await_body(self, transition: _Transition, entry: Entry) -> None:
        """Wait for the disk to read a body; a damaged one must come from the network again."""
        if self._bodies.is_damaged(entry):
            self._transition = None
            self._tree.body_lost(entry)
            self._bodies.forget_damage(entry)
            self._outcomes.lost_bodies.append(entry)
            return
        self._wait_for(transition.to_connect)

    def _wait_for(self, entries: list[Entry]) -> None:
        """Wait for the bodies of these blocks, the last one first."""
        for ahead in entries[: -PREFETCH - 1 : -1]:
            self._bodies.prefetch(ahead)
        self._waiting = True

    def _maturing_reward(self, transition: _Transition, entry: Entry) -> Reward | None:
        height = maturing_height(self._spec, entry.height)
        if height is None or height == entry.height:
            return None
        matures = entry.ancestor_hash(height)
        reward = transition.rewards.get(matures) or self._overlay.reward(matures)
        if reward is None:
            raise OSError(f"the reward of block {height} is not in the store")
        return reward

    def _finish(self, transition: _Transition) -> None:
        """Put the changes into the overlay, move the tip, and record the change as an outcome."""
        overlay, plan = self._overlay, transition.plan
        overlay.put_accounts(transition.layer.changes)
        for undone in reversed(transition.undone):
            overlay.disconnect(undone.entry.hash, undone.entry.prev_hash)
        tip = plan.fork
        for step in transition.connected:
            overlay.connect(step.block, step.undo, step.reward)
            self._tree.mark_connected(step.entry.row)
            tip = step.entry
        self._tree.activate(tip)
        self._transition = None
        self._outcomes.tips.append(
            TipChange(
                tuple([undone.block for undone in reversed(transition.undone) if undone.block is not None]),
                tuple([step.block for step in transition.connected]),
                tuple(transition.layer.changes),
            )
        )
