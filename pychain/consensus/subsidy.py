"""Subsidy: how much a block may create, and the supply at any height. Amounts in base units."""

from __future__ import annotations

from pychain.chain.spec import ChainSpec

MAX_HALVINGS = 64
MAX_SUPPLY = 2**63 - 1
"""The limit of allocations and all subsidies: no balance can overflow, and any amount fits a signed 64-bit integer."""


def subsidy(spec: ChainSpec, height: int) -> int:
    """The subsidy of block `height` (1 and up): the initial one, halved every halving_interval blocks."""
    if spec.halving_interval == 0:
        return 0
    halvings = height // spec.halving_interval
    return spec.initial_subsidy >> halvings if halvings < MAX_HALVINGS else 0


def issued(spec: ChainSpec, height: int) -> int:
    """The supply once block `height` has been mined, immature rewards included."""
    total = sum(amount for _, amount in spec.allocations)
    if spec.halving_interval == 0:
        return total
    for halvings in range(MAX_HALVINGS):
        first = max(1, halvings * spec.halving_interval)
        last = min(height, (halvings + 1) * spec.halving_interval - 1)
        total += max(0, last - first + 1) * (spec.initial_subsidy >> halvings)
    return total


def total_supply(spec: ChainSpec) -> int:
    """The supply that will ever exist."""
    return issued(spec, MAX_HALVINGS * spec.halving_interval)
