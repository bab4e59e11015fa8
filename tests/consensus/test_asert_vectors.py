"""The published aserti3-2d vectors, run01 to run12, every one of their 15,004 rows.

Bitcoin Cash Node publishes them (qa-assets, test_vectors/aserti3-2d; they are linked from the specification) together
with the parameters of each run. Here each run is made again from its parameters, its bits by the project's ASERT, and
the digest of all rows ("iteration height time bits", a line each) is compared with the digest of the published rows;
the first and the last row stand beside it to be looked at. Three runs draw solve times from C++'s std::mt19937 through
libstdc++'s distributions, which is restated below.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from random import Random

import pytest

from pychain.chain.target import bits_from_target, target_from_bits
from pychain.consensus.retarget import asert_target
from pychain.consensus.rulebook import Rulebook
from tests.support.branches import SparseBranch, bare_header
from tests.support.builder import spec_of
from tests.support.network import Network

SPACING_S = 600
HALF_LIFE_S = 2 * 24 * 3600
POW_LIMIT = 2**224 - 1
RECENT_BITS = 0x1802AEE8
_SEED = 424242
"""Of the runs that draw their solve times."""


def mt19937(seed: int) -> Iterator[int]:
    """The 32-bit outputs of std::mt19937. Python's own generator is the same one, seeded otherwise."""
    state = [seed]
    for index in range(1, 624):
        state.append((1812433253 * (state[-1] ^ state[-1] >> 30) + index) & 0xFFFFFFFF)
    generator = Random()
    generator.setstate((3, (*state, 624), None))
    while True:
        yield generator.getrandbits(32)


def exponential_times() -> Iterator[int]:
    """std::exponential_distribution with mean 600, cut to whole seconds: two words make one number in [0, 1)."""
    words = mt19937(_SEED)
    while True:
        unit = (next(words) + (next(words) << 32)) / 2**64
        yield int(-math.log(1 - unit) * 600)


