"""The network: peers, manual connections, bans."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from pychain import __version__
from pychain.api.context import Context
from pychain.api.errors import Code, RpcError, granted
from pychain.api.method import Group
from pychain.api.types import Bytes, Count, FeeRate, UnixTime
from pychain.api.views.peers import PeerId, PeerView, peer_view
from pychain.node.requests import AddPeer, Ban, DisconnectPeer, RemovePeer, Request, SetNetworking, TryPeer
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.limits import DEFAULT_BAN_S, PROTOCOL_VERSION
from pychain.p2p.netaddress import AddressError

group = Group("network", "Peers")

PeerText = Annotated[str, Meta(max_length=512, description="host:port or a multiaddr; the port is optional")]
HostText = Annotated[str, Meta(max_length=512, description="an IP address, or a subnet like 192.0.2.0/24")]


class NetworkInfo(Struct, kw_only=True):
    """This node in the network."""

    version: str
    subversion: str
    protocolversion: int
    node_id: Annotated[str, Meta(description="libp2p peer id")]
    networkactive: bool
    connections: Count
    connections_in: Count
    connections_out: Count
    localaddresses: Annotated[list[str], Meta(description="where peers can connect, host:port")]
    addednodes: Annotated[list[str], Meta(description="manual peers, host:port")]
    knownaddresses: Annotated[int, Meta(description="known addresses of nodes")]
    relayfee: FeeRate


class NetTotals(Struct, kw_only=True):
    """Traffic with peers."""

    totalbytesrecv: Bytes
    totalbytessent: Bytes
    timemillis: Annotated[int, Meta(description="the machine's clock, Unix milliseconds")]


class BanView(Struct, kw_only=True):
    """A banned address or subnet."""

    address: str
    ban_created: UnixTime
    banned_until: UnixTime
    ban_duration: Annotated[int, Meta(description="seconds")]
    time_remaining: Annotated[int, Meta(description="seconds")]


@group.method()
def getnetworkinfo(context: Context) -> NetworkInfo:
    """This node in the network. Connections count once the handshake is complete."""
    queries, machine = context.queries, context.machine
    ready = [peer for peer in queries.peers() if peer.hello is not None]
    inbound = sum(peer.inbound for peer in ready)
    return NetworkInfo(
        version=__version__,
        subversion=machine.agent,
        protocolversion=PROTOCOL_VERSION,
        node_id=machine.node_id,
        networkactive=queries.networking,
        connections=len(ready),
        connections_in=inbound,
        connections_out=len(ready) - inbound,
        localaddresses=[address.host_port for address in machine.addresses],
        addednodes=[address.host_port for address in queries.manual_peers()],
        knownaddresses=queries.known_addresses(),
        relayfee=queries.mempool.limits.relay_fee,
    )


@group.method()
def getconnectioncount(context: Context) -> Count:
    """The number of peers whose handshake is complete."""
    return sum(peer.hello is not None for peer in context.queries.peers())


@group.method(example=(True,))
async def setnetworkactive(context: Context, state: bool) -> bool:
    """Switch networking with peers on or off; returns the new state."""
    await context.ask(SetNetworking(state))
    return context.queries.networking


@group.method()
def getnettotals(context: Context) -> NetTotals:
    """Bytes exchanged with peers since the node started, over all connections."""
    queries = context.queries
    return NetTotals(
        totalbytesrecv=queries.received().bytes,
        totalbytessent=queries.sent().bytes,
        timemillis=context.clock.unix_ms(),
    )


@group.method()
def getpeerinfo(context: Context) -> list[PeerView]:
    """All connections."""
    queries, now = context.queries, context.clock.now()
    return [peer_view(peer, queries, now) for peer in queries.peers()]


@group.method(
    errors={
        Code.INVALID_PARAMETER: "no address",
        Code.NODE_ALREADY_ADDED: "it was already added",
        Code.NODE_NOT_ADDED: "it was not added",
        Code.NETWORK_DISABLED: "networking is switched off",
    },
    example=("192.0.2.1:30700", "add"),
)
async def addnode(context: Context, node: PeerText, command: Literal["add", "remove", "onetry"]) -> None:
    """Add or remove a manual peer, or try to connect once."""
    try:
        endpoint = Endpoint.parse(node, context.spec.p2p_port or None)
    except AddressError as error:
        raise RpcError(Code.INVALID_PARAMETER, str(error)) from None
    request: Request
    match command:
        case "add":
            request = AddPeer(endpoint)
        case "remove":
            request = RemovePeer(endpoint.address)
        case "onetry":
            request = TryPeer(endpoint)
    codes = {
        "already-added": Code.NODE_ALREADY_ADDED,
        "not-found": Code.NODE_NOT_ADDED,
        "networking-off": Code.NETWORK_DISABLED,
    }
    granted(await context.ask(request), codes)


@group.method(
    errors={
        Code.INVALID_PARAMETER: "give exactly one of address and id",
        Code.NODE_NOT_CONNECTED: "no such connection",
    },
    example=("192.0.2.1:30700",),
)
async def disconnectnode(context: Context, address: PeerText | None = None, nodeid: PeerId | None = None) -> None:
    """Disconnect a peer, given by its `addr` or its `id` in `getpeerinfo`."""
    if (address is None or address == "") == (nodeid is None):
        raise RpcError(Code.INVALID_PARAMETER, "Only one of address and nodeid should be provided.")
    if nodeid is None:
        nodeid = next((peer.peer_id for peer in context.queries.peers() if peer.address.host_port == address), None)
    if nodeid is None:
        raise RpcError(Code.NODE_NOT_CONNECTED, "Node not found in connected nodes")
    granted(await context.ask(DisconnectPeer(nodeid)), {"not-found": Code.NODE_NOT_CONNECTED})


@group.method(
    errors={
        Code.INVALID_IP_OR_SUBNET: "not an address or a subnet, or not banned",
        Code.INVALID_PARAMETER: "absolute time in the past",
    },
    example=("192.0.2.0/24", "add", 3600),
)
async def setban(
    context: Context,
    subnet: HostText,
    command: Literal["add", "remove"],
    bantime: UnixTime = 0,
    absolute: bool = False,
) -> None:
    """Ban an address or subnet for `bantime` seconds (0: a day), or remove a ban.

    `absolute` means that `bantime` is a Unix time. Existing connections are closed.
    """
    duration_s = 0
    if command == "add":
        duration_s = bantime - context.clock.now().wall_s if absolute else bantime or DEFAULT_BAN_S
        if duration_s <= 0:
            raise RpcError(Code.INVALID_PARAMETER, "Error: Absolute timestamp is in the past")
    codes = {"bad-host": Code.INVALID_IP_OR_SUBNET, "not-found": Code.INVALID_IP_OR_SUBNET}
    granted(await context.ask(Ban(subnet, duration_s)), codes)


@group.method()
def listbanned(context: Context) -> list[BanView]:
    """The current bans."""
    now = context.clock.now()
    return [
        BanView(
            address=str(ban.network),
            ban_created=ban.created,
            banned_until=ban.until,
            ban_duration=ban.until - ban.created,
            time_remaining=ban.until - now.wall_s,
        )
        for ban in context.queries.bans(now)
    ]
