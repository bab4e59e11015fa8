"""The state transition against a plain ledger: exact undo, conserved supply, any slicing of the work."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import DecodeError
from pychain.chain.block import Block, decode_block
from pychain.chain.transaction import Coinbase, Transfer
from pychain.consensus.rules import Rule, RuleError
from pychain.consensus.state import (
    ABSENT,
    Account,
    BlockConnection,
    Reward,
    connect_block,
    decode_undo,
    genesis_accounts,
    maturing_height,
    reward_of,
)
from pychain.consensus.subsidy import issued
from tests.support import wire
from tests.support.accounts import Accounts
from tests.support.builder import spec_of
from tests.support.forge import Forged, forge, genesis
from tests.support.keys import signer
from tests.support.network import Network
from tests.support.strategies import bytes32, mutants, u64
from tests.support.undo import encode_undo

PEOPLE = [signer(name) for name in ("alice", "bob", "carol", "dave")]
BASE = Network(
    initial_subsidy=1000,
    halving_interval=3,
    allocations=((PEOPLE[0].key, 5000), (PEOPLE[1].key, 40)),
)


@dataclass
class PlainLedger:
    """A simple ledger, written independently of the project's code."""

    network: Network
    balances: dict[bytes, int] = field(default_factory=dict)
    sequences: dict[bytes, int] = field(default_factory=dict)
    rewards: list[tuple[bytes, int]] = field(default_factory=list)
    """Coinbases from height 1 on."""

    def __post_init__(self) -> None:
        self.balances = dict(self.network.allocations)

    def mine(self, transfers: list[tuple[bytes, bytes, int, int]], miner: bytes) -> None:
        height = len(self.rewards) + 1
        fees = 0
        for sender, recipient, amount, fee in transfers:
            self.balances[sender] = self.balances.get(sender, 0) - amount - fee
            assert self.balances[sender] >= 0
            self.sequences[sender] = self.sequences.get(sender, 0) + 1
            self.balances[recipient] = self.balances.get(recipient, 0) + amount
            fees += fee
        self.rewards.append((miner, self.network.subsidy(height) + fees))
        if height > self.network.maturity:
            recipient, amount = self.rewards[height - self.network.maturity - 1]
            self.balances[recipient] = self.balances.get(recipient, 0) + amount

    def accounts(self) -> dict[bytes, Account]:
        keys = self.balances.keys() | self.sequences.keys()
        every = {key: Account(self.balances.get(key, 0), self.sequences.get(key, 0)) for key in keys}
        return {key: account for key, account in every.items() if account != ABSENT}

    def immature(self) -> int:
        return sum(amount for _, amount in self.rewards[max(0, len(self.rewards) - self.network.maturity) :])


@st.composite
def histories(draw: st.DrawFn) -> tuple[Network, list[Block], list[dict[bytes, Account]], list[int]]:
    """Valid blocks under a maturity of 0 to 3; after each, the plain ledger's accounts and immature rewards."""
    network = replace(BASE, maturity=draw(st.integers(0, 3)))
    ledger = PlainLedger(network)
    blocks, accounts, immature = [], [], []
    tip = genesis(network)
    for number in range(draw(st.integers(1, 7))):
        moves, raws = draw(_payments(network, ledger))
        miner = draw(st.sampled_from(PEOPLE)).key
        tip = forge(network, f"b{number}", tip, raws, miner=miner)
        ledger.mine(moves, miner)
        blocks.append(decode_block(tip.raw))
        accounts.append(ledger.accounts())
        immature.append(ledger.immature())
    return network, blocks, accounts, immature


@st.composite
def _payments(
    draw: st.DrawFn, network: Network, ledger: PlainLedger
) -> tuple[list[tuple[bytes, bytes, int, int]], list[bytes]]:
    """Transfers that the ledger covers, one after the other, self-sends and empty ones among them."""
    balances, sequences = dict(ledger.balances), dict(ledger.sequences)
    moves, raws = [], []
    for _ in range(draw(st.integers(0, 5))):
        sender, recipient = draw(st.sampled_from(PEOPLE)), draw(st.sampled_from(PEOPLE)).key
        has = balances.get(sender.key, 0)
        amount = draw(st.sampled_from([0, has]) | st.integers(0, has))
        fee = draw(st.sampled_from([0, has - amount]) | st.integers(0, has - amount))
        sequence = sequences.get(sender.key, 0)
        raws.append(sender.transfer(network.genesis_hash, sequence, recipient, amount, fee))
        moves.append((sender.key, recipient, amount, fee))
        balances[sender.key] = has - amount - fee
        balances[recipient] = balances.get(recipient, 0) + amount
        sequences[sender.key] = sequence + 1
    return moves, raws


def matured_for(network: Network, blocks: list[Block], height: int) -> Reward | None:
    """The reward that matures at `height`."""
    matures = maturing_height(spec_of(network), height)
    if matures is None or matures == height:
        return None
    coinbase = blocks[matures - 1].transactions[0]
    assert isinstance(coinbase, Coinbase)
    return reward_of(coinbase)


