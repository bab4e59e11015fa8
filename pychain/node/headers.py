"""Header intake: all header rules are checked here, in slices, before anything else is done with a block.

Headers come in lists (sync, announcements) that may be long; a bounded number is processed per turn. A long chain must
show its work in a first pass (presync) before any of it is stored. Headers with a time too far ahead of our clock are
set aside and retried later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pychain.base.deadlines import Deadlines
from pychain.base.entropy import Entropy
from pychain.base.errors import DecodeError
from pychain.base.time import NS, Now
from pychain.chain.header import Header
from pychain.chain.target import work_from_bits
from pychain.consensus.contextual import check_header_in_context, check_not_too_new
from pychain.consensus.rules import Rule, RuleError
from pychain.consensus.semantic import check_proof_of_work
from pychain.ledger.entry import EntryBranch
from pychain.ledger.packed import INVALID_BRANCH
from pychain.ledger.presync import SALT_BYTES, Presync, PresyncError, stored_work_threshold
from pychain.ledger.tree import BlockTree
from pychain.ledger.waiting import EarlyBlock, EarlyBlocks
from pychain.node.outcomes import HeaderList, Outcomes
from pychain.p2p.limits import MAX_HEADERS

HEADERS_A_TURN = 100
"""About 2 ms of Python, 15 with a retarget rule that reads a window of headers for each, so the loop is not blocked."""
MAX_QUEUED_A_PEER = 2 * MAX_HEADERS
"""Headers queued per peer: an answer to a request, and announcements meanwhile."""
MAX_INBOUND_PRESYNCS = 8
"""Concurrent presyncs of inbound peers: one bit per header, so under 1 MB per million headers each. Those of outbound
peers are not counted, as they are few."""


class HeaderIntake:
    """Checks headers and adds them to the tree."""

    def __init__(self, tree: BlockTree, entropy: Entropy, outcomes: Outcomes, deadlines: Deadlines) -> None:
        """Each list becomes an outcome once it is checked to its end or its first fault."""
        self._tree = tree
        self._entropy = entropy
        self._outcomes = outcomes
        self._wake = deadlines.add(self)
        self._retry_ns: int | None = None
        """When the first of the early blocks is due."""
        self._queue: deque[HeaderList] = deque()
        self._queued: dict[int, int] = {}
        """Headers in the queue, by peer."""
        self._early = EarlyBlocks(tree.rulebook.spec.max_future_s)
        self._presyncs: dict[int, Presync] = {}
        self._branch = EntryBranch(tree.tip)
        """The branch of the last accepted header, up to that header."""
        self._inbound_presyncs: dict[int, None] = {}
        """The inbound peers in `_presyncs`."""

    def submit(self, headers: HeaderList) -> bool:
        """Queue a list; False where it is dropped because its peer has sent too many."""
        if headers.peer is not None:
            queued = self._queued.get(headers.peer, 0) + len(headers.headers)
            if queued > MAX_QUEUED_A_PEER:
                return False
            self._queued[headers.peer] = queued
        self._queue.append(headers)
        return True

    def connects(self, peer: int, header: Header) -> bool:
        """Whether this header follows a known block, or the last header of this peer's presync."""
        presync = self._presyncs.get(peer)
        is_next = presync is not None and header.prev_hash == presync.last
        return is_next or self._tree.get(header.prev_hash) is not None

    def forget_peer(self, peer: int) -> None:
        """Drop the queued headers of a peer that is gone."""
        self._queue = deque(headers for headers in self._queue if headers.peer != peer)
        self._queued.pop(peer, None)
        self._end_presync(peer)

    @property
    def wants_turn(self) -> bool:
        """Whether headers are queued."""
        return bool(self._queue)

    def work(self, now: Now) -> None:
        """Do one turn: retry early headers that are due, check up to `HEADERS_A_TURN` headers."""
        if not self._queue and not self._early:
            return
        for early in self._early.due(now.wall_s):
            self.submit(HeaderList(early.peer, (early.header,), raws=() if early.raw is None else (early.raw,)))
        budget = HEADERS_A_TURN
        while self._queue and budget > 0:
            current = self._queue[0]
            end = min(len(current.headers), current.checked + budget)
            budget -= end - current.checked
            if self._check(current, end, now.wall_s):
                self._leave_queue()
                self._outcomes.headers.append(current)
        self._plan_retry(now)

    def _leave_queue(self) -> None:
        headers = self._queue.popleft()
        if headers.peer is not None:
            self._queued[headers.peer] -= len(headers.headers)
            if not self._queued[headers.peer]:
                del self._queued[headers.peer]

    def _plan_retry(self, now: Now) -> None:
        """Wake when the first of the early blocks is due by the wall clock."""
        due = self._early.next_wall_s()
        self._retry_ns = None if due is None else now.mono_ns + max(0, due - now.wall_s) * NS
        if self._retry_ns is not None:
            self._wake(self._retry_ns)

    def poll(self, now: Now) -> None:
        """Do nothing: `work` has just retried what was due."""

    def deadline(self) -> int | None:
        return self._retry_ns

    def accept(self, header: Header, wall_s: int) -> int:
        """Check one header now, unless it is known. Returns its row. Raises `RuleError` where it breaks a rule."""
        tree = self._tree
        row = tree.headers.find(header.hash)
        if row is not None:
            if tree.headers.has(row, INVALID_BRANCH):
                raise RuleError(Rule.PREVIOUS_INVALID, "this block or an ancestor is invalid")
            return row
        check_proof_of_work(tree.rulebook.spec, header)
        branch = self._branch_to(header.prev_hash)
        if tree.headers.has(branch.row, INVALID_BRANCH):
            raise RuleError(Rule.PREVIOUS_INVALID)
        check_header_in_context(tree.rulebook, header, branch)
        check_not_too_new(tree.rulebook, header, wall_s)
        row = tree.grow(header, branch.row)
        branch.grow(header, row)
        return row

    def _branch_to(self, block_hash: bytes) -> EntryBranch:
        """The branch that ends at a block, usually the last one used. Raises `RuleError` where it is unknown."""
        if self._branch.last_hash != block_hash:
            entry = self._tree.get(block_hash)
            if entry is None:
                raise RuleError(Rule.PREVIOUS_UNKNOWN)
            self._branch = EntryBranch(entry)
        return self._branch

    def _check(self, headers: HeaderList, end: int, wall_s: int) -> bool:
        """Check up to `end`; True when the list is finished."""
        presync = self._presync_of(headers, wall_s)
        try:
            if presync is None:
                self._store(headers, end, wall_s)
            else:
                self._presync(presync, headers, end, wall_s)
        except RuleError as error:
            headers.error = error
        except PresyncError as error:
            headers.lie = str(error)
        if headers.has_failed:
            if headers.peer is not None:
                self._end_presync(headers.peer)
            return True
        return headers.checked == len(headers.headers)

    def _store(self, headers: HeaderList, end: int, wall_s: int) -> None:
        try:
            self._accept_all(headers, headers.headers[headers.checked : end], wall_s)
        except RuleError as error:
            if error.rule is Rule.TIME_TOO_NEW:
                is_ours = headers.peer is None and bool(headers.raws)  # a peer's body can be fetched later
                raw = headers.raws[headers.checked] if is_ours else None
                self._early.set_aside(EarlyBlock(headers.headers[headers.checked], headers.peer, raw), wall_s)
            raise

    def _accept_all(self, headers: HeaderList, part: Sequence[Header], wall_s: int) -> None:
        """Accept the next part of a list, up to the first fault."""
        row = None
        try:
            for header in part:
                row = self.accept(header, wall_s)
                headers.checked += 1
        finally:
            if row is not None:
                headers.last = self._tree.entry(row)

    # --- long chains

    def _presync_of(self, headers: HeaderList, wall_s: int) -> Presync | None:
        """The presync that a list continues or starts, None where its headers are stored at once."""
        if headers.peer is None:
            return None
        presync = self._presyncs.get(headers.peer)
        if headers.checked:
            return presync if headers.is_presync else None
        first = headers.headers[0]
        if presync is not None and first.prev_hash == presync.last:
            headers.is_presync = True
            return presync
        parent = self._tree.get(first.prev_hash)
        if parent is None or self._tree.get(headers.headers[-1].hash) is not None:
            return None
        required = stored_work_threshold(self._tree.rulebook.spec, self._tree.tip)
        if required == 0 and headers.is_full:
            required = headers.claimed_work
        if parent.work + _claimed_work(headers.headers) >= required:
            return None
        headers.is_presync = True
        is_crowded = headers.inbound and len(self._inbound_presyncs) >= MAX_INBOUND_PRESYNCS
        if not headers.is_full or (presync is None and is_crowded):
            headers.checked = len(headers.headers)  # too little work, and no more to come: ignored
            return None
        presync = Presync(self._tree.rulebook.spec, parent, required, self._entropy.bytes(SALT_BYTES), wall_s)
        self._presyncs[headers.peer] = presync
        if headers.inbound:
            self._inbound_presyncs[headers.peer] = None
        return presync

    def _presync(self, presync: Presync, headers: HeaderList, end: int, wall_s: int) -> None:
        self._accept_all(headers, presync.take(headers.headers[headers.checked : end]), wall_s)
        headers.checked = end
        if end < len(headers.headers):
            return
        assert headers.peer is not None
        if presync.done:
            self._end_presync(headers.peer)
        elif presync.enough() or headers.is_full:
            headers.resume = (presync.start, presync.last)
        else:
            self._end_presync(headers.peer)  # the chain ended before it had shown enough work

    def _end_presync(self, peer: int) -> None:
        self._presyncs.pop(peer, None)
        self._inbound_presyncs.pop(peer, None)


def _claimed_work(headers: Sequence[Header]) -> int:
    """Work that the headers claim by their bits; their proof of work is not checked yet."""
    spent: dict[int, int] = {}
    for header in headers:
        spent[header.bits] = spent.get(header.bits, 0) + 1
    return sum(count * _work_or_none(bits) for bits, count in spent.items())


def _work_or_none(bits: int) -> int:
    try:
        return work_from_bits(bits)
    except DecodeError:
        return 0
