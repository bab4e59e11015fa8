"""Faults by commands from another shell than the one that started the nodes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pychain.cli.devnet.life import lasting
from pychain.devnet.directory import is_up, running_nodes
from pychain.devnet.identity import identify
from pychain.devnet.record import the_record
from tests.support.user_rules import write_network, write_rules

TIMEOUT_S = 120.0


class Shell:
    """Runs `pychain devnet` on one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(self, *words: str, code: int = 0) -> str:
        """The output of a command, from standard error if it fails; its exit code must be this one."""
        done = subprocess.run(
            [sys.executable, "-m", "pychain", "devnet", *words, "--dir", str(self.directory)],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code else done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))


def test_every_node_has_the_user_s_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From relative paths, and also where it is restarted by a command that is not told of the file."""
    network, rules = write_network(tmp_path), write_rules(tmp_path)
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path / "devnet")
    shell.run("up", "-n", "2", "--network", network.name, "--plugin", rules.name, "--no-mine", "--detach")
    try:
        assert shell.run("kill", "1") == "node1 killed\n"
        assert shell.json("restart", "1") == {"restarted": [1]}
    finally:
        shell.run("down")


def test_a_detached_devnet_is_broken_and_healed(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "devnet")
    up = shell.json("up", "-n", "3", "--network", "dev", "--no-mine", "--detach")
    try:
        assert shell.json("partition", "0,1") == {"groups": [[0, 1], [2]]}
        lines = shell.run("status").splitlines()
        assert lines[-1] == "apart: node0 node1 | node2"
        assert shell.run("lag", "20", "--jitter", "5", "--between", "2", "0") == (
            "lag: 20 to 25 ms each way on node0-node2\n"
        )
        rows = shell.json("status")
        assert [row["state"] for row in rows] == ["running"] * 3
        assert rows[2]["links"] == [
            {"to": "node0", "cut": True, "lag_ms": 20, "jitter_ms": 5},
            {"to": "node1", "cut": True, "lag_ms": 0, "jitter_ms": 0},
        ]
        assert shell.run("heal") == "all links are restored\n"
        assert shell.json("heal") == {"healed": False}

        assert shell.run("kill", "1", "0") == "node1, node0 killed\n"
        assert shell.json("pause", "2") == {"paused": [2]}
        assert [row["state"] for row in shell.json("status")] == ["killed", "killed", "paused"]
        assert not identify(up[0]["pid"])
        assert "no node is running" in shell.run("load", code=1)
        assert "node1 does not run; `restart` starts it" in shell.run("kill", "1", code=1)
        assert shell.run("pause", "2", "--resume") == "node2 resumed\n"
        assert shell.json("restart", "0", "1", "2") == {"restarted": [0, 1, 2]}
        again = shell.json("status")
        assert [(row["state"], row["api"]) for row in again] == [("running", row["api"]) for row in up]

        report = shell.json("load", "--rate", "30", "--seconds", "1", "--wait", "1")
        assert (report["submitted"], report["accepted"], report["confirmed"]) == (30, 30, 0)
        assert report["accepted_in_ms"]["max"] >= report["accepted_in_ms"]["p50"] > 0
        told = shell.run("load", "--rate", "2", "--seconds", "1", "--wait", "0")
        assert told.startswith("submitted  2 in 1.0 s")
        assert shell.run("lag", "0") == "no link has lag\n"
    finally:
        assert shell.run("down") == "3 nodes stopped\n"
    assert not is_up(shell.directory)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("partition", "0,1", "1"), "node1 is in two groups"),
        (("partition", "0-2"), "there is no node2: there are node0 to node1"),
        (("partition", "a"), "'a' is not a group of nodes such as 0,1 or 0-3"),
        (("partition", "0,"), "'0,' is not a group of nodes"),
        (("partition",), "Missing argument 'GROUP...'"),
        (("kill", "2"), "there is no node2"),
        (("restart", "0", "5"), "there is no node5"),
        (("kill", "-1"), "No such option"),
        (("lag", "much"), "'much' is not a valid float"),
        (("lag", "70000"), "is not in the range"),
        (("lag", "5", "--between", "0", "4"), "there is no node4"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_a_wrong_usage(words: tuple[str, ...], says: str, two: Shell) -> None:
    assert says in two.run(*words, code=2)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Any:
    shell = Shell(tmp_path_factory.mktemp("two") / "devnet")
    shell.run("up", "-n", "2", "--network", "dev", "--no-mine", "--detach")
    yield shell
    assert shell.run("down") == "2 nodes stopped\n", "no mistake has harmed a node"


@pytest.mark.parametrize("words", [("heal",), ("kill", "0"), ("lag", "5"), ("load",), ("partition", "0"), ("status",)])
def test_without_a_devnet_one_line_says_so(words: tuple[str, ...], tmp_path: Path) -> None:
    said = Shell(tmp_path).run(*words, code=1)
    assert said == f"pychain: no devnet runs in {tmp_path}; `pychain devnet up --detach` starts one\n"


def test_a_devnet_in_the_foreground_is_broken_from_another_shell(tmp_path: Path) -> None:
    """It continues with the restarted node, and repairs the rest before the nodes must agree."""
    shell = Shell(tmp_path / "devnet")
    words = ["devnet", "up", "-n", "4", "--dir", str(shell.directory)]
    with subprocess.Popen([sys.executable, "-m", "pychain", *words], stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        while "node3" not in up.stdout.readline():
            pass
        shell.run("restart", "0")
        shell.run("kill", "3")
        shell.run("pause", "2")
        shell.run("partition", "0", "1", "2")
        nodes = running_nodes(shell.directory)
        assert len(nodes) == 3
        up.send_signal(signal.SIGINT)
        rest = up.stdout.read()
        assert up.wait(TIMEOUT_S) == 0, rest
    assert "links that were cut or slow are healed\n" in rest
    assert "node2 was paused and is resumed\n" in rest
    assert "node3 was killed and is ignored\n" in rest
    assert "all 3 nodes agree at height" in rest
    assert rest.rstrip().endswith("coins issued")
    assert not any(process.identity.is_running for process in nodes)
    assert not is_up(shell.directory)


def test_a_devnet_in_the_foreground_is_stopped_from_another_shell(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "devnet")
    words = ["devnet", "up", "-n", "2", "--json", "--dir", str(shell.directory)]
    with subprocess.Popen(
        [sys.executable, "-m", "pychain", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        assert up.stderr is not None
        assert json.loads(up.stdout.readline())["faults"] == []
        shell.run("partition", "0")
        while json.loads(up.stdout.readline())["faults"] != ["apart: node0 | node1"]:
            pass
        assert shell.run("down") == "2 nodes stopped\n"
        assert up.wait(TIMEOUT_S) == 1
        assert up.stderr.read().splitlines()[-1] == "pychain: the nodes were stopped from another shell"
    assert not is_up(shell.directory)


def test_a_node_is_restarted_from_another_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network's file was named by a path relative to where `up` was called."""
    spec = Path(__file__).parent.parent.parent / "pychain/chain/networks/dev.toml"
    (tmp_path / "own.toml").write_text(spec.read_text("utf-8").replace('name = "dev"', 'name = "own"'))
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path / "devnet")
    shell.run("up", "-n", "1", "--network", "./own.toml", "--no-mine", "--detach")
    try:
        assert the_record(shell.directory).network == lasting("./own.toml") == str(tmp_path / "own.toml")
        monkeypatch.chdir("/")
        assert shell.run("restart", "0") == "node0 restarted\n"
    finally:
        shell.run("down")
    assert lasting("race") == "race"
