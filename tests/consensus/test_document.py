"""docs/consensus.md against the code: its examples, tables and program are recomputed here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pychain import native
from pychain.base.errors import DecodeError
from pychain.base.units import COIN
from pychain.chain.address import encode_address
from pychain.chain.block import decode_block
from pychain.chain.hashes import hash_hex
from pychain.chain.header import decode_header
from pychain.chain.spec import _SpecFile, packaged_spec
from pychain.chain.target import bits_from_target, target_from_bits, work_from_bits
from pychain.chain.transaction import Coinbase, Transfer, decode_transaction
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.rules import Rule
from pychain.consensus.semantic import verify_block
from pychain.consensus.state import connect_block, genesis_accounts
from pychain.consensus.subsidy import subsidy
from tests.consensus.document_examples import BLOCK, DEV, HEX_EXAMPLES, MESSAGE, MINER, SENDER, TRANSFER
from tests.specification.hashing import merkle_levels
from tests.support import wire
from tests.support.accounts import Accounts
from tests.support.branches import SparseBranch, bare_header
from tests.support.builder import spec_of
from tests.support.document import Document
from tests.support.driver import ACCEPTED
from tests.support.network import Network
from tests.support.reference_chain import ReferenceChain

DOCUMENT = Document("consensus.md")
PACKAGED = ("main", "test", "race", "dev")


def integer(text: str) -> int:
    return int(text.replace(",", ""), 0)


# --- examples


@pytest.mark.parametrize("title", HEX_EXAMPLES)
def test_hex_examples(title: str) -> None:
    assert DOCUMENT.hex_bytes(title) == HEX_EXAMPLES[title]


@pytest.mark.parametrize("title", HEX_EXAMPLES)
def test_hashes_beside_the_examples(title: str) -> None:
    """A header and a transaction with its hash, a block with its merkle root, in display order."""
    data = HEX_EXAMPLES[title]
    shown = data[36:68] if title == "Block" else wire.sha256d(data)
    assert f"`{hash_hex(shown)}`" in DOCUMENT.section(title)


@pytest.mark.parametrize(
    ("title", "record"),
    [
        ("Header", decode_header(DOCUMENT.hex_bytes("Header"))),
        ("Transfer", decode_transaction(DOCUMENT.hex_bytes("Transfer"))),
        ("Coinbase", decode_transaction(DOCUMENT.hex_bytes("Coinbase"))),
    ],
    ids=["header", "transfer", "coinbase"],
)
def test_comments_name_fields_and_values(title: str, record: object) -> None:
    """They follow the section's field table; a comment gives the value where that is a number or a text."""
    lines = DOCUMENT.hex_lines(title)
    names = [comment.partition(":")[0] for _, comment in lines]
    assert names == [row[0] for row in DOCUMENT.rows(title, "field", "type")]
    for (data, comment), name in zip(lines, names, strict=True):
        told = comment.partition(": ")[2]
        if told.startswith('"'):
            assert told == f'"{data.decode()}"'
        elif told:
            assert integer(told) == int.from_bytes(data, "little")
        if hasattr(record, name):
            assert getattr(record, name) in (data, int.from_bytes(data, "little"))


def test_the_example_block_is_valid() -> None:
    """It is what block 1 of `dev` may be: signatures, work, balances and all."""
    block = verify_block(DEV, BLOCK)
    connection = connect_block(DEV, block, 1, Accounts(genesis_accounts(DEV)), None)
    assert connection.changes[SENDER.key].sequence == 1
    assert DOCUMENT.hex_bytes("Block") == decode_block(BLOCK).raw


def test_what_the_signature_covers() -> None:
    section = DOCUMENT.section("Signatures")
    assert f"it has {len(MESSAGE)} bytes" in section
    assert f"`{DEV.genesis_hash.hex()}`" in section
    assert f"`{SENDER.seed.hex()}`" in section
    assert native.verify_strict(SENDER.key, MESSAGE, TRANSFER[-64:])


def test_table_of_targets() -> None:
    for bits, target, work in DOCUMENT.rows("Target and work", "bits", "target"):
        if work:
            assert f"{target_from_bits(integer(bits)):064x}" == target
            assert bits_from_target(int(target, 16)) == integer(bits)
            assert work_from_bits(integer(bits)) == integer(work)
        else:
            with pytest.raises(DecodeError, match=target):
                target_from_bits(integer(bits))


def test_table_of_merkle_nodes() -> None:
    leaves = [wire.sha256d(letter) for letter in (b"a", b"b", b"c")]
    levels = merkle_levels(leaves)
    shown = [bytes.fromhex(value) for _, value in DOCUMENT.rows("Merkle root", "node")]
    assert shown == [*levels[0], *levels[1], *levels[2]]
    assert native.merkle_root_checked(b"".join(leaves)) == (shown[-1], False)
    assert native.merkle_root_checked(b"".join([*leaves, leaves[-1]])) == (shown[-1], True)


def test_table_of_subsidies() -> None:
    rows = DOCUMENT.rows("Subsidy", "height on `main`")
    assert len(rows) > 3
    for height, amount in rows:
        assert subsidy(packaged_spec("main"), integer(height)) == integer(amount)


