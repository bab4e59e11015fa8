"""One node as a process: started, waited for, stopped. Its log and its data are in its data directory."""

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


class NodeProcess:
    """A running node of a devnet, started here or found again by its identity."""

    def __init__(self, identity: Identity, datadir: Path, child: subprocess.Popen[bytes] | None = None) -> None:
        self.identity = identity
        self.datadir = datadir
        self._child = child

    @classmethod
    def start(cls, datadir: Path, network: str, options: Sequence[str]) -> NodeProcess:
        """Run `pychain node` on a data directory, apart from this terminal's signals."""
        datadir.mkdir(parents=True, exist_ok=True)
        (datadir / READY_FILE).unlink(missing_ok=True)  # of a run that was killed
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PYCHAIN_") or name in _KEPT_VARIABLES
        }
        arguments = ["node", "--network", network, "--datadir", str(datadir), "--no-live", *options]
        # -P: a node is the package that runs now, never a source tree that happens to be the working directory.
        with (datadir / LOG_FILE).open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "pychain", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        identity = identify(child.pid)
        if identity is None:
            raise DevnetError(f"the node in {datadir} ended at once: {_last_line(datadir)}")
        return cls(identity, datadir, child)

    @property
    def is_running(self) -> bool:
        if self.identity.is_running:
            return True
        if self._child is not None:
            self._child.wait()  # it has ended: collect it
        return False

    async def ready(self, timeout_s: float = START_TIMEOUT_S) -> Ready:
        """Wait until the node serves. DevnetError where it ends instead, with the last thing it said."""
        give_up = time.monotonic() + timeout_s
        while time.monotonic() < give_up:
            if (self.datadir / READY_FILE).exists():
                return msgspec.json.decode((self.datadir / READY_FILE).read_bytes(), type=Ready)
            if not self.is_running:
                raise DevnetError(f"the node in {self.datadir} ended: {_last_line(self.datadir)}")
            await asyncio.sleep(_POLL_S)
        raise DevnetError(
            f"the node in {self.datadir} was not ready within {timeout_s:g} s: {_last_line(self.datadir)}"
        )

    def client(self) -> Client:
        """A client of its API."""
        return Client(self.endpoint())

    def endpoint(self) -> Endpoint:
        return endpoint_of(self.datadir)

    def terminate(self) -> None:
        """Ask it to stop in order."""
        self.identity.send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.identity.send(signal.SIGKILL)

    async def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; False where it still runs after the timeout."""
        give_up = time.monotonic() + timeout_s
        while self.is_running:
            if time.monotonic() > give_up:
                return False
            await asyncio.sleep(_POLL_S)
        return True

    async def stop(self) -> None:
        """Stop it in order, or kill it where that takes too long."""
        self.terminate()
        if not await self.wait(STOP_TIMEOUT_S):
            self.kill()
            await self.wait(STOP_TIMEOUT_S)


def _last_line(datadir: Path) -> str:
    """The last thing that a node printed."""
    try:
        with (datadir / LOG_FILE).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "it left no log"
    return lines[-1] if lines else "it said nothing"
