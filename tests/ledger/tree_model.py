"""The block tree by brute force: what it must say, worked out from definitions at every question."""

from __future__ import annotations

from pychain.chain.header import Header, new_header
from pychain.chain.target import work_from_bits
from pychain.consensus.rulebook import Rulebook
from pychain.ledger.tree import BlockTree, Entry
from tests.support.builder import spec_of
from tests.support.network import Network
from tests.support.trees import add

BITS = (0x207FFFFF, 0x203FFFFF)
"""Work 2 and 4: sums that tie often."""


class ToyRulebook(Rulebook):
    """A fork choice as a plug-in may have it: height first, then the remainder of the work."""

    def weight(self, chain_work: int, height: int) -> int:
        return 7 * height + chain_work % 7


def rulebook(fork_choice: str) -> Rulebook:
    if fork_choice == "toy":
        return ToyRulebook(spec_of(Network()))
    return Rulebook(spec_of(Network(fork_choice=fork_choice)))


def child_header(parent: Header, bits: int, nonce: int) -> Header:
    """A header on a parent; the nonce makes it its own. Nobody in the tree asks for its proof of work."""
    return new_header(1, parent.hash, bytes(32), parent.time + 1, bits, nonce)


def grow(tree: BlockTree, parent: Entry, chain: list[int], *, nonce: int = 0, bodies: bool = False) -> list[Entry]:
    """Headers on a parent, one on the other; the bodies too where they are asked for."""
    branch = []
    for bits in chain:
        parent = add(tree, child_header(parent.header, bits, nonce))
        branch.append(parent)
    if bodies:
        tree.bodies_arrived([entry.row for entry in branch])
    return branch


class ModelBlock:
    """A block as the definitions see it.

    path: from genesis to it. work: the sum over its path. moment: when it became linked, None while it is not.
    """

    def __init__(self, header: Header, parent: ModelBlock | None) -> None:
        self.header = header
        self.parent = parent
        self.path: list[ModelBlock] = [*(parent.path if parent else ()), self]
        self.height = len(self.path) - 1
        self.work = sum(work_from_bits(block.header.bits) for block in self.path)
        self.has_body = False
        self.is_invalid = False
        self.moment: int | None = None

    @property
    def is_on_invalid_branch(self) -> bool:
        return any(block.is_invalid for block in self.path)

    @property
    def is_linked(self) -> bool:
        return all(block.has_body for block in self.path)


class TreeModel:
    """All blocks, and which of them is the active tip."""

    def __init__(self, rules: Rulebook) -> None:
        self.rules = rules
        genesis = ModelBlock(rules.spec.genesis.header, None)
        genesis.has_body, genesis.moment = True, 0
        self.blocks = [genesis]
        self.tip = genesis
        self._moment = 0

    def weight(self, block: ModelBlock) -> int:
        return self.rules.weight(block.work, block.height)

    def add(self, header: Header, parent: ModelBlock) -> ModelBlock:
        block = ModelBlock(header, parent)
        self.blocks.append(block)
        return block

    def relink(self) -> None:
        """Bodies came or went: note the moment for what is linked now and was not before."""
        self._moment += 1
        for block in self.blocks:
            if not block.is_linked:
                block.moment = None
            elif block.moment is None:
                block.moment = self._moment

    def forget_moments(self) -> None:
        """What was seen first is not on disk."""
        for block in self.blocks:
            block.moment = 0 if block.is_linked else None

    @property
    def valid_tip(self) -> ModelBlock:
        """The last block of the active chain before the first invalid one."""
        return [block for block in self.tip.path if not block.is_on_invalid_branch][-1]

    def best(self) -> list[ModelBlock]:
        """What the tip should be: the heaviest, the first linked of equals (several where they became linked at one
        stroke), and of equals whose moments are forgotten what is left of the active chain.
        """
        ranks = {
            block: (-self.weight(block), block.moment)
            for block in self.blocks
            if block.is_linked and not block.is_on_invalid_branch
        }
        first = min(ranks.values())
        best = [block for block, rank in ranks.items() if rank == first]
        return [self.valid_tip] if self.valid_tip in best and not self.valid_tip.moment else best

    def heaviest_header_weight(self) -> int:
        return max(self.weight(block) for block in self.blocks if not block.is_on_invalid_branch)

    def fork_point(self, one: ModelBlock, other: ModelBlock) -> ModelBlock:
        return [a for a, b in zip(one.path, other.path, strict=False) if a is b][-1]

    def children(self, block: ModelBlock) -> list[ModelBlock]:
        return [other for other in self.blocks if other.parent is block]
