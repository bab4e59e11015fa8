"""Paying through a real node: sequences, fees, replacements, and transfers that are signed without one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pychain.chain.address import decode_address, encode_address
from pychain.chain.spec import packaged_spec
from pychain.wallet.document import Draft, encode_draft
from pychain.wallet.keys import PrivateKey, dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.cli.run import Shell
from tests.daemon.process import Daemon

SPEC = packaged_spec("dev")
PASSWORD = "correct horse"
PAYEE = encode_address(SPEC.hrp, dev_key(7).public_key)
MINER = encode_address(SPEC.hrp, dev_key(9).public_key)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A node that requires a fee to relay, as nodes outside of dev networks do."""
    datadir = tmp_path_factory.mktemp("paying") / "node"
    with Daemon(datadir, network="dev", min_relay_fee=1000).wait_ready() as daemon:
        yield daemon


@pytest.fixture
def online(capsys: pytest.CaptureFixture[str], node: Daemon, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell on the node's own data directory."""
    monkeypatch.setenv("PYCHAIN_PASSWORD", PASSWORD)
    return Shell(capsys, "--network", "dev", "--datadir", str(node.datadir))


@pytest.fixture
def offline(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell on a data directory without a node, in a directory of its own."""
    monkeypatch.setenv("PYCHAIN_PASSWORD", PASSWORD)
    monkeypatch.chdir(tmp_path)
    return Shell(capsys, "--network", "dev", "--datadir", str(tmp_path / "cold"))


def mine(node: Daemon) -> None:
    node.rpc("generatetoaddress", 1, MINER)


def fund(node: Daemon, address: str, coins: int) -> None:
    account = node.rpc("getaccount", encode_address(SPEC.hrp, dev_key(0).public_key))
    payment = Payment(decode_address(SPEC.hrp, address), coins * 10**8, 1000)
    transfer = sign_transfer(dev_key(0), SPEC.genesis_hash, account["pending_sequence"], payment)
    node.rpc("sendrawtransaction", transfer.raw.hex())
    mine(node)


def funded(shell: Shell, node: Daemon, name: str, coins: int = 10) -> str:
    """A new wallet that has some coins; its address."""
    made: str = shell.ok("wallet", "create", name, "--kdf", "interactive", "--json").json["address"]
    fund(node, made, coins)
    return made


def test_paying_moves_coins_and_leaves_a_memo(online: Shell, node: Daemon) -> None:
    payer = funded(online, node, "payer")
    payee = encode_address(SPEC.hrp, PrivateKey(b"p" * 32).public_key)
    txid = online.ok("wallet", "send", payee, "2.5", "--wallet", "payer", "--memo", "invoice 17").out.strip()
    [balance] = online.ok("wallet", "balance", "--wallet", "payer", "--json").json
    assert (balance["address"], balance["balance"], balance["available"]) == (payer, 10 * 10**8, 75 * 10**7 - 165)
    assert (balance["pending"], balance["pending_sequence"], balance["label"]) == (1, 1, "main")
    assert "7.49999835" in online.ok("wallet", "balance", "--wallet", "payer").out
    shown = online.ok("chain", "tx", txid)
    assert "invoice 17" in shown.out
    assert "2.5 coins" in shown.out
    mine(node)
    assert node.rpc("getaccount", payee)["balance"] == 25 * 10**7
    mined = node.rpc("getrawtransaction", txid, True)
    assert (mined["memo"], mined["fee"], mined["confirmations"]) == (b"invoice 17".hex(), 165, 1)


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
    assert "1.50000155 coins are needed, account 'main' has 1 available" in line
    assert "has 1 available" in online.fails(1, "wallet", "send", payee, "1", "--wallet", "poor"), "and the fee"


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
    """Sending from one wallet in several processes at once: every payment is accepted."""
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


def test_one_account_in_two_wallets_has_one_row_of_sequences(online: Shell, node: Daemon, tmp_path: Path) -> None:
    """The lock belongs to the account, not to the wallet: two wallets of one mnemonic never choose the same
    sequence."""
    made = online.ok("wallet", "create", "first", "--kdf", "interactive", "--json").json
    (tmp_path / "words").write_text(made["mnemonic"])
    online.ok("wallet", "restore", "second", "--kdf", "interactive", "--mnemonic-file", str(tmp_path / "words"))
    fund(node, made["address"], 10)
    words = ["wallet", "send", PAYEE, "0.001", "--network", "dev", "--datadir", str(node.datadir), "--json"]
    senders = [
        subprocess.Popen([sys.executable, "-m", "pychain", *words, "--wallet", name], stdout=subprocess.PIPE)
        for name in ("first", "second", "first", "second")
    ]
    sent = [json.loads(sender.communicate(timeout=120)[0]) for sender in senders]
    assert sorted(each["sequence"] for each in sent) == [0, 1, 2, 3]
    assert {each["txid"] for each in sent} <= set(node.rpc("getrawmempool"))


# --- fees


def test_by_default_a_payment_offers_what_the_node_suggests(online: Shell, node: Daemon) -> None:
    funded(online, node, "default-fee")
    rate = node.rpc("estimatesmartfee", 3)["feerate"]
    assert rate >= 1000
    sent = online.ok("wallet", "send", PAYEE, "1", "--wallet", "default-fee", "--json").json
    assert sent["fee"] == -(-155 * rate // 1000)


def test_a_waiting_payment_can_be_bumped(online: Shell, node: Daemon) -> None:
    mine(node)
    funded(online, node, "hasty")
    words = ("wallet", "send", PAYEE, "1", "--wallet", "hasty", "--memo", "urgent", "--fee", "0.00001", "--json")
    first = online.ok(*words).json
    second = online.ok("wallet", "send", PAYEE, "2", "--wallet", "hasty", "--json").json
    bumped = online.ok("wallet", "bump", first["txid"], "--wallet", "hasty", "--json").json
    assert (bumped["sequence"], bumped["amount"], bumped["replaces"]) == (0, 10**8, first["txid"])
    assert bumped["fee"] >= 1000 + 161
    more = online.ok("wallet", "bump", bumped["txid"], "--wallet", "hasty", "--fee", "0.01", "--json").json
    assert more["fee"] == 10**6
    pool = node.rpc("getrawmempool")
    assert more["txid"] in pool
    assert second["txid"] in pool, "what follows it stays"
    assert not {first["txid"], bumped["txid"]} & set(pool)
    assert node.rpc("getrawtransaction", more["txid"], True)["memo"] == b"urgent".hex()
    least = "a replacement must pay at least 0.01000161 coins"
    assert least in online.fails(1, "wallet", "bump", more["txid"], "--wallet", "hasty", "--fee", "0.01")
    assert "8.99 coins are needed" in online.fails(1, "wallet", "bump", more["txid"], "--wallet", "hasty", "--fee", "9")
    mine(node)
    assert "is mined already" in online.fails(1, "wallet", "bump", more["txid"], "--wallet", "hasty")


def test_what_cannot_be_bumped_is_said(online: Shell, node: Daemon) -> None:
    funded(online, node, "mine")
    funded(online, node, "theirs")
    theirs = online.ok("wallet", "send", PAYEE, "1", "--wallet", "theirs").out.strip()
    assert "not from an account of wallet 'mine'" in online.fails(1, "wallet", "bump", theirs, "--wallet", "mine")
    assert "No such mempool" in online.fails(1, "wallet", "bump", "00" * 32, "--wallet", "mine")
    assert online("wallet", "bump", "nonsense", "--wallet", "mine").code == 2


# --- without a node


def test_a_payment_is_signed_with_no_node_at_all_and_sent_from_elsewhere(
    online: Shell, offline: Shell, node: Daemon, tmp_path: Path
) -> None:
    cold = offline.ok("wallet", "create", "--kdf", "interactive", "--json").json["address"]
    fund(node, cold, 10)
    words = ["wallet", "send", PAYEE, "2.5", "--memo", "cold", "--offline"]
    assert "no node runs" in offline.fails(3, *words), "what is not given has to be asked for"
    shown = offline.ok(*words, "--sequence", "0", "--fee", "0.0001", "--json").json
    assert (shown["file"], shown["signed"], shown["amount"], shown["fee"]) == (
        "transfer-0.json",
        True,
        25 * 10**7,
        10**4,
    )
    file = tmp_path / "transfer-0.json"
    document = json.loads(file.read_text())
    assert (document["sender"], document["recipient"], document["sequence"]) == (cold, PAYEE, 0)
    txid = online.ok("wallet", "broadcast", str(file)).out.strip()
    assert txid == shown["txid"]
    assert online.ok("wallet", "broadcast", str(file)).out.strip() == txid, "sending it again changes nothing"
    mine(node)
    assert node.rpc("getrawtransaction", txid, True)["confirmations"] == 1
    printed = offline.ok(*words, "--nonce", "1", "--fee", "0", "--output", "-").out
    assert json.loads(printed)["sequence"] == 1


def test_a_watched_account_pays_through_a_file_that_is_signed_elsewhere(
    online: Shell, offline: Shell, node: Daemon, tmp_path: Path
) -> None:
    cold = offline.ok("wallet", "create", "--kdf", "interactive", "--json").json["address"]
    fund(node, cold, 10)
    online.ok("wallet", "watch", "cold", cold, "--wallet", "watching")
    pays = ("wallet", "send", PAYEE, "1", "--wallet", "watching", "--account", "cold")
    assert "sign it where the key is" in online.fails(1, *pays)
    file = tmp_path / "payment.json"
    shown = online.ok(*pays, "--offline", "--output", str(file), "--json").json
    assert (shown["signed"], shown["sequence"], "txid" in shown) == (False, 0, False)
    assert "not signed yet" in online.fails(1, "wallet", "broadcast", str(file))
    assert "not in wallet 'default'" in other_wallet(offline, file)
    signed = tmp_path / "signed.json"
    offline.ok("wallet", "sign", str(file), "--output", str(signed), "--yes")
    assert json.loads(file.read_text())["signature"] is None
    txid = online.ok("wallet", "broadcast", str(signed)).out.strip()
    assert txid in node.rpc("getrawmempool")
    offline.ok("wallet", "sign", str(file), "--yes")
    assert file.read_text() == signed.read_text(), "without --output the file itself is signed"


def other_wallet(shell: Shell, file: Path) -> str:
    """The error of a wallet that cannot sign the file."""
    document = json.loads(file.read_text())
    other = file.with_name("other.json")
    other.write_text(json.dumps({**document, "sender": PAYEE}))
    return shell.fails(1, "wallet", "sign", str(other), "--yes")


def test_nothing_is_signed_unasked(offline: Shell, tmp_path: Path) -> None:
    offline.ok("wallet", "create", "--kdf", "interactive")
    offline.ok("wallet", "send", PAYEE, "1", "--offline", "--sequence", "0", "--fee", "0")
    before = Path("transfer-0.json").read_bytes()
    result = offline("wallet", "sign", "transfer-0.json")
    assert result.code == 2
    assert "no terminal to confirm on" in result.err
    assert Path("transfer-0.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"amount": 10**8 + 1}, "the file was changed after signing"),
        ({"sequence": 1}, "the file was changed after signing"),
        ({"recipient": MINER}, "the file was changed after signing"),
        ({"genesis": "00" * 32}, "is for the chain of genesis 0000"),
        ({"signature": None}, "is not signed yet"),
        ({"signature": "00"}, "not a transfer file"),
        ({"memo": "0"}, "not a transfer file"),
        ({"amount": -1}, "not a transfer file"),
        ({"amount": 1.5}, "not a transfer file"),
        ({"sender": "nowhere"}, "not a transfer file"),
        ({"surplus": 1}, "not a transfer file"),
        ({"version": 2}, "not a transfer file"),
    ],
)
def test_a_changed_file_is_not_sent(
    online: Shell, node: Daemon, tmp_path: Path, change: dict[str, object], line: str
) -> None:
    key = dev_key(1)
    draft = Draft(key.public_key, 0, Payment(dev_key(7).public_key, 10**8)).signed(key, SPEC.genesis_hash)
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(json.loads(encode_draft(SPEC, draft)) | change))
    assert line in online.fails(1, "wallet", "broadcast", str(changed))


def test_a_wrong_use_of_the_offline_options_is_said(offline: Shell) -> None:
    offline.ok("wallet", "create", "--kdf", "interactive")
    for words in (["--sequence", "1"], ["--output", "x"]):
        result = offline("wallet", "send", PAYEE, "1", *words)
        assert result.code == 2
        assert "are for --offline" in result.err


# --- history


def test_history_tells_what_came_and_went_and_what_waits(online: Shell, node: Daemon) -> None:
    own = funded(online, node, "past")
    faucet = encode_address(SPEC.hrp, dev_key(0).public_key)
    assert "10" in online.ok("wallet", "history", "--wallet", "past").out
    sent = online.ok("wallet", "send", PAYEE, "2.5", "--wallet", "past", "--memo", "rent", "--json").json
    to_itself = online.ok("wallet", "send", own, "1", "--wallet", "past").out.strip()
    waiting, first, received = reversed_back = online.ok("wallet", "history", "--wallet", "past", "--json").json
    assert len(reversed_back) == 3
    assert (waiting["txid"], waiting["direction"], waiting["confirmations"]) == (to_itself, "self", 0)
    assert first == {
        "txid": sent["txid"],
        "height": None,
        "blockhash": None,
        "time": first["time"],
        "direction": "out",
        "counterparty": PAYEE,
        "amount": 25 * 10**7,
        "fee": sent["fee"],
        "memo": b"rent".hex(),
        "confirmations": 0,
    }
    assert (received["direction"], received["counterparty"], received["amount"]) == ("in", faucet, 10 * 10**8)
    node.rpc("generatetoaddress", 1, own)
    mine(node)
    rows = online.ok("wallet", "history", "--wallet", "past", "--json").json
    assert [(row["direction"], row["confirmations"]) for row in rows] == [
        ("self", 2),
        ("out", 2),
        ("mined", 2),
        ("in", 3),
    ]
    assert rows[1]["blockhash"] == node.rpc("getblockhash", rows[1]["height"])
    shown = online.ok("wallet", "history", "--wallet", "past", "--limit", "2").out.splitlines()
    assert len(shown) == 3
    assert "-2.5" in shown[2]
    assert "rent" in shown[2]
    older = online.ok("wallet", "history", "--wallet", "past", "--before", rows[1]["txid"], "--json").json
    assert [row["direction"] for row in older] == ["mined", "in"]
    assert online.ok("wallet", "history", "--wallet", "past", "--limit", "1", "--json").json == rows[:1]


def test_an_account_without_a_past_has_no_history(online: Shell, node: Daemon) -> None:
    online.ok("wallet", "create", "fresh", "--kdf", "interactive")
    assert online.ok("wallet", "history", "--wallet", "fresh").out == "Nothing yet.\n"
    assert online.ok("wallet", "history", "--wallet", "fresh", "--json").json == []
