"""The wallet's commands: without a node as far as none is needed, and paying through a real one."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pychain.chain.address import decode_address, encode_address
from pychain.chain.spec import packaged_spec
from pychain.wallet.keys import PrivateKey, dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.cli.run import Shell
from tests.daemon.process import Daemon

SPEC = packaged_spec("dev")
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("wallet") / "node", network="dev").wait_ready() as daemon:
        yield daemon


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell on a data directory without a node; the password is in the environment."""
    monkeypatch.setenv("PYCHAIN_PASSWORD", PASSWORD)
    return Shell(capsys, "--network", "dev", "--datadir", str(tmp_path / "node"))


@pytest.fixture
def online(capsys: pytest.CaptureFixture[str], node: Daemon, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell on the node's own data directory."""
    monkeypatch.setenv("PYCHAIN_PASSWORD", PASSWORD)
    return Shell(capsys, "--network", "dev", "--datadir", str(node.datadir))


def funded(online: Shell, node: Daemon, name: str, coins: int = 10) -> str:
    """A new wallet that has some coins; its address."""
    made: str = online.ok("wallet", "create", name, "--kdf", "interactive", "--json").json["address"]
    amount = coins * 10**8
    account = node.rpc("getaccount", encode_address(SPEC.hrp, dev_key(0).public_key))
    payment = Payment(decode_address(SPEC.hrp, made), amount)
    transfer = sign_transfer(dev_key(0), SPEC.genesis_hash, account["pending_sequence"], payment)
    node.rpc("sendrawtransaction", transfer.raw.hex())
    node.rpc("generatetoaddress", 1, encode_address(SPEC.hrp, dev_key(9).public_key))
    return made


# --- without a node


def test_wallets_are_made_listed_and_told(shell: Shell, tmp_path: Path) -> None:
    assert "no wallets yet" in shell.ok("wallet", "list").out
    made = shell.ok("wallet", "create", "--kdf", "interactive", "--json").json
    assert (made["wallet"], made["account"]) == ("default", "main")
    assert decode_address(SPEC.hrp, made["address"])
    assert (tmp_path / "node" / "wallets" / "default.json").stat().st_mode & 0o777 == 0o600
    assert shell.ok("wallet", "address").out == made["address"] + "\n"
    rent = shell.ok("wallet", "address", "--new", "rent").out.strip()
    assert rent == shell.ok("wallet", "address", "--account", "rent").out.strip() != made["address"]
    other = shell.ok("wallet", "create", "savings", "--account", "nest egg", "--kdf", "interactive", "--json").json
    assert shell.ok("wallet", "list", "--json").json == [
        {"wallet": "default", "account": "main", "address": made["address"]},
        {"wallet": "default", "account": "rent", "address": rent},
        {"wallet": "savings", "account": "nest egg", "address": other["address"]},
    ]
    assert other["address"] in shell.ok("wallet", "list").out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["wallet", "address"], "there is no wallet 'default' (there is none yet)"),
        (["wallet", "address", "--new", "rent"], "there is no wallet 'default'"),
        (["wallet", "balance", "--wallet", "../x"], "'../x' is no wallet name"),
        (["wallet", "create", "a/b"], "'a/b' is no wallet name"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(shell: Shell, words: list[str], line: str) -> None:
    assert line in shell.fails(1, *words)


def test_a_wallet_is_not_made_twice_and_no_password_is_asked_for(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.ok("wallet", "create", "--kdf", "interactive")
    monkeypatch.delenv("PYCHAIN_PASSWORD")
    assert "exists already" in shell.fails(1, "wallet", "create")


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


def test_on_a_terminal_a_new_password_is_asked_for_twice(tmp_path: Path) -> None:
    words = ["wallet", "create", "--kdf", "interactive", "--network", "dev", "--datadir", str(tmp_path / "node")]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "pychain", *words])
    seen = b""
    for word in (b"typed\n", b"typed\n"):
        while not seen.endswith(b": "):
            seen += os.read(terminal, 1024)
        os.write(terminal, word)
        seen += b"|"
    try:
        while chunk := os.read(terminal, 1024):
            seen += chunk
    except OSError:
        pass  # the terminal is gone with its process
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, seen
    assert b"typed" not in seen, "passwords are not shown"
    assert b"dpyc1" in seen


# --- through a node


