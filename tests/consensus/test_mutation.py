"""Arbitrary bytes from the wire give a RuleError with the right blame, and use bounded memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pychain.chain.header import decode_header
from pychain.consensus.rules import Blame, Level, Rule
from pychain.consensus.semantic import check_proof_of_work, verify_block
from pychain.consensus.structure import parse_block, parse_transfer
from tests.support import wire
from tests.support.builder import spec_of
from tests.support.forge import forge, genesis
from tests.support.keys import signer
from tests.support.memory import peak_of
from tests.support.network import Network
from tests.support.refusals import broken_rule
from tests.support.strategies import HeaderFields, headers, mutants
from tests.support.transfers import check_transfer

ALICE, BOB = signer("alice"), signer("bob")
NETWORK = Network(max_block_bytes=3000, allocations=((ALICE.key, 1000),))
SPEC = spec_of(NETWORK)
PAYS = [ALICE.transfer(NETWORK.genesis_hash, sequence, BOB.key, 1, 1, bytes(sequence)) for sequence in range(4)]
GOOD = forge(NETWORK, "good", genesis(NETWORK), PAYS)


def test_the_original_is_good() -> None:
    block = verify_block(SPEC, GOOD.raw)
    assert block.raw == GOOD.raw
    assert [parse_transfer(pay) for pay in PAYS] == list(block.transactions[1:])


@given(mutants(st.just(GOOD.raw)) | st.binary(max_size=400))
def test_mutated_block(data: bytes) -> None:
    """A mutation that still passes differs only in free fields of the header, and has its own proof of work."""
    rule = broken_rule(lambda: verify_block(SPEC, data))
    if rule is None:
        assert data[36:68] + data[80:] == GOOD.raw[36:68] + GOOD.raw[80:]
        assert wire.meets(data[:80], wire.target_of(int.from_bytes(data[72:76], "little")))
    else:
        assert rule.level in (Level.STRUCTURE, Level.SEMANTIC)


@given(mutants(st.just(GOOD.raw[80:])) | st.binary(max_size=400))
def test_no_other_body_condemns_a_block(body: bytes) -> None:
    """With a valid header, any bytes other than the true body are only the sender's fault: otherwise the first peer to
    send garbage could make a valid block permanently invalid.
    """
    rule = broken_rule(lambda: verify_block(SPEC, GOOD.header + body))
    if body == GOOD.raw[80:]:
        assert rule is None
    else:
        assert rule is not None
        assert rule.blame is Blame.BODY


@given(st.lists(st.sampled_from(GOOD.transactions), max_size=8))
def test_no_other_arrangement_condemns_a_block(transactions: list[bytes]) -> None:
    rule = broken_rule(lambda: verify_block(SPEC, GOOD.with_body(transactions)))
    if tuple(transactions) == GOOD.transactions:
        assert rule is None
    else:
        assert rule in (Rule.MERKLE_ROOT, Rule.MERKLE_MUTATION, Rule.BLOCK_LENGTH)


@given(mutants(st.sampled_from(PAYS)) | st.binary(max_size=300))
def test_mutated_transfer(data: bytes) -> None:
    """A single transfer: malformed, out of bounds, not signed, or one of the originals."""

    rule = broken_rule(lambda: check_transfer(SPEC, data))
    if data in PAYS:
        assert rule is None
    else:
        assert rule is not None
        assert rule.level in (Level.STRUCTURE, Level.SEMANTIC)


@given(headers)
def test_any_header_proves_work_or_not(fields: HeaderFields) -> None:
    header = decode_header(fields.raw)
    size, digits, sign = fields.bits >> 24, fields.bits & 0x7FFFFF, fields.bits & 0x800000
    target = digits * 256**size // 256**3
    if sign or not 0 < target <= NETWORK.pow_limit:
        expected: Rule | None = Rule.BITS_ENCODING
    elif int.from_bytes(wire.sha256d(fields.raw), "little") > target:
        expected = Rule.HIGH_HASH
    else:
        expected = None
    assert broken_rule(lambda: check_proof_of_work(SPEC, header)) is expected


def test_an_oversize_block_is_not_even_looked_at() -> None:
    raw = GOOD.raw + bytes(8_000_000)
    assert peak_of(lambda: broken_rule(lambda: parse_block(SPEC, raw))) < 65_536
    assert broken_rule(lambda: parse_block(SPEC, raw)) is Rule.BLOCK_LENGTH


@given(st.integers(1, 2**64 - 1))
def test_a_lying_count_costs_nothing(count: int) -> None:
    raw = GOOD.header + wire.compact_size(count) + bytes(77)
    assert peak_of(lambda: broken_rule(lambda: parse_block(SPEC, raw))) < 65_536
    assert broken_rule(lambda: parse_block(SPEC, raw)) is Rule.BLOCK_ENCODING
