"""Peers in the API, with Core's field names if the meaning is Core's."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from pychain.api.types import Bytes, Count, Height, Seconds, UnixTime
from pychain.base.time import NS, Now
from pychain.node.queries import Queries
from pychain.p2p.messages import printable, type_name
from pychain.p2p.peer import Peer, Traffic

PeerId = Annotated[int, Meta(ge=0, description="the connection's number, never reused")]


class PeerView(Struct, kw_only=True):
    """One connection. Fields from the peer's `hello` are missing until it has arrived."""

    id: PeerId
    addr: str
    inbound: bool
    connection_type: Literal["inbound", "outbound", "manual"]
    state: str
    conntime: UnixTime
    bytessent: Bytes
    bytesrecv: Bytes
    messagessent: dict[str, Count]
    messagesrecv: dict[str, Count]
    misbehaviour: Annotated[int, Meta(ge=0, description="points; at 100 the peer is disconnected")]
    pingtime: Seconds | UnsetType = UNSET
    minping: Seconds | UnsetType = UNSET
    version: int | UnsetType = UNSET
    subver: str | UnsetType = UNSET
    services: str | UnsetType = UNSET
    startingheight: Height | UnsetType = UNSET
    timeoffset: int | UnsetType = UNSET
    listens_on: str | UnsetType = UNSET


def peer_view(peer: Peer, queries: Queries, now: Now) -> PeerView:
    view = PeerView(
        id=peer.peer_id,
        addr=peer.address.host_port,
        inbound=peer.inbound,
        connection_type="inbound" if peer.inbound else "manual" if peer.manual else "outbound",
        state=peer.state.value,
        conntime=peer.opened_at.wall_s,
        bytessent=peer.sent.bytes,
        bytesrecv=peer.received.bytes,
        messagessent=_by_message(peer.sent),
        messagesrecv=_by_message(peer.received),
        misbehaviour=queries.points(peer.peer_id, now),
    )
    trip = peer.round_trip
    if trip.last_ns is not None and trip.least_ns is not None:
        view.pingtime = trip.last_ns / NS
        view.minping = trip.least_ns / NS
    if peer.hello is not None:
        view.version = peer.hello.protocol
        view.subver = printable(peer.hello.agent)
        view.services = f"{peer.hello.services:016x}"
        view.startingheight = peer.hello.tip_height
        view.timeoffset = peer.hello.time - peer.opened_at.wall_s
    if peer.listen_address is not None:
        view.listens_on = peer.listen_address.host_port
    return view


def _by_message(traffic: Traffic) -> dict[str, int]:
    return {type_name(kind): count for kind, count in traffic.messages.items()}
