"""Validation against its goals: from disk, by sync from one peer, and in reorganisations, beside libsodium on all
cores.

    python bench/validate.py [--only import sync reorg] [--rounds N] [--kernel NAME] [--json]

Everything runs in separate processes on the cores of this machine: `pychain chain import` as a user runs it, and real
daemons over loopback. S2 is what a loop in C over libsodium verifies per second on all cores, measured again with every
round; a figure is the median of the ratios to it. While a node syncs, its height is queried over HTTP and it is pinged
as a peer; the 99th percentile of the answer times is shown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chains import Account, Chain, Shape, accounts, blocks, write
from processes import cpu_seconds
from signatures import BLOCK, Sodium

from pychain.chain.spec import ChainSpec, parse_spec
from pychain.client import Client
from pychain.daemon.chain_file import write_chain
from pychain.devnet.processes import NodeProcess
from pychain.native import kernels
from pychain.p2p.framing import FrameReader, frame
from pychain.p2p.limits import PROTOCOL_VERSION, frame_limit
from pychain.p2p.messages import Hello, Ping, Pong, decode, encode

EMPTY_BLOCKS = 100_000
REORGANISED = 100
POLL_S = 0.01
PROBE_S = 0.004
PING_EVERY_S = 0.15
SYNC_TIMEOUT_S = 300.0
REST_S = 6.0
"""A node at rest uses at most a twentieth of a core over this time: it flushes its tables when five of them brought
nothing."""


@dataclass
class Row:
    """One goal: the figures of the rounds, and the limit that their median must meet."""

    name: str
    unit: str
    goal: float
    at_most: bool = False
    figures: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.figures)

    @property
    def is_met(self) -> bool:
        return self.median <= self.goal if self.at_most else self.median >= self.goal

    def __str__(self) -> str:
        spread = f"{min(self.figures):,.2f} to {max(self.figures):,.2f}"
        limit = "at most" if self.at_most else "at least"
        verdict = "met   " if self.is_met else "missed"
        return f"{verdict} {self.name}: {self.median:,.2f} {self.unit} ({spread}; {limit} {self.goal:,.2f})"


class Bench:
    """One run: the place of its files, and the rounds per goal."""

    def __init__(self, directory: Path, rounds: int) -> None:
        self.directory = directory
        self.rounds = rounds
        self.sodium = Sodium(directory)
        self._made = 0

    def fresh(self) -> Path:
        self._made += 1
        return self.directory / f"data {self._made}"

    def beside_sodium(self, rate: Callable[[], float]) -> list[float]:
        """The rate of each round over S2, measured before and after it."""
        figures = []
        for _ in range(self.rounds):
            before = self.sodium.rate()
            figure = rate()
            figures.append(2 * figure / (before + self.sodium.rate()))
        return figures


def run(*words: str | Path) -> float:
    """Seconds that a pychain command takes, including the start of the interpreter."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pychain", *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


# --- from disk


def imports(bench: Bench, portable: bool) -> list[Row]:
    goal = 1.15 if portable else 1.8
    rows = []
    for a_block in (2_000, 10_000):
        made = bench.directory / f"full {a_block}"
        shape = Shape(a_block=a_block)
        write(made, shape)
        total = shape.transfers + shape.accounts
        figures = bench.beside_sodium(lambda made=made, total=total: total / imported(bench.fresh(), made))
        rows.append(Row(f"from disk, {a_block:,} transfers a block", "S2", goal, figures=figures))
    made = bench.directory / "empty"
    write(made, Shape(accounts=10, transfers=0, empty=EMPTY_BLOCKS))
    figures = [EMPTY_BLOCKS / imported(bench.fresh(), made) for _ in range(bench.rounds)]
    return [*rows, Row("from disk, empty blocks", "a second", 10_000, figures=figures)]


def imported(datadir: Path, made: Path) -> float:
    return run("chain", "import", made / "chain.dat", "--network", made / "network.toml", "--datadir", datadir)


# --- from one peer


