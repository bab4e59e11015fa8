"""Mining: when to mine, and on which template. The search itself is done by the runtime.

A template's transfers are selected in slices, one per turn. On dev networks, blocks may be mined at random intervals:
the search for a block then starts when a random delay has passed.
"""

from __future__ import annotations

from collections.abc import Iterable

from pychain.base.deadlines import Deadlines
from pychain.base.entropy import Random
from pychain.base.time import NS, Now, seconds
from pychain.ledger.entry import EntryBranch
from pychain.ledger.mempool import Mempool
from pychain.ledger.pending import Queue
from pychain.ledger.template import BlockTemplate, Selection, template_on
from pychain.ledger.tree import BlockTree, Entry
from pychain.node.effects import Reply, StartMining, StopMining
from pychain.node.outbox import Outbox
from pychain.node.outcomes import Outcomes
from pychain.node.view import ChainView
from pychain.p2p.draws import exponential

REFRESH_NS = 2 * NS
"""Minimum time before a template is replaced for transfers that pay better; a new tip replaces it at once."""
TRANSFERS_A_TURN = 2_500
"""Transfers considered for a template in one turn, a few ms of Python."""


class Mining:
    """Makes templates and keeps the runtime's miner on the right one."""

    def __init__(
        self,
        tree: BlockTree,
        view: ChainView,
        mempool: Mempool,
        outbox: Outbox,
        random: Random,
        recipient: bytes | None,
        interval_s: float,
        deadlines: Deadlines,
    ) -> None:
        self._tree = tree
        self._view = view
        self._wake = deadlines.add(self)
        self._now_ns = 0
        self._mempool = mempool
        self._outbox = outbox
        self._random = random
        self._interval_ns = seconds(interval_s)
        self.recipient = recipient
        """Public key that blocks pay to, None while this node does not mine."""
        self._next_block_ns: int | None = None
        """With random intervals: when the next block is due."""
        self._on: tuple[Entry, int | None] | None = None
        """Tip and mempool revision of the template being mined; no revision for a block without transfers."""
        self._made_ns = 0
        self._asked: list[int] = []
        """Requests that wait for a template."""
        self._selection: Selection | None = None
        """The latest selection of transfers, for the tip and mempool revision in `_selected`."""
        self._selected: tuple[Entry, int] = (tree.tip, -1)
        self._is_choosing = False
        self._cached: tuple[Selection, int, BlockTemplate] | None = None

    def next_bits(self, entry: Entry) -> int:
        """Bits of the block after `entry`."""
        return self._tree.rulebook.next_bits(EntryBranch(entry))

    def start(self) -> None:
        """The node has started: begin to mine if configured."""
        self._wake(0)

    def ask(self, request_id: int) -> None:
        """Answer a request with a template on the working tip, once its transfers are selected."""
        self._asked.append(request_id)
        self._wake(0)

    def _choose(self) -> Selection | None:
        """Do one slice of selecting the next block's transfers; returns the selection once it is complete.

        It starts again for a new tip and, once complete, for a new state of the mempool; transfers that come meanwhile
        wait for the next selection.
        """
        tip, revision = self._tree.tip, self._mempool.revision
        made = self._selection is not None and self._selection.is_made
        if self._selection is None or self._selected[0] is not tip or (made and self._selected[1] != revision):
            if not self._mempool.is_settled:
                return None
            self._selection = self._new_selection(self._mempool.queues())
            self._selected = (tip, revision)
        return self._selection if self._selection.advance(TRANSFERS_A_TURN) else None

    def _new_selection(self, queues: Iterable[Queue]) -> Selection:
        return Selection(queues, self._tree.rulebook.spec.max_block_bytes)

    def _template(self, selection: Selection, now: Now) -> BlockTemplate:
        """A template on the working tip with the selected transfers."""
        if self._cached is not None and self._cached[:2] == (selection, now.wall_s):
            return self._cached[2]
        template = template_on(
            self._tree.rulebook, self._tree.tip, now.wall_s, tuple(selection.transfers), selection.fees
        )
        self._cached = (selection, now.wall_s, template)
        return template

    def set_recipient(self, recipient: bytes | None) -> None:
        """Mine to this key from the next turn on, or stop mining (None)."""
        self.recipient = recipient
        self.pause()
        self._next_block_ns = None
        self._wake(0)

    def pause(self) -> None:
        """Stop mining until a later turn starts it again."""
        if self._on is not None:
            self._on = None
            self._outbox.emit(StopMining())

    def follow(self, outcomes: Outcomes, now: Now) -> None:
        """The chain or the mempool may have changed: check at the end of this turn if the template must change."""
        for _ in outcomes.tips:
            self._draw_interval(now)
        if self.recipient is not None:
            self._wake(0)

    def poll(self, now: Now) -> None:
        """Select transfers where a template is needed; start, update or stop mining. A node whose tip is far behind its
        best header does not mine.
        """
        self._now_ns = now.mono_ns
        searches = self.recipient is not None and not self._view.is_behind() and self._is_due(now)
        if not searches:
            self.pause()
        outdated = searches and self._is_outdated(now)
        self._is_choosing = outdated or bool(self._asked)
        if not self._is_choosing:
            return
        selection = self._choose()
        if selection is not None:
            self._is_choosing = False
            for request_id in self._asked:
                self._outbox.emit(Reply(request_id, self._template(selection, now)))
            self._asked.clear()
        if outdated and selection is not None:
            self._search(selection, self._selected[1], now)
        elif outdated and (self._on is None or self._on[0] is not self._tree.tip):
            self._search(self._new_selection(()), None, now)  # better an empty block meanwhile than one on an old tip

    def _is_outdated(self, now: Now) -> bool:
        """Whether the template being mined is missing, on an old tip, or due for a refresh of its transfers."""
        if self._on is None or self._on[0] is not self._tree.tip or self._on[1] is None:
            return True
        return self._on[1] != self._mempool.revision and now.mono_ns >= self._made_ns + REFRESH_NS

    def _search(self, selection: Selection, revision: int | None, now: Now) -> None:
        assert self.recipient is not None
        template = self._template(selection, now)
        self._made_ns = now.mono_ns
        if template.time > template.max_time:  # the chain is ahead of our clock: wait for it
            self.pause()
            return
        self._on = (self._tree.tip, revision)
        self._outbox.emit(StartMining(template, self.recipient))

    def deadline(self) -> int | None:
        if self._is_choosing:
            return self._now_ns
        if self.recipient is None:
            return None
        if self._next_block_ns is not None and self._now_ns < self._next_block_ns:
            return self._next_block_ns
        if self._on is None:
            return self._now_ns + REFRESH_NS
        return self._made_ns + REFRESH_NS if self._on[1] != self._mempool.revision else None

    def _draw_interval(self, now: Now) -> None:
        """A block joined the chain: with random intervals, draw the delay until the next one."""
        if self._interval_ns:
            self._next_block_ns = now.mono_ns + exponential(self._random, self._interval_ns)

    def _is_due(self, now: Now) -> bool:
        if not self._interval_ns:
            return True
        if self._next_block_ns is None:
            self._draw_interval(now)
        return self._next_block_ns is not None and now.mono_ns >= self._next_block_ns
