"""The dialogue with peers: who is let in, and what each message sets off.

One row a message in `Dialogue._handlers`; the sub-protocols themselves are the managers of `p2p`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Protocol

from pychain.base.entropy import Entropy, Random
from pychain.base.errors import DecodeError
from pychain.base.time import Now, earliest
from pychain.chain.header import HEADER_BYTES, Header, decode_header, decode_headers
from pychain.node.config import NodeConfig
from pychain.node.events import PeerDown, PeerUp
from pychain.node.outbox import Outbox
from pychain.node.peers import Peers
from pychain.node.serving import Serving
from pychain.p2p import limits
from pychain.p2p.addresses import AddressManager
from pychain.p2p.buckets import MessageLimiter
from pychain.p2p.fees import FeeFilterManager
from pychain.p2p.handshake import Handshake, OurSide
from pychain.p2p.messages import (
    Addrs,
    Block,
    FeeFilter,
    GetAddrs,
    GetHeaders,
    Goodbye,
    Headers,
    Hello,
    Inv,
    Kind,
    Message,
    Missing,
    Ping,
    Pong,
    Txs,
    Want,
    printable,
)
from pychain.p2p.misbehaviour import Misbehaviour, Offence
from pychain.p2p.netaddress import NetAddress
from pychain.p2p.peer import Peer
from pychain.p2p.ping import PingManager
from pychain.p2p.relay import Inventory, RelayManager
from pychain.p2p.requests import RequestTracker
from pychain.p2p.slots import SlotManager
from pychain.p2p.sync import SyncManager, SyncView


class View(Inventory, SyncView, Protocol):
    """What the dialogue asks of the chain."""

    def is_behind(self) -> bool:
        """The chain is too far behind to judge transactions by it."""
        ...


class Sink(Protocol):
    """Where what peers send goes."""

    def headers_connect(self, peer: int, first: Header) -> bool:
        """Whether headers that begin with this one follow something known, as an answer to a question does."""
        ...

    def headers_came(self, peer: int, headers: list[Header], answer: bool) -> bool:
        """Headers, each the parent of the next; `answer` where we had asked this peer. False: too many, dropped."""
        ...

    def block_came(self, peer: int, header: Header, raw: bytes, asked: bool, now: Now) -> None: ...

    def transactions_came(self, peer: int, raws: Sequence[bytes]) -> None: ...


class Dialogue:
    """Joins the managers of the peer protocol."""

    def __init__(
        self,
        config: NodeConfig,
        entropy: Entropy,
        peers: Peers,
        serving: Serving,
        view: View,
        sink: Sink,
        outbox: Outbox,
    ) -> None:
        spec = config.rulebook.spec
        random = Random(int.from_bytes(entropy.bytes(8), "big"))
        block_timeout = limits.block_timeout_ns(spec.spacing_s)
        self._peers = peers
        self._serving = serving
        self._view = view
        self._sink = sink
        self._outbox = outbox
        self.ours = OurSide(spec.genesis_hash, config.agent, config.listen_port)
        self.misbehaviour = Misbehaviour(peers)
        self.addresses = AddressManager(peers, random)
        self.handshake = Handshake(peers, entropy, self.ours)
        self.slots = SlotManager(
            peers,
            random,
            self.addresses,
            self.misbehaviour,
            nonce=self.handshake.nonce,
            persistent=config.connect,
            connect_only=config.connect_only,
        )
        self.ping = PingManager(peers, entropy, random)
        self.relay = RelayManager(peers, random, view)
        self.requests = RequestTracker(peers, limits.TX_TIMEOUT_NS)
        self.fees = FeeFilterManager(peers)
        self.sync = SyncManager(peers, view, block_timeout, spec.max_block_bytes)
        self._limiter = MessageLimiter()
        self._handlers: dict[type[Message], Callable[[Peer, Any, Now], None]] = {
            Hello: self._on_hello,
            Ping: lambda peer, message, now: self.ping.on_ping(peer, message),
            Pong: self.ping.on_pong,
            GetAddrs: lambda peer, message, now: self.addresses.on_get_addrs(peer, now),
            Addrs: self.addresses.on_addrs,
            Inv: self._on_inv,
            Want: lambda peer, message, now: self._serving.on_want(peer.peer_id, message),
            Missing: self._on_missing,
            Txs: self._on_txs,
            Block: self._on_block,
            GetHeaders: self._on_get_headers,
            Headers: self._on_headers,
            FeeFilter: lambda peer, message, now: self.relay.on_fee_filter(peer.peer_id, message.fee_per_kb),
            Goodbye: lambda peer, message, now: self._peers.farewell_received(peer),
        }

    # --- connections

    def opened(self, peer_id: int, address: NetAddress, inbound: bool, now: Now) -> None:
        peer = self._peers.opened(peer_id, address, inbound, now)
        if self.slots.peer_opened(peer, now):
            self.handshake.peer_opened(peer, now)

    def received(self, peer_id: int, data: bytes, now: Now) -> None:
        peer = self._peers.get(peer_id)
        if peer is None or not peer.is_open:
            return
        try:
            for message in peer.receive(data):
                if not self._limiter.allows(peer_id, message, now.mono_ns):
                    name = "messages of unknown types" if message is None else type(message).__name__.lower()
                    self.misbehaviour.offend(peer, Offence.FLOODING, name, now)
                elif message is not None:
                    self._handlers[type(message)](peer, message, now)
        except DecodeError as error:
            self.misbehaviour.offend(peer, Offence.PROTOCOL_ERROR, str(error), now)

    def drained(self, peer_id: int, count: int) -> None:
        peer = self._peers.get(peer_id)
        if peer is not None:
            peer.drained(count)
            self._serving.resume(peer_id)

    def closed(self, peer_id: int, reason: str, now: Now) -> None:
        peer = self._peers.closed(peer_id)
        if peer is None:
            return
        self.handshake.peer_closed(peer_id)
        self.slots.peer_closed(peer, now)
        self._limiter.peer_closed(peer_id)
        self.misbehaviour.peer_closed(peer_id)
        if peer.hello is not None:
            self.ping.peer_closed(peer_id)
            self.relay.peer_closed(peer_id)
            self.requests.peer_closed(peer_id, now)
            self.addresses.peer_closed(peer, now)
            self.fees.peer_closed(peer_id)
            self.sync.peer_closed(peer_id)
            self._serving.peer_closed(peer_id)
        self._outbox.publish(PeerDown(peer_id, str(peer.address), peer.farewell or printable(reason)))

    def offend(self, peer_id: int | None, offence: Offence, text: str, now: Now) -> None:
        """Hold something against a peer, if it is still there."""
        peer = None if peer_id is None else self._peers.get(peer_id)
        if peer is not None:
            self.misbehaviour.offend(peer, offence, text, now)

    # --- time

    def poll(self, now: Now) -> None:
        for manager in (self.handshake, self.ping, self.relay, self.requests, self.fees, self.slots, self.sync):
            manager.poll(now)

    def deadline(self) -> int | None:
        return earliest(
            self.handshake.deadline(),
            self.ping.deadline(),
            self.relay.deadline(),
            self.requests.deadline(),
            self.fees.deadline(),
            self.slots.deadline(),
            self.sync.deadline(),
        )

    # --- messages

    def _on_hello(self, peer: Peer, hello: Hello, now: Now) -> None:
        if not self.handshake.on_hello(peer, hello) or not self.slots.peer_ready(peer):
            return
        self.ping.peer_ready(peer, now)
        self.relay.peer_ready(peer)
        self.requests.peer_ready(peer)
        self.addresses.peer_ready(peer, now)
        self.fees.peer_ready(peer, now)
        self.sync.peer_ready(peer)
        self._outbox.publish(PeerUp(peer.peer_id, str(peer.address), peer.inbound, printable(hello.agent)))

    def _on_inv(self, peer: Peer, inv: Inv, now: Now) -> None:
        unknown = self.relay.on_inv(peer.peer_id, inv)
        if not unknown:
            return
        if inv.kind is Kind.BLOCK:
            self.sync.ask_headers(peer.peer_id, now)
        elif not self._view.is_behind():
            self.requests.announced(peer.peer_id, unknown, now)

    def _on_missing(self, peer: Peer, missing: Missing, now: Now) -> None:
        if missing.kind is Kind.BLOCK:
            self.sync.blocks_missing(peer.peer_id, missing.hashes)
        else:
            self.requests.missing(peer.peer_id, missing.hashes, now)

    def _on_txs(self, peer: Peer, txs: Txs, now: Now) -> None:
        if not self._view.is_behind():
            self._sink.transactions_came(peer.peer_id, txs.transactions)

    def _on_block(self, peer: Peer, block: Block, now: Now) -> None:
        header = decode_header(block.raw[:HEADER_BYTES])
        asked = self.sync.was_asked(header.hash, peer.peer_id)
        if not asked and not self._limiter.allows(peer.peer_id, None, now.mono_ns):
            self.misbehaviour.offend(peer, Offence.FLOODING, "blocks that were not asked for", now)
            return
        self.relay.learned(peer.peer_id, Kind.BLOCK, (header.hash,))
        self.sync.block_arrived(header.hash, len(block.raw), peer.peer_id)
        self._sink.block_came(peer.peer_id, header, block.raw, asked, now)

    def _on_get_headers(self, peer: Peer, request: GetHeaders, now: Now) -> None:
        self._serving.on_get_headers(peer.peer_id, request)

    def _on_headers(self, peer: Peer, message: Headers, now: Now) -> None:
        headers = decode_headers(list(message.headers))
        if any(child.prev_hash != parent.hash for parent, child in pairwise(headers)):
            self.misbehaviour.offend(peer, Offence.WRONG_ANSWER, "headers that are no chain", now)
            self.sync.headers_ended(peer.peer_id)
            return
        # What follows nothing known is a new tip that crossed our question: an answer begins after our locator.
        may_be_answer = not headers or self._sink.headers_connect(peer.peer_id, headers[0])
        answer = may_be_answer and self.sync.headers_arrived(peer.peer_id)
        if headers:
            self.relay.learned(peer.peer_id, Kind.BLOCK, (headers[-1].hash,))
            if self._sink.headers_came(peer.peer_id, headers, answer):
                return
            self.misbehaviour.offend(peer, Offence.FLOODING, "headers", now)
        if answer:
            self.sync.headers_ended(peer.peer_id)
