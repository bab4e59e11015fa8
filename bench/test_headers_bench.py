"""Headers: decoding a message of them, judging them and adding them to the tree, presync, and loading a long index.

Each is timed for a whole message (`MAX_HEADERS`), the index for `INDEXED`; divide for the cost of one.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pychain import native
from pychain.base.entropy import Random
from pychain.base.time import Now
from pychain.chain.hashes import HASH_BYTES
from pychain.chain.header import Header, decode_headers, new_header
from pychain.chain.spec import ChainSpec, packaged_spec
from pychain.chain.target import target_from_bits
from pychain.consensus.rulebook import Rulebook
from pychain.ledger.entry import EntryBranch
from pychain.ledger.presync import SALT_BYTES, Presync
from pychain.ledger.store import IndexSlice, Status
from pychain.ledger.tree import BlockTree
from pychain.node.headers import HeaderIntake, HeaderList
from pychain.p2p.limits import MAX_HEADERS

RULES = ("fixed", "asert", "lwma", "bitcoin")
BEFORE = 300
"""Headers that the tree has already: the windows of all rules but `bitcoin` are full."""
INDEXED = 100_000
SLICE = 4096
BITS = 0x2000FFFF
"""Some 256 hashes a header, far enough from the limit that the rules can move them."""


def spec_of(rule: str) -> ChainSpec:
    return replace(packaged_spec("dev"), retarget=rule, genesis_bits=BITS)


def chain_of(spec: ChainSpec, count: int) -> list[Header]:
    """Valid headers after genesis at trivial difficulty, their times a spacing apart give or take."""
    tree, random = BlockTree(Rulebook(spec)), Random(7)
    entry, time, headers = tree.genesis, max(spec.genesis_time, spec.start_time), []
    for height in range(1, count + 1):
        time += 1 + random.below(2 * spec.spacing_s)
        bits = tree.rulebook.next_bits(EntryBranch(entry))
        root = height.to_bytes(HASH_BYTES, "little")
        nonce, _ = native.search(new_header(1, entry.hash, root, time, bits, 0).raw, target_from_bits(bits), 0, 1 << 24)
        assert nonce is not None
        entry = tree.add(new_header(1, entry.hash, root, time, bits, nonce))
        headers.append(entry.header)
    return headers


class Chain:
    """The headers of one rule, and what knows the first `BEFORE` of them."""

    def __init__(self, rule: str) -> None:
        self.spec = spec_of(rule)
        headers = chain_of(self.spec, BEFORE + MAX_HEADERS)
        self.before, self.message = headers[:BEFORE], headers[BEFORE:]
        self.now = Now(0, headers[-1].time)

    def intake(self) -> HeaderIntake:
        tree = BlockTree(Rulebook(self.spec))
        for header in self.before:
            tree.add(header)
        return HeaderIntake(tree, Random(1), lambda headers, now: None)


@pytest.fixture(scope="module", params=RULES)
def chain(request: pytest.FixtureRequest) -> Chain:
    return Chain(request.param)


def test_decode(benchmark: BenchmarkFixture, chain: Chain) -> None:
    raws = [header.raw for header in chain.message]
    assert benchmark(decode_headers, raws) == chain.message


def test_judge(benchmark: BenchmarkFixture, chain: Chain) -> None:
    def set_up() -> tuple[tuple[HeaderIntake, HeaderList], dict[str, object]]:
        intake, headers = chain.intake(), HeaderList(None, chain.message)
        intake.submit(headers)
        return (intake, headers), {}

    def judge(intake: HeaderIntake, headers: HeaderList) -> None:
        while headers.checked < MAX_HEADERS:
            assert headers.error is None
            intake.work(chain.now)

    benchmark.pedantic(judge, setup=set_up, rounds=10)


def test_presync(benchmark: BenchmarkFixture, chain: Chain) -> None:
    """Both passes; judging is not counted."""
    start = BlockTree(Rulebook(chain.spec)).genesis
    headers = [*chain.before, *chain.message][:MAX_HEADERS]

    def both() -> None:
        presync = Presync(chain.spec, start, 1, bytes(SALT_BYTES), chain.now.wall_s)
        presync.take(headers)
        assert presync.enough()
        assert presync.take(headers)

    benchmark(both)


@pytest.mark.parametrize("rule", ["fixed", "asert"])
def test_load(benchmark: BenchmarkFixture, rule: str) -> None:
    spec = spec_of(rule)
    headers = [spec.genesis.header, *chain_of(spec, INDEXED)]
    slices = []
    for start in range(0, len(headers), SLICE):
        part = headers[start : start + SLICE]
        raw, hashes = b"".join([header.raw for header in part]), b"".join([header.hash for header in part])
        slices.append(IndexSlice(raw, hashes, bytes([Status.BODY | Status.VERIFIED | Status.CONNECTED]) * len(part)))

    def load() -> int:
        tree = BlockTree(Rulebook(spec))
        tree.restore(slices, headers[-1].hash)
        return len(tree)

    assert benchmark(load) == len(headers)
