"""Transfer intake: from raw bytes to the mempool, cheapest checks first, signatures last and outside the event loop.

Arrivals are processed in batches, a bounded number per turn, taking the peers in turn. Signatures are gathered while
earlier ones are being checked, so that a flood is checked in large batches and a single transfer at once. Transfers
under check count as pending, so a burst of transfers of one account is admitted together. A transfer whose predecessors
are missing waits. `sequence` is the account's nonce: an account's transfers are numbered from 0 without gaps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from pychain.base.deadlines import Deadlines
from pychain.base.rolling import RollingSet
from pychain.base.time import NS, Now
from pychain.chain.block import Block
from pychain.chain.transaction import Transfer, transaction_ids
from pychain.consensus.rules import RuleError
from pychain.consensus.semantic import check_bounds
from pychain.consensus.state import BulkAccountReader
from pychain.consensus.structure import parse_transfer
from pychain.ledger.mempool import Mempool, Policy, PolicyError
from pychain.ledger.waiting import WaitingTransfers
from pychain.node.arrivals import Arrivals
from pychain.node.effects import VerifyTransfers
from pychain.node.events import TransferAccepted, TransferDropped
from pychain.node.outbox import Outbox
from pychain.node.outcomes import Arrival, Candidate, Outcomes, Refusal, TipChange
from pychain.node.returning import Returning

RECENT_REJECTS = 10_000
"""Txids not requested again until the next tip (Core keeps 120,000 in a filter); at most twice as many are kept, under
3 MB."""
ARRIVED_A_TURN = 250
"""Raw transfers processed in one turn, about 3 ms of Python."""
BATCH = 256
"""Signatures checked by one job: enough for the batch verifier to be nearly at full speed, few enough that processing
the results is a short turn."""
MAX_JOBS = 2
"""Concurrent jobs: one that is being checked, and one in the queue, so that no thread waits for the event loop. Later
signatures go into the next job."""
WORTH_A_SECOND_JOB = 64
"""Signatures gathered during a job that start a second one; fewer wait for the end of the first, since the cost per
signature falls up to about this batch size."""
MAX_UNCHECKED = 4 * BATCH
"""Signatures queued or being checked at which no more arrivals are processed."""
MAX_CONTENDERS = 8
"""Transfers of one account and sequence that wait for the signature check of another one; a peer that sends a forged
transfer is disconnected."""
SETTLED_A_TURN = 1_000
"""Pending transfers processed in one turn after the tip moved, a few ms of Python including their events."""
EXPIRY_INTERVAL_NS = 60 * NS
EXPIRY_A_TURN = 5_000
"""Accounts whose oldest transfers are checked for expiry in one turn."""

_NOTHING: Mapping[int, Transfer] = MappingProxyType({})


class TransferIntake:
    """Admits transfers to the mempool."""

    def __init__(
        self,
        mempool: Mempool,
        accounts: BulkAccountReader,
        outbox: Outbox,
        outcomes: Outcomes,
        deadlines: Deadlines,
    ) -> None:
        """`accounts` is the state after the working tip."""
        self.mempool = mempool
        self._accounts = accounts
        self._outbox = outbox
        self._outcomes = outcomes
        self._wake = deadlines.add(self)
        self._arrived = Arrivals()
        self._waiting = WaitingTransfers()
        self._rejected: RollingSet[bytes] = RollingSet(RECENT_REJECTS)
        self._jobs: dict[int, list[Candidate]] = {}
        self._verdicts: dict[int, Sequence[bool]] = {}
        """Results of jobs that ended before an earlier job."""
        self._checking: dict[bytes, None] = {}
        self._by_sender: dict[bytes, dict[int, Transfer]] = {}
        """Transfers whose signatures are being checked: account -> sequence -> transfer."""
        self._contenders: dict[tuple[bytes, int], list[Candidate]] = {}
        """Transfers that wait for the signature check of another one with their account and sequence."""
        self._batch: deque[Candidate] = deque()
        """Transfers for the next jobs."""
        self._returning = Returning()
        self._is_busy = False
        """Whether there is new work since the last turn, or work left over from it."""
        self._is_at_best = self._is_durable = True
        """Whether the tip was the best block, and everything on disk, at the last turn."""
        self._next_expiry_ns = 0
        """When the mempool is next checked for expired transfers, unless it is empty."""

    def unknown(self, txids: Iterable[bytes]) -> list[bytes]:
        """The txids worth requesting: neither in the mempool, nor on the way there, nor rejected since the last tip."""
        pool, rejected, waiting, checking = self.mempool, self._rejected, self._waiting, self._checking
        return [
            txid
            for txid in txids
            if txid not in pool and txid not in checking and txid not in rejected and txid not in waiting
        ]

    # --- offering

    def submit(self, raws: Iterable[bytes], peer: int | None) -> None:
        """Queue raw transfers from a peer, or all transfers from our own disk (None)."""
        self._is_busy = True
        self._arrived.put(raws, peer)

    def forget_peer(self, peer: int) -> None:
        """Drop the queued transfers of a peer that is gone; they can be requested from others."""
        self._arrived.forget(peer)

    def unsettled(self) -> list[bytes]:
        """Raw transfers on the way into the mempool: from our disk, from disconnected blocks, and those whose
        signatures are being checked.
        """
        undecided = [candidate.transfer for candidate in self._undecided()]
        return [*self._arrived.own(), *self._returning.raws(), *(transfer.raw for transfer in undecided)]

    def requests(self) -> list[int]:
        """Requests that wait for a signature check."""
        return [candidate.request for candidate in self._undecided() if candidate.request is not None]

    def _undecided(self) -> Iterator[Candidate]:
        return chain(*self._jobs.values(), self._batch, *self._contenders.values())

    def offer(self, raw: bytes, peer: int | None, request: int | None, now: Now, txid: bytes | None = None) -> None:
        """Process a raw transfer from a peer, from a request, or (both None) from our own disk, now. `txid`: its id if
        known already.
        """
        self._is_busy = True
        try:
            transfer = parse_transfer(raw, txid)
            check_bounds(transfer)
        except RuleError as error:
            self._outcomes.refused.append(Refusal(error, peer, request))
            return
        self._examine(Candidate(transfer, peer, request), now)

    def test(self, raw: bytes) -> Transfer:
        """Check whether a transfer would be accepted, except for its signature. Raises `RuleError` or `PolicyError`."""
        self._is_busy = True  # the account may be settled on the way
        transfer = parse_transfer(raw)
        check_bounds(transfer)
        self._check_new(transfer)
        self.mempool.check(transfer, self._by_sender.get(transfer.sender, _NOTHING))
        return transfer

    def _check_new(self, transfer: Transfer) -> None:
        if transfer.txid in self._checking:
            raise PolicyError(Policy.KNOWN, "its signature is being checked")

    def _examine(self, candidate: Candidate, now: Now) -> None:
        transfer = candidate.transfer
        coming = self._by_sender.get(transfer.sender)
        try:
            self._check_new(transfer)
            candidate.place = self.mempool.check(transfer, coming or _NOTHING)
        except PolicyError as error:
            self._refuse(candidate, error, now)
            return
        if coming is None:
            candidate.losses = self.mempool.losses
            self._by_sender[transfer.sender] = {transfer.sequence: transfer}
        elif transfer.sequence in coming:  # that one may be forged by anyone, so this one is processed after it
            self._contend(candidate, now)
            return
        else:
            coming[transfer.sequence] = transfer
        self._checking[transfer.txid] = None
        self._batch.append(candidate)
        self._examine_waiting(transfer.sender, transfer.sequence + 1, now)

    def _contend(self, candidate: Candidate, now: Now) -> None:
        transfer = candidate.transfer
        contenders = self._contenders.setdefault((transfer.sender, transfer.sequence), [])
        if len(contenders) < MAX_CONTENDERS:
            self._checking[transfer.txid] = None
            contenders.append(candidate)
        else:
            text = f"{MAX_CONTENDERS} others with its sequence wait for a signature check"
            self._refuse(candidate, PolicyError(Policy.CONFLICT, text), now)

    def _examine_contenders(self, transfer: Transfer, now: Now) -> None:
        """Process the transfers with the same sequence as this one, which is decided."""
        contenders = self._contenders.pop((transfer.sender, transfer.sequence), ())
        for candidate in contenders:
            del self._checking[candidate.transfer.txid]
        for candidate in contenders:
            self._examine(candidate, now)

    def _examine_waiting(self, sender: bytes, sequence: int, now: Now) -> None:
        """Process the transfers that waited for the predecessor of this sequence."""
        if self._waiting:
            for transfer, peer in self._waiting.take(sender, sequence):
                self._examine(Candidate(transfer, peer), now)

    def _refuse(self, candidate: Candidate, error: PolicyError, now: Now) -> None:
        transfer = candidate.transfer
        waits = error.policy is Policy.SEQUENCE_GAP and candidate.request is None
        if waits and self._accounts.account(transfer.sender).balance > 0:
            self._waiting.add(transfer, candidate.peer)
        elif error.policy is not Policy.KNOWN and transfer.sender not in self._by_sender:
            # Not where other transfers under check may be the cause: they may turn out forged.
            self._rejected.update((transfer.txid,))
        self._outcomes.refused.append(Refusal(error, candidate.peer, candidate.request, transfer, waits))

    def _start_checks(self) -> None:
        """Start jobs for the gathered signatures, up to the maximum."""
        while len(self._batch) >= (WORTH_A_SECOND_JOB if self._jobs else 1) and len(self._jobs) < MAX_JOBS:
            candidates = [self._batch.popleft() for _ in range(min(len(self._batch), BATCH))]
            job = self._outbox.new_job()
            self._jobs[job] = candidates
            self._outbox.emit(VerifyTransfers(job, tuple([candidate.transfer for candidate in candidates])))

    # --- results

    def verified(self, job: int, valid: Sequence[bool], now: Now) -> None:
        """Signatures were checked. Results are processed in the order of the jobs, whichever ends first, so that an
        account's transfers stay in order.
        """
        self._is_busy = True
        self._verdicts[job] = valid
        while self._jobs and (first := next(iter(self._jobs))) in self._verdicts:
            self._decide(self._jobs.pop(first), self._verdicts.pop(first), now)
        self._tell(now)

    def _decide(self, candidates: Sequence[Candidate], valid: Sequence[bool], now: Now) -> None:
        """Admit or refuse transfers; checks are repeated where the state may have changed meanwhile."""
        for candidate, is_valid in zip(candidates, valid, strict=True):
            transfer = candidate.transfer
            del self._checking[transfer.txid]
            mine = self._by_sender[transfer.sender]
            del mine[transfer.sequence]
            if not mine:
                del self._by_sender[transfer.sender]
            if is_valid:
                self._admit(candidate, now)
            else:
                self._refuse(candidate, PolicyError(Policy.SIGNATURE, "the signature does not hold"), now)
            if self._contenders:
                self._examine_contenders(transfer, now)

    def _admit(self, candidate: Candidate, now: Now) -> None:
        transfer = candidate.transfer
        if not self.mempool.still_fits(transfer, candidate.place, candidate.losses):
            try:
                self.mempool.check(transfer)
            except PolicyError as error:
                self._refuse(candidate, error, now)
                return
        self.mempool.add(transfer, now.wall_s)
        self._outcomes.mempool_changed = True
        self._wake(self._next_expiry_ns)
        self._outbox.publish(TransferAccepted(transfer))
        self._outcomes.accepted.append(candidate)
        self._examine_waiting(transfer.sender, transfer.sequence + 1, now)

    def _tell(self, now: Now) -> None:
        """Publish which transfers left the mempool, and which came back to it."""
        for transfer, why in self.mempool.take_changes():
            self._outcomes.mempool_changed = True
            if why is None:
                self._wake(self._next_expiry_ns)
                self._outbox.publish(TransferAccepted(transfer))
                self._outcomes.accepted.append(Candidate(transfer, None))
                self._examine_waiting(transfer.sender, transfer.sequence + 1, now)
            else:
                self._outbox.publish(TransferDropped(transfer, why.value))
                if why is Policy.SEQUENCE_GAP:  # its predecessors may be returning from a disconnected block
                    self._waiting.add(transfer, None)

    # --- the chain moves

    def _follow_tip(self, change: TipChange, now: Now) -> None:
        """Remove mined transfers, begin to return those of disconnected blocks, and clear the rejected txids."""
        connected, touched = change.connected, change.touched
        self._returning.tip_changed(change.disconnected, connected)
        self.mempool.rebase(touched, (), self._mined_of_interest(connected), now.wall_s)
        self._rejected = RollingSet(RECENT_REJECTS)
        for key in self._waiting.senders_among(touched):
            self._waiting.forget_used(key, self._accounts.account(key).sequence)
            self._examine_waiting(key, self.mempool.next_sequence(key), now)

    def _mined_of_interest(self, connected: Sequence[Block]) -> list[bytes]:
        """The txids that the mempool must know as mined; none where it is empty."""
        if not len(self.mempool) and self.mempool.is_settled:
            return []
        return [txid for block in connected for txid in block.txid_list()]

    @property
    def has_work(self) -> bool:
        """Whether there is work for a turn."""
        return self._is_busy or bool(self._outcomes.tips)

    def work(self, now: Now, is_at_best: bool, is_durable: bool) -> None:
        """Do one turn: let the mempool follow the tip, process arrivals, start signature checks.

        The chain goes first: arrivals wait until the tip is the best block, and the transfers of disconnected blocks
        until that is durable as well.
        """
        for change in self._outcomes.tips:
            self._follow_tip(change, now)
        self._is_at_best, self._is_durable = is_at_best, is_durable
        if is_at_best and is_durable and self._returning:
            self._take_back(now)
        self.mempool.settle(SETTLED_A_TURN)
        if is_at_best:
            self._look_at_arrived(now)
        self._tell(now)
        self._start_checks()
        self._is_busy = bool(self._arrived or self._returning or self._batch or not self.mempool.is_settled)

    @property
    def wants_turn(self) -> bool:
        """Whether there is work that can be done now, without waiting for a result."""
        if not self._is_busy:
            return False
        may_look = self._arrived and self._has_room
        may_take_back = self._returning and self._is_durable
        return (self._is_at_best and bool(may_look or may_take_back)) or not self.mempool.is_settled

    def poll(self, now: Now) -> None:
        """Drop expired transfers."""
        if now.mono_ns >= self._next_expiry_ns and self.mempool.expire(now.wall_s, EXPIRY_A_TURN):
            self._next_expiry_ns = now.mono_ns + EXPIRY_INTERVAL_NS
        self._tell(now)

    def deadline(self) -> int | None:
        return self._next_expiry_ns if len(self.mempool) else None

    def drop(self, accounts: int) -> None:
        """Drop what waits outside the mempool, and the transfers of up to `accounts` accounts in it."""
        self._is_busy = True
        self._returning = Returning()
        self._arrived = Arrivals()
        self._waiting = WaitingTransfers()
        self.mempool.drop(accounts)

    def _take_back(self, now: Now) -> None:
        """Return transfers of disconnected blocks to the mempool, unless mined again or their sequences are used."""
        returned, lost = self._returning.take(SETTLED_A_TURN, self._accounts)
        self.mempool.rebase((), returned, (), now.wall_s)
        for transfer in lost:
            self._outbox.publish(TransferDropped(transfer, Policy.CONFLICT.value))

    @property
    def _has_room(self) -> bool:
        """Whether signatures of more arrivals may be gathered."""
        return len(self._checking) < MAX_UNCHECKED

    def _look_at_arrived(self, now: Now) -> None:
        if not self._has_room:
            return
        for peer, raws in self._arrived.take(ARRIVED_A_TURN):
            txids = transaction_ids(raws)
            if peer is not None:
                self._outcomes.arrivals.append(Arrival(peer, txids))
            unknown = dict.fromkeys(self.unknown(txids))
            for raw, txid in zip(raws, txids, strict=True):
                if txid in unknown:
                    del unknown[txid]
                    self.offer(raw, peer, None, now, txid)
