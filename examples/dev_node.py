"""A real node of the network `dev` for as long as a program needs one: a process of its own on loopback, on free ports.

The other examples that need a node import `dev_node` from here. The node tells in `ready.json` where it is, its cookie
lets local programs in, and SIGTERM ends it in order.

    a node of dev at 127.0.0.1:..., height 0
    the node has ended with 0
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pychain.client import Client, Endpoint, endpoint_of

START_S = 60.0
"""A node is up within a second; a busy machine may take its time."""
END_S = 30.0


@contextmanager
def dev_node() -> Iterator[Endpoint]:
    """Start a node with an empty chain, give its API, and end it, whatever happens."""
    with tempfile.TemporaryDirectory() as scratch:
        datadir = Path(scratch) / "node"
        process = subprocess.Popen(_command(datadir), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_ready(process, datadir / "ready.json")
            yield endpoint_of(datadir)
        finally:
            process.terminate()
            try:
                code = process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
        print(f"the node has ended with {code}")


def _command(datadir: Path) -> list[str]:
    where = ["--network", "dev", "--datadir", str(datadir), "--listen", "127.0.0.1"]
    return [sys.executable, "-m", "pychain", "node", *where, "--p2p-port", "0", "--api-port", "0"]


def _wait_ready(process: subprocess.Popen[bytes], ready: Path) -> None:
    give_up = time.monotonic() + START_S
    while not ready.exists():
        if process.poll() is not None:
            raise SystemExit(f"the node ended with {process.returncode}")
        if time.monotonic() > give_up:
            raise SystemExit(f"the node was not ready in {START_S:g} s")
        time.sleep(0.02)


async def main() -> None:
    with dev_node() as endpoint:
        async with Client(endpoint) as node:
            info = await node.chain_info()
            print(f"a node of {info.chain} at {endpoint.host_port}, height {info.blocks}")


if __name__ == "__main__":
    asyncio.run(main())
