"""Mining: when to search, on which template. The search itself is the world's.

On dev networks blocks may come at a drawn interval instead: then one block is searched for whenever a drawn time has
passed.
"""

from __future__ import annotations

from pychain.base.entropy import Random
from pychain.base.time import NS, Now, seconds
from pychain.consensus.branch import median_time_past
from pychain.consensus.contextual import template_time
from pychain.consensus.subsidy import subsidy
from pychain.ledger.mempool import Mempool
from pychain.ledger.template import BlockTemplate, select_transfers
from pychain.ledger.tree import BlockTree, Entry, EntryBranch
from pychain.node.effects import StartMining, StopMining
from pychain.node.outbox import Outbox
from pychain.p2p.draws import exponential

REFRESH_NS = 2 * NS
"""A template is made anew for better paying transfers at most this often; a new tip replaces it at once."""


class Mining:
    """Makes templates and keeps the world's miner on the right one."""

    def __init__(
        self,
        tree: BlockTree,
        mempool: Mempool,
        outbox: Outbox,
        random: Random,
        recipient: bytes | None,
        interval_s: float,
    ) -> None:
        self._tree = tree
        self._mempool = mempool
        self._outbox = outbox
        self._random = random
        self._interval_ns = seconds(interval_s)
        self.recipient = recipient
        """Whom blocks pay, None while this node does not mine."""
        self._next_block_ns: int | None = None
        """On a drawn interval: when the next block is due."""
        self._on: tuple[Entry, int] | None = None
        """Tip and mempool revision that the world searches on."""
        self._made_ns = 0
        self._cached: tuple[Entry, int, int, BlockTemplate] | None = None

    def next_bits(self, entry: Entry) -> int:
        """Bits of the block after `entry`."""
        return self._tree.rulebook.next_bits(EntryBranch(entry))

    def template(self, now: Now) -> BlockTemplate:
        """A template on the working tip, with the best paying transfers."""
        tip, revision = self._tree.tip, self._mempool.revision
        if self._cached is not None and self._cached[:3] == (tip, revision, now.wall_s):
            return self._cached[3]
        spec = self._tree.rulebook.spec
        branch = EntryBranch(tip)
        transfers = select_transfers((queue for _, queue in self._mempool.queues()), spec.max_block_bytes)
        fees = sum(transfer.fee for transfer in transfers)
        least = median_time_past(branch) + 1
        template = BlockTemplate(
            height=tip.height + 1,
            prev_hash=tip.hash,
            bits=self.next_bits(tip),
            time=template_time(self._tree.rulebook, branch, now.wall_s),
            min_time=max(least, spec.start_time) if tip.height == 0 else least,
            max_time=now.wall_s + spec.max_future_s,
            coinbase_amount=subsidy(spec, tip.height + 1) + fees,
            fees=fees,
            transfers=transfers,
        )
        self._cached = (tip, revision, now.wall_s, template)
        return template

    def set_recipient(self, recipient: bytes | None) -> None:
        """Mine to this key from the next turn on, or no more."""
        self.recipient = recipient
        self.pause()
        self._next_block_ns = None

    def pause(self) -> None:
        """Stop the search until the next turn says otherwise."""
        if self._on is not None:
            self._on = None
            self._outbox.emit(StopMining())

    def work(self, now: Now, behind: bool) -> None:
        """One turn: start, move or stop the search. A chain that is `behind` is not worth mining on."""
        if self.recipient is None or behind or not self._is_due(now):
            self.pause()
            return
        tip, revision = self._tree.tip, self._mempool.revision
        moved = self._on is None or self._on[0] is not tip
        stale = self._on is not None and self._on[1] != revision and now.mono_ns >= self._made_ns + REFRESH_NS
        if not moved and not stale:
            return
        template = self.template(now)
        if template.time > template.max_time:  # the chain is ahead of our clock: wait for it
            self.pause()
            self._made_ns = now.mono_ns
            return
        self._on = (tip, revision)
        self._made_ns = now.mono_ns
        self._outbox.emit(StartMining(template, self.recipient))

    def deadline(self, now: Now) -> int | None:
        """When `work` wants to be called next."""
        if self.recipient is None:
            return None
        if self._next_block_ns is not None and now.mono_ns < self._next_block_ns:
            return self._next_block_ns
        if self._on is None:
            return now.mono_ns + REFRESH_NS
        return self._made_ns + REFRESH_NS if self._on[1] != self._mempool.revision else None

    def tip_moved(self, now: Now) -> None:
        """A block joined the chain: on a drawn interval, the next one is due after a new draw."""
        if self._interval_ns:
            self._next_block_ns = now.mono_ns + exponential(self._random, self._interval_ns)

    def _is_due(self, now: Now) -> bool:
        if not self._interval_ns:
            return True
        if self._next_block_ns is None:
            self.tip_moved(now)
        return self._next_block_ns is not None and now.mono_ns >= self._next_block_ns
