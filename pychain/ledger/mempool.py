"""The mempool: valid transfers waiting to be mined, in one queue per account.

A queue holds an account's transfers with consecutive sequences from the account's next one on, all covered by its
confirmed balance. So any prefix of any queue can be mined, in any order among accounts, and only the last transfer of a
queue can be evicted. All of this is policy, not consensus; its codes are `Policy`.

A new tip can affect every queue. These queues are stale until `settle` has rebuilt them, some at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from pychain.base.errors import PychainError
from pychain.chain.transaction import TRANSFER_BYTES, Transfer
from pychain.consensus.state import Account, AccountReader
from pychain.ledger.ends import QueueEnds
from pychain.ledger.pending import Pending, Queue, cost_of, fee_rate

MAX_PENDING_PER_ACCOUNT = 64
"""Bounds the work when one account changes, and how much of the pool one funded key can fill cheaply."""
DEFAULT_MAX_BYTES = 64 * 1024 * 1024
"""About 400,000 transfers without a memo."""
DEFAULT_RELAY_FEE = 1_000
"""Base units per kilobyte (1,000 bytes): the price of every node's bandwidth."""
DEFAULT_EXPIRY_S = 72 * 3600
"""A transfer that was not mined in three days is dropped."""


class Policy(Enum):
    """Why the mempool rejects a transfer that no consensus rule forbids, or drops one. The value is the code."""

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
    DROPPED = "dropped"


class PolicyError(PychainError):
    """A transfer is rejected; `policy` says why."""

    def __init__(self, policy: Policy, detail: str) -> None:
        super().__init__(f"{policy.value}: {detail}")
        self.policy = policy
        self.detail = detail


@dataclass(frozen=True, slots=True)
class MempoolLimits:
    """Bounds of one mempool. Bytes count transfers as they are serialised; fees are base units per 1,000 bytes."""

    max_bytes: int = DEFAULT_MAX_BYTES
    relay_fee: int = DEFAULT_RELAY_FEE
    expiry_s: int = DEFAULT_EXPIRY_S


class Change(NamedTuple):
    """A transfer that left the pool without being mined, and why; or that returned from a disconnected block: None."""

    transfer: Transfer
    why: Policy | None


_NOTHING: Mapping[int, Transfer] = MappingProxyType({})


