"""Header intake: every header rule is judged here, in slices, before anything else is done about a block.

Headers come in lists (sync, announcements) that may be long; the queue is worked off so many a turn. What is dated
past our clock is set aside and tried again when its time has come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pychain.base.time import NS, Now
from pychain.chain.header import Header
from pychain.consensus.contextual import check_header_in_context, check_not_too_new
from pychain.consensus.rules import Rule, RuleError
from pychain.consensus.semantic import check_proof_of_work
from pychain.ledger.overlay import Overlay
from pychain.ledger.tree import BlockTree, Entry, EntryBranch
from pychain.ledger.waiting import EarlyBlock, EarlyBlocks
from pychain.p2p.limits import MAX_HEADERS

HEADERS_A_TURN = 250
"""About 5 ms of Python: the loop stays free between slices."""


@dataclass(slots=True)
class HeaderList:
    """Headers from one peer (None: from here), oldest first, and how far they have been judged."""

    peer: int | None
    headers: Sequence[Header]
    answer: bool = False
    """It came when we had asked this peer for headers."""
    judged: int = 0
    new: int = 0
    last: Entry | None = None
    error: RuleError | None = None
    raw: bytes | None = field(default=None, repr=False)
    """The body of the last header, where it came along."""

    @property
    def is_full(self) -> bool:
        """As many as fit in a message: more may follow."""
        return len(self.headers) == MAX_HEADERS


class HeaderIntake:
    """Judges headers and grows the tree by them."""

    def __init__(self, tree: BlockTree, overlay: Overlay, on_judged: Callable[[HeaderList, Now], None]) -> None:
        """`on_judged` is called for each list once it is judged to its end or its first fault."""
        self._tree = tree
        self._overlay = overlay
        self._on_judged = on_judged
        self._queue: deque[HeaderList] = deque()
        self._early = EarlyBlocks(tree.rulebook.spec.max_future_s)
        self._wall_s = 0

    def submit(self, headers: HeaderList) -> None:
        """Queue a list."""
        self._queue.append(headers)

    def forget_peer(self, peer: int) -> None:
        """A peer is gone: what he sent and was not judged yet is dropped."""
        self._queue = deque(headers for headers in self._queue if headers.peer != peer)

    def work(self, now: Now) -> None:
        """One turn: retry what was early, judge up to `HEADERS_A_TURN` headers."""
        self._wall_s = now.wall_s
        for early in self._early.due(now.wall_s):
            self._queue.append(HeaderList(early.peer, (early.header,), raw=early.raw))
        budget = HEADERS_A_TURN
        while self._queue and budget > 0:
            current = self._queue[0]
            end = min(len(current.headers), current.judged + budget)
            budget -= end - current.judged
            self._judge(current, end, now.wall_s)
            if current.error is not None or current.judged == len(current.headers):
                self._queue.popleft()
                self._on_judged(current, now)

    def deadline(self, now: Now) -> int | None:
        """When `work` wants to be called next, monotonic ns."""
        if self._queue:
            return now.mono_ns
        due = self._early.next_wall_s()
        return None if due is None else now.mono_ns + max(0, due - now.wall_s) * NS

    def accept(self, header: Header, wall_s: int) -> Entry:
        """Judge one header now; RuleError where it breaks a rule. A known one is not judged again."""
        entry = self._tree.get(header.hash)
        if entry is not None:
            if entry.doomed:
                raise RuleError(Rule.PREVIOUS_INVALID, "this block, or one before it, was judged invalid")
            return entry
        check_proof_of_work(self._tree.rulebook.spec, header)
        parent = self._tree.get(header.prev_hash)
        if parent is None:
            raise RuleError(Rule.PREVIOUS_UNKNOWN)
        if parent.doomed:
            raise RuleError(Rule.PREVIOUS_INVALID)
        check_header_in_context(self._tree.rulebook, header, EntryBranch(parent))
        check_not_too_new(self._tree.rulebook, header, wall_s)
        entry = self._tree.add(header)
        self._overlay.put_index(entry.record)
        return entry

    def _judge(self, headers: HeaderList, end: int, wall_s: int) -> None:
        while headers.judged < end:
            header = headers.headers[headers.judged]
            known = len(self._tree)
            try:
                headers.last = self.accept(header, wall_s)
            except RuleError as error:
                headers.error = error
                if error.rule is Rule.TIME_TOO_NEW:
                    raw = headers.raw if headers.judged == len(headers.headers) - 1 else None
                    self._early.set_aside(EarlyBlock(header, headers.peer, raw), wall_s)
                return
            headers.judged += 1
            headers.new += len(self._tree) - known
