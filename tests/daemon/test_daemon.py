"""Real daemons, each a process: they become ready, mine, agree, stop cleanly, die badly, and start again."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pychain.base.entropy import Random
from pychain.chain.address import encode_address
from pychain.p2p.framing import FrameReader, frame
from pychain.p2p.limits import FRAME_LIMIT_BEFORE_HELLO
from pychain.p2p.messages import Goodbye, decode
from tests.daemon.process import PROGRAM, QUICK, TIMEOUT_S, Daemon

RACE_MINER = encode_address("rpyc", bytes(range(32)))
QUICK_MINER = encode_address(QUICK.hrp, bytes(range(32)))


@pytest.fixture
def quick(tmp_path: Path) -> str:
    """The path of a network on which blocks cost nothing."""
    path = tmp_path / "quick.toml"
    path.write_text(QUICK.toml())
    return str(path)


def addresses(ready_address: str) -> tuple[str, int]:
    host, _, port = ready_address.rpartition(":")
    return host, int(port)


def announced(node: Daemon) -> list[tuple[int, str]]:
    """Height and hash of each tip in the logs of the processes on this directory, complete lines only."""
    return [(int(height), tip) for height, tip in re.findall(r"new tip at height (\d+).*: ([0-9a-f]{64})\n", node.log)]


# --- becoming ready, and ending


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_node_says_when_it_is_ready_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with Daemon(tmp_path / "node", network="dev").wait_ready() as node:
        ready = node.ready
        assert ready is not None
        assert (ready["network"], ready["pid"]) == ("dev", node.process.pid)
        assert ready["genesis"] == node.tip
        assert ready["node_id"].startswith("12D3KooW")
        assert (ready["stratum"], ready["libp2p"]) == (None, None)
        cookie = node.datadir / ".cookie"
        assert cookie.read_text().startswith("__cookie__:")
        assert cookie.stat().st_mode & 0o777 == 0o600
        with socket.create_connection(addresses(ready["p2p"])):
            pass
        assert node.stop(number) == 0
        assert not (node.datadir / "ready.json").exists()
        assert not cookie.exists()
        assert "Traceback" not in node.log


def test_the_api_can_stop_a_node(tmp_path: Path) -> None:
    with Daemon(tmp_path / "node", network="dev").wait_ready() as node:
        node.rpc("stop")
        assert node.wait() == 0


def test_a_second_signal_ends_a_node_that_hangs(tmp_path: Path) -> None:
    prelude = """