def uniform_times() -> Iterator[int]:
    """std::uniform_int_distribution on [-300, 900]: equal shares of the words, what is left over drawn again."""
    share = 0xFFFFFFFF // 1201
    return (word // share - 300 for word in mt19937(_SEED) if word < share * 1201)


def steps(seconds: int) -> Callable[[], Iterator[int]]:
    return lambda: iter(lambda: seconds, None)


def ramp_up() -> Iterator[int]:
    """Solve times of a hashrate that grows every ten blocks."""
    return (time // (1 + iteration // 10) for iteration, time in enumerate(exponential_times(), 1))


def ramp_down() -> Iterator[int]:
    return (time * (1 + iteration // 10) for iteration, time in enumerate(exponential_times(), 1))


@dataclass(frozen=True)
class Run:
    """A run's parameters as its head states them; the rows' digest, and the first and last row."""

    number: int
    anchor_bits: int
    solve_times: Callable[[], Iterator[int]]
    start_time: int
    iterations: int
    digest: str
    first: str
    last: str
    anchor_height: int = 1
    anchor_parent_time: int = 0
    height_step: int = 1

    def blocks(self) -> Iterator[tuple[int, int, int]]:
        """(iteration, height, time) of each row."""
        time, waits = self.start_time, self.solve_times()
        for iteration in range(1, self.iterations + 1):
            yield iteration, self.anchor_height + 1 + (iteration - 1) * self.height_step, time
            time += next(waits)


RUNS = [
    Run(
        *(1, 0x1D00FFFF, steps(600), 1200, 10),
        "acdb1ecbb9bb5ecaefe12e08dfb35d4d4ff77a7fff848309e84472c6be867c9f",
        *("1 2 1200 0x1d00ffff", "10 11 6600 0x1d00ffff"),
    ),
    Run(
        *(2, 0x1A2B3C4D, steps(600), 1200, 10),
        "a6865d5781572faf1d2ecb5d192812bdb10662d6ccce2f6c03a99480a9091a93",
        *("1 2 1200 0x1a2b3c4d", "10 11 6600 0x1a2b3c4d"),
    ),
    Run(
        *(3, 0x01010000, steps(600), 1200, 10),
        "9b453a955658d4ca4100708916a5abf9bff810e04a635f908c5ea91ed5227607",
        *("1 2 1200 0x01010000", "10 11 6600 0x01010000"),
    ),
    Run(
        *(4, 0x01010000, steps(600 + HALF_LIFE_S), 174_000, 225),
        "3203f2eb025d42dcdd1d967f23b0a5e13a39f35df7493ce86f74cc19e164922d",
        *("1 2 174000 0x01020000", "225 226 39015600 0x1d00ffff"),
    ),
    Run(
        *(5, 0x1D00FFFF, steps(0), 0, 225),
        "86f3d5d46768a3b87050e462be63297cdb29a488720db7f3218ca8bfc01ec002",
        *("1 2 0 0x1d00fec5", "225 64514 0 0x01010000"),
        height_step=288,
    ),
    Run(
        *(6, RECENT_BITS, exponential_times, 1200, 1000),
        "466a2afb9268eb8fc817cf13f790892804cab03c05b5741344bc46457d89e6fd",
        *("1 2 1200 0x1802aee8", "1000 1001 589738 0x180291ad"),
    ),
    Run(
        *(7, RECENT_BITS, ramp_up, 1200, 1000),
        "d032ea5005e1f5d2e6de951fdad046d9bec33c93ea9b910c1275d233d0ccdd8b",
        *("1 2 1200 0x1802aee8", "1000 1001 33365 0x17469789"),
    ),
    Run(
        *(8, RECENT_BITS, ramp_down, 1200, 500),
        "bccebe7990bfe9df733c1be0948457ea2f25e947da342fe9f0359063212ccda8",
        *("1 2 1200 0x1802aee8", "500 501 7462933 0x1d00ffff"),
    ),
    Run(
        *(9, RECENT_BITS, steps(300), 1_234_568_190, 10),
        "7a2bc4ca29a1c027d0683c9a0d42d358011e96ab8cee256b1c6b97c2aad207ae",
        *("1 2147483643 1234568190 0x1802ae16", "10 2147483652 1234570890 0x1802a6b7"),
        anchor_height=2**31 - 6,
        anchor_parent_time=1_234_567_290,
    ),
    Run(
        *(10, RECENT_BITS, steps(900), 2_147_484_547, 10),
        "fa110660ec9d0d7a63cab89bd90e2b90445a90561dba22712f1a55be063b2e86",
        *("1 9223372036854775803 2147484547 0x1802afbb", "10 9223372036854775812 2147492647 0x1802b73d"),
        anchor_height=2**63 - 6,
        anchor_parent_time=2_147_483_047,
    ),
    Run(
        *(11, RECENT_BITS, uniform_times, 1200, 1000),
        "6a3ff416df6c027bcc22cc5670cceccbfe532f758ac0c7f37f8542d4d582cb20",
        *("1 2 1200 0x1802aee8", "1000 1001 293713 0x1800c896"),
    ),
    Run(
        *(12, RECENT_BITS, steps(-1), 11_200, 10_000),
        "04dfa99a1669b32cf113353471e36b9a407b06bd2f01d0d3645858e292582c07",
        *("1 2 11200 0x1802aee8", "10000 10001 1201 0x13643f64"),
        anchor_parent_time=10_000,
    ),
]


def test_the_generator_is_mt19937() -> None:
    """The C++ standard demands 4123659995 as the 10,000th output under the default seed, 5489."""
    assert next(islice(mt19937(5489), 9999, None)) == 4123659995


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"run{run.number:02}")
def test_published_rows(run: Run) -> None:
    anchor_target = target_from_bits(run.anchor_bits)
    rows = []
    for iteration, height, time in run.blocks():
        time_delta, height_delta = time - run.anchor_parent_time, height - run.anchor_height
        target = asert_target(anchor_target, time_delta, height_delta, SPACING_S, HALF_LIFE_S, POW_LIMIT)
        rows.append(f"{iteration} {height} {time} 0x{bits_from_target(target):08x}")
    assert (rows[0], rows[-1]) == (run.first, run.last)
    assert sha256("".join(f"{row}\n" for row in rows).encode()).hexdigest() == run.digest


ON_OUR_CHAIN = [run for run in RUNS if run.anchor_height == run.height_step == 1]


@pytest.mark.parametrize("run", ON_OUR_CHAIN, ids=lambda run: f"run{run.number:02}")
def test_published_rows_on_our_chain(run: Run) -> None:
    """The same blocks as a branch whose block 1 is the anchor, one spacing after the published parent time. Only the
    tip and the anchor are read: genesis' own time plays no part."""
    network = Network(
        retarget="asert",
        genesis_bits=run.anchor_bits,
        pow_limit=POW_LIMIT,
        spacing_s=SPACING_S,
        half_life_s=HALF_LIFE_S,
        max_future_s=7200,
    )
    rulebook = Rulebook(spec_of(network))
    anchor = bare_header(run.anchor_parent_time + SPACING_S, run.anchor_bits)
    anchor_target = target_from_bits(run.anchor_bits)
    for _, height, time in islice(run.blocks(), 1500):
        time_delta = time - run.anchor_parent_time
        expected = asert_target(anchor_target, time_delta, height - 1, SPACING_S, HALF_LIFE_S, POW_LIMIT)
        branch = SparseBranch({1: anchor, height: bare_header(time, 0)})
        assert rulebook.next_bits(branch) == bits_from_target(expected)


def test_the_anchor_itself_owes_nothing() -> None:
    """However late block 1 comes, block 2 carries the same bits."""
    rulebook = Rulebook(spec_of(Network(retarget="asert", genesis_bits=0x1D00FFFF, pow_limit=POW_LIMIT)))
    for time in (1, 1_000_000, 2**32 - 1):
        branch = SparseBranch({0: bare_header(0, 0x1D00FFFF), 1: bare_header(time, 0x1D00FFFF)})
        assert rulebook.next_bits(branch) == 0x1D00FFFF
