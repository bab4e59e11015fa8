"""The workers: results come back on the loop's thread, commits stay in order, a bug in a job is reported."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable, Sequence

import pytest

from pychain.api.meters import Meters
from pychain.chain.block import Block
from pychain.chain.spec import ChainSpec
from pychain.chain.transaction import decode_transfer
from pychain.consensus.rules import Rule, RuleError
from pychain.consensus.semantic import KnownTxids
from pychain.daemon import workers as workers_module
from pychain.daemon.interpreter import ANSWERING
from pychain.daemon.workers import Workers
from pychain.ledger.memory_store import MemoryStore
from pychain.ledger.store import Batch, DamagedBlockError, StoreFullError
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
from tests.conftest import Run
from tests.daemon.scripted import Inbox
from tests.support.builder import ChainBuilder
from tests.support.keys import signer
from tests.support.network import Network

NETWORK = Network()


class FaultyStore(MemoryStore):
    """A store whose reads and commits first call the test."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[Batch], None] = lambda batch: None
        self.bodies: dict[bytes, bytes | Exception] = {}

    def commit(self, batch: Batch) -> None:
        self.before(batch)

    def body(self, block_hash: bytes) -> bytes | None:
        body = self.bodies.get(block_hash)
        if isinstance(body, Exception):
            raise body
        return body


class Shop:
    """Workers, their store, and their results by thread."""

    def __init__(self, verifiers: int = 2) -> None:
        self.chain = ChainBuilder(NETWORK)
        self.store = FaultyStore()
        self.inbox = Inbox()
        self.failures: list[BaseException] = []
        self.failed = asyncio.Event()
        self.threads: set[int] = set()
        self.workers = Workers(self.chain.spec, self.store, self._deliver, self._fail, verifiers, Meters(), ANSWERING)

    def _deliver(self, event: Input) -> None:
        self.threads.add(threading.get_ident())
        self.inbox.feed(event)

    def _fail(self, error: BaseException) -> None:
        self.threads.add(threading.get_ident())
        self.failures.append(error)
        self.failed.set()

    async def results(self, count: int) -> list[Input]:
        await self.inbox.until(lambda: len(self.inbox.inputs) == count)
        assert self.threads == {threading.get_ident()}
        return self.inbox.inputs


def test_blocks_are_verified_each_under_its_job(run: Run[None]) -> None:
    async def scenario() -> None:
        shop = Shop()
        blocks = [shop.chain.extend() for _ in range(20)]
        for job, block in enumerate(blocks):
            shop.workers.verify_blocks(VerifyBlocks(job, (block.raw,)))
        broken = bytearray(blocks[0].raw)
        broken[36] ^= 1  # the merkle root, and with it the proof of work or the body
        shop.workers.verify_blocks(VerifyBlocks(99, (bytes(broken), blocks[1].raw, b"no block")))
        results = {event.job: event.results for event in await shop.results(21) if isinstance(event, BlocksVerified)}
        assert [results[job] for job in range(20)] == [(block,) for block in blocks]
        changed, whole, none = results[99]
        assert isinstance(changed, RuleError)
        assert changed.rule in (Rule.HIGH_HASH, Rule.MERKLE_ROOT)
        assert whole == blocks[1]
        assert isinstance(none, RuleError)
        assert none.rule is Rule.BLOCK_ENCODING
        await shop.workers.close()

    run(scenario())


@pytest.mark.parametrize("copies", [1, 20])
def test_each_transfer_has_its_verdict(run: Run[None], copies: int) -> None:
    """A few at once, many beside the loop."""

    async def scenario() -> None:
        shop = Shop()
        good = decode_transfer(signer("payer").transfer(NETWORK.genesis_hash, 0, bytes(32), 1))
        bad = decode_transfer(good.raw[:-40] + bytes((good.raw[-40] ^ 1,)) + good.raw[-39:])
        shop.workers.verify_transfers(5, (good, bad, good) * copies)
        assert bool(shop.inbox.inputs) == (copies == 1)
        assert await shop.results(1) == [TransfersVerified(5, (True, False, True) * copies)]
        await shop.workers.close()

    run(scenario())


