"""The state transition: the state after a block from the state after its parent.

There is no undo: the state of any branch is computed from genesis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.specification.blocks import Block
from tests.specification.network import Network
from tests.specification.rules import require

MAX_HALVINGS = 64


@dataclass(frozen=True)
class Account:
    balance: int
    sequence: int
    """The account's nonce: the sequence that its next transfer must have."""


ABSENT = Account(0, 0)


@dataclass(frozen=True)
class Reward:
    """The amount that a coinbase claims, for its recipient."""

    recipient: bytes
    amount: int


@dataclass(frozen=True)
class State:
    """accounts: all that are not (0, 0). rewards: those of the branch from height 1 up, credited or not."""

    accounts: dict[bytes, Account]
    rewards: tuple[Reward, ...]

    @property
    def height(self) -> int:
        return len(self.rewards)

    def account(self, key: bytes) -> Account:
        return self.accounts.get(key, ABSENT)


def genesis_state(network: Network) -> State:
    """The allocations. The coinbase of genesis is never credited."""
    return State({key: Account(amount, 0) for key, amount in network.allocations if amount}, ())


def subsidy(network: Network, height: int) -> int:
    """The subsidy of the block at a height."""
    if network.halving_interval == 0:
        return 0
    halvings = height // network.halving_interval
    return network.initial_subsidy // 2**halvings if halvings < MAX_HALVINGS else 0


def apply_block(network: Network, state: State, block: Block) -> State:
    """The state after a block that is valid at levels 1 and 2; raises if a rule is broken."""
    height = state.height + 1
    require(block.coinbase.height == height, "bad-cb-height")

    accounts = dict(state.accounts)
    fees = 0
    for transfer in block.transfers:
        sender = accounts.get(transfer.sender, ABSENT)
        require(transfer.sequence == sender.sequence, "bad-tx-sequence")
        require(transfer.amount + transfer.fee <= sender.balance, "bad-tx-balance")
        accounts[transfer.sender] = Account(sender.balance - transfer.amount - transfer.fee, sender.sequence + 1)
        _credit(accounts, transfer.recipient, transfer.amount)
        fees += transfer.fee

    require(block.coinbase.amount == subsidy(network, height) + fees, "bad-cb-amount")
    rewards = (*state.rewards, Reward(block.coinbase.recipient, block.coinbase.amount))
    matured = height - network.maturity
    if matured >= 1:
        reward = rewards[matured - 1]
        _credit(accounts, reward.recipient, reward.amount)
    return State({key: account for key, account in accounts.items() if account != ABSENT}, rewards)


def _credit(accounts: dict[bytes, Account], key: bytes, amount: int) -> None:
    account = accounts.get(key, ABSENT)
    accounts[key] = replace(account, balance=account.balance + amount)


def total(network: Network, state: State) -> int:
    """All balances, and all rewards that are not credited yet."""
    credited = max(0, state.height - network.maturity)
    balances = sum(account.balance for account in state.accounts.values())
    return balances + sum(reward.amount for reward in state.rewards[credited:])


def issued(network: Network, height: int) -> int:
    """The supply at a height, which `total` must equal: the allocations and the subsidies so far."""
    allocated = sum(amount for _, amount in network.allocations)
    return allocated + sum(subsidy(network, each) for each in range(1, height + 1))
