"""Workers: the threads that verify, read and commit beside the event loop, and return their results to it.

Verification is Python first and then, for the signatures, C without the interpreter's lock, which uses all cores. So of
two threads one runs Python checks of the next blocks beside the other's signatures, and two never do that at once: they
would wait for each other. Commits have a thread of their own, which keeps them in order; reads have theirs, so that
serving a peer does not wait behind a queue of signatures.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from pychain import native
from pychain.api.meters import Distribution, Meters
from pychain.base.errors import DecodeError
from pychain.chain.block import Block, decode_block
from pychain.chain.hashes import hash_hex
from pychain.chain.spec import ChainSpec
from pychain.chain.transaction import Transfer, signed_message
from pychain.consensus.semantic import parsed_blocks, signed_blocks, sound_blocks
from pychain.daemon.committer import Committer
from pychain.daemon.interpreter import Sharing
from pychain.ledger.known import KnownSignatures
from pychain.ledger.store import Batch, DamagedBlockError, WritableStore
from pychain.node.effects import ReadBlocks, VerifyBlocks
from pychain.node.inputs import (
    BlocksRead,
    BlocksVerified,
    BodyDamaged,
    CommitDone,
    CommitFailed,
    Input,
    TransfersVerified,
)

_log = logging.getLogger(__name__)

FEW = 16
"""Signatures checked on the loop's own thread: 0.2 ms with IFMA, 0.5 ms without, twice that if they are bad. Using a
worker costs more: two threads wake, and each waits for the interpreter's lock."""
READERS = 2
"""Threads for block bodies: one may wait for a slow disk while the other serves."""


def default_verifiers() -> int:
    """One thread fewer than the cores of this process: without a core of its own, the event loop would wait for the
    system's scheduler."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


class Workers:
    """Jobs by kind. On the loop's thread, `deliver` gets each result, and `fail` an exception that is a bug."""

    def __init__(
        self,
        spec: ChainSpec,
        store: WritableStore,
        deliver: Callable[[Input], None],
        fail: Callable[[BaseException], None],
        verifiers: int,
        meters: Meters,
        sharing: Sharing,
    ) -> None:
        self._spec = spec
        self._store = store
        self._deliver = deliver
        self._fail = fail
        self._meters = meters
        self._loop = asyncio.get_running_loop()
        self._known = KnownSignatures()
        self._verifiers = ThreadPoolExecutor(verifiers, "verify", sharing.begin_worker)
        self._examining = threading.Lock()
        self._readers = ThreadPoolExecutor(READERS, "read")
        self._prefetcher = ThreadPoolExecutor(1, "prefetch")
        self._committer = Committer(store, fail)

    def verify_blocks(self, effect: VerifyBlocks) -> None:
        """`BlocksVerified` follows."""
        self._submit(self._verifiers, lambda: self._blocks_verified(effect), self._meters.block_checks)

    def verify_transfers(self, job: int, transfers: tuple[Transfer, ...]) -> None:
        """`TransfersVerified` follows; if they are few, before this returns."""
        durations = self._meters.transfer_checks
        if len(transfers) <= FEW:
            self._done(*_timed(lambda: self._transfers_verified(job, transfers)), durations)
        else:
            self._submit(self._verifiers, lambda: self._transfers_verified(job, transfers), durations)

    def read_blocks(self, effect: ReadBlocks) -> None:
        """`BlocksRead` follows."""
        self._submit(self._readers, lambda: self._blocks_read(effect))

    def commit(self, job: int, batch: Batch) -> None:
        """`CommitDone` or `CommitFailed` follows."""
        self._committer.submit(lambda: self._run(lambda: self._committed(job, batch), self._meters.commits))

    async def body(self, block_hash: bytes) -> bytes | None:
        """A raw block for the API; OSError from a damaged disk."""
        return await self._loop.run_in_executor(self._readers, self.read_body, block_hash)

    async def close(self) -> None:
        """Drop the jobs that have not begun, and wait for those that have."""
        for pool in (self._verifiers, self._readers):
            pool.shutdown(wait=False, cancel_futures=True)
        await self._committer.close()
        for pool in (self._verifiers, self._readers, self._prefetcher):  # the verifiers wait for the last
            await asyncio.to_thread(pool.shutdown)

    # --- on the threads

    def _submit(
        self, pool: ThreadPoolExecutor, job: Callable[[], Input], durations: Distribution | None = None
    ) -> None:
        pool.submit(self._run, job, durations)

    def _run(self, job: Callable[[], Input], durations: Distribution | None) -> None:
        try:
            result, took_ns = _timed(job)
        except Exception as error:
            self._loop.call_soon_threadsafe(self._fail, error)
        else:
            self._loop.call_soon_threadsafe(self._done, result, took_ns, durations)

    def _done(self, result: Input, took_ns: int, durations: Distribution | None) -> None:
        """On the loop's thread."""
        if durations is not None:
            durations.observe(took_ns)
        self._deliver(result)

    def _blocks_verified(self, effect: VerifyBlocks) -> Input:
        with self._examining:
            results = parsed_blocks(self._spec, effect.raws)
            prefetch = self._begin_prefetch([block for block in results if isinstance(block, Block)])
            results = sound_blocks(self._spec, results)
        results = signed_blocks(self._spec, results, self._known)
        if prefetch is not None:
            prefetch.result()
        return BlocksVerified(effect.job, tuple(results))

    def _begin_prefetch(self, blocks: Sequence[Block]) -> Future[None] | None:
        """Read uncached accounts beside the checks: their page faults happen here, not on the loop."""
        keys: list[bytes] = []
        for block in blocks:
            with suppress(ValueError):  # it has something other than transfers, which the checks report
                keys += block.accounts
        return self._prefetcher.submit(self._store.prefetch, keys) if keys else None

    def _transfers_verified(self, job: int, transfers: tuple[Transfer, ...]) -> Input:
        genesis = self._spec.genesis_hash
        valid = native.verify_strict_batch(
            [transfer.sender for transfer in transfers],
            [signed_message(genesis, transfer) for transfer in transfers],
            [transfer.signature for transfer in transfers],
            threads=1,  # each job runs on one of our threads
        )
        self._known.add(transfer.txid for transfer, holds in zip(transfers, valid, strict=True) if holds)
        return TransfersVerified(job, tuple(valid))

    def _blocks_read(self, effect: ReadBlocks) -> Input:
        return BlocksRead(effect.job, tuple([self._block_read(each, effect.decoded) for each in effect.hashes]))

    def _block_read(self, block_hash: bytes, decoded: bool) -> Block | bytes | None:
        try:
            raw = self.read_body(block_hash)
            return decode_block(raw) if decoded and raw is not None else raw
        except (OSError, DecodeError) as error:
            _log.error("block %s cannot be read: %s", hash_hex(block_hash), error)
            return None

    def read_body(self, block_hash: bytes) -> bytes | None:
        """A raw block, on any thread; a damaged one is reported to the node."""
        try:
            return self._store.body(block_hash)
        except DamagedBlockError:
            self._loop.call_soon_threadsafe(self._deliver, BodyDamaged(block_hash))
            raise

    def _committed(self, job: int, batch: Batch) -> Input:
        try:
            self._store.commit(batch)
        except OSError as error:
            return CommitFailed(job, error.strerror or str(error))
        return CommitDone(job)


def _timed(job: Callable[[], Input]) -> tuple[Input, int]:
    """A job's result, and the ns that it took."""
    began_ns = time.monotonic_ns()
    result = job()
    return result, time.monotonic_ns() - began_ns
