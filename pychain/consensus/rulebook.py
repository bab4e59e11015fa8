"""The rulebook: a chain spec together with the rules that it names, looked up once when a node is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pychain.base.errors import ConfigError
from pychain.base.registry import Plugin
from pychain.chain.spec import ChainSpec
from pychain.consensus.branch import Branch
from pychain.consensus.fork_choice import FORK_CHOICE_RULES
from pychain.consensus.retarget import RETARGET_RULES
from pychain.consensus.subsidy import MAX_SUPPLY, total_supply


class Rulebook:
    """The spec and its retarget and fork-choice rules."""

    def __init__(self, spec: ChainSpec, plugins: Iterable[Plugin] = ()) -> None:
        """`plugins`: rules that are neither built in nor installed. ConfigError if a rule is unknown, does not fit the
        spec or does not take a given parameter, or if the supply is too large."""
        self.spec = spec
        given = tuple(plugins)
        try:
            retarget = RETARGET_RULES.named(spec.retarget, given)
            fork_choice = FORK_CHOICE_RULES.named(spec.fork_choice, given)
            _check_parameters("retarget", spec.retarget, retarget.parameters, spec.retarget_params)
            _check_parameters("fork_choice", spec.fork_choice, fork_choice.parameters, spec.fork_choice_params)
            retarget.check(spec)
            fork_choice.check(spec)
        except ConfigError as error:
            raise ConfigError(f"chain spec '{spec.name}': {error}") from None
        self._next_bits = retarget.next_bits
        self._weight = fork_choice.weight
        if total_supply(spec) > MAX_SUPPLY:
            raise ConfigError(f"chain spec '{spec.name}': allocations and subsidies add up to over 2^63 - 1")

    def next_bits(self, branch: Branch) -> int:
        """The bits that a header on top of `branch` must have."""
        return self._next_bits(self.spec, branch)

    def weight(self, chain_work: int, height: int) -> int:
        """The weight that fork choice compares."""
        return self._weight(self.spec, chain_work, height)


def _check_parameters(kind: str, rule: str, known: Mapping[str, int], given: Mapping[str, int]) -> None:
    """ConfigError if a rule does not take a given parameter, or the value is below its least."""
    for name, value in given.items():
        if name not in known:
            raise ConfigError(f"{kind} rule '{rule}' takes no parameter '{name}'")
        if value < known[name]:
            raise ConfigError(f"{kind} parameter {name} must be at least {known[name]}")
