"""Retarget rules: the bits that the next header on a branch must have. A branch is its headers, genesis first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.specification.headers import Header, bits_of, target_of
from tests.specification.network import Network

Branch = Sequence[Header]


def next_bits(network: Network, branch: Branch) -> int:
    """Block 1 has the bits of genesis under every rule."""
    if len(branch) == 1:
        return network.genesis_bits
    return RETARGET_RULES[network.retarget](network, branch)


def encode_within_limit(network: Network, target: int) -> int:
    """The bits of a computed target, clamped to 1 to pow_limit."""
    return bits_of(clamp(target, 1, network.pow_limit))


def clamp(value: int, least: int, greatest: int) -> int:
    return max(least, min(value, greatest))


def fixed(network: Network, branch: Branch) -> int:
    return network.genesis_bits


def asert(network: Network, branch: Branch) -> int:
    """aserti3-2d: the target doubles with each half-life that the chain lags behind its schedule, seen from block 1."""
    parent, anchor = branch[-1], branch[1]
    time_delta = parent.time - (anchor.time - network.spacing_s)
    height_delta = len(branch) - 2
    exponent = cut_division((time_delta - network.spacing_s * (height_delta + 1)) * 65536, network.half_life_s)
    shifts, frac = exponent // 65536, exponent % 65536
    factor = ((195766423245049 * frac + 971821376 * frac**2 + 5127 * frac**3 + 2**47) >> 48) + 65536
    if shifts > 256:  # at least 2^256, without writing the number down
        return encode_within_limit(network, network.pow_limit)
    if shifts < -256:  # any target becomes 0
        return encode_within_limit(network, 1)
    target = target_of(network.genesis_bits) * factor * 2 ** (256 + shifts) // 2 ** (256 + 16)
    return encode_within_limit(network, target)


def cut_division(dividend: int, divisor: int) -> int:
    """The quotient rounded towards zero."""
    return dividend // divisor if dividend >= 0 else -(-dividend // divisor)


def bitcoin(network: Network, branch: Branch) -> int:
    """The time of each window, which lacks one interval, scales the target by a factor of at most four."""
    window = network.retarget_params.get("window", 2016)
    parent = branch[-1]
    if len(branch) % window != 0:
        return parent.bits
    due = window * network.spacing_s
    actual = clamp(parent.time - branch[-window].time, due // 4, due * 4)
    return encode_within_limit(network, target_of(parent.bits) * actual // due)


def lwma(network: Network, branch: Branch) -> int:
    """The mean target of the last N blocks, scaled by their solve times; later ones have more weight."""
    window = network.retarget_params.get("window", 60)
    parent_height = len(branch) - 1
    if parent_height <= window:
        return network.genesis_bits
    weighted = targets = 0
    for i in range(1, window + 1):
        header, before = branch[parent_height - window + i], branch[parent_height - window + i - 1]
        weighted += i * clamp(header.time - before.time, -6 * network.spacing_s, 6 * network.spacing_s)
        targets += target_of(header.bits)
    due = network.spacing_s * window * (window + 1) // 2
    weighted = max(weighted, due // 20)
    return encode_within_limit(network, targets * weighted // (window * due))


RETARGET_RULES: dict[str, Callable[[Network, Branch], int]] = {
    "fixed": fixed,
    "asert": asert,
    "bitcoin": bitcoin,
    "lwma": lwma,
}
