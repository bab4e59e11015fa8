"""The node: its parts put together, its inputs handed to them, its work done in turns.

After each input the parts take their turn in one fixed order, each doing a bounded piece of what has gathered:
headers, activation, transfers, commits, peers, mining, answers. Data flow that way and never back within a turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from pychain.base.entropy import Entropy, Random
from pychain.base.errors import ConfigError
from pychain.base.time import Now, earliest
from pychain.chain.block import Block
from pychain.chain.hashes import HASH_BYTES, hash_hex
from pychain.chain.header import Header
from pychain.consensus.rules import Blame, Rule, RuleError
from pychain.consensus.state import Reward, genesis_accounts
from pychain.ledger.known import KnownSignatures
from pychain.ledger.mempool import Mempool, Policy
from pychain.ledger.overlay import Overlay
from pychain.ledger.pending import fee_rate
from pychain.ledger.store import Store
from pychain.ledger.tree import BlockTree, Entry
from pychain.node.activation import Activation, TipChange
from pychain.node.bodies import Bodies, Verification
from pychain.node.commits import Commits
from pychain.node.config import NodeConfig
from pychain.node.desk import Desk
from pychain.node.dialogue import Dialogue
from pychain.node.effects import Effect, Resolve, StopMining, Stopped
from pychain.node.events import BlockRefused, NewTip, Notice
from pychain.node.headers import HeaderIntake, HeaderList
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
from pychain.node.mining import Mining
from pychain.node.outbox import Outbox
from pychain.node.peers import Peers
from pychain.node.queries import Queries
from pychain.node.serving import Serving
from pychain.node.tables import Tables
from pychain.node.transfers import Candidate, Refusal, TransferIntake
from pychain.node.view import ChainView
from pychain.p2p.limits import MAX_ANNOUNCED_HEADERS
from pychain.p2p.messages import GoodbyeCode, Kind
from pychain.p2p.misbehaviour import Offence
from pychain.p2p.relay import NewBlock

RIVAL_DEPTH = 16
"""A branch that ties with the tip is fetched at once if it lacks at most this many bodies."""
MOVING = frozenset((Tick, BlocksVerified, BlocksRead, CommitDone))
"""The inputs in whose turn the tip may move. In the others' it does not: what peers and callers want is small, and many
of them have their turn while one block would be connected."""
MAX_VOLUNTEERS = 256
"""Blocks whose unasked senders are remembered until they are judged; beyond it the oldest get away with it."""


class Node:
    """One node of the network as a state machine: inputs in, effects out."""

    def __init__(self, config: NodeConfig, store: Store, entropy: Entropy) -> None:
        """ConfigError where the store holds another chain."""
        self.config = config
        spec = config.rulebook.spec
        self._outbox = Outbox()
        self._overlay = Overlay(store)
        self._tree = _load_tree(config, store, self._overlay)
        self._mempool = Mempool(config.mempool, self._overlay)
        random = Random(int.from_bytes(entropy.bytes(8), "big"))

        self._headers = HeaderIntake(self._tree, entropy, self._headers_judged)
        self._known = KnownSignatures()
        self._bodies = Bodies(self._tree, self._overlay, self._outbox, self._known, self._body_verified)
        self._activation = Activation(
            self._tree, self._overlay, self._bodies, self._tip_changed, self._block_refused, self._body_lost
        )
        self._commits = Commits(self._tree, self._overlay, self._outbox)
        self._transfers = TransferIntake(
            self._mempool,
            self._overlay,
            self._outbox,
            self._transfers_arrived,
            self._transfers_accepted,
            self._transfer_refused,
        )
        self._mining = Mining(self._tree, self._mempool, self._outbox, random, config.mine_to, config.mine_interval_s)
        self._peers = Peers(self._outbox, spec.max_block_bytes)
        self._serving = Serving(self._tree, self._bodies, self._commits, self._mempool, self._peers, self._outbox)
        self._view = ChainView(self._tree, self._bodies, self._activation, self._transfers)
        self._dialogue = Dialogue(config, entropy, self._peers, self._serving, self._view, self, self._outbox)
        self._tables = Tables(store, self._overlay, self._transfers, self._dialogue)
        self._desk = Desk(
            self._tree,
            self._headers,
            self._bodies,
            self._activation,
            self._commits,
            self._transfers,
            self._mining,
            self._dialogue,
            self._peers,
            self._outbox,
        )
        self.queries = Queries(
            self._tree,
            store,
            self._bodies,
            self._view,
            self._commits,
            self._mempool,
            self._mining,
            self._dialogue,
            self._peers,
        )
        self._volunteers: dict[bytes, int] = {}
        """Blocks that came unasked and were not yet judged by the state -> who sent them."""
        self._now = Now(0, 0)
        self._stopping = False
        self._stopped = False
        self._handlers = self._table()

    def _table(self) -> dict[type[Input], Callable[[Any, Now], None]]:
        """What each input sets off."""
        return {
            Start: self._on_start,
            Tick: lambda _, now: None,
            Stop: self._on_stop,
            PeerOpened: self._on_peer_opened,
            DialFailed: lambda i, now: self._dialogue.slots.dial_failed(i.address, now),
            NameResolved: self._on_name_resolved,
            BytesReceived: lambda i, now: self._dialogue.received(i.peer, i.data, now),
            BytesDrained: lambda i, now: self._dialogue.drained(i.peer, i.count),
            PeerClosed: self._on_peer_closed,
            BlocksVerified: self._bodies.verified,
            TransfersVerified: lambda i, now: self._transfers.verified(i.job, i.valid, now),
            BlocksRead: self._on_blocks_read,
            BodyDamaged: self._on_body_damaged,
            CommitDone: self._on_commit_done,
            CommitFailed: lambda i, now: self._fail(i.reason),
            BlockMined: lambda i, now: self._desk.take_block(i.raw, None),
            Asked: self._on_asked,
            AskedTogether: self._on_asked_together,
        }

    # --- the contract

    def handle(self, incoming: Input, now: Now) -> list[Effect]:
        """Take one input, do a bounded piece of work, and return what the world is to do, in order."""
        if self._stopped:
            if isinstance(incoming, (Asked, AskedTogether)):
                for asked in (incoming,) if isinstance(incoming, Asked) else incoming.asked:
                    self._desk.refuse(asked.request_id)
            return self._outbox.take()
        self._now = now
        try:
            self._handlers[type(incoming)](incoming, now)
            self._turn(now, type(incoming) in MOVING)
        except OSError as error:  # the disk does not give back what the node must have
            self._fail(str(error))
        return self._outbox.take()

    def deadline(self) -> int | None:
        """Monotonic ns at which the node wants a `Tick` unless another input comes first, None for never."""
        if self._stopped or self._stopping:
            return None
        if self._activation.wants_turn:
            return self._now.mono_ns
        return earliest(
            self._headers.deadline(self._now),
            self._transfers.deadline(self._now),
            self._dialogue.deadline(),
            self._mining.deadline(self._now),
            self._tables.deadline(),
        )

    def _turn(self, now: Now, moving: bool) -> None:
        if not self._stopping:
            self._headers.work(now)
            self._bodies.flush()
            if moving:
                self._activation.work()
            self._transfers.work(now, self._activation.idle, self._commits.idle)
            self._tables.work(now)
        self._commits.work()
        if self._stopping:
            if self._commits.idle:
                self._end(None)
            return
        self._dialogue.poll(now)
        self._mining.work(now, self._view.is_behind())
        self._desk.settle()

    # --- beginning and end

    def _on_start(self, _: Start, now: Now) -> None:
        for notice in self._tables.load():
            self._outbox.publish(Notice("warning", notice))
        self._transfers.submit(self._tables.saved_transfers(), None)
        self._tip_is_durable()
        self._dialogue.fees.set_floor(self.config.mempool.relay_fee, now)
        if not self.config.connect and not len(self._dialogue.addresses):
            for seed in self.config.seeds:
                self._outbox.emit(Resolve(seed.host, seed.port))
            if not self.config.seeds:
                text = "no peers are configured or known: name one with --connect or `pychain peers add HOST:PORT`"
                self._outbox.publish(Notice("info", text))

    def _on_stop(self, _: Stop, now: Now) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._activation.abandon()
        self._outbox.emit(StopMining())
        self._part_from_peers()
        self._tables.save()

    def _fail(self, reason: str) -> None:
        """A local fault that the node cannot go on from; the durable tip is intact."""
        self._outbox.emit(StopMining())
        self._part_from_peers()
        self._end(reason)

    def _part_from_peers(self) -> None:
        for peer in list(self._peers.all()):
            self._peers.hang_up(peer.peer_id, GoodbyeCode.SHUTTING_DOWN, "this node is stopping")

    def _end(self, fault: str | None) -> None:
        self._stopped = True
        self._desk.close()
        self._outbox.emit(Stopped(fault))

    def _on_peer_opened(self, opened: PeerOpened, now: Now) -> None:
        self._dialogue.opened(opened.peer, opened.address, opened.inbound, now)
        if self._stopping:  # it was on its way
            self._part_from_peers()

    def _on_asked(self, asked: Asked, now: Now) -> None:
        if self._stopping:
            self._desk.refuse(asked.request_id)
        else:
            self._desk.asked(asked.request_id, asked.request, now)

    def _on_asked_together(self, together: AskedTogether, now: Now) -> None:
        for asked in together.asked:
            self._on_asked(asked, now)

    def _on_name_resolved(self, resolved: NameResolved, now: Now) -> None:
        for address in resolved.addresses:
            self._dialogue.addresses.add(address, now)

    def _on_peer_closed(self, closed: PeerClosed, now: Now) -> None:
        self._headers.forget_peer(closed.peer)
        self._transfers.forget_peer(closed.peer)
        self._dialogue.closed(closed.peer, closed.reason, now)

    # --- the chain's way through the node

    def _headers_judged(self, headers: HeaderList, now: Now) -> None:
        """A list of headers has been judged: follow it, and hold against its sender what is his fault."""
        peer, last = headers.peer, headers.last
        self._take_bodies(headers)
        if peer is not None:
            self._dialogue.sync.headers_judged(peer)
        if peer is not None and last is not None:
            self._dialogue.sync.headers_accepted(peer, last.hash, headers.judged, now)
            self._fetch_rival(last)
        if headers.error is not None:
            self._header_refused(headers, headers.error, now)
        elif headers.lie is not None:
            self._dialogue.offend(peer, Offence.WRONG_ANSWER, headers.lie, now)
        if peer is None:
            return
        if headers.resume is not None:
            start, after = headers.resume
            self._dialogue.sync.ask_headers(peer, now, start.hash, (after,))
        elif headers.answer and (headers.has_failed or not headers.is_full or last is None):
            self._dialogue.sync.headers_ended(peer)

    def _take_bodies(self, headers: HeaderList) -> None:
        """The blocks that came along with headers which hold."""
        for header, raw in zip(headers.headers[: headers.judged], headers.raws, strict=False):
            entry = self._tree.get(header.hash)
            if entry is not None:
                self._take_body(entry, raw, headers.peer, asked=headers.peer is None)

    def _header_refused(self, headers: HeaderList, error: RuleError, now: Now) -> None:
        peer = headers.peer
        if not headers.is_examined:
            failed = headers.headers[headers.judged]
            self._desk.block_refused(failed.hash, error)
            self._desk.block_refused(headers.headers[-1].hash, error)
            if error.rule.blame is Blame.HEADER and error.rule is not Rule.PREVIOUS_INVALID:
                self._outbox.publish(BlockRefused(failed.hash, error.rule.code, str(error)))
        if error.rule is Rule.PREVIOUS_UNKNOWN and peer is not None:
            if len(headers.headers) > MAX_ANNOUNCED_HEADERS:
                self._dialogue.offend(peer, Offence.UNCONNECTED_HEADERS, str(error), now)
            self._dialogue.sync.ask_headers(peer, now)
        elif error.rule is Rule.PREVIOUS_INVALID:
            self._dialogue.offend(peer, Offence.UNCONNECTED_HEADERS, str(error), now)
        elif error.rule.blame is Blame.HEADER:
            self._dialogue.offend(peer, Offence.INVALID_HEADER, str(error), now)

    def _fetch_rival(self, last: Entry) -> None:
        """Fetch a branch that ties with the tip though it is not the best one known, so that forks are seen whole."""
        if last.doomed or last.work < self._tree.tip.work or self._tree.best_header.descends_from(last):
            return
        lacking: list[bytes] = []
        entry: Entry | None = last
        while entry is not None and not entry.linked and len(lacking) <= RIVAL_DEPTH:
            if not self._bodies.is_settled(entry):
                lacking.append(entry.hash)
            entry = entry.parent
        if len(lacking) <= RIVAL_DEPTH:
            self._dialogue.sync.fetch(reversed(lacking))

    def _body_verified(self, verification: Verification, result: Block | RuleError, now: Now) -> None:
        entry, peer = verification.entry, verification.peer
        if peer is not None and not verification.asked:
            self._volunteers[entry.hash] = peer
            if len(self._volunteers) > MAX_VOLUNTEERS:
                del self._volunteers[next(iter(self._volunteers))]
        if isinstance(result, Block):
            sender = None if peer is None else self._peers.get(peer)
            if sender is not None:
                sender.last_block_ns = now.mono_ns
        elif result.rule.blame is not Blame.BODY:
            self._tree.invalidate(entry)
            self._block_refused(entry, result)
        elif peer is None:
            self._desk.block_refused(entry.hash, result)
        else:
            self._dialogue.offend(peer, Offence.WRONG_BODY, str(result), now)
            self._dialogue.sync.blocks_missing(peer, (entry.hash,))

    def _block_refused(self, entry: Entry, error: RuleError) -> None:
        """A block is invalid at level 2 or 3: held against who sent it unasked."""
        self._dialogue.sync.replan()
        self._outbox.publish(BlockRefused(entry.hash, error.rule.code, str(error)))
        self._desk.block_refused(entry.hash, error)
        self._dialogue.offend(self._volunteers.pop(entry.hash, None), Offence.INVALID_BLOCK, str(error), self._now)

    def _body_lost(self, entry: Entry) -> None:
        """The disk does not give a body back that the chain goes on with: it is fetched as any other is."""
        if entry.hash not in self._bodies.mending:
            self._tell_damaged(entry)
        self._dialogue.sync.replan()

    def _tell_damaged(self, entry: Entry) -> None:
        text = f"block {entry.height} ({hash_hex(entry.hash)}) is damaged on the disk and is fetched again"
        self._outbox.publish(Notice("warning", text))

    def _tip_changed(self, change: TipChange) -> None:
        """The working tip moved: the mempool and the miner follow."""
        now = self._now
        self._transfers.tip_changed(change.disconnected, change.connected, change.touched, now)
        self._mining.tip_moved(now)
        for block in change.connected:
            self._volunteers.pop(block.hash, None)

    def _on_blocks_read(self, read: BlocksRead, now: Now) -> None:
        if not self._bodies.read(read):
            self._serving.read(read.job, read.blocks)

    def _on_body_damaged(self, damaged: BodyDamaged, now: Now) -> None:
        """It is fetched again, whoever wanted it: a chain's blocks must be there for peers that come later."""
        entry = self._tree.get(damaged.block_hash)
        if entry is not None and self._bodies.mend(entry):
            self._tell_damaged(entry)

    def _on_commit_done(self, done: CommitDone, now: Now) -> None:
        change = self._commits.done(done.job)
        if change is None:
            return
        self._tip_is_durable()
        self._outbox.publish(change)
        if not self._stopping:
            self._announce(change)

    def _announce(self, change: NewTip) -> None:
        blocks = []
        for block_hash in change.connected[-MAX_ANNOUNCED_HEADERS - 1 :]:
            entry = self._tree.get(block_hash)
            assert entry is not None
            blocks.append(NewBlock(block_hash, entry.header.raw))
        if blocks:
            self._dialogue.relay.announce_blocks(blocks)

    def _tip_is_durable(self) -> None:
        """What we tell new peers about ourselves."""
        durable = self._commits.durable
        self._dialogue.ours.tip_height = durable.height
        self._dialogue.ours.tip_work = durable.work

    def _transfers_accepted(self, accepted: Sequence[Candidate], now: Now) -> None:
        self._known.add(candidate.transfer.txid for candidate in accepted)
        news = []
        for candidate in accepted:
            transfer = candidate.transfer
            if transfer.txid in self._mempool:
                news.append((transfer.txid, fee_rate(transfer)))
            if candidate.request is not None:
                self._desk.transfer_accepted(candidate.request, transfer)
        self._dialogue.relay.announce_transactions(news, now)
        for peer in dict.fromkeys(candidate.peer for candidate in accepted):
            sender = None if peer is None else self._peers.get(peer)
            if sender is not None:
                sender.last_transaction_ns = now.mono_ns

    def _transfer_refused(self, refusal: Refusal, now: Now) -> None:
        self._desk.transfer_refused(refusal)
        if isinstance(refusal.error, RuleError) or refusal.error.policy is Policy.SIGNATURE:
            self._dialogue.offend(refusal.peer, Offence.INVALID_TRANSACTION, str(refusal.error), now)

    # --- what peers send (`Sink`)

    def headers_connect(self, peer: int, first: Header) -> bool:
        return self._headers.connects(peer, first)

    def headers_came(self, peer: int, headers: list[Header], answer: bool) -> bool:
        sender = self._peers.get(peer)
        hello = sender.hello if sender is not None else None
        claimed = int.from_bytes(hello.tip_work, "big") if hello is not None else 0
        stranger = sender is None or sender.inbound
        return self._headers.submit(HeaderList(peer, headers, answer, claimed, stranger))

    def block_came(self, peer: int, header: Header, raw: bytes, asked: bool, now: Now) -> None:
        entry = self._tree.get(header.hash)
        if entry is None:
            self._headers.submit(HeaderList(peer, (header,), raws=(raw,)))
        elif asked or entry.work > self._tree.tip.work:
            self._take_body(entry, raw, peer, asked)
        elif not self._bodies.is_settled(entry):
            self._dialogue.offend(peer, Offence.UNASKED, f"block {hash_hex(header.hash)}", now)

    def _take_body(self, entry: Entry, raw: bytes, peer: int | None, asked: bool) -> None:
        """Have a body verified that was asked for, or one that leads on while there is room for it."""
        if not entry.doomed and (asked or self._leads_on(entry)):
            self._bodies.verify(entry, raw, peer, asked)

    def _leads_on(self, entry: Entry) -> bool:
        return entry.work > self._tree.tip.work and not self._view.is_congested()

    def transactions_came(self, peer: int, raws: Sequence[bytes]) -> None:
        self._transfers.submit(raws, peer)

    def _transfers_arrived(self, peer: int, txids: Sequence[bytes], now: Now) -> None:
        self._dialogue.relay.learned(peer, Kind.TRANSACTION, txids)
        self._dialogue.requests.received(txids, now)


def _load_tree(config: NodeConfig, store: Store, overlay: Overlay) -> BlockTree:
    """The tree as the store has it; a new store gets genesis with the first commit."""
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
            f"the data belong to another chain: their genesis is {hash_hex(first.hashes[:HASH_BYTES])}, "
            f"that of network '{config.rulebook.spec.name}' is {hash_hex(genesis.hash)}"
        )
    tree.restore(chain((first,), slices), tip)
    return tree
