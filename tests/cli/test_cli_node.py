"""Commands that query a node, and the node's own command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pychain.chain.address import encode_address
from pychain.chain.hashes import hash_hex
from pychain.chain.spec import packaged_spec
from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, sign_transfer
from tests.cli.run import Shell
from tests.daemon.process import TIMEOUT_S, Daemon

SPEC = packaged_spec("dev")
MINER = encode_address(SPEC.hrp, dev_key(9).public_key)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A node with ten blocks and a transfer in its mempool."""
    with Daemon(tmp_path_factory.mktemp("cli") / "node", network="dev").wait_ready() as daemon:
        daemon.rpc("generatetoaddress", 10, MINER)
        payment = Payment(dev_key(1).public_key, 150_000_000, 1000, b"\x00\xff")
        daemon.rpc("sendrawtransaction", sign_transfer(dev_key(0), SPEC.genesis_hash, 0, payment).raw.hex())
        yield daemon


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], node: Daemon) -> Shell:
    return Shell(capsys, "--network", "dev", "--datadir", str(node.datadir))


def test_the_chain_at_a_glance(shell: Shell, node: Daemon) -> None:
    assert node.tip in shell.ok("chain", "info").out
    assert shell.ok("chain", "info", "--json").json == node.rpc("getblockchaininfo")


def test_a_block_by_height_and_by_hash(shell: Shell, node: Daemon) -> None:
    block_hash = node.rpc("getblockhash", 3)
    shown = shell.ok("chain", "block", "3").out
    assert shown == shell.ok("chain", "block", block_hash).out
    assert block_hash in shown
    assert shell.ok("chain", "block", "3", "--json").json == node.rpc("getblock", block_hash)
    assert shell.ok("chain", "block", "3", "--json", "--transactions").json == node.rpc("getblock", block_hash, 2)
    assert "coinbase" in shell.ok("chain", "block", "3", "--transactions").out
    assert shell.ok("chain", "block", "3", "--raw").out.strip() == node.rpc("getblock", block_hash, 0)
    assert "Block height out of range" in shell.fails(1, "chain", "block", "999")
    assert "Block not found" in shell.fails(1, "chain", "block", "00" * 32)


def test_a_transaction(shell: Shell, node: Daemon) -> None:
    [txid] = node.rpc("getrawmempool")
    assert "1.5 coins" in shell.ok("chain", "tx", txid).out
    assert "00ff" in shell.ok("chain", "tx", txid).out, "a memo that is no text is shown in hex"
    assert shell.ok("chain", "tx", txid, "--json").json["amount"] == 150_000_000
    assert shell.ok("chain", "tx", txid, "--raw").out.strip() == node.rpc("getrawtransaction", txid)
    coinbase = node.rpc("getblock", node.rpc("getblockhash", 1))["tx"][0]
    assert MINER in shell.ok("chain", "tx", coinbase).out
    assert "No such mempool or blockchain transaction" in shell.fails(1, "chain", "tx", "00" * 32)


def test_the_mempool(shell: Shell, node: Daemon) -> None:
    [txid] = node.rpc("getrawmempool")
    assert txid in shell.ok("mempool").out
    assert txid not in shell.ok("mempool", "--limit", "0").out
    told = shell.ok("mempool", "--json").json
    assert told["info"]["size"] == 1
    assert told["transactions"][txid]["fee"] == 1000


def test_branches_and_their_check(shell: Shell, node: Daemon) -> None:
    assert node.tip in shell.ok("chain", "tips").out
    assert shell.ok("chain", "tips", "--json").json == node.rpc("getchaintips")
    assert shell.ok("chain", "verify", "--level", "4", "--blocks", "0").out == "valid\n"
    assert shell.ok("chain", "verify", "--json").json == {"valid": True}


def test_peers(shell: Shell, node: Daemon, tmp_path: Path) -> None:
    assert "No connections" in shell.ok("peers", "list").out
    with Daemon(tmp_path / "other", network="dev").wait_ready() as other:
        assert "is being dialled" in shell.ok("peers", "add", other.p2p).out
        assert "already" in shell.fails(1, "peers", "add", other.p2p)
        node.until(lambda: bool(node.rpc("getnetworkinfo")["connections"]))
        assert other.p2p in shell.ok("peers", "list").out
        assert shell.ok("peers", "list", "--json").json[0]["addr"] == other.p2p
    node.rpc("addnode", other.p2p, "remove")
    assert "is not an address" in shell.fails(1, "peers", "add", "no where")
    assert shell.ok("peers", "add", "127.0.0.1:1", "--once", "--json").json == {"added": "127.0.0.1:1"}


