"""Addresses against BIP 350's vectors for the checksum, and the project's own layout over it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import DecodeError
from pychain.chain.address import bech32m_decode, bech32m_encode, decode_address, encode_address
from tests.support.strategies import bytes32

VALID = [
    "A1LQFN3A",
    "a1lqfn3a",
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
    "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
    "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
    "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
    "?1v759aa",
]
INVALID = {
    "\x201xj0phk": "printable",
    "\x7f1g6xzxy": "printable",
    "\x801vctc34": "printable",
    "an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4": "at most 90",
    "qyrz8wqd2c9m": "prefix, the digit 1",
    "1qyrz8wqd2c9m": "prefix, the digit 1",
    "y1b0jsk6g": "does not use",
    "lt1igcx5c0": "does not use",
    "in1muywd": "at least six more",
    "mm1crxm3i": "does not use",
    "au1s5cgom": "does not use",
    "M1VUXWEZ": "mistyped",  # checksum calculated with the upper-case prefix
    "16plkw9": "prefix, the digit 1",
    "1p2gdwpf": "prefix, the digit 1",
}
SEGWIT_VALID = {
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y": (
        "751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6"
    ),
    "BC1SW50QGDZ25J": "751e",
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs": "751e76e8199196d454941c45d1b3a323",
    "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c": (
        "000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"
    ),
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0": (
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    ),
}
"""BIP 350's valid segwit addresses of versions 1 to 16, and their witness programs."""
SEGWIT_NOT_BECH32M = {
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4": "mistyped",  # valid, of version 0: the older checksum
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7": "mistyped",
    "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy": "mistyped",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd": "mistyped",
    "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf": "mistyped",
    "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL": "mistyped",
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4": "does not use",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq": "not mixed",
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P": "mistyped",
    "bc1gmk9yu": "mistyped",
}
"""Segwit addresses of BIP 350's lists whose text is no bech32m."""
SEGWIT_INVALID = {
    "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut": "of network prefix 'tc'",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh": "holds 20 bytes",
    "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47": None,  # wrong for its version alone
    "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R": None,
    "bc1pw5dgrnzv": "holds 1 byte",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav": "holds 41 bytes",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf": "padding",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j": "padding",
}
"""BIP 350's invalid segwit addresses whose checksum is that of bech32m, and what is wrong with their data if it is
taken for ours: without the version symbol, in the network of its own prefix (but for the first)."""
CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
hrps = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=16)


@pytest.mark.parametrize("text", VALID)
def test_bip_350_valid(text: str) -> None:
    prefix, symbols = bech32m_decode(text)
    assert bech32m_encode(prefix, symbols) == text.lower()


@pytest.mark.parametrize("text", INVALID)
def test_bip_350_invalid(text: str) -> None:
    with pytest.raises(DecodeError, match=INVALID[text]) as refused:
        bech32m_decode(text)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("text", SEGWIT_VALID)
def test_bip_350_valid_segwit_addresses(text: str) -> None:
    """After the version symbol, which our addresses lack, the data are regrouped as in ours."""
    prefix, symbols = bech32m_decode(text)
    assert bech32m_encode(prefix, symbols) == text.lower()
    program = bytes.fromhex(SEGWIT_VALID[text])
    ours = bech32m_encode(prefix, symbols[1:])
    if len(program) == 32:
        assert decode_address(prefix, ours) == program
        assert encode_address(prefix, program) == ours
    else:
        with pytest.raises(DecodeError, match=f"holds {len(program)} bytes"):
            decode_address(prefix, ours)


@pytest.mark.parametrize("text", SEGWIT_NOT_BECH32M)
def test_bip_350_segwit_addresses_that_are_no_bech32m(text: str) -> None:
    with pytest.raises(DecodeError, match=SEGWIT_NOT_BECH32M[text]):
        bech32m_decode(text)


@pytest.mark.parametrize("text", SEGWIT_INVALID)
def test_bip_350_invalid_segwit_addresses(text: str) -> None:
    """Their checksum is valid, their data are wrong; ours refuse the same data unless only the version is wrong."""
    prefix, symbols = bech32m_decode(text)
    ours = bech32m_encode(prefix, symbols[1:])
    network = "bc" if prefix == "tc" else prefix
    line = SEGWIT_INVALID[text]
    if line is None:
        assert len(decode_address(network, ours)) == 32
        return
    with pytest.raises(DecodeError, match=line):
        decode_address(network, ours)


def test_bech32_of_bip_173_is_refused() -> None:
    """The older checksum of the same form."""
    with pytest.raises(DecodeError, match="mistyped"):
        bech32m_decode("a12uel5l")


def test_layout_of_a_published_address() -> None:
    """BIP 350's segwit address bc1p0xlx...: after its version symbol it has the same 32 bytes as ours."""
    key = bytes.fromhex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    _, theirs = bech32m_decode("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0")
    _, ours = bech32m_decode(encode_address("bc", key))
    assert ours == theirs[1:]


@given(hrps, bytes32)
def test_round_trip(hrp: str, key: bytes) -> None:
    address = encode_address(hrp, key)
    assert len(address) == len(hrp) + 1 + 52 + 6
    assert decode_address(hrp, address) == decode_address(hrp, address.upper()) == key


@given(hrps, bytes32, st.data())
def test_up_to_four_substitutions_are_always_noticed(hrp: str, key: bytes, data: st.DataObject) -> None:
    """BIP 173's guarantee, within the 89 symbols for which the code was chosen."""
    address = list(encode_address(hrp, key))
    first = len(hrp) + 1
    for place in data.draw(st.lists(st.integers(first, len(address) - 1), min_size=1, max_size=4, unique=True)):
        address[place] = data.draw(st.sampled_from([c for c in CHARSET if c != address[place]]))
    with pytest.raises(DecodeError, match="mistyped"):
        decode_address(hrp, "".join(address))


def test_an_address_of_another_network() -> None:
    address = encode_address("tpyc", bytes(32))
    with pytest.raises(DecodeError, match="of network prefix 'tpyc', this network has 'pyc'"):
        decode_address("pyc", address)


@pytest.mark.parametrize(
    ("symbols", "line"),
    [
        ([], "holds 0 bytes"),
        ([0] * 50, "holds 31 bytes"),  # 250 bits: 31 bytes and 2 bits
        ([0] * 51, "padding"),  # 7 bits more than 31 bytes
        ([0] * 51 + [1], "padding"),  # 32 bytes, and 4 bits that are not zero
        ([0] * 51 + [8], "padding"),
        ([0] * 53, "holds 33 bytes"),
        ([0] * 54, "padding"),
    ],
)
def test_other_amounts_of_data(symbols: list[int], line: str) -> None:
    with pytest.raises(DecodeError, match=line):
        decode_address("pyc", bech32m_encode("pyc", symbols))


@given(st.text(max_size=100) | st.text(alphabet=CHARSET + "1", max_size=95))
def test_any_text(text: str) -> None:
    try:
        key = decode_address("pyc", text)
    except DecodeError:
        return
    assert encode_address("pyc", key) == text.lower()
