"""The node's own miner: its templates as jobs for the search threads, one block per template."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

from pychain import native
from pychain.base.codec import u64
from pychain.chain.block import Block
from pychain.daemon.clock import Clock
from pychain.ledger.template import BLOCK_VERSION, BlockTemplate
from pychain.miner.threads import SearchThreads
from pychain.stratum.jobs import ROLLABLE_BITS, rolled_versions
from pychain.system.entropy import SystemEntropy

VERSIONS = rolled_versions(BLOCK_VERSION, ROLLABLE_BITS, native.MAX_VERSIONS)
SALT_BYTES = 24
"""Random bytes at the start of each extra, so that two nodes mining to one key hash different headers."""


class Miner:
    """Mines on the latest template.

    `found` is called on a mining thread with each solved block, and `fail` with an exception that is a bug."""

    def __init__(
        self, threads: int, clock: Clock, found: Callable[[Block], None], fail: Callable[[BaseException], None]
    ) -> None:
        self._clock = clock
        self._found = found
        self._search = SearchThreads(threads, fail)
        self.template: BlockTemplate | None = None
        """The template being mined, or None."""

    def start(self, template: BlockTemplate, recipient: bytes) -> None:
        """Mine on this template, paying to a 32-byte key, in place of any earlier one."""
        self.template = template
        self._search.start(_TemplateJob(template, recipient, self._clock, self._found))

    def stop(self) -> None:
        """Stop mining until the next template."""
        self.template = None
        self._search.stop()

    def close(self) -> None:
        """End the threads, and wait for them."""
        self.template = None
        self._search.close()

    def hash_rate(self) -> float:
        """The recent hashes per second, 0 while not mining."""
        return self._search.hash_rate()

    @property
    def threads(self) -> int:
        return self._search.threads

    @property
    def hashes(self) -> int:
        """Headers tried so far."""
        return self._search.hashes


class _TemplateJob:
    """A template: each unit of work is a coinbase with the next number. The first block found ends the job."""

    versions = VERSIONS

    def __init__(self, template: BlockTemplate, recipient: bytes, clock: Clock, found: Callable[[Block], None]) -> None:
        self.template = template
        self.target = template.target
        self.stop = native.StopFlag()
        self.clock = clock
        self._recipient = recipient
        self._found = found
        self._salt = SystemEntropy().bytes(SALT_BYTES)
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def work(self) -> _CoinbaseWork:
        return _CoinbaseWork(self, self._recipient, self._salt + u64(next(self._numbers)))

    def solved(self, block: Block) -> None:
        """Report the first solution, unless the job was replaced."""
        with self._lock:
            first = not self.stop.is_set()
            self.stop.set()
        if first:
            self._found(block)


class _CoinbaseWork:
    """One coinbase of a template."""

    def __init__(self, job: _TemplateJob, recipient: bytes, extra: bytes) -> None:
        self._job = job
        self._coinbase = job.template.coinbase(recipient, extra)
        self._time = 0

    def header(self) -> bytes:
        template = self._job.template
        self._time = max(template.time, self._job.clock.wall_s())
        return template.header_prefix(self._coinbase, self._time)

    def found(self, header: bytes, nonce: int, version: int) -> None:
        self._job.solved(self._job.template.block(self._coinbase, self._time, nonce, version))