def test_paying_moves_coins_and_leaves_a_memo(online: Shell, node: Daemon) -> None:
    payer = funded(online, node, "payer")
    payee = encode_address(SPEC.hrp, PrivateKey(b"p" * 32).public_key)
    txid = online.ok("wallet", "send", payee, "2.5", "--wallet", "payer", "--memo", "invoice 17").out.strip()
    [balance] = online.ok("wallet", "balance", "--wallet", "payer", "--json").json
    assert (balance["address"], balance["balance"], balance["available"]) == (payer, 10 * 10**8, 75 * 10**7)
    assert (balance["pending"], balance["pending_sequence"], balance["label"]) == (1, 1, "main")
    assert "7.5" in online.ok("wallet", "balance", "--wallet", "payer").out
    shown = online.ok("chain", "tx", txid)
    assert "invoice 17" in shown.out
    assert "2.5 coins" in shown.out
    node.rpc("generatetoaddress", 1, encode_address(SPEC.hrp, dev_key(9).public_key))
    assert node.rpc("getaccount", payee)["balance"] == 25 * 10**7
    mined = node.rpc("getrawtransaction", txid, True)
    assert (mined["memo"], mined["fee"], mined["confirmations"]) == (b"invoice 17".hex(), 0, 1)


def test_payments_follow_each_other_without_waiting_for_blocks(online: Shell, node: Daemon) -> None:
    funded(online, node, "steady")
    payee = encode_address(SPEC.hrp, dev_key(7).public_key)
    sent = [online.ok("wallet", "send", payee, "1", "--wallet", "steady", "--json").json for _ in range(3)]
    assert [each["sequence"] for each in sent] == [0, 1, 2]
    dear = online.ok("wallet", "send", payee, "1", "--wallet", "steady", "--fee", "0.5", "--memo-hex", "00ff", "--json")
    assert dear.json["fee"] == 5 * 10**7
    assert node.rpc("getrawtransaction", dear.json["txid"], True)["memo"] == "00ff"


def test_what_an_account_does_not_have_it_cannot_pay(
    online: Shell, node: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    funded(online, node, "poor", coins=1)
    payee = encode_address(SPEC.hrp, dev_key(7).public_key)
    monkeypatch.delenv("PYCHAIN_PASSWORD")  # it is not even asked for
    line = online.fails(1, "wallet", "send", payee, "1.5", "--wallet", "poor")
    assert "1.5 coins are needed, account 'main' has 1 available" in line
    assert "has 1 available" in online.fails(1, "wallet", "send", payee, "1", "--fee", "0.1", "--wallet", "poor")


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["nowhere", "1"], 2, "an address is a prefix"),
        (["rpyc1w", "1"], 2, "an address"),
        (["{zero}", "1"], 1, "holds no safe public key"),
        (["{payee}", "1", "--memo", "x" * 513], 1, "513 bytes, at most 512"),
        (["{payee}", "1", "--memo", "x", "--memo-hex", "00"], 2, "not both"),
        (["{payee}", "1", "--memo-hex", "0x"], 2, "'0x' is not hex"),
        (["{payee}", "-1"], 2, "No such option"),
        (["{payee}", "184467440738"], 1, "more than an account can hold"),
        (["{payee}", "1", "--account", "spare"], 1, "has no account 'spare'; it has main"),
    ],
)
def test_a_payment_that_makes_no_sense_is_refused(
    online: Shell, node: Daemon, words: list[str], code: int, line: str
) -> None:
    if "strict" not in online.ok("wallet", "list").out:
        funded(online, node, "strict")
    places = {
        "payee": encode_address(SPEC.hrp, dev_key(7).public_key),
        "zero": encode_address(SPEC.hrp, bytes(32)),
    }
    result = online("wallet", "send", *(word.format(**places) for word in words), "--wallet", "strict")
    assert result.code == code
    assert line in result.err
    assert "Traceback" not in result.err


def test_a_node_on_another_chain_gets_no_signature(
    capsys: pytest.CaptureFixture[str], node: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules at hand are not those of the node in the data directory."""
    monkeypatch.setenv("PYCHAIN_PASSWORD", PASSWORD)
    other = tmp_path / "other.toml"
    text = (Path(__file__).parent.parent.parent / "pychain" / "chain" / "networks" / "dev.toml").read_text()
    other.write_text(text.replace("spacing_s = 10", "spacing_s = 11"))
    shell = Shell(capsys, "--network", str(other), "--datadir", str(node.datadir))
    shell.ok("wallet", "create", "elsewhere", "--kdf", "interactive")
    payee = encode_address(SPEC.hrp, dev_key(7).public_key)
    assert "the node is on the chain of genesis" in shell.fails(
        1, "wallet", "send", payee, "0", "--wallet", "elsewhere"
    )


def test_two_processes_never_choose_one_sequence(online: Shell, node: Daemon) -> None:
    """Sending from one wallet in several processes at once: every payment is taken."""
    funded(online, node, "shared")
    payee = encode_address(SPEC.hrp, dev_key(7).public_key)
    words = ["wallet", "send", payee, "0.001", "--wallet", "shared", "--network", "dev", "--datadir", str(node.datadir)]
    senders = [
        subprocess.Popen([sys.executable, "-m", "pychain", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    results = [sender.communicate(timeout=120) for sender in senders]
    assert [sender.returncode for sender in senders] == [0] * 4, results
    assert len({out for out, _ in results}) == 4
