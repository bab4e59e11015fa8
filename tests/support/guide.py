"""Guides as tests: the shell blocks of a page run in order, as one script, as a reader would type them.

A block fenced as `sh background` is one command that keeps running: it is started as a process of its own, and the
script goes on when its node is ready. Other blocks are run by bash, each line echoed, and any that fails ends the test.
Blocks fenced as `sh by-hand` need what no test has, and those under a comment `<!-- ... command -->` are run by others;
test_guides.py names every command of them.

Nodes listen on free ports here. Where a page names the ports of the network `dev`, the first node's are meant.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pychain.keystore.unlocked import lock

PATIENCE_S = 500.0
"""Generous: a page is dozens of processes, and test machines are busy."""
_BLOCK = re.compile(r"(?<! command -->\n)^```sh( background)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BY_HAND = re.compile(r"^(?:```sh by-hand|<!-- \w+ command -->\n```sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FREE_PORTS = "--p2p-port 0 --api-port 0"
_SHOWN_PEER, _SHOWN_API = "127.0.0.1:33700", "http://127.0.0.1:33701"


def commands_by_hand(page: Path) -> list[str]:
    """The commands of a page that this does not run."""
    return [line for block in _BY_HAND.findall(page.read_text("utf-8")) for line in block.splitlines()]


def blocks_by_hand(page: Path) -> int:
    """How many blocks those are."""
    return len(_BY_HAND.findall(page.read_text("utf-8")))


def shell_blocks(page: Path) -> int:
    """How many blocks of shell commands a page shows, of every kind."""
    return len(re.findall(r"^```(?:sh|bash|console|shell)\b", page.read_text("utf-8"), re.MULTILINE))


class Guide:
    """A page, to be run in a directory that is empty and in an environment of its own."""

    def __init__(self, page: Path, directory: Path) -> None:
        self._blocks = [(bool(background), text) for background, text in _BLOCK.findall(page.read_text("utf-8"))]
        self._directory = directory
        self._data = directory / "data"
        self._ports: dict[str, str] = {}
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYCHAIN_")},
            "PATH": f"{self._commands()}:{os.environ['PATH']}",
            "PYCHAIN_DATADIR": str(self._data),
            "PYCHAIN_NETWORK": "dev",
            "PYCHAIN_PASSWORD": "correct horse",
        }

    @property
    def blocks(self) -> int:
        """How many blocks `run` runs."""
        return len(self._blocks)

    def run(self) -> str:
        """Run it all; gives what was printed."""
        started: list[subprocess.Popen[bytes]] = []
        script = ["set -euxo pipefail"]
        try:
            for background, text in self._blocks:
                if background:
                    started.append(self._start(shlex.split(self._here(text))))
                else:
                    script.append(text)
            return self._script(self._here("\n".join(script)))
        finally:
            for process in started:
                process.kill()
                process.wait()
            for record in self._directory.glob("*/devnet.json"):  # a page that failed before its `devnet down`
                self._script(f"pychain devnet down --dir {shlex.quote(str(record.parent))}")
            for socket in (self._data / "wallets").glob("*.agent"):
                lock(socket.parent, socket.stem)

    def python(self, code: str, *arguments: str) -> str:
        """Run a Python block of the page where the script ran."""
        words = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(
            words, cwd=self._directory, capture_output=True, text=True, check=True, timeout=PATIENCE_S
        )
        return done.stdout

    def _commands(self) -> Path:
        """A directory with the command `pychain`, whatever is installed."""
        folder = self._directory / "bin"
        folder.mkdir()
        command = folder / "pychain"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pychain "$@"\n')
        command.chmod(0o755)
        return folder

    def _start(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*words, *_FREE_PORTS.split()], cwd=self._directory, env=self._environment, stderr=subprocess.DEVNULL
        )
        chosen = words[words.index("--datadir") + 1] if "--datadir" in words else self._data
        ready = self._directory / chosen / "ready.json"
        give_up = time.monotonic() + PATIENCE_S
        while not ready.exists():
            assert process.poll() is None, f"{words} ended with {process.returncode}"
            assert time.monotonic() < give_up, f"{words} was not ready in time"
            time.sleep(0.02)
        if not self._ports:
            told = json.loads(ready.read_text("utf-8"))
            self._ports = {_SHOWN_PEER: told["p2p"], _SHOWN_API: told["api"]}
        return process

    def _here(self, text: str) -> str:
        """A page's commands with the ports of its first node."""
        for shown, actual in self._ports.items():
            text = text.replace(shown, actual)
        return text

    def _script(self, text: str) -> str:
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout
