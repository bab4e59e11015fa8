"""Assembly: the parts of a node are created and connected here, and nothing else.

The parts are in the order in which data flows: from peers and requests to the intakes, to the chain, to the disk. The
results go back to peers and requests as outcomes, at the end of a turn.
"""

from __future__ import annotations

from itertools import chain

from pychain.base.deadlines import Deadlines
from pychain.base.entropy import Entropy, Random
from pychain.base.errors import ConfigError
from pychain.base.time import seconds
from pychain.chain.hashes import HASH_BYTES, hash_hex
from pychain.consensus.state import Reward, genesis_accounts
from pychain.ledger.mempool import Mempool
from pychain.ledger.overlay import Overlay
from pychain.ledger.store import Store
from pychain.ledger.tree import BlockTree
from pychain.node.activation import Activation
from pychain.node.block_requests import BlockRequests
from pychain.node.bodies import Bodies
from pychain.node.commits import Commits
from pychain.node.config import NodeConfig
from pychain.node.gossip import Gossip
from pychain.node.headers import HeaderIntake
from pychain.node.mining import Mining
from pychain.node.outbox import Outbox
from pychain.node.outcomes import Outcomes
from pychain.node.peer_protocol import PeerProtocol
from pychain.node.peers import Peers
from pychain.node.queries import Queries
from pychain.node.request_handlers import RequestHandlers
from pychain.node.seeds import Seeds
from pychain.node.serving import Serving
from pychain.node.tables import Tables
from pychain.node.transfers import TransferIntake
from pychain.node.view import ChainView
from pychain.p2p import limits
from pychain.p2p.addresses import AddressManager
from pychain.p2p.buckets import MessageLimiter
from pychain.p2p.fees import FeeFilterManager
from pychain.p2p.handshake import Handshake, OurSide
from pychain.p2p.manager import Manager, Surroundings
from pychain.p2p.messages import Codec
from pychain.p2p.misbehaviour import Misbehaviour
from pychain.p2p.ping import PingManager
from pychain.p2p.relay import RelayManager
from pychain.p2p.requests import RequestTracker
from pychain.p2p.slots import SlotManager
from pychain.p2p.sync import SyncManager


