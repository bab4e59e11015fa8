"""Derived keys: all of SLIP-0010's Ed25519 vectors, and the wallet's own paths."""

from __future__ import annotations

import pytest

from pychain.wallet.derivation import COIN_TYPE, account_key, account_path, derive, master_key, parse_path
from pychain.wallet.errors import WalletError
from pychain.wallet.mnemonic import seed_of
from tests.wallet.vectors import BIP39, SLIP10

CASES = [(seed, *row) for seed, rows in SLIP10.items() for row in rows]


@pytest.mark.parametrize(("seed", "path", "chain_code", "private", "public"), CASES)
def test_slip_0010(seed: str, path: str, chain_code: str, private: str, public: str) -> None:
    key = derive(bytes.fromhex(seed), path)
    assert key.chain_code.hex() == chain_code
    assert key.seed.hex() == private
    assert key.private_key.public_key.hex() == public


def test_the_vectors_are_all_there() -> None:
    assert len(CASES) == 12


def test_accounts_are_where_the_documentation_says() -> None:
    assert COIN_TYPE == 7371107
    assert account_path(3) == "m/44'/7371107'/3'"
    seed = seed_of(BIP39[0][1])
    keys = [account_key(seed, index).public_key for index in range(4)]
    assert keys == [derive(seed, f"m/44'/7371107'/{index}'").private_key.public_key for index in range(4)]
    assert len(set(keys)) == 4


@pytest.mark.parametrize(
    "path",
    [
        "",
        "44'/0'",
        "m/",
        "m/44",
        "m/44'/",
        "m/-1'",
        "m/01'",
        "m/2147483648'",
        "m/4H",
        "m/ 4'",
        "M/4'",
        "m/\u0664'",
        "m/1'\n",
    ],
)
def test_what_is_no_hardened_path_is_refused(path: str) -> None:
    with pytest.raises(WalletError, match="derivation path"):
        parse_path(path)


def test_a_path_without_end_is_refused() -> None:
    assert len(parse_path("m" + "/0'" * 255)) == 255
    with pytest.raises(WalletError, match="at most 255 steps"):
        parse_path("m" + "/0'" * 256)


@pytest.mark.parametrize("index", [-1, 2**31])
def test_an_index_out_of_range_is_refused(index: int) -> None:
    with pytest.raises(WalletError, match="0 to 2147483647"):
        master_key(bytes(64)).child(index)


def test_no_text_form_shows_a_secret() -> None:
    key = master_key(bytes(64))
    for text in (repr(key), str(key), f"{key}", repr(key.private_key)):
        assert key.seed.hex() not in text
        assert key.chain_code.hex() not in text
