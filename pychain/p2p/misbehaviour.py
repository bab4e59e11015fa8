"""Misbehaviour: points for faults, which add up and are forgiven, discouraged hosts, and the operator's bans.

As in Bitcoin Core, a manual peer is not punished (but a broken stream ends any connection), and a loopback host is
disconnected but not discouraged, since all peers behind a local proxy, and all nodes of a local test network, share it.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv6Network, ip_network
from typing import Annotated, Final, NamedTuple

from msgspec import Meta, Struct, msgpack

from pychain.base.time import Now
from pychain.p2p import limits, saved
from pychain.p2p.manager import Manager
from pychain.p2p.messages import U64, GoodbyeCode
from pychain.p2p.netaddress import AddressError, IPNetwork, NetAddress
from pychain.p2p.peer import Peer
from pychain.p2p.wire import Wire

_MAGIC: Final = b"pychain bans 1\n"
_MAX_NETWORK_TEXT: Final = 64
_V6_HOST_PREFIX: Final = 64
"""An IPv6 customer has at least a /64, whose addresses count as one host."""


class Offence(StrEnum):
    """The faults of a peer, in words for people."""

    PROTOCOL_ERROR = "protocol error"
    """A frame or message that is malformed or out of place."""
    INVALID_HEADER = "invalid block header"
    INVALID_BLOCK = "invalid block"
    WRONG_BODY = "block body does not match its header"
    INVALID_TRANSACTION = "invalid transaction"
    """No honest node relays such a transaction: its structure or signature is invalid."""
    WRONG_ANSWER = "answer does not fit the question"
    UNCONNECTED_HEADERS = "headers that connect to nothing known"
    UNASKED = "object that was not asked for"
    FLOODING = "more messages than allowed"


POINTS: Final[dict[Offence, int]] = {
    Offence.PROTOCOL_ERROR: 100,
    Offence.INVALID_HEADER: 100,
    Offence.INVALID_BLOCK: 100,
    Offence.WRONG_BODY: 100,
    Offence.INVALID_TRANSACTION: 100,
    Offence.WRONG_ANSWER: 20,
    Offence.UNCONNECTED_HEADERS: 5,  # happens to honest peers in a race of blocks
    Offence.UNASKED: 2,  # happens when an answer comes just after we gave up
    Offence.FLOODING: 2,  # happens when a pause is over and everything arrives at once
}
"""100 (the threshold) for faults that no correct implementation makes, less where delay or bad luck may be the cause.
"""


class _Saved(Struct, array_like=True, frozen=True):
    network: Annotated[str, Meta(max_length=_MAX_NETWORK_TEXT)]
    created: U64
    until: U64


_DECODER: Final = msgpack.Decoder(Annotated[tuple[_Saved, ...], Meta(max_length=limits.MAX_BANS)])


class Ban(NamedTuple):
    """A network that the operator has banned. Times are Unix seconds."""

    network: IPNetwork
    created: int
    until: int


class _Score:
    __slots__ = ("points", "since_ns")

    def __init__(self, mono_ns: int) -> None:
        self.points = 0
        self.since_ns = mono_ns
        """Forgiveness is counted up to here."""

    def left(self, mono_ns: int) -> int:
        """The points that are left now."""
        return max(self.points - self._steps(mono_ns), 0)

    def add(self, points: int, mono_ns: int) -> int:
        """Forgive what is due, and add points; returns the sum."""
        self.points = self.left(mono_ns) + points
        self.since_ns += self._steps(mono_ns) * limits.MISBEHAVIOUR_DECAY_NS
        return self.points

    def _steps(self, mono_ns: int) -> int:
        return (mono_ns - self.since_ns) // limits.MISBEHAVIOUR_DECAY_NS


class Misbehaviour(Manager):
    """Scores peers, and tells whether a host is discouraged or banned."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._scores: dict[int, _Score] = {}
        self._discouraged: dict[str, int] = {}
        """Host -> monotonic time when this ends, oldest first."""
        self._bans: dict[IPNetwork, Ban] = {}

    def offend(self, peer: Peer, offence: Offence, text: str, now: Now) -> None:
        """Count an offence; at the threshold the peer is disconnected and its host discouraged.

        `text`: one line about the fault, which is sent to the peer.
        """
        score = self._scores.get(peer.peer_id)
        if score is None:
            score = self._scores[peer.peer_id] = _Score(now.mono_ns)
        score.add(POINTS[offence], now.mono_ns)
        if score.points < limits.MISBEHAVIOUR_THRESHOLD:
            return
        broken_stream = offence is Offence.PROTOCOL_ERROR
        if peer.manual and not broken_stream:
            return
        if not peer.manual and not peer.address.is_loopback:
            self._discourage(peer.address, now)
        code = GoodbyeCode.PROTOCOL_ERROR if broken_stream else GoodbyeCode.MISBEHAVIOUR
        self._wire.hang_up(peer.peer_id, code, f"{offence.value}: {text}")

    def points(self, peer_id: int, now: Now) -> int:
        """A peer's points now."""
        score = self._scores.get(peer_id)
        return 0 if score is None else score.left(now.mono_ns)

    def peer_closed(self, peer: Peer, now: Now) -> None:
        self._scores.pop(peer.peer_id, None)

    # --- discouragement

    def is_discouraged(self, address: NetAddress, now: Now) -> bool:
        """Whether a peer at this host misbehaved recently: it is not dialled, and evicted first."""
        return now.mono_ns < self._discouraged.get(_host_key(address), 0)

    def _discourage(self, address: NetAddress, now: Now) -> None:
        host = _host_key(address)
        self._discouraged.pop(host, None)
        if len(self._discouraged) >= limits.MAX_DISCOURAGED:
            del self._discouraged[next(iter(self._discouraged))]
        self._discouraged[host] = now.mono_ns + limits.DISCOURAGEMENT_NS

    # --- bans

    def ban(self, network: IPNetwork, until_s: int, now: Now) -> None:
        """Refuse all connections with a network until a time (Unix seconds). Raises `AddressError` when the table is
        full. The caller ends the open connections."""
        self._bans = {known.network: known for known in self.bans(now)}
        if network not in self._bans and len(self._bans) >= limits.MAX_BANS:
            raise AddressError(f"there are {limits.MAX_BANS} bans already")
        self._bans[network] = Ban(network, now.wall_s, until_s)

    def unban(self, network: IPNetwork) -> bool:
        """Lift a ban; False when there was none of exactly this network."""
        return self._bans.pop(network, None) is not None

    def bans(self, now: Now) -> list[Ban]:
        """The bans in force, in the order they were made."""
        return [ban for ban in self._bans.values() if now.wall_s < ban.until]

    def is_banned(self, address: NetAddress, now: Now) -> bool:
        ip = address.ip
        return ip is not None and any(ip in ban.network and now.wall_s < ban.until for ban in self._bans.values())

    # --- persistence

    def dump(self) -> bytes:
        """The bans for the disk; discouragement ends with the process."""
        return saved.dump(_MAGIC, [_Saved(str(ban.network), ban.created, ban.until) for ban in self._bans.values()])

    def load(self, data: bytes) -> None:
        """Replace the bans by dumped ones. Raises `DecodeError` on any damage, and then changes nothing."""
        bans = [Ban(parse_network(row.network), row.created, row.until) for row in saved.load(_MAGIC, data, _DECODER)]
        self._bans = {ban.network: ban for ban in bans}


def parse_network(text: str) -> IPNetwork:
    """Parse an IP address or a network in CIDR notation, as given for a ban. Raises `AddressError`."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise AddressError(
            f"{text[:_MAX_NETWORK_TEXT]!r} is neither an IP address nor a network like 192.0.2.0/24"
        ) from None


def _host_key(address: NetAddress) -> str:
    ip = address.ip
    if ip is None or ip.version == 4:
        return address.host
    return str(IPv6Network((int(ip), _V6_HOST_PREFIX), strict=False))