from pychain.node.node import Node
from pychain.node.inputs import Stop
handle = Node.handle
Node.handle = lambda node, event, now: [] if isinstance(event, Stop) else handle(node, event, now)
"""
    with Daemon(tmp_path / "node", prelude, network="dev").wait_ready() as node:
        node.process.send_signal(signal.SIGINT)
        node.until(lambda: "stopping" in node.log)
        assert node.stop(signal.SIGINT) == -signal.SIGINT


def test_identity_and_chain_survive_a_restart(tmp_path: Path, quick: str) -> None:
    with Daemon(tmp_path / "node", network=quick, mine=QUICK_MINER).wait_ready() as node:
        node.until(lambda: node.height >= 20)
        assert node.ready is not None
        identity = node.ready["node_id"]
        assert node.stop() == 0
    height, tip = announced(node)[-1]
    with Daemon(tmp_path / "node", network=quick).wait_ready() as node:
        assert node.rpc("getblockhash", height) == tip
        assert node.height - height in (0, 1)  # the last may have been found as it stopped: stored, and connected now
        assert node.ready is not None
        assert node.ready["node_id"] == identity
        assert node.stop() == 0


# --- an impossible setup is one clear line


def refusal(node: Daemon) -> str:
    """The output of a node that did not start: it must be exactly one line."""
    assert node.wait() == 1
    (line,) = node.log.splitlines()
    return line


def test_a_second_node_on_a_directory_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with Daemon(tmp_path / "node", network="dev").wait_ready() as first:
        ready = (first.datadir / "ready.json").read_bytes()
        line_count = len(first.log.splitlines())
        with Daemon(tmp_path / "node", network="dev") as second:
            assert second.wait() == 1
        assert first.log.splitlines()[line_count:] == [
            f"pychain: another node (pid {first.process.pid}) is using {first.datadir}"
        ]
        assert (first.datadir / "ready.json").read_bytes() == ready
        assert first.height == 0
        assert first.stop() == 0


@pytest.mark.parametrize("setting", ["p2p_port", "api_port"])
def test_a_taken_port_is_one_line(tmp_path: Path, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Daemon(tmp_path / "node", network="dev", **{setting: port}) as node:
            assert refusal(node) == f"pychain: cannot listen on 127.0.0.1:{port}: address already in use"
    assert sorted(path.name for path in (tmp_path / "node").iterdir() if path.name in ("ready.json", ".cookie")) == []


def test_a_directory_of_another_chain_is_refused(tmp_path: Path) -> None:
    with Daemon(tmp_path / "node", network="dev").wait_ready() as node:
        assert node.stop() == 0
    said = len(node.log.splitlines())
    with Daemon(tmp_path / "node", network="race") as node:
        assert node.wait() == 1
    (line,) = node.log.splitlines()[said:]
    assert line.startswith(f"pychain: {node.datadir} holds the chain of genesis ")


def test_a_directory_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "node").write_text("not a directory")
    with Daemon(tmp_path / "node", network="dev") as node:
        assert refusal(node).startswith(f"pychain: {node.datadir} cannot be the data directory")


# --- agreeing


def test_two_nodes_that_mine_on_race_agree(tmp_path: Path) -> None:
    with Daemon(tmp_path / "a", network="race", mine=RACE_MINER).wait_ready() as a:
        with Daemon(tmp_path / "b", network="race", mine=RACE_MINER, connect=[a.p2p]).wait_ready() as b:
            b.until(lambda: b.height >= 4)
            b.until(lambda: a.tip == b.tip)
            assert len(b.rpc("getpeerinfo")) == 1
            assert b.stop() == 0
        a.until(lambda: a.rpc("getpeerinfo") == [])
        assert a.stop() == 0
        assert "shutting_down" in a.log


def test_a_newcomer_catches_up_and_a_miner_s_blocks_reach_it_at_once(tmp_path: Path, quick: str) -> None:
    with Daemon(tmp_path / "old", network=quick, mine=QUICK_MINER).wait_ready() as old:
        old.until(lambda: old.height >= 100)
        with Daemon(tmp_path / "new", network=quick, connect=[old.p2p]).wait_ready() as new:
            new.until(lambda: new.height >= 120)
            assert new.stop() == 0
        height, tip = announced(new)[-1]
        assert height >= 120
        assert old.rpc("getblockhash", height) == tip
        assert old.stop() == 0


def test_nodes_run_without_uvloop_and_without_the_native_core(tmp_path: Path, quick: str) -> None:
    prelude = "sys.modules['uvloop'] = None; sys.modules['pychain.native._core'] = None"
    with Daemon(tmp_path / "node", prelude, network=quick, mine=QUICK_MINER, threads=2).wait_ready() as node:
        node.until(lambda: node.height >= 5)
        assert "the C core is not available" in node.log
        assert node.stop() == 0


# --- dying


def test_a_killed_node_starts_again_with_every_tip_that_it_announced(tmp_path: Path, quick: str) -> None:
    """SIGKILL at moments that a seed draws, while blocks come as fast as they can be committed."""
    draw = Random(20261120)
    for _ in range(6):
        with Daemon(tmp_path / "node", network=quick, mine=QUICK_MINER) as node:
            tips_before = len(announced(node))
            for height, tip in announced(node.wait_ready())[:tips_before][-20:]:
                assert node.rpc("getblockhash", height) == tip
            node.until(lambda count=tips_before: len(announced(node)) > count)  # type: ignore[misc]
            time.sleep(draw.unit() / 4)
            node.kill()
    tips = announced(node)
    assert len(tips) > 6
    assert [height for height, _ in tips] == sorted({height for height, _ in tips})
    assert "reorganised" not in node.log
    assert "Traceback" not in node.log


def test_a_full_disk_stops_a_node_and_leaves_its_tip(tmp_path: Path, quick: str) -> None:
    """The system limits the size of files, which to a node is like a full disk."""
    prelude = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))"
    with Daemon(tmp_path / "node", prelude, network=quick, mine=QUICK_MINER).wait_ready() as node:
        assert node.wait() == 1
    lines = node.log.splitlines()
    assert lines[-1].startswith("pychain: ")
    assert "Traceback" not in node.log
    last = announced(node)[-1]
    with Daemon(tmp_path / "node", network=quick).wait_ready() as node:
        assert (node.height, node.tip) == last
        assert node.stop() == 0


def test_a_bug_in_the_node_stops_it_with_a_traceback_and_leaves_its_tip(tmp_path: Path, quick: str) -> None:
    prelude = """
