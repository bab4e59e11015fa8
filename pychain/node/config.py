"""The settings of a node that its core needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from pychain import __version__
from pychain.base.time import NS
from pychain.consensus.rulebook import Rulebook
from pychain.ledger.mempool import MempoolLimits
from pychain.p2p.channel import ChannelFactory, plain_channel
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.limits import PING_INTERVAL_NS
from pychain.p2p.manager import ManagerFactory
from pychain.p2p.netaddress import NetAddress


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """The settings of one node, fixed for its life.

    rulebook: the network's spec with its rules. listen_port: TCP port told to peers, 0 where nothing listens.
    connect: manual peers, which are kept connected; with `connect_only`, no others are dialled. seeds: `host:port` of
    nodes that help to find others when none are known or none answer. ping_interval_s: mean seconds between two pings.
    channel: makes the layer between a peer's stream and its frames. managers: further sub-protocols. mine_to: public
    key to mine to from the start, None for no mining. mine_interval_s: on dev networks, mean seconds between blocks
    (drawn from an exponential distribution); 0 mines at once. mempool: bounds and fees of the mempool.
    """

    rulebook: Rulebook
    agent: str = f"/pychain:{__version__}/"
    listen_port: int = 0
    connect: tuple[Endpoint, ...] = ()
    connect_only: bool = False
    seeds: tuple[NetAddress, ...] = ()
    ping_interval_s: float = PING_INTERVAL_NS / NS
    channel: ChannelFactory = plain_channel
    managers: tuple[ManagerFactory, ...] = ()
    mine_to: bytes | None = None
    mine_interval_s: float = 0.0
    mempool: MempoolLimits = field(default_factory=MempoolLimits)
