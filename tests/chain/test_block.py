"""Blocks: round trips, framing, and malformed bodies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import DecodeError
from pychain.chain.block import decode_block, new_block
from pychain.chain.header import decode_header
from pychain.chain.transaction import decode_transaction
from tests.support import wire
from tests.support.memory import peak_of
from tests.support.strategies import headers, mutants, transactions

raw_headers = headers.map(lambda fields: fields.raw)
raw_transactions = transactions.map(lambda fields: fields.raw)
raw_blocks = st.builds(wire.block, raw_headers, st.lists(raw_transactions, max_size=6))


@given(raw_headers, st.lists(raw_transactions, max_size=6))
def test_round_trip(raw_header: bytes, raws: list[bytes]) -> None:
    raw = wire.block(raw_header, raws)
    block = decode_block(raw)
    assert block.raw == raw
    assert block.header == decode_header(raw_header)
    assert block.hash == wire.sha256d(raw_header)
    assert block.transactions == tuple(decode_transaction(transaction) for transaction in raws)
    assert block.txids == b"".join(wire.sha256d(transaction) for transaction in raws)
    assert new_block(block.header, block.transactions) == block


@given(mutants(raw_blocks) | st.binary(max_size=400))
def test_any_bytes_decode_to_themselves_or_not_at_all(data: bytes) -> None:
    try:
        block = decode_block(data)
    except DecodeError:
        return
    assert wire.block(block.header.raw, [transaction.raw for transaction in block.transactions]) == data


@given(raw_blocks, st.data())
def test_every_cut_is_refused(raw: bytes, data: st.DataObject) -> None:
    with pytest.raises(DecodeError):
        decode_block(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(raw_blocks, st.binary(min_size=1, max_size=200))
def test_trailing_bytes_are_refused(raw: bytes, extra: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_block(raw + extra)


@given(st.integers(1, 2**64 - 1), st.binary(max_size=2000))
def test_a_lying_count_allocates_nothing(count: int, rest: bytes) -> None:
    """A count is checked against the bytes after it, at the minimum of 78 bytes per transaction."""
    raw = bytes(80) + wire.compact_size(count) + rest

    def decode() -> None:
        if count > len(rest) // 78:
            with pytest.raises(DecodeError, match="cannot fit"):
                decode_block(raw)

    assert peak_of(decode) < 65_536


def test_memory_stays_in_proportion() -> None:
    """A block of a megabyte of the smallest transactions: objects cost, but a bounded factor."""
    raw = wire.block(bytes(80), [wire.coinbase(number, bytes(32), 0) for number in range(13_000)])
    assert peak_of(lambda: decode_block(raw)) < 12 * len(raw)
