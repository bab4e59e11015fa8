"""The miner: valid blocks, work shared without overlap, templates replaced at once, threads that end."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from pychain import native
from pychain.base.time import NS
from pychain.chain.block import Block
from pychain.chain.target import bits_from_target
from pychain.consensus import semantic
from pychain.daemon.clock import Clock
from pychain.daemon.miner import Miner
from pychain.ledger.template import BlockTemplate
from pychain.miner import threads as threads_module
from pychain.miner.threads import NONCES
from pychain.native import reference
from tests.support.builder import spec_of
from tests.support.network import EASY_BITS, GENESIS_TIME, Network

SPEC = spec_of(Network())
RECIPIENT = b"\x07" * 32
HOPELESS_BITS = bits_from_target(1)
"""No hash meets it within the life of a test."""
TIMEOUT_S = 60.0


def template(bits: int = EASY_BITS, height: int = 1, time: int = GENESIS_TIME + 10) -> BlockTemplate:
    return BlockTemplate(
        height=height,
        prev_hash=SPEC.genesis_hash,
        bits=bits,
        time=time,
        min_time=GENESIS_TIME + 1,
        max_time=time + 7200,
        coinbase_amount=5_000_000_000,
        fees=0,
        transfers=(),
    )


class Mine:
    """A miner, the blocks it found, and the bugs it reported."""

    def __init__(self, threads: int) -> None:
        self.clock = Clock()
        self.clock.mock(GENESIS_TIME + 100)
        self.found: queue.Queue[Block] = queue.Queue()
        self.failures: queue.Queue[BaseException] = queue.Queue()
        self.miner = Miner(threads, self.clock, self.found.put, self.failures.put)


@pytest.fixture(params=["native", "reference"])
def mine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Mine]]:
    """Makes miners on each implementation of the search; whatever they do, they must end without a bug."""
    if request.param == "reference":
        stand_in = SimpleNamespace(search_rolling=reference.search_rolling, compiled=False)
        monkeypatch.setattr(threads_module, "native", stand_in)
    mines: list[Mine] = []

    def make(threads: int) -> Mine:
        mines.append(Mine(threads))
        return mines[-1]

    yield make
    for each in mines:
        each.miner.close()
        assert each.failures.empty()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("mine-")] == []


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_mined_blocks_are_valid_and_pay_the_recipient(mine: Callable[[int], Mine]) -> None:
    shop = mine(2)
    hashes = set()
    for height in range(1, 20):
        shop.miner.start(template(height=height), RECIPIENT)
        block = shop.found.get(timeout=TIMEOUT_S)
        semantic.verify_block(SPEC, block.raw)
        coinbase = semantic.coinbase_of(block)
        assert (coinbase.height, coinbase.recipient, coinbase.amount) == (height, RECIPIENT, 5_000_000_000)
        assert block.header.time == GENESIS_TIME + 100  # the clock's, which is past the template's
        hashes.add(block.hash)
    assert len(hashes) == 19


def test_a_template_yields_one_block(mine: Callable[[int], Mine]) -> None:
    shop = mine(4)
    shop.miner.start(template(), RECIPIENT)
    shop.found.get(timeout=TIMEOUT_S)
    time.sleep(0.05)
    assert shop.found.empty()


def test_a_header_is_never_older_than_its_template(mine: Callable[[int], Mine]) -> None:
    shop = mine(1)
    shop.miner.start(template(time=GENESIS_TIME + 500), RECIPIENT)
    assert shop.found.get(timeout=TIMEOUT_S).header.time == GENESIS_TIME + 500


def test_a_new_template_replaces_a_hopeless_one(mine: Callable[[int], Mine]) -> None:
    shop = mine(2)
    shop.miner.start(template(HOPELESS_BITS), RECIPIENT)
    wait_until(lambda: shop.miner.hashes > 10_000)
    assert shop.miner.hash_rate() > 0
    shop.miner.start(template(height=2), RECIPIENT)
    coinbase = semantic.coinbase_of(shop.found.get(timeout=TIMEOUT_S))
    assert coinbase.height == 2


def test_stopping_ends_the_search_and_starting_begins_it_again(mine: Callable[[int], Mine]) -> None:
    shop = mine(2)
    shop.miner.start(template(HOPELESS_BITS), RECIPIENT)
    wait_until(lambda: shop.miner.hashes > 0)
    shop.miner.stop()
    assert shop.miner.template is None
    assert shop.miner.hash_rate() == 0
    shop.miner.start(template(), RECIPIENT)
    assert shop.found.get(timeout=TIMEOUT_S)


def test_threads_share_the_work_without_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every search is written down: no header (nonce aside) is ever searched twice at one nonce."""
    tried: list[tuple[bytes, int, int]] = []

    def search(
        header: bytes, versions: Sequence[int], target: int, start: int, count: int, stop: object
    ) -> tuple[None, int]:
        tried.append((header[:76], start, start + count))
        time.sleep(0.0005)
        return None, count * len(versions)

    monkeypatch.setattr(threads_module, "native", SimpleNamespace(search_rolling=search, compiled=False))
    monkeypatch.setattr(threads_module, "NONCES", 20_000)  # so that threads run through many coinbases
    shop, other = Mine(3), Mine(1)
    for each in (shop, other):  # two nodes that mine to one key on one parent
        each.miner.start(template(HOPELESS_BITS), RECIPIENT)
    wait_until(lambda: len(tried) > 500)
    for each in (shop, other):
        each.miner.close()
        assert each.failures.empty()
    spans: dict[bytes, list[tuple[int, int]]] = {}
    for header, start, end in tried:
        spans.setdefault(header, []).append((start, end))
    assert len(spans) > 20
    for header_spans in spans.values():
        header_spans.sort()
        for (_, end), (start, _) in pairwise(header_spans):
            assert end <= start
    assert max(end for _, _, end in tried) == 20_000


def test_slices_grow_to_their_span_and_stay_within_the_nonces() -> None:
    assert threads_module._next_slice(1 << 12, NS // 1000, 1 << 12) == 1 << 14
    assert threads_module._next_slice(1 << 20, NS // 4, 1 << 20) == 1 << 20
    assert threads_module._next_slice(1 << 20, NS, 1 << 20) == 1 << 18
    assert threads_module._next_slice(NONCES, 1, NONCES) == NONCES
    assert threads_module._next_slice(10, NS, 1 << 20) == 1 << 20  # stopped early: nothing learnt


def test_a_bug_on_a_mining_thread_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> tuple[None, int]:
        raise ZeroDivisionError

    monkeypatch.setattr(threads_module, "native", SimpleNamespace(search_rolling=broken, compiled=False))
    shop = Mine(1)
    shop.miner.start(template(), RECIPIENT)
    assert isinstance(shop.failures.get(timeout=TIMEOUT_S), ZeroDivisionError)
    shop.miner.close()


def test_searches_use_the_door_to_the_native_core() -> None:
    assert threads_module.native is native
