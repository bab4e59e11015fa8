"""The wallet file: only the password opens it, and anything else is refused in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from pychain.keystore import (
    COSTS,
    AccountName,
    KdfCost,
    KeystoreError,
    SealedWallet,
    WrongPasswordError,
    wallet_of,
)
from pychain.keystore.accounts import MAX_ACCOUNTS, OpenWallet
from pychain.keystore.format import MAX_FILE_BYTES, decode, encode
from pychain.keystore.kdf import MAX_MEMORY, MAX_OPERATIONS
from pychain.keystore.sealed import Box, seal
from pychain.wallet.derivation import account_key
from pychain.wallet.keys import PrivateKey, dev_key
from pychain.wallet.mnemonic import seed_of
from tests.wallet.vectors import BIP39

CHEAP = KdfCost(argon2id.OPSLIMIT_MIN, argon2id.MEMLIMIT_MIN)
"""libsodium's least cost: the tests are about the format."""
PASSWORD = "correct horse"
WORDS = BIP39[0][1]
OPEN = (
    wallet_of(WORDS, "TREZOR", ["main", "savings"])
    .with_imported("from elsewhere", dev_key(0))
    .with_watched("cold", dev_key(1).public_key)
)
WALLET = seal(OPEN, PASSWORD, CHEAP)
FILE = encode(WALLET)
VERSION_1 = Path(__file__).with_name("version1.json").read_bytes()
"""A file as the first version of the program wrote it: dev keys 0 and 1 as `main` and `savings`, the same password."""


def parts() -> Any:
    """The file as JSON, to be spoilt."""
    return msgspec.json.decode(FILE)


def seeds(wallet: OpenWallet) -> dict[str, bytes]:
    return {label: key.seed for label, key in wallet.keys().items()}


def imported(keys: dict[str, PrivateKey]) -> OpenWallet:
    wallet = OpenWallet()
    for label, key in keys.items():
        wallet = wallet.with_imported(label, key)
    return wallet


labels = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=64)


@given(
    keys=st.dictionaries(labels, st.binary(min_size=32, max_size=32), min_size=1, max_size=4).filter(
        lambda keys: len(set(keys.values())) == len(keys)
    ),
    password=st.text(min_size=1, max_size=40),
)
def test_what_is_sealed_comes_back_from_the_file(keys: dict[str, bytes], password: str) -> None:
    wallet = imported({label: PrivateKey(seed) for label, seed in keys.items()})
    again = decode(encode(seal(wallet, password, CHEAP)))
    assert again.accounts == wallet.accounts
    assert [account.label for account in again.accounts] == list(keys)
    assert seeds(again.unlock(password)) == keys


def test_all_kinds_of_accounts_come_back() -> None:
    wallet = decode(FILE)
    assert [(each.label, each.kind, each.path) for each in wallet.accounts] == [
        ("main", "derived", "m/44'/7371107'/0'"),
        ("savings", "derived", "m/44'/7371107'/1'"),
        ("from elsewhere", "imported", None),
        ("cold", "watched", None),
    ]
    opened = wallet.unlock(PASSWORD)
    assert (opened.mnemonic, opened.passphrase) == (WORDS, "TREZOR")
    seed = seed_of(WORDS, "TREZOR")
    assert seeds(opened) == {
        "main": account_key(seed, 0).seed,
        "savings": account_key(seed, 1).seed,
        "from elsewhere": dev_key(0).seed,
    }
    assert wallet.account_of(dev_key(1).public_key) == wallet.account("cold")
    assert wallet.account_of(dev_key(2).public_key) is None


def test_the_next_account_follows_the_last_derived_one() -> None:
    assert OPEN.with_derived("third").accounts[-1].path == "m/44'/7371107'/2'"
    with pytest.raises(KeystoreError, match="has no mnemonic"):
        imported({"main": dev_key(0)}).with_derived("third")


def test_no_label_and_no_key_is_there_twice() -> None:
    with pytest.raises(KeystoreError, match="already has an account 'main'"):
        OPEN.with_derived("main")
    with pytest.raises(KeystoreError, match="already in the wallet, as 'from elsewhere'"):
        OPEN.with_watched("twice", dev_key(0).public_key)
    with pytest.raises(KeystoreError, match="already in the wallet, as 'cold'"):
        OPEN.with_imported("twice", dev_key(1))


def test_a_wallet_that_only_watches_has_no_box_and_needs_no_password() -> None:
    wallet = seal(OpenWallet().with_watched("cold", dev_key(1).public_key), "", CHEAP)
    assert b"kdf" not in encode(wallet)
    assert decode(encode(wallet)).unlock("any").accounts == wallet.accounts
    assert wallet.unlock("any").keys() == {}
    spoilt = msgspec.json.decode(encode(wallet))
    del spoilt["accounts"][0]["watched"]
    with pytest.raises(KeystoreError, match="not only watched"):
        decode(msgspec.json.encode(spoilt))


