"""Gossip: blocks and transactions from peers enter the node here, and their outcomes lead to messages to peers.

The handlers in the first half pass the messages about blocks and transactions to the intakes. After each turn, `react`
reads the outcomes and acts on them: request more, ask other peers, announce, and penalise a peer for its faults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from pychain.base.time import Now
from pychain.chain.block import Block
from pychain.chain.hashes import hash_hex
from pychain.chain.header import HEADER_BYTES, decode_header, decode_headers
from pychain.consensus.rules import Blame, Rule, RuleError
from pychain.ledger.mempool import Policy
from pychain.ledger.pending import fee_rate
from pychain.ledger.tree import BlockTree, Entry
from pychain.node.bodies import Bodies
from pychain.node.events import NewTip
from pychain.node.headers import HeaderIntake
from pychain.node.outcomes import BodyVerified, Candidate, HeaderList, InvalidBlock, Outcomes, Refusal
from pychain.node.peers import Peers
from pychain.node.transfers import TransferIntake
from pychain.node.view import ChainView
from pychain.p2p.buckets import MessageLimiter
from pychain.p2p.header_sync import HeaderCheck
from pychain.p2p.limits import MAX_ANNOUNCED_HEADERS
from pychain.p2p.manager import Handler, Manager
from pychain.p2p.messages import Block as BlockMessage
from pychain.p2p.messages import Fields, Headers, Inv, Kind, Missing, Txs
from pychain.p2p.misbehaviour import Misbehaviour, Offence
from pychain.p2p.peer import Peer
from pychain.p2p.relay import NewBlock, RelayManager
from pychain.p2p.requests import RequestTracker
from pychain.p2p.sync import SyncManager

COMPETING_DEPTH = 16
"""A competing branch with as much work as the tip is fetched at once if at most this many bodies are missing."""
MAX_UNASKED = 256
"""Unrequested blocks whose senders are remembered until they are connected; the senders of older ones go unpunished."""


class Gossip(Manager):
    """Connects the managers of relay, requests and sync with the intakes of the node."""

    def __init__(
        self,
        tree: BlockTree,
        view: ChainView,
        headers: HeaderIntake,
        bodies: Bodies,
        transfers: TransferIntake,
        peers: Peers,
        limiter: MessageLimiter,
        misbehaviour: Misbehaviour,
        relay: RelayManager,
        requests: RequestTracker,
        sync: SyncManager,
    ) -> None:
        self._tree = tree
        self._view = view
        self._headers = headers
        self._bodies = bodies
        self._transfers = transfers
        self._peers = peers
        self._limiter = limiter
        self._misbehaviour = misbehaviour
        self._relay = relay
        self._requests = requests
        self._sync = sync
        self._unasked: dict[bytes, int] = {}
        """Unrequested blocks that have not been connected yet -> the peer that sent them."""

    def handlers(self) -> Mapping[type[Fields], Handler]:
        return {
            Inv: self._on_inv,
            Missing: self._on_missing,
            Txs: self._on_txs,
            BlockMessage: self._on_block,
            Headers: self._on_headers,
        }

    def peer_closed(self, peer: Peer, now: Now) -> None:
        self._headers.forget_peer(peer.peer_id)
        self._transfers.forget_peer(peer.peer_id)

    # --- messages from peers

    def _on_inv(self, peer: Peer, inv: Inv, now: Now) -> None:
        unknown = self._relay.on_inv(peer.peer_id, inv)
        if not unknown:
            return
        if inv.kind is Kind.BLOCK:
            self._sync.ask_headers(peer.peer_id, now)
        elif not self._view.is_behind():
            self._requests.announced(peer.peer_id, unknown, now)

    def _on_missing(self, peer: Peer, missing: Missing, now: Now) -> None:
        if missing.kind is Kind.BLOCK:
            self._sync.blocks_missing(peer.peer_id, missing.hashes)
        else:
            self._requests.missing(peer.peer_id, missing.hashes, now)

    def _on_txs(self, peer: Peer, txs: Txs, now: Now) -> None:
        if not self._view.is_behind():
            self._transfers.submit(txs.transactions, peer.peer_id)

    def _on_block(self, peer: Peer, block: BlockMessage, now: Now) -> None:
        header = decode_header(block.raw[:HEADER_BYTES])
        asked = self._sync.was_asked(header.hash, peer.peer_id)
        if not asked and not self._limiter.allows(peer.peer_id, None, now.mono_ns):
            self._misbehaviour.offend(peer, Offence.FLOODING, "blocks that were not asked for", now)
            return
        self._relay.learned(peer.peer_id, Kind.BLOCK, (header.hash,))
        self._sync.block_arrived(header.hash, len(block.raw), peer.peer_id)
        entry = self._tree.get(header.hash)
        if entry is None:
            self._headers.submit(HeaderList(peer.peer_id, (header,), raws=(block.raw,)))
        elif asked or entry.work > self._tree.tip.work:
            self._take_body(entry, block.raw, peer.peer_id, asked)
        elif not self._bodies.is_settled(entry):
            self._misbehaviour.offend(peer, Offence.UNASKED, f"block {hash_hex(header.hash)}", now)

    def _on_headers(self, peer: Peer, message: Headers, now: Now) -> None:
        headers = decode_headers(list(message.headers))
        if any(child.prev_hash != parent.hash for parent, child in pairwise(headers)):
            self._misbehaviour.offend(peer, Offence.WRONG_ANSWER, "headers that are no chain", now)
            self._end_answer(peer, self._sync.headers_answered(peer.peer_id), now)
            return
        # An answer begins after our locator; headers that connect to nothing known announce a new tip meanwhile.
        may_be_answer = not headers or self._headers.connects(peer.peer_id, headers[0])
        answered = may_be_answer and self._sync.headers_answered(peer.peer_id)
        if headers:
            self._relay.learned(peer.peer_id, Kind.BLOCK, (headers[-1].hash,))
            claimed = int.from_bytes(peer.hello.tip_work, "big") if peer.hello is not None else 0
            if self._headers.submit(HeaderList(peer.peer_id, headers, answered, claimed, peer.inbound)):
                return
            self._misbehaviour.offend(peer, Offence.FLOODING, "headers", now)
        self._end_answer(peer, answered, now)

    def _end_answer(self, peer: Peer, answered: bool, now: Now) -> None:
        """An answer with no headers to check ends our request."""
        if answered:
            self._sync.headers_checked(peer.peer_id, HeaderCheck(answered=True, ended=True), now)

    def _take_body(self, entry: Entry, raw: bytes, peer: int | None, asked: bool) -> None:
        """Verify a body that was requested, or that has more work than the tip while there is room."""
        leads_on = entry.work > self._tree.tip.work and not self._view.is_congested()
        if not entry.invalid and (asked or leads_on):
            self._bodies.verify(entry, raw, peer, asked)

    # --- outcomes

    def take_bodies(self, judged: Iterable[HeaderList]) -> None:
        """Verify the bodies that came along with valid headers."""
        for headers in judged:
            for header, raw in zip(headers.headers[: headers.checked], headers.raws, strict=False):
                entry = self._tree.get(header.hash)
                if entry is not None:
                    self._take_body(entry, raw, headers.peer, asked=headers.peer is None)

    def react(self, outcomes: Outcomes, now: Now) -> None:
        """Act on the outcomes of a turn that concern peers."""
        for headers in outcomes.headers:
            if headers.peer is not None:
                self._headers_checked(headers, headers.peer, now)
        for verified in outcomes.bodies:
            self._body_verified(verified, now)
        for invalid in outcomes.invalid:
            self._block_invalid(invalid, now)
        if outcomes.lost_bodies:
            self._sync.replan()
        for change in outcomes.tips:
            for block in change.connected:
                self._unasked.pop(block.hash, None)
        for arrival in outcomes.arrivals:
            self._relay.learned(arrival.peer, Kind.TRANSACTION, arrival.txids)
            self._requests.received(arrival.txids, now)
        for refusal in outcomes.refused:
            self._transfer_refused(refusal, now)
        if outcomes.accepted:
            self._transfers_accepted(outcomes.accepted, now)

    def announce(self, change: NewTip) -> None:
        """Announce the blocks that have joined the durable chain."""
        hashes = change.connected[-MAX_ANNOUNCED_HEADERS - 1 :]
        entries = [entry for block_hash in hashes if (entry := self._tree.get(block_hash)) is not None]
        if entries:
            self._relay.announce_blocks([NewBlock(entry.hash, entry.header.raw) for entry in entries])

    def _headers_checked(self, headers: HeaderList, peer: int, now: Now) -> None:
        """Continue header sync after a list of headers, and penalise its sender for faults."""
        last = headers.last
        resume = None if headers.resume is None else (headers.resume[0].hash, headers.resume[1])
        ended = headers.answer and resume is None and (headers.has_failed or not headers.is_full or last is None)
        self._sync.headers_checked(
            peer,
            HeaderCheck(
                answered=headers.answer,
                last=None if last is None else last.hash,
                count=headers.checked if last is not None else 0,
                ended=ended,
                resume=resume,
            ),
            now,
        )
        if last is not None:
            self._fetch_competing(last)
        if headers.error is not None:
            self._header_refused(headers, headers.error, peer, now)
        elif headers.lie is not None:
            self._offend(peer, Offence.WRONG_ANSWER, headers.lie, now)

    def _header_refused(self, headers: HeaderList, error: RuleError, peer: int, now: Now) -> None:
        if error.rule is Rule.PREVIOUS_UNKNOWN:
            if len(headers.headers) > MAX_ANNOUNCED_HEADERS:
                self._offend(peer, Offence.UNCONNECTED_HEADERS, str(error), now)
            self._sync.ask_headers(peer, now)
        elif error.rule is Rule.PREVIOUS_INVALID:
            self._offend(peer, Offence.UNCONNECTED_HEADERS, str(error), now)
        elif error.rule.blame is Blame.HEADER:
            self._offend(peer, Offence.INVALID_HEADER, str(error), now)

    def _fetch_competing(self, last: Entry) -> None:
        """Fetch a branch with as much work as the tip that is not the best one known, so that forks are complete."""
        if last.invalid or last.work < self._tree.tip.work or self._tree.best_header.descends_from(last):
            return
        lacking: list[bytes] = []
        entry: Entry | None = last
        while entry is not None and not entry.linked and len(lacking) <= COMPETING_DEPTH:
            if not self._bodies.is_settled(entry):
                lacking.append(entry.hash)
            entry = entry.parent
        if len(lacking) <= COMPETING_DEPTH:
            self._sync.fetch(reversed(lacking))

    def _body_verified(self, verified: BodyVerified, now: Now) -> None:
        verification, result = verified.verification, verified.result
        entry, peer = verification.entry, verification.peer
        if peer is None:
            return
        if not verification.asked:
            self._unasked[entry.hash] = peer
            if len(self._unasked) > MAX_UNASKED:
                del self._unasked[next(iter(self._unasked))]
        if isinstance(result, Block):
            sender = self._peers.get(peer)
            if sender is not None:
                sender.last_block_ns = now.mono_ns
        elif result.rule.blame is Blame.BODY:
            self._offend(peer, Offence.WRONG_BODY, str(result), now)
            self._sync.blocks_missing(peer, (entry.hash,))

    def _block_invalid(self, invalid: InvalidBlock, now: Now) -> None:
        """Penalise the peer that sent an invalid block unrequested."""
        self._sync.replan()
        self._offend(self._unasked.pop(invalid.entry.hash, None), Offence.INVALID_BLOCK, str(invalid.error), now)

    def _transfers_accepted(self, accepted: list[Candidate], now: Now) -> None:
        mempool = self._transfers.mempool
        news = [(each.transfer.txid, fee_rate(each.transfer)) for each in accepted if each.transfer.txid in mempool]
        self._relay.announce_transactions(news, now)
        for peer in dict.fromkeys(candidate.peer for candidate in accepted):
            sender = None if peer is None else self._peers.get(peer)
            if sender is not None:
                sender.last_transaction_ns = now.mono_ns

    def _transfer_refused(self, refusal: Refusal, now: Now) -> None:
        if isinstance(refusal.error, RuleError) or refusal.error.policy is Policy.SIGNATURE:
            self._offend(refusal.peer, Offence.INVALID_TRANSACTION, str(refusal.error), now)

    def _offend(self, peer_id: int | None, offence: Offence, text: str, now: Now) -> None:
        """Count an offence of a peer, if it is still connected."""
        peer = None if peer_id is None else self._peers.get(peer_id)
        if peer is not None:
            self._misbehaviour.offend(peer, offence, text, now)
