"""Header sync: choosing which peer to ask for headers, and following its answers.

Headers are fetched from one peer at a time: the one that claims the most work, if that is more than ours. Once they are
here, the others are asked too, which shows how much of that chain they have. The pending request to each peer is a
state of the table in `header_states`.
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
class HeaderCheck:
    """The result of checking a peer's headers. Hashes are raw block hashes.

    answered: we had asked for them. last: the last one that is known and valid now, None if there is none. count: how
    many are valid. ended: the peer has no more that we would accept. resume: where to continue in a chain that is not
    stored yet: after the second hash, on a branch that leaves our chain at the first.
    """

    answered: bool
    last: bytes | None = None
    count: int = 0
    ended: bool = False
    resume: tuple[bytes, bytes] | None = None


class HeaderView(Protocol):
    """The chain as header sync sees it."""

    def best_header_work(self) -> int:
        """Work of the heaviest known chain of valid headers."""
        ...

    def locator(self, block_hash: bytes | None) -> Sequence[bytes]:
        """A locator from a known header; for None, from the parent of the best one, so that a peer that has the best
        header too shows it by its answer."""
        ...

    def work(self, block_hash: bytes) -> int:
        """Chain work of a known header, 0 where it is invalid."""
        ...


class HeaderSync:
    """Decides which peer to ask for headers, and tracks pending answers."""

    def __init__(
        self, wire: Wire, view: HeaderView, sources: Mapping[int, Source], busy: MutableMapping[int, Source]
    ) -> None:
        """`sources`: all peers, kept by the owner. `busy`: where a peer with a pending answer is put."""
        self._wire = wire
        self._view = view
        self._sources = sources
        self._busy = busy
        self._weighed: int | None = None
        """Our best work at the last look for a peer to ask; None where the claims of peers have changed since."""

    def ask(self, source: Source, now: Now, after: bytes | None = None, beyond: tuple[bytes, ...] = ()) -> None:
        """Ask a peer for the headers after `after` (a known header; None: our best chain), or note to ask it later
        where an answer is pending. `beyond`: hashes of its chain that we do not keep, to continue from; newest first.
        """
        before = source.headers
        source.headers = next_state(before, HeaderEvent.ASK)
        if before is HeaderState.IDLE:
            source.headers_due_ns = now.mono_ns + limits.HEADERS_TIMEOUT_NS
            self._busy[source.peer.peer_id] = source
            self._wire.send(source.peer.peer_id, GetHeaders((*beyond, *self._view.locator(after)), _NO_STOP))

    def answered(self, source: Source) -> bool:
        """A headers message that may be an answer came; True if one was pending. `checked` must follow."""
        if source.headers is not HeaderState.ASKED:
            return False
        source.headers = next_state(source.headers, HeaderEvent.ANSWERED)
        source.headers_due_ns = None
        return True

    def checked(self, source: Source, result: HeaderCheck, now: Now) -> None:
        """A peer's headers have been checked."""
        ask_again = source.headers is HeaderState.CHECKING_ASK_AGAIN
        if result.answered:
            source.headers = next_state(source.headers, HeaderEvent.CHECKED)
        self.reconsider()
        if result.last is not None:
            self._shown(source, result.last)
        if result.resume is not None:
            start, after = result.resume
            self.ask(source, now, start, (after,))
        elif result.count == limits.MAX_HEADERS:
            self.ask(source, now, result.last)
        elif result.ended:
            self._lower_claim(source)
        if ask_again and source.headers is HeaderState.IDLE:
            self.ask(source, now)

    def overdue(self, source: Source, now: Now) -> None:
        """Give up on an answer that has timed out."""
        if source.headers_due_ns is not None and now.mono_ns >= source.headers_due_ns:
            source.headers = next_state(source.headers, HeaderEvent.OVERDUE)
            source.headers_due_ns = None
            self._lower_claim(source)
            self.reconsider()

    def reconsider(self) -> None:
        """Choose again which peer to ask: the claims of peers, or the validity of blocks, have changed."""
        self._weighed = None

    def ask_best(self, now: Now) -> None:
        """Ask the peer that claims the most work, if that is more than ours. Peers with nothing new cost nothing."""
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
        """A peer's chain reaches at least this known header."""
        work = self._view.work(last)
        if source.best is None or work > self._view.work(source.best):
            source.best = last
        source.claimed_work = max(source.claimed_work, work)

    def _lower_claim(self, source: Source) -> None:
        source.claimed_work = self._view.work(source.best) if source.best is not None else 0

    def _claim(self, source: Source) -> int:
        """Work that a peer's chain may have; 0 where it is known to contain an invalid block."""
        is_void = source.best is not None and self._view.work(source.best) == 0
        return 0 if is_void else source.claimed_work
