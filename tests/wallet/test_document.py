"""Transfers as files: round trips, one chain only, and signatures are checked."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.codec import U64_MAX
from pychain.chain.spec import packaged_spec
from pychain.wallet.document import MAX_DOCUMENT_BYTES, Draft, decode_draft, encode_draft
from pychain.wallet.errors import WalletError
from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, replacement_fee, sign_transfer

SPEC = packaged_spec("dev")
ALICE, BOB = dev_key(0), dev_key(1)
DRAFT = Draft(ALICE.public_key, 7, Payment(BOB.public_key, 5, 6, b"memo"))


@given(
    sequence=st.integers(0, U64_MAX - 1),
    amount=st.integers(0, 2**63 - 1),
    fee=st.integers(0, 2**63 - 1),
    memo=st.binary(max_size=512),
)
def test_what_is_written_is_read(sequence: int, amount: int, fee: int, memo: bytes) -> None:
    draft = Draft(ALICE.public_key, sequence, Payment(BOB.public_key, amount, fee, memo))
    assert decode_draft(SPEC, encode_draft(SPEC, draft)) == draft
    signed = draft.signed(ALICE, SPEC.genesis_hash)
    again = decode_draft(SPEC, encode_draft(SPEC, signed))
    assert again == signed
    assert again.transfer(SPEC.genesis_hash) == sign_transfer(ALICE, SPEC.genesis_hash, sequence, draft.payment)


def test_a_draft_is_signed_by_its_own_key_alone() -> None:
    with pytest.raises(WalletError, match="not the key of the account"):
        DRAFT.signed(BOB, SPEC.genesis_hash)
    with pytest.raises(WalletError, match="not signed yet"):
        DRAFT.transfer(SPEC.genesis_hash)


def test_a_signature_for_another_chain_does_not_hold() -> None:
    signed = DRAFT.signed(ALICE, bytes(32))
    with pytest.raises(WalletError, match="is not valid"):
        signed.transfer(SPEC.genesis_hash)
    other = packaged_spec("test")
    with pytest.raises(WalletError, match=r"is for the chain of genesis \w{64}, not for 'test'"):
        decode_draft(other, encode_draft(SPEC, DRAFT))


@given(st.binary(max_size=200) | st.sampled_from([b"[" * 5000, b"{}", b" " * (MAX_DOCUMENT_BYTES + 1)]))
def test_garbage_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(WalletError, match="transfer file") as refused:
        decode_draft(SPEC, data)
    assert "\n" not in str(refused.value)


@given(value=st.integers(0, 255), data=st.data())
def test_a_changed_byte_changes_nothing_or_is_noticed(value: int, data: st.DataObject) -> None:
    signed = DRAFT.signed(ALICE, SPEC.genesis_hash)
    mutated = bytearray(encode_draft(SPEC, signed))
    mutated[data.draw(st.integers(0, len(mutated) - 1))] = value
    try:
        transfer = decode_draft(SPEC, bytes(mutated)).transfer(SPEC.genesis_hash)
    except WalletError:
        return
    assert transfer == signed.transfer(SPEC.genesis_hash)


def test_a_recipient_that_would_lose_the_coins_is_refused() -> None:
    spoilt = msgspec.json.decode(encode_draft(SPEC, DRAFT))
    spoilt["recipient"] = spoilt["sender"]
    decode_draft(SPEC, msgspec.json.encode(spoilt))
    from pychain.chain.address import encode_address

    spoilt["recipient"] = encode_address(SPEC.hrp, bytes(32))
    with pytest.raises(WalletError, match="no safe public key"):
        decode_draft(SPEC, msgspec.json.encode(spoilt))


@pytest.mark.parametrize(
    ("old", "rate", "wanted", "due"), [(0, 0, 0, 1), (1000, 1000, 0, 1155), (1000, 1000, 5000, 5000), (10, 0, 0, 11)]
)
def test_a_replacement_pays_for_its_own_relay(old: int, rate: int, wanted: int, due: int) -> None:
    assert replacement_fee(old, 155, rate, wanted) == due
