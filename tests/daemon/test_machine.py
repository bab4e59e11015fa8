"""The daemon's use of the machine: clock, descriptors, priorities, identity, and a watch on its own loop."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pychain.base.errors import ConfigError
from pychain.daemon.clock import Clock
from pychain.daemon.identity import KEY_FILE, load_identity, peer_id
from pychain.daemon.watchdog import PERIOD_S, STALL_S, LoopWatchdog
from pychain.miner.priority import lower_thread_priority
from pychain.system.entropy import SystemEntropy
from tests.conftest import Run


def test_the_clock_shows_the_machine_s_time() -> None:
    clock = Clock()
    before, now, after = time.monotonic_ns(), clock.now(), time.monotonic_ns()
    assert before <= now.mono_ns <= after
    assert abs(now.wall_s - time.time()) < 60


def test_a_mocked_clock_stands_still_and_leaves_the_monotonic_time_alone() -> None:
    clock = Clock()
    clock.mock(12345)
    first, second = clock.now(), clock.now()
    assert (first.wall_s, second.wall_s, clock.mocked_s) == (12345, 12345, 12345)
    assert abs(second.mono_ns - time.monotonic_ns()) < 60 * 10**9
    clock.mock(None)
    assert abs(clock.wall_s() - time.time()) < 60
    assert clock.mocked_s is None


def test_entropy_is_fresh() -> None:
    entropy = SystemEntropy()
    assert len({entropy.bytes(16) for _ in range(100)}) == 100
    assert len(entropy.bytes(0)) == 0


@pytest.mark.parametrize(("soft", "hard", "expected"), [(64, 256, 256), (256, 256, 256)])
def test_the_descriptor_limit_is_raised_to_the_hard_one(soft: int, hard: int, expected: int) -> None:
    """In a process of its own: limits that were lowered cannot be raised again."""
    program = (
        "import resource; from pychain.daemon.rlimit import raise_descriptor_limit; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); "
        "print(raise_descriptor_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(expected)] * 2


def test_the_descriptor_limit_is_never_lowered() -> None:
    program = (
        "import resource; from pychain.daemon.rlimit import raise_descriptor_limit; "
        "before = resource.getrlimit(resource.RLIMIT_NOFILE); limit = raise_descriptor_limit(); "
        "after = resource.getrlimit(resource.RLIMIT_NOFILE); "
        "assert after[1] == before[1] and before[0] <= after[0]; assert limit > 0"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] != 0


def test_a_thread_s_priority_is_its_own() -> None:
    """Where the system has priorities of threads, the thread is idle and this one is as it was."""
    said: list[tuple[str | None, int | None]] = []

    def lower() -> None:
        how = lower_thread_priority()
        said.append((how, os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else None))

    thread = threading.Thread(target=lower)
    thread.start()
    thread.join()
    ((how, policy),) = said
    if sys.platform.startswith("linux"):
        assert how in ("idle", "nice")
        assert how != "idle" or policy == os.SCHED_IDLE
        assert os.sched_getscheduler(0) != os.SCHED_IDLE
    else:
        assert how is None


def test_a_peer_id_is_libp2p_s() -> None:
    """The Ed25519 key among the test vectors of libp2p's peer id specification."""
    public_key = bytes.fromhex("1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")
    assert peer_id(public_key) == "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"


def test_the_identity_stays_and_is_private(tmp_path: Path) -> None:
    first, second = (load_identity(tmp_path, SystemEntropy()) for _ in range(2))
    assert first == second
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert peer_id(first.verify_key.encode()).startswith("12D3KooW")
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_damaged_identity_is_one_line(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(ConfigError, match="is not a node key: it has 5 bytes, not 32"):
        load_identity(tmp_path, SystemEntropy())


def test_the_watchdog_sees_a_stall(run: Run[None]) -> None:
    async def scenario() -> None:
        watchdog = LoopWatchdog(asyncio.get_running_loop())
        watchdog.start()
        await asyncio.sleep(5 * PERIOD_S)
        assert watchdog.looks > 0
        until = time.monotonic() + 3 * STALL_S
        while time.monotonic() < until:
            pass
        await asyncio.sleep(5 * PERIOD_S)
        assert watchdog.stalls >= 1
        assert watchdog.worst_s > STALL_S
        watchdog.stop()
        looks = watchdog.looks
        await asyncio.sleep(5 * PERIOD_S)
        assert watchdog.looks == looks

    run(scenario())