def relay_cost(limits: MempoolLimits, size: int) -> int:
    """The relay fee of `size` bytes, rounded up."""
    return -(-limits.relay_fee * size // 1000)


class MempoolReader(Protocol):
    """The read-only view of a mempool."""

    @property
    def limits(self) -> MempoolLimits: ...

    @property
    def bytes(self) -> int:
        """Serialised size of all transfers."""
        ...

    @property
    def fees(self) -> int:
        """Fees of all transfers, in base units."""
        ...

    @property
    def revision(self) -> int:
        """Counts changes, so that readers can tell when to look again."""
        ...

    def __len__(self) -> int: ...

    def __contains__(self, txid: Any, /) -> bool: ...

    def get(self, txid: Any, /) -> Pending | None: ...

    def entries(self) -> Iterable[Pending]:
        """All pending transfers, in the order of arrival."""
        ...

    def queue(self, sender: Any, /) -> Queue:
        """An account's pending transfers; empty if there are none."""
        ...

    def next_sequence(self, sender: Any, /) -> int:
        """The sequence that an account's next transfer must have."""
        ...

    def entry_rate(self) -> int:
        """The lowest rate, in base units per 1,000 bytes, that gets a transfer of the least size into the pool."""
        ...


class Mempool:
    """Queues by account. Callers check signatures: a transfer is `add`ed only after `check` and a good signature."""

    def __init__(self, limits: MempoolLimits, accounts: AccountReader) -> None:
        """`accounts` is the state after the tip; call `rebase` when it has changed."""
        self.limits = limits
        self.bytes = 0
        self.fees = 0
        self.revision = 0
        """Counts changes, so that readers can tell when to look again."""
        self.losses = 0
        """Counts what may invalidate an answer of `check`: tip changes, and transfers that leave."""
        self._accounts = accounts
        self._queues: dict[bytes, Queue] = {}
        self._by_txid: dict[bytes, Pending] = {}
        self._ends = QueueEnds(self._queues)
        self._changes: list[Change] = []
        self._stale: dict[bytes, dict[int, Pending]] = {}
        """Accounts to rebuild since the tip moved, with their transfers from disconnected blocks, by sequence."""
        self._mined: dict[bytes, None] = {}
        self._unexamined: list[bytes] = []
        """Accounts that the present round of `expire` has yet to look at."""

    def __len__(self) -> int:
        return len(self._by_txid)

    def __contains__(self, txid: bytes) -> bool:
        return txid in self._by_txid

    def get(self, txid: bytes) -> Pending | None:
        return self._by_txid.get(txid)

    def entries(self) -> Iterable[Pending]:
        """All pending transfers, in the order of arrival."""
        return self._by_txid.values()

    def queues(self) -> list[Queue]:
        """All queues as they are now."""
        return list(self._queues.values())

    def queue(self, sender: bytes) -> Queue:
        """An account's pending transfers; empty if there are none."""
        return self._queues.get(sender, ())

    def next_sequence(self, sender: bytes) -> int:
        """The sequence that an account's next transfer must have: the one after all that are pending once the mempool
        has followed the tip."""
        account = self._accounts.account(sender)
        came_back = self._stale.get(sender)
        if came_back is None:
            return account.sequence + len(self.queue(sender))
        return account.sequence + len(self._fitting(account, self._offered(sender, came_back)))

    def entry_rate(self) -> int:
        """The lowest rate, in base units per 1,000 bytes, that gets a transfer of the least size into the pool: the
        relay fee or, while the pool is full, just above the transfers that would be evicted for it.
        """
        victims = self._ends.cheapest(self.bytes + TRANSFER_BYTES - self.limits.max_bytes)
        return max(self.limits.relay_fee, 1 + max((victim.rate for victim in victims), default=-1))

    @property
    def has_changes(self) -> bool:
        """Whether `take_changes` would return anything."""
        return bool(self._changes)

    def take_changes(self) -> list[Change]:
        """The transfers that left or returned since the last call, in order."""
        changes, self._changes = self._changes, []
        return changes

    # --- admission

    def check(self, transfer: Transfer, coming: Mapping[int, Transfer] = _NOTHING) -> int:
        """All checks for admission except structure and signature, cheapest first; PolicyError if one fails.

        `coming` are the sender's transfers whose signatures are being checked, by sequence: they count as pending.
        Returns the transfer's place in its account's queue.
        """
        self._settle_account(transfer.sender)
        if transfer.txid in self._by_txid:
            raise PolicyError(Policy.KNOWN, "it is in the mempool")
        size = len(transfer.raw)
        due = relay_cost(self.limits, size)
        if transfer.fee < due:
            raise PolicyError(Policy.RELAY_FEE, f"fee {transfer.fee}, at least {due} for {size} bytes")
        account, queue = self._accounts.account(transfer.sender), self.queue(transfer.sender)
        place = transfer.sequence - account.sequence
        if place < 0:
            raise PolicyError(
                Policy.SEQUENCE_USED, f"sequence {transfer.sequence}, the account's next is {account.sequence}"
            )
        if place >= MAX_PENDING_PER_ACCOUNT:
            raise PolicyError(
                Policy.TOO_MANY_PENDING, f"an account may have {MAX_PENDING_PER_ACCOUNT} pending transfers"
            )
        self._check_funds(transfer, account, queue, coming)
        growth = size
        if place < len(queue):
            growth -= len(queue[place].transfer.raw)
            self._check_replacement(queue[place].transfer, transfer)
        self._check_room(transfer, growth)
        return place

    def still_fits(self, transfer: Transfer, place: int, losses: int) -> bool:
        """Whether the answer of `check`, given when nothing was coming and `losses` had this value, must still hold:
        since then transfers were only added, this one is the next of its queue, and there is room.
        """
        return (
            losses == self.losses
            and place == len(self.queue(transfer.sender))
            and self.bytes + len(transfer.raw) <= self.limits.max_bytes
        )

    def _check_funds(self, transfer: Transfer, account: Account, queue: Queue, coming: Mapping[int, Transfer]) -> None:
        """Check that its sequence is the next one, and that the balance covers all that the account has pending."""
        cost = transfer.amount + transfer.fee
        if not coming and transfer.sequence == account.sequence + len(queue):
            total = cost + cost_of(queue)
        else:
            costs = {account.sequence + place: pending.cost for place, pending in enumerate(queue)}
            for sequence, other in coming.items():
                if sequence >= account.sequence:
                    costs[sequence] = other.amount + other.fee
            following = account.sequence + len(queue)
            while following in costs:
                following += 1
            if transfer.sequence > following:
                raise PolicyError(Policy.SEQUENCE_GAP, f"sequence {transfer.sequence}, the next is {following}")
            costs[transfer.sequence] = cost
            total = sum(costs.values())
        if account.balance == 0:  # even if relaying is free: or any unfunded key could fill the pool for nothing
            raise PolicyError(Policy.UNFUNDED, "the account has nothing")
        if total > account.balance:
            raise PolicyError(Policy.UNFUNDED, f"all that is pending costs {total}, the account has {account.balance}")

    def _check_replacement(self, old: Transfer, new: Transfer) -> None:
        due = old.fee + relay_cost(self.limits, len(new.raw))
        if new.fee < due:
            raise PolicyError(Policy.REPLACEMENT_FEE, f"fee {new.fee}, replacing sequence {old.sequence} needs {due}")
        if new.fee <= old.fee:  # even if relaying is free, or two transfers could replace each other for ever
            raise PolicyError(
                Policy.REPLACEMENT_FEE, f"fee {new.fee} is not above {old.fee}, the fee of the one it replaces"
            )

    def _check_room(self, transfer: Transfer, growth: int) -> None:
        """Check that all transfers that would be evicted for it pay less, not only the first."""
        excess = self.bytes + growth - self.limits.max_bytes
        if excess <= 0:
            return
        victims = self._ends.cheapest(excess, exempt=transfer.sender)
        rate = fee_rate(transfer)
        freed = sum(len(victim.transfer.raw) for victim in victims)
        if freed < excess or any(victim.rate >= rate for victim in victims):
            raise PolicyError(Policy.FULL, f"the mempool is full, and a fee rate of {rate} is too low")

    def add(self, transfer: Transfer, wall_s: int) -> None:
        """Add a transfer that `check` passed and whose signature is valid, and evict what must leave for it."""
        queue = self.queue(transfer.sender)
        place = transfer.sequence - queue[0].transfer.sequence if queue else 0
        if place < len(queue):
            self._leave(queue[place], Policy.REPLACED)
        pending = Pending(transfer, wall_s)
        self._enter(pending)
        self._set_queue(transfer.sender, (*queue[:place], pending, *queue[place + 1 :]))
        if self.bytes > self.limits.max_bytes:
            self._evict(exempt=transfer.sender)

    # --- leaving

    def expire(self, wall_s: int, budget: int) -> bool:
        """Drop transfers that have waited too long from the ends of queues. Looks at up to `budget` accounts and
        continues from there at the next call; True when all have been looked at.
        """
        if not self._unexamined:
            self._unexamined = list(self._queues)
        for _ in range(min(budget, len(self._unexamined))):
            sender = self._unexamined.pop()
            while (queue := self.queue(sender)) and queue[-1].since + self.limits.expiry_s < wall_s:
                self._drop_end(queue[-1], Policy.EXPIRED)
        return not self._unexamined

    def drop(self, accounts: int) -> None:
        """Drop all pending transfers of up to `accounts` accounts, and all that came from disconnected blocks."""
        self._stale = {sender: {} for sender in self._stale}
        for sender in list(islice(self._queues, accounts)):
            while queue := self.queue(sender):
                self._drop_end(queue[-1], Policy.DROPPED)

    # --- following the chain

    def rebase(
        self, touched: Iterable[bytes], returned: Iterable[Transfer], mined: Iterable[bytes], wall_s: int
    ) -> None:
        """Record that the tip has moved, and which accounts that affects.

        touched: accounts that may have changed. returned: transfers of disconnected blocks, lowest block first. mined:
        txids of connected blocks.
        """
        self.losses += 1
        for sender in touched:
            if sender in self._queues:
                self._stale.setdefault(sender, {})
        for transfer in returned:
            self._mined.pop(transfer.txid, None)
            came_back = self._stale.setdefault(transfer.sender, {})
            if transfer.txid not in self._by_txid:
                came_back[transfer.sequence] = Pending(transfer, wall_s)
        self._mined.update(dict.fromkeys(mined))

    @property
    def is_settled(self) -> bool:
        """Whether every queue matches the tip."""
        return not self._stale

    def settle(self, budget: int) -> None:
        """Rebuild stale queues, until about `budget` transfers have been looked at."""
        while self._stale and budget > 0:
            sender, came_back = self._stale.popitem()
            budget -= 1 + len(self.queue(sender)) + len(came_back)
            self._form_queue(sender, came_back)
        if not self._stale:
            self._mined.clear()
        self._evict()

    def _settle_account(self, sender: bytes) -> None:
        came_back = self._stale.pop(sender, None)
        if came_back is not None:
            self._form_queue(sender, came_back)
            self._evict()

    def _form_queue(self, sender: bytes, came_back: dict[int, Pending]) -> None:
        """Rebuild an account's queue as long as it can be. The rest leaves: mined, or reported."""
        account, before = self._accounts.account(sender), self.queue(sender)
        queue = self._fitting(account, self._offered(sender, came_back))
        stays = {pending.transfer.txid for pending in queue}
        for pending in before:
            if pending.transfer.txid not in stays:
                self._leave(pending, _misfit(pending.transfer.sequence - account.sequence, len(queue)))
        for pending in came_back.values():
            if pending.transfer.txid in stays:
                self._enter(pending)
                self._changes.append(Change(pending.transfer, None))
            elif pending.transfer.txid not in self._mined:
                why = _misfit(pending.transfer.sequence - account.sequence, len(queue))
                self._changes.append(Change(pending.transfer, why))
        self._set_queue(sender, tuple(queue))

    def _offered(self, sender: bytes, came_back: dict[int, Pending]) -> dict[int, Pending]:
        """The transfers from which an account's new queue can be made, by sequence."""
        return {pending.transfer.sequence: pending for pending in self.queue(sender)} | came_back

    @staticmethod
    def _fitting(account: Account, offered: Mapping[int, Pending]) -> list[Pending]:
        """The longest queue that these make on an account's state."""
        queue: list[Pending] = []
        left = account.balance
        while len(queue) < MAX_PENDING_PER_ACCOUNT:
            pending = offered.get(account.sequence + len(queue))
            if pending is None or pending.cost > left:
                break
            left -= pending.cost
            queue.append(pending)
        return queue

    # --- the queues and their ends

    def _enter(self, pending: Pending) -> None:
        self.revision += 1
        self.bytes += len(pending.transfer.raw)
        self.fees += pending.transfer.fee
        self._by_txid[pending.transfer.txid] = pending

    def _leave(self, pending: Pending, why: Policy) -> None:
        self.revision += 1
        self.losses += 1
        self.bytes -= len(pending.transfer.raw)
        self.fees -= pending.transfer.fee
        del self._by_txid[pending.transfer.txid]
        if pending.transfer.txid not in self._mined:
            self._changes.append(Change(pending.transfer, why))

    def _set_queue(self, sender: bytes, queue: Queue) -> None:
        before = self.queue(sender)
        if not queue:
            self._queues.pop(sender, None)
            return
        self._queues[sender] = queue
        if not before or before[-1] is not queue[-1]:
            self._ends.push(queue[-1])

    def _drop_end(self, pending: Pending, why: Policy) -> None:
        sender = pending.transfer.sender
        self._leave(pending, why)
        self._set_queue(sender, self._queues[sender][:-1])

    def _evict(self, exempt: bytes | None = None) -> None:
        for victim in self._ends.cheapest(self.bytes - self.limits.max_bytes, exempt):
            self._drop_end(victim, Policy.FULL)


def _misfit(place: int, length: int) -> Policy:
    """Why a transfer, `place` sequences after its account's next one, is not in its queue of this length."""
    if place < length:
        return Policy.CONFLICT
    if place >= MAX_PENDING_PER_ACCOUNT:
        return Policy.TOO_MANY_PENDING
    return Policy.UNFUNDED if place == length else Policy.SEQUENCE_GAP