def test_a_file_of_the_first_version_still_opens() -> None:
    wallet = decode(VERSION_1)
    opened = wallet.unlock(PASSWORD)
    assert seeds(opened) == {"main": dev_key(0).seed, "savings": dev_key(1).seed}
    assert opened.mnemonic is None
    with pytest.raises(WrongPasswordError):
        wallet.unlock("other")
    again = decode(encode(seal(opened.with_imported("third", dev_key(2)), "new", wallet.cost)))
    assert again.cost == wallet.cost == CHEAP
    assert list(seeds(again.unlock("new"))) == ["main", "savings", "third"]


@given(password=st.text(max_size=40))
@example("")
@example(PASSWORD + " ")
@example(PASSWORD.upper())
def test_no_other_password_opens_it(password: str) -> None:
    if password != PASSWORD:
        with pytest.raises(WrongPasswordError, match=r"^wrong password$"):
            WALLET.unlock(password)


def test_one_password_typed_on_two_systems_is_the_same() -> None:
    wallet = seal(imported({"main": dev_key(0)}), "caf\u00e9", CHEAP)  # composed
    assert seeds(wallet.unlock("cafe\u0301")) == {"main": dev_key(0).seed}  # decomposed


def test_a_password_from_the_environment_may_be_bytes_that_are_no_text() -> None:
    password = b"\xff\xfe".decode("utf-8", "surrogateescape")
    wallet = seal(imported({"main": dev_key(0)}), password, CHEAP)
    assert seeds(wallet.unlock(password)) == {"main": dev_key(0).seed}


def test_no_secret_is_in_the_file_and_two_sealings_share_nothing() -> None:
    again = seal(OPEN, PASSWORD, CHEAP)
    assert again.box is not None
    assert WALLET.box is not None
    assert again.box.salt != WALLET.box.salt
    assert again.box.sealed != WALLET.box.sealed
    for secret in (*(seed.hex() for seed in seeds(OPEN).values()), PASSWORD, "TREZOR", "abandon"):
        assert secret.encode() not in FILE


def test_no_text_form_shows_a_secret() -> None:
    for text in (repr(OPEN), str(OPEN), repr(WALLET)):
        for secret in (*(seed.hex() for seed in seeds(OPEN).values()), "TREZOR", "abandon"):
            assert secret not in text


def test_a_seal_without_a_password_or_without_accounts_is_refused() -> None:
    with pytest.raises(KeystoreError, match="password is empty"):
        seal(OPEN, "", CHEAP)
    with pytest.raises(KeystoreError, match="at least one account"):
        seal(OpenWallet(), PASSWORD, CHEAP)


def test_a_wallet_of_a_thousand_accounts_with_the_longest_labels_fits_its_file() -> None:
    keys = {f"{number:04}" + "\U0001f600" * 60: PrivateKey(number.to_bytes(32)) for number in range(MAX_ACCOUNTS)}
    accounts = tuple(AccountName(label, key.public_key) for label, key in keys.items())
    wallet = OpenWallet(accounts, imported=keys)
    data = encode(seal(wallet, PASSWORD, CHEAP))
    assert len(data) <= MAX_FILE_BYTES
    assert len(decode(data).unlock(PASSWORD).keys()) == MAX_ACCOUNTS
    with pytest.raises(KeystoreError, match="at most 1000 accounts"):
        wallet.with_imported("one more", dev_key(0))