def test_table_of_next_bits() -> None:
    """Each row states spacing, window or half-life, bits, and the times of some blocks."""
    rows = DOCUMENT.rows("Difficulty", "rule")
    assert [rule for rule, _, _ in rows] == ["asert", "bitcoin", "lwma"]
    for rule, story, expected in rows:
        known = {name: int(value) for name, value in re.findall(r"(spacing|half-life|window) (\d+)", story)}
        bits = integer(re.findall(r"0x[0-9a-f]{8}", story)[0])
        first = int(re.findall(r"times of blocks (\d)", story)[0])
        times = [int(time) for time in story.rpartition(": ")[2].split(", ")]
        network = Network(
            retarget=rule,
            retarget_params={"window": known["window"]} if "window" in known else {},
            spacing_s=known["spacing"],
            half_life_s=known.get("half-life", 1),
            max_future_s=1,
            genesis_bits=bits,
        )
        branch = SparseBranch({height: bare_header(time, bits) for height, time in enumerate(times, first)})
        assert f"0x{Rulebook(spec_of(network)).next_bits(branch):08x}" == expected


def test_table_of_addresses() -> None:
    for prefix, key, address in DOCUMENT.rows("Addresses", "prefix", "key"):
        assert encode_address(prefix, bytes.fromhex(key)) == address


# --- chain specs and genesis


def test_table_of_spec_fields() -> None:
    """The fields of a file, except those that are not committed according to the text."""
    fields = {row[0] for row in DOCUMENT.rows("Chain spec", "field", "range")}
    assert fields | {"name", "node"} == set(_SpecFile.__struct_fields__)
    node = next(field.type for field in msgspec.structs.fields(_SpecFile) if field.name == "node")
    for name in node.__struct_fields__:
        assert f"`{name}`" in DOCUMENT.section("Chain spec")


def test_canonical_text_of_main() -> None:
    canonical = DOCUMENT.block("Chain spec", "json").strip().encode()
    assert canonical == packaged_spec("main").canonical()
    assert f"`{wire.sha256d(canonical).hex()}`" in DOCUMENT.section("Chain spec")


def test_genesis_of_main() -> None:
    assert DOCUMENT.hex_bytes("Genesis") == packaged_spec("main").genesis.raw


def test_table_of_genesis_hashes() -> None:
    rows = DOCUMENT.rows("Genesis", "network", "genesis hash")
    assert rows == [[name, hash_hex(packaged_spec(name).genesis_hash)] for name in PACKAGED]


def test_table_of_networks() -> None:
    specs = [packaged_spec(name) for name in PACKAGED]
    assert DOCUMENT.rows("Genesis", "network", "prefix") == [
        [
            spec.name,
            spec.hrp,
            *(str(value) for value in (spec.spacing_s, spec.half_life_s, spec.max_future_s)),
            spec.retarget,
            f"0x{spec.genesis_bits:08x}",
            str(spec.maturity),
            str(spec.max_block_bytes),
        ]
        for spec in specs
    ]
    assert {(s.initial_subsidy, s.halving_interval, s.fork_choice) for s in specs} == {
        (5 * 10**9, 2_100_000, "most-work")
    }
    assert [amount for _, amount in specs[-1].allocations] == [1_000_000 * COIN] * 10


# --- rules


def test_table_of_rules() -> None:
    rows = DOCUMENT.rows("Rules", "code", "level")
    assert rows == [[rule.code, rule.level.value, rule.blame.value, rule.meaning] for rule in Rule]


# --- the program


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(compile(DOCUMENT.block("A decoder and a miner", "python"), "docs/consensus.md", "exec"), namespace)
    return namespace


def test_the_decoder_reads_the_example(program: dict[str, Any]) -> None:
    read: Callable[[bytes], tuple[dict[str, Any], list[dict[str, Any]]]] = program["read_block"]
    header, transactions = read(BLOCK)
    block = decode_block(BLOCK)
    assert all(getattr(block.header, name) == value for name, value in header.items())
    coinbase, transfer = block.transactions
    assert isinstance(coinbase, Coinbase)
    assert isinstance(transfer, Transfer)
    for decoded, known in zip(transactions, (coinbase, transfer), strict=True):
        fields = set(known.__struct_fields__) - {"raw"}
        assert {name: decoded[name] for name in fields} == {name: getattr(known, name) for name in fields}
    with pytest.raises(ValueError, match="does not end"):
        read(BLOCK + b"\0")
    with pytest.raises(ValueError, match="transaction type 2"):
        read(BLOCK[:81] + b"\x02" + BLOCK[82:])


def test_the_decoder_reads_long_counts(program: dict[str, Any]) -> None:
    raw = wire.block(bytes(80), [wire.coinbase(number, bytes(32), 0) for number in range(300)])
    _, transactions = program["read_block"](raw)
    assert [transaction["height"] for transaction in transactions] == list(range(300))


def test_the_miner_mines_what_a_chain_accepts(program: dict[str, Any]) -> None:
    network = Network(maturity=0, allocations=((SENDER.key, 1000),))
    chain = ReferenceChain(network.toml(), network.genesis_time + 1000)
    time = network.genesis_time + 10
    pay = SENDER.transfer(network.genesis_hash, 0, MINER.key, 5, 7)
    first = program["mine"](network.genesis_hash, 1, time, network.genesis_bits, MINER.key, 5_000_000_007, [pay])
    assert chain.submit(first) == ACCEPTED
    second = program["mine"](wire.sha256d(first[:80]), 2, time + 1, network.genesis_bits, MINER.key, 5_000_000_000)
    assert chain.submit(second) == ACCEPTED
    assert chain.account(MINER.key) == (10_000_000_012, 0)
