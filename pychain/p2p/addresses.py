"""The address table: where nodes were seen, learned from peers, kept across restarts, and drawn from to dial.
New addresses are relayed.

It is a plain bounded table with three defences against a flood of false addresses: each network group can fill only
part of it, hearsay never replaces an address that was dialled successfully, and each peer's entries are rate-limited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Final

from msgspec import Meta, Struct, msgpack

from pychain.base.entropy import Random
from pychain.base.rate import TokenBucket
from pychain.base.time import Now
from pychain.p2p import limits, saved
from pychain.p2p.address_relay import AddressRelay
from pychain.p2p.manager import Handler, Manager
from pychain.p2p.messages import U64, AddressEntry, Addrs, Fields, GetAddrs
from pychain.p2p.netaddress import AddressError, NetAddress
from pychain.p2p.peer import Peer
from pychain.p2p.wire import Wire

_MAGIC: Final = b"pychain addresses 1\n"
_MAX_SAVED_TEXT: Final = 512


class _Saved(Struct, array_like=True, frozen=True):
    """One row on the disk, the fields of `Known`."""

    address: Annotated[str, Meta(max_length=_MAX_SAVED_TEXT)]
    services: U64
    last_seen: U64
    source: Annotated[str, Meta(max_length=_MAX_SAVED_TEXT)]
    failures: Annotated[int, Meta(ge=0, le=limits.ADDRESS_MAX_FAILURES)]
    last_try: U64
    last_success: U64


_DECODER: Final = msgpack.Decoder(Annotated[tuple[_Saved, ...], Meta(max_length=limits.MAX_ADDRESS_TABLE)])


class Known:
    """A known address. Times are Unix seconds, 0 for never."""

    __slots__ = ("address", "failures", "last_seen", "last_success", "last_try", "row", "services", "source")

    def __init__(self, address: NetAddress, services: int, last_seen: int, source: str, row: int) -> None:
        self.address = address
        self.services = services
        self.last_seen = last_seen
        self.source = source
        """The network group of the peer that told us; empty for the operator, a seed, or the node itself."""
        self.row = row
        self.failures = 0
        """Consecutive dials that did not lead to a hello."""
        self.last_try = 0
        self.last_success = 0

    def may_be_dialled(self, wall_s: int) -> bool:
        """Whether the wait since the last dial is over. There is a short wait after a success too, or a node that
        closes each connection at once would be dialled in a loop. Setting the clock back does not prolong the wait."""
        if self.last_try == 0:
            return True
        wait = min(limits.ADDRESS_RETRY_BASE_S << max(self.failures - 1, 0), limits.ADDRESS_RETRY_MAX_S)
        return abs(wall_s - self.last_try) >= wait

    def is_stale(self, wall_s: int) -> bool:
        """Whether it is not worth telling others."""
        return self.failures >= 3 or self.last_seen < wall_s - limits.ADDRESS_HORIZON_S


class _Talker:
    """A peer as a source and a receiver of addresses."""

    __slots__ = ("answered", "asked", "bucket")

    def __init__(self, mono_ns: int) -> None:
        self.answered = False
        self.asked = False
        """Whether its answer to our get_addrs is pending."""
        self.bucket = TokenBucket(limits.ADDRS_RATE, mono_ns, initial=1)


class AddressManager(Manager):
    """Keeps the table, deterministically: the same calls with the same random numbers make the same table."""

    def __init__(self, wire: Wire, random: Random, *, relays: bool = True) -> None:
        """`relays`: whether new addresses are relayed; a node that dials only configured peers need not."""
        self._wire = wire
        self._relays = relays
        self._random = random
        self._table: dict[NetAddress, Known] = {}
        self._rows: list[Known] = []
        """The table as a list, for random draws: `_rows[known.row] is known`."""
        self._by_source: dict[str, int] = {}
        self._talkers: dict[int, _Talker] = {}
        self._relay = AddressRelay(wire, random, self.wake)
        self.additions = 0
        """Number of additions so far: while it stays the same, looking again for an address to dial is useless."""
        self.on_addition: Callable[[], None] = lambda: None
        """Called after each addition, so that the slots can look for an address to dial."""

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, address: NetAddress) -> bool:
        return address in self._table

    def known(self) -> Iterator[Known]:
        """All rows, in no meaningful order; for display."""
        return iter(self._rows)

    def handlers(self) -> Mapping[type[Fields], Handler]:
        return {GetAddrs: self.on_get_addrs, Addrs: self.on_addrs}

    # --- connections

    def peer_ready(self, peer: Peer, now: Now) -> None:
        """Add the peer's listen address; ask an outbound peer for more addresses."""
        assert peer.hello is not None
        talker = self._talkers[peer.peer_id] = _Talker(now.mono_ns)
        address = peer.listen_address
        if address is not None:
            # An inbound peer's claim is hearsay from its own group until a dial has confirmed it.
            source = address.netgroup if peer.inbound else ""
            if self.add(address, now, services=peer.hello.services, source=source):
                self._relay.pass_on(address, now.wall_s, peer.hello.services, peer, now)
        if self._relays:
            self._relay.peer_ready(peer)
        if not peer.inbound:
            self._succeeded(peer.address, now)
            talker.asked = True
            talker.bucket.add(limits.MAX_ADDRS, now.mono_ns)
            self._wire.send(peer.peer_id, GetAddrs())

    def peer_closed(self, peer: Peer, now: Now) -> None:
        """The peer's address was alive until now."""
        talker = self._talkers.pop(peer.peer_id, None)
        self._relay.peer_closed(peer.peer_id)
        known = self._table.get(peer.address)
        if talker is not None and known is not None:
            known.last_seen = now.wall_s

    def tried(self, address: NetAddress, now: Now) -> None:
        """A dial begins. It counts as failed until the peer is ready."""
        known = self._table.get(address)
        if known is None:
            return
        known.last_try = now.wall_s
        known.failures += 1
        if known.failures > limits.ADDRESS_MAX_FAILURES:
            self.forget(address)

    def _succeeded(self, address: NetAddress, now: Now) -> None:
        known = self._table.get(address)
        if known is not None:
            known.failures = 0
            known.last_success = known.last_seen = now.wall_s

    # --- exchange

    def on_get_addrs(self, peer: Peer, message: GetAddrs, now: Now) -> None:
        """Answer inbound peers, once per connection, so that nobody can scrape the table, or use it to recognise us
        behind another address (as Core)."""
        talker = self._talkers.get(peer.peer_id)
        if talker is None or talker.answered or not peer.inbound:
            return
        talker.answered = True
        share = len(self._rows) * limits.ADDRS_ANSWER_SHARE_PERCENT // 100
        count = min(max(share, limits.ADDRS_ANSWER_FLOOR), limits.MAX_ADDRS)
        entries = [
            AddressEntry(str(known.address), known.last_seen, known.services)
            for known in self._draw(count)
            if known.address != peer.listen_address
            and not known.is_stale(now.wall_s)
            and known.address.concerns(peer.address)
        ]
        self._wire.send(peer.peer_id, Addrs(tuple(entries)))

    def on_addrs(self, peer: Peer, addrs: Addrs, now: Now) -> None:
        """Add the entries that a peer sends, within its rate limit. Unusable entries are skipped: they may be of a
        newer kind."""
        talker = self._talkers.get(peer.peer_id)
        if talker is None:
            return
        is_news = not talker.asked and len(addrs.entries) <= limits.MAX_RELAYED_ADDRS
        talker.asked = False
        source = peer.address.netgroup
        for entry in addrs.entries:
            if not talker.bucket.take(1, now.mono_ns):
                return
            try:
                address = NetAddress.parse(entry.multiaddr)
            except AddressError:
                continue
            # Peers cannot add DNS names: an attacker could direct our lookups to any name server.
            if address.ip is None or not address.is_usable or not address.concerns(peer.address):
                continue
            last_seen = entry.last_seen
            if last_seen > now.wall_s + limits.ADDRESS_FUTURE_S:
                last_seen = max(now.wall_s - limits.ADDRESS_DOUBT_S, 0)
            aged = max(last_seen - limits.ADDRESS_HEARSAY_S, 0)
            is_new = self.add(address, now, last_seen=aged, services=entry.services, source=source)
            if is_new and is_news and last_seen >= now.wall_s - limits.ADDRESS_RELAY_AGE_S:
                self._relay.pass_on(address, last_seen, entry.services, peer, now)

    # --- time

    def poll(self, now: Now) -> None:
        """Relay the addresses that are due."""
        self._relay.poll(now)

    def deadline(self) -> int | None:
        return self._relay.deadline()

    # --- the table

    def add(
        self, address: NetAddress, now: Now, *, services: int = 0, last_seen: int | None = None, source: str = ""
    ) -> bool:
        """Add or refresh an address; True when it is new. `source` is empty where no peer's word is involved."""
        seen = now.wall_s if last_seen is None else last_seen
        known = self._table.get(address)
        if known is not None:
            if seen > known.last_seen + limits.ADDRESS_REFRESH_S:
                known.last_seen = seen
                known.services = services
            return False
        if source and self._by_source.get(source, 0) >= limits.MAX_ADDRESSES_BY_SOURCE:
            return False
        if len(self._rows) >= limits.MAX_ADDRESS_TABLE and not self._make_room(now):
            return False
        self._insert(Known(address, services, seen, source, len(self._rows)))
        self.additions += 1
        self.on_addition()
        return True

    def forget(self, address: NetAddress) -> None:
        """Remove an address, if it is known."""
        known = self._table.pop(address, None)
        if known is None:
            return
        last = self._rows.pop()
        if last is not known:
            last.row = known.row
            self._rows[known.row] = last
        self._by_source[known.source] -= 1
        if self._by_source[known.source] == 0:
            del self._by_source[known.source]

    def select(self, now: Now, refuse: Callable[[NetAddress], bool]) -> NetAddress | None:
        """Draw an address to dial that `refuse` does not refuse, or None. Every other time, on average, addresses that
        have worked before are preferred (as Core chooses between its tables), so that neither old nor new addresses
        alone decide which peers we get."""
        prefer_proven = self._random.below(2) == 0
        fallback: NetAddress | None = None
        for known in self._draw(limits.ADDRESS_DRAWS):
            if not known.may_be_dialled(now.wall_s) or refuse(known.address):
                continue
            if not prefer_proven or known.last_success:
                return known.address
            fallback = fallback or known.address
        return fallback

    def _draw(self, count: int) -> list[Known]:
        """Up to `count` different rows in random order."""
        if 2 * count >= len(self._rows):
            return self._random.shuffled(self._rows)[:count]
        drawn: dict[int, Known] = {}
        while len(drawn) < count:
            row = self._random.below(len(self._rows))
            drawn[row] = self._rows[row]
        return list(drawn.values())

    def _insert(self, known: Known) -> None:
        self._table[known.address] = known
        self._rows.append(known)
        self._by_source[known.source] = self._by_source.get(known.source, 0) + 1

    def _make_room(self, now: Now) -> bool:
        """Forget the least promising of some random rows; False when all of them have worked recently."""
        horizon = now.wall_s - limits.ADDRESS_HORIZON_S
        candidates = [known for known in self._draw(limits.ADDRESS_DRAWS) if known.last_success <= max(horizon, 0)]
        if not candidates:
            return False
        self.forget(min(candidates, key=lambda known: (-known.failures, known.last_seen)).address)
        return True

    # --- persistence

    def dump(self) -> bytes:
        """The table for the disk."""
        rows = [
            _Saved(
                address=str(known.address),
                services=known.services,
                last_seen=known.last_seen,
                source=known.source,
                failures=known.failures,
                last_try=known.last_try,
                last_success=known.last_success,
            )
            for known in self._rows
        ]
        return saved.dump(_MAGIC, rows)

    def load(self, data: bytes) -> None:
        """Replace the table by a dumped one. Raises `DecodeError` on any damage, and then changes nothing."""
        rows: dict[NetAddress, Known] = {}
        for row in saved.load(_MAGIC, data, _DECODER):
            known = Known(NetAddress.parse(row.address), row.services, row.last_seen, row.source, len(rows))
            known.failures, known.last_try, known.last_success = row.failures, row.last_try, row.last_success
            rows.setdefault(known.address, known)
        self._table, self._rows, self._by_source = {}, [], {}
        for known in rows.values():
            self._insert(known)
        self.additions += 1
        self.on_addition()
