"""A network under a rule from a user's file: the daemon validates and mines by it, and reports a missing file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pychain.chain.address import encode_address
from pychain.daemon.settings import load_settings
from tests.cli.run import Shell
from tests.daemon.process import Daemon
from tests.support.network import EASY_BITS
from tests.support.user_rules import LATER_BITS, NAME, NETWORK, write_network, write_rules

MINER = encode_address(NETWORK.hrp, bytes(range(32)))


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def test_a_node_runs_under_a_user_s_rule(tmp_path: Path, shell: Shell) -> None:
    network, rules = str(write_network(tmp_path)), str(write_rules(tmp_path))
    chain, datadir = str(tmp_path / "chain.dat"), str(tmp_path / "node")
    with Daemon(tmp_path / "node", network=network, plugins=[rules], mine=MINER).wait_ready() as node:
        node.until(lambda: node.height >= 6)
        bits = [node.rpc("getblockheader", node.rpc("getblockhash", height))["bits"] for height in range(1, 7)]
        assert bits == [f"{EASY_BITS:08x}"] * 3 + [LATER_BITS] * 3
        assert node.stop() == 0
    plugin = ("--network", network, "--plugin", f"{rules}:Steady")
    shell.ok("chain", "export", chain, "--datadir", datadir, *plugin)
    shell.ok("chain", "import", chain, "--datadir", str(tmp_path / "copy"), *plugin)
    refused = shell.fails(2, "chain", "export", chain, "--datadir", datadir, "--network", network)
    assert f"retarget rule '{NAME}' is unknown" in refused


def test_a_node_without_the_rule_says_how_to_load_it(tmp_path: Path, shell: Shell) -> None:
    network = str(write_network(tmp_path))
    words = ("node", "--network", network, "--datadir", str(tmp_path / "node"))
    line = shell.fails(2, *words)
    assert line.startswith(f"pychain: chain spec 'steady': retarget rule '{NAME}' is unknown; there are asert, ")
    assert line.endswith("--plugin FILE.py loads your own\n")
    assert not (tmp_path / "node").exists()


@pytest.mark.parametrize(
    ("source", "line"),
    [("1 / 0", "1: ZeroDivisionError: division by zero"), ("x = (", "1: SyntaxError: '(' was never")],
)
def test_a_broken_file_is_one_line(tmp_path: Path, shell: Shell, source: str, line: str) -> None:
    rules = tmp_path / "rules.py"
    rules.write_text(source)
    words = ("--network", str(write_network(tmp_path)), "--datadir", str(tmp_path / "node"), "--plugin", str(rules))
    assert shell.fails(2, "node", *words).startswith(f"pychain: {rules}:{line}")


def test_files_come_from_all_places_that_settings_come_from(tmp_path: Path) -> None:
    network, rules = str(write_network(tmp_path)), str(write_rules(tmp_path))
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "pychain.toml").write_text(f'plugins = ["{rules}:Steady"]\n')
    flags = {"network": network, "datadir": str(tmp_path / "node")}
    assert load_settings(flags, {}).load_rulebook().spec.retarget == NAME
    environ = {"PYCHAIN_PLUGINS": f"{rules}:Sprinter,{rules}:Steady"}
    assert load_settings({**flags, "datadir": str(tmp_path)}, environ).load_rulebook().spec.retarget == NAME


def test_commands_that_need_no_rules_execute_no_files(tmp_path: Path, shell: Shell) -> None:
    rules = tmp_path / "rules.py"
    rules.write_text("1 / 0")
    words = ("--network", str(write_network(tmp_path)), "--datadir", str(tmp_path / "node"), "--plugin", str(rules))
    shell.ok("wallet", "list", *words)
