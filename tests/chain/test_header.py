"""Headers: Bitcoin's own, round trips, and bytes of the wrong length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import DecodeError
from pychain.chain.hashes import hash_hex
from pychain.chain.header import HEADER_BYTES, Header, decode_header, decode_headers, new_header
from pychain.chain.target import target_from_bits
from tests.chain.bitcoin import HEADERS, KnownHeader
from tests.support import wire
from tests.support.strategies import HeaderFields, headers


@pytest.mark.parametrize("known", HEADERS, ids=lambda known: str(known.height))
def test_bitcoin_header(known: KnownHeader) -> None:
    header = decode_header(bytes.fromhex(known.raw))
    assert hash_hex(header.hash) == known.hash
    assert int.from_bytes(header.hash, "little") <= target_from_bits(header.bits)


def test_fields_of_the_bitcoin_genesis() -> None:
    genesis, first = (decode_header(bytes.fromhex(known.raw)) for known in HEADERS[:2])
    assert (genesis.version, genesis.time, genesis.bits, genesis.nonce) == (1, 1231006505, 0x1D00FFFF, 2083236893)
    assert genesis.prev_hash == bytes(32)
    assert hash_hex(genesis.merkle_root) == "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
    assert first.prev_hash == genesis.hash


@given(headers)
def test_round_trip(fields: HeaderFields) -> None:
    header = decode_header(fields.raw)
    values = (fields.version, fields.prev_hash, fields.merkle_root, fields.time, fields.bits, fields.nonce)
    assert header == Header(fields.raw, wire.sha256d(fields.raw), *values)
    assert new_header(*values) == header


@given(st.lists(headers, max_size=5))
def test_many_at_once(many: list[HeaderFields]) -> None:
    raws = [fields.raw for fields in many]
    assert decode_headers(raws) == [decode_header(raw) for raw in raws]


@given(st.binary(max_size=200).filter(lambda data: len(data) != HEADER_BYTES))
def test_wrong_length(data: bytes) -> None:
    with pytest.raises(DecodeError, match="a header has 80 bytes"):
        decode_header(data)
    with pytest.raises(DecodeError, match="a header has 80 bytes"):
        decode_headers([bytes(80), data])


@pytest.mark.parametrize(("prev", "root"), [(31, 32), (33, 32), (32, 0), (32, 64)])
def test_hashes_of_the_wrong_length_are_a_bug(prev: int, root: int) -> None:
    with pytest.raises(AssertionError):
        new_header(1, bytes(prev), bytes(root), 0, 0, 0)
