"""The data directory: one node at a time, whatever became of the last one."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pychain.base.errors import ConfigError
from pychain.daemon.datadir import DataDirectory, DirectoryInUseError, Ready

READY = Ready(
    pid=1,
    version="0.1.0",
    network="dev",
    genesis="00" * 32,
    node_id="ab" * 32,
    p2p="127.0.0.1:1",
    api="http://127.0.0.1:2",
)
HOLDER = """
import sys, pathlib
from pychain.daemon.datadir import DataDirectory, Ready
directory = DataDirectory(pathlib.Path(sys.argv[1]))
directory.write_cookie("secret")
directory.announce(Ready(1, "", "", "", "", "", ""))
print("held", flush=True)
sys.stdin.read()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def hold(directory: Path) -> subprocess.Popen[str]:
    """Another process that has the directory and serves."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_it_is_made_for_its_owner(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700
    directory.close()


def test_a_second_node_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    with hold(tmp_path) as holder:
        assert holder.stdin is not None
        for _ in range(2):
            with pytest.raises(DirectoryInUseError) as caught:
                DataDirectory(tmp_path)
            assert str(caught.value) == f"another node (pid {holder.pid}) is using {tmp_path}"
        assert (tmp_path / "ready.json").exists(), "a refused node removed the file of the one that serves"
        assert (tmp_path / ".cookie").exists()
        holder.stdin.close()
    assert holder.returncode == 0


def test_one_process_cannot_take_it_twice(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    with pytest.raises(DirectoryInUseError, match=str(os.getpid())):
        DataDirectory(tmp_path)
    directory.close()
    DataDirectory(tmp_path).close()


@pytest.mark.parametrize("content", [b"", b"no pid\n", b"9" * 100])
def test_a_holder_that_left_no_pid_is_still_a_holder(tmp_path: Path, content: bytes) -> None:
    directory = DataDirectory(tmp_path)
    (tmp_path / ".lock").write_bytes(content)
    with pytest.raises(DirectoryInUseError, match=r"^another node.* is using "):
        DataDirectory(tmp_path)
    directory.close()


def test_a_killed_node_leaves_nothing_that_a_new_one_minds(tmp_path: Path) -> None:
    with hold(tmp_path) as holder:
        os.kill(holder.pid, signal.SIGKILL)
    assert (tmp_path / "ready.json").exists()
    directory = DataDirectory(tmp_path)
    assert not (tmp_path / "ready.json").exists()
    assert not (tmp_path / ".cookie").exists()
    assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
    directory.close()


def test_ready_has_the_promised_fields_and_goes_with_the_node(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.announce(READY)
    assert json.loads((tmp_path / "ready.json").read_text()) == {
        "pid": 1,
        "version": "0.1.0",
        "network": "dev",
        "genesis": "00" * 32,
        "node_id": "ab" * 32,
        "p2p": "127.0.0.1:1",
        "api": "http://127.0.0.1:2",
        "stratum": None,
        "libp2p": None,
    }
    directory.close()
    assert not (tmp_path / "ready.json").exists()


def test_the_cookie_is_the_owners_alone_whatever_was_there(tmp_path: Path) -> None:
    (tmp_path / ".cookie.new").write_text("left by a crash")
    (tmp_path / ".cookie.new").chmod(0o666)
    directory = DataDirectory(tmp_path)
    directory.write_cookie("secret")
    assert (tmp_path / ".cookie").read_text() == "__cookie__:secret"
    assert mode(tmp_path / ".cookie") == 0o600
    directory.write_cookie("another")
    assert (tmp_path / ".cookie").read_text() == "__cookie__:another"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".cookie", ".lock"]
    directory.close()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_path_that_cannot_be_it_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"^.*/file cannot be the data directory: File exists$"):
        DataDirectory(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"^.*/file/in cannot be the data directory: Not a directory$"):
        DataDirectory(tmp_path / "file" / "in")


def test_the_lock_is_not_inherited(tmp_path: Path) -> None:
    """A program that the node starts and that outlives it must not keep the next node out."""
    directory = DataDirectory(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        close_fds=False,
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        directory.close()
        DataDirectory(tmp_path).close()
        program.communicate(b"\n")