from pychain.node.mining import Mining
from pychain.node.node import Node
follow = Mining.follow
def broken(mining, outcomes, now):
    assert mining._tree.tip.height < 500, "a bug for the test"
    follow(mining, outcomes, now)
Mining.follow = broken
"""
    with Daemon(tmp_path / "node", prelude, network=quick, mine=QUICK_MINER).wait_ready() as node:
        assert node.wait() == 1
    assert "Traceback" in node.log
    assert node.log.splitlines()[-1].startswith("pychain: internal error: AssertionError: a bug for the test")
    height, tip = announced(node)[-1]
    with Daemon(tmp_path / "node", network=quick).wait_ready() as node:
        assert node.height >= height
        assert node.rpc("getblockhash", height) == tip
        assert node.stop() == 0


# --- strangers on the wire


def test_an_oversize_frame_is_answered_with_a_goodbye_and_the_end(tmp_path: Path) -> None:
    with Daemon(tmp_path / "node", network="dev").wait_ready() as node:
        with socket.create_connection(addresses(node.p2p), timeout=TIMEOUT_S) as stranger:
            stranger.sendall((2**32 - 1).to_bytes(4, "big") + random.Random(1).randbytes(300_000))
            received = b""
            while chunk := stranger.recv(65536):
                received += chunk
        messages = [decode(payload) for payload in FrameReader(2**20).feed(received)]
        assert isinstance(messages[-1], Goodbye)
        assert str(FRAME_LIMIT_BEFORE_HELLO) in messages[-1].text
        assert node.height == 0
        assert node.stop() == 0


def test_garbage_from_strangers_harms_nothing(tmp_path: Path) -> None:
    with Daemon(tmp_path / "node", network="dev").wait_ready() as node:
        garbage = random.Random(2)
        for _ in range(50):
            with socket.create_connection(addresses(node.p2p), timeout=TIMEOUT_S) as stranger:
                try:
                    for _ in range(3):
                        stranger.sendall(frame(garbage.randbytes(garbage.randint(1, 4096))))
                except (ConnectionResetError, BrokenPipeError):
                    continue
        assert node.height == 0
        assert node.stop() == 0
        assert "Traceback" not in node.log


# --- on a terminal


def test_on_a_terminal_the_live_view_shows_the_node_and_the_log_goes_to_a_file(tmp_path: Path, quick: str) -> None:
    datadir = tmp_path / "node"
    settings = {"datadir": str(datadir), "network": quick, "listen": [], "api_port": 0, "mine": QUICK_MINER}
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(prelude=""), json.dumps(settings)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
    )
    os.close(slave)
    shown = b""
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while not re.search(rb"new tip at height", shown):
            assert time.monotonic() < deadline, shown
            if select.select([master], [], [], 0.1)[0]:
                shown += os.read(master, 65536)
        process.send_signal(signal.SIGINT)
        while process.poll() is None or select.select([master], [], [], 0)[0]:
            assert time.monotonic() < deadline
            if select.select([master], [], [], 0.1)[0]:
                try:
                    shown += os.read(master, 65536)
                except OSError:  # Linux's way to say that the other side is closed
                    break
        assert process.wait(TIMEOUT_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    for word in (b"pychain", b"quick", b"height", b"peers", b"mempool", b"mining", b"Ctrl-C"):
        assert word in shown
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")  # the cursor is back
    log = (datadir / "node.log").read_text()
    assert "is ready" in log
    assert "stopping" in log
