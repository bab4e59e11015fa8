"""Serving: answering the requests of peers, in order, no faster than they read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, takewhile

from pychain.base.time import Now
from pychain.chain.block import Block
from pychain.ledger.mempool import Mempool
from pychain.ledger.tree import BlockTree
from pychain.node.bodies import Bodies
from pychain.node.commits import Commits
from pychain.node.effects import ReadBlocks
from pychain.node.outbox import Outbox
from pychain.node.peers import Peers
from pychain.p2p import limits
from pychain.p2p.manager import Handler, Manager
from pychain.p2p.messages import Block as BlockMessage
from pychain.p2p.messages import Fields, GetHeaders, Headers, Kind, Missing, Want, batched_transactions
from pychain.p2p.peer import Peer

READ_BYTES = 512 * 1024
READ_BLOCKS = 64
"""Read from disk for one peer at once, estimated by the size of the last block it got: small blocks share a job."""
MAX_QUEUED_BLOCKS = 2 * limits.MAX_INV
"""Blocks queued per peer; further requests are answered with `missing`."""
BLOCKS_A_TURN = 128
"""Small blocks sent to one peer in one turn, about a millisecond; large ones fill its send queue earlier. The next are
sent when it has drained some."""


class Serving(Manager):
    """Answers `want` and `get_headers`. Blocks are sent one by one as the peer drains those before."""

    def __init__(
        self, tree: BlockTree, bodies: Bodies, commits: Commits, mempool: Mempool, peers: Peers, outbox: Outbox
    ) -> None:
        self._tree = tree
        self._commits = commits
        self._bodies = bodies
        self._mempool = mempool
        self._peers = peers
        self._outbox = outbox
        self._pause = limits.send_queue_pause(tree.rulebook.spec.max_block_bytes)
        self._queues: dict[int, deque[bytes]] = {}
        self._reads: dict[int, int] = {}
        """Pending reads: job -> peer. A peer has one at a time."""
        self._reading: dict[int, None] = {}
        self._usual_bytes: dict[int, int] = {}
        """Size of the last block read for each peer."""

    def handlers(self) -> Mapping[type[Fields], Handler]:
        return {Want: self._on_want, GetHeaders: self._on_get_headers}

    def peer_closed(self, peer: Peer, now: Now) -> None:
        peer_id = peer.peer_id
        self._queues.pop(peer_id, None)
        self._reading.pop(peer_id, None)
        self._usual_bytes.pop(peer_id, None)

    def _on_want(self, peer: Peer, want: Want, now: Now) -> None:
        peer_id = peer.peer_id
        if want.kind is Kind.BLOCK:
            queue = self._queues.setdefault(peer_id, deque())
            room = MAX_QUEUED_BLOCKS - len(queue)
            queue.extend(want.hashes[:room])
            if want.hashes[room:]:
                self._peers.send(peer_id, Missing(Kind.BLOCK, want.hashes[room:]))
            self.resume(peer_id)
        else:
            self._serve_transactions(peer_id, want.hashes)

    def _on_get_headers(self, peer: Peer, request: GetHeaders, now: Now) -> None:
        """Send the headers of the durable chain after the first hash of the locator that is on it."""
        durable = self._commits.durable
        fork = self._tree.fork_point(self._tree.find_locator(request.locator), durable)
        last = durable.ancestor(min(durable.height, fork.height + limits.MAX_HEADERS))
        index = self._tree.headers
        stop = self._tree.get(request.stop)
        if stop is not None and fork.height < stop.height and last.descends_from(stop):
            last = stop
        self._peers.send(peer.peer_id, Headers(tuple(map(index.raw, index.path(fork.row, last.row)))))

    def waits_for(self, peer_id: int) -> bool:
        """Whether queued blocks for this peer wait until it has drained some bytes."""
        return bool(self._queues.get(peer_id)) and peer_id not in self._reading

    def resume(self, peer_id: int) -> None:
        """Send queued blocks, as far as the peer has drained earlier ones and the disk has answered."""
        queue = self._queues.get(peer_id)
        peer = self._peers.get(peer_id)
        if peer is None or not queue or peer_id in self._reading:
            return
        for _ in range(BLOCKS_A_TURN):
            self._send_missing(peer_id, queue)
            if not queue or not peer.is_open or peer.unsent >= self._pause:
                return
            entry = self._tree.get(queue[0])
            assert entry is not None
            raw = self._bodies.raw(entry)
            if raw is None:
                job = self._outbox.new_job()
                self._reads[job] = peer_id
                self._reading[peer_id] = None
                self._outbox.emit(ReadBlocks(job, self._next_on_disk(peer_id, queue), decoded=False))
                return
            queue.popleft()
            self._peers.send(peer_id, BlockMessage(raw))

    def _next_on_disk(self, peer_id: int, queue: deque[bytes]) -> tuple[bytes, ...]:
        """The blocks at the head of a queue that are on disk, as many as fit in one read."""
        count = min(READ_BLOCKS, max(1, READ_BYTES // self._usual_bytes.get(peer_id, READ_BYTES)))
        return tuple(takewhile(self._is_on_disk, islice(queue, count)))

    def _is_on_disk(self, block_hash: bytes) -> bool:
        entry = self._tree.get(block_hash)
        return entry is not None and self._has(block_hash) and self._bodies.raw(entry) is None

    def _send_missing(self, peer_id: int, queue: deque[bytes]) -> None:
        """Answer the next blocks in the queue that are not here with `missing`."""
        missing = []
        while queue and not self._has(queue[0]):
            missing.append(queue.popleft())
        for start in range(0, len(missing), limits.MAX_INV):
            self._peers.send(peer_id, Missing(Kind.BLOCK, tuple(missing[start : start + limits.MAX_INV])))

    def _has(self, block_hash: bytes) -> bool:
        entry = self._tree.get(block_hash)
        return entry is not None and entry.has_body and not entry.invalid

    def read(self, job: int, blocks: Sequence[Block | bytes | None]) -> bool:
        """Process the result of a read; False where the job is not one of ours."""
        peer_id = self._reads.pop(job, None)
        if peer_id is None:
            return False
        queue = self._queues.get(peer_id)
        if peer_id in self._reading and queue:
            del self._reading[peer_id]
            for raw in blocks:
                block_hash = queue.popleft()
                if isinstance(raw, bytes):
                    self._usual_bytes[peer_id] = len(raw)
                    self._peers.send(peer_id, BlockMessage(raw))
                else:
                    self._peers.send(peer_id, Missing(Kind.BLOCK, (block_hash,)))
            self.resume(peer_id)
        return True

    def _serve_transactions(self, peer_id: int, txids: Iterable[bytes]) -> None:
        peer = self._peers.get(peer_id)
        missing, found = [], []
        for txid in dict.fromkeys(txids):
            pending = self._mempool.get(txid)
            if pending is None or (peer is not None and peer.unsent >= self._pause):
                missing.append(txid)
            else:
                found.append(pending.transfer.raw)
        for message in batched_transactions(found):
            self._peers.send(peer_id, message)
        if missing:
            self._peers.send(peer_id, Missing(Kind.TRANSACTION, tuple(missing)))
