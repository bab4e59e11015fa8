"""The chain: all known blocks, their failures, and the branch that is followed.

The bodies of competing branches are checked alone (levels 1 and 2) when they arrive, and on the state of their parents
when they could become the tip. Early blocks are kept without bound.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.specification.blocks import Block, decode_block, decode_header, judge_block
from tests.specification.branch import check_header_on, check_not_too_new
from tests.specification.headers import Header, check_proof_of_work, work_of
from tests.specification.network import Network, read_network
from tests.specification.rules import BrokenRuleError
from tests.specification.state import State, apply_block, genesis_state
from tests.specification.transactions import check_lone_transaction

OPERATOR = "invalidated by the operator"


@dataclass
class Node:
    """A header that is valid on its parent, and the status of its block.

    work: of the branch up to here. block: set once its body is known and valid at levels 1 and 2. arrival: the order in
    which blocks were first seen, each with all ancestors. failure: why the block itself is invalid, or None.
    """

    header: Header
    parent: Node | None
    work: int
    block: Block | None = None
    arrival: int | None = None
    failure: str | None = None

    def branch(self) -> list[Node]:
        """From genesis to here."""
        nodes = [self]
        while (parent := nodes[-1].parent) is not None:
            nodes.append(parent)
        return nodes[::-1]

    @property
    def is_invalid(self) -> bool:
        """A block on an invalid block is invalid; an invalid block says nothing about its ancestors."""
        return any(node.failure for node in self.branch())

    @property
    def may_lead(self) -> bool:
        """Whether this may become the tip."""
        return self.arrival is not None and not self.is_invalid


class Chain:
    """A chain made from a network's TOML and a clock; its answers are rule codes, None if no rule is broken."""

    def __init__(self, network_toml: str, clock: int) -> None:
        self.network: Network = read_network(network_toml)
        self.clock = clock
        genesis = decode_block(self.network, self.network.genesis)  # it needs no proof of work
        self.tip = Node(genesis.header, None, work_of(genesis.header.bits), genesis, 0)
        self.nodes = {genesis.hash: self.tip}
        self.arrivals = 0
        self.waiting: list[bytes] = []
        """Raw blocks that were too early, in the order in which they came."""

    # --- inputs

    def submit(self, raw: bytes) -> str | None:
        """Take a raw block, and choose the tip again."""
        try:
            node = self._admit(raw)
        except BrokenRuleError as broken:
            code: str | None = broken.code
            if broken.blame == "nobody":
                self.waiting.append(raw)
        else:
            self._choose_tip()
            code = node.failure or ("bad-prevblk" if node.is_invalid else None)
        self._try_waiting()
        return code

    def submit_transaction(self, raw: bytes) -> str | None:
        """Check a transaction outside a block."""
        try:
            check_lone_transaction(self.network, raw)
        except BrokenRuleError as broken:
            return broken.code
        return None

    def set_clock(self, clock: int) -> None:
        self.clock = clock
        self._try_waiting()

    def invalidate(self, block_hash: bytes) -> None:
        """The operator declares a block invalid."""
        self.nodes[block_hash].failure = OPERATOR
        self._choose_tip()

    def reconsider(self, block_hash: bytes) -> None:
        """Clear the failures of a block, its ancestors and its descendants."""
        chosen = self.nodes[block_hash]
        for node in self.nodes.values():
            if chosen in node.branch() or node in chosen.branch():
                node.failure = None
        self._choose_tip()

    def state(self) -> State:
        """The state at the tip."""
        return self._state_after(self.tip)

    # --- the rules

    def _admit(self, raw: bytes) -> Node:
        """The block's node, a new one if its header was not known.

        The header is checked first, alone and on its parent: that is cheap, while making one takes work. A failure of
        the block is stored, but not if the bytes are not the block's body.
        """
        header = decode_header(raw)
        check_proof_of_work(self.network, header)
        node = self.nodes.get(header.hash) or self._place(header)
        if node.is_invalid:
            return node  # no body can make it valid
        try:
            node.block = judge_block(self.network, raw)
        except BrokenRuleError as broken:
            if broken.blame == "block":
                node.failure = broken.code
            raise
        self._count_arrivals()
        return node

    def _place(self, header: Header) -> Node:
        """A new node for a header that is valid on its parent."""
        parent = self.nodes.get(header.prev_hash)
        if parent is None:
            raise BrokenRuleError("prev-blk-not-found")
        if parent.is_invalid:
            raise BrokenRuleError("bad-prevblk")
        check_header_on(self.network, [node.header for node in parent.branch()], header)
        check_not_too_new(self.network, header, self.clock)
        node = Node(header, parent, parent.work + work_of(header.bits))
        self.nodes[header.hash] = node
        return node

    def _count_arrivals(self) -> None:
        """Number the blocks that have arrived; their headers came in the order of `nodes`, parents first."""
        for node in self.nodes.values():
            if node.block and node.parent and node.parent.arrival is not None and node.arrival is None:
                node.arrival = self.arrivals = self.arrivals + 1

    def _choose_tip(self) -> None:
        """Choose the heaviest valid branch, the first seen of equals. Invalid blocks are found on the way."""
        while True:
            best = max((node for node in self.nodes.values() if node.may_lead), key=self._preference)
            try:
                self._state_after(best)
            except InvalidNodeError as found:
                found.node.failure = found.code
            else:
                self.tip = best
                return

    def _preference(self, node: Node) -> tuple[int, int]:
        assert node.arrival is not None
        weight = {"most-work": node.work, "longest": len(node.branch())}[self.network.fork_choice]
        return weight, -node.arrival

    def _state_after(self, last: Node) -> State:
        state = genesis_state(self.network)
        for node in last.branch()[1:]:
            assert node.block is not None
            try:
                state = apply_block(self.network, state, node.block)
            except BrokenRuleError as broken:
                raise InvalidNodeError(node, broken.code) from None
        return state

    def _try_waiting(self) -> None:
        """Retry waiting blocks until nothing changes: one block may be the parent of others."""
        before = None
        while self.waiting != before:
            before = self.waiting
            self.waiting = [raw for raw in before if self._is_too_early(raw)]

    def _is_too_early(self, raw: bytes) -> bool:
        """Retry one waiting block; if it is no longer early, it is removed whatever the result."""
        try:
            self._admit(raw)
        except BrokenRuleError as broken:
            return broken.blame == "nobody"
        self._choose_tip()
        return False


class InvalidNodeError(Exception):
    """A block of a branch breaks a rule while the state of the branch is computed."""

    def __init__(self, node: Node, code: str) -> None:
        super().__init__(code)
        self.node = node
        self.code = code
