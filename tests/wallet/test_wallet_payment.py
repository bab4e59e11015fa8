"""Payments: signed transfers are valid by consensus, and payments that would be lost are refused before signing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain import native
from pychain.base.codec import U64_MAX
from pychain.base.errors import DecodeError
from pychain.base.units import COIN, format_coins, parse_coins
from pychain.chain.transaction import MAX_MEMO_BYTES, decode_transfer, signed_message
from pychain.consensus.semantic import check_bounds
from pychain.consensus.structure import parse_transfer
from pychain.wallet.errors import WalletError
from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, check_recipient, fee_for, sign_transfer

GENESIS = bytes(range(32))
ALICE, BOB = dev_key(0), dev_key(1)

SMALL_ORDER = [  # the canonical encodings of the eight points of order 1, 2, 4 and 8
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
NOT_CANONICAL = [  # y is p + 3 and p + 4: points, but not in their one canonical encoding
    "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]
NO_POINT = ["0200000000000000000000000000000000000000000000000000000000000000"]


@pytest.mark.parametrize("key", SMALL_ORDER + NOT_CANONICAL + NO_POINT)
def test_keys_that_anybody_or_nobody_could_spend_from_are_refused(key: str) -> None:
    with pytest.raises(WalletError, match="no safe public key"):
        Payment(bytes.fromhex(key), 1)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_recipient_has_32_bytes(length: int) -> None:
    with pytest.raises(WalletError, match=f"not {length}"):
        check_recipient(bytes(length))


@given(
    sequence=st.integers(0, U64_MAX - 1),
    amount=st.integers(0, 2**63),
    fee=st.integers(0, 2**63 - 1),
    memo=st.binary(max_size=MAX_MEMO_BYTES),
)
def test_a_signed_transfer_is_valid_and_says_what_was_asked(sequence: int, amount: int, fee: int, memo: bytes) -> None:
    payment = Payment(BOB.public_key, amount, fee, memo)
    transfer = sign_transfer(ALICE, GENESIS, sequence, payment)
    assert parse_transfer(transfer.raw) == transfer
    check_bounds(transfer)
    assert (transfer.sender, transfer.recipient) == (ALICE.public_key, BOB.public_key)
    assert (transfer.sequence, transfer.amount, transfer.fee, transfer.memo) == (sequence, amount, fee, memo)
    assert len(transfer.raw) == payment.size
    assert native.verify_strict(transfer.sender, signed_message(GENESIS, transfer), transfer.signature)


def test_a_signature_holds_on_its_own_chain_only() -> None:
    transfer = sign_transfer(ALICE, GENESIS, 0, Payment(BOB.public_key, 1))
    other = bytes(32)
    assert not native.verify_strict(transfer.sender, signed_message(other, transfer), transfer.signature)


@given(position=st.integers(0, 154 + 4 - 64), bit=st.integers(0, 7))
def test_no_byte_under_the_signature_can_change(position: int, bit: int) -> None:
    transfer = sign_transfer(ALICE, GENESIS, 7, Payment(BOB.public_key, 1, 2, b"memo"))
    raw = bytearray(transfer.raw)
    raw[position] ^= 1 << bit
    try:
        changed = decode_transfer(bytes(raw))
    except DecodeError:
        return  # the type or the memo's length was hit: it is no transfer any more
    assert not native.verify(changed.sender, signed_message(GENESIS, changed), changed.signature)


@pytest.mark.parametrize(
    ("amount", "fee", "memo", "line"),
    [
        (-1, 0, b"", "must not be negative"),
        (0, -1, b"", "must not be negative"),
        (U64_MAX, 1, b"", "more than an account"),
        (1, 0, bytes(MAX_MEMO_BYTES + 1), "513 bytes"),
    ],
)
def test_a_payment_out_of_bounds_is_refused_in_one_line(amount: int, fee: int, memo: bytes, line: str) -> None:
    with pytest.raises(WalletError, match=line) as caught:
        Payment(BOB.public_key, amount, fee, memo)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sequence", [-1, U64_MAX])
def test_a_sequence_that_is_never_valid_is_refused(sequence: int) -> None:
    with pytest.raises(WalletError, match="sequence"):
        sign_transfer(ALICE, GENESIS, sequence, Payment(BOB.public_key, 1))


@given(size=st.integers(1, 10_000), rate=st.integers(0, 10**9))
def test_the_fee_pays_the_rate_and_one_unit_less_would_not(size: int, rate: int) -> None:
    fee = fee_for(size, rate)
    assert fee * 1000 >= size * rate
    assert fee == 0 or (fee - 1) * 1000 < size * rate


@given(amount=st.integers(0, U64_MAX))
def test_an_amount_reads_back_as_it_is_written(amount: int) -> None:
    assert parse_coins(format_coins(amount)) == amount


@pytest.mark.parametrize(("text", "amount"), [("1.5", 150_000_000), (".5", COIN // 2), ("0", 0), ("21", 21 * COIN)])
def test_amounts_as_people_write_them(text: str, amount: int) -> None:
    assert parse_coins(text) == amount


@pytest.mark.parametrize(
    "text", ["", ".", "1.", "-1", "+1", "1e3", "0x10", "1.123456789", "\u0661", "nan", "1,5", "1 000", "9" * 5000]
)
def test_anything_else_is_no_amount(text: str) -> None:
    with pytest.raises(DecodeError, match="not an amount"):
        parse_coins(text)
