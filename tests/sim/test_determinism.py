"""The same seed gives the same run, whatever Python's hash seed is."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
from tests.support.networks import Payer, line_world

world, hosts = line_world({seed}, 4)
Payer(world, hosts[0], 0).pay_every(1.0, 50)
Payer(world, hosts[3], 1).pay_every(1.5, 50)
world.start()
world.run_for(20)
world.cut(hosts[:2], hosts[2:])
world.run_for(10)
hosts[1].crash()
world.run_for(5)
hosts[1].start()
world.heal()
world.run_for(30)
print(world.trace.hexdigest(), world.trace.events)
"""


def run(seed: int, hash_seed: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(seed=seed)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return result.stdout


def test_same_seed_same_trace_under_two_hash_seeds() -> None:
    first = run(3, "1")
    assert int(first.split()[1]) > 1000
    assert run(3, "2") == first


def test_another_seed_is_another_run() -> None:
    assert run(3, "1") != run(4, "1")
