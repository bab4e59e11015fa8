"""Simulate: CPU time of a hundred idle nodes, and what a turn of a node costs.

    python bench/simulate.py [--nodes N] [--degree N] [--seconds S] [--rounds N] [--against CHECKOUT]

Nodes connect at random and find a block a minute; nothing else happens but pings, on average every 15 s a connection.
Every round is a process of its own. With --against, the rounds alternate with those of another checkout of this
repository, with its core built, and the ratio of the medians is printed. The goal: at most 0.5 of commit 4330133, with
the same kinds of messages and nearly as many.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SPACING_S = 60
HERE = Path(__file__).parent.parent
ONE_ROUND = "--one-round"


def simulate(nodes: int, degree: int, seconds: float) -> dict[str, Any]:
    """One round: CPU seconds, blocks, events of the trace and messages sent."""
    from pychain.consensus.rulebook import Rulebook
    from pychain.sim.stage import GENESIS_WORK, reward_key, spec_of
    from pychain.sim.world import World

    draw = random.Random(1)
    world = World(Rulebook(spec_of(SPACING_S)), seed=1)
    share = GENESIS_WORK / SPACING_S / nodes
    for number in range(nodes):
        connect = [f"n{other}" for other in draw.sample(range(number), min(number, degree // 2))]
        world.add(f"n{number}", connect, mine_to=reward_key(number), hash_rate=share)
    began_s = time.process_time()
    world.start()
    world.run_for(seconds)
    took_s = time.process_time() - began_s
    queries = [host.node.queries for host in world.hosts.values()]
    sent: dict[int, int] = {}
    for each in queries:
        for kind, count in each.sent().messages.items():
            sent[int(kind)] = sent.get(int(kind), 0) + count
    height = max(each.tip.height for each in queries)
    return {"cpu_s": took_s, "height": height, "events": world.trace.events, "messages": dict(sorted(sent.items()))}


def one_round(checkout: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """A round of a checkout, in a process of its own."""
    command = [sys.executable, __file__, ONE_ROUND, *_options(arguments)]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def _options(arguments: argparse.Namespace) -> list[str]:
    return [f"--nodes={arguments.nodes}", f"--degree={arguments.degree}", f"--seconds={arguments.seconds}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--degree", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path)
    parser.add_argument(ONE_ROUND, action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one_round:
        print(json.dumps(simulate(arguments.nodes, arguments.degree, arguments.seconds)))
        return
    checkouts = [HERE] if arguments.against is None else [HERE, arguments.against.resolve()]
    rounds: dict[Path, list[dict[str, Any]]] = {checkout: [] for checkout in checkouts}
    for _ in range(arguments.rounds):
        for checkout in checkouts:
            rounds[checkout].append(one_round(checkout, arguments))
    medians = []
    for name, checkout in zip(("here", "against"), checkouts, strict=False):
        taken = [each["cpu_s"] for each in rounds[checkout]]
        last = rounds[checkout][-1]
        medians.append(statistics.median(taken))
        messages = last["messages"]
        print(f"{name}: {medians[-1]:.2f} s of CPU ({min(taken):.2f} to {max(taken):.2f}), height {last['height']}")
        print(f"  {sum(messages.values()):,} messages, by type {messages}")
    if arguments.against is not None:
        print(f"ratio: {medians[0] / medians[1]:.3f}")


if __name__ == "__main__":
    main()
