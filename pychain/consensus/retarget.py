"""Retarget rules by name: which bits the next header of a branch must have.

Built in are `asert` (aserti3-2d,
https://github.com/bitcoincashorg/bitcoincash.org/blob/master/spec/2020-11-15-asert.md), `fixed`, `bitcoin` (Core's,
with its off-by-one) and `lwma` (zawy12's LWMA-1). Packages add more through the entry point group `pychain.retarget`,
users through files. Under every built-in rule block 1 carries genesis' bits. All arithmetic is on integers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import ClassVar

from pychain.base.errors import ConfigError
from pychain.base.registry import Registry
from pychain.chain.spec import ChainSpec
from pychain.chain.target import bits_from_target, target_from_bits
from pychain.consensus.branch import Branch

BITCOIN_WINDOW = 2016
BITCOIN_CLAMP = 4
LWMA_WINDOW = 60
LWMA_SOLVE_CLAMP = 6
"""Solve times count at most this many spacings, to either side."""
LWMA_FLOOR = 20
"""The weighted sum of solve times counts as at least a 20th of the expected one, so one window raises the difficulty by
at most a factor of 20.
"""


class RetargetRule(ABC):
    """A retarget rule; derive a class from this to write one.

    Genesis commits only to `name` and the parameters' values, so a name should include a version: nodes whose rules
    have the same name but differ split at the first block on which they disagree.
    """

    name: ClassVar[str]
    """1 to 64 of a-z, 0-9, '.', '_' and '-'; not the name of a built-in rule."""
    parameters: ClassVar[Mapping[str, int]] = MappingProxyType({})
    """The parameters that a chain spec may set, all integers and optional, with the least value of each."""

    @abstractmethod
    def next_bits(self, spec: ChainSpec, branch: Branch) -> int:
        """The compact target of the header after the branch's last one: from 1 to spec.pow_limit, in the canonical
        encoding (`chain.target.bits_from_target`).

        A pure function of the spec and the branch, in integers: every node must get the same result.
        """

    def check(self, spec: ChainSpec) -> None:
        """ConfigError if the rule cannot work under this spec. Its parameters are within their bounds."""
        return


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


class Asert(RetargetRule):
    """aserti3-2d from block 1 on: the half-life is the spec's."""

    name = "asert"

    def next_bits(self, spec: ChainSpec, branch: Branch) -> int:
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


class Fixed(RetargetRule):
    """Always the bits of genesis."""

    name = "fixed"

    def next_bits(self, spec: ChainSpec, branch: Branch) -> int:
        return spec.genesis_bits


class Bitcoin(RetargetRule):
    """Every `window` blocks the target is scaled by the time that the last window took, by a factor of at most four.

    As in Bitcoin Core, the time of window - 1 intervals is compared with window spacings."""

    name = "bitcoin"
    parameters = MappingProxyType({"window": 2})

    def next_bits(self, spec: ChainSpec, branch: Branch) -> int:
        window = _bitcoin_window(spec)
        tip = branch.header(branch.height)
        if (branch.height + 1) % window:
            return tip.bits
        expected = window * spec.spacing_s
        actual = tip.time - branch.header(branch.height - (window - 1)).time
        actual = max(expected // BITCOIN_CLAMP, min(actual, expected * BITCOIN_CLAMP))
        return bits_from_target(max(1, min(target_from_bits(tip.bits) * actual // expected, spec.pow_limit)))

    def check(self, spec: ChainSpec) -> None:
        if _bitcoin_window(spec) * spec.spacing_s < BITCOIN_CLAMP:
            raise ConfigError(
                f"under bitcoin, window times spacing_s must be at least {BITCOIN_CLAMP} s: "
                "a shorter window could take no time at all, and the target would fall to 0"
            )


def _bitcoin_window(spec: ChainSpec) -> int:
    return spec.retarget_params.get("window", BITCOIN_WINDOW)


class Lwma(RetargetRule):
    """The mean target of the last N blocks, scaled by their linearly weighted solve time over the expected one."""

    name = "lwma"
    parameters = MappingProxyType({"window": 2})

    def next_bits(self, spec: ChainSpec, branch: Branch) -> int:
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


RETARGET_RULES: Registry[RetargetRule] = Registry(
    "retarget rule", "pychain.retarget", RetargetRule, (Asert(), Fixed(), Bitcoin(), Lwma())
)
