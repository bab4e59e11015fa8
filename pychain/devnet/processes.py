"""Processes of a devnet: started apart from the terminal, waited for, paused, stopped, found again by their identity.

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
"""For a node to serve: half a second on an idle machine."""
STOP_TIMEOUT_S = 30.0
"""For a node to stop in order, before it is killed."""
PAUSE_TIMEOUT_S = 10.0
"""For a process to stand still: at once, unless a disk holds it."""
LOG_TAIL_BYTES = 4096
_POLL_S = 0.05
_KEPT_VARIABLES = ("PYCHAIN_KERNEL",)
"""Of PYCHAIN_* alone this one is meant for the nodes; the others would change what they are told here."""


class Ready(msgspec.Struct, frozen=True):
    """What a node says of itself in `ready.json`."""

    pid: int
    network: str
    p2p: str
    api: str


class Process:
    """A process that was started here (`child`), or is known by its identity alone."""

    def __init__(self, identity: Identity, child: subprocess.Popen[bytes] | None = None) -> None:
        self.identity = identity
        self._child = child

    @property
    def is_running(self) -> bool:
        if self.identity.is_running:
            return True
        if self._child is not None:
            self._child.wait()  # it has ended: collect it
        return False

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.identity.send(signal.SIGKILL)

    async def pause(self) -> None:
        """Let it stand still, and wait until it does."""
        self.identity.send(signal.SIGSTOP)
        give_up = time.monotonic() + PAUSE_TIMEOUT_S
        while self.is_running and not self.identity.is_paused:
            if time.monotonic() > give_up:
                raise DevnetError(f"process {self.identity.pid} does not stand still")
            await asyncio.sleep(_POLL_S)

    def resume(self) -> None:
        """Let it go on."""
        self.identity.send(signal.SIGCONT)

    async def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; False where it still runs after the timeout."""
        give_up = time.monotonic() + timeout_s
        while self.is_running:
            if time.monotonic() > give_up:
                return False
            await asyncio.sleep(_POLL_S)
        return True

    async def stop(self) -> None:
        """Stop it in order, a paused one too, or kill it where that takes too long."""
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
        (datadir / READY_FILE).unlink(missing_ok=True)  # of a run that was killed
        arguments = ["node", "--network", network, "--datadir", str(datadir), "--no-live", *options]
        identity, child = start_python("pychain", arguments, datadir / LOG_FILE)
        return cls(identity, datadir, child)

    async def ready(self, timeout_s: float = START_TIMEOUT_S) -> Ready:
        """Wait until the node serves. DevnetError where it ends instead, with the last thing it said."""
        give_up = time.monotonic() + timeout_s
        log = self.datadir / LOG_FILE
        while time.monotonic() < give_up:
            if (self.datadir / READY_FILE).exists():
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
    """Run a module as a process of its own, apart from this terminal's signals, its output added to a file."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYCHAIN_") or name in _KEPT_VARIABLES
    }
    # -P: it is the package that runs now, never a source tree that happens to be the working directory.
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
    """The last thing that a process printed."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "it left no log"
    return lines[-1] if lines else "it said nothing"