def test_a_signature_that_was_found_to_hold_is_not_checked_again_in_a_block(
    run: Run[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[KnownTxids | None] = []
    check = workers_module.signed_blocks

    def counting(
        spec: ChainSpec, results: Sequence[Block | RuleError], known: KnownTxids | None = None
    ) -> list[Block | RuleError]:
        given.append(known)
        return check(spec, results, known)

    monkeypatch.setattr(workers_module, "signed_blocks", counting)

    async def scenario() -> None:
        shop = Shop()
        good = decode_transfer(signer("payer").transfer(NETWORK.genesis_hash, 0, bytes(32), 1))
        bad = decode_transfer(good.raw[:-40] + bytes((good.raw[-40] ^ 1,)) + good.raw[-39:])
        shop.workers.verify_transfers(1, (good, bad))
        shop.workers.verify_blocks(VerifyBlocks(2, (shop.chain.extend().raw,)))
        await shop.results(2)
        (known,) = given
        assert known is not None
        assert good.txid in known
        assert bad.txid not in known
        await shop.workers.close()

    run(scenario())


def test_blocks_are_read_raw_or_decoded_and_damage_is_a_missing_block(
    run: Run[None], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        shop = Shop()
        block = shop.chain.extend()
        damaged = DamagedBlockError(b"d" * 32, "its bytes are damaged")
        shop.store.bodies = {block.hash: block.raw, b"t" * 32: block.raw[:-1], b"d" * 32: damaged}
        shop.workers.read_blocks(ReadBlocks(0, (block.hash, b"d" * 32, b"m" * 32), decoded=False))
        shop.workers.read_blocks(ReadBlocks(1, (block.hash, b"m" * 32, b"t" * 32), decoded=True))
        heard = list(await shop.results(3))
        results = {event.job: event.blocks for event in heard if isinstance(event, BlocksRead)}
        assert BodyDamaged(b"d" * 32) in heard, "the node hears of it"
        assert results == {0: (block.raw, None, None), 1: (block, None, None)}
        assert isinstance(results[1][0], Block)
        assert await shop.workers.body(block.hash) == block.raw
        with pytest.raises(DamagedBlockError):
            await shop.workers.body(b"d" * 32)
        assert await shop.results(4) == [*heard, BodyDamaged(b"d" * 32)]
        await shop.workers.close()

    run(scenario())
    assert "its bytes are damaged" in caplog.text


def test_commits_are_done_in_order_on_one_thread(run: Run[None]) -> None:
    async def scenario() -> None:
        shop = Shop(verifiers=4)
        order: list[tuple[bytes | None, str]] = []
        shop.store.before = lambda batch: order.append((batch.tip, threading.current_thread().name))
        tips = [bytes((number,)) * 32 for number in range(50)]
        for job, tip in enumerate(tips):
            shop.workers.commit(job, Batch(tip=tip))
        assert await shop.results(50) == [CommitDone(job) for job in range(50)]
        assert [tip for tip, _ in order] == tips
        assert len({name for _, name in order}) == 1
        await shop.workers.close()

    run(scenario())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StoreFullError("no room to store more in /data"), "no room to store more in /data"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
    ],
)
def test_a_commit_that_the_disk_refuses_is_a_failed_commit(run: Run[None], error: OSError, reason: str) -> None:
    async def scenario() -> None:
        def full(batch: Batch) -> None:
            raise error

        shop = Shop()
        shop.store.before = full
        shop.workers.commit(3, Batch())
        assert await shop.results(1) == [CommitFailed(3, reason)]
        await shop.workers.close()

    run(scenario())


def test_a_bug_in_a_job_is_told_on_the_loop(run: Run[None]) -> None:
    async def scenario() -> None:
        def broken(batch: Batch) -> None:
            raise ZeroDivisionError

        shop = Shop()
        shop.store.before = broken
        shop.workers.commit(3, Batch())
        await shop.failed.wait()
        assert [type(error) for error in shop.failures] == [ZeroDivisionError]
        assert shop.inbox.inputs == []
        assert shop.threads == {threading.get_ident()}
        await shop.workers.close()

    run(scenario())


def test_closing_waits_for_the_commit_under_way_and_drops_those_behind_it(run: Run[None]) -> None:
    async def scenario() -> None:
        under_way, go_on = threading.Event(), threading.Event()
        committed: list[bytes | None] = []

        def slow(batch: Batch) -> None:
            under_way.set()
            assert go_on.wait(30)
            committed.append(batch.tip)

        shop = Shop()
        shop.store.before = slow
        shop.workers.commit(1, Batch(tip=b"1" * 32))
        shop.workers.commit(2, Batch(tip=b"2" * 32))
        await asyncio.to_thread(under_way.wait, 30)
        closing = asyncio.get_running_loop().create_task(shop.workers.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        go_on.set()
        await closing
        assert committed == [b"1" * 32]

    run(scenario())
