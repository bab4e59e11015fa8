"""The wallet's commands that need no node: making wallets, their accounts and secrets."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pychain.chain.address import encode_address
from pychain.chain.spec import packaged_spec
from pychain.keystore.unlocked import lock
from pychain.wallet.derivation import account_key
from pychain.wallet.keys import dev_key
from pychain.wallet.mnemonic import parse_mnemonic, seed_of
from tests.cli.run import Shell
from tests.cli.terminal import Terminal
from tests.wallet.vectors import BIP39

SPEC = packaged_spec("dev")
PASSWORD = "correct horse"
WORDS = BIP39[2][1]
CHEAP = ("--kdf", "interactive")


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell on a data directory without a node; the password is in the environment."""
    monkeypatch.setenv("PYCHAIN_PASSWORD", PASSWORD)
    return Shell(capsys, "--network", "dev", "--datadir", str(tmp_path / "node"))


def address_at(index: int, words: str = WORDS, passphrase: str = "") -> str:
    """The address that a wallet's account of that number must have."""
    return encode_address(SPEC.hrp, account_key(seed_of(words, passphrase), index).public_key)


def test_wallets_are_made_listed_and_told(shell: Shell, tmp_path: Path) -> None:
    assert "No wallets yet" in shell.ok("wallet", "list").out
    made = shell.ok("wallet", "create", *CHEAP, "--json").json
    assert (made["wallet"], made["account"], made["path"]) == ("default", "main", "m/44'/7371107'/0'")
    assert made["address"] == address_at(0, made["mnemonic"])
    assert len(made["mnemonic"].split()) == 24
    assert (tmp_path / "node" / "wallets" / "default.json").stat().st_mode & 0o777 == 0o600
    assert shell.ok("wallet", "address").out == made["address"] + "\n"
    rent = shell.ok("wallet", "address", "--new", "rent").out.strip()
    assert rent == shell.ok("wallet", "address", "--account", "rent").out.strip() == address_at(1, made["mnemonic"])
    other = shell.ok("wallet", "create", "savings", "--account", "nest egg", "--words", "12", *CHEAP, "--json").json
    assert len(other["mnemonic"].split()) == 12
    listed = shell.ok("wallet", "list", "--json").json
    assert [(row["wallet"], row["account"], row["address"], row["kind"]) for row in listed] == [
        ("default", "main", made["address"], "derived"),
        ("default", "rent", rent, "derived"),
        ("savings", "nest egg", other["address"], "derived"),
    ]
    assert "mnemonic" not in listed[0]
    assert other["address"] in shell.ok("wallet", "list").out


def test_the_mnemonic_is_shown_once_and_brings_the_wallet_back(shell: Shell, tmp_path: Path) -> None:
    shown = shell.ok("wallet", "create", *CHEAP).out
    [words] = [line.removeprefix("mnemonic").strip() for line in shown.splitlines() if line.startswith("mnemonic")]
    parse_mnemonic(words)
    rent = shell.ok("wallet", "address", "--new", "rent").out.strip()
    (tmp_path / "words.txt").write_text(words + "\n")
    back = ["restore", "again", "--mnemonic-file", str(tmp_path / "words.txt"), "--accounts", "2", *CHEAP]
    accounts = shell.ok("wallet", *back, "--json").json
    assert [(row["account"], row["address"]) for row in accounts] == [
        ("main", address_at(0, words)),
        ("account-2", rent),
    ]
    assert words not in shell.ok("wallet", "list").out


def test_a_passphrase_makes_it_another_wallet(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text(WORDS)
    (tmp_path / "passphrase.txt").write_text("TREZOR\n")
    words = ["restore", "--mnemonic-file", str(tmp_path / "words.txt"), *CHEAP]
    assert address_at(0) in shell.ok("wallet", *words, "plain").out
    hidden = shell.ok("wallet", *words, "hidden", "--passphrase-file", str(tmp_path / "passphrase.txt"))
    assert address_at(0, passphrase="TREZOR") in hidden.out
    assert shell.ok("wallet", "export", "--wallet", "hidden", "--json").json == {
        "wallet": "hidden",
        "mnemonic": WORDS,
        "passphrase": "TREZOR",
    }


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (WORDS.rsplit(" ", 1)[0], "words, not 11"),
        (WORDS.replace("cage", "cagey", 1), "word 3 of 12"),
        (WORDS.replace("cage above", "above cage"), "checksum"),
        ("", "is empty"),
    ],
)
def test_wrong_words_are_refused_without_repeating_them(shell: Shell, tmp_path: Path, typed: str, line: str) -> None:
    (tmp_path / "words.txt").write_text(typed)
    result = shell("wallet", "restore", "--mnemonic-file", str(tmp_path / "words.txt"), *CHEAP)
    assert result.code in (1, 2)
    assert line in result.err
    assert not any(word in result.err for word in ("letter", "advice", "cagey", "doctor"))
    assert "No wallets yet" in shell.ok("wallet", "list").out