class Pinger(asyncio.Protocol):
    """A peer that only pings, and notes how long each pong takes."""

    def __init__(self, spec: ChainSpec, delays: list[float]) -> None:
        self._spec = spec
        self._delays = delays
        self._reader = FrameReader(frame_limit(spec.max_block_bytes))
        self._sent: dict[int, float] = {}
        self._next = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        hello = Hello(PROTOCOL_VERSION, "/pinger/", self._spec.genesis_hash, int(time.time()), 0, bytes(32), 0, 0, 7)
        transport.write(frame(encode(hello)))

    def ping(self) -> None:
        """Ping, unless one was sent recently: a node limits a peer's messages of each kind."""
        now = time.perf_counter()
        if self._transport.is_closing() or now < self._next:
            return
        self._next = now + PING_EVERY_S
        number = len(self._delays) + len(self._sent) + 1
        self._sent[number] = time.perf_counter()
        self._transport.write(frame(encode(Ping(number))))

    def data_received(self, data: bytes) -> None:
        for payload in self._reader.feed(data):
            message = decode(payload)
            if isinstance(message, Ping):
                self._transport.write(frame(encode(Pong(message.nonce))))
            elif isinstance(message, Pong) and message.nonce in self._sent:
                self._delays.append(time.perf_counter() - self._sent.pop(message.nonce))


async def synced(bench: Bench, made: Path, source_dir: Path, delays: dict[str, list[float]]) -> float:
    """Seconds in which a new node syncs with one that has the chain; its answer times go to `delays`."""
    spec = parse_spec((made / "network.toml").read_text(encoding="utf-8"))
    options = ("--p2p-port", "0", "--api-port", "0", "--connect-only")
    network = str(made / "network.toml")
    source = NodeProcess.start(source_dir, network, options)
    newcomer = NodeProcess.start(bench.fresh(), network, options)
    try:
        ready, other = await source.ready(), await newcomer.ready()
        async with Client(source.endpoint()) as ahead, Client(newcomer.endpoint()) as behind:
            tip = await ahead.call("getbestblockhash")
            loop = asyncio.get_running_loop()
            host, _, port = other.p2p.rpartition(":")
            _, pinger = await loop.create_connection(lambda: Pinger(spec, delays["ping"]), host, int(port))
            begin = time.perf_counter()
            await behind.call("addnode", ready.p2p, "add")
            while await timed(behind, delays["getblockcount"], "getbestblockhash") != tip:
                pinger.ping()
                assert time.perf_counter() - begin < SYNC_TIMEOUT_S, "the sync does not end"
                await asyncio.sleep(PROBE_S)
            return time.perf_counter() - begin
    finally:
        await source.stop()
        await newcomer.stop()


async def timed(node: Client, delays: list[float], method: str) -> Any:
    begin = time.perf_counter()
    answer = await node.call(method)
    delays.append(time.perf_counter() - begin)
    return answer


def syncs(bench: Bench) -> list[Row]:
    rows = []
    delays: dict[str, list[float]] = {"getblockcount": [], "ping": []}
    full, empty = bench.directory / "full 2000", bench.directory / "empty"
    shape = Shape()
    if not full.exists():
        write(full, shape)
    if not empty.exists():
        write(empty, Shape(accounts=10, transfers=0, empty=EMPTY_BLOCKS))
    total = shape.transfers + shape.accounts
    sources = {}
    for made in (full, empty):
        sources[made] = bench.fresh()
        imported(sources[made], made)
    figures = bench.beside_sodium(lambda: total / asyncio.run(synced(bench, full, sources[full], delays)))
    rows.append(Row("sync from one peer, 2,000 transfers a block", "S2", 1.0, figures=figures))
    for name, found in delays.items():
        rows.append(Row(f"99th percentile of {name} meanwhile", "ms", 20, True, [1e3 * percentile(found, 0.99)]))
    figures = [EMPTY_BLOCKS / asyncio.run(synced(bench, empty, sources[empty], delays)) for _ in range(bench.rounds)]
    return [*rows, Row("sync from one peer, empty blocks", "a second", 4_000, figures=figures)]


