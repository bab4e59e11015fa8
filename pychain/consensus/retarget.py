"""Retarget rules by name: what bits the next header of a branch must carry.

Built in are `asert` (aserti3-2d,
https://github.com/bitcoincashorg/bitcoincash.org/blob/master/spec/2020-11-15-asert.md), `fixed`, `bitcoin` (Core's,
with its off-by-one) and `lwma` (zawy12's LWMA-1). Packages add more through the entry point group `pychain.retarget`;
a plug-in's name should carry its version, since genesis commits to the name. Under every rule block 1 carries
genesis' bits. All arithmetic is on integers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType

from pychain.base.errors import ConfigError
from pychain.chain.spec import ChainSpec
from pychain.chain.target import bits_from_target, target_from_bits
from pychain.consensus.branch import Branch

NextBits = Callable[[ChainSpec, Branch], int]

BITCOIN_WINDOW = 2016
BITCOIN_CLAMP = 4
LWMA_WINDOW = 60
LWMA_SOLVE_CLAMP = 6
"""Solve times count at most this many spacings, to either side."""
LWMA_FLOOR = 20
"""The weighted sum of solve times counts at least a 20th of what it should be, so one window gains at most a factor
of 20.
"""


def asert_target(
    anchor_target: int, time_delta: int, height_delta: int, spacing_s: int, half_life_s: int, pow_limit: int
) -> int:
    """aserti3-2d: the target after `height_delta` blocks in `time_delta` seconds since the anchor's parent.

    The result is within [1, pow_limit] and not yet rounded by the compact encoding."""
    scaled = (time_delta - spacing_s * (height_delta + 1)) * 65536
    exponent = abs(scaled) // half_life_s
    if scaled < 0:  # the reference divides as C does: towards zero
        exponent = -exponent
    shifts, fraction = exponent >> 16, exponent & 0xFFFF
    if shifts > 256:
        return pow_limit
    if shifts < -256:
        return 1
    factor = ((195766423245049 * fraction + 971821376 * fraction**2 + 5127 * fraction**3 + 2**47) >> 48) + 65536
    product = anchor_target * factor
    target = product << shifts - 16 if shifts >= 16 else product >> 16 - shifts
    return max(1, min(target, pow_limit))


def _asert(spec: ChainSpec, branch: Branch) -> int:
    if branch.height == 0:
        return spec.genesis_bits
    tip, anchor = branch.header(branch.height), branch.header(1)
    target = asert_target(
        target_from_bits(spec.genesis_bits),
        tip.time - (anchor.time - spec.spacing_s),
        branch.height - 1,
        spec.spacing_s,
        spec.half_life_s,
        spec.pow_limit,
    )
    return bits_from_target(target)


def _fixed(spec: ChainSpec, branch: Branch) -> int:
    return spec.genesis_bits


def _window_s(spec: ChainSpec) -> int:
    """What a window of the `bitcoin` rule should take, in seconds."""
    return spec.retarget_params.get("window", BITCOIN_WINDOW) * spec.spacing_s


def _bitcoin(spec: ChainSpec, branch: Branch) -> int:
    """Every `window` blocks the target is scaled by the time that the last window took, at most fourfold either way.

    As in Core the time is that of window - 1 intervals, measured against window spacings."""
    window = spec.retarget_params.get("window", BITCOIN_WINDOW)
    tip = branch.header(branch.height)
    if (branch.height + 1) % window:
        return tip.bits
    expected = _window_s(spec)
    actual = tip.time - branch.header(branch.height - (window - 1)).time
    actual = max(expected // BITCOIN_CLAMP, min(actual, expected * BITCOIN_CLAMP))
    return bits_from_target(max(1, min(target_from_bits(tip.bits) * actual // expected, spec.pow_limit)))


def _lwma(spec: ChainSpec, branch: Branch) -> int:
    """The mean target of the last N blocks times their linearly weighted solve time over what it should be."""
    window = spec.retarget_params.get("window", LWMA_WINDOW)
    if branch.height <= window:
        return spec.genesis_bits
    clamp = LWMA_SOLVE_CLAMP * spec.spacing_s
    due = window * (window + 1) // 2 * spec.spacing_s
    headers = [branch.header(height) for height in range(branch.height - window, branch.height + 1)]
    weighted = 0
    for weight, (previous, header) in enumerate(pairwise(headers), 1):
        solve_time = header.time - previous.time
        if not -clamp < solve_time < clamp:
            solve_time = clamp if solve_time > 0 else -clamp
        weighted += weight * solve_time
    weighted = max(weighted, due // LWMA_FLOOR)
    targets = sum([target_from_bits(header.bits) for header in headers[1:]])
    return bits_from_target(max(1, min(targets * weighted // (window * due), spec.pow_limit)))


BUILT_IN: Mapping[str, NextBits] = MappingProxyType(
    {"asert": _asert, "fixed": _fixed, "bitcoin": _bitcoin, "lwma": _lwma}
)
_PARAMETERS: Mapping[str, Mapping[str, int]] = MappingProxyType({"bitcoin": {"window": 2}, "lwma": {"window": 2}})
"""Parameters that a built-in rule takes, and the least value of each."""


def check_parameters(spec: ChainSpec) -> None:
    """ConfigError where a built-in rule is given a parameter that it does not take, or one out of range."""
    if spec.retarget not in BUILT_IN:
        return
    known = _PARAMETERS.get(spec.retarget, {})
    for name, value in spec.retarget_params.items():
        if name not in known:
            raise ConfigError(f"chain spec '{spec.name}': retarget rule '{spec.retarget}' takes no parameter '{name}'")
        if value < known[name]:
            raise ConfigError(f"chain spec '{spec.name}': retarget parameter {name} must be at least {known[name]}")
    if spec.retarget == "bitcoin" and _window_s(spec) < BITCOIN_CLAMP:
        raise ConfigError(
            f"chain spec '{spec.name}': under bitcoin, window times spacing_s must be at least {BITCOIN_CLAMP} s: "
            "shorter windows can measure no time at all, and the target would fall to nothing"
        )
