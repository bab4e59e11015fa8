"""The core's own threads, which help with batches and persist: forks, signals, and many callers at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pychain import native

from .vectors import RFC_8032

pytestmark = pytest.mark.skipif(not native.compiled, reason=native.fallback_reason or "")

COPIES = 120  # of five signatures: enough for four threads
CHILD_S = 60
LISTS = [list(column) * COPIES for column in zip(*RFC_8032, strict=True)]
BAD = 321

HELPERS_AND_THEIR_SIGNALS = """
import os
from pathlib import Path
from pychain import native
from tests.native.test_native_helpers import right
before = set(os.listdir("/proc/self/task"))
assert right(4)
for task in sorted(set(os.listdir("/proc/self/task")) - before):
    status = Path("/proc/self/task", task, "status").read_text()
    print(next(line for line in status.splitlines() if line.startswith("SigBlk:")).split()[1])
"""


def right(threads: int) -> bool:
    """Whether a batch with one bad signature gets the right answer."""
    keys, messages, signatures = LISTS
    signatures = [*signatures[:BAD], bytes(64), *signatures[BAD + 1 :]]
    answers = native.verify_batch(keys, messages, signatures, threads=threads)
    return [i for i, valid in enumerate(answers) if not valid] == [BAD]


def in_a_child() -> int:
    """The exit code of a forked child that verifies a batch on three threads; it is ended if it takes too long."""
    child = os.fork()
    if child == 0:
        signal.alarm(CHILD_S)
        os._exit(0 if right(3) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_has_helpers_of_its_own() -> None:
    assert right(3)
    assert in_a_child() == 0
    assert right(3)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_forks_in_the_middle_of_batches() -> None:
    """The child of a fork while others work has neither their tasks nor their threads, and waits for neither."""
    ended = threading.Event()
    wrong: list[int] = []

    def work() -> None:
        while not ended.is_set():
            if not right(3):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    codes = [in_a_child() for _ in range(15)]
    ended.set()
    for worker in workers:
        worker.join()
    assert codes == [0] * 15
    assert wrong == []


@pytest.mark.parametrize("callers", [1, 2, 7])
def test_callers_share_the_helpers(callers: int) -> None:
    answers: list[bool] = []
    work = [threading.Thread(target=lambda: answers.extend(right(4) for _ in range(5))) for _ in range(callers)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert answers == [True] * 5 * callers


@pytest.mark.parametrize("threads", [2, 3, 5, 7])
def test_every_signature_is_in_one_chunk(threads: int) -> None:
    """Whatever the number that is cut into chunks for so many threads; no answer is left as another batch had it."""
    source = random.Random(threads)
    for count in (128 * threads, 128 * threads + 1, 512 * threads - 1, 512 * threads, 512 * threads + 1, 3000):
        expected = [source.random() < 0.99 for _ in range(count)]
        picks = [i % len(RFC_8032) for i in range(count)]
        keys, messages, signatures = zip(*(RFC_8032[i] for i in picks), strict=True)
        trial = [good if valid else bytes(64) for good, valid in zip(signatures, expected, strict=True)]
        assert native.verify_batch(keys, messages, trial, threads=threads) == expected


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="this system does not list a process's threads")
def test_helpers_stay_and_block_all_signals() -> None:
    """So signals reach the program's own threads, one of which may wait for it."""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", HELPERS_AND_THEIR_SIGNALS],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=CHILD_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    masks = [int(line, 16) for line in done.stdout.split()]
    assert len(masks) == 3
    blocked = sum(1 << (number - 1) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM))
    assert all(mask & blocked == blocked for mask in masks)
