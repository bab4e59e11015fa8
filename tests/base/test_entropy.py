"""SplitMix64 against its published output, and unbiased draws."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.entropy import Random

PUBLISHED = {
    # The first outputs of Sebastiano Vigna's reference implementation, https://prng.di.unimi.it/splitmix64.c.
    1234567: [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ],
    0: [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F],
}


@pytest.mark.parametrize("seed", PUBLISHED)
def test_published_sequence(seed: int) -> None:
    random = Random(seed)
    assert [random.u64() for _ in PUBLISHED[seed]] == PUBLISHED[seed]


def test_seeds_count_modulo_two_to_the_64() -> None:
    assert Random(2**64 + 5).u64() == Random(5).u64()
    assert Random(-1).u64() == Random(2**64 - 1).u64()


@given(st.integers(0, 2**64 - 1), st.integers(1, 2**64))
def test_below_its_bound(seed: int, bound: int) -> None:
    random = Random(seed)
    assert all(0 <= random.below(bound) < bound for _ in range(5))


def test_below_rejects_what_would_bias() -> None:
    """A bound just over 2^63 makes almost half of the draws repeat; a plain modulo would favour low values."""
    random, plain = Random(7), Random(7)
    bound = 2**63 + 1
    accepted = (value for value in iter(plain.u64, None) if value < bound)
    assert [random.below(bound) for _ in range(50)] == [next(accepted) for _ in range(50)]


def test_below_two_to_the_64_is_everything() -> None:
    random, plain = Random(9), Random(9)
    assert [random.below(2**64) for _ in range(5)] == [plain.u64() for _ in range(5)]


@given(st.integers(0, 2**64 - 1))
def test_unit_is_in_the_half_open_interval(seed: int) -> None:
    value = Random(seed).unit()
    assert 0.0 <= value < 1.0
    assert value == (Random(seed).u64() >> 11) / 2**53


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(), max_size=12))
def test_shuffled_is_a_permutation(seed: int, items: list[int]) -> None:
    before = list(items)
    assert Counter(Random(seed).shuffled(items)) == Counter(before)
    assert items == before


def test_shuffled_reaches_every_order_about_as_often() -> None:
    random = Random(11)
    seen = Counter(tuple(random.shuffled("abc")) for _ in range(6000))
    assert set(seen) == set(permutations("abc"))
    assert all(850 < times < 1150 for times in seen.values())  # 1,000 each, five standard deviations wide
