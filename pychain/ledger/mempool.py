"""The mempool: valid transfers that wait to be mined, a queue for each account.

Each queue holds an account's transfers with consecutive sequences from the account's next one on, all of them covered
by its confirmed balance. So any prefix of any queue can be mined in any order among accounts, and only the last of a
queue may leave. Here is policy, not consensus: its codes are `Policy`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from pychain.base.errors import PychainError
from pychain.chain.transaction import Transfer
from pychain.consensus.state import Account, AccountReader

MAX_PENDING_PER_ACCOUNT = 64
"""Bounds the work of one account's change, and how much of the pool one funded key can take cheaply."""
DEFAULT_MAX_BYTES = 64 * 1024 * 1024
"""About 400,000 transfers without memo."""
DEFAULT_RELAY_FEE = 1_000
"""Base units a kilobyte (1,000 bytes): the price of every node's bandwidth."""
DEFAULT_EXPIRY_S = 72 * 3600
"""What three days of blocks did not want is forgotten."""


class Policy(Enum):
    """Why the mempool refuses a transfer that no consensus rule forbids, or lets one go. The value is the code."""

    KNOWN = "txn-already-in-mempool"
    SEQUENCE_USED = "bad-tx-sequence-used"
    SEQUENCE_GAP = "bad-tx-sequence-gap"
    TOO_MANY_PENDING = "too-many-pending"
    UNFUNDED = "bad-tx-balance"
    SIGNATURE = "bad-tx-signature"
    RELAY_FEE = "min-relay-fee-not-met"
    REPLACEMENT_FEE = "insufficient-fee"
    FULL = "mempool-full"
    EXPIRED = "expired"
    REPLACED = "replaced"
    CONFLICT = "conflict"


class PolicyError(PychainError):
    """A transfer is not taken; `policy` says why."""

    def __init__(self, policy: Policy, detail: str) -> None:
        super().__init__(f"{policy.value}: {detail}")
        self.policy = policy
        self.detail = detail


@dataclass(frozen=True, slots=True)
class MempoolLimits:
    """Bounds of one mempool. Bytes count transfers as they are serialised; fees are base units a 1,000 bytes."""

    max_bytes: int = DEFAULT_MAX_BYTES
    relay_fee: int = DEFAULT_RELAY_FEE
    expiry_s: int = DEFAULT_EXPIRY_S


class Pending:
    """A transfer in the pool. `since` is the wall second of its arrival, `rate` its fee in base units a 1,000 bytes."""

    __slots__ = ("rate", "since", "transfer")

    def __init__(self, transfer: Transfer, since: int) -> None:
        self.transfer = transfer
        self.since = since
        self.rate = fee_rate(transfer)

    @property
    def cost(self) -> int:
        return self.transfer.amount + self.transfer.fee


def fee_rate(transfer: Transfer) -> int:
    """Base units a 1,000 bytes, rounded down."""
    return transfer.fee * 1000 // len(transfer.raw)