def percentile(figures: Sequence[float], share: float) -> float:
    return sorted(figures)[min(len(figures) - 1, int(share * len(figures)))]


# --- there and back


def reorganisations(bench: Bench) -> list[Row]:
    """Two branches of 100 blocks of 2,000 in one directory; `invalidateblock` moves away from one, and
    `reconsiderblock` back to it."""
    made = bench.directory / "branches"
    made.mkdir()
    shape = Shape(transfers=(REORGANISED + 1) * BLOCK)  # one more, so that the way back is the way to more work
    spec = write(made, shape)
    first = write_branch(made, spec, shape, REORGANISED)
    away, back = asyncio.run(there_and_back(bench, made, first))
    return [
        Row("100 blocks of 2,000 reorganised, away", "s", 1.5, True, away),
        Row("100 blocks of 2,000 reorganised, back", "s", 1.5, True, back),
    ]


def write_branch(made: Path, spec: ChainSpec, shape: Shape, length: int) -> int:
    """A competing branch of this many blocks after those that fund the accounts, with other transfers. Returns the
    height of its first block."""
    treasurer, payers = Account(0), accounts(shape.accounts)
    chain = Chain(spec)
    funding = list(blocks(chain, treasurer, payers, Shape(accounts=shape.accounts, transfers=0)))
    first = chain.height + 1
    branch = []
    for number in range(length):
        some = [payers[(number * BLOCK + i) % len(payers)] for i in range(BLOCK)]
        branch.append(chain.extend([payer.pay(spec.genesis_hash, payers[0].key, 2) for payer in some]))
    with (made / "branch.dat").open("wb") as out:
        write_chain(out, spec.genesis_hash, [*funding, *branch])
    return first


async def there_and_back(bench: Bench, made: Path, first: int) -> tuple[list[float], list[float]]:
    datadir, network = bench.fresh(), made / "network.toml"
    for name in ("chain.dat", "branch.dat"):
        run("chain", "import", made / name, "--network", network, "--datadir", datadir)
    node = NodeProcess.start(datadir, str(network), ("--p2p-port", "0", "--api-port", "0", "--connect-only"))
    away, back = [], []
    try:
        ready = await node.ready()
        async with Client(node.endpoint()) as client:
            for _ in range(bench.rounds):
                fork = await client.call("getblockhash", first)
                for method, figures in (("invalidateblock", away), ("reconsiderblock", back)):
                    await at_rest(ready.pid)
                    figures.append(await moved(client, method, fork))
    finally:
        await node.stop()
    return away, back


async def at_rest(pid: int) -> None:
    """Wait until the work after the last move, such as returning transfers to the mempool, is done: the process is
    idle."""
    spent = -1.0
    while (now := cpu_seconds(pid)) > spent + REST_S / 20:
        spent = now
        await asyncio.sleep(REST_S)


async def moved(node: Client, method: str, block_hash: str) -> float:
    before = await node.call("getbestblockhash")
    begin = time.perf_counter()
    await node.call(method, block_hash, timeout_s=SYNC_TIMEOUT_S)
    took = time.perf_counter() - begin
    assert await node.call("getbestblockhash") != before, "the tip stayed"
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=("import", "sync", "reorg"), default=("import", "sync", "reorg"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kernel", help="force a signature kernel, such as ed25519:portable")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.kernel:
        os.environ["PYCHAIN_KERNEL"] = arguments.kernel
    portable = (arguments.kernel or "").endswith("portable") or "ed25519:ifma" not in kernels()
    load = os.getloadavg()[0]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), arguments.rounds)
        if "import" in arguments.only:
            rows += imports(bench, portable)
        if "sync" in arguments.only:
            rows += syncs(bench)
        if "reorg" in arguments.only:
            rows += reorganisations(bench)
        rate = bench.sodium.rate()
    if arguments.json:
        print(json.dumps({"load": load, "s2": rate, "rows": [asdict(row) | {"met": row.is_met} for row in rows]}))
        return
    print(f"load found {load:.1f} on {os.cpu_count()} cores; S2 {rate:,.0f} a second")
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
