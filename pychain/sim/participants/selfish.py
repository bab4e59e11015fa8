"""Selfish mining: algorithm 1 of Eyal and Sirer, "Majority is not Enough: Bitcoin Mining is Vulnerable" (Financial
Cryptography 2014).

The node's own fork choice does half of the work: it stays on the attacker's branch while that is at least as long as
the public one, and follows the public one once it is longer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from pychain.chain.block import Block
from pychain.chain.header import decode_header
from pychain.ledger.tree import Entry
from pychain.node.events import Event, NewTip
from pychain.p2p.messages import Fields, Headers, Inv
from pychain.sim.participants.withholding import Withholding


class SelfishMiner(Withholding):
    """Mines in secret, and releases blocks when the honest miners come close. It relays no other blocks."""

    name = "selfish"

    def __init__(self, near: Collection[str] = (), tied: Callable[[Entry], None] = lambda entry: None) -> None:
        """`near`: the peers to which the attacker's branch is released up to the public height; `tied` is called with
        each branch that ties with the public one."""
        super().__init__()
        self._near = near
        self._tied = tied
        self._public: tuple[int, bytes] = (0, b"")
        """Height and hash of the longest public chain, the first one seen."""

    def found(self, block: Block) -> bool:
        self.hide(block.hash)
        return True

    def announcement(self, peer: str, message: Headers | Inv) -> Fields | None:
        return None

    def received(self, peer: str, message: Fields) -> None:
        super().received(peer, message)
        if isinstance(message, Headers) and message.headers:
            last = decode_header(message.headers[-1]).hash
            self.host.after(0, lambda: self._heard_of(last))

    def heard(self, event: Event) -> None:
        if isinstance(event, NewTip) and self.is_hidden(event.header.hash):
            self.host.after(0, self._own_grew)

    def _heard_of(self, block_hash: bytes) -> None:
        """React to a block that made the public chain longer, unless its header is invalid."""
        queries = self.host.node.queries
        entry = queries.entry(block_hash)
        if entry is None or entry.height <= self._public[0]:
            return  # the same block from another peer, or a competing block of honest miners
        self._public = (entry.height, entry.hash)
        tip = queries.tip
        if not self.is_hidden(tip.hash):
            return
        lead = tip.height - entry.height
        if lead == 0:
            self._tie(tip)
        elif lead == 1:
            self._win(tip)
        elif lead > 1:
            shown = queries.at(entry.height)
            assert shown is not None
            self.release(shown, self._near)

    def _own_grew(self) -> None:
        """React to an own block: in a tie it wins; otherwise it is withheld."""
        tip, (height, block_hash) = self.host.node.queries.tip, self._public
        if not self.is_hidden(tip.hash):
            return
        if tip.height == height:  # found while the public block was on its way
            self._tie(tip)
        elif tip.height == height + 1 and tip.prev_hash != block_hash:
            self._win(tip)

    def _win(self, tip: Entry) -> None:
        """Release the whole branch, which is the longest."""
        self._public = (tip.height, tip.hash)
        self.release(tip)

    def _tie(self, tip: Entry) -> None:
        """Release a branch that ties with the public one, to the peers that it reaches first."""
        self._tied(tip)
        self.release(tip, self._near)
