"""The package against the specification, level by level: for any bytes both report the same rule, or none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from pychain import native
from pychain.chain.block import decode_block
from pychain.consensus.contextual import check_header_in_context, check_not_too_new
from pychain.consensus.retarget import RETARGET_RULES
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.semantic import verify_block
from pychain.consensus.state import Account, Reward, connect_block
from tests.native.ed25519_vectors import EDGE_POINTS, EDGE_SCALARS
from tests.native.vectors import SMALL_ORDER_ENCODINGS
from tests.specification.blocks import decode_block as specified_block
from tests.specification.blocks import judge_block
from tests.specification.branch import check_header_on
from tests.specification.branch import check_not_too_new as check_clock
from tests.specification.headers import Header
from tests.specification.network import Network as SpecifiedNetwork
from tests.specification.network import read_network
from tests.specification.retarget import next_bits
from tests.specification.rules import BrokenRuleError
from tests.specification.signatures import is_valid
from tests.specification.state import ABSENT, State, apply_block
from tests.specification.state import Account as SpecifiedAccount
from tests.specification.state import Reward as SpecifiedReward
from tests.specification.transactions import check_lone_transaction
from tests.support import wire
from tests.support.accounts import Accounts
from tests.support.branches import SparseBranch, bare_header, timed_branch
from tests.support.builder import spec_of
from tests.support.forge import forge, genesis
from tests.support.keys import signer
from tests.support.network import GENESIS_TIME, Network
from tests.support.refusals import broken_rule
from tests.support.strategies import coinbases, mutants, transfers
from tests.support.transfers import check_transfer

ALICE, BOB = signer("alice"), signer("bob")
NETWORK = Network(max_block_bytes=3000, allocations=((ALICE.key, 1000),))
SPEC, SPECIFIED = spec_of(NETWORK), read_network(NETWORK.toml())


def pay(sequence: int, amount: int = 1, fee: int = 1, memo: bytes = b"") -> bytes:
    return ALICE.transfer(NETWORK.genesis_hash, sequence, BOB.key, amount, fee, memo)


GOOD = forge(NETWORK, "good", genesis(NETWORK), [pay(number, memo=bytes(number)) for number in range(4)])
REWARDS = [wire.coinbase(1, BOB.key, 0, bytes(size)) for size in (31, 32, 100, 101, 255)]
PAYS = [
    *GOOD.transactions[1:],
    pay(0)[:-1] + b"\0",
    pay(2**64 - 2),
    pay(2**64 - 1),
    pay(0, 2**64 - 1, 0),
    pay(0, 2**64 - 1, 1),
    pay(0, memo=bytes(512)),
    pay(0, memo=bytes(513)),
]
"""Transfers that each break at most one rule."""
parts = st.sampled_from([*REWARDS, *PAYS])
raw_transactions = (
    parts | mutants(parts) | transfers.map(lambda fields: fields.raw) | coinbases.map(lambda fields: fields.raw)
)


def code(check: Callable[[], object]) -> str | None:
    """The rule that the specification reports."""
    try:
        check()
    except BrokenRuleError as broken:
        return broken.code
    return None


def named(check: Callable[[], object]) -> str | None:
    """The rule that the package reports."""
    rule = broken_rule(check)
    return None if rule is None else rule.code


def sealed(transactions: list[bytes]) -> bytes:
    """A block with any transactions, the right root and proof of work."""
    first = wire.solve(1, NETWORK.genesis_hash, wire.root_of(transactions), GENESIS_TIME, NETWORK.genesis_bits)
    return wire.block(first, transactions)


@given(mutants(st.just(GOOD.raw)) | st.binary(max_size=400))
def test_mutated_block(raw: bytes) -> None:
    assert named(lambda: verify_block(SPEC, raw)) == code(lambda: judge_block(SPECIFIED, raw))


@given(st.lists(raw_transactions, min_size=1, max_size=6))
def test_mutated_transactions_under_a_good_header(transactions: list[bytes]) -> None:
    raw = sealed(transactions)
    assert named(lambda: verify_block(SPEC, raw)) == code(lambda: judge_block(SPECIFIED, raw))


@given(st.sampled_from(REWARDS), st.lists(st.sampled_from(PAYS), max_size=5, unique=True))
def test_transfers_behind_a_coinbase(reward: bytes, pays: list[bytes]) -> None:
    raw = sealed([reward, *pays])
    assert named(lambda: verify_block(SPEC, raw)) == code(lambda: judge_block(SPECIFIED, raw))


@given(raw_transactions | st.binary(max_size=300))
def test_lone_transaction(raw: bytes) -> None:
    assert named(lambda: check_transfer(SPEC, raw)) == code(lambda: check_lone_transaction(SPECIFIED, raw))


# --- signatures

encodings = st.sampled_from([*EDGE_POINTS, *SMALL_ORDER_ENCODINGS, ALICE.key, BOB.key])
scalars = st.sampled_from(EDGE_SCALARS).map(lambda scalar: scalar.to_bytes(32, "little"))


@given(encodings, encodings | st.binary(min_size=32, max_size=32), scalars, st.binary(max_size=40))
def test_edges_of_signatures(key: bytes, r: bytes, s: bytes, message: bytes) -> None:
    assert native.verify(key, message, r + s) == is_valid(key, message, r + s)


@given(st.integers(0, 7), st.binary(max_size=40), st.integers(0, 128 * 8 - 1) | st.none())
def test_damaged_signatures(name: int, message: bytes, bit: int | None) -> None:
    """One bit of the key, the signature or the message's hash is flipped, or none."""
    author = signer(f"author {name}")
    told = sha256(message).digest()
    data = bytearray(author.key + told + author.sign(told))
    if bit is not None:
        data[bit // 8] ^= 1 << bit % 8
    key, told, signature = bytes(data[:32]), bytes(data[32:64]), bytes(data[64:])
    assert native.verify(key, told, signature) == is_valid(key, told, signature)
    assert is_valid(key, told, signature) is (bit is None)


# --- headers in their place

waits = st.one_of(
    st.lists(st.integers(-8, 10) | st.integers(-9000, 90_000), max_size=24),
    st.lists(st.integers(-1, 2), max_size=24),
    st.lists(st.integers(2, 8), max_size=24),
)
some_bits = st.sampled_from([0x01010000, 0x02008000, 0x03123456, 0x1D00FFFF, 0x1F0FFFFF, 0x207FFFFF])


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A network under any rule, its parameters at their edges."""
    rule = draw(st.sampled_from(sorted(RETARGET_RULES.built_in)))
    return Network(
        retarget=rule,
        retarget_params={"window": draw(st.integers(2, 8))} if rule in ("bitcoin", "lwma") else {},
        spacing_s=draw(st.sampled_from([2, 10, 600])),
        half_life_s=draw(st.sampled_from([1, 60, 7200])),
        max_future_s=1,
        start_time=GENESIS_TIME + draw(st.sampled_from([0, 25])),
        genesis_bits=draw(some_bits),
    )


@given(networks(), waits, st.booleans(), some_bits | st.none(), st.integers(-2, 2))
def test_headers_in_their_place(
    network: Network, waits: list[int], in_spacings: bool, bits: int | None, ahead: int
) -> None:
    """A branch whose own bits follow the rule, or are all some others: at each height the same bits are due, and a
    header that carries them, or others, is as good under both."""
    rulebook, specified = Rulebook(spec_of(network)), read_network(network.toml())
    headers = [_header(network.genesis_time, network.genesis_bits)]
    for wait in waits:
        due = next_bits(specified, headers)
        assert rulebook.next_bits(_branch(headers)) == due
        header = _header(headers[-1].time + wait * (network.spacing_s if in_spacings else 1), due)
        _judged_alike(rulebook, specified, headers, header)
        _judged_alike(rulebook, specified, headers, replace(header, bits=due - 1))
        headers.append(header if bits is None else replace(header, bits=bits))
    clock = headers[-1].time - network.max_future_s - ahead
    expected = code(lambda: check_clock(specified, headers[-1], clock))
    assert named(lambda: check_not_too_new(rulebook, bare_header(headers[-1].time, 0), clock)) == expected


def _judged_alike(rulebook: Rulebook, specified: SpecifiedNetwork, headers: list[Header], header: Header) -> None:
    expected = code(lambda: check_header_on(specified, headers, header))
    bare = bare_header(header.time, header.bits)
    assert named(lambda: check_header_in_context(rulebook, bare, _branch(headers))) == expected


def _header(time: int, bits: int) -> Header:
    return Header(b"", 1, b"", b"", time, bits, 0)


def _branch(headers: list[Header]) -> SparseBranch:
    return timed_branch([header.time for header in headers], [header.bits for header in headers])


# --- the state transition

PEOPLE = [ALICE, BOB, signer("carol")]
some_accounts = st.builds(SpecifiedAccount, st.integers(0, 60), st.integers(0, 2)).filter(lambda each: each != ABSENT)


@st.composite
def blocks(draw: st.DrawFn, network: Network, state: State) -> bytes:
    """A block whose transfers spend the whole balance, a little less or a little more, mostly in order of sequence."""
    accounts = dict(state.accounts)
    raws, fees = [], 0
    for _ in range(draw(st.integers(0, 5))):
        sender, recipient = draw(st.sampled_from(PEOPLE)), draw(st.sampled_from(PEOPLE)).key
        has = accounts.get(sender.key, ABSENT)
        fee = draw(st.integers(0, 9))
        amount = max(0, has.balance - fee + draw(st.sampled_from([0, 0, -1, -1, -20, -40, 1])))
        sequence = has.sequence + draw(st.sampled_from([0] * 20 + [-1, 1]))
        raws.append(sender.transfer(network.genesis_hash, max(0, sequence), recipient, amount, fee))
        accounts[sender.key] = SpecifiedAccount(has.balance - amount - fee, has.sequence + 1)
        paid = accounts.get(recipient, ABSENT)
        accounts[recipient] = SpecifiedAccount(paid.balance + amount, paid.sequence)
        fees += fee
    height = state.height + 1 + draw(st.sampled_from([0] * 20 + [-1, 1]))
    due = network.subsidy(state.height + 1) + fees + draw(st.sampled_from([0] * 6 + [-1, 1]))
    return wire.block(bytes(80), [wire.coinbase(height, draw(st.sampled_from(PEOPLE)).key, due), *raws])


@given(st.integers(0, 4), st.dictionaries(st.sampled_from([each.key for each in PEOPLE]), some_accounts), st.data())
def test_a_block_in_its_state(maturity: int, accounts: dict[bytes, SpecifiedAccount], data: st.DataObject) -> None:
    """Both report the same rule, or end with the same accounts."""
    network = replace(NETWORK, maturity=maturity, initial_subsidy=50, halving_interval=3)
    spec, specified = spec_of(network), read_network(network.toml())
    rewards = data.draw(st.lists(st.builds(SpecifiedReward, st.sampled_from([ALICE.key, BOB.key]), st.integers(0, 9))))
    before = State(accounts, tuple(rewards))
    raw = data.draw(blocks(network, before))
    matures = before.height + 1 - maturity
    matured = rewards[matures - 1] if 1 <= matures <= before.height else None
    held = Accounts({key: Account(each.balance, each.sequence) for key, each in accounts.items()})

    def connect() -> None:
        reward = None if matured is None else Reward(matured.recipient, matured.amount)
        held.write(connect_block(spec, decode_block(raw), before.height + 1, held, reward).changes)

    broken = named(connect)
    assert broken == code(lambda: apply_block(specified, before, specified_block(specified, raw)))
    if broken is None:
        after = apply_block(specified, before, specified_block(specified, raw)).accounts
        assert {key: astuple(each) for key, each in held.held.items()} == {
            key: (each.balance, each.sequence) for key, each in after.items()
        }


# --- networks


@given(networks(), st.text(max_size=40), st.dictionaries(st.binary(min_size=32, max_size=32), st.integers(0, 99)))
def test_the_genesis_of_any_network(network: Network, message: str, funds: dict[bytes, int]) -> None:
    network = replace(network, genesis_message=message, allocations=tuple(funds.items()))
    assert spec_of(network).genesis.raw == read_network(network.toml()).genesis
