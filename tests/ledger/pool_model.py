"""The mempool by definition: lists, recomputed from scratch at every question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

from pychain.chain.transaction import SIGNATURE_BYTES, Transfer, new_transfer, transfer_body
from pychain.consensus.state import ABSENT, Account

MAX_PENDING = 64
"""An account may have this many pending."""


@lru_cache(maxsize=256)
def key(number: int) -> bytes:
    """The public key of an account; the mempool does not check its signatures."""
    return sha256(b"account %d" % number).digest()


def transfer(
    sender: bytes, sequence: int, fee: int, *, amount: int = 1, memo: int = 0, to: bytes = key(0), mark: int = 0
) -> Transfer:
    """A transfer whose signature is empty except for a mark, which makes equal ones different."""
    body = transfer_body(sender, sequence, to, amount, fee, b"m" * memo)
    return new_transfer(body, mark.to_bytes(SIGNATURE_BYTES, "little"))


def rate(transfer: Transfer) -> int:
    return transfer.fee * 1000 // len(transfer.raw)


def cost(transfer: Transfer) -> int:
    return transfer.amount + transfer.fee


class Chain:
    """Accounts, and a stack of blocks that made them so. It is an `AccountReader`."""

    def __init__(self, balances: Mapping[bytes, int]) -> None:
        self.accounts = {key: Account(balance, 0) for key, balance in balances.items()}
        self.blocks: list[tuple[tuple[Transfer, ...], dict[bytes, Account]]] = []
        self.reads = 0

    def account(self, key: bytes) -> Account:
        self.reads += 1
        return self.accounts.get(key, ABSENT)

    def allows(self, transfer: Transfer) -> bool:
        account = self.accounts.get(transfer.sender, ABSENT)
        return transfer.sequence == account.sequence and cost(transfer) <= account.balance

    def connect(self, transfers: Iterable[Transfer]) -> list[Transfer]:
        """Apply a block of those transfers that are valid in turn. Returns them."""
        before = dict(self.accounts)
        taken = []
        for transfer in transfers:
            if self.allows(transfer):
                account = self.accounts[transfer.sender]
                self.accounts[transfer.sender] = Account(account.balance - cost(transfer), account.sequence + 1)
                recipient = self.accounts.get(transfer.recipient, ABSENT)
                self.accounts[transfer.recipient] = Account(recipient.balance + transfer.amount, recipient.sequence)
                taken.append(transfer)
        self.blocks.append((tuple(taken), before))
        return taken

    def disconnect(self) -> tuple[Transfer, ...]:
        """Undo the last block; its transfers."""
        transfers, self.accounts = self.blocks.pop()
        return transfers


@dataclass
class PoolModel:
    """Pending transfers by account, in sequence order. All that the real one must agree with."""

    chain: Chain
    max_bytes: int
    relay_fee: int
    expiry_s: int
    queues: dict[bytes, list[tuple[Transfer, int]]] = field(default_factory=dict)

    def content(self) -> dict[bytes, list[Transfer]]:
        return {sender: [transfer for transfer, _ in queue] for sender, queue in self.queues.items() if queue}

    @property
    def size(self) -> int:
        return sum(len(transfer.raw) for queue in self.content().values() for transfer in queue)

    def judge(self, new: Transfer) -> str:
        """The code with which a transfer is rejected, empty if it is accepted."""
        account = self.chain.account(new.sender)
        queue = [transfer for transfer, _ in self.queues.get(new.sender, [])]
        relay_cost = -(-self.relay_fee * len(new.raw) // 1000)
        if any(new.txid == old.txid for old in queue):
            return "txn-already-in-mempool"
        if new.fee < relay_cost:
            return "min-relay-fee-not-met"
        if new.sequence < account.sequence:
            return "bad-tx-sequence-used"
        if new.sequence >= account.sequence + MAX_PENDING:
            return "too-many-pending"
        if new.sequence > account.sequence + len(queue):
            return "bad-tx-sequence-gap"
        place = new.sequence - account.sequence
        if sum(map(cost, [*queue[:place], new, *queue[place + 1 :]])) > account.balance or not account.balance:
            return "bad-tx-balance"
        growth = len(new.raw)
        if place < len(queue):
            growth -= len(queue[place].raw)
            if new.fee < max(queue[place].fee + relay_cost, queue[place].fee + 1):
                return "insufficient-fee"
        excess = self.size + growth - self.max_bytes
        if excess > 0:
            victims = self.victims(excess, new.sender)
            if sum(len(victim.raw) for victim in victims) < excess or max(map(rate, victims)) >= rate(new):
                return "mempool-full"
        return ""

    def victims(self, excess: int, exempt: bytes | None = None) -> list[Transfer]:
        """The transfers to evict to free `excess` bytes: always the cheapest end of a queue, until it is enough."""
        queues = {sender: queue[:] for sender, queue in self.content().items() if sender != exempt}
        victims = []
        while excess > 0 and any(queues.values()):
            cheapest = min((queue[-1] for queue in queues.values() if queue), key=lambda end: (rate(end), end.txid))
            queues[cheapest.sender].pop()
            victims.append(cheapest)
            excess -= len(cheapest.raw)
        return victims

    def add(self, new: Transfer, wall_s: int) -> None:
        queue = self.queues.setdefault(new.sender, [])
        place = new.sequence - self.chain.account(new.sender).sequence
        queue[place : place + 1] = [(new, wall_s)]
        self.evict(new.sender)

    def evict(self, exempt: bytes | None = None) -> None:
        for victim in self.victims(self.size - self.max_bytes, exempt):
            self.queues[victim.sender].pop()

    def rebase(self, returned: Iterable[Transfer], wall_s: int) -> None:
        """Rebuild all queues from the pending and the returned transfers."""
        offered = {sender: {t.sequence: (t, since) for t, since in queue} for sender, queue in self.queues.items()}
        for transfer in returned:
            offered.setdefault(transfer.sender, {})[transfer.sequence] = (transfer, wall_s)
        for sender, by_sequence in offered.items():
            account = self.chain.account(sender)
            queue: list[tuple[Transfer, int]] = []
            while len(queue) < MAX_PENDING and account.sequence + len(queue) in by_sequence:
                queue.append(by_sequence[account.sequence + len(queue)])
                if sum(cost(transfer) for transfer, _ in queue) > account.balance:
                    queue.pop()
                    break
            self.queues[sender] = queue
        self.evict()

    def expire(self, wall_s: int) -> None:
        for queue in self.queues.values():
            while queue and queue[-1][1] + self.expiry_s < wall_s:
                queue.pop()
