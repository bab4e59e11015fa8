"""Start: how soon a node on a chain of 100,000 blocks is ready, and how much memory it uses at rest.

    python bench/start.py [--blocks N] [--rounds N] [--idle S] [--datadir DIR]

The chain is made of valid blocks without transfers, on the rules of `dev`, and written straight into a store; with
--datadir it is kept there for the next run. Every round is a process of its own, `pychain node`, timed from its start
to the moment at which `ready.json` stands in the data directory; its memory is read then, and again after it has idled.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from processes import cpu_seconds

from pychain import native
from pychain.chain.block import Block
from pychain.chain.spec import ChainSpec, packaged_spec
from pychain.consensus.state import ABSENT, Account, Reward, connect_block, genesis_accounts, maturing_height, reward_of
from pychain.consensus.subsidy import subsidy
from pychain.ledger.store import Batch, IndexRecord, Status
from pychain.ledger.template import BlockTemplate
from pychain.store import LmdbStore
from pychain.wallet.keys import dev_key

NETWORK = "dev"
BLOCKS_A_COMMIT = 2_000
SEARCH_NONCES = 1 << 20
POLL_S = 0.001
READY_TIMEOUT_S = 60.0
LINES = ("VmRSS", "VmHWM", "RssAnon", "RssFile", "Pss", "Pss_Anon")


class State:
    """Accounts as the chain being made leaves them."""

    def __init__(self, spec: ChainSpec) -> None:
        self.accounts: dict[bytes, Account] = genesis_accounts(spec)

    def account(self, key: bytes) -> Account:
        return self.accounts.get(key, ABSENT)


class Round(NamedTuple):
    """Seconds until a node was ready, and its CPU seconds; its memory then and after idling, name -> KiB."""

    ready_s: float
    cpu_s: float
    at_ready: dict[str, int]
    at_rest: dict[str, int]


def mine(template: BlockTemplate, recipient: bytes) -> Block:
    coinbase = template.coinbase(recipient, bytes(32))
    nonce, _ = native.search(template.header_prefix(coinbase, template.time), template.target, 0, SEARCH_NONCES)
    assert nonce is not None
    return template.block(coinbase, template.time, nonce)


def blocks_of(spec: ChainSpec, count: int) -> Iterator[Block]:
    """The blocks after genesis, a spacing apart."""
    assert spec.retarget == "fixed"
    recipient, prev_hash, start = dev_key(0).public_key, spec.genesis_hash, max(spec.genesis_time, spec.start_time)
    for height in range(1, count + 1):
        template = BlockTemplate(
            height, prev_hash, spec.genesis_bits, start + height, 0, 0, subsidy(spec, height), 0, ()
        )
        block = mine(template, recipient)
        prev_hash = block.hash
        yield block


def write_chain(directory: Path, count: int) -> None:
    """A store as a node would have left it after `count` blocks."""
    spec = packaged_spec(NETWORK)
    store, state = LmdbStore(directory, spec.genesis_hash), State(spec)
    status = Status.BODY | Status.VERIFIED | Status.CONNECTED
    genesis = spec.genesis
    rewards = [Reward(bytes(32), 0)]
    store.commit(
        Batch(
            bodies={genesis.hash: genesis.raw},
            index=(IndexRecord.of(genesis.header, 0, status),),
            accounts=dict(state.accounts),
            undo={genesis.hash: bytes(1)},
            rewards={genesis.hash: rewards[0]},
            connected={genesis.hash: genesis},
            tip=genesis.hash,
        )
    )
    numbered = enumerate(blocks_of(spec, count), 1)
    while gathered := list(itertools.islice(numbered, BLOCKS_A_COMMIT)):
        changes: dict[bytes, Account] = {}
        undo = {}
        first = len(rewards)
        for height, block in gathered:
            matures = maturing_height(spec, height)
            connection = connect_block(spec, block, height, state, rewards[matures] if matures else None)
            state.accounts |= connection.changes
            changes |= connection.changes
            undo[block.hash] = connection.undo_record
            rewards.append(reward_of(connection.coinbase))
        store.commit(
            Batch(
                bodies={block.hash: block.raw for _, block in gathered},
                index=tuple(IndexRecord.of(block.header, height, status) for height, block in gathered),
                accounts=changes,
                undo=undo,
                rewards={block.hash: reward for (_, block), reward in zip(gathered, rewards[first:], strict=True)},
                connected={block.hash: block for _, block in gathered},
                tip=gathered[-1][1].hash,
            )
        )
    store.close()


def memory_of(pid: int) -> dict[str, int]:
    """KiB by the kernel's names: what is resident, of it anonymous and of files, and the process' fair share."""
    memory = {}
    for name in ("status", "smaps_rollup"):
        for line in Path(f"/proc/{pid}/{name}").read_text().splitlines():
            key, _, value = line.partition(":")
            if key in LINES:
                memory[key] = int(value.split()[0])
    return memory


def run_node(directory: Path, idle_s: float, bytecode: Path) -> Round:
    """One node's life on the chain: start, ready, rest, end. Compiled modules are kept in `bytecode`, as an installed
    package has them.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(bytecode)
    ready = directory / "ready.json"
    command = [sys.executable, "-m", "pychain", "node", "--network", NETWORK, "--datadir", str(directory)]
    command += ["--p2p-port", "0", "--api-port", "0", "--listen", "127.0.0.1", "--log-level", "warning"]
    begin = time.perf_counter()
    process = subprocess.Popen(command, env=environment)
    try:
        while not ready.exists():
            took = time.perf_counter() - begin
            if process.poll() is not None or took > READY_TIMEOUT_S:
                raise RuntimeError("the node did not come up")
            time.sleep(POLL_S)
        took = time.perf_counter() - begin
        cpu, at_ready = cpu_seconds(process.pid), memory_of(process.pid)
        time.sleep(idle_s)
        return Round(took, cpu, at_ready, memory_of(process.pid))
    finally:
        process.terminate()
        process.wait()


