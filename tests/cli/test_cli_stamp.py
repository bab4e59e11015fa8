"""Stamping files through a real node, and checking the proofs with it and without."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pychain.chain.address import decode_address, encode_address
from pychain.chain.spec import packaged_spec
from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.cli.run import Shell
from tests.daemon.process import Daemon

SPEC = packaged_spec("dev")
MINER = encode_address(SPEC.hrp, dev_key(9).public_key)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A node whose wallet `default` has coins."""
    with Daemon(tmp_path_factory.mktemp("stamps") / "node", network="dev").wait_ready() as daemon:
        daemon.rpc("generatetoaddress", 3, MINER)
        yield daemon


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], node: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in its own directory, with the node's data directory."""
    monkeypatch.setenv("PYCHAIN_PASSWORD", "secret")
    monkeypatch.chdir(tmp_path)
    online = Shell(capsys, "--network", "dev", "--datadir", str(node.datadir))
    if not online.ok("wallet", "list", "--json").json:
        own = online.ok("wallet", "create", "--kdf", "interactive", "--json").json["address"]
        node.rpc("generatetoaddress", 2, own)  # who has nothing cannot send, whatever the fee
        mine(node)
    return online


@pytest.fixture
def elsewhere(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    """A machine without a node and without wallets."""
    return Shell(capsys, "--network", "dev", "--datadir", str(tmp_path / "nothing"))


def mine(node: Daemon, count: int = 1) -> None:
    node.rpc("generatetoaddress", count, MINER)


def stamped(shell: Shell, node: Daemon, *names: str) -> str:
    """Stamp files and write their proofs; the txid."""
    txid: str = shell.ok("stamp", *names, "--no-wait", "--json").json["txid"]
    mine(node)
    shell.ok("stamp", *names, "--txid", txid)
    return txid


def test_one_file_is_stamped_and_checked(shell: Shell, elsewhere: Shell, node: Daemon, tmp_path: Path) -> None:
    (tmp_path / "contract.pdf").write_bytes(b"we agree")
    digest = hashlib.sha256(b"we agree").hexdigest()
    txid = stamped(shell, node, "contract.pdf")
    mine(node, 4)
    assert node.rpc("getrawtransaction", txid, True)["memo"] == b"pychain/stamp/v1".hex() + "00" + digest
    told = shell.ok("verify", "contract.pdf", "contract.pdf.proof", "--json").json
    assert (told["sha256"], told["txid"], told["confirmations"], told["offline"]) == (digest, txid, 5, False)
    assert told["sender"] == shell.ok("wallet", "address").out.strip()
    header = node.rpc("getblockheader", told["blockhash"])
    assert (told["height"], told["time"], told["mediantime"]) == (
        header["height"],
        header["time"],
        header["mediantime"],
    )
    assert int(told["work_on_top"], 16) == 5 * 2
    alone = elsewhere.ok("verify", "contract.pdf", "--offline", "--json").json
    assert alone == told | {"offline": True, "confirmations": 1, "work_on_top": f"{2:064x}"}
    shown = elsewhere.ok("verify", "contract.pdf", "--offline").out
    assert told["sender"] in shown
    assert "less than a second of a machine of 100 TH/s" in shown


def test_a_newer_proof_has_more_on_top(shell: Shell, elsewhere: Shell, node: Daemon, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    txid = stamped(shell, node, "file")
    assert (tmp_path / "file.proof").stat().st_mode == (tmp_path / "file").stat().st_mode, "it is made to be shared"
    mine(node, 2)
    assert "file.proof already exists" in shell.fails(1, "stamp", "file", "--txid", txid)
    shell.ok("stamp", "file", "--txid", txid, "--force")
    assert elsewhere.ok("verify", "file", "--offline", "--json").json["confirmations"] == 3


def test_many_files_are_one_transfer_and_a_proof_each(
    shell: Shell, elsewhere: Shell, node: Daemon, tmp_path: Path
) -> None:
    names = [f"photo {number}.jpg" for number in range(5)]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    txid = stamped(shell, node, *names)
    for name in names:
        assert shell.ok("verify", name, "--json").json["txid"] == txid
        assert elsewhere.ok("verify", name, "--offline", "--json").json["txid"] == txid
    assert "proof is of another file" in elsewhere.fails(1, "verify", names[0], f"{names[1]}.proof", "--offline")
    fewer = shell.fails(1, "stamp", *names[:4], "--txid", txid, "--force")
    assert "is not that of this file" in fewer, "a proof is checked before it is written"


def test_it_waits_for_the_block(shell: Shell, node: Daemon, tmp_path: Path) -> None:
    """As a separate process, while the node mines; it prints the command to continue with if the wait is too long."""
    (tmp_path / "file").write_bytes(b"patience")
    words = ["stamp", "file", "--confirmations", "2", "--network", "dev", "--datadir", str(node.datadir), "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "pychain", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        txid = said.split("--txid ")[1].strip()
        assert said == f"Sent. Waiting for the block; if this ends early: pychain stamp file --txid {txid}\n"
        assert not (tmp_path / "file.proof").exists()
        mine(node)
        mine(node)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    told = json.loads(out)
    assert (told["txid"], told["kind"]) == (txid, "file")
    assert told["digest"] == hashlib.sha256(b"patience").hexdigest()
    assert told["proofs"] == [{"file": "file", "proof": "file.proof"}]
    assert shell.ok("verify", "file", "--json").json["confirmations"] >= 2


def test_a_small_proof_is_checked_against_a_node_alone(
    shell: Shell, elsewhere: Shell, node: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"small")
    txid = shell.ok("stamp", "file", "--no-wait", "--json").json["txid"]
    mine(node)
    shell.ok("stamp", "file", "--txid", txid, "--no-headers")
    assert (tmp_path / "file.proof").stat().st_size < 2000
    assert shell.ok("verify", "file", "--json").json["txid"] == txid
    assert "carries no headers" in elsewhere.fails(1, "verify", "file", "--offline")


def test_a_block_that_left_the_chain_proves_nothing(shell: Shell, node: Daemon, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"reorganised")
    stamped(shell, node, "file")
    block = node.tip
    node.rpc("invalidateblock", block)
    try:
        assert f"block {block} is not in the node's chain" in shell.fails(1, "verify", "file")
        shell.ok("verify", "file", "--offline")  # by itself it cannot know of a heavier chain
    finally:
        node.rpc("reconsiderblock", block)
    shell.ok("verify", "file")


def test_a_proof_of_another_network_says_so(
    capsys: pytest.CaptureFixture[str], shell: Shell, node: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"where")
    stamped(shell, node, "file")
    for network in ("test", "main"):
        other = Shell(capsys, "--network", network, "--datadir", str(tmp_path / "nothing"))
        line = other.fails(1, "verify", "file", "--offline")
        assert f"the proof is of the network 'dev', not of '{network}'; --network chooses" in line
    unknown = json.loads((tmp_path / "file.proof").read_text()) | {"genesis": "ab" * 32}
    (tmp_path / "unknown").write_text(json.dumps(unknown))
    assert f"is of the chain of genesis {'ab' * 32}, not of 'dev'" in shell.fails(1, "verify", "file", "unknown")


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["stamp", "missing"], 1, "missing: No such file"),
        (["stamp", "file", "--wallet", "nobody"], 1, "there is no wallet 'nobody'"),
        (["stamp", "file", "--txid", "00" * 32], 1, "neither in the mempool nor in the chain"),
        (["verify", "file"], 1, "file.proof: No such file"),
        (["verify", "file", "file"], 1, "not a stamp's proof"),
        (["verify", "missing", "file"], 1, "missing: No such file"),
        (["stamp"], 2, "Missing argument"),
        (["stamp", "file", "--confirmations", "0"], 2, "not in the range"),
    ],
)
def test_what_does_not_work_is_said_in_one_line(
    shell: Shell, tmp_path: Path, words: list[str], code: int, line: str
) -> None:
    (tmp_path / "file").write_bytes(b"any")
    result = shell(*words)
    assert result.code == code
    assert line in result.err
    assert "Traceback" not in result.err


def test_without_a_node_it_is_exit_code_3(shell: Shell, elsewhere: Shell, node: Daemon, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"alone")
    stamped(shell, node, "file")
    assert "no node runs" in elsewhere.fails(3, "verify", "file")
    assert "no node runs" in elsewhere.fails(3, "stamp", "file", "--txid", "00" * 32, "--force")


def test_somebody_elses_payment_is_no_stamp(shell: Shell, node: Daemon, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"not stamped")
    account = node.rpc("getaccount", encode_address(SPEC.hrp, dev_key(3).public_key))
    payment = Payment(decode_address(SPEC.hrp, MINER), 1, 0, b"invoice")
    transfer = sign_transfer(dev_key(3), SPEC.genesis_hash, account["pending_sequence"], payment)
    txid = node.rpc("sendrawtransaction", transfer.raw.hex())
    mine(node)
    assert "memo is no stamp" in shell.fails(1, "stamp", "file", "--txid", txid)
    assert not (tmp_path / "file.proof").exists()
