"""A tree of blocks that grows by branches, each overtaking the one before, full of transfers; and its accounts.

0 - 1 - 2 - 3 - 4                the tip is 4 ...
         `- 3'- 4'- 5'- 6'       ... then 6', so 3 and 4 are undone ...
                 `- 5"- 6"- 7"   ... and so on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from random import Random

from tests.support import wire
from tests.support.forge import MINER, Forged, forge, genesis
from tests.support.keys import Signer, signer
from tests.support.network import Network

SIGNERS: tuple[Signer, ...] = tuple(signer(f"climber {number}") for number in range(40))
NETWORK = Network(
    name="ladder", maturity=3, allocations=tuple((each.key, 10_000_000 + i) for i, each in enumerate(SIGNERS))
)
KEYS = (*(each.key for each in SIGNERS), MINER)

DEEPEST = 12
"""The most blocks that a branch disconnects."""
MOST_TRANSFERS = 30

Account = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Rung:
    """A block, its parent, and the accounts after it: key -> (balance, sequence)."""

    block: Forged
    parent: Rung | None = field(repr=False)
    accounts: dict[bytes, Account] = field(repr=False)

    @cached_property
    def txids(self) -> list[bytes]:
        return [wire.sha256d(transaction) for transaction in self.block.transactions]

    def branch(self) -> Iterator[Rung]:
        """This block and all before it, newest first."""
        rung: Rung | None = self
        while rung is not None:
            yield rung
            rung = rung.parent

    def history(self, key: bytes, limit: int) -> list[tuple[bytes, int]]:
        """The newest transactions of an account: (block hash, position)."""
        places = (
            (rung.block.hash, position)
            for rung in self.branch()
            for position in range(len(rung.block.transactions) - 1, -1, -1)
            if key in _named(rung.block.transactions[position])
        )
        return list(islice(places, limit))


class Ladder:
    """Every block made so far, by hash, and the newest tip."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.tip = Rung(genesis(NETWORK), None, {key: (amount, 0) for key, amount in NETWORK.allocations})
        self.rungs = {self.tip.block.hash: self.tip}

    def climb(self) -> Iterator[Rung]:
        """The blocks of one more branch, in their order; the last one is the new tip."""
        undone = min(self._random.choice((0, 0, 1, 2, self._random.randint(3, DEEPEST))), self.tip.block.height)
        rung = next(islice(self.tip.branch(), undone, None))
        for _ in range(undone + self._random.randint(1, 8)):
            rung = self._extend(rung)
            self.rungs[rung.block.hash] = rung
            yield rung
        self.tip = rung

    def _extend(self, parent: Rung) -> Rung:
        accounts = dict(parent.accounts)
        transfers = []
        for _ in range(self._random.randint(0, MOST_TRANSFERS)):
            sender, recipient = self._random.choice(SIGNERS), self._random.choice(SIGNERS)
            balance, sequence = accounts[sender.key]
            amount, fee = self._random.randint(0, balance // 50), self._random.randint(0, 9)
            if amount + fee > balance:
                continue
            transfers.append(sender.transfer(NETWORK.genesis_hash, sequence, recipient.key, amount, fee))
            accounts[sender.key] = (balance - amount - fee, sequence + 1)
            _credit(accounts, recipient.key, amount)
        block = forge(NETWORK, f"rung {len(self.rungs)}", parent.block, transfers)
        rung = Rung(block, parent, accounts)
        matured = next(islice(rung.branch(), NETWORK.maturity, None), None)
        if matured is not None and matured.block.height:
            _credit(accounts, MINER, int.from_bytes(matured.block.transactions[0][37:45], "little"))
        return rung


def _credit(accounts: dict[bytes, Account], key: bytes, amount: int) -> None:
    balance, sequence = accounts.get(key, (0, 0))
    accounts[key] = (balance + amount, sequence)


def _named(transaction: bytes) -> tuple[bytes, ...]:
    """The accounts in a raw transaction: a transfer's sender and recipient, or a coinbase's recipient."""
    return (transaction[1:33], transaction[41:73]) if transaction[0] else (transaction[5:37],)
