"""The chain as the rules alone define it: a dictionary of blocks, and a state recomputed from genesis at every turn.

Slow, small and obvious, so that it can be the oracle of everything that is faster. Bodies of losing branches are judged
by levels 1 and 2 when they come and by their parent's state when they are about to win, as in a real node. What is
pending is kept without bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from pychain import native
from pychain.chain.block import Block
from pychain.chain.header import Header
from pychain.chain.spec import ChainSpec, parse_spec
from pychain.chain.target import work_from_bits
from pychain.chain.transaction import Coinbase, Transfer, signed_message
from pychain.consensus.contextual import check_header_in_context, check_not_too_new
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.rules import Blame, Rule, RuleError
from pychain.consensus.semantic import check_bounds, verify_block
from pychain.consensus.state import (
    ABSENT,
    Account,
    Reward,
    connect_block,
    genesis_accounts,
    maturing_height,
    reward_of,
)
from pychain.consensus.structure import parse_block, parse_transfer
from tests.support.builder import HeaderBranch
from tests.support.driver import ACCEPTED, Verdict, pending, rejected

OPERATOR = "invalidated by the operator"


def check_signature(spec: ChainSpec, transfer: Transfer) -> None:
    """The signature of one transfer holds under ZIP-215."""
    message = signed_message(spec.genesis_hash, transfer)
    if not native.verify(transfer.sender, message, transfer.signature):
        raise RuleError(Rule.TX_SIGNATURE)


class Accounts:
    """A state: the accounts that are not absent."""

    def __init__(self, accounts: dict[bytes, Account]) -> None:
        self.held = accounts

    def account(self, key: bytes) -> Account:
        return self.held.get(key, ABSENT)

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        return [self.account(key) for key in keys]

    def write(self, changes: dict[bytes, Account]) -> None:
        for key, account in changes.items():
            if account == ABSENT:
                self.held.pop(key, None)
            else:
                self.held[key] = account


@dataclass
class Place:
    """A block whose header is valid in its place.

    verified: levels 1 and 2 hold. failure: why the block itself is invalid, None where nothing is held against it.
    """

    block: Block
    parent: Place | None
    height: int
    work: int
    arrival: int
    verified: bool = False
    failure: str | None = None

    def path(self) -> list[Place]:
        """From genesis to here."""
        return [*(self.parent.path() if self.parent else ()), self]

    @property
    def doomed(self) -> bool:
        return any(place.failure for place in self.path())

    @property
    def eligible(self) -> bool:
        """May this block be the tip, for all that is known?"""
        return all(place.verified and not place.failure for place in self.path())


class ReferenceChain:
    """A `ChainDriver` over the modules of pychain.consensus."""

    def __init__(self, spec_toml: str, wall_s: int) -> None:
        self.spec: ChainSpec = parse_spec(spec_toml)
        self.rulebook = Rulebook(self.spec)
        self._wall_s = wall_s
        genesis = self.spec.genesis
        self._places = {genesis.hash: Place(genesis, None, 0, work_from_bits(genesis.header.bits), 0, True)}
        self._waiting: dict[bytes, None] = {}
        self._tip = self._places[genesis.hash]

    # --- the driver's side

    def submit(self, raw: bytes) -> Verdict:
        try:
            place = self._admit(raw)
        except RuleError as error:
            if error.rule.blame is Blame.NOBODY:
                self._waiting[raw] = None
                return pending(error.rule.code)
            return rejected(error.rule.code)
        self._choose_tip()
        self._try_waiting()
        if place.failure:
            return rejected(place.failure)
        return rejected(Rule.PREVIOUS_INVALID.code) if place.doomed else ACCEPTED

    def submit_transaction(self, raw: bytes) -> Verdict:
        try:
            transfer = parse_transfer(raw)
            check_bounds(transfer)
            check_signature(self.spec, transfer)
        except RuleError as error:
            return rejected(error.rule.code)
        return ACCEPTED

    def tip(self) -> bytes:
        return self._tip.block.hash

    def account(self, key: bytes) -> tuple[int, int]:
        account = self.state().account(key)
        return account.balance, account.sequence

    def set_clock(self, wall_s: int) -> None:
        self._wall_s = wall_s
        self._try_waiting()

    def invalidate(self, block_hash: bytes) -> None:
        self._places[block_hash].failure = OPERATOR
        self._choose_tip()

    def reconsider(self, block_hash: bytes) -> None:
        """Forget what is held against the block, its ancestors and its descendants."""
        chosen = self._places[block_hash]
        for place in self._places.values():
            if chosen in place.path() or place in chosen.path():
                place.failure = None
        self._choose_tip()

    # --- the oracle's side

    @property
    def height(self) -> int:
        return self._tip.height

    def active(self) -> list[Place]:
        """The active chain, genesis first."""
        return self._tip.path()

    def state(self) -> Accounts:
        """All accounts at the tip."""
        return Accounts(self._state_after(self._tip)[0].held)

    def immature(self) -> int:
        """Rewards of the active chain that are not credited yet."""
        return self._state_after(self._tip)[1]

    # --- the rules

    def _admit(self, raw: bytes) -> Place:
        """The block's place; RuleError where levels 1 or 2, or its header in its place, say no."""
        block = parse_block(self.spec, raw)
        try:
            verify_block(self.spec, block.raw)
        except RuleError as error:
            if error.rule.blame is Blame.BLOCK:
                with suppress(RuleError):  # a header that has no place here has none to be remembered in
                    self._place(block).failure = error.rule.code
            raise
        place = self._place(block)
        place.verified = True
        return place

    def _place(self, block: Block) -> Place:
        header = block.header
        if header.hash in self._places:
            return self._places[header.hash]
        parent = self._places.get(header.prev_hash)
        if parent is None:
            raise RuleError(Rule.PREVIOUS_UNKNOWN)
        if parent.doomed:
            raise RuleError(Rule.PREVIOUS_INVALID)
        check_header_in_context(self.rulebook, header, HeaderBranch(_headers(parent)))
        check_not_too_new(self.rulebook, header, self._wall_s)
        work = parent.work + work_from_bits(header.bits)
        place = Place(block, parent, parent.height + 1, work, len(self._places))
        self._places[header.hash] = place
        return place

    def _choose_tip(self) -> None:
        """The heaviest chain that is valid, the first seen of equals; invalid blocks are found on the way."""
        while True:
            eligible = [place for place in self._places.values() if place.eligible]
            best = max(eligible, key=lambda place: (self.rulebook.weight(place.work, place.height), -place.arrival))
            try:
                self._state_after(best)
            except _InvalidBlockError as found:
                found.place.failure = found.code
                continue
            self._tip = best
            return

    def _state_after(self, last: Place) -> tuple[Accounts, int]:
        """The state after a block, and the rewards still immature, computed from genesis."""
        state = Accounts(genesis_accounts(self.spec))
        rewards: dict[int, Reward] = {}
        for place in last.path()[1:]:
            matures = maturing_height(self.spec, place.height)
            matured = None if matures is None else rewards.get(matures)
            try:
                connection = connect_block(self.spec, place.block, place.height, state, matured)
            except RuleError as error:
                raise _InvalidBlockError(place, error.rule.code) from None
            state.write(connection.changes)
            coinbase = place.block.transactions[0]
            assert isinstance(coinbase, Coinbase)
            rewards[place.height] = reward_of(coinbase)
            rewards.pop(place.height - self.spec.maturity, None)
        return state, sum(reward.amount for reward in rewards.values())

    def _try_waiting(self) -> None:
        progress = True
        while progress:
            progress = False
            for raw in list(self._waiting):
                try:
                    self._admit(raw)
                except RuleError as error:
                    if error.rule.blame is not Blame.NOBODY:
                        del self._waiting[raw]
                    continue
                del self._waiting[raw]
                progress = True
        self._choose_tip()


class _InvalidBlockError(Exception):
    """A block of a chain fails where its state is computed."""

    def __init__(self, place: Place, code: str) -> None:
        super().__init__(code)
        self.place = place
        self.code = code


def _headers(last: Place) -> list[Header]:
    return [place.block.header for place in last.path()]