def test_bans(shell: Shell, node: Daemon) -> None:
    assert "No bans." in shell.ok("peers", "ban").out
    assert shell.ok("peers", "ban", "203.0.113.0/24", "--json").json == {"banned": "203.0.113.0/24", "hours": 24}
    assert "banned for 2 h" in shell.ok("peers", "ban", "192.0.2.7", "--hours", "2").out
    assert {ban["address"] for ban in node.rpc("listbanned")} == {"203.0.113.0/24", "192.0.2.7/32"}
    assert "192.0.2.7/32" in shell.ok("peers", "ban").out
    assert shell.ok("peers", "ban", "192.0.2.7", "--lift", "--json").json == {"lifted": "192.0.2.7"}
    assert [ban["address"] for ban in shell.ok("peers", "ban", "--json").json] == ["203.0.113.0/24"]
    assert "not banned" in shell.fails(1, "peers", "ban", "192.0.2.7", "--lift")
    assert "nobody at all" in shell.fails(1, "peers", "ban", "nobody at all")
    refused = shell("peers", "ban", "--lift")
    assert (refused.code, "needs the address" in refused.err) == (2, True)
    shell.ok("peers", "ban", "203.0.113.0/24", "--lift")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["getblockhash", "0"], hash_hex(SPEC.genesis_hash)),
        (["--named", "getblockhash", "height=0"], hash_hex(SPEC.genesis_hash)),
        (["getblockheader", hash_hex(SPEC.genesis_hash), "false"], SPEC.genesis.header.raw.hex()),
    ],
)
def test_any_call_can_be_made(shell: Shell, words: list[str], expected: str) -> None:
    assert shell.ok("rpc", *words).out.strip() == expected
    assert shell.ok("rpc", *words, "--json").json == expected


def test_results_of_calls_are_printed_by_their_kind(shell: Shell) -> None:
    assert shell.ok("rpc", "getblockcount").out == "10\n"
    assert shell.ok("rpc", "getmempoolinfo").json["size"] == 1
    assert shell.ok("rpc", "setmining", "null").out == ""
    assert shell.ok("rpc", "setmining", "null", "--json").out == "null\n"
    assert "getblock blockhash" in shell.ok("rpc", "help", "getblock").out


def test_calls_that_fail_say_why(shell: Shell) -> None:
    assert "'nothing' is unknown" in shell.fails(1, "rpc", "nothing")
    assert "Expected `int`, got `str`" in shell.fails(1, "rpc", "getblockhash", "zero")
    assert shell("rpc", "--named", "getblockhash", "0").code == 2


def test_arguments_may_come_from_standard_input(node: Daemon) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pychain", "rpc", "--stdin", "getblockhash", "--datadir", str(node.datadir)],
        input="0\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert (result.stdout.strip(), result.returncode) == (hash_hex(SPEC.genesis_hash), 0)


# --- the node's own command


class Node:
    """`pychain node` as a process."""

    ON_FREE_PORTS = ("--network", "dev", "--p2p-port", "0", "--api-port", "0")

    def __init__(self, datadir: Path, *words: str) -> None:
        self.datadir = datadir
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pychain", "node", "--datadir", str(datadir), *self.ON_FREE_PORTS, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def ready(self) -> dict[str, Any]:
        give_up = time.monotonic() + TIMEOUT_S
        while not (self.datadir / "ready.json").exists():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < give_up
            time.sleep(0.02)
        ready: dict[str, Any] = json.loads((self.datadir / "ready.json").read_text())
        return ready

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Stop it; returns its exit code and its output."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, said


def test_a_node_runs_until_it_is_interrupted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Node(tmp_path / "node", "--mine", "--mine-interval", "0.05") as node:
        node.ready()
        shell = Shell(capsys, "--network", "dev", "--datadir", str(node.datadir))
        shell.ok("rpc", "waitforblockheight", "2")
        assert shell.ok("rpc", "getmininginfo").json["miningaddress"] == encode_address(SPEC.hrp, dev_key(0).public_key)
        code, said = node.end(signal.SIGINT)
    assert code == 0
    assert "Traceback" not in said


def test_a_node_mines_to_ones_own_wallet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYCHAIN_PASSWORD", "secret")
    shell = Shell(capsys, "--network", "dev", "--datadir", str(tmp_path / "node"))
    own = shell.ok("wallet", "create", "--kdf", "interactive", "--json").json["address"]
    with Node(tmp_path / "node", "--mine") as node:
        node.ready()
        shell.ok("rpc", "waitforblockheight", "2")
        assert node.end(signal.SIGTERM)[0] == 0
    with Node(tmp_path / "node") as node:
        node.ready()
        [account] = shell.ok("wallet", "balance", "--json").json
        assert account["address"] == own
        assert account["balance"] >= SPEC.initial_subsidy


def test_mining_needs_somebody_to_mine_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shell = Shell(capsys, "--network", "race", "--datadir", str(tmp_path / "node"))
    assert "make one with `pychain wallet create`" in shell.fails(2, "node", "--mine")
    assert "mine: " in shell.fails(2, "node", "--mine", MINER), "an address of another network"


def test_a_second_node_on_one_directory_and_a_taken_port_are_one_line_each(
    node: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Node(node.datadir) as second:
        _, said = second.process.communicate(timeout=TIMEOUT_S)
        assert second.process.returncode == 1
        assert said.startswith("pychain: another node")
        assert said.count("\n") == 1
    port = node.p2p.rpartition(":")[2]
    with Node(tmp_path / "other", "--p2p-port", port, "--log-level", "error") as third:
        _, said = third.process.communicate(timeout=TIMEOUT_S)
        assert third.process.returncode == 1
        assert f"cannot listen on 127.0.0.1:{port}: address already in use" in said
        assert said.count("\n") == 1
    assert node.rpc("uptime") >= 0, "the first one goes on"