class Parts:
    """A node's parts, created from a store. Raises `ConfigError` where it holds another chain."""

    def __init__(self, config: NodeConfig, store: Store, entropy: Entropy) -> None:
        self._config = config
        self._store = store
        self._entropy = entropy
        self.deadlines = Deadlines()
        self.outcomes = Outcomes()
        self.outbox = Outbox()
        self._make_chain()
        self._make_peers()
        self._make_others()

    def _random(self) -> Random:
        return Random(int.from_bytes(self._entropy.bytes(8), "big"))

    def _make_chain(self) -> None:
        """From headers to the tip, and the transfers that follow it."""
        outcomes, outbox, deadlines = self.outcomes, self.outbox, self.deadlines
        self.overlay = Overlay(self._store)
        self.tree = tree = _load_tree(self._config, self._store, self.overlay)
        self.headers = HeaderIntake(tree, self._entropy, outcomes, deadlines)
        self.bodies = Bodies(tree, self.overlay, outbox, outcomes)
        self.activation = Activation(tree, self.overlay, self.bodies, outcomes)
        self.mempool = Mempool(self._config.mempool, self.overlay)
        self.transfers = TransferIntake(self.mempool, self.overlay, outbox, outcomes, deadlines)
        self.commits = Commits(tree, self.overlay, outbox)
        self.view = ChainView(tree, self.bodies, self.activation, self.transfers)

    def _make_peers(self) -> None:
        """The managers of the sub-protocols, and the peer protocol that dispatches messages to them."""
        config, spec, tree = self._config, self._config.rulebook.spec, self.tree
        random = self._random()
        self.peers = peers = Peers(self.outbox, spec.max_block_bytes)
        limiter = MessageLimiter()
        self.misbehaviour = Misbehaviour(peers)
        self.addresses = AddressManager(peers, random, relays=not config.connect_only)
        self.handshake = Handshake(peers, self._entropy, OurSide(spec.genesis_hash, config.agent, config.listen_port))
        self.slots = SlotManager(
            peers,
            random,
            self.addresses,
            self.misbehaviour,
            nonce=self.handshake.nonce,
            manual=config.connect,
            connect_only=config.connect_only,
        )
        ping = PingManager(peers, self._entropy, random, seconds(config.ping_interval_s))
        relay = RelayManager(peers, random, self.view)
        self.tracker = RequestTracker(peers, limits.TX_TIMEOUT_NS)
        self.fees = FeeFilterManager(peers)
        self.sync = SyncManager(peers, self.view, limits.block_timeout_ns(spec.spacing_s), spec.max_block_bytes)
        self.serving = Serving(tree, self.bodies, self.commits, self.mempool, peers, self.outbox)
        self.gossip = Gossip(
            tree,
            self.view,
            self.headers,
            self.bodies,
            self.transfers,
            peers,
            limiter,
            self.misbehaviour,
            relay,
            self.tracker,
            self.sync,
        )
        others = [make(Surroundings(peers, self._entropy, random)) for make in config.managers]
        managers: list[Manager] = [
            self.handshake,
            self.slots,
            self.misbehaviour,
            ping,
            relay,
            self.tracker,
            self.addresses,
            self.fees,
            self.sync,
            self.serving,
            self.gossip,
            *others,
        ]
        peers.codec = Codec({number: message for manager in others for number, message in manager.messages.items()})
        for manager in managers:
            manager.wakes_by(self.deadlines.add(manager))
        self.protocol = PeerProtocol(
            config, self._entropy, peers, limiter, self.misbehaviour, self.handshake, self.slots, managers, self.outbox
        )

    def _make_others(self) -> None:
        """Mining, the tables on disk, the seeds, request handlers and queries."""
        config, tree, peers, outbox = self._config, self.tree, self.peers, self.outbox
        interval_s = config.mine_interval_s
        self.mining = Mining(
            tree, self.view, self.mempool, outbox, self._random(), config.mine_to, interval_s, self.deadlines
        )
        self.tables = Tables(
            self._store, self.overlay, self.transfers, self.addresses, self.misbehaviour, self.deadlines
        )
        self.seeds = Seeds(config, self.addresses, self.slots, peers, outbox, self.deadlines)
        self.blocks = BlockRequests(tree, self.headers, self.bodies, self.activation, self.commits, self.sync, outbox)
        self.requests = RequestHandlers(
            self.blocks, self.transfers, self.mining, self.slots, self.misbehaviour, peers, outbox
        )
        self.queries = Queries(
            tree,
            self._store,
            self.bodies,
            self.view,
            self.commits,
            self.mempool,
            self.mining,
            self.sync,
            self.slots,
            self.misbehaviour,
            self.addresses,
            peers,
        )


def _load_tree(config: NodeConfig, store: Store, overlay: Overlay) -> BlockTree:
    """Load the block tree from the store; a new store gets genesis with the first commit."""
    tree = BlockTree(config.rulebook)
    tip = store.tip()
    genesis = config.rulebook.spec.genesis
    if tip is None:
        overlay.put_body(genesis.hash, genesis.raw)
        overlay.put_accounts(genesis_accounts(config.rulebook.spec))
        overlay.connect(genesis, bytes(1), Reward(bytes(32), 0))
        return tree
    slices = iter(store.index())
    first = next(slices)
    if first.hashes[:HASH_BYTES] != genesis.hash:
        raise ConfigError(
            f"the data belongs to another chain: its genesis is {hash_hex(first.hashes[:HASH_BYTES])}, "
            f"that of network '{config.rulebook.spec.name}' is {hash_hex(genesis.hash)}"
        )
    tree.restore(chain((first,), slices), tip)
    return tree
