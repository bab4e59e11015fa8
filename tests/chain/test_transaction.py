"""Transfers and coinbases: round trips, ids, and malformed bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import DecodeError
from pychain.chain.transaction import (
    MAX_EXTRA_BYTES,
    MIN_EXTRA_BYTES,
    MIN_TRANSACTION_BYTES,
    Coinbase,
    Transfer,
    decode_transaction,
    decode_transfer,
    new_coinbase,
    new_transfer,
    recipient_of,
    signed_message,
    signing_message,
    transaction_end,
    transfer_body,
)
from tests.support import wire
from tests.support.memory import peak_of
from tests.support.strategies import (
    CoinbaseFields,
    TransferFields,
    bytes32,
    coinbases,
    mutants,
    transactions,
    transfers,
)


@given(transfers)
def test_transfer_round_trip(fields: TransferFields) -> None:
    transfer = decode_transaction(fields.raw)
    assert isinstance(transfer, Transfer)
    values = (fields.sender, fields.sequence, fields.amount, fields.fee)
    assert transfer == Transfer(fields.raw, wire.sha256d(fields.raw), *values)
    assert (transfer.recipient, transfer.memo, transfer.signature) == (fields.recipient, fields.memo, fields.signature)
    assert decode_transaction(fields.raw, b"known").txid == b"known"
    body = transfer_body(fields.sender, fields.sequence, fields.recipient, fields.amount, fields.fee, fields.memo)
    assert body == fields.body
    assert new_transfer(body, fields.signature) == decode_transfer(fields.raw) == transfer


@given(mutants(transactions.map(lambda fields: fields.raw)) | st.binary(max_size=400))
def test_the_recipient_is_known_before_all_else(data: bytes) -> None:
    try:
        transaction = decode_transaction(data)
    except DecodeError:
        assert recipient_of(data) is None or data[0] == 1
    else:
        assert recipient_of(data) == (transaction.recipient if isinstance(transaction, Transfer) else None)


@given(coinbases)
def test_coinbase_round_trip(fields: CoinbaseFields) -> None:
    coinbase = decode_transaction(fields.raw)
    values = (fields.height, fields.recipient, fields.amount, fields.extra)
    assert coinbase == Coinbase(fields.raw, wire.sha256d(fields.raw), *values)
    assert new_coinbase(*values) == coinbase
    with pytest.raises(DecodeError, match="not a coinbase"):
        decode_transfer(fields.raw)


@given(bytes32, transfers)
def test_what_a_signature_covers(genesis_hash: bytes, fields: TransferFields) -> None:
    message = wire.signing_message(genesis_hash, fields.body)
    transfer = decode_transaction(fields.raw)
    assert isinstance(transfer, Transfer)
    assert signed_message(genesis_hash, transfer) == signing_message(genesis_hash, fields.body) == message


@given(transactions.map(lambda fields: fields.raw), st.binary(max_size=300), st.integers(0, 80))
def test_end_is_found_inside_other_bytes(raw: bytes, after: bytes, before: int) -> None:
    assert transaction_end(bytes(before) + raw + after, before) == before + len(raw)


@given(transactions.map(lambda fields: fields.raw), st.data())
def test_every_cut_is_refused(raw: bytes, data: st.DataObject) -> None:
    with pytest.raises(DecodeError):
        decode_transaction(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(transactions.map(lambda fields: fields.raw), st.binary(min_size=1, max_size=100))
def test_trailing_bytes_are_refused(raw: bytes, extra: bytes) -> None:
    with pytest.raises(DecodeError, match="trailing bytes"):
        decode_transaction(raw + extra)


@given(mutants(transactions.map(lambda fields: fields.raw)) | st.binary(max_size=400))
def test_any_bytes_decode_to_themselves_or_not_at_all(data: bytes) -> None:
    try:
        transaction = decode_transaction(data)
    except DecodeError:
        return
    assert transaction.raw == data
    if isinstance(transaction, Coinbase):
        again = wire.coinbase(transaction.height, transaction.recipient, transaction.amount, transaction.extra)
    else:
        fields = (transaction.sender, transaction.sequence, transaction.recipient, transaction.amount, transaction.fee)
        again = wire.transfer_body(*fields, transaction.memo) + transaction.signature
    assert again == data


@pytest.mark.parametrize("kind", [2, 3, 127, 255])
def test_unknown_types(kind: int) -> None:
    with pytest.raises(DecodeError, match=f"transaction type {kind} is unknown"):
        decode_transaction(bytes([kind]) + bytes(300))


def test_a_lying_length_allocates_nothing() -> None:
    lying = wire.transfer_body(bytes(32), 0, bytes(32), 0, 0)[:-2] + b"\xff\xff" + bytes(64)

    def decode() -> None:
        with pytest.raises(DecodeError):
            decode_transaction(lying)

    assert peak_of(decode) < 65_536


def test_no_transaction_has_the_size_of_an_inner_node() -> None:
    """CVE-2017-12842: 64 bytes must never pass as a transaction of a block."""
    assert MIN_TRANSACTION_BYTES == 46 + MIN_EXTRA_BYTES == 78 > 64
    assert 46 + MAX_EXTRA_BYTES == 146


@pytest.mark.parametrize("size", [0, 31, 33])
def test_keys_of_the_wrong_length_are_a_bug(size: int) -> None:
    with pytest.raises(AssertionError):
        transfer_body(bytes(size), 0, bytes(32), 0, 0, b"")
    with pytest.raises(AssertionError):
        transfer_body(bytes(32), 0, bytes(size), 0, 0, b"")
    with pytest.raises(AssertionError):
        new_coinbase(1, bytes(size), 0, bytes(32))
