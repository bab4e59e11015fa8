"""A reorganisation as data: what to disconnect, what to connect, in order."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from pychain.ledger.tree import BlockTree, Entry

EXTENSION_STEP = 16
"""Blocks of a plain extension planned at once: bodies are read ahead this far."""


@dataclass(frozen=True, slots=True)
class ReorgPlan:
    """The steps from the active tip to `target`.

    disconnect: blocks to disconnect, the tip first. connect: blocks to connect, the lowest first. Both are empty for
    the tip itself; `disconnect` is empty if `target` extends the chain.
    """

    fork: Entry
    disconnect: tuple[Entry, ...]
    connect: tuple[Entry, ...]


def plan_reorg(tree: BlockTree, target: Entry) -> ReorgPlan:
    """The shortest plan that reaches a better tip on `target`'s branch.

    If blocks must be disconnected, the plan ends at the first block of the branch that outweighs the valid part of the
    active chain, so that the single commit of the reorganisation stays small; the rest is plain extension.
    """
    tip = tree.tip
    if target.height > tip.height + EXTENSION_STEP:
        ahead = target.ancestor(tip.height + EXTENSION_STEP)
        if ahead.descends_from(tip):
            target = ahead
    fork = tree.fork_point(tip, target)
    disconnect = tree.path(fork, tip)[::-1]
    connect = tree.path(fork, target)
    if disconnect:
        lighter = bisect_right(connect, tree.weight(tree.valid_tip), key=tree.weight)
        del connect[lighter + 1 :]
    return ReorgPlan(fork, tuple(disconnect), tuple(connect))