def test_keys_come_and_go(shell: Shell, tmp_path: Path) -> None:
    shell.ok("wallet", "create", *CHEAP)
    faucet = shell.ok("wallet", "import", "faucet", "--dev-key", "3", "--json").json
    assert faucet == {
        "wallet": "default",
        "account": "faucet",
        "address": encode_address(SPEC.hrp, dev_key(3).public_key),
        "kind": "imported",
    }
    exported = shell.ok("wallet", "export", "--account", "faucet", "--json").json
    assert exported["private_key"] == dev_key(3).seed.hex()
    out = tmp_path / "main.key"
    assert shell.ok("wallet", "export", "--account", "main", "--output", str(out)).out == ""
    assert out.stat().st_mode & 0o777 == 0o600
    assert "File exists" in shell.fails(1, "wallet", "export", "--output", str(out)), "nothing is written over"
    shell.ok("wallet", "create", "other", *CHEAP)
    back = shell.ok("wallet", "import", "back", "--wallet", "other", "--key-file", str(out), "--json").json
    assert back["address"] == shell.ok("wallet", "address").out.strip()
    assert "already in the wallet, as 'faucet'" in shell.fails(1, "wallet", "import", "again", "--dev-key", "3")
    assert "already has an account 'main'" in shell.fails(1, "wallet", "import", "main", "--dev-key", "4")


@pytest.mark.parametrize("text", ["zz" * 32, "00" * 31, "00 " * 32])
def test_what_is_no_key_is_refused_without_repeating_it(shell: Shell, tmp_path: Path, text: str) -> None:
    shell.ok("wallet", "create", *CHEAP)
    (tmp_path / "key").write_text(text)
    line = shell.fails(1, "wallet", "import", "key", "--key-file", str(tmp_path / "key"))
    assert line == "pychain: a private key is 64 hex digits\n"


