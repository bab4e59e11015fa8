"""The API: calls per second over keep-alive HTTP, and how fast thousands of listeners receive a new tip.

    python bench/api.py [--rounds N] [--seconds S] [--listeners N] [--only calls|events]

The node is a real daemon in a separate process. Calls are `getblockcount` with a password, made by `wrk` (Debian's
package) over 16 connections. In the same run, alternating, the same `wrk` calls a bare responder on uvloop that writes
one answer for whatever it reads: the limit of loop, sockets and wrk on this machine under its present load.
Listeners are connections of this process to /api/v1/events; the time runs from the moment at which a solved block is
submitted to the moment at which the last of them has read the new tip, commit included.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import uvloop
from processes import cpu_seconds

from pychain.chain.spec import packaged_spec
from pychain.daemon.rlimit import raise_descriptor_limit
from pychain.devnet.keys import node_address
from pychain.devnet.network import Devnet, DevnetNode, Plan

CONNECTIONS = 16
CALL = '{"jsonrpc":"2.0","id":1,"method":"getblockcount"}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 35\r\n\r\n"
    b'{"jsonrpc":"2.0","result":1,"id":1}'
)
CONNECTING = 200
"""Listeners that come at a time."""
PATIENCE_S = 60.0


class Load(NamedTuple):
    """The result of wrk: answers per second, and the server's CPU microseconds for each."""

    rate: float
    cpu_us: float


# --- calls


def wrk(script: Path, url: str, seconds: float, pid: int) -> Load:
    """Call a server as fast as it answers."""
    before = cpu_seconds(pid)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", f"-s{script}", url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = cpu_seconds(pid) - before
    requests, rate = re.search(r"(\d+) requests in", said), re.search(r"Requests/sec:\s*([\d.]+)", said)
    assert requests is not None
    assert rate is not None
    assert "Non-2xx" not in said, said
    return Load(float(rate[1]), used / int(requests[1]) * 1e6)


def lua(directory: Path, authorization: str) -> Path:
    """The request of wrk."""
    script = directory / "call.lua"
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = '{CALL}'\nwrk.headers['Content-Type'] = 'application/json'\n"
        f"wrk.headers['Authorization'] = '{authorization}'\n"
    )
    return script


class Responder(asyncio.Protocol):
    """Answers whatever it reads."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER)


async def respond() -> None:
    """Serve on a free port, which is printed, until killed."""
    server = await asyncio.get_running_loop().create_server(Responder, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def measure_calls(node: DevnetNode, directory: Path, rounds: int, seconds: float) -> None:
    script = lua(directory, node.process.endpoint().authorization)
    bare = subprocess.Popen([sys.executable, __file__, "--respond"], stdout=subprocess.PIPE, text=True)
    try:
        assert bare.stdout is not None
        url = f"http://127.0.0.1:{int(bare.stdout.readline())}/"
        measured = []
        for _ in range(rounds):
            measured.append(
                (
                    wrk(script, url, seconds, bare.pid),
                    wrk(script, f"{node.api}/rpc", seconds, node.process.identity.pid),
                )
            )
    finally:
        bare.kill()
    responder, served = (median([pair[each] for pair in measured]) for each in (0, 1))
    ratio = statistics.median(pair[1].rate / pair[0].rate for pair in measured)
    print(f"getblockcount over {CONNECTIONS} connections, {rounds} rounds of {seconds:g} s each:")
    print(f"  node       {served.rate:9,.0f} a second, {served.cpu_us:5.1f} us of CPU each")
    print(f"  responder  {responder.rate:9,.0f} a second, {responder.cpu_us:5.1f} us of CPU each")
    print(f"  ratio      {ratio:9.2f} (median of the rounds)")


def median(loads: list[Load]) -> Load:
    return Load(statistics.median(load.rate for load in loads), statistics.median(load.cpu_us for load in loads))


# --- events


class Listener(asyncio.Protocol):
    """Reads a stream of events. `opened` is done when it stands, `heard` with the time at which the tip had come."""

    def __init__(self) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._wanted = b""
        self._tail = b""

    def wait_for(self, block_hash: bytes) -> None:
        self.heard = asyncio.get_running_loop().create_future()
        self._wanted = block_hash

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(b"GET /api/v1/events?types=tip HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-4096:]
        if not self.opened.done() and b"\n\n" in self._tail:
            self.opened.set_result(None)
        if self._wanted and self._wanted in self._tail and not self.heard.done():
            self.heard.set_result(time.perf_counter())


async def listen(url: str, count: int) -> list[Listener]:
    loop, where = asyncio.get_running_loop(), urlsplit(url)
    listeners: list[Listener] = []
    for first in range(0, count, CONNECTING):
        some = min(CONNECTING, count - first)
        opened = await asyncio.gather(
            *(loop.create_connection(Listener, where.hostname, where.port) for _ in range(some))
        )
        listeners += [listener for _, listener in opened]
        await asyncio.gather(*(listener.opened for listener in listeners[-some:]))
    return listeners


async def measure_events(node: DevnetNode, rounds: int, count: int) -> None:
    address = node_address(packaged_spec("dev"), 0)
    listeners = await listen(node.api, count)
    took = []
    for _ in range(rounds):
        made = await node.client.call("generateblock", address, [], False)
        for listener in listeners:
            listener.wait_for(made["hash"].encode())
        begin = time.perf_counter()
        assert await node.client.call("submitblock", made["hex"]) is None
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*(listener.heard for listener in listeners))
        took.append(max(listener.heard.result() for listener in listeners) - begin)
    for listener in listeners:
        listener.transport.abort()
    print(f"a new tip to {count:,} listeners, {rounds} rounds:")
    print(f"  the last has it after {statistics.median(took):.3f} s (median; {min(took):.3f} to {max(took):.3f})")
    print(f"  callbacks that held the node's loop for more than 20 ms: {await late_turns(node)}")


async def late_turns(node: DevnetNode) -> int:
    """How often the node's loop was late, since its start."""
    text = await asyncio.to_thread(subprocess.check_output, ["curl", "-s", f"{node.api}/metrics"], text=True)
    counts = {bound: float(count) for bound, count in re.findall(r'loop_lag_seconds_bucket{le="(.+?)"} (\S+)', text)}
    return round(counts["+Inf"] - counts["0.02"])


async def measure(arguments: argparse.Namespace) -> None:
    raise_descriptor_limit()
    with tempfile.TemporaryDirectory() as directory:
        devnet = Devnet(Plan(Path(directory) / "net", "dev", packaged_spec("dev"), 1))
        await devnet.start()
        try:
            node = devnet.nodes[0]
            if arguments.only != "events":
                await asyncio.to_thread(measure_calls, node, Path(directory), arguments.rounds, arguments.seconds)
            if arguments.only != "calls":
                await measure_events(node, arguments.rounds, arguments.listeners)
        finally:
            await devnet.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="Calls per second, and how fast listeners receive a new tip.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--listeners", type=int, default=5_000)
    parser.add_argument("--only", choices=["calls", "events"])
    parser.add_argument("--respond", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.respond:
        uvloop.run(respond())
        return
    print(f"load found {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    uvloop.run(measure(arguments))


if __name__ == "__main__":
    main()