def measure(directory: Path, blocks: int, rounds: int, idle_s: float) -> list[Round]:
    if not (directory / "state").exists():
        begin = time.perf_counter()
        write_chain(directory, blocks)
        print(f"made {blocks:,} blocks in {time.perf_counter() - begin:.1f} s", file=sys.stderr)
    with tempfile.TemporaryDirectory() as temporary:
        bytecode = Path(temporary)
        run_node(directory, 0, bytecode)  # the first one compiles, and reads the disk
        return [run_node(directory, idle_s, bytecode) for _ in range(rounds)]


def report(blocks: int, rounds: list[Round], idle_s: float, load: float) -> None:
    ready = [one.ready_s for one in rounds]
    print(f"{blocks:,} blocks, {len(rounds)} rounds, load found {load:.1f} on {os.cpu_count()} cores")
    print(f"ready after {statistics.median(ready):.3f} s (median; {min(ready):.3f} to {max(ready):.3f})")
    print(f"of them on a core {statistics.median(one.cpu_s for one in rounds):.2f} s")
    for when, memories in (
        ("when ready", [one.at_ready for one in rounds]),
        (f"after {idle_s:.0f} s", [one.at_rest for one in rounds]),
    ):
        parts = [f"{name} {statistics.median(memory[name] for memory in memories) / 1024:.1f}" for name in LINES]
        print(f"{when}, MiB: " + ", ".join(parts))


def main() -> None:
    parser = argparse.ArgumentParser(description="How soon a node on a long chain is ready, and its memory.")
    parser.add_argument("--blocks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", type=float, default=10.0, metavar="S", help="seconds before the second look (10)")
    parser.add_argument("--datadir", type=Path, metavar="DIR", help="keep the chain here for the next run")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        directory = arguments.datadir or Path(temporary) / "node"
        rounds = measure(directory, arguments.blocks, arguments.rounds, arguments.idle)
    report(arguments.blocks, rounds, arguments.idle, load)


if __name__ == "__main__":
    main()
