"""Transfer intake: from raw bytes to the mempool, cheapest checks first, signatures last and beside the loop.

What arrives is looked at so much a turn, each peer's in turn. A transfer counts as pending while its signature is
checked, so a burst of one account's transfers is admitted in one go. What comes before its predecessors waits for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from pychain import native
from pychain.base.time import NS, Now
from pychain.chain.block import Block
from pychain.chain.transaction import Transfer
from pychain.consensus.rules import RuleError
from pychain.consensus.semantic import check_bounds
from pychain.consensus.state import BulkAccountReader
from pychain.consensus.structure import parse_transfer
from pychain.ledger.mempool import Mempool, Policy, PolicyError
from pychain.ledger.waiting import WaitingTransfers
from pychain.node.effects import VerifyTransfers
from pychain.node.events import TransferAccepted, TransferDropped
from pychain.node.outbox import Outbox
from pychain.node.returning import Returning

MAX_RECENT_REJECTS = 10_000
"""Txids not asked for again until the next tip (Core keeps 120,000 in a filter): about 1 MB."""
ARRIVED_A_TURN = 250
"""Raw transfers looked at in one turn, about 5 ms of Python."""
ARRIVED_AT_A_TIME = 50
"""Of one peer before the next one's are looked at."""
MAX_ARRIVED = 1_000
"""Of one peer and not looked at yet; what is over it is dropped, and asked of others when the time for it is over. An
honest peer sends what he was asked for, which is less."""
BATCH = 128
"""Signatures checked by one job: enough to be worth a thread's turn, few enough that telling a hundred peers of all of
them is still a short turn."""
MAX_CONTENDERS = 8
"""Transfers of one account and sequence that wait for the verdict on another; a forged one costs its sender his
connection."""
SETTLED_A_TURN = 1_000
"""Pending transfers looked at in one turn after the tip moved, a few ms of Python with what is told about them."""
EXPIRY_INTERVAL_NS = 60 * NS
EXPIRY_A_TURN = 5_000
"""Accounts whose oldest transfers are looked at in one turn."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one transfer. `error` is None where it entered the mempool; `waits` where it is kept for its
    predecessors.
    """

    txid: bytes
    error: RuleError | PolicyError | None
    peer: int | None
    request: int | None
    transfer: Transfer | None = None
    waits: bool = False


@dataclass(slots=True)
class _Candidate:
    transfer: Transfer
    peer: int | None
    request: int | None = None


