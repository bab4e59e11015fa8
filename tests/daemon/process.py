"""Real daemons for tests: each a process of its own, started from Python, called over its API."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.network import Network

TIMEOUT_S = 120.0
"""Generous: test machines are busy."""

QUICK = Network(name="quick", spacing_s=1)
"""Every second hash is a proof of work, so mining runs as fast as the node takes blocks; the two hours that a block may
be ahead of the clock have room for 40,000 of them."""

PROGRAM = """
import json, sys
{prelude}
from pychain.daemon.daemon import run
from pychain.daemon.settings import load_settings
sys.exit(run(load_settings(json.loads(sys.argv[1]))))
"""


class RpcFailedError(Exception):
    """The API answered with an error object."""


class Daemon:
    """A node process on loopback and free ports. As a context manager it is killed at the end, whatever happened."""

    def __init__(self, datadir: Path, prelude: str = "", **flags: Any) -> None:
        """`prelude`: Python that the process runs first. `flags`: settings."""
        self.datadir = datadir
        self._log = datadir.with_suffix(".log")
        settings = {"datadir": str(datadir), "listen": ["127.0.0.1"], "p2p_port": 0, "api_port": 0, **flags}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM.format(prelude=prelude), json.dumps(settings)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={name: value for name, value in os.environ.items() if not name.startswith("PYCHAIN_")},
            )
        self._cookie = ""

    def __enter__(self) -> Daemon:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    # --- life

    def wait_ready(self) -> Daemon:
        self.until(lambda: self.ready is not None)
        self._cookie = (self.datadir / ".cookie").read_text()
        return self

    @property
    def ready(self) -> dict[str, Any] | None:
        """The content of `ready.json`, if this process wrote one."""
        try:
            content: dict[str, Any] = json.loads((self.datadir / "ready.json").read_bytes())
        except FileNotFoundError:
            return None
        return content if content["pid"] == self.process.pid else None

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, as long as the process lives."""
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            assert self.process.poll() is None, f"the node ended with {self.process.returncode}:\n{self.log}"
            assert time.monotonic() < deadline, f"the node did not come so far:\n{self.log}"
            time.sleep(0.01)

    def wait(self) -> int:
        """Wait for the end; the exit code."""
        return self.process.wait(TIMEOUT_S)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def log(self) -> str:
        """All that this and earlier processes on the directory wrote."""
        return self._log.read_text(errors="replace")

    # --- talking to it

    @property
    def p2p(self) -> str:
        assert self.ready is not None
        address: str = self.ready["p2p"]
        return address

    def rpc(self, method: str, *params: Any) -> Any:
        assert self.ready is not None
        request = urllib.request.Request(
            f"{self.ready['api']}/rpc",
            data=json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": "Basic " + base64.b64encode(self._cookie.encode()).decode(),
            },
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            answer = json.load(response)
        if "error" in answer:
            raise RpcFailedError(answer["error"]["message"])
        return answer["result"]

    @property
    def height(self) -> int:
        height: int = self.rpc("getblockcount")
        return height

    @property
    def tip(self) -> str:
        tip: str = self.rpc("getbestblockhash")
        return tip
