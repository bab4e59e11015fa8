"""The directory of wallets: several by name, files that only their owner can read, one writer at a time."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from nacl.pwhash import argon2id

from pychain.keystore import KdfCost, Keystore, KeystoreError, OpenWallet, WrongPasswordError, locks
from pychain.wallet.keys import PrivateKey, dev_key

CHEAP = KdfCost(argon2id.OPSLIMIT_MIN, argon2id.MEMLIMIT_MIN)
HOLD = """
import sys
from pathlib import Path
from pychain.keystore import Keystore
with Keystore(Path(sys.argv[1])).locked("savings"):
    print("held", flush=True)
    sys.stdin.read()
"""


def of(key: PrivateKey, label: str = "main") -> OpenWallet:
    """A wallet of one imported key."""
    return OpenWallet().with_imported(label, key)


def add(keystore: Keystore, name: str, password: str, label: str, key: PrivateKey) -> None:
    keystore.change(name, password, lambda wallet: wallet.with_imported(label, key))


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "wallets")


def test_several_wallets_with_several_accounts(keystore: Keystore) -> None:
    assert keystore.names() == []
    keystore.create("zoe", "one", of(dev_key(0)), CHEAP)
    keystore.create("adam", "two", of(dev_key(1), "rent"), CHEAP)
    add(keystore, "zoe", "one", "spare", dev_key(2))
    assert keystore.names() == ["adam", "zoe"]
    assert [account.label for account in keystore.load("zoe").accounts] == ["main", "spare"]
    keys = keystore.load("zoe").unlock("one").keys()
    assert {label: key.seed for label, key in keys.items()} == {"main": dev_key(0).seed, "spare": dev_key(2).seed}
    assert keystore.load("adam").account("rent").public_key == dev_key(1).public_key


def test_files_are_for_their_owner_alone_and_nothing_else_is_left(keystore: Keystore) -> None:
    keystore.create("zoe", "one", of(dev_key(0)), CHEAP)
    add(keystore, "zoe", "one", "spare", dev_key(2))
    assert stat.S_IMODE(keystore.directory.stat().st_mode) == 0o700
    assert sorted(path.name for path in keystore.directory.iterdir()) == ["zoe.json", "zoe.lock"]
    for path in keystore.directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_wallet_that_exists_is_never_written_over(keystore: Keystore) -> None:
    keystore.create("zoe", "one", of(dev_key(0)), CHEAP)
    before = (keystore.directory / "zoe.json").read_bytes()
    with pytest.raises(KeystoreError, match="already exists"):
        keystore.create("zoe", "other", of(dev_key(1)), CHEAP)
    with pytest.raises(KeystoreError, match="already has an account 'main'"):
        add(keystore, "zoe", "one", "main", dev_key(1))
    with pytest.raises(WrongPasswordError):
        add(keystore, "zoe", "two", "spare", dev_key(1))
    assert (keystore.directory / "zoe.json").read_bytes() == before


def test_the_password_can_be_changed_and_the_cost_with_it(keystore: Keystore) -> None:
    keystore.create("zoe", "one", of(dev_key(0)), CHEAP)
    dearer = KdfCost(CHEAP.operations + 1, CHEAP.memory)
    with pytest.raises(WrongPasswordError):
        keystore.change_password("zoe", "two", "three")
    keystore.change_password("zoe", "one", "two")
    assert keystore.load("zoe").cost == CHEAP
    with pytest.raises(WrongPasswordError):
        keystore.load("zoe").unlock("one")
    keystore.change_password("zoe", "two", "three", dearer)
    assert keystore.load("zoe").cost == dearer
    assert keystore.load("zoe").unlock("three").keys()["main"].seed == dev_key(0).seed
    with pytest.raises(KeystoreError, match="password is empty"):
        keystore.change_password("zoe", "three", "")
    keystore.create("watched", "", OpenWallet().with_watched("cold", dev_key(1).public_key))
    with pytest.raises(KeystoreError, match="is watch-only"):
        keystore.change_password("watched", "", "any")


def test_an_account_is_held_whatever_wallet_it_is_in(keystore: Keystore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "LOCK_WAIT_S", 0.0)
    with keystore.sequence_locked(dev_key(0).public_key):
        with keystore.sequence_locked(dev_key(1).public_key):
            pass
        again = keystore.sequence_locked(dev_key(0).public_key)
        with pytest.raises(KeystoreError, match="another process holds this account"), again:
            pytest.fail("it was held twice")
    with keystore.sequence_locked(dev_key(0).public_key):
        pass


def test_a_failed_write_leaves_the_old_file(keystore: Keystore, monkeypatch: pytest.MonkeyPatch) -> None:
    keystore.create("zoe", "one", of(dev_key(0)), CHEAP)
    before = (keystore.directory / "zoe.json").read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        add(keystore, "zoe", "one", "spare", dev_key(1))
    assert (keystore.directory / "zoe.json").read_bytes() == before
    assert sorted(path.name for path in keystore.directory.iterdir()) == ["zoe.json", "zoe.lock"]


@pytest.mark.parametrize("name", ["", ".hidden", "..", "a/b", "../zoe", "a b", "x" * 65, "ä", "zoe\n"])
def test_a_name_that_leaves_the_directory_or_hides_is_refused(keystore: Keystore, name: str) -> None:
    with pytest.raises(KeystoreError, match="not a wallet name"):
        keystore.load(name)
    with pytest.raises(KeystoreError, match="not a wallet name"):
        keystore.create(name, "one", of(dev_key(0)), CHEAP)


def test_a_missing_wallet_says_what_there_is_and_what_to_do(keystore: Keystore) -> None:
    with pytest.raises(KeystoreError, match=r"there is none yet\); make it with: wallet create zoe"):
        keystore.load("zoe")
    keystore.create("adam", "two", of(dev_key(1)), CHEAP)
    with pytest.raises(KeystoreError, match="there are adam"):
        keystore.load("zoe")


def test_a_damaged_wallet_is_named_by_its_path(keystore: Keystore) -> None:
    keystore.create("zoe", "one", of(dev_key(0)), CHEAP)
    (keystore.directory / "zoe.json").write_bytes(b"{}")
    with pytest.raises(KeystoreError, match=r"zoe\.json: not a wallet file"):
        keystore.load("zoe")


def test_two_processes_never_hold_one_wallet(keystore: Keystore, monkeypatch: pytest.MonkeyPatch) -> None:
    keystore.create("savings", "one", of(dev_key(0)), CHEAP)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(keystore.directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with monkeypatch.context() as patched:
            patched.setattr(locks, "LOCK_WAIT_S", 0.0)
            with pytest.raises(KeystoreError, match="another process holds wallet 'savings'"):
                add(keystore, "savings", "one", "spare", dev_key(1))
        other.stdin.close()  # and now it ends, while we wait for it
        add(keystore, "savings", "one", "spare", dev_key(1))
        assert other.wait() == 0
    assert [account.label for account in keystore.load("savings").accounts] == ["main", "spare"]
