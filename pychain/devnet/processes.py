"""Processes of a devnet: started detached from the terminal, awaited, paused, stopped, found again by their identity.

A node's log and data are in its data directory.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pychain.client import Client, Endpoint, endpoint_of
from pychain.devnet.errors import DevnetError
from pychain.devnet.identity import Identity, identify

LOG_FILE = "output.log"
READY_FILE = "ready.json"
START_TIMEOUT_S = 60.0
"""Time for a node to start: half a second on an idle machine."""
STOP_TIMEOUT_S = 30.0
"""Time for a node to stop cleanly, before it is killed."""
PAUSE_TIMEOUT_S = 10.0
"""Time for a process to pause: at once, unless it waits for a disk."""
LOG_TAIL_BYTES = 4096
_POLL_S = 0.05
_KEPT_VARIABLES = ("PYCHAIN_KERNEL",)
"""The only PYCHAIN_* variable that is passed to the nodes; others would override the options given here."""


class Ready(msgspec.Struct, frozen=True):
    """The content of a node's `ready.json`."""

    pid: int
    network: str
    p2p: str
    api: str


class Process:
    """A process that was started here (`child`), or is known only by its identity."""

    def __init__(self, identity: Identity, child: subprocess.Popen[bytes] | None = None) -> None:
        self.identity = identity
        self._child = child

    @property
    def is_running(self) -> bool:
        if self.identity.is_running:
            return True
        if self._child is not None:
            self._child.wait()  # it has ended: reap it
        return False

    def kill(self) -> None:
        """Kill it at once, as a power cut would."""
        self.identity.send(signal.SIGKILL)

    async def pause(self) -> None:
        """Pause it, and wait until it is paused."""
        self.identity.send(signal.SIGSTOP)
        give_up = time.monotonic() + PAUSE_TIMEOUT_S
        while self.is_running and not self.identity.is_paused:
            if time.monotonic() > give_up:
                raise DevnetError(f"process {self.identity.pid} does not pause")
            await asyncio.sleep(_POLL_S)

    def resume(self) -> None:
        """Resume it."""
        self.identity.send(signal.SIGCONT)

    async def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; False if it still runs after the timeout."""
        give_up = time.monotonic() + timeout_s
        while self.is_running:
            if time.monotonic() > give_up:
                return False
            await asyncio.sleep(_POLL_S)
        return True

    async def stop(self) -> None:
        """Stop it cleanly, even if paused, or kill it if that takes too long."""
        self.identity.send(signal.SIGTERM)
        self.resume()
        if not await self.wait(STOP_TIMEOUT_S):
            self.kill()
            await self.wait(STOP_TIMEOUT_S)


class NodeProcess(Process):
    """A node of a devnet."""

    def __init__(self, identity: Identity, datadir: Path, child: subprocess.Popen[bytes] | None = None) -> None:
        super().__init__(identity, child)
        self.datadir = datadir

    @classmethod
    def start(cls, datadir: Path, network: str, options: Sequence[str]) -> NodeProcess:
        """Run `pychain node` on a data directory."""
        datadir.mkdir(parents=True, exist_ok=True)
        (datadir / READY_FILE).unlink(missing_ok=True)  # of a killed run
        arguments = ["node", "--network", network, "--datadir", str(datadir), "--no-live", *options]
        identity, child = start_python("pychain", arguments, datadir / LOG_FILE)
        return cls(identity, datadir, child)

    @property
    def is_ready(self) -> bool:
        """Whether it has said where it listens."""
        return (self.datadir / READY_FILE).exists()

    async def ready(self, timeout_s: float = START_TIMEOUT_S) -> Ready:
        """Wait until the node is ready. DevnetError if it ends instead, with the last line of its log."""
        give_up = time.monotonic() + timeout_s
        log = self.datadir / LOG_FILE
        while time.monotonic() < give_up:
            if self.is_ready:
                return msgspec.json.decode((self.datadir / READY_FILE).read_bytes(), type=Ready)
            if not self.is_running:
                raise DevnetError(f"the node in {self.datadir} ended: {last_line(log)}")
            await asyncio.sleep(_POLL_S)
        raise DevnetError(f"the node in {self.datadir} was not ready within {timeout_s:g} s: {last_line(log)}")

    def client(self) -> Client:
        """A client of its API."""
        return Client(self.endpoint())

    def endpoint(self) -> Endpoint:
        return endpoint_of(self.datadir)


def start_python(module: str, arguments: Sequence[str], log: Path) -> tuple[Identity, subprocess.Popen[bytes]]:
    """Run a module as a process, detached from this terminal's signals, its output appended to a file."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYCHAIN_") or name in _KEPT_VARIABLES
    }
    # -P: import the package that runs now, never a source tree that happens to be the working directory.
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
    identity = identify(child.pid)
    if identity is None:
        child.wait()
        raise DevnetError(f"a process ended at once: {last_line(log)}")
    return identity, child


def last_line(log: Path) -> str:
    """The last line that a process printed."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "it left no log"
    return lines[-1] if lines else "it printed nothing"
