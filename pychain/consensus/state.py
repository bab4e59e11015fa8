"""The state transition: accounts in, accounts and an undo record out, exactly reversible.

State is `account -> (balance, sequence)`; an absent account is (0, 0). The sequence is the account's nonce: the number
that its next transfer must have. Connecting block h applies its transfers in order and then credits the coinbase of
block h - maturity on the same branch, so a reward can first be spent in the next block.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from operator import length_hint
from typing import NamedTuple, Protocol

import msgspec

from pychain.base.codec import Reader, compact_size
from pychain.base.errors import DecodeError
from pychain.chain.block import Block
from pychain.chain.spec import ChainSpec
from pychain.chain.transaction import Coinbase
from pychain.consensus.rules import Rule, RuleError
from pychain.consensus.semantic import coinbase_of
from pychain.consensus.subsidy import subsidy

_UNDO_ROW = struct.Struct("<32sQQ")


class Account(msgspec.Struct, frozen=True, gc=False):
    """Balance in base units, and the sequence (nonce) that the next transfer must have.

    Hundreds of thousands are in memory. So they are made from columns in one call, and not tracked by the garbage
    collector, which would stop the node to scan them all.
    """

    balance: int
    sequence: int


ABSENT = Account(0, 0)


class Reward(NamedTuple):
    """A coinbase that has not matured."""

    recipient: bytes
    amount: int


Undo = tuple[tuple[bytes, Account], ...]
"""The accounts that a block touched, as they were before it, in the order of first touch."""


class AccountReader(Protocol):
    """A source of accounts."""

    def account(self, key: bytes) -> Account:
        """The account of a 32-byte public key; `ABSENT` if there is none."""
        ...


class BulkAccountReader(AccountReader, Protocol):
    """A source of accounts that can read those of a whole block at once."""

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        """`account` of each key, in order; cheaper than one by one."""
        ...


def reward_of(coinbase: Coinbase) -> Reward:
    return Reward(coinbase.recipient, coinbase.amount)


def maturing_height(spec: ChainSpec, height: int) -> int | None:
    """The height whose coinbase is credited when block `height` connects, None if nothing matures."""
    matures = height - spec.maturity
    return matures if matures >= 1 else None


def genesis_accounts(spec: ChainSpec) -> dict[bytes, Account]:
    """The state at height 0."""
    return {key: Account(amount, 0) for key, amount in spec.allocations if amount}


class BlockConnection:
    """One block being applied to a state, in slices.

    Call `advance` until it returns True; then `changes` has the touched accounts as they are after the block and `undo`
    as they were before. A RuleError leaves the state unchanged: nothing is written until the caller takes `changes`.
    The block's transfers must have passed level 2.
    """

    def __init__(
        self, spec: ChainSpec, block: Block, height: int, accounts: BulkAccountReader, matured: Reward | None
    ) -> None:
        """`matured` is the reward of the block at `maturing_height`; with maturity 0 the block's own reward is used."""
        self.coinbase = coinbase_of(block)
        if self.coinbase.height != height:
            raise RuleError(Rule.COINBASE_HEIGHT, f"it names {self.coinbase.height}, the block is at {height}")
        self._spec = spec
        self._height = height
        self._accounts = accounts
        self._matured = reward_of(self.coinbase) if spec.maturity == 0 else matured
        self._keys = block.accounts
        self._moves = block.moves
        self._applied = 0
        self._fees = 0
        self._before: list[Account] = []
        self._undo_rows: list[bytes] = []
        self._balances: list[int] = []
        self._sequences: list[int] = []
        """The accounts of `_keys`, in order: before the block, and balance and sequence so far."""
        self._touched_last: tuple[bytes, Account] | None = None
        """The recipient of a matured reward and its account before, if no transfer touches it."""
        self.changes: dict[bytes, Account] = {}

    @property
    def undo(self) -> Undo:
        rows = tuple(zip(self._keys, self._before, strict=True))
        return rows if self._touched_last is None else (*rows, self._touched_last)

    @property
    def undo_record(self) -> bytes:
        """`undo` encoded; the rows are made while the block is applied, so this is always cheap."""
        return compact_size(len(self._undo_rows)) + b"".join(self._undo_rows)

    @property
    def work_done(self) -> int:
        """Accounts read and transfers applied so far."""
        return len(self._before) + self._applied

    def advance(self, budget: int) -> bool:
        """Read up to `budget` accounts, or apply up to `budget` transfers; True when the whole block is applied."""
        if self._moves and not self._apply_some(budget):
            return False
        due = subsidy(self._spec, self._height) + self._fees
        if self.coinbase.amount != due:
            raise RuleError(Rule.COINBASE_AMOUNT, f"it claims {self.coinbase.amount} where {due} is due")
        self.changes = dict(zip(self._keys, map(Account, self._balances, self._sequences), strict=True))
        if self._matured is not None and self._matured.amount:
            self._credit(self._matured)
        return True

    def _apply_some(self, budget: int) -> bool:
        """The part of `advance` that reads accounts and applies transfers."""
        if len(self._before) < len(self._keys):
            self._read(self._keys[len(self._before) : len(self._before) + budget])
            if len(self._keys) > budget:
                return False
        end = min(len(self._moves), self._applied + budget)
        self._apply(end)
        return end == len(self._moves)

    def _read(self, keys: Sequence[bytes]) -> None:
        accounts = self._accounts.accounts(keys)
        balances = [account.balance for account in accounts]
        sequences = [account.sequence for account in accounts]
        self._before += accounts
        self._balances += balances
        self._sequences += sequences
        self._undo_rows += map(_UNDO_ROW.pack, keys, balances, sequences)

    def _apply(self, end: int) -> None:
        """The inner loop of validation: apply the transfers up to number `end`, one by one."""
        balances, sequences, fees = self._balances, self._sequences, self._fees
        moves = iter(self._moves[self._applied : end])
        for sender, recipient, sequence, amount, fee in moves:
            if sequence != sequences[sender]:
                number = end - length_hint(moves)
                text = f"transfer {number} has {sequence}, its account is at {sequences[sender]}"
                raise RuleError(Rule.TX_SEQUENCE, text)
            left = balances[sender] - amount - fee
            if left < 0:
                number = end - length_hint(moves)
                text = f"transfer {number} costs {amount + fee}, its account has {balances[sender]}"
                raise RuleError(Rule.TX_BALANCE, text)
            balances[sender] = left
            sequences[sender] = sequence + 1
            balances[recipient] += amount
            fees += fee
        self._fees = fees
        self._applied = end

    def _credit(self, reward: Reward) -> None:
        account = self.changes.get(reward.recipient)
        if account is None:
            account = self._accounts.account(reward.recipient)
            self._touched_last = (reward.recipient, account)
            self._undo_rows.append(_UNDO_ROW.pack(reward.recipient, account.balance, account.sequence))
        self.changes[reward.recipient] = Account(account.balance + reward.amount, account.sequence)


def connect_block(
    spec: ChainSpec, block: Block, height: int, accounts: BulkAccountReader, matured: Reward | None
) -> BlockConnection:
    """A completed `BlockConnection`."""
    connection = BlockConnection(spec, block, height, accounts, matured)
    connection.advance(max(1, len(block.accounts), len(block.moves)))
    return connection


def decode_undo(data: bytes) -> Undo:
    """The undo record in `data`; DecodeError if it is damaged."""
    return tuple([(key, Account(balance, sequence)) for key, balance, sequence in undo_rows(data)])


def undo_rows(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The rows of an undo record (key, balance, sequence), decoded one by one. DecodeError at once if it is
    damaged."""
    reader = Reader(data)
    count = reader.compact_size()
    if count * _UNDO_ROW.size != reader.remaining:
        raise DecodeError(f"an undo record of {count} accounts has {reader.remaining} bytes")
    return _UNDO_ROW.iter_unpack(reader.take(reader.remaining))