@pytest.mark.parametrize("label", ["", " main", "main ", "two\nlines", "\x1b[31m", "x" * 65, "\u202etxet"])
def test_a_label_that_a_terminal_cannot_show_is_refused(label: str) -> None:
    with pytest.raises(KeystoreError, match="printable"):
        imported({label: dev_key(0)})
    spoilt = parts()
    spoilt["accounts"][0]["label"] = label
    with pytest.raises(KeystoreError):
        decode(msgspec.json.encode(spoilt))


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (["format"], "bitcoin-wallet", "not a wallet file"),
        (["version"], 3, "version 3, this program reads 1 and 2"),
        (["version"], 1, "not a wallet file"),
        (["box", "kdf", "name"], "scrypt", "not a wallet file"),
        (["box", "kdf", "memory"], MAX_MEMORY + 1, "not a wallet file"),
        (["box", "kdf", "memory"], 2**63, "not a wallet file"),
        (["box", "kdf", "memory"], 0, "not a wallet file"),
        (["box", "kdf", "operations"], MAX_OPERATIONS + 1, "not a wallet file"),
        (["box", "kdf", "operations"], 0, "not a wallet file"),
        (["box", "kdf", "salt"], "00", "not a wallet file"),
        (["box", "sealed"], "abc", "not a wallet file"),
        (["box", "sealed"], "", "not a wallet file"),
        (["box"], None, "not only watched"),
        (["accounts"], [], "not a wallet file"),
        (["accounts", 1, "label"], "main", "a label twice"),
        (["accounts", 0, "public_key"], "zz" * 32, "not a wallet file"),
        (["accounts", 0, "path"], "m/44", "not a wallet file"),
        (["accounts", 0, "seed"], "00" * 32, "not a wallet file"),
        (["surplus"], 1, "not a wallet file"),
    ],
)
def test_a_spoilt_file_is_refused_before_the_kdf_runs(
    path: list[str | int], value: object, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(argon2id, "kdf", lambda *_: pytest.fail("the KDF ran"))
    spoilt = parts()
    place = spoilt
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(KeystoreError, match=line) as caught:
        decode(msgspec.json.encode(spoilt))
    assert "\n" not in str(caught.value)


def test_every_cost_that_can_be_chosen_is_one_that_is_read() -> None:
    for cost in COSTS.values():
        assert cost.operations <= MAX_OPERATIONS
        assert cost.memory <= MAX_MEMORY


@pytest.mark.parametrize("tampering", ["key", "label", "order", "missing", "path", "watched", "no longer watched"])
def test_a_changed_clear_part_is_noticed_on_unlocking(tampering: str) -> None:
    spoilt = parts()
    accounts = spoilt["accounts"]
    if tampering == "key":
        accounts[0]["public_key"] = dev_key(7).public_key.hex()
    elif tampering == "label":
        accounts[0]["label"], accounts[1]["label"] = accounts[1]["label"], accounts[0]["label"]
    elif tampering == "order":
        accounts.reverse()
    elif tampering == "path":
        accounts[0]["path"] = "m/44'/7371107'/9'"
    elif tampering == "watched":
        accounts[2]["watched"] = True
    elif tampering == "no longer watched":
        del accounts[3]["watched"]
    else:
        accounts.pop()
    with pytest.raises(KeystoreError, match="the file was changed"):
        decode(msgspec.json.encode(spoilt)).unlock(PASSWORD)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("content", [b"[1, 2]", b"{}", b'{"accounts": [], "seeds": {"x": 1}}', b"\xff"])
def test_a_box_of_something_else_is_refused(content: bytes, version: int) -> None:
    assert WALLET.box is not None
    sealed = SecretBox(argon2id.kdf(32, PASSWORD.encode(), WALLET.box.salt, *CHEAP)).encrypt(content)
    other = SealedWallet(WALLET.accounts, Box(CHEAP, WALLET.box.salt, bytes(sealed), version))
    with pytest.raises(KeystoreError, match="holds no secrets of a wallet"):
        other.unlock(PASSWORD)


def test_secrets_that_do_not_give_the_accounts_are_noticed() -> None:
    """Even a box written by hand with the right password cannot make accounts show keys that are not theirs."""
    wrong = replace(OPEN, passphrase="other")
    with pytest.raises(KeystoreError, match="the file was changed"):
        seal(wrong, PASSWORD, CHEAP).unlock(PASSWORD)


def test_a_file_of_a_gigabyte_is_refused_by_its_size() -> None:
    with pytest.raises(KeystoreError, match="at most"):
        decode(b" " * (MAX_FILE_BYTES + 1))


@given(data=st.binary(max_size=300))
@example(b"[" * 5000)
@example(b'{"format": "\xff"}')
@example(b'{"format":"pychain-wallet","version":1' + b"0" * 5000 + b"}")
def test_garbage_is_refused_as_no_wallet(data: bytes) -> None:
    with pytest.raises(KeystoreError):
        decode(data)


@given(file=st.sampled_from([FILE, VERSION_1]), value=st.integers(0, 255), data=st.data())
def test_a_changed_byte_changes_nothing_or_is_noticed(file: bytes, value: int, data: st.DataObject) -> None:
    before = decode(file)
    mutated = bytearray(file)
    mutated[data.draw(st.integers(0, len(file) - 1))] = value
    try:
        wallet = decode(bytes(mutated))
        if wallet.cost != CHEAP:
            return  # a digit of the cost: unlocking would only be slower, and fail
        opened = wallet.unlock(PASSWORD)
    except KeystoreError:
        return
    assert seeds(opened) == seeds(before.unlock(PASSWORD))


@given(cut=st.integers(0, len(FILE) - 2))
def test_a_file_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(KeystoreError):
        decode(FILE[:cut])


def test_an_account_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(KeystoreError, match="no account 'spare'; it has main, savings"):
        WALLET.account("spare")
