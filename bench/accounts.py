"""A block of 2,000 transfers among millions of accounts, beside the same among 10,000: does the state's size slow it?

    python bench/accounts.py [--accounts N] [--blocks N] [--cold] [--json]

Two real daemons, each on its own store with a prepared state, get blocks in turn: 2,000 transfers from as many
accounts, drawn at random, to others drawn at random, which no mempool has seen. A time runs from the submission of a
block until its tip is durable and announced; the figure is the ratio of the medians. With --cold the stores' files are
first evicted from the system's cache.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from chains import BALANCE, Account, Chain, network

from pychain.chain.spec import ChainSpec, parse_spec
from pychain.consensus.state import Account as State
from pychain.devnet.processes import NodeProcess
from pychain.ledger.store import Batch
from pychain.store import LmdbStore

FEW, MANY = 10_000, 5_000_000
TRANSFERS = 2_000
GOAL = 1.5
FILL = 50_000
"""Accounts stored at a time."""
WARM_UP = 3
"""Blocks that are not counted."""
OPTIONS = ("--p2p-port", "0", "--api-port", "0", "--connect-only")


class Crowd:
    """This many accounts: those that pay can sign, the rest only have keys. The order of the keys is random."""

    def __init__(self, count: int, payers: int) -> None:
        self.payers = [Account(number) for number in range(1, min(count, payers) + 1)]
        others = (os.urandom(32) for _ in range(count - len(self.payers)))
        self.keys = sorted([*(payer.key for payer in self.payers), *others])

    def blocks(self, chain: Chain, count: int) -> Iterator[bytes]:
        """Blocks of transfers, each from another account to any."""
        for number in range(count):
            drawn = [(number * TRANSFERS + i) % len(self.payers) for i in range(TRANSFERS)]
            recipients = [self.keys[int.from_bytes(os.urandom(8), "big") % len(self.keys)] for _ in drawn]
            pairs = zip(drawn, recipients, strict=True)
            yield chain.extend([self.payers[payer].pay(chain.spec.genesis_hash, to) for payer, to in pairs])


class Side:
    """A daemon with many accounts, the blocks it will get, and the time it took for them."""

    def __init__(self, directory: Path, spec_file: Path) -> None:
        self._directory = directory
        self._spec_file = spec_file
        self._blocks: Iterator[str] = iter(())
        self.times: list[float] = []

    async def prepare(self, accounts: int, blocks: int) -> None:
        """Fill the store with a state that no chain produced: in a minute instead of days."""
        spec = parse_spec(self._spec_file.read_text(encoding="utf-8"))
        crowd = Crowd(accounts, blocks * TRANSFERS)
        await self.start()  # so that there is a store with genesis
        await self.stop()
        fill(self._directory, spec, crowd.keys)
        self._blocks = iter([raw.hex() for raw in crowd.blocks(Chain(spec), blocks)])

    async def start(self) -> None:
        self._node = NodeProcess.start(self._directory, str(self._spec_file), OPTIONS)
        await self._node.ready()
        self._client = await self._node.client().__aenter__()

    async def take(self) -> None:
        """One more block."""
        raw = next(self._blocks)
        begin = time.perf_counter()
        answer = await self._client.call("submitblock", raw)
        self.times.append(time.perf_counter() - begin)
        assert answer is None, answer

    async def stop(self) -> None:
        await self._client.__aexit__(None, None, None)
        await self._node.stop()

    def cool(self) -> int:
        """Evict the store's pages from the system's cache; returns the bytes of its file."""
        with (self._directory / "state" / "data.mdb").open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            os.posix_fadvise(file.fileno(), 0, size, os.POSIX_FADV_DONTNEED)
        return size


def fill(directory: Path, spec: ChainSpec, keys: list[bytes]) -> None:
    store = LmdbStore(directory, spec.genesis_hash)
    for start in range(0, len(keys), FILL):
        store.commit(Batch(accounts=dict.fromkeys(keys[start : start + FILL], State(BALANCE, 0))))
        store.advance()
        while store.tend(quiet=True):
            pass
    store.close()


async def measure(directory: Path, accounts: tuple[int, int], blocks: int, cold: bool) -> tuple[list[Side], list[int]]:
    spec_file = directory / "network.toml"
    spec_file.write_text(network([(Account(0).key, BALANCE)]), encoding="utf-8")
    sides = [Side(directory / str(count), spec_file) for count in accounts]
    for side, count in zip(sides, accounts, strict=True):
        await side.prepare(count, blocks + WARM_UP)
    sizes = [side.cool() if cold else 0 for side in sides]
    try:
        for side in sides:
            await side.start()
        for number in range(blocks + WARM_UP):
            for side in sides if number % 2 else sides[::-1]:
                await side.take()
    finally:
        for side in sides:
            await side.stop()
    for side in sides:
        del side.times[:WARM_UP]
    return sides, sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=MANY)
    parser.add_argument("--blocks", type=int, default=40)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    load, counts = os.getloadavg()[0], (FEW, arguments.accounts)
    with tempfile.TemporaryDirectory() as directory:
        sides, _ = asyncio.run(measure(Path(directory), counts, arguments.blocks, arguments.cold))
    medians = [1e3 * statistics.median(side.times) for side in sides]
    ratio = medians[1] / medians[0]
    if arguments.json:
        times = {str(count): side.times for count, side in zip(counts, sides, strict=True)}
        print(json.dumps({"load": load, "ratio": ratio, "goal": GOAL, "met": ratio <= GOAL, "seconds": times}))
        return
    print(f"load found {load:.1f} on {os.cpu_count()} cores")
    for count, side, median in zip(counts, sides, medians, strict=True):
        print(
            f"{count:,} accounts: {median:.1f} ms a block ({1e3 * min(side.times):.1f} to {1e3 * max(side.times):.1f})"
        )
    print(f"{'met   ' if ratio <= GOAL else 'missed'} {ratio:.2f} times the time (at most {GOAL})")


if __name__ == "__main__":
    main()
