"""The two ways to write a hash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import DecodeError
from pychain.chain.hashes import hash_hex, parse_hash_hex
from tests.support.strategies import bytes32


@given(bytes32)
def test_round_trip(digest: bytes) -> None:
    text = hash_hex(digest)
    assert text == digest[::-1].hex()
    assert parse_hash_hex(text) == parse_hash_hex(text.upper()) == digest


@pytest.mark.parametrize(
    "text",
    ["", "0" * 63, "0" * 65, "0x" + "0" * 62, "g" * 64, "0" * 62 + " 1", " " * 64, "00 " * 21 + "0", "\uff10" * 64],
)
def test_what_is_no_hash(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_hash_hex(text)


@given(st.text(alphabet="0123456789abcdefABCDEF \n\t", min_size=64, max_size=64))
def test_any_text_of_the_right_length(text: str) -> None:
    try:
        digest = parse_hash_hex(text)
    except DecodeError:
        assert set(text) & set(" \n\t")
    else:
        assert hash_hex(digest) == text.lower()
