"""Bodies: blocks under verification, recently used blocks in memory, and all others on disk.

Verification (levels 1 and 2) is a job for the runtime; its result comes back as an input. A body is stored only after
verification, so a stored body is always the one that its header commits to, signatures included.
"""

from __future__ import annotations

from pychain.chain.block import Block
from pychain.consensus.rules import Blame, RuleError
from pychain.ledger.overlay import Overlay
from pychain.ledger.tree import BlockTree, Entry
from pychain.node.effects import ReadBlocks, VerifyBlocks
from pychain.node.inputs import BlocksRead, BlocksVerified
from pychain.node.outbox import Outbox
from pychain.node.outcomes import BodyVerified, InvalidBlock, Outcomes, Verification

RECENT_BYTES = 32 * 1024 * 1024
"""Decoded blocks kept for connecting, serving and reorganising; older ones are read from disk."""
BATCH_BLOCKS = 64
BATCH_BYTES = 2 * 1024 * 1024
"""Blocks verified by one job: small ones share its overhead and a batch of signatures, large ones get separate jobs."""
MAX_READS = 64
"""Concurrent disk reads of blocks to connect."""
MAX_REPAIRS = 256
"""Damaged bodies that are fetched again at the same time; more are reported again by their next reader."""


class Bodies:
    """Verifies, keeps and reads the bodies of blocks."""

    def __init__(self, tree: BlockTree, overlay: Overlay, outbox: Outbox, outcomes: Outcomes) -> None:
        self._tree = tree
        self._overlay = overlay
        self._outbox = outbox
        self._outcomes = outcomes
        self._gathered: list[tuple[Verification, bytes]] = []
        self._gathered_bytes = 0
        self._verifying: dict[int, list[Verification]] = {}
        self._under_verification: dict[bytes, int] = {}
        """Number of pending verifications of each block."""
        self._recent: dict[bytes, Block] = {}
        self._recent_bytes = 0
        self._reading: dict[int, bytes] = {}
        self._being_read: dict[bytes, None] = {}
        self._damaged: dict[bytes, None] = {}
        self._in_repair: dict[bytes, None] = {}

    def verify(self, entry: Entry, raw: bytes, peer: int | None, asked: bool) -> None:
        """Verify a body, unless it is here or under verification. Our own body is verified even in the latter case: the
        one from a peer may be wrong.
        """
        if self._is_here(entry) or (peer is not None and self.is_settled(entry)):
            return
        self._under_verification[entry.hash] = self._under_verification.get(entry.hash, 0) + 1
        self._gathered.append((Verification(entry, peer, asked), raw))
        self._gathered_bytes += len(raw)
        if len(self._gathered) >= BATCH_BLOCKS or self._gathered_bytes >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Verify the bodies gathered in this turn, as one job."""
        if self._gathered:
            job = self._outbox.new_job()
            self._verifying[job] = [verification for verification, _ in self._gathered]
            self._outbox.emit(VerifyBlocks(job, tuple([raw for _, raw in self._gathered])))
            self._gathered = []
            self._gathered_bytes = 0

    def is_settled(self, entry: Entry) -> bool:
        """Whether the body is here or under verification: it need not be fetched."""
        return self._is_here(entry) or entry.hash in self._under_verification

    def _is_here(self, entry: Entry) -> bool:
        return entry.has_body and entry.hash not in self._in_repair

    def repair(self, entry: Entry) -> bool:
        """Fetch a damaged body again: it counts as missing, and is stored again when it comes. False where that was
        known, where there is no room for another one, and for genesis. Genesis is part of the rules and is stored again
        at once; from a peer it would fail the check of its proof of work.
        """
        if entry is self._tree.genesis:
            genesis = self._tree.rulebook.spec.genesis
            self._overlay.put_body(genesis.hash, genesis.raw)
            return False
        if not self._is_here(entry) or len(self._in_repair) >= MAX_REPAIRS:
            return False
        self._in_repair[entry.hash] = None
        return True

    @property
    def in_repair(self) -> tuple[bytes, ...]:
        """Hashes of damaged bodies that have not been fetched again yet."""
        return tuple(self._in_repair)

    @property
    def verifying(self) -> int:
        """Blocks under verification."""
        return len(self._under_verification)

    def verified(self, incoming: BlocksVerified) -> None:
        """Process the results of a job. A valid body enters the tree and the overlay; a block that breaks a rule is
        marked invalid, unless the fault is a body that does not belong to its header.
        """
        verified = list(zip(self._verifying.pop(incoming.job), incoming.results, strict=True))
        arrived, bodies = [], {}
        for verification, result in verified:
            entry = verification.entry
            self._under_verification[entry.hash] -= 1
            if not self._under_verification[entry.hash]:
                del self._under_verification[entry.hash]
            if isinstance(result, Block) and entry.row not in bodies and not self._is_here(entry):
                bodies[entry.row] = result
                self._in_repair.pop(entry.hash, None)
                if not entry.has_body:
                    arrived.append(entry.row)
        self._tree.bodies_arrived(arrived)
        for block in bodies.values():
            self._overlay.put_body(block.hash, block.raw)
            self._keep(block)
        for verification, result in verified:
            self._outcomes.bodies.append(BodyVerified(verification, result))
            if isinstance(result, RuleError) and result.rule.blame is not Blame.BODY:
                self._tree.invalidate(verification.entry)
                self._outcomes.invalid.append(InvalidBlock(verification.entry, result))

    def block(self, entry: Entry) -> Block | None:
        """The decoded block of a stored body. None: it is being read and will be here in a later turn, or it is
        damaged (`is_damaged`).
        """
        block = self._recent.get(entry.hash)
        if block is None:
            self.prefetch(entry)
        return block

    def prefetch(self, entry: Entry) -> None:
        """Read a stored body, unless it is in memory or `MAX_READS` are pending."""
        known = entry.hash in self._recent or entry.hash in self._being_read or entry.hash in self._damaged
        if not known and len(self._reading) < MAX_READS:
            job = self._outbox.new_job()
            self._reading[job] = entry.hash
            self._being_read[entry.hash] = None
            self._outbox.emit(ReadBlocks(job, (entry.hash,), decoded=True))

    def raw(self, entry: Entry) -> bytes | None:
        """The raw body if it is in memory."""
        block = self._recent.get(entry.hash)
        return block.raw if block else self._overlay.body(entry.hash)

    def read(self, result: BlocksRead) -> bool:
        """Process the result of a read; False where the job is not one of ours."""
        block_hash = self._reading.pop(result.job, None)
        if block_hash is None:
            return False
        del self._being_read[block_hash]
        (block,) = result.blocks
        if isinstance(block, Block):
            self._keep(block)
        else:
            self._damaged[block_hash] = None
        return True

    def is_damaged(self, entry: Entry) -> bool:
        """Whether the disk could not read this body."""
        return entry.hash in self._damaged

    def forget_damage(self, entry: Entry) -> None:
        """The body will be fetched again."""
        self._damaged.pop(entry.hash, None)

    def _keep(self, block: Block) -> None:
        if block.hash in self._recent:
            return
        self._recent[block.hash] = block
        self._recent_bytes += len(block.raw)
        while self._recent_bytes > RECENT_BYTES and len(self._recent) > 1:
            oldest = next(iter(self._recent))
            self._recent_bytes -= len(self._recent.pop(oldest).raw)
