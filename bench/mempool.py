"""Mempool admission: transfers per second over the wire from one peer, and by sendrawtransaction over HTTP.

    python bench/mempool.py [--accounts N] [--each N] [--calls N] [--connections N] [--rounds N] [--only wire|http]

The node is a real daemon in a process of its own, on the cores of this machine; this process feeds it. Over the wire it
speaks the protocol as any peer: it announces, is asked, and sends. The time runs from the first announcement to the
moment at which the node's API counts all transfers in its mempool. Over HTTP each connection has one call under way.
Beside each figure stands S2, bare libsodium verification in a loop in C on all cores before and after each round, and
the CPU time of both processes: where theirs together fill the cores, no more can be had.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import uvloop
from chains import BALANCE, accounts, network, transfers
from processes import cpu_seconds, resident_bytes
from signatures import Sodium

from pychain import native
from pychain.chain.spec import ChainSpec, parse_spec
from pychain.client import Client
from pychain.devnet.processes import NodeProcess, Ready
from pychain.p2p.framing import FrameReader, frame
from pychain.p2p.limits import PROTOCOL_VERSION, frame_limit
from pychain.p2p.messages import Goodbye, Hello, Inv, Kind, Ping, Pong, Want, batched_transactions, decode, encode

ANNOUNCED = 500
"""Transactions in one announcement."""
OUTSTANDING = 4_000
"""Announced but not yet requested: a node forgets what a peer announces beyond 5,000."""
POLL_S = 0.02
TIMEOUT_S = 300.0


class Measured(NamedTuple):
    """One round: transfers a second, S2 beside it, and what one takes: CPU of the node, of this process, the node's
    memory."""

    rate: float
    sodium: float
    node_us: float
    own_us: float
    memory: float


class Fed(NamedTuple):
    """The cost of feeding a node: seconds, and CPU seconds of this process."""

    took: float
    own: float


@dataclass(frozen=True)
class Material:
    """A chain spec, its file, and transfers of its accounts in an order in which they are valid, with their ids."""

    spec: ChainSpec
    path: Path
    raws: list[bytes]
    ids: list[bytes]


def material(directory: Path, count: int, each: int) -> Material:
    """`each` transfers of so many accounts, which own something from the first."""
    payers = accounts(count)
    toml = network([(payer.key, BALANCE) for payer in payers])
    path = directory / "network.toml"
    path.write_text(toml, encoding="utf-8")
    spec = parse_spec(toml)
    raws = list(transfers(spec.genesis_hash, payers, each))
    return Material(spec, path, raws, [native.sha256d(raw) for raw in raws])


# --- the wire


class Sender(asyncio.Protocol):
    """A peer that announces transactions, and sends those requested."""

    def __init__(self, made: Material) -> None:
        self._genesis = made.spec.genesis_hash
        self._reader = FrameReader(frame_limit(made.spec.max_block_bytes))
        self._by_id = dict(zip(made.ids, made.raws, strict=True))
        self._to_announce = deque(made.ids)
        self._outstanding = 0
        self._transport: asyncio.Transport | None = None
        self.closed = asyncio.get_running_loop().create_future()
        self.is_ready = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        hello = Hello(PROTOCOL_VERSION, "bench", self._genesis, int(time.time()), 0, bytes(32), 0, 0, 12345)
        self._send(encode(hello))

    def data_received(self, data: bytes) -> None:
        for payload in self._reader.feed(data):
            match decode(payload):
                case Hello():
                    self.is_ready.set()
                case Ping(nonce):
                    self._send(encode(Pong(nonce)))
                case Want(Kind.TRANSACTION, hashes):
                    for message in batched_transactions([self._by_id[txid] for txid in hashes]):
                        self._send(encode(message))
                    self._outstanding -= len(hashes)
                    self.announce()
                case Goodbye(code, text):
                    raise SystemExit(f"the node disconnected: {code}: {text}")

    def announce(self) -> None:
        """Announce as much as the node remembers."""
        while self._to_announce and self._outstanding <= OUTSTANDING - ANNOUNCED:
            count = min(ANNOUNCED, len(self._to_announce))
            self._outstanding += count
            self._send(encode(Inv(Kind.TRANSACTION, tuple(self._to_announce.popleft() for _ in range(count)))))

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.set_result(error)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def _send(self, payload: bytes) -> None:
        assert self._transport is not None
        self._transport.write(frame(payload))


async def feed_wire(node: NodeProcess, ready: Ready, made: Material) -> Fed:
    """Wait until all transfers are in the mempool."""
    host, _, port = ready.p2p.rpartition(":")
    _, sender = await asyncio.get_running_loop().create_connection(lambda: Sender(made), host, int(port))
    await sender.is_ready.wait()
    async with node.client() as client:
        begin, own = time.perf_counter(), time.process_time()
        sender.announce()
        await pooled(client, len(made.raws))
        fed = Fed(time.perf_counter() - begin, time.process_time() - own)
    sender.close()
    await sender.closed
    return fed


async def pooled(client: Client, count: int) -> None:
    """Wait until so many transfers are in the mempool."""
    async with asyncio.timeout(TIMEOUT_S):
        for _ in itertools.count():
            if (await client.mempool_info()).size >= count:
                return
            await asyncio.sleep(POLL_S)


# --- HTTP


class Caller(asyncio.Protocol):
    """One connection that sends a request when the answer to the one before is there."""

    def __init__(self, requests: deque[bytes], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._done = done
        self._answer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        if b'"result"' not in body:
            self._done.set_exception(SystemExit(f"refused: {body.decode()}"))
            return
        self._answer = body[length:]
        self._next()

    def _next(self) -> None:
        assert self._transport is not None
        if self._requests:
            self._transport.write(self._requests.popleft())
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


async def feed_http(node: NodeProcess, _: Ready, made: Material, connections: int) -> Fed:
    """Wait until all calls are answered."""
    endpoint = node.endpoint()
    loop = asyncio.get_running_loop()
    requests = deque(http_request(endpoint.host_port, endpoint.authorization, raw) for raw in made.raws)
    done = [loop.create_future() for _ in range(connections)]
    begin, own = time.perf_counter(), time.process_time()
    for each in done:
        await loop.create_connection(partial(Caller, requests, each), endpoint.host, endpoint.port)
    await asyncio.gather(*done)
    return Fed(time.perf_counter() - begin, time.process_time() - own)


def http_request(host: str, authorization: str, raw: bytes) -> bytes:
    call = {"jsonrpc": "2.0", "id": 1, "method": "sendrawtransaction", "params": [raw.hex()]}
    body = json.dumps(call).encode()
    head = (
        f"POST /rpc HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


# --- rounds

Feed = Callable[[NodeProcess, Ready, Material], Coroutine[Any, Any, Fed]]


def measured(made: Material, feed: Feed, sodium: Sodium) -> Measured:
    """One round, between two of libsodium's."""
    before = sodium.rate()
    fed, cpu, memory = uvloop.run(round_of(made, feed))
    count = len(made.raws)
    baseline = (before + sodium.rate()) / 2
    return Measured(count / fed.took, baseline, 1e6 * cpu / count, 1e6 * fed.own / count, memory / count)


