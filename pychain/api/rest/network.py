"""The node and the network as resources: status, peers, mining."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pychain import __version__
from pychain.api.context import Context
from pychain.api.endpoint import Resources
from pychain.api.methods import mempool, mining, network
from pychain.api.methods.mempool import MempoolInfo
from pychain.api.methods.mining import MiningInfo
from pychain.api.methods.network import NetworkInfo
from pychain.api.types import Count, Difficulty, HashHex, Height, Share, UnixTime, Work
from pychain.api.views.peers import PeerView
from pychain.api.views.stratum import StratumInfo
from pychain.api.views.targets import difficulty, work_hex
from pychain.base.time import NS
from pychain.chain.hashes import hash_hex

surroundings = Resources("Node and network")


class SyncView(Struct, kw_only=True):
    """The node's sync. While it is `behind`, transfers are not accepted and nothing is mined."""

    behind: bool
    progress: Share
    seconds_left: Annotated[int | None, Meta(description="seconds until the best header, at the last minute's speed")]
    headers: Height
    blocks: Height
    in_flight: Count
    verifying: Count


class Connections(Struct, kw_only=True):
    """Peers whose handshake is complete."""

    inbound: Count
    outbound: Count


class Status(Struct, kw_only=True):
    """A node at a glance."""

    version: str
    network: str
    genesis: HashHex
    dev: bool
    node_id: str
    uptime: Annotated[int, Meta(ge=0, description="seconds")]
    height: Height
    tip: HashHex
    time: UnixTime
    mediantime: UnixTime
    difficulty: Difficulty
    chainwork: Work
    spacing: Annotated[int, Meta(description="the network's target seconds between blocks")]
    networkhashps: float
    sync: SyncView
    peers: Connections
    mempool: MempoolInfo
    mining: bool
    hashespersec: float


@surroundings.get("/status")
def status(context: Context) -> Status:
    """The node at a glance: tip, sync, peers, mempool, mining."""
    queries, spec = context.queries, context.spec
    tip, sync = queries.tip, queries.sync()
    network_info, mining_info = network.getnetworkinfo(context), mining.getmininginfo(context)
    return Status(
        version=__version__,
        network=spec.name,
        genesis=hash_hex(spec.genesis_hash),
        dev=spec.dev,
        node_id=context.machine.node_id,
        uptime=context.uptime_ns() // NS,
        height=tip.height,
        tip=hash_hex(tip.hash),
        time=tip.header.time,
        mediantime=queries.median_time(tip),
        difficulty=difficulty(tip.header.bits),
        chainwork=work_hex(tip.work),
        spacing=spec.spacing_s,
        networkhashps=mining_info.networkhashps,
        sync=SyncView(
            behind=sync.behind,
            progress=sync.progress,
            seconds_left=context.forecast.seconds_left(),
            headers=sync.headers,
            blocks=sync.blocks,
            in_flight=sync.in_flight,
            verifying=sync.verifying,
        ),
        peers=Connections(inbound=network_info.connections_in, outbound=network_info.connections_out),
        mempool=mempool.getmempoolinfo(context),
        mining=mining_info.mining,
        hashespersec=mining_info.hashespersec,
    )


@surroundings.get("/peers")
def peers(context: Context) -> list[PeerView]:
    """All connections: direction, traffic, latency."""
    return network.getpeerinfo(context)


@surroundings.get("/network")
def network_view(context: Context) -> NetworkInfo:
    """This node in the network."""
    return network.getnetworkinfo(context)


@surroundings.get("/mining/stratum")
def stratum(context: Context) -> StratumInfo:
    """The Stratum miners and their shares."""
    return context.stratum_info()


@surroundings.get("/mining")
def mining_view(context: Context) -> MiningInfo:
    """The node's own mining, and the network's."""
    return mining.getmininginfo(context)