@given(histories())
def test_history_against_a_plain_ledger(
    history: tuple[Network, list[Block], list[dict[bytes, Account]], list[int]],
) -> None:
    """Forward: the plain ledger's accounts, and supply conserved. Back by the undo records: each state exactly."""
    network, blocks, accounts, immature = history
    spec = spec_of(network)
    state = Accounts(genesis_accounts(spec))
    befores, undos = [], []
    for height, block in enumerate(blocks, 1):
        befores.append(dict(state.held))
        connection = connect_block(spec, block, height, state, matured_for(network, blocks, height))
        assert state.held == befores[-1]  # nothing is written before the caller takes the changes
        state.write(connection.changes)
        assert connection.undo_record == encode_undo(connection.undo)
        undos.append(decode_undo(connection.undo_record))
        assert undos[-1] == connection.undo
        assert state.held == accounts[height - 1]
        balances = sum(account.balance for account in state.held.values())
        assert balances + immature[height - 1] == issued(spec, height)
    for before, undo in zip(reversed(befores), reversed(undos), strict=True):
        state.write(dict(undo))
        assert state.held == before


@given(histories(), st.data())
def test_any_slicing_gives_the_same(
    history: tuple[Network, list[Block], list[dict[bytes, Account]], list[int]], data: st.DataObject
) -> None:
    network, blocks, accounts, _ = history
    spec = spec_of(network)
    state = Accounts(accounts[-2] if len(blocks) > 1 else genesis_accounts(spec))
    height = len(blocks)
    arguments = (spec, blocks[-1], height, state, matured_for(network, blocks, height))
    whole = connect_block(*arguments)
    sliced = BlockConnection(*arguments)
    while not sliced.advance(data.draw(st.integers(0, 3))):
        pass
    assert (sliced.changes, sliced.undo, sliced.undo_record) == (whole.changes, whole.undo, whole.undo_record)


@pytest.mark.parametrize("budget", [1, 2, 3, 100])
def test_an_error_is_found_in_any_slicing(budget: int) -> None:
    """The third transfer has the wrong sequence; wherever the slices end, the state is unchanged."""
    alice, bob = PEOPLE[:2]
    pays = [alice.transfer(BASE.genesis_hash, sequence, bob.key, 1) for sequence in (0, 1, 3)]
    block = decode_block(forge(BASE, "b", genesis(BASE), pays).raw)
    spec = spec_of(BASE)
    state = Accounts(genesis_accounts(spec))
    connection = BlockConnection(spec, block, 1, state, None)
    slices = iter(lambda: connection.advance(budget), True)
    with pytest.raises(RuleError, match="transfer 3 has 3, its account is at 2") as refused:
        deque(slices)
    assert refused.value.rule is Rule.TX_SEQUENCE
    assert state.held == genesis_accounts(spec)


def test_undo_holds_each_account_once_in_the_order_of_touch() -> None:
    alice, bob, carol, dave = PEOPLE
    network = replace(BASE, maturity=0)
    pays = [
        alice.transfer(network.genesis_hash, 0, carol.key, 10),
        carol.transfer(network.genesis_hash, 0, bob.key, 10),
        alice.transfer(network.genesis_hash, 1, alice.key, 10),
    ]
    spec = spec_of(network)
    state = Accounts(genesis_accounts(spec))
    block = decode_block(forge(network, "b", genesis(network), pays, miner=dave.key).raw)
    undo = connect_block(spec, block, 1, state, None).undo
    assert undo == ((alice.key, Account(5000, 0)), (carol.key, ABSENT), (bob.key, Account(40, 0)), (dave.key, ABSENT))


def test_a_matured_reward_of_nothing_touches_no_account() -> None:
    network = replace(BASE, initial_subsidy=0, halving_interval=0, maturity=0)
    spec = spec_of(network)
    connection = connect_block(spec, decode_block(forge(network, "b", genesis(network)).raw), 1, Accounts({}), None)
    assert (connection.changes, connection.undo) == ({}, ())


def test_allocations_of_nothing_are_no_accounts() -> None:
    spec = spec_of(replace(BASE, allocations=((PEOPLE[0].key, 0), (PEOPLE[1].key, 1))))
    assert genesis_accounts(spec) == {PEOPLE[1].key: Account(1, 0)}


@pytest.mark.parametrize(
    ("maturity", "height", "matures"),
    [(0, 1, 1), (1, 1, None), (1, 2, 1), (3, 3, None), (3, 4, 1), (100, 100, None), (100, 101, 1)],
)
def test_maturing_height(maturity: int, height: int, matures: int | None) -> None:
    assert maturing_height(spec_of(replace(BASE, maturity=maturity)), height) == matures


undos = st.lists(st.tuples(bytes32, st.builds(Account, u64, u64)), max_size=6, unique_by=lambda row: row[0]).map(tuple)


@given(undos)
def test_undo_round_trip(undo: tuple[tuple[bytes, Account], ...]) -> None:
    data = encode_undo(undo)
    rows = [
        key + account.balance.to_bytes(8, "little") + account.sequence.to_bytes(8, "little") for key, account in undo
    ]
    assert data == wire.compact_size(len(undo)) + b"".join(rows)
    assert decode_undo(data) == undo


@given(mutants(undos.map(encode_undo)) | st.binary(max_size=120))
def test_damaged_undo(data: bytes) -> None:
    try:
        undo = decode_undo(data)
    except DecodeError:
        return
    assert encode_undo(undo) == data


def test_signers_of_a_forged_block_are_what_they_seem() -> None:
    """The plain ledger applies the transfers' fields; this checks that the builder sets them as asked."""
    forged: Forged = forge(BASE, "b", genesis(BASE), [PEOPLE[0].transfer(BASE.genesis_hash, 0, PEOPLE[1].key, 3, 2)])
    coinbase, transfer = decode_block(forged.raw).transactions
    assert isinstance(coinbase, Coinbase)
    assert isinstance(transfer, Transfer)
    assert (coinbase.height, coinbase.amount) == (1, 1002)
    assert (transfer.sender, transfer.amount, transfer.fee) == (PEOPLE[0].key, 3, 2)
