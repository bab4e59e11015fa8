"""Connection slots: which addresses to dial, which peers to accept, and what to do about duplicate connections.

Manual peers are dialled for ever, with backoff. Beside them, up to eight outbound connections are kept to addresses
from the table, each in a different network group (except loopback and private addresses: all nodes of a local network
share one). Inbound connections are accepted up to a limit, then one is evicted for the next.
"""

from __future__ import annotations

from collections.abc import Iterable

from pychain.base.entropy import Random
from pychain.base.time import Now, earliest
from pychain.p2p import limits
from pychain.p2p.addresses import AddressManager
from pychain.p2p.draws import spread
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.eviction import choose_victim
from pychain.p2p.manager import Manager
from pychain.p2p.messages import GoodbyeCode
from pychain.p2p.misbehaviour import Misbehaviour
from pychain.p2p.netaddress import AddressError, NetAddress
from pychain.p2p.peer import Peer
from pychain.p2p.timers import Timers
from pychain.p2p.wire import Wire


class _Manual:
    """An endpoint to which the operator wants a connection."""

    __slots__ = ("endpoint", "failures")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.failures = 0
        """Consecutive failures."""


class SlotManager(Manager):
    """Tracks every connection and every pending dial."""

    def __init__(
        self,
        wire: Wire,
        random: Random,
        addresses: AddressManager,
        misbehaviour: Misbehaviour,
        *,
        nonce: int,
        manual: Iterable[Endpoint] = (),
        connect_only: bool = False,
        max_outbound: int = limits.MAX_OUTBOUND,
        max_inbound: int = limits.MAX_INBOUND,
    ) -> None:
        """`nonce` is that of our hello. With `connect_only`, only manual peers are dialled."""
        self._wire = wire
        self._random = random
        self._addresses = addresses
        self._misbehaviour = misbehaviour
        self._nonce = nonce
        self._active = True
        self._max_outbound = 0 if connect_only else max_outbound
        self._max_inbound = max_inbound
        self._peers: dict[int, Peer] = {}
        self._outbound: dict[int, Peer] = {}
        """Those that we dialled."""
        self._dialling: dict[NetAddress, bool] = {}
        """Pending dials; True for those that fill an automatic outbound slot."""
        self._manual: dict[NetAddress, _Manual] = {}
        """The endpoints of manual peers, by address."""
        self._redials: Timers[NetAddress] = Timers()
        self._own: dict[NetAddress, None] = {}
        """Addresses that turned out to be our own."""
        self._duplicates: dict[NetAddress, int] = {}
        """Other addresses of nodes that are connected already, with their peer."""
        self._looked_at_ns: int | None = None
        """When the table was last asked for an address to dial."""
        self._found_none_at: int | None = None
        """The table's count of additions when it had no address to dial."""
        addresses.on_addition = self._look_soon
        for endpoint in manual:
            self._keep(endpoint, 0)

    # --- the operator's requests

    @property
    def manual(self) -> tuple[Endpoint, ...]:
        """The endpoints of manual peers."""
        return tuple(manual.endpoint for manual in self._manual.values())

    def is_manual(self, address: NetAddress) -> bool:
        """Whether there is a manual peer at this address."""
        return address in self._manual

    def add_manual(self, endpoint: Endpoint, now: Now) -> None:
        """Keep a connection to this endpoint from now on. Raises `AddressError` when there are too many."""
        for peer in self._peers.values():
            if peer.listen_address == endpoint.address:
                peer.manual = True
        self._keep(endpoint, now.mono_ns)

    def remove_manual(self, address: NetAddress) -> bool:
        """No longer keep a connection to this address (an open one stays); False when it was not manual."""
        self._redials.cancel(address)
        for peer in self._peers.values():
            if peer.listen_address == address:
                peer.manual = False
        self._look_soon()
        return self._manual.pop(address, None) is not None

    @property
    def is_active(self) -> bool:
        """Whether connections are made and accepted at all."""
        return self._active

    def set_active(self, active: bool) -> None:
        """Switch networking on, or off: then all peers are disconnected, and no connections are made or accepted."""
        self._active = active
        if active:
            self.wake(0)
        else:
            for peer in list(self._peers.values()):
                self._wire.hang_up(peer.peer_id, GoodbyeCode.REQUESTED, "networking is off here")

    def dial_once(self, endpoint: Endpoint) -> None:
        """Dial now, once, beside all slots, unless the address is connected or being dialled."""
        if self._active and not self._is_met(endpoint.address):
            self._dial(endpoint, fills_slot=False)

    # --- connections

    def peer_opened(self, peer: Peer, now: Now) -> bool:
        """A channel is established. True to continue with hello; False when the peer was refused and disconnected."""
        self._dialling.pop(peer.address, None)
        self._peers[peer.peer_id] = peer
        if not peer.inbound:
            self._outbound[peer.peer_id] = peer
        if not self._active:
            self._wire.hang_up(peer.peer_id, GoodbyeCode.REQUESTED, "networking is off here")
            return False
        peer.manual = peer.manual or (not peer.inbound and peer.address in self._manual)
        self._look_soon()
        if peer.manual:
            return True
        if self._misbehaviour.is_banned(peer.address, now):
            self._wire.hang_up(peer.peer_id, GoodbyeCode.BANNED, "this host is banned here")
            return False
        return not peer.inbound or self._make_room(peer, now)

    def admits(self, peer: Peer) -> bool:
        """The hello is accepted. False when this node is connected already and this connection was ended for it."""
        assert peer.hello is not None
        if peer.listen_address in self._manual:
            peer.manual = True
        return not any(
            self._end_one(other, peer) is peer
            for other in self._peers.values()
            if other is not peer and self._is_same_node(other, peer)
        )

    def dial_failed(self, address: NetAddress, now: Now) -> None:
        """The dial failed, or no channel could be established."""
        self._dialling.pop(address, None)
        manual = self._manual.get(address)
        if manual is not None:
            manual.failures += 1
            self._redial_later(manual, now)
        self._look_soon()

    def peer_closed(self, peer: Peer, now: Now) -> None:
        """The stream is gone: forget the peer, and schedule the next dial of a manual one."""
        if self._peers.pop(peer.peer_id, None) is None:
            if not peer.inbound:
                self.dial_failed(peer.address, now)
            return
        self._outbound.pop(peer.peer_id, None)
        if not peer.inbound and _ended_as(peer, GoodbyeCode.SELF_CONNECTION):
            self._remember_own(peer.address)
        released = [address for address, peer_id in self._duplicates.items() if peer_id == peer.peer_id]
        for address in released:
            del self._duplicates[address]
        if peer.listen_address is not None:
            released.append(peer.listen_address)
        stood = peer.hello is not None and now.mono_ns - peer.opened_at.mono_ns >= limits.REDIAL_RESET_NS
        for address in released:
            manual = self._manual.get(address)
            if manual is not None:
                manual.failures = 0 if stood else manual.failures + 1
                self._redial_later(manual, now)
        self._look_soon()

    # --- time

    def poll(self, now: Now) -> None:
        """Dial the addresses that are due."""
        if not self._active:
            return
        for address in self._redials.due(now.mono_ns):
            if not self._is_met(address):
                self._dial(self._manual[address].endpoint, fills_slot=False)
        due = self._fill_deadline()
        if due is not None and due <= now.mono_ns:
            self._fill_one(now)

    def deadline(self) -> int | None:
        return earliest(self._redials.deadline(), self._fill_deadline()) if self._active else None

    # --- outbound

    def _keep(self, endpoint: Endpoint, mono_ns: int) -> None:
        if endpoint.address in self._manual:
            return
        if len(self._manual) >= limits.MAX_MANUAL:
            raise AddressError(f"connections to {limits.MAX_MANUAL} addresses are kept already")
        self._manual[endpoint.address] = _Manual(endpoint)
        self._redial_at(endpoint.address, mono_ns)

    def _redial_later(self, manual: _Manual, now: Now) -> None:
        doublings = min(max(manual.failures - 1, 0), 16)
        wait = min(limits.REDIAL_BASE_NS << doublings, limits.REDIAL_MAX_NS)
        self._redial_at(manual.endpoint.address, now.mono_ns + spread(self._random, wait))

    def _redial_at(self, address: NetAddress, at_ns: int) -> None:
        self._redials.set(address, at_ns)
        self.wake(at_ns)

    def _dial(self, endpoint: Endpoint, *, fills_slot: bool) -> None:
        self._dialling[endpoint.address] = fills_slot
        self._wire.dial(endpoint)

    def _look_soon(self) -> None:
        """Look for an address to dial as soon as that is allowed, after something relevant changed."""
        due = self._fill_deadline()
        if due is not None:
            self.wake(due)

    def _has_free_slot(self) -> bool:
        taken = sum(self._dialling.values())
        taken += sum(peer.is_open and not peer.manual for peer in self._outbound.values())
        return taken < self._max_outbound

    def _fill_deadline(self) -> int | None:
        """When to look in the table for an address to dial; later if it just had none and has not grown since."""
        if not len(self._addresses) or not self._has_free_slot():
            return None
        if self._looked_at_ns is None:
            return 0
        is_useless = self._found_none_at == self._addresses.additions
        return self._looked_at_ns + (limits.DIAL_IDLE_NS if is_useless else limits.DIAL_SPACING_NS)

    def _fill_one(self, now: Now) -> None:
        groups: dict[str, None] = {}
        for address, fills_slot in self._dialling.items():
            if fills_slot:
                groups[address.netgroup] = None
        for peer in self._outbound.values():
            if peer.is_open:
                groups[peer.address.netgroup] = None

        def refuse(address: NetAddress) -> bool:
            return (
                self._is_met(address)
                or address in self._manual
                or (not address.is_local and address.netgroup in groups)
                or self._misbehaviour.is_banned(address, now)
                or self._misbehaviour.is_discouraged(address, now)
            )

        self._looked_at_ns = now.mono_ns
        chosen = self._addresses.select(now, refuse)
        self._found_none_at = self._addresses.additions if chosen is None else None
        if chosen is not None:
            self._addresses.tried(chosen, now)
            self._dial(Endpoint(chosen), fills_slot=True)

    def _is_met(self, address: NetAddress) -> bool:
        """Whether the address is our own or a peer's, or is being dialled."""
        return (
            address in self._dialling
            or address in self._own
            or address in self._duplicates
            or any(address == peer.listen_address for peer in self._peers.values())
        )

    def _remember_own(self, address: NetAddress) -> None:
        self._addresses.forget(address)
        if len(self._own) >= limits.MAX_OWN_ADDRESSES:
            del self._own[next(iter(self._own))]
        self._own[address] = None

    # --- inbound

    def _make_room(self, newcomer: Peer, now: Now) -> bool:
        """Whether a new inbound peer may stay; evicts another one if needed."""
        inbound = [peer for peer in self._peers.values() if peer.inbound and peer.is_open and peer is not newcomer]
        if len(inbound) < self._max_inbound:
            return True
        victim = None
        if not self._misbehaviour.is_discouraged(newcomer.address, now):
            victim = choose_victim(inbound, lambda peer: self._misbehaviour.is_discouraged(peer.address, now))
        if victim is None:
            text = f"all {self._max_inbound} inbound slots are taken"
            self._wire.hang_up(newcomer.peer_id, GoodbyeCode.TOO_MANY_PEERS, text)
            return False
        self._wire.hang_up(victim.peer_id, GoodbyeCode.EVICTED, "the slot was needed for another peer")
        return True

    # --- duplicate connections

    def _is_same_node(self, one: Peer, other: Peer) -> bool:
        """Whether two connections lead to one node: it has proved the same identity on both or, where the channels
        prove nothing, nonce and host are equal. A nonce alone could be replayed to get another peer refused, and a host
        alone may be shared."""
        if not one.is_open or one.hello is None or other.hello is None:
            return False
        if one.identity is not None or other.identity is not None:
            return one.identity == other.identity
        return one.hello.nonce == other.hello.nonce and one.address.host == other.address.host

    def _end_one(self, older: Peer, newer: Peer) -> Peer | None:
        """End one of two connections to the same node; returns which.

        When each side dialled the other, both end the connection dialled by the greater nonce, so that they never end
        one each. When one side dialled twice, that side ends the newer one.
        """
        assert newer.hello is not None
        if older.inbound != newer.inbound:
            keep_inbound = newer.hello.nonce < self._nonce
            loser, survivor = (older, newer) if newer.inbound == keep_inbound else (newer, older)
        elif newer.inbound:
            return None
        else:
            loser, survivor = newer, older
        survivor.manual = survivor.manual or loser.manual
        if not loser.inbound:
            self._duplicates[loser.address] = survivor.peer_id
        self._wire.hang_up(loser.peer_id, GoodbyeCode.DUPLICATE, "this node is connected already")
        return loser


def _ended_as(peer: Peer, code: GoodbyeCode) -> bool:
    """Whether either side said goodbye with this code."""
    return any(goodbye is not None and goodbye.code == code for goodbye in (peer.goodbye_sent, peer.goodbye_received))
