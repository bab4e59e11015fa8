"""Retarget rules: Core's published vectors, Bitcoin's own headers, and known properties of each.

The specification's rules are compared with them in test_differential.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.base.errors import ConfigError
from pychain.chain.header import Header, decode_header
from pychain.chain.target import bits_from_target, target_from_bits
from pychain.consensus.retarget import RETARGET_RULES, asert_target
from pychain.consensus.rulebook import Rulebook
from tests.chain.bitcoin import HEADERS
from tests.support.branches import SparseBranch, bare_header, timed_branch
from tests.support.builder import spec_of
from tests.support.network import Network

BITCOIN = Network(
    retarget="bitcoin", spacing_s=600, genesis_bits=0x1D00FFFF, pow_limit=2**224 - 1, genesis_time=1_231_006_505
)
T0 = 1_700_000_000
EASY = 0x207FFFFF
MIDDLE = 0x1F0FFFFF


def rulebook_of(network: Network) -> Rulebook:
    return Rulebook(spec_of(network))


# --- all rules


@pytest.mark.parametrize("rule", RETARGET_RULES.built_in)
def test_block_1_carries_genesis_bits(rule: str) -> None:
    network = Network(retarget=rule, genesis_bits=MIDDLE)
    for late in (0, 1, 10**9):
        assert rulebook_of(network).next_bits(timed_branch([T0 + late], MIDDLE)) == MIDDLE


@given(
    st.sampled_from(list(RETARGET_RULES.built_in)),
    st.integers(1, 1000),
    st.lists(st.integers(-7200, 100_000), min_size=1, max_size=14),
    st.sampled_from([0x01010000, 0x03123456, 0x1D00FFFF, MIDDLE, EASY]),
)
def test_any_branch_gets_bits_within_the_limit(rule: str, spacing_s: int, waits: list[int], bits: int) -> None:
    """For any times, the bits are a canonical encoding of a target from 1 to pow_limit."""
    params = {"window": 4} if rule in ("bitcoin", "lwma") else {}
    network = Network(retarget=rule, retarget_params=params, spacing_s=spacing_s, genesis_bits=bits)
    times = [T0]
    for wait in waits:
        times.append(max(0, times[-1] + wait))
    demanded = rulebook_of(network).next_bits(timed_branch(times, bits))
    assert 1 <= target_from_bits(demanded) <= network.pow_limit
    assert bits_from_target(target_from_bits(demanded)) == demanded


def test_fixed_stays() -> None:
    network = Network(retarget="fixed", genesis_bits=MIDDLE)
    for times in ([T0], [T0, T0 + 1], [T0, T0 + 10**8, T0 + 2 * 10**8]):
        assert rulebook_of(network).next_bits(timed_branch(times, MIDDLE)) == MIDDLE


# --- asert


@given(
    st.integers(-40_000, 40_000),
    st.integers(0, 10**6),
    st.integers(1, 1000),
    st.integers(20, 10**6),
    st.integers(2**60, 2**200),
)
def test_asert_is_an_exponential(
    thousandths: int, height_delta: int, spacing_s: int, half_life_s: int, anchor: int
) -> None:
    """The polynomial is within 0.013 % of 2^x (the specification's bound), the exponent within 2^-16 of x."""
    schedule = spacing_s * (height_delta + 1)
    lag = thousandths * half_life_s // 1000
    target = asert_target(anchor, schedule + lag, height_delta, spacing_s, half_life_s, 2**256 - 1)
    assert target / (anchor * 2 ** (lag / half_life_s)) == pytest.approx(1, rel=0.00013 + 2**-16)


@given(st.integers(0, 255), st.integers(-300, 300), st.integers(1, 10**6), st.integers(0, 1000))
def test_asert_doubles_exactly_each_half_life(bit: int, doublings: int, half_life_s: int, height_delta: int) -> None:
    time_delta = 60 * (height_delta + 1) + doublings * half_life_s
    target = asert_target(2**bit, time_delta, height_delta, 60, half_life_s, 2**256 - 1)
    assert target == max(1, min(int(Fraction(2) ** (bit + doublings)), 2**256 - 1))


def test_asert_reaches_both_ends_exactly() -> None:
    for doublings in range(300):
        up, down = (
            asert_target(anchor, 60 + lag, 0, 60, 1, 2**256 - 1)
            for anchor, lag in ((1, doublings), (2**255, -doublings))
        )
        assert up == min(2**doublings, 2**256 - 1)
        assert down == max(2**255 >> doublings, 1)


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**9), st.integers(1, 10**6), st.integers(1, 10**6))
def test_asert_never_falls_as_time_passes(time_delta: int, later: int, spacing_s: int, half_life_s: int) -> None:
    early, late = (
        asert_target(2**200, delta, 5, spacing_s, half_life_s, 2**240) for delta in (time_delta, time_delta + later)
    )
    assert 1 <= early <= late <= 2**240


@pytest.mark.parametrize(
    ("halvings", "target"), [(257, 1), (10**12, 1), (200, 1), (201, 1), (-257, 2**240), (-(10**12), 2**240)]
)
def test_asert_far_out(halvings: int, target: int) -> None:
    """Exponents that would shift by billions of bits are clamped to the bounds."""
    assert asert_target(2**200, 60 - halvings * 100, 0, 60, 100, 2**240) == target


