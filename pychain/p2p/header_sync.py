"""Header sync: which peer is asked for headers, and what its answers mean.

Headers come from one peer at a time: the one that claims the most work, of those that claim more than we know. Once
they are here, the others are asked too, and so show how much of that chain they have. What each peer owes us is a state
of the table in `header_states`.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pychain.base.time import Now
from pychain.p2p import limits
from pychain.p2p.header_states import HeaderEvent, HeaderState, next_state
from pychain.p2p.messages import GetHeaders
from pychain.p2p.sources import Source
from pychain.p2p.wire import Wire

_NO_STOP: Final = bytes(limits.HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of a peer's headers. Hashes are raw block hashes.

    answered: we had asked for them. last: the last one that is known and valid now, None where there is none. count:
    how many are valid. ended: the peer has no more that we would take. resume: where to go on in a chain that is not
    stored yet, after the second hash, which leaves our chain at the first.
    """

    answered: bool
    last: bytes | None = None
    count: int = 0
    ended: bool = False
    resume: tuple[bytes, bytes] | None = None


class HeaderView(Protocol):
    """What header sync asks of the chain."""

    def best_header_work(self) -> int:
        """Work of the heaviest known chain of valid headers."""
        ...

    def locator(self, block_hash: bytes | None) -> Sequence[bytes]:
        """A locator from a known header; for None from the parent of the best one, so that a peer that has that too
        answers with it and thereby shows it."""
        ...

    def work(self, block_hash: bytes) -> int:
        """Chain work of a known header, 0 where it was judged invalid."""
        ...


class HeaderSync:
    """Decides which peer to ask for headers, and follows what it owes us."""

    def __init__(
        self, wire: Wire, view: HeaderView, sources: Mapping[int, Source], debtors: MutableMapping[int, Source]
    ) -> None:
        """`sources` are all peers, kept by the owner; a peer that is asked is put into `debtors`."""
        self._wire = wire
        self._view = view
        self._sources = sources
        self._debtors = debtors
        self._weighed: int | None = None
        """Our best work when it was last seen whom to ask; None where what peers claim has changed since."""

    def ask(self, source: Source, now: Now, after: bytes | None = None, beyond: tuple[bytes, ...] = ()) -> None:
        """Ask a peer what follows `after` (a known header; None: our best chain), or note to ask it later where it
        owes us an answer. `beyond`: hashes of its chain that we do not keep, to go on from; the newest first."""
        before = source.headers
        source.headers = next_state(before, HeaderEvent.ASK)
        if before is HeaderState.IDLE:
            source.headers_due_ns = now.mono_ns + limits.HEADERS_TIMEOUT_NS
            self._debtors[source.peer.peer_id] = source
            self._wire.send(source.peer.peer_id, GetHeaders((*beyond, *self._view.locator(after)), _NO_STOP))

    def answered(self, source: Source) -> bool:
        """A headers message came that may be an answer; True where we waited for one. Its judgement must follow."""
        if source.headers is not HeaderState.ASKED:
            return False
        source.headers = next_state(source.headers, HeaderEvent.ANSWERED)
        source.headers_due_ns = None
        return True

    def judged(self, source: Source, judgement: Judgement, now: Now) -> None:
        """A peer's headers have been judged, with whatever result."""
        ask_again = source.headers is HeaderState.JUDGING_ONCE_MORE
        if judgement.answered:
            source.headers = next_state(source.headers, HeaderEvent.JUDGED)
        self.reconsider()
        if judgement.last is not None:
            self._shown(source, judgement.last)
        if judgement.resume is not None:
            start, after = judgement.resume
            self.ask(source, now, start, (after,))
        elif judgement.count == limits.MAX_HEADERS:
            self.ask(source, now, judgement.last)
        elif judgement.ended:
            self._believe_what_it_showed(source)
        if ask_again and source.headers is HeaderState.IDLE:
            self.ask(source, now)

    def overdue(self, source: Source, now: Now) -> None:
        """Give up on an answer that should be here by now."""
        if source.headers_due_ns is not None and now.mono_ns >= source.headers_due_ns:
            source.headers = next_state(source.headers, HeaderEvent.OVERDUE)
            source.headers_due_ns = None
            self._believe_what_it_showed(source)
            self.reconsider()

    def reconsider(self) -> None:
        """What peers claim, or what is valid, has changed: see again whom to ask."""
        self._weighed = None

    def ask_best(self, now: Now) -> None:
        """Ask the peer that claims most, if any claims more than we know. A crowd with nothing new costs nothing."""
        known = self._view.best_header_work()
        if known == self._weighed:
            return
        self._weighed = known
        if any(source.headers is not HeaderState.IDLE for source in self._sources.values()):
            return
        open_sources = [source for source in self._sources.values() if source.peer.is_open]
        claimants = [source for source in open_sources if self._claim(source) > known]
        if claimants:
            self.ask(max(claimants, key=lambda source: (not source.peer.inbound, source.claimed_work)), now)
            return
        for source in open_sources:
            if source.best is None and source.claimed_work > 0:
                self.ask(source, now)

    def _shown(self, source: Source, last: bytes) -> None:
        """A peer's chain leads at least to this known header."""
        work = self._view.work(last)
        if source.best is None or work > self._view.work(source.best):
            source.best = last
        source.claimed_work = max(source.claimed_work, work)

    def _believe_what_it_showed(self, source: Source) -> None:
        source.claimed_work = self._view.work(source.best) if source.best is not None else 0

    def _claim(self, source: Source) -> int:
        """Work that a peer's chain may have; none where it is known to lead through a block judged invalid."""
        is_void = source.best is not None and self._view.work(source.best) == 0
        return 0 if is_void else source.claimed_work
