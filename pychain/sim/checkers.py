"""Checkers: invariants of every world after its faults have ended. Each returns a line for each violation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pychain.chain.block import decode_block
from pychain.chain.transaction import Coinbase
from pychain.consensus.state import Account
from pychain.consensus.subsidy import issued
from pychain.ledger.store import BodyStore
from pychain.node.queries import Queries
from pychain.sim.host import Host


def check(hosts: Sequence[Host]) -> list[str]:
    """All violations among hosts that should be running, agree, and have correct balances."""
    running = [host for host in hosts if host.is_running]
    return [*alive(hosts), *convergence(running), *supply(running)]


def alive(hosts: Sequence[Host]) -> list[str]:
    """No node has failed."""
    return [f"{host.name} does not run: {host.fault or 'stopped'}" for host in hosts if not host.is_running]


def convergence(hosts: Sequence[Host]) -> list[str]:
    """All have the same tip."""
    tips: dict[bytes, list[str]] = {}
    for host in hosts:
        tips.setdefault(host.node.queries.tip.hash, []).append(host.name)
    if len(tips) <= 1:
        return []
    sides = "; ".join(f"{tip[::-1].hex()[:16]} on {', '.join(names)}" for tip, names in tips.items())
    return [f"{len(tips)} tips: {sides}"]


def supply(hosts: Sequence[Host]) -> list[str]:
    """The accounts of each host match its chain, and their sum matches the supply."""
    return [f"{host.name}: {line}" for host in hosts for line in books(host.node.queries, host.store)]


def books(queries: Queries, store: BodyStore) -> Iterator[str]:
    """Replay the chain of a node from genesis, by other code than the node's: all balances must be the same, and
    together with immature rewards they must equal the supply exactly."""
    spec, tip = queries.spec, queries.tip
    balances = dict(spec.allocations)
    sequences: dict[bytes, int] = {}
    rewards: list[tuple[bytes, int]] = [(b"", 0)]
    for height in range(1, tip.height + 1):
        entry = queries.at(height)
        raw = None if entry is None else store.body(entry.hash)
        if raw is None:
            yield f"block {height} of the chain is missing"
            return
        for transaction in decode_block(raw).transactions:
            if isinstance(transaction, Coinbase):
                rewards.append((transaction.recipient, transaction.amount))
                continue
            sender, sequence = transaction.sender, sequences.get(transaction.sender, 0)
            balances[sender] = balances.get(sender, 0) - transaction.amount - transaction.fee
            if balances[sender] < 0 or transaction.sequence != sequence:
                yield f"block {height} holds a transfer that its sender cannot make: {transaction.txid[::-1].hex()}"
            sequences[sender] = sequence + 1
            balances[transaction.recipient] = balances.get(transaction.recipient, 0) + transaction.amount
        if height - spec.maturity >= 1:
            recipient, amount = rewards[height - spec.maturity]
            balances[recipient] = balances.get(recipient, 0) + amount
    for key, balance in balances.items():
        account = queries.account(key)
        replayed = Account(balance, sequences.get(key, 0))
        if account != replayed:
            yield f"account {key.hex()} is {account}, but by its chain {replayed}"
    immature = sum([amount for _, amount in rewards[max(1, tip.height - spec.maturity + 1) :]])
    held = sum(balances.values()) + immature
    if held != issued(spec, tip.height):
        yield f"accounts hold {held} base units at height {tip.height}, but the supply is {issued(spec, tip.height)}"
