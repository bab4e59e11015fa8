"""The rulebook: a chain spec with the rules that it names looked up, once, when a node is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pychain.base.errors import ConfigError
from pychain.chain.spec import ChainSpec
from pychain.consensus import fork_choice, retarget
from pychain.consensus.branch import Branch
from pychain.consensus.subsidy import MAX_SUPPLY, total_supply


class Rulebook:
    """The spec and its retarget and fork-choice rules. ConfigError where a rule is unknown or the supply too large."""

    def __init__(self, spec: ChainSpec) -> None:
        self.spec = spec
        self._next_bits: retarget.NextBits = _named(spec, "retarget", spec.retarget, retarget.BUILT_IN)
        self._weight: fork_choice.Weight = _named(spec, "fork_choice", spec.fork_choice, fork_choice.BUILT_IN)
        retarget.check_parameters(spec)
        fork_choice.check_parameters(spec)
        if total_supply(spec) > MAX_SUPPLY:
            raise ConfigError(f"chain spec '{spec.name}': allocations and subsidies add up to over 2^63 - 1")

    def next_bits(self, branch: Branch) -> int:
        """The bits that a header on top of `branch` must carry."""
        return self._next_bits(self.spec, branch)

    def weight(self, chain_work: int, height: int) -> int:
        """What fork choice compares."""
        return self._weight(chain_work, height)


def _named(spec: ChainSpec, kind: str, name: str, built_in: Mapping[str, Any]) -> Any:
    """The rule of that name: built in, or a plug-in's entry point in group `pychain.<kind>`."""
    if name in built_in:
        return built_in[name]
    from importlib.metadata import entry_points  # seldom needed, and slow to import

    plug_ins = {point.name: point for point in entry_points(group=f"pychain.{kind}")}
    if name in plug_ins:
        return plug_ins[name].load()
    known = ", ".join([*built_in, *sorted(plug_ins)])
    raise ConfigError(f"chain spec '{spec.name}': {kind} rule '{name}' is unknown; there are {known}")