class TransferIntake:
    """Admits transfers to the mempool."""

    def __init__(
        self,
        mempool: Mempool,
        accounts: BulkAccountReader,
        outbox: Outbox,
        on_arrival: Callable[[int, bytes, Now], None],
        on_verdict: Callable[[Verdict, Now], None],
    ) -> None:
        """`accounts` is the state after the working tip; `on_arrival` hears of each txid that a peer has sent before it
        is looked at; `on_verdict` hears once of each transfer that was offered, and of those that came back out of
        undone blocks.
        """
        self.mempool = mempool
        self._accounts = accounts
        self._outbox = outbox
        self._on_arrival = on_arrival
        self._on_verdict = on_verdict
        self._arrived: dict[int | None, deque[bytes]] = {}
        """Raw transfers by who sent them, None for our own disk; who stands first has the next turn."""
        self._waiting = WaitingTransfers()
        self._rejected: dict[bytes, None] = {}
        self._jobs: dict[int, list[_Candidate]] = {}
        self._checking: dict[bytes, None] = {}
        self._by_sender: dict[bytes, dict[int, Transfer]] = {}
        """Transfers whose signatures are being checked: account -> sequence -> transfer."""
        self._contenders: dict[tuple[bytes, int], list[_Candidate]] = {}
        """Transfers that wait for the verdict on another one of their account and sequence."""
        self._batch: list[_Candidate] = []
        self._returning = Returning()
        self._is_durable = True
        """Whether all that was decided about the chain was on disk at the last turn."""
        self._next_expiry_ns = 0

    def is_known(self, txid: bytes) -> bool:
        """It is in the mempool, on its way there, or was refused since the last tip: nobody needs to send it."""
        return txid in self.mempool or txid in self._rejected or txid in self._waiting or txid in self._checking

    # --- offering

    def submit(self, raws: Iterable[bytes], peer: int | None) -> None:
        """Queue raw transfers from a peer, or all that there are from our own disk (None)."""
        queue = self._arrived.setdefault(peer, deque())
        queue.extend(raws if peer is None else islice(raws, max(0, MAX_ARRIVED - len(queue))))

    def forget_peer(self, peer: int) -> None:
        """A peer is gone: what he sent and was not looked at yet is dropped, and can be asked of others."""
        self._arrived.pop(peer, None)

    def unsettled(self) -> list[bytes]:
        """Raw transfers that are on their way into the mempool: those of our disk, those that come back out of undone
        blocks, and those whose signatures are being checked.
        """
        undecided = [candidate.transfer for candidate in self._undecided()]
        return [*self._arrived.get(None, ()), *self._returning.raws(), *(transfer.raw for transfer in undecided)]

    def requests(self) -> list[int]:
        """Requests that wait for a signature check."""
        return [candidate.request for candidate in self._undecided() if candidate.request is not None]

    def _undecided(self) -> Iterator[_Candidate]:
        return chain(*self._jobs.values(), self._batch, *self._contenders.values())

    def offer(self, raw: bytes, peer: int | None, request: int | None, now: Now) -> None:
        """Look at a raw transfer from a peer, from a request, or (both None) from our own disk, now."""
        try:
            transfer = parse_transfer(raw)
            check_bounds(transfer)
        except RuleError as error:
            self._on_verdict(Verdict(b"", error, peer, request), now)
            return
        self._examine(_Candidate(transfer, peer, request), now)

    def test(self, raw: bytes) -> Transfer:
        """Would it be taken, its signature apart? RuleError or PolicyError where not."""
        transfer = parse_transfer(raw)
        check_bounds(transfer)
        self._check(transfer)
        return transfer

    def _examine(self, candidate: _Candidate, now: Now) -> None:
        transfer = candidate.transfer
        try:
            self._check(transfer)
        except PolicyError as error:
            self._refuse(candidate, error, now)
            return
        coming = self._by_sender.setdefault(transfer.sender, {})
        if transfer.sequence in coming:  # anyone can put a forged one in its way: it is looked at after that
            self._contend(candidate, now)
            return
        self._checking[transfer.txid] = None
        coming[transfer.sequence] = transfer
        self._batch.append(candidate)
        if len(self._batch) >= BATCH:
            self.flush()
        self._examine_next(transfer, now)

    def _check(self, transfer: Transfer) -> None:
        if transfer.txid in self._checking:
            raise PolicyError(Policy.KNOWN, "its signature is being checked")
        self.mempool.check(transfer, self._by_sender.get(transfer.sender, {}))

    def _contend(self, candidate: _Candidate, now: Now) -> None:
        transfer = candidate.transfer
        contenders = self._contenders.setdefault((transfer.sender, transfer.sequence), [])
        if len(contenders) < MAX_CONTENDERS:
            self._checking[transfer.txid] = None
            contenders.append(candidate)
        else:
            text = f"{MAX_CONTENDERS} others with its sequence wait for a signature check"
            self._refuse(candidate, PolicyError(Policy.CONFLICT, text), now)

    def _examine_contenders(self, transfer: Transfer, now: Now) -> None:
        """What has the sequence of this one, which is decided, may have its turn."""
        contenders = self._contenders.pop((transfer.sender, transfer.sequence), ())
        for candidate in contenders:
            del self._checking[candidate.transfer.txid]
        for candidate in contenders:
            self._examine(candidate, now)

    def _examine_next(self, transfer: Transfer, now: Now) -> None:
        """What waited for this one may have its turn."""
        self._examine_waiting(transfer.sender, transfer.sequence + 1, now)

    def _examine_waiting(self, sender: bytes, sequence: int, now: Now) -> None:
        for transfer, peer in self._waiting.take(sender, sequence):
            self._examine(_Candidate(transfer, peer), now)

    def _refuse(self, candidate: _Candidate, error: PolicyError, now: Now) -> None:
        transfer = candidate.transfer
        waits = error.policy is Policy.SEQUENCE_GAP and candidate.request is None
        if waits and self._accounts.account(transfer.sender).balance > 0:
            self._waiting.add(transfer, candidate.peer)
        elif error.policy is not Policy.KNOWN and transfer.sender not in self._by_sender:
            self._reject(transfer.txid)  # what others that are being checked had a part in is not held against it
        self._on_verdict(Verdict(transfer.txid, error, candidate.peer, candidate.request, transfer, waits), now)

    def _reject(self, txid: bytes) -> None:
        self._rejected[txid] = None
        if len(self._rejected) > MAX_RECENT_REJECTS:
            del self._rejected[next(iter(self._rejected))]

    def flush(self) -> None:
        """Have the signatures gathered so far checked."""
        if self._batch:
            job = self._outbox.new_job()
            self._jobs[job] = self._batch
            self._outbox.emit(VerifyTransfers(job, tuple(candidate.transfer for candidate in self._batch)))
            self._batch = []

    # --- results

    def verified(self, job: int, valid: Sequence[bool], now: Now) -> None:
        """Signatures were checked. The state may have moved meanwhile, so everything else is checked again."""
        for candidate, is_valid in zip(self._jobs.pop(job), valid, strict=True):
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
            self._examine_contenders(transfer, now)

    def _admit(self, candidate: _Candidate, now: Now) -> None:
        transfer = candidate.transfer
        try:
            self.mempool.check(transfer)
        except PolicyError as error:
            self._refuse(candidate, error, now)
            return
        self.mempool.add(transfer, now.wall_s)
        self._accepted(Verdict(transfer.txid, None, candidate.peer, candidate.request, transfer), now)
        self._report(now)
        self._examine_next(transfer, now)

    # --- the chain moves

    def tip_changed(
        self, disconnected: Iterable[Block], connected: Iterable[Block], touched: Iterable[bytes], now: Now
    ) -> None:
        """Follow the working tip: mined transfers leave, those of undone blocks come back, so many a turn, refusals are
        forgotten.
        """
        connected, touched = list(connected), list(touched)
        self._returning.tip_changed(list(disconnected), connected)
        self.mempool.rebase(touched, (), self._mined_of_interest(connected), now.wall_s)
        self._rejected.clear()
        for key in self._waiting.senders_among(touched):
            self._waiting.forget_used(key, self._accounts.account(key).sequence)
            self._examine_waiting(key, self.mempool.next_sequence(key), now)

    def _mined_of_interest(self, connected: Iterable[Block]) -> list[bytes]:
        """The txids that the mempool has to know as mined; none where it holds nothing."""
        if not len(self.mempool) and self.mempool.is_settled:
            return []
        return [txid for block in connected for txid in block.txid_list()]

    def work(self, now: Now, is_durable: bool) -> None:
        """One turn: let the mempool follow the tip, hand gathered signatures over, let go of what expired.

        What undone blocks leave over waits until the new chain `is_durable`, which is more urgent.
        """
        self._is_durable = is_durable
        if is_durable and self._returning:
            self._take_back(now)
        self.mempool.settle(SETTLED_A_TURN)
        self._look_at_arrived(now)
        self.flush()
        if now.mono_ns >= self._next_expiry_ns and self.mempool.expire(now.wall_s, EXPIRY_A_TURN):
            self._next_expiry_ns = now.mono_ns + EXPIRY_INTERVAL_NS
        self._report(now)

    def drop(self, accounts: int) -> None:
        """Let go of what waits outside the mempool, and of up to so many accounts' transfers in it."""
        self._returning = Returning()
        self._arrived.clear()
        self._waiting = WaitingTransfers()
        self.mempool.drop(accounts)

    def deadline(self, now: Now) -> int | None:
        """When `work` wants to be called next."""
        if self._arrived or (self._returning and self._is_durable) or not self.mempool.is_settled:
            return now.mono_ns
        return self._next_expiry_ns if len(self.mempool) else None

    def _take_back(self, now: Now) -> None:
        """Offer the mempool transfers of undone blocks, unless they were mined again or their sequences were used."""
        returned, lost = self._returning.take(SETTLED_A_TURN, self._accounts)
        self.mempool.rebase((), returned, (), now.wall_s)
        for transfer in lost:
            self._outbox.publish(TransferDropped(transfer, Policy.CONFLICT.value))

    def _look_at_arrived(self, now: Now) -> None:
        budget = ARRIVED_A_TURN
        while self._arrived and budget > 0:
            peer = next(iter(self._arrived))
            queue = self._arrived.pop(peer)
            for _ in range(min(len(queue), ARRIVED_AT_A_TIME)):
                budget -= 1
                raw = queue.popleft()
                txid = native.sha256d(raw)
                if peer is not None:
                    self._on_arrival(peer, txid, now)
                if not self.is_known(txid):
                    self.offer(raw, peer, None, now)
            if queue:
                self._arrived[peer] = queue

    def _accepted(self, verdict: Verdict, now: Now) -> None:
        assert verdict.transfer is not None
        self._outbox.publish(TransferAccepted(verdict.transfer))
        self._on_verdict(verdict, now)

    def _report(self, now: Now) -> None:
        """Tell of what left the mempool and what came back to it."""
        for transfer, why in self.mempool.take_changes():
            if why is None:
                self._accepted(Verdict(transfer.txid, None, None, None, transfer), now)
                self._examine_next(transfer, now)
            else:
                self._outbox.publish(TransferDropped(transfer, why.value))
