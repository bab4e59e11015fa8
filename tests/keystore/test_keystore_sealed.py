"""The wallet file: what goes in comes out under the password alone, and anything else is refused in one line."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from pychain.daemon.keystore import COSTS, AccountName, KdfCost, KeystoreError, SealedWallet, WrongPasswordError
from pychain.daemon.keystore.sealed import MAX_FILE_BYTES, MAX_MEMORY, MAX_OPERATIONS, decode, seal
from pychain.wallet.keys import PrivateKey, dev_key

CHEAP = KdfCost(argon2id.OPSLIMIT_MIN, argon2id.MEMLIMIT_MIN)
"""libsodium's least cost: the tests are about the format."""
PASSWORD = "correct horse"
WALLET = seal({"main": dev_key(0), "savings": dev_key(1)}, PASSWORD, CHEAP)
FILE = WALLET.encode()


def parts() -> Any:
    """The file as JSON, to be spoilt."""
    return msgspec.json.decode(FILE)


def seeds(keys: dict[str, PrivateKey]) -> dict[str, bytes]:
    return {label: key.seed for label, key in keys.items()}


labels = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=64)


@given(
    keys=st.dictionaries(labels, st.binary(min_size=32, max_size=32).map(PrivateKey), min_size=1, max_size=4),
    password=st.text(min_size=1, max_size=40),
)
def test_what_is_sealed_comes_back_from_the_file(keys: dict[str, PrivateKey], password: str) -> None:
    wallet = decode(seal(keys, password, CHEAP).encode())
    assert wallet.accounts == tuple(AccountName(label, key.public_key) for label, key in keys.items())
    assert seeds(wallet.unlock(password)) == seeds(keys)


@given(password=st.text(max_size=40))
@example("")
@example(PASSWORD + " ")
@example(PASSWORD.upper())
def test_no_other_password_opens_it(password: str) -> None:
    if password != PASSWORD:
        with pytest.raises(WrongPasswordError, match=r"^wrong password$"):
            WALLET.unlock(password)


def test_one_password_typed_on_two_systems_is_the_same() -> None:
    wallet = seal({"main": dev_key(0)}, "caf\u00e9", CHEAP)  # composed
    assert seeds(wallet.unlock("cafe\u0301")) == {"main": dev_key(0).seed}  # decomposed


def test_a_password_from_the_environment_may_be_bytes_that_are_no_text() -> None:
    password = b"\xff\xfe".decode("utf-8", "surrogateescape")
    assert seeds(seal({"main": dev_key(0)}, password, CHEAP).unlock(password)) == {"main": dev_key(0).seed}


def test_neither_seed_nor_password_is_in_the_file_and_two_sealings_share_nothing() -> None:
    again = seal({"main": dev_key(0), "savings": dev_key(1)}, PASSWORD, CHEAP)
    assert again.salt != WALLET.salt
    assert again.box != WALLET.box
    for secret in (dev_key(0).seed.hex(), dev_key(1).seed.hex(), PASSWORD):
        assert secret.encode() not in FILE


def test_a_seal_without_a_password_or_without_keys_is_refused() -> None:
    with pytest.raises(KeystoreError, match="password is empty"):
        seal({"main": dev_key(0)}, "", CHEAP)
    with pytest.raises(KeystoreError, match="1 to 1000 accounts"):
        seal({}, PASSWORD, CHEAP)


@pytest.mark.parametrize("label", ["", " main", "main ", "two\nlines", "\x1b[31m", "x" * 65, "\u202etxet"])
def test_a_label_that_a_terminal_cannot_show_is_refused(label: str) -> None:
    with pytest.raises(KeystoreError, match="printable"):
        seal({label: dev_key(0)}, PASSWORD, CHEAP)
    spoilt = parts()
    spoilt["accounts"][0]["label"] = label
    with pytest.raises(KeystoreError):
        decode(msgspec.json.encode(spoilt))


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (["format"], "bitcoin-wallet", "not a wallet file"),
        (["version"], 2, "version 2, this program knows 1"),
        (["kdf", "name"], "scrypt", "not a wallet file"),
        (["kdf", "memory"], MAX_MEMORY + 1, "not a wallet file"),
        (["kdf", "memory"], 2**63, "not a wallet file"),
        (["kdf", "memory"], 0, "not a wallet file"),
        (["kdf", "operations"], MAX_OPERATIONS + 1, "not a wallet file"),
        (["kdf", "operations"], 0, "not a wallet file"),
        (["kdf", "salt"], "00", "not a wallet file"),
        (["accounts"], [], "not a wallet file"),
        (["accounts", 1, "label"], "main", "a label twice"),
        (["accounts", 0, "public_key"], "zz" * 32, "not a wallet file"),
        (["box"], "abc", "not a wallet file"),
        (["box"], "", "not a wallet file"),
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


@pytest.mark.parametrize("tampering", ["key", "label", "order", "missing"])
def test_a_changed_clear_part_is_noticed_on_unlocking(tampering: str) -> None:
    spoilt = parts()
    accounts = spoilt["accounts"]
    if tampering == "key":
        accounts[0]["public_key"] = dev_key(7).public_key.hex()
    elif tampering == "label":
        accounts[0]["label"], accounts[1]["label"] = accounts[1]["label"], accounts[0]["label"]
    elif tampering == "order":
        accounts.reverse()
    else:
        accounts.pop()
    with pytest.raises(KeystoreError, match="somebody changed the file"):
        decode(msgspec.json.encode(spoilt)).unlock(PASSWORD)


def test_a_box_of_something_else_is_refused() -> None:
    box = SecretBox(argon2id.kdf(32, PASSWORD.encode(), WALLET.salt, *CHEAP)).encrypt(b"[1, 2]")
    other = SealedWallet(CHEAP, WALLET.salt, WALLET.accounts, bytes(box))
    with pytest.raises(KeystoreError, match="holds no list of seeds"):
        other.unlock(PASSWORD)


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


@given(position=st.integers(0, len(FILE) - 1), value=st.integers(0, 255))
def test_a_changed_byte_changes_nothing_or_is_noticed(position: int, value: int) -> None:
    mutated = bytearray(FILE)
    mutated[position] = value
    try:
        wallet = decode(bytes(mutated))
        if wallet.cost != CHEAP:
            return  # a digit of the cost: unlocking would only be slower, and fail
        keys = wallet.unlock(PASSWORD)
    except KeystoreError:
        return
    assert seeds(keys) == {"main": dev_key(0).seed, "savings": dev_key(1).seed}


@given(cut=st.integers(0, len(FILE) - 2))
def test_a_file_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(KeystoreError):
        decode(FILE[:cut])


def test_an_account_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(KeystoreError, match="no account 'spare'; it has main, savings"):
        WALLET.account("spare")
