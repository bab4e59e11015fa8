"""Requests for announced transactions: one announcer is asked at a time, the next one when it does not deliver.

After Bitcoin Core's `txrequest`. For each transaction the announcers are ranked; the best one is asked, and when it
times out, says `missing`, or disconnects, the next one is. Announcers whose last request did not time out come first,
then outbound before inbound (an attacker can choose to connect to us), then in the order of announcement. So a lying
peer delays a transaction by one timeout, once, and is asked last from then on. Unlike in Core, requests to inbound
peers are not delayed: on a small network that only costs time. (`sync` requests blocks.)

Tens of thousands of transactions per second pass through here, nearly all announced by one peer, which is asked at once
and delivers: this path is short, and data for the other cases is allocated lazily.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice

from pychain.base.time import Now
from pychain.p2p import limits
from pychain.p2p.manager import Manager
from pychain.p2p.messages import Kind, Want
from pychain.p2p.peer import Peer
from pychain.p2p.wire import Wire

_MAX_OVERDUE_A_TURN = 250
"""Timed-out transactions handled in one turn, plus the rest of the last request: some milliseconds if each has a
hundred more announcers."""


class _Request:
    """The transactions that one peer was asked for at one time."""

    __slots__ = ("left", "peer", "txids", "until_ns")

    def __init__(self, peer: int, until_ns: int) -> None:
        self.peer = peer
        self.until_ns = until_ns
        self.txids: list[bytes] = []
        self.left = 0
        """Number of those neither delivered nor given up."""


class _Wanted:
    """A transaction that we do not have: its current request, the announcers left to ask, and those tried."""

    __slots__ = ("request", "tried", "waiting")

    def __init__(self) -> None:
        self.request: _Request | None = None
        self.waiting: dict[int, None] | None = None
        """Announcers not asked yet, in the order of announcement."""
        self.tried: dict[int, None] | None = None
        """Announcers that did not deliver; announcing again does not help them."""


class _Announcer:
    """A peer as a source of transactions."""

    __slots__ = ("announced", "idle", "in_flight", "outbound", "slow")

    def __init__(self, outbound: bool) -> None:
        self.outbound = outbound
        self.slow = False
        """Whether its last request timed out."""
        self.announced: dict[bytes, None] = {}
        """All transactions that it is, or may be, asked for."""
        self.in_flight = 0
        """Number of transactions that it is asked for."""
        self.idle: dict[bytes, None] = {}
        """Transactions that no peer is asked for because all their announcers, this one included, are busy."""

    @property
    def room(self) -> int:
        """How many more transactions it may be asked for now."""
        return limits.MAX_REQUESTS_IN_FLIGHT - self.in_flight


class RequestTracker(Manager):
    """Sends `want` messages for announced transactions. The owner reports which arrived and which did not."""

    def __init__(self, wire: Wire, timeout_ns: int) -> None:
        """`timeout_ns`: how long one announcer has to deliver."""
        self._wire = wire
        self._timeout_ns = timeout_ns
        self._wanted: dict[bytes, _Wanted] = {}
        self._announcers: dict[int, _Announcer] = {}
        self._requests: deque[_Request] = deque()
        """Oldest first, which is the order in which they time out."""

    def __len__(self) -> int:
        """Number of known transactions that we do not have."""
        return len(self._wanted)

    def in_flight(self, peer_id: int) -> int:
        """Pending requests to this peer."""
        announcer = self._announcers.get(peer_id)
        return 0 if announcer is None else announcer.in_flight

    def peer_ready(self, peer: Peer, now: Now) -> None:
        self._announcers[peer.peer_id] = _Announcer(outbound=not peer.inbound)

    def peer_closed(self, peer: Peer, now: Now) -> None:
        """Ask others for what this peer was asked for."""
        peer_id = peer.peer_id
        announcer = self._announcers.pop(peer_id, None)
        if announcer is None:
            return
        orphaned: list[bytes] = []
        for txid in announcer.announced:
            wanted = self._wanted[txid]
            if wanted.waiting is not None:
                wanted.waiting.pop(peer_id, None)
            if wanted.request is not None and wanted.request.peer == peer_id:
                wanted.request.left -= 1
                wanted.request = None
            if wanted.request is None:
                orphaned.append(txid)
        self._assign(orphaned, now)
        self._drop_answered()

    def announced(self, peer_id: int, txids: Iterable[bytes], now: Now) -> None:
        """A peer announced these transactions, which we do not have. Those beyond the bounds are ignored."""
        announcer = self._announcers.get(peer_id)
        if announcer is None:
            return
        request = _Request(peer_id, now.mono_ns + self._timeout_ns)
        unasked: list[bytes] = []
        room = announcer.room
        for txid in txids:
            if self._has_announced_enough(announcer):
                break
            wanted = self._wanted.get(txid)
            if wanted is None:
                wanted = self._wanted[txid] = _Wanted()
            elif txid in announcer.announced or (wanted.tried is not None and peer_id in wanted.tried):
                continue
            announcer.announced[txid] = None
            if wanted.request is None and wanted.waiting is None and room > 0:  # its only announcer
                room -= 1
                wanted.request = request
                request.txids.append(txid)
                continue
            if wanted.waiting is None:
                wanted.waiting = {}
            wanted.waiting[peer_id] = None
            if wanted.request is None and room > 0:
                room -= 1
                unasked.append(txid)
            elif wanted.request is None:  # its other announcers are busy too
                announcer.idle[txid] = None
        announcer.in_flight += len(request.txids)
        self._send(request)
        self._assign(unasked, now)

    def received(self, txids: Iterable[bytes], now: Now) -> None:
        """These have arrived, from any peer, or are not wanted any more: drop their requests."""
        freed: dict[int, None] = {}
        for txid in txids:
            wanted = self._wanted.pop(txid, None)
            if wanted is None:
                continue
            if wanted.request is not None:
                wanted.request.left -= 1
                announcer = self._announcers[wanted.request.peer]
                announcer.slow = False
                announcer.in_flight -= 1
                del announcer.announced[txid]
                freed[wanted.request.peer] = None
            self._forget_waiting(txid, wanted)
        self._refill(freed, now)
        self._drop_answered()

    def missing(self, peer_id: int, txids: Iterable[bytes], now: Now) -> None:
        """This peer does not have these after all, or sent something unusable: ask the next announcers."""
        announcer = self._announcers.get(peer_id)
        if announcer is None:
            return
        unasked: list[bytes] = []
        for txid in txids:
            if txid not in announcer.announced:
                continue
            wanted = self._wanted[txid]
            self._give_up(txid, wanted, peer_id)
            if wanted.request is None:
                unasked.append(txid)
        self._assign(unasked, now)
        self._refill({peer_id: None}, now)
        self._drop_answered()

    def poll(self, now: Now) -> None:
        """Ask the next announcers where requests have timed out, in bounded steps."""
        unasked: list[bytes] = []
        freed: dict[int, None] = {}
        while self._requests and self._requests[0].until_ns <= now.mono_ns and len(unasked) < _MAX_OVERDUE_A_TURN:
            request = self._requests.popleft()
            if request.left == 0:
                continue
            freed[request.peer] = None
            self._announcers[request.peer].slow = True
            for txid in request.txids:
                wanted = self._wanted.get(txid)
                if wanted is not None and wanted.request is request:
                    self._give_up(txid, wanted, request.peer)
                    unasked.append(txid)
        self._assign(unasked, now)
        self._refill(freed, now)
        self._drop_answered()

    def deadline(self) -> int | None:
        return self._requests[0].until_ns if self._requests else None

    def _drop_answered(self) -> None:
        """Forget the oldest requests once nothing of them is left, and with them their txids."""
        while self._requests and self._requests[0].left == 0:
            self._requests.popleft()

    def _has_announced_enough(self, announcer: _Announcer) -> bool:
        count = len(announcer.announced)
        if len(self._wanted) < limits.MAX_OBJECTS_TRACKED:
            return count >= limits.MAX_ANNOUNCED_BY_PEER
        return count >= min(limits.MAX_ANNOUNCED_BY_PEER, limits.MAX_OBJECTS_TRACKED // len(self._announcers))

    def _give_up(self, txid: bytes, wanted: _Wanted, peer_id: int) -> None:
        """Drop this peer's request for a transaction, and never ask it for that again."""
        announcer = self._announcers[peer_id]
        announcer.announced.pop(txid, None)
        announcer.idle.pop(txid, None)
        if wanted.waiting is not None:
            wanted.waiting.pop(peer_id, None)
        if wanted.tried is None:
            wanted.tried = {}
        wanted.tried[peer_id] = None
        if wanted.request is not None and wanted.request.peer == peer_id:
            announcer.in_flight -= 1
            wanted.request.left -= 1
            wanted.request = None

    def _forget_waiting(self, txid: bytes, wanted: _Wanted) -> None:
        """Drop all announcements of this transaction."""
        for peer_id in wanted.waiting or ():
            announcer = self._announcers[peer_id]
            del announcer.announced[txid]
            announcer.idle.pop(txid, None)

    def _assign(self, txids: Iterable[bytes], now: Now) -> None:
        """For transactions that no peer is asked for: ask the best announcer, wait for a free one, or give up."""
        requests: dict[int, _Request] = {}
        for txid in txids:
            wanted = self._wanted[txid]
            if not wanted.waiting:
                del self._wanted[txid]
                continue
            chosen = self._best_announcer(wanted.waiting)
            if chosen is None:
                for peer_id in wanted.waiting:
                    self._announcers[peer_id].idle[txid] = None
                continue
            request = requests.get(chosen)
            if request is None:
                request = requests[chosen] = _Request(chosen, now.mono_ns + self._timeout_ns)
            for peer_id in wanted.waiting:
                self._announcers[peer_id].idle.pop(txid, None)
            del wanted.waiting[chosen]
            wanted.request = request
            request.txids.append(txid)
            self._announcers[chosen].in_flight += 1
        for request in requests.values():
            self._send(request)

    def _send(self, request: _Request) -> None:
        """Send a request and start its timeout."""
        request.left = len(request.txids)
        if request.left == 0:
            return
        self._requests.append(request)
        self.wake(request.until_ns)
        for start in range(0, request.left, limits.MAX_INV):
            self._wire.send(request.peer, Want(Kind.TRANSACTION, tuple(request.txids[start : start + limits.MAX_INV])))

    def _refill(self, peer_ids: Iterable[int], now: Now) -> None:
        """Ask peers whose requests were answered or given up for what waited for them.

        This is done when they are half idle, so that requests are sent in batches however the answers come in.
        """
        for peer_id in peer_ids:
            announcer = self._announcers.get(peer_id)
            if announcer is None or announcer.in_flight > limits.MAX_REQUESTS_IN_FLIGHT // 2:
                continue
            while announcer.idle and announcer.room > 0:
                # Some may go to a better announcer that became free too, hence the loop; each round asks for some.
                self._assign(list(islice(announcer.idle, announcer.room)), now)

    def _best_announcer(self, waiting: Iterable[int]) -> int | None:
        best: tuple[bool, bool] | None = None
        chosen: int | None = None
        for peer_id in waiting:
            announcer = self._announcers[peer_id]
            rank = (announcer.slow, not announcer.outbound)
            if announcer.room > 0 and (best is None or rank < best):
                best, chosen = rank, peer_id
        return chosen
