"""Real networks of real processes: the commands, a crash, and that nothing is left running."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pychain.chain.spec import packaged_spec
from pychain.devnet.directory import running_nodes
from pychain.devnet.identity import identify
from pychain.devnet.network import Devnet, Plan
from pychain.devnet.record import read_record

RACE = packaged_spec("race")
TIMEOUT_S = 120.0


def test_a_node_that_was_killed_comes_back_into_step(tmp_path: Path) -> None:
    async def run() -> None:
        devnet = Devnet(Plan(tmp_path / "devnet", "race", RACE, 2))
        await devnet.start()
        try:
            await devnet.mine([0])
            await devnet.nodes[1].client.call("waitforblockheight", 2, timeout_s=TIMEOUT_S)
            announced = await devnet.nodes[1].client.call("getbestblockhash", result=str)
            await devnet.kill(1)
            assert not devnet.nodes[1].process.is_running
            await devnet.restart(1)
            header = await devnet.nodes[1].client.header(announced)
            assert header.height >= 2, "what it had announced is still there"
            tip = await devnet.nodes[0].client.chain_info()
            await devnet.nodes[1].client.call("waitforblockheight", tip.blocks + 1, timeout_s=TIMEOUT_S)
        finally:
            await devnet.stop()

    asyncio.run(run())


# --- the commands


def devnet(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pychain", "devnet", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
        **options,
    )


def test_up_runs_for_its_time_and_ends_with_everybody_agreeing(tmp_path: Path) -> None:
    directory = tmp_path / "devnet"
    result = devnet("up", "-n", "3", "--for", "4", "--dir", str(directory))
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"starting 3 nodes on 'race' in {directory}"
    assert any("node2" in line for line in lines[1:-3])
    assert lines[-3].startswith("all 3 nodes agree at height")
    assert lines[-1].endswith("coins issued")
    assert running_nodes(directory) == []
    again = devnet("up", "-n", "3", "--for", "0", "--no-mine", "--json", "--dir", str(directory))
    assert again.returncode == 0, "an existing devnet goes on"
    picture = json.loads(again.stdout.splitlines()[0])
    assert len(picture["nodes"]) == 3
    assert "all 3 nodes agree" in again.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_up_and_all_its_nodes(tmp_path: Path, number: signal.Signals) -> None:
    directory = tmp_path / "devnet"
    words = ["devnet", "up", "-n", "2", "--dir", str(directory), "--transfers", "0"]
    with subprocess.Popen([sys.executable, "-m", "pychain", *words], stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        assert up.stdout.readline().startswith("starting 2 nodes")
        assert "node1" in up.stdout.readline()
        running = running_nodes(directory)
        assert len(running) == 2
        up.send_signal(number)
        rest = up.stdout.read()
        assert up.wait(TIMEOUT_S) == 0, rest
    assert "all 2 nodes agree" in rest
    assert not any(process.identity.is_running for process in running)


def test_detached_nodes_run_on_until_down(tmp_path: Path) -> None:
    directory = str(tmp_path / "devnet")
    up = devnet("up", "-n", "2", "--network", "dev", "--no-mine", "--detach", "--json", "--dir", directory)
    try:
        assert up.returncode == 0, up.stderr
        nodes = json.loads(up.stdout)
        assert [node["node"] for node in nodes] == ["node0", "node1"]
        assert all(identify(node["pid"]) for node in nodes)
        second = devnet("up", "--dir", directory)
        assert (second.returncode, second.stderr.count("\n")) == (1, 1)
        assert "a devnet runs in" in second.stderr
        status = json.loads(devnet("status", "--json", "--dir", directory).stdout)
        assert [row["height"] for row in status] == [0, 0]
        assert status[0]["tip"] == status[1]["tip"]
    finally:
        down = devnet("down", "--dir", directory)
    assert down.stdout == "2 nodes stopped\n"
    assert not any(identify(node["pid"]) for node in nodes)
    assert devnet("down", "--dir", directory).stdout == "0 nodes stopped\n"
    record = read_record(Path(directory))
    assert record is not None
    assert [node.process for node in record.nodes] == [None, None]
    gone = devnet("status", "--dir", directory)
    assert (gone.returncode, "no devnet runs in" in gone.stderr) == (1, True)


def test_without_a_directory_each_devnet_is_a_new_one(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    words = ("up", "-n", "1", "--network", "dev", "--no-mine", "--transfers", "0")
    first = devnet(*words, "--detach", "--json", env=environment)
    try:
        assert first.returncode == 0, first.stderr
        [node] = json.loads(first.stdout)
        marker = Path(node["datadir"]) / "marker"
        marker.touch()
        second = devnet(*words, "--for", "0", env=environment)
        assert (second.returncode, "a devnet runs in" in second.stderr) == (1, True)
        assert marker.exists()
    finally:
        devnet("down", env=environment)
    third = devnet(*words, "--for", "0", env=environment)
    assert third.returncode == 0, third.stderr
    assert not marker.exists()


def test_a_devnet_of_a_network_that_is_not_there_starts_nothing(tmp_path: Path) -> None:
    result = devnet("up", "--network", "nowhere", "--dir", str(tmp_path / "devnet"))
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "network 'nowhere' is unknown" in result.stderr
    assert not (tmp_path / "devnet").exists()


def test_nodes_are_not_told_the_settings_of_whoever_starts_them(tmp_path: Path) -> None:
    environment = {**os.environ, "PYCHAIN_MINE": "nonsense", "PYCHAIN_API_PORT": "1"}
    up = devnet("up", "-n", "1", "--for", "0", "--no-mine", "--dir", str(tmp_path / "d"), env={**environment})
    assert up.returncode == 2, "whoever starts them is told, though"
    environment = {**os.environ, "PYCHAIN_THREADS": "7"}
    up = devnet("up", "-n", "1", "--no-mine", "--detach", "--dir", str(tmp_path / "devnet"), env=environment)
    try:
        assert up.returncode == 0, up.stderr
        [process] = running_nodes(tmp_path / "devnet")

        async def threads() -> int:
            async with process.client() as client:
                return (await client.mining_info()).threads

        assert asyncio.run(threads()) == 1
    finally:
        devnet("down", "--dir", str(tmp_path / "devnet"))