def relay_cost(limits: MempoolLimits, size: int) -> int:
    """The relay fee of so many bytes, rounded up."""
    return -(-limits.relay_fee * size // 1000)


class Mempool:
    """Queues by account. Callers check signatures: a transfer is `add`ed only after `check` and a good signature."""

    def __init__(self, limits: MempoolLimits) -> None:
        self.limits = limits
        self.bytes = 0
        self.revision = 0
        """Counts changes, so that others see when looking again is worth while."""
        self._queues: dict[bytes, list[Pending]] = {}
        self._by_txid: dict[bytes, Pending] = {}
        self._tails: list[tuple[int, int, bytes]] = []
        self._ticket = 0

    def __len__(self) -> int:
        return len(self._by_txid)

    def __contains__(self, txid: bytes) -> bool:
        return txid in self._by_txid

    def get(self, txid: bytes) -> Pending | None:
        return self._by_txid.get(txid)

    def entries(self) -> Iterable[Pending]:
        """Everything, oldest first."""
        return self._by_txid.values()

    def queues(self) -> Iterable[tuple[bytes, list[Pending]]]:
        """(account key, its pending transfers in sequence order). Callers must not change the lists."""
        return self._queues.items()

    def queue(self, sender: bytes) -> list[Pending]:
        """An account's pending transfers in sequence order; callers must not change it."""
        return self._queues.get(sender, [])

    # --- admission

    def check(self, transfer: Transfer, account: Account, coming: Iterable[Transfer] = ()) -> None:
        """All of admission but structure and signature, cheapest first; PolicyError if the transfer is not wanted.

        `account` is the sender's state after the tip; `coming` are the sender's transfers whose signatures are being
        checked, which count as pending.
        """
        if transfer.txid in self._by_txid:
            raise PolicyError(Policy.KNOWN, "it is in the mempool")
        if transfer.fee < relay_cost(self.limits, len(transfer.raw)):
            due = relay_cost(self.limits, len(transfer.raw))
            raise PolicyError(Policy.RELAY_FEE, f"fee {transfer.fee}, at least {due} for {len(transfer.raw)} bytes")
        if transfer.sequence < account.sequence:
            raise PolicyError(
                Policy.SEQUENCE_USED, f"sequence {transfer.sequence}, the account is at {account.sequence}"
            )
        queue = self.queue(transfer.sender)
        ahead = {other.sequence: other for other in coming}
        place = transfer.sequence - account.sequence
        if place >= MAX_PENDING_PER_ACCOUNT:
            raise PolicyError(
                Policy.TOO_MANY_PENDING, f"an account may have {MAX_PENDING_PER_ACCOUNT} pending transfers"
            )
        expected = account.sequence + len(queue)
        while expected in ahead:
            expected += 1
        if transfer.sequence > expected:
            raise PolicyError(Policy.SEQUENCE_GAP, f"sequence {transfer.sequence}, the next is {expected}")
        spent = {pending.transfer.sequence: pending.cost for pending in queue}
        spent |= {sequence: other.amount + other.fee for sequence, other in ahead.items()}
        spent[transfer.sequence] = transfer.amount + transfer.fee
        if sum(spent.values()) > account.balance:
            raise PolicyError(
                Policy.UNFUNDED, f"all that is pending costs {sum(spent.values())}, the account has {account.balance}"
            )
        if place < len(queue):
            self._check_replacement(queue[place].transfer, transfer)
        elif self.bytes + len(transfer.raw) > self.limits.max_bytes:
            self._check_room(transfer)

    def _check_replacement(self, old: Transfer, new: Transfer) -> None:
        due = old.fee + relay_cost(self.limits, len(new.raw))
        if new.fee < due:
            raise PolicyError(Policy.REPLACEMENT_FEE, f"fee {new.fee}, replacing sequence {old.sequence} takes {due}")
        if new.fee <= old.fee:  # where relaying is free a replacement must still pay more, or it could flap for ever
            raise PolicyError(
                Policy.REPLACEMENT_FEE, f"fee {new.fee} is not above {old.fee}, the fee of the one it replaces"
            )

    def _check_room(self, transfer: Transfer) -> None:
        cheapest = self._cheapest_tail(exempt=transfer.sender)
        if cheapest is None or cheapest.rate >= fee_rate(transfer):
            raise PolicyError(
                Policy.FULL, f"the mempool is full of better paying ones (this pays {fee_rate(transfer)})"
            )

    def add(self, transfer: Transfer, wall_s: int) -> list[tuple[Transfer, Policy]]:
        """Take a transfer that `check` passed and whose signature holds. Returns what had to leave for it."""
        pending = Pending(transfer, wall_s)
        queue = self._queues.setdefault(transfer.sender, [])
        gone: list[tuple[Transfer, Policy]] = []
        place = transfer.sequence - queue[0].transfer.sequence if queue else 0
        if place < len(queue):
            old = queue[place]
            self._forget(old)
            queue[place] = pending
            gone.append((old.transfer, Policy.REPLACED))
        else:
            queue.append(pending)
        self._by_txid[transfer.txid] = pending
        self.revision += 1
        self.bytes += len(transfer.raw)
        self._push_tail(transfer.sender)
        while self.bytes > self.limits.max_bytes:
            tail = self._cheapest_tail(exempt=transfer.sender) or queue[-1]
            gone.append((self._drop_tail(tail.transfer.sender), Policy.FULL))
        return gone

    # --- leaving

    def expire(self, wall_s: int) -> list[tuple[Transfer, Policy]]:
        """Let go of the last transfers of queues that have waited too long."""
        gone = []
        for sender in list(self._queues):
            while (queue := self._queues.get(sender)) and queue[-1].since + self.limits.expiry_s < wall_s:
                gone.append((self._drop_tail(sender), Policy.EXPIRED))
        return gone

    def rebase(
        self,
        accounts: AccountReader,
        touched: Iterable[bytes],
        returned: Iterable[Transfer],
        mined: Iterable[bytes],
        wall_s: int,
    ) -> list[tuple[Transfer, Policy]]:
        """Follow the chain to a new tip.

        accounts: the state after it. touched: accounts that the change of tip may have altered. returned: transfers
        of blocks that were disconnected, lowest block first. mined: txids of blocks that were connected. Returned
        transfers and pending ones form the queues anew; what no longer fits is dropped and reported, mined ones
        silently.
        """
        gone: list[tuple[Transfer, Policy]] = []
        done = set(mined)
        waiting: dict[bytes, dict[int, Pending]] = {key: {} for key in touched if key in self._queues}
        for transfer in returned:
            if transfer.txid not in done:
                waiting.setdefault(transfer.sender, {})[transfer.sequence] = Pending(transfer, wall_s)
        for sender, by_sequence in waiting.items():
            for pending in self._queues.pop(sender, []):
                self._forget(pending)
                by_sequence.setdefault(pending.transfer.sequence, pending)
            gone += self._requeue(sender, by_sequence, accounts.account(sender), done)
        while self.bytes > self.limits.max_bytes:
            tail = self._cheapest_tail()
            assert tail is not None
            gone.append((self._drop_tail(tail.transfer.sender), Policy.FULL))
        return gone

    def _requeue(
        self, sender: bytes, by_sequence: dict[int, Pending], account: Account, done: set[bytes]
    ) -> list[tuple[Transfer, Policy]]:
        """Build one account's queue from what there is for it; whatever does not follow on or is not covered goes."""
        queue: list[Pending] = []
        gone = []
        left = account.balance
        for sequence in sorted(by_sequence):
            pending = by_sequence[sequence]
            fits = sequence == account.sequence + len(queue) and len(queue) < MAX_PENDING_PER_ACCOUNT
            if fits and pending.cost <= left:
                left -= pending.cost
                queue.append(pending)
                self._by_txid[pending.transfer.txid] = pending
                self.revision += 1
                self.bytes += len(pending.transfer.raw)
            elif pending.transfer.txid not in done:
                gone.append((pending.transfer, Policy.UNFUNDED if fits else Policy.CONFLICT))
        if queue:
            self._queues[sender] = queue
            self._push_tail(sender)
        return gone

    def _forget(self, pending: Pending) -> None:
        self.revision += 1
        del self._by_txid[pending.transfer.txid]
        self.bytes -= len(pending.transfer.raw)

    def _drop_tail(self, sender: bytes) -> Transfer:
        queue = self._queues[sender]
        pending = queue.pop()
        self._forget(pending)
        if queue:
            self._push_tail(sender)
        else:
            del self._queues[sender]
        return pending.transfer

    # --- the cheapest tail: a heap whose entries may be out of date and are checked when they surface

    def _push_tail(self, sender: bytes) -> None:
        pending = self._queues[sender][-1]
        self._ticket += 1
        heapq.heappush(self._tails, (pending.rate, -self._ticket, pending.transfer.txid))
        if len(self._tails) > 4 * len(self._queues) + 64:
            self._rebuild_tails()

    def _rebuild_tails(self) -> None:
        self._tails.clear()
        for queue in self._queues.values():
            self._ticket += 1
            self._tails.append((queue[-1].rate, -self._ticket, queue[-1].transfer.txid))
        heapq.heapify(self._tails)

    def _cheapest_tail(self, exempt: bytes | None = None) -> Pending | None:
        """The queue end that pays least, the youngest among equals; not of the account `exempt`."""
        set_aside = []
        found = None
        while self._tails:
            pending = self._by_txid.get(self._tails[0][2])
            if pending is None or self._queues[pending.transfer.sender][-1] is not pending:
                heapq.heappop(self._tails)
            elif pending.transfer.sender == exempt:
                set_aside.append(heapq.heappop(self._tails))
            else:
                found = pending
                break
        for item in set_aside:
            heapq.heappush(self._tails, item)
        return found