def test_an_account_can_be_watched_without_its_key(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    cold, other = (encode_address(SPEC.hrp, dev_key(number).public_key) for number in (4, 5))
    monkeypatch.delenv("PYCHAIN_PASSWORD")  # a watch-only wallet has none
    made = shell.ok("wallet", "watch", "cold", cold, "--wallet", "watched", "--json").json
    assert (made["address"], made["kind"]) == (cold, "watched")
    shell.ok("wallet", "watch", "other", other, "--wallet", "watched")
    assert shell.ok("wallet", "address", "--wallet", "watched", "--account", "other").out.strip() == other
    assert "already in the wallet, as 'cold'" in shell.fails(1, "wallet", "watch", "again", cold, "--wallet", "watched")
    assert "has no mnemonic" in shell.fails(1, "wallet", "export", "--wallet", "watched")
    words = ("wallet", "export", "--wallet", "watched", "--account", "cold")
    assert "is watch-only: its key is not here" in shell.fails(1, *words)
    assert "is watch-only" in shell.fails(1, "wallet", "unlock", "watched")
    assert shell("wallet", "watch", "x", "nowhere", "--wallet", "watched").code == 2
    monkeypatch.setenv("PYCHAIN_PASSWORD", PASSWORD)
    shell.ok("wallet", "create", *CHEAP)
    shell.ok("wallet", "watch", "cold", cold)
    assert [row["kind"] for row in shell.ok("wallet", "list", "--json").json] == ["derived", "watched"] + [
        "watched"
    ] * 2


def test_the_password_can_be_changed(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.ok("wallet", "create", *CHEAP)
    new = tmp_path / "new.txt"
    assert "a new password is needed" in shell.fails(2, "wallet", "password")
    new.write_text("battery staple\n")
    assert "is changed" in shell.ok("wallet", "password", "--new-password-file", str(new)).out
    assert shell.fails(1, "wallet", "export") == "pychain: wrong password\n"
    assert shell.fails(1, "wallet", "password", "--new-password-file", str(new)) == "pychain: wrong password\n"
    monkeypatch.setenv("PYCHAIN_PASSWORD", "battery staple")
    shell.ok("wallet", "export")


def test_a_wallet_is_unlocked_for_a_while(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.ok("wallet", "create", *CHEAP)
    assert shell.ok("wallet", "lock").out == "Wallet 'default' was not unlocked.\n"
    try:
        until = shell.ok("wallet", "unlock", "--timeout", "100", "--json").json["unlocked_until"]
        assert shell.ok("wallet", "list", "--json").json[0]["unlocked_until"] == until
        monkeypatch.delenv("PYCHAIN_PASSWORD")
        payee = encode_address(SPEC.hrp, dev_key(7).public_key)
        words = ("send", payee, "1", "--offline", "--sequence", "0", "--fee", "0", "--output", str(tmp_path / "file"))
        assert shell.ok("wallet", *words, "--json").json["signed"] is True
        assert "a password is needed" in shell.fails(2, "wallet", "export"), "for everything else"
    finally:
        assert lock(tmp_path / "node" / "wallets", "default")
    assert "a password is needed" in shell.fails(2, "wallet", *words)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["wallet", "address"], "there is no wallet 'default' (there is none yet)"),
        (["wallet", "address", "--new", "rent"], "there is no wallet 'default'"),
        (["wallet", "balance", "--wallet", "../x"], "'../x' is not a wallet name"),
        (["wallet", "create", "a/b"], "'a/b' is not a wallet name"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(shell: Shell, words: list[str], line: str) -> None:
    assert line in shell.fails(1, *words)


def test_a_wallet_is_not_made_twice_and_no_password_is_asked_for(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.ok("wallet", "create", "--kdf", "interactive")
    monkeypatch.delenv("PYCHAIN_PASSWORD")
    assert "already exists" in shell.fails(1, "wallet", "create")


def test_a_wrong_password_is_one_line_and_exit_code_1(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.ok("wallet", "create", "--kdf", "interactive")
    monkeypatch.setenv("PYCHAIN_PASSWORD", "battery staple")
    assert shell.fails(1, "wallet", "address", "--new", "rent") == "pychain: wrong password\n"


def test_a_password_comes_from_a_file(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYCHAIN_PASSWORD")
    secret = tmp_path / "secret"
    secret.write_text("from a file\nsecond line\n")
    shell.ok("wallet", "create", "--kdf", "interactive", "--password-file", str(secret))
    monkeypatch.setenv("PYCHAIN_PASSWORD", "from a file")
    shell.ok("wallet", "address", "--new", "rent")
    secret.write_text("\n")
    assert "is empty" in shell.fails(2, "wallet", "address", "--new", "more", "--password-file", str(secret))
    assert "No such file" in shell.fails(1, "wallet", "address", "--new", "more", "--password-file", "missing")


def test_without_a_terminal_a_password_must_be_given(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYCHAIN_PASSWORD")
    assert "a password is needed" in shell.fails(2, "wallet", "create", "--kdf", "interactive")


def test_on_standard_input_a_password_may_be_piped(tmp_path: Path) -> None:
    words = ["wallet", "create", "--kdf", "interactive", "--password-file", "-", "--network", "dev"]
    result = subprocess.run(
        [sys.executable, "-m", "pychain", *words, "--datadir", str(tmp_path / "node")],
        input="piped\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_on_a_terminal_a_new_wallet_is_made_when_its_words_are_written_down(tmp_path: Path) -> None:
    words = ["wallet", "create", *CHEAP, "--network", "dev", "--datadir", str(tmp_path / "node")]
    with Terminal(*words) as terminal:
        for prompt in ("Password of the new wallet: ", "Repeat for confirmation: "):
            terminal.wait_for(prompt)
            terminal.type("typed")
        shown = re.sub(r"\x1b\[\d*m", "", terminal.wait_for("To confirm, word "))
        mnemonic = re.findall(r"^ ?\d+ +(\w+)", shown, re.MULTILINE)
        assert len(mnemonic) == 24, shown
        terminal.type(mnemonic[terminal.number() - 1])
        terminal.type(mnemonic[terminal.number("To confirm, word ") - 1])
        assert terminal.end() == 0, terminal.seen
    assert "typed" not in terminal.seen, "passwords are not shown"
    assert address_at(0, " ".join(mnemonic)) in terminal.seen


def test_words_that_are_not_written_down_make_no_wallet(tmp_path: Path) -> None:
    words = ["wallet", "create", *CHEAP, "--network", "dev", "--datadir", str(tmp_path / "node")]
    (tmp_path / "password").write_text("secret")
    with Terminal(*words, "--password-file", str(tmp_path / "password")) as terminal:
        terminal.wait_for("To confirm, word ")
        terminal.type("nonsense")
        assert terminal.end() == 1
    assert "no wallet was made" in terminal.seen
    assert not (tmp_path / "node" / "wallets" / "default.json").exists()


def test_colours_are_for_terminals_alone(shell: Shell, tmp_path: Path) -> None:
    shell.ok("wallet", "create", *CHEAP)
    words = ["wallet", "list", "--network", "dev", "--datadir", str(tmp_path / "node")]
    assert "\x1b" not in shell.ok("wallet", "list").out
    with Terminal(*words) as terminal:
        assert terminal.end() == 0
    assert "\x1b[1m" in terminal.seen
    piped = subprocess.run([sys.executable, "-m", "pychain", *words], capture_output=True, check=True, timeout=120)
    assert b"\x1b" not in piped.stdout
    assert len(piped.stdout.splitlines()) == 2, "and a row is a line"


def test_no_secret_is_taken_from_the_command_line(shell: Shell) -> None:
    """Everyone on the machine can read command lines, so there is no option or argument for a secret's text."""
    for name in ("create", "restore", "import", "export", "password", "unlock", "send"):
        text = shell.ok("wallet", name, "--help").out
        for option in ("--password ", "--mnemonic ", "--key ", "--passphrase ", "--new-password "):
            assert option not in text
