"""The state transition: accounts in, accounts and an undo record out, exactly reversible.

State is `account -> (balance, next sequence)`; an absent account is (0, 0). Connecting block h applies its transfers
in order and then credits the coinbase of block h - maturity of the same branch, so a reward is first spendable in the
next block.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from pychain.base.codec import Reader, compact_size
from pychain.base.errors import DecodeError
from pychain.chain.block import Block
from pychain.chain.spec import ChainSpec
from pychain.chain.transaction import Coinbase, Transfer
from pychain.consensus.rules import Rule, RuleError
from pychain.consensus.semantic import split_coinbase
from pychain.consensus.subsidy import subsidy

_UNDO_ROW = struct.Struct("<32sQQ")


class Account(NamedTuple):
    """Balance in base units and the sequence that the next transfer must carry."""

    balance: int
    sequence: int


ABSENT = Account(0, 0)


class Reward(NamedTuple):
    """A coinbase as the ledger remembers it until it matures."""

    recipient: bytes
    amount: int


Undo = tuple[tuple[bytes, Account], ...]
"""The accounts that a block touched, as they were before it, in the order of their first touch."""


class AccountReader(Protocol):
    """Where accounts are read from."""

    def account(self, key: bytes) -> Account:
        """The account of a 32-byte public key; `ABSENT` where there is none."""
        ...


def reward_of(coinbase: Coinbase) -> Reward:
    return Reward(coinbase.recipient, coinbase.amount)


def maturing_height(spec: ChainSpec, height: int) -> int | None:
    """The height whose coinbase is credited when block `height` connects, None while nothing matures."""
    matures = height - spec.maturity
    return matures if matures >= 1 else None


def genesis_accounts(spec: ChainSpec) -> dict[bytes, Account]:
    """The state at height 0."""
    return {key: Account(amount, 0) for key, amount in spec.allocations if amount}


class BlockConnection:
    """One block being applied on top of a state, so many transfers at a time.

    `advance` until it returns True; then `changes` holds the touched accounts as they are after the block and `undo`
    as they were before. A RuleError leaves the state that was read untouched: nothing is written until the caller
    takes `changes`.
    """

    def __init__(
        self, spec: ChainSpec, block: Block, height: int, accounts: AccountReader, matured: Reward | None
    ) -> None:
        """`matured` is the reward of the block at `maturing_height`; under maturity 0 the block's own is taken."""
        self.coinbase, self._transfers = split_coinbase(block)
        if self.coinbase.height != height:
            raise RuleError(Rule.COINBASE_HEIGHT, f"it names {self.coinbase.height}, the block is at {height}")
        self._spec = spec
        self._height = height
        self._accounts = accounts
        self._matured = reward_of(self.coinbase) if spec.maturity == 0 else matured
        self._applied = 0
        self._fees = 0
        self._before: dict[bytes, Account] = {}
        self._undo_rows: list[bytes] = []
        self.changes: dict[bytes, Account] = {}

    @property
    def undo(self) -> Undo:
        return tuple(self._before.items())

    @property
    def undo_record(self) -> bytes:
        """`undo` encoded; the rows are made while the block is applied, so this is cheap for any block."""
        return compact_size(len(self._undo_rows)) + b"".join(self._undo_rows)

    def advance(self, budget: int) -> bool:
        """Apply up to `budget` transfers; True when the block is applied whole."""
        end = min(len(self._transfers), self._applied + budget)
        for position in range(self._applied, end):
            self._apply(self._transfers[position], position)
        self._applied = end
        if end < len(self._transfers):
            return False
        due = subsidy(self._spec, self._height) + self._fees
        if self.coinbase.amount != due:
            raise RuleError(Rule.COINBASE_AMOUNT, f"it claims {self.coinbase.amount} where {due} is due")
        if self._matured is not None and self._matured.amount:
            account = self._read(self._matured.recipient)
            self.changes[self._matured.recipient] = Account(account.balance + self._matured.amount, account.sequence)
        return True

    def _apply(self, transfer: Transfer, position: int) -> None:
        sender = self._read(transfer.sender)
        if transfer.sequence != sender.sequence:
            raise RuleError(
                Rule.TX_SEQUENCE,
                f"transfer {position + 1} has {transfer.sequence}, its account is at {sender.sequence}",
            )
        cost = transfer.amount + transfer.fee
        if cost > sender.balance:
            raise RuleError(Rule.TX_BALANCE, f"transfer {position + 1} costs {cost}, its account has {sender.balance}")
        self._fees += transfer.fee
        self.changes[transfer.sender] = Account(sender.balance - cost, sender.sequence + 1)
        recipient = self._read(transfer.recipient)
        self.changes[transfer.recipient] = Account(recipient.balance + transfer.amount, recipient.sequence)

    def _read(self, key: bytes) -> Account:
        account = self.changes.get(key)
        if account is None:
            account = self._before[key] = self._accounts.account(key)
            self._undo_rows.append(_UNDO_ROW.pack(key, *account))
        return account


def connect_block(
    spec: ChainSpec, block: Block, height: int, accounts: AccountReader, matured: Reward | None
) -> BlockConnection:
    """`BlockConnection` run to its end."""
    connection = BlockConnection(spec, block, height, accounts, matured)
    connection.advance(len(block.transactions))
    return connection


def encode_undo(undo: Undo) -> bytes:
    """CompactSize count, then 32 key | u64 balance | u64 sequence each."""
    rows = [_UNDO_ROW.pack(key, *account) for key, account in undo]
    return compact_size(len(rows)) + b"".join(rows)


def decode_undo(data: bytes) -> Undo:
    """The undo record in `data`; DecodeError where it is damaged."""
    return tuple(undo_rows(data))


def undo_rows(data: bytes) -> Iterator[tuple[bytes, Account]]:
    """The rows of an undo record one by one, for who has little time. DecodeError at once where it is damaged."""
    reader = Reader(data)
    count = reader.compact_size()
    if count * _UNDO_ROW.size != reader.remaining:
        raise DecodeError(f"an undo record of {count} accounts has {reader.remaining} bytes")
    rows = _UNDO_ROW.iter_unpack(reader.take(reader.remaining))
    return ((key, Account(balance, sequence)) for key, balance, sequence in rows)
