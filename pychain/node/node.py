"""The node: one input at a time, a turn of the pipeline, effects out.

    input ──> the part that handles it
                 │
    headers ──> bodies ──> activation ──> transfers      the pipeline: each stage does a bounded piece of work and
                 │                                       leaves its results as outcomes
    peers, mining, requests <── outcomes                 the parts that act on outcomes, in this order
                 │
    timers ──> commit ──> answers                        the end of the turn

Data flows in this direction only, never back within a turn. `assembly` connects the parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pychain.base.entropy import Entropy
from pychain.base.time import Now
from pychain.chain.hashes import hash_hex
from pychain.consensus.rules import Blame, Rule
from pychain.ledger.store import Store
from pychain.ledger.tree import Entry
from pychain.node.assembly import Parts
from pychain.node.config import NodeConfig
from pychain.node.effects import Effect, StopMining, Stopped
from pychain.node.events import BlockRefused, Notice
from pychain.node.inputs import (
    Asked,
    AskedTogether,
    BlockMined,
    BlocksRead,
    BlocksVerified,
    BodyDamaged,
    BytesDrained,
    BytesReceived,
    CommitDone,
    CommitFailed,
    DialFailed,
    Input,
    NameResolved,
    PeerClosed,
    PeerOpened,
    Start,
    Stop,
    Tick,
    TransfersVerified,
)
from pychain.node.outcomes import Outcomes
from pychain.p2p.messages import GoodbyeCode

MOVING = frozenset((Tick, BlocksVerified, BlocksRead, CommitDone))
"""The inputs in whose turn the tip may move. Other inputs are small requests of peers and callers, many of which can be
served in the time that it takes to connect one block."""


class Node:
    """One node of the network as a state machine: inputs in, effects out."""

    def __init__(self, config: NodeConfig, store: Store, entropy: Entropy) -> None:
        """Raises `ConfigError` where the store holds another chain."""
        self.config = config
        self._parts = Parts(config, store, entropy)
        self.queries = self._parts.queries
        self._now = Now(0, 0)
        self._wants_turn = False
        """Whether the last turn left work that can be done now, without waiting for a result."""
        self._stopping = False
        self._stopped = False
        self._handlers = self._table()

    def _table(self) -> dict[type[Input], Callable[[Any, Now], None]]:
        """The handler of each input."""
        parts = self._parts
        return {
            Start: self._on_start,
            Tick: lambda _, now: None,
            Stop: self._on_stop,
            PeerOpened: self._on_peer_opened,
            DialFailed: lambda i, now: parts.slots.dial_failed(i.endpoint.address, now),
            NameResolved: self._on_name_resolved,
            BytesReceived: lambda i, now: parts.protocol.received(i.peer, i.data, now),
            BytesDrained: lambda i, now: parts.serving.resume(i.peer),
            PeerClosed: lambda i, now: parts.protocol.closed(i.peer, i.reason, now),
            BlocksVerified: self._on_blocks_verified,
            TransfersVerified: lambda i, now: parts.transfers.verified(i.job, i.valid, now),
            BlocksRead: self._on_blocks_read,
            BodyDamaged: self._on_body_damaged,
            CommitDone: self._on_commit_done,
            CommitFailed: lambda i, now: self._fail(i.reason),
            BlockMined: lambda i, now: parts.blocks.take_block(i.raw, None),
            Asked: self._on_asked,
            AskedTogether: self._on_asked_together,
        }

    # --- the contract

    def handle(self, incoming: Input, now: Now) -> list[Effect]:
        """Take one input, do a bounded piece of work, and return the effects for the runtime to carry out, in order."""
        if self._stopped:
            if isinstance(incoming, (Asked, AskedTogether)):
                for asked in (incoming,) if isinstance(incoming, Asked) else incoming.asked:
                    self._parts.requests.refuse(asked.request_id)
            return self._parts.outbox.take()
        self._now = now
        if isinstance(incoming, BytesDrained):
            self._parts.peers.drained(incoming.peer, incoming.count)
            if not self._parts.serving.waits_for(incoming.peer):
                return []
        try:
            self._handlers[type(incoming)](incoming, now)
            self._turn(now, type(incoming) in MOVING)
        except OSError as error:  # the disk could not read something that the node needs
            self._fail(str(error))
        return self._parts.outbox.take()

    def deadline(self) -> int | None:
        """Monotonic ns at which the node needs a `Tick` unless another input comes first, None for never."""
        if self._stopped or self._stopping:
            return None
        return self._now.mono_ns if self._wants_turn else self._parts.deadlines.next()

    def _turn(self, now: Now, moving: bool) -> None:
        parts, outcomes = self._parts, self._parts.outcomes
        if not self._stopping:
            parts.headers.work(now)
            if outcomes.headers:
                parts.gossip.take_bodies(outcomes.headers)
            parts.bodies.flush()
            if moving:
                parts.activation.work()
            if parts.transfers.has_work:
                parts.transfers.work(now, parts.activation.idle, parts.commits.idle)
        if outcomes:
            parts.gossip.react(outcomes, now)
            parts.mining.follow(outcomes, now)
            self._tell(outcomes)
        if not self._stopping:
            parts.deadlines.poll(now)
        parts.commits.work()
        if not self._stopping:
            parts.blocks.settle()
        elif parts.commits.idle:
            self._end(None)
        self._wants_turn = parts.headers.wants_turn or parts.transfers.wants_turn or parts.activation.wants_turn

    def _tell(self, outcomes: Outcomes) -> None:
        """Answer the requests that a turn's outcomes decide, publish which blocks are invalid or damaged, and clear the
        outcomes."""
        self._parts.requests.react(outcomes)
        outbox = self._parts.outbox
        for headers in outcomes.headers:
            error = headers.error
            if error is None or headers.is_presync:
                continue
            if error.rule.blame is Blame.HEADER and error.rule is not Rule.PREVIOUS_INVALID:
                failed = headers.headers[headers.checked]
                outbox.publish(BlockRefused(failed.hash, error.rule.code, str(error)))
        for invalid in outcomes.invalid:
            outbox.publish(BlockRefused(invalid.entry.hash, invalid.error.rule.code, str(invalid.error)))
        for entry in outcomes.lost_bodies:
            if entry.hash not in self._parts.bodies.in_repair:
                self._tell_damaged(entry)
        outcomes.clear()

    def _tell_damaged(self, entry: Entry) -> None:
        text = f"block {entry.height} ({hash_hex(entry.hash)}) is damaged on the disk and will be fetched again"
        self._parts.outbox.publish(Notice("warning", text))

    # --- start and stop

    def _on_start(self, _: Start, now: Now) -> None:
        parts, config = self._parts, self.config
        for notice in parts.tables.load(now):
            parts.outbox.publish(Notice("warning", notice))
        parts.transfers.submit(parts.tables.saved_transfers(), None)
        self._tip_is_durable()
        parts.fees.set_floor(config.mempool.relay_fee, now)
        parts.mining.start()
        parts.seeds.start(now)
        if not (config.connect or config.seeds or len(parts.addresses)):
            text = "no peers are configured or known: add one with --connect or `pychain peers add HOST:PORT`"
            parts.outbox.publish(Notice("info", text))

    def _on_stop(self, _: Stop, now: Now) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._parts.activation.abandon()
        self._parts.outbox.emit(StopMining())
        self._part_from_peers()
        self._parts.tables.save()

    def _fail(self, reason: str) -> None:
        """Stop after a local fault that the node cannot recover from; the durable tip is intact."""
        self._parts.outbox.emit(StopMining())
        self._part_from_peers()
        self._end(reason)

    def _part_from_peers(self) -> None:
        peers = self._parts.peers
        for peer in list(peers.all()):
            peers.hang_up(peer.peer_id, GoodbyeCode.SHUTTING_DOWN, "this node is stopping")

    def _end(self, fault: str | None) -> None:
        self._stopped = True
        self._tell(self._parts.outcomes)
        self._parts.requests.close()
        self._parts.outbox.emit(Stopped(fault))

    # --- inputs that concern several parts

    def _on_peer_opened(self, opened: PeerOpened, now: Now) -> None:
        self._parts.protocol.opened(opened.peer, opened.endpoint, opened.inbound, now)
        if self._stopping:  # the connection was opened meanwhile
            self._part_from_peers()

    def _on_asked(self, asked: Asked, now: Now) -> None:
        if self._stopping:
            self._parts.requests.refuse(asked.request_id)
        else:
            self._parts.requests.asked(asked.request_id, asked.request, now)

    def _on_asked_together(self, together: AskedTogether, now: Now) -> None:
        for asked in together.asked:
            self._on_asked(asked, now)

    def _on_name_resolved(self, resolved: NameResolved, now: Now) -> None:
        for address in resolved.addresses:
            self._parts.addresses.add(address, now)

    def _on_blocks_verified(self, verified: BlocksVerified, now: Now) -> None:
        self._parts.bodies.verified(verified)
        self._parts.sync.look()

    def _on_blocks_read(self, read: BlocksRead, now: Now) -> None:
        if not self._parts.bodies.read(read):
            self._parts.serving.read(read.job, read.blocks)

    def _on_body_damaged(self, damaged: BodyDamaged, now: Now) -> None:
        """Fetch the body again, even if this node does not need it: other peers may request it later."""
        entry = self._parts.tree.get(damaged.block_hash)
        if entry is not None and self._parts.bodies.repair(entry):
            self._tell_damaged(entry)
            self._parts.sync.look()

    def _on_commit_done(self, done: CommitDone, now: Now) -> None:
        parts = self._parts
        parts.sync.look()
        change = parts.commits.done(done.job)
        if change is None:
            return
        self._tip_is_durable()
        parts.outbox.publish(change)
        if not self._stopping:
            parts.gossip.announce(change)

    def _tip_is_durable(self) -> None:
        """Update the tip in our hello to new peers."""
        durable = self._parts.commits.durable
        ours = self._parts.handshake.ours
        ours.tip_height = durable.height
        ours.tip_work = durable.work
