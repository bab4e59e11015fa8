"""Queries: reads of a node's state that are served at once, without a request, and change nothing.

The chain, accounts and transactions are those of the durable state. An account's `sequence` is its nonce: the number of
transfers it has sent. The mempool is that of the working tip, which may be slightly ahead: `is_settling` says when.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pychain.base.time import Now
from pychain.chain.spec import ChainSpec
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.state import Account
from pychain.ledger.entry import median_time
from pychain.ledger.mempool import MempoolReader
from pychain.ledger.store import Status, Store, TransactionPlace
from pychain.ledger.tree import BlockTree, Entry
from pychain.node.bodies import Bodies
from pychain.node.commits import Commits
from pychain.node.mining import Mining
from pychain.node.peers import Peers
from pychain.node.view import ChainView
from pychain.p2p.addresses import AddressManager
from pychain.p2p.endpoint import Endpoint
from pychain.p2p.misbehaviour import Ban, Misbehaviour
from pychain.p2p.peer import Peer, Traffic
from pychain.p2p.slots import SlotManager
from pychain.p2p.sync import SyncManager


@dataclass(frozen=True, slots=True)
class ChainTip:
    """One tip of the block tree, as in Core's getchaintips. `branch_length` counts from the active chain."""

    entry: Entry
    branch_length: int
    status: Literal["active", "valid-fork", "valid-headers", "headers-only", "invalid"]


@dataclass(frozen=True, slots=True)
class SyncState:
    """The sync progress of a node. `progress` is the share of the best header's work that is connected, 0 to 1."""

    headers: int
    blocks: int
    in_flight: int
    verifying: int
    behind: bool
    progress: float


class Queries:
    """The read side of a `Node`."""

    def __init__(
        self,
        tree: BlockTree,
        store: Store,
        bodies: Bodies,
        view: ChainView,
        commits: Commits,
        mempool: MempoolReader,
        mining: Mining,
        sync: SyncManager,
        slots: SlotManager,
        misbehaviour: Misbehaviour,
        addresses: AddressManager,
        peers: Peers,
    ) -> None:
        self._tree = tree
        self._store = store
        self._bodies = bodies
        self._view = view
        self._commits = commits
        self._mining = mining
        self._sync = sync
        self._slots = slots
        self._misbehaviour = misbehaviour
        self._addresses = addresses
        self._peers = peers
        self.mempool = mempool

    # --- the chain

    @property
    def rulebook(self) -> Rulebook:
        return self._tree.rulebook

    @property
    def spec(self) -> ChainSpec:
        return self._tree.rulebook.spec

    @property
    def tip(self) -> Entry:
        """The durable tip."""
        return self._commits.durable

    @property
    def is_settling(self) -> bool:
        """Whether connected blocks are not durable yet: their transfers have left the mempool, but are not in the chain
        that queries show."""
        return self._tree.tip is not self._commits.durable

    @property
    def best_header(self) -> Entry:
        return self._tree.best_header

    def entry(self, block_hash: bytes) -> Entry | None:
        """Any known block."""
        return self._tree.get(block_hash)

    def at(self, height: int) -> Entry | None:
        """The block of the active chain at a height."""
        return self.tip.ancestor(height) if 0 <= height <= self.tip.height else None

    def fork_point(self, one: Entry, other: Entry) -> Entry:
        """The last common block of two branches."""
        return self._tree.fork_point(one, other)

    def is_active(self, entry: Entry) -> bool:
        return self.tip.descends_from(entry)

    def confirmations(self, entry: Entry) -> int:
        """1 for the tip; -1 for a block that is not on the active chain (as Core)."""
        return self.tip.height - entry.height + 1 if self.is_active(entry) else -1

    def median_time(self, entry: Entry) -> int:
        return median_time(entry)

    def next_bits(self, entry: Entry) -> int:
        """Bits of the block after `entry`."""
        return self._mining.next_bits(entry)

    def tips(self) -> list[ChainTip]:
        """All tips of the tree, the active one first, then by descending height."""
        tips = []
        for entry in self._tree.leaves():
            fork = self._tree.fork_point(entry, self.tip)
            if entry is self.tip:
                tips.append(ChainTip(entry, 0, "active"))
            elif fork is not entry:
                tips.append(ChainTip(entry, entry.height - fork.height, _tip_status(entry)))
        return sorted(tips, key=lambda tip: (tip.status != "active", -tip.entry.height, tip.entry.hash))

    def raw_block(self, entry: Entry) -> bytes | None:
        """The raw body if it is in memory; the runtime reads others from its store."""
        return self._bodies.raw(entry)

    def sync(self) -> SyncState:
        best, tip = self._tree.best_header, self.tip
        progress = 1.0 if tip.work >= best.work else tip.work / best.work
        return SyncState(
            best.height,
            tip.height,
            self._sync.in_flight,
            self._bodies.verifying,
            self._view.is_behind(),
            progress,
        )

    # --- accounts and transactions

    def account(self, key: bytes) -> Account:
        return self._store.account(key)

    def immature(self, key: bytes) -> int:
        """Immature rewards of the account: mined but not credited yet."""
        total = 0
        first = max(1, self.tip.height - self.spec.maturity + 1)
        entry = self.tip
        while entry.height >= first:
            reward = self._store.reward(entry.hash)
            if reward is not None and reward.recipient == key:
                total += reward.amount
            assert entry.parent is not None
            entry = entry.parent
        return total

    def transaction(self, txid: bytes) -> TransactionPlace | None:
        """The place of a transaction in the active chain."""
        return self._store.transaction(txid)

    def history(self, key: bytes, limit: int, before: bytes | None = None) -> list[TransactionPlace]:
        """Up to `limit` transactions of an account in the active chain, newest first, all older than `before`."""
        return self._store.history(key, limit, before)

    # --- peers and mining

    def peers(self) -> Iterable[Peer]:
        return self._peers.all()

    def received(self) -> Traffic:
        """Traffic from all peers since the start."""
        return self._peers.received()

    def sent(self) -> Traffic:
        """Traffic to all peers since the start."""
        return self._peers.sent()

    def points(self, peer_id: int, now: Now) -> int:
        """A peer's misbehaviour points."""
        return self._misbehaviour.points(peer_id, now)

    def manual_peers(self) -> tuple[Endpoint, ...]:
        """The endpoints that the operator wants connected."""
        return self._slots.manual

    @property
    def networking(self) -> bool:
        """Whether connections are made and accepted at all."""
        return self._slots.is_active

    def known_addresses(self) -> int:
        """Number of known addresses of nodes."""
        return len(self._addresses)

    def bans(self, now: Now) -> list[Ban]:
        return self._misbehaviour.bans(now)

    @property
    def mining_to(self) -> bytes | None:
        """The key that this node mines to, None while it does not mine."""
        return self._mining.recipient


def _tip_status(entry: Entry) -> Literal["valid-fork", "valid-headers", "headers-only", "invalid"]:
    if entry.invalid:
        return "invalid"
    if Status.CONNECTED in entry.status:
        return "valid-fork"
    return "valid-headers" if entry.has_body else "headers-only"