async def round_of(made: Material, feed: Feed) -> tuple[Fed, float, int]:
    """Start a node and feed it; with the CPU seconds and the resident bytes that it took more than at rest."""
    with tempfile.TemporaryDirectory() as directory:
        options = ["--connect-only", "--listen", "127.0.0.1", "--p2p-port", "0", "--api-port", "0"]
        node = NodeProcess.start(Path(directory), str(made.path), options)
        try:
            ready = await node.ready()
            cpu, memory = cpu_seconds(ready.pid), resident_bytes(ready.pid)
            fed = await feed(node, ready, made)
            return fed, cpu_seconds(ready.pid) - cpu, resident_bytes(ready.pid) - memory
        finally:
            await node.stop()


def report(name: str, goal: int, rounds: list[Measured]) -> None:
    rates = [each.rate for each in rounds]
    ratio = statistics.median(each.rate / each.sodium for each in rounds)
    sodium, node_us, own_us, memory = (statistics.median(column) for column in list(zip(*rounds, strict=True))[1:])
    print(
        f"{name}: {statistics.median(rates):,.0f} a second (median; {min(rates):,.0f} to {max(rates):,.0f}; "
        f"the goal is {goal:,}), {ratio:.2f} S2 of {sodium:,.0f};\n"
        f"    a transfer takes {node_us:.0f} us of the node's CPU, {own_us:.0f} us of this process's, "
        f"and {memory:,.0f} resident bytes",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=20, help="transfers of each account, over the wire")
    parser.add_argument("--calls", type=int, default=40_000, help="transfers sent by HTTP")
    parser.add_argument("--connections", type=int, default=16, help="of HTTP; the goal is for 16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("wire", "http"))
    arguments = parser.parse_args()
    print(f"load found {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        sodium = Sodium(Path(directory))
        made = material(Path(directory), arguments.accounts, arguments.each)
        ways: tuple[tuple[str, int, int, Feed], ...] = (
            ("wire", 20_000, len(made.raws), feed_wire),
            ("http", 8_000, arguments.calls, partial(feed_http, connections=arguments.connections)),
        )
        for name, goal, count, feed in ways:
            if arguments.only in (None, name):
                some = replace(made, raws=made.raws[:count], ids=made.ids[:count])
                report(name, goal, [measured(some, feed, sodium) for _ in range(arguments.rounds)])


if __name__ == "__main__":
    main()