def test_asert_divides_towards_zero() -> None:
    """A 65536th of a half-life and less is rounded to zero, on either side (as in C's division)."""
    late, early = (asert_target(2**200, 60 + delta, 0, 60, 65536 * 2, 2**240) for delta in (1, -1))
    assert late == early == 2**200


# --- bitcoin

CORE_VECTORS = [
    # Bitcoin Core, src/test/pow_tests.cpp: (height, first time of the window, last time, bits, next bits)
    (32255, 1261130161, 1262152739, 0x1D00FFFF, 0x1D00D86A),  # no constraint
    (2015, 1231006505, 1233061996, 0x1D00FFFF, 0x1D00FFFF),  # pow_limit
    (68543, 1279008237, 1279297671, 0x1C05A3F4, 0x1C0168FD),  # a fourth of the time at least
    (46367, 1263163443, 1269211443, 0x1C387F6F, 0x1D00E1FD),  # four times the time at most
]


@pytest.mark.parametrize(("height", "first", "last", "bits", "demanded"), CORE_VECTORS)
def test_core_vectors(height: int, first: int, last: int, bits: int, demanded: int) -> None:
    branch = SparseBranch({height - 2015: bare_header(first, bits), height: bare_header(last, bits)})
    assert rulebook_of(BITCOIN).next_bits(branch) == demanded


KNOWN: dict[int, Header] = {known.height: decode_header(bytes.fromhex(known.raw)) for known in HEADERS}


@pytest.mark.parametrize("first", [0, 30240, 32256, 864864])
def test_bitcoin_itself(first: int) -> None:
    """Real windows, and the bits that the network put into the block after each."""
    last = first + 2015
    branch = SparseBranch({first: KNOWN[first], last: KNOWN[last]})
    demanded = rulebook_of(BITCOIN).next_bits(branch)
    assert demanded == (KNOWN[last + 1].bits if first else 0x1D00FFFF)


# --- lwma


def test_lwma_keeps_what_is_on_time() -> None:
    rulebook = rulebook_of(Network(retarget="lwma", genesis_bits=MIDDLE))
    assert rulebook.next_bits(timed_branch(range(T0, T0 + 700, 10), MIDDLE)) == MIDDLE


def test_lwma_window_is_60_by_default() -> None:
    """The rule applies from 60 solve times after block 1, and not before; genesis' time does not count."""
    rulebook = rulebook_of(Network(retarget="lwma", genesis_bits=MIDDLE))
    fast = [0, *range(T0, T0 + 61 * 5, 5)]
    assert rulebook.next_bits(timed_branch(fast[:61], MIDDLE)) == MIDDLE
    half = bits_from_target(target_from_bits(MIDDLE) // 2)
    assert rulebook.next_bits(timed_branch(fast, MIDDLE)) == half


def test_lwma_weighs_the_latest_most() -> None:
    rulebook = rulebook_of(Network(retarget="lwma", retarget_params={"window": 3}, genesis_bits=MIDDLE))
    slow_first = timed_branch([0, T0, T0 + 30, T0 + 40, T0 + 50], MIDDLE)
    slow_last = timed_branch([0, T0, T0 + 10, T0 + 20, T0 + 50], MIDDLE)
    first, last = (target_from_bits(rulebook.next_bits(branch)) for branch in (slow_first, slow_last))
    middle = target_from_bits(MIDDLE)
    assert first == target_from_bits(bits_from_target(middle * 80 // 60))  # 1*30 + 2*10 + 3*10
    assert last == target_from_bits(bits_from_target(middle * 120 // 60))  # 1*10 + 2*10 + 3*30


# --- parameters


@pytest.mark.parametrize(
    ("rule", "params", "line"),
    [
        ("asert", {"window": 5}, "retarget rule 'asert' takes no parameter 'window'"),
        ("fixed", {"bits": 5}, "retarget rule 'fixed' takes no parameter 'bits'"),
        ("bitcoin", {"windows": 5}, "retarget rule 'bitcoin' takes no parameter 'windows'"),
        ("bitcoin", {"window": 1}, "retarget parameter window must be at least 2"),
        ("lwma", {"window": 1}, "retarget parameter window must be at least 2"),
        ("lwma", {"window": -60}, "retarget parameter window must be at least 2"),
    ],
)
def test_parameters_out_of_form(rule: str, params: dict[str, int], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        rulebook_of(Network(retarget=rule, retarget_params=params))


def test_a_bitcoin_window_that_measures_nothing() -> None:
    """With 2 blocks of 1 s a window could take 0 of 2 s, and the target would be 0."""
    with pytest.raises(ConfigError, match="window times spacing_s must be at least 4 s"):
        rulebook_of(Network(retarget="bitcoin", retarget_params={"window": 2}, spacing_s=1))
    shortest = rulebook_of(Network(retarget="bitcoin", retarget_params={"window": 4}, spacing_s=1, genesis_bits=MIDDLE))
    no_time = timed_branch([T0] * 4, MIDDLE)
    assert target_from_bits(shortest.next_bits(no_time)) == target_from_bits(
        bits_from_target(target_from_bits(MIDDLE) // 4)
    )
